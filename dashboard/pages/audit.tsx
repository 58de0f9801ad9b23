/** Who did what. */
import type { Audit } from "../api.ts"
import { Card, Shown, Table, Text, Time } from "../parts.tsx"
import { Link, serviceUrl, useData } from "../state.tsx"

export const AuditPage = () => (
  <>
    <h1>Audit</h1>
    <Card title="What users did, newest first">
      <Shown
        data={useData<Audit>("/audit")}
        empty={(rows) => rows.length === 0 ? "Nobody has changed anything here" : undefined}
      >
        {(rows) => (
          <Table label="Audit" columns={[["When"], ["User"], ["Verb"], ["Service"], ["What"], ["Outcome"]]}>
            {rows.map((row) => (
              <tr key={row.service + row.id}>
                <td><Time at={row.time} past /></td>
                <th scope="row"><Text>{row.user}</Text></th>
                <td>{row.verb}</td>
                <td><Link to={serviceUrl(row.service)}>{row.service}</Link></td>
                <td class="code wide"><Text>{row.subject}</Text></td>
                <td><Text>{row.outcome}</Text></td>
              </tr>
            ))}
          </Table>
        )}
      </Shown>
    </Card>
  </>
)
