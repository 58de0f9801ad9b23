/** All services at a glance: what needs a person comes first. */
import type { Overview } from "../api.ts"
import { count, short } from "../format.ts"
import { Card, Problem, Table, Time } from "../parts.tsx"
import { Link, serviceUrl, useLive } from "../state.tsx"

/** Why a service needs a look, worst first. */
export const worries = (service: Overview): ReadonlyArray<string> => [
  ...(service.consumers.length === 0 && (service.lag ?? service.length) > 0 ? ["no worker"] : []),
  ...(service.consumers.some(({ stale, pending }) => stale && pending > 0) ? ["silent worker"] : []),
  ...(service.deadLetters > 0 ? ["dead letters"] : []),
  ...(service.pauses.length > 0 ? ["paused"] : [])
]

const Number_ = ({ of, to, warn }: { readonly of: number; readonly to: string; readonly warn?: boolean }) => (
  <td class={`number ${of === 0 ? "zero" : warn === true ? "warn" : ""}`}>
    <Link to={to}>{short(of)}</Link>
  </td>
)

const Row = ({ service }: { readonly service: Overview }) => {
  const { service: name } = service
  const found = worries(service)
  const to = (tab: string) => serviceUrl(name, `?tab=${tab}`)
  return (
    <tr>
      <th scope="row">
        <Link to={serviceUrl(name)}>{name}</Link>
      </th>
      <td>
        {found.length === 0
          ? <span class="badge good">ok</span>
          : found.map((worry) => (
            <span class={`badge ${worry === "paused" ? "note" : worry === "dead letters" ? "warn" : "bad"}`} key={worry}>
              {worry}
            </span>
          ))}
      </td>
      <Number_ of={service.deadLetters} to={serviceUrl(name, "/dead")} warn />
      <td class="number">{service.rates === null ? "–" : count(service.rates.ended)}</td>
      <Number_ of={service.lag ?? service.length} to={to("waiting")} />
      <td class="number"><Time at={service.oldestWaiting} past /></td>
      <Number_ of={service.running} to={to("running")} />
      <Number_ of={service.retrying} to={to("retrying")} />
      <Number_ of={service.scheduled} to={to("scheduled")} />
      <td class="number">{service.consumers.length}</td>
    </tr>
  )
}

export const OverviewPage = () => {
  const { services } = useLive()
  if (services === undefined) return <p class="quiet pad">Loading…</p>
  const sorted = [...services.services].sort((a, b) =>
    worries(b).length - worries(a).length || a.service.localeCompare(b.service)
  )
  const bad = sorted.filter((service) => worries(service).some((worry) => worry !== "paused"))
  const dead = sorted.reduce((sum, { deadLetters }) => sum + deadLetters, 0)
  return (
    <>
      <h1>Services</h1>
      <p class={bad.length === 0 ? "headline good" : "headline bad"}>
        {sorted.length === 0
          ? "No service was found. Name the services in the options of the inspector"
          : bad.length === 0
          ? `All ${sorted.length} services work, and nothing has failed for good`
          : `${bad.length} of ${sorted.length} services ${bad.length === 1 ? "needs" : "need"} a look: ${count(dead)} dead letters`}
      </p>
      {services.failures.map(({ message, service }) => <Problem key={service}>{message}</Problem>)}
      <Card title="All services">
        <Table
          label="Services"
          columns={[
            ["Service"],
            ["State"],
            ["Dead", "number"],
            ["Ended / min", "number"],
            ["Waiting", "number"],
            ["Oldest", "number"],
            ["Running", "number"],
            ["Retrying", "number"],
            ["Scheduled", "number"],
            ["Consumers", "number"]
          ]}
        >
          {sorted.map((service) => <Row service={service} key={service.service} />)}
        </Table>
      </Card>
    </>
  )
}
