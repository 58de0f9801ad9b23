/** Who did what. */
import type { Audit } from "../api.ts"
import { clock, full } from "../format.ts"
import { Card, Shown, Table, Text } from "../parts.tsx"
import { Link, type Place, serviceUrl, useData } from "../state.tsx"

/** `ids: 1-0, 2-0; reason: repaired`. What is not an object is shown as it is. */
const words = (subject: string): string => {
  try {
    const parts = Object.entries(JSON.parse(subject) as Record<string, unknown>)
    return parts.map(([name, value]) => `${name}: ${Array.isArray(value) ? value.join(", ") : String(value)}`).join("; ")
  } catch {
    return subject
  }
}

export const AuditPage = ({ place: { query } }: { readonly place: Place }) => {
  const service = query.get("service") ?? undefined
  return (
    <>
      <div class="title">
        <h1>
          {service === undefined
            ? "Audit"
            : <><Link to={serviceUrl(service)}>{service}</Link>: audit</>}
        </h1>
        {service !== undefined && <Link to="/audit">All services</Link>}
      </div>
      <Card title="What users did, newest first">
        <Shown
          data={useData<Audit>("/audit", { service })}
          empty={(rows) => rows.length === 0 ? "Nobody has changed anything here" : undefined}
        >
          {(rows) => (
            <Table label="Audit" columns={[["When"], ["User"], ["Verb"], ["Service"], ["What"], ["Outcome"]]}>
              {rows.map((row) => (
                <tr key={row.service + row.id}>
                  <td>
                    <time dateTime={row.time} title={full(row.time)}>
                      <span class="quiet">{full(row.time).slice(0, 10)}</span> {clock(row.time)}
                    </time>
                  </td>
                  <th scope="row"><Text>{row.user}</Text></th>
                  <td>{row.verb}</td>
                  <td><Link to={`/audit?service=${encodeURIComponent(row.service)}`}>{row.service}</Link></td>
                  <td class="wrap"><Text>{words(row.subject)}</Text></td>
                  <td class={row.outcome.startsWith("failed") ? "wrap bad" : "wrap"}><Text>{row.outcome}</Text></td>
                </tr>
              ))}
            </Table>
          )}
        </Shown>
      </Card>
    </>
  )
}
