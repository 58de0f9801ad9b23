/** All services at a glance: what needs a person comes first. */
import type { Glance, Overview } from "../api.ts"
import { Spark } from "../chart.tsx"
import { count, duration, plural, short } from "../format.ts"
import { Card, Problem, Table } from "../parts.tsx"
import { Link, serviceUrl, useLive } from "../state.tsx"

export type Worry = "no worker" | "halted lane" | "silent worker" | "dead letters" | "paused"

/** Workers of a paused service read nothing, so none may be seen. */
const isPaused = ({ pauses }: Overview): boolean => pauses.some(({ actionType }) => actionType === null)

/** Why a service needs a look, worst first. */
export const worries = (service: Overview & { readonly halted?: number }): ReadonlyArray<Worry> => [
  ...(service.consumers.length === 0 && (service.lag ?? service.length) > 0 && !isPaused(service)
    ? ["no worker"] as const
    : []),
  ...(service.consumers.some(({ stale, pending }) => stale && pending > 0) ? ["silent worker"] as const : []),
  ...((service.halted ?? 0) > 0 ? ["halted lane"] as const : []),
  ...(service.deadLetters > 0 ? ["dead letters"] as const : []),
  ...(service.pauses.length > 0 ? ["paused"] as const : [])
]

const colors = { "no worker": "bad", "silent worker": "bad", "halted lane": "bad", "dead letters": "warn", paused: "note" } as const

const weights = { "no worker": 16, "silent worker": 8, "halted lane": 4, "dead letters": 2, paused: 1 } as const

const weight = (service: Glance): number => worries(service).reduce((sum, worry) => sum + weights[worry], 0)

export const Badges = ({ but, service }: {
  readonly service: Overview & { readonly halted?: number }
  readonly but?: Worry
}) => {
  const all = worries(service)
  const found = all.filter((worry) => worry !== but)
  return (
    <>
      {all.length === 0
        ? <span class="badge good">ok</span>
        : found.map((worry) => <span class={`badge ${colors[worry]}`} key={worry}>{worry}</span>)}
    </>
  )
}

const Amount = ({ label, of, to, warn }: {
  readonly of: number
  readonly to: string
  readonly label: string
  readonly warn?: boolean
}) => (
  <td class={`number ${of === 0 ? "zero" : warn === true ? "warn" : ""}`}>
    {of === 0 ? "0" : <Link to={to} label={`${count(of)} ${label}`}>{short(of)}</Link>}
  </td>
)

const Failing = ({ failing }: { readonly failing: Glance["failing"] }) => {
  const [worst] = failing
  if (worst === undefined) return <span class="quiet">–</span>
  const all = failing.map(({ actionType, deadLetters, retried }) =>
    `${actionType}: ${plural(deadLetters, "dead letter")}, ${plural(retried, "retry", "retries")} in the last hour`
  ).join("\n")
  return (
    <span title={all}>
      <span class="text">{worst.actionType}</span>
      {failing.length > 1 && <span class="quiet">{` +${failing.length - 1}`}</span>}
    </span>
  )
}

const Row = ({ service, now }: { readonly service: Glance; readonly now: number }) => {
  const { rates, service: name, trend } = service
  const to = (tab: string) => serviceUrl(name, `?tab=${tab}`)
  const sum = (of: ReadonlyArray<number>) => of.reduce((a, b) => a + b, 0)
  return (
    <tr>
      <th scope="row"><Link to={serviceUrl(name)}>{name}</Link></th>
      <Amount of={service.deadLetters} to={serviceUrl(name, "/dead")} label={service.deadLetters === 1 ? "dead letter" : "dead letters"} warn />
      <td><Badges service={service} /></td>
      <td>
        {trend === null
          ? <span class="quiet">–</span>
          : (
            <Spark
              ended={trend.ended}
              failed={trend.failed}
              label={`${count(sum(trend.ended))} ended in the last hour, ${count(sum(trend.failed))} of them dead`}
            />
          )}
      </td>
      <td class="number">{rates === null ? <span class="quiet">–</span> : short(rates.ended)}</td>
      <td><Failing failing={service.failing} /></td>
      <Amount of={service.lag ?? service.length} to={to("waiting")} label="waiting" />
      <td class="number">
        {service.oldestWaiting === null
          ? <span class="quiet">–</span>
          : duration(Math.max(0, now - Date.parse(service.oldestWaiting)))}
      </td>
      <Amount of={service.running} to={to("running")} label="running" />
      <Amount of={service.retrying} to={to("retrying")} label="retrying" />
      <Amount of={service.scheduled} to={to("scheduled")} label="scheduled" />
      <Amount of={service.consumers.length} to={to("consumers")} label="consumers" />
    </tr>
  )
}

const headline = (services: ReadonlyArray<Glance>): { readonly text: string; readonly bad: boolean } => {
  if (services.length === 0) return { text: "No service was found. Name yours in the options of the inspector", bad: true }
  const bad = services.filter((service) => worries(service).some((worry) => worry !== "paused"))
  if (bad.length === 0) {
    return { text: `${services.length === 1 ? "The service works" : `All ${services.length} services work`}, and nothing failed for good`, bad: false }
  }
  const dead = services.reduce((sum, { deadLetters }) => sum + deadLetters, 0)
  const without = bad.filter((service) => worries(service).includes("no worker")).map(({ service }) => service)
  const silent = bad.filter((service) => worries(service).includes("silent worker")).map(({ service }) => service)
  const halted = bad.filter((service) => service.halted > 0).map(({ service }) => service)
  const reasons = [
    ...(without.length > 0 ? [`no worker for ${without.join(", ")}`] : []),
    ...(silent.length > 0 ? [`a silent worker in ${silent.join(", ")}`] : []),
    ...(halted.length > 0 ? [`a halted lane in ${halted.join(", ")}`] : []),
    ...(dead > 0 ? [plural(dead, "dead letter")] : [])
  ]
  return {
    text: `${bad.length} of ${plural(services.length, "service")} ${bad.length === 1 ? "needs" : "need"} a look: ${reasons.join("; ")}`,
    bad: true
  }
}

export const OverviewPage = () => {
  const { now, services } = useLive()
  if (services === undefined) return <p class="quiet pad" aria-busy="true">Loading…</p>
  const sorted = [...services.services].sort((a, b) => weight(b) - weight(a) || a.service.localeCompare(b.service))
  const { bad, text } = headline(sorted)
  return (
    <>
      <h1>Services</h1>
      <p class={bad ? "headline bad" : "headline good"}>{text}</p>
      {services.failures.map(({ message, service }) => <Problem key={service}>{message}</Problem>)}
      {sorted.length > 0 && (
        <Card title="All services">
          <Table
            label="Services"
            columns={[
              ["Service"],
              ["Dead", "number"],
              ["State"],
              ["Last hour"],
              ["Ended / min", "number"],
              ["Failing"],
              ["Waiting", "number"],
              ["Oldest", "number"],
              ["Running", "number"],
              ["Retrying", "number"],
              ["Scheduled", "number"],
              ["Consumers", "number"]
            ]}
          >
            {sorted.map((service) => <Row service={service} now={now} key={service.service} />)}
          </Table>
        </Card>
      )}
    </>
  )
}
