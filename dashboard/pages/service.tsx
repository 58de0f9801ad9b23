/** One service: its numbers, its charts, and its lists. */
import type { Overview } from "../api.ts"
import { queryOf } from "../api.ts"
import { count, duration, short } from "../format.ts"
import { Ask, Shown, Table, Text } from "../parts.tsx"
import { go, Link, type Place, serviceUrl, useData, useLive } from "../state.tsx"
import { announce } from "../verbs.tsx"
import { Activity } from "./activity.tsx"
import { actionUrl, List, type State, states } from "./lists.tsx"
import { LanesTab } from "./lanes.tsx"
import { Badges } from "./overview.tsx"
import { Pauses } from "./pauses.tsx"
import { ScheduleList } from "./schedules.tsx"

// -----------------------------------------------------------------------------
// consumers
// -----------------------------------------------------------------------------

const Groups = ({ groups }: { readonly groups: Overview["groups"] }) => {
  const others = groups.filter(({ own }) => !own)
  if (others.length === 0) return null
  return (
    <>
      <p class="pad quiet">
        Groups other than that of the workers. They keep entries in the stream, so it grows if nothing reads them.
      </p>
      <Table label="Other groups" columns={[["Group"], ["Consumers", "number"], ["Holds", "number"], ["Behind", "number"]]}>
        {others.map(({ consumers, lag, name, pending }) => (
          <tr key={name}>
            <th scope="row" class="code"><Text>{name}</Text></th>
            <td class="number">{count(consumers)}</td>
            <td class="number">{count(pending)}</td>
            <td class="number">{lag === null ? "–" : count(lag)}</td>
          </tr>
        ))}
      </Table>
    </>
  )
}

const Consumers = ({ overview }: { readonly overview: Overview }) => (
  <>
    {overview.consumers.length === 0
      ? <p class="quiet pad">No worker reads this service</p>
      : (
        <Table label="Consumers" columns={[["Consumer"], ["State"], ["Holds", "number"], ["Silent for", "number"]]}>
          {overview.consumers.map(({ idle, name, pending, stale }) => (
            <tr key={name}>
              <th scope="row" class="code"><Text>{name}</Text></th>
              <td><span class={stale ? "badge bad" : "badge good"}>{stale ? "silent" : "alive"}</span></td>
              <td class="number">{count(pending)}</td>
              <td class="number">{duration(idle)}</td>
            </tr>
          ))}
        </Table>
      )}
    <Groups groups={overview.groups} />
  </>
)

// -----------------------------------------------------------------------------
// the page
// -----------------------------------------------------------------------------

const Numbers = ({ overview }: { readonly overview: Overview }) => {
  const { now } = useLive()
  const since = (time: string | null) => time === null ? "–" : duration(Math.max(0, now - Date.parse(time)))
  const until = (time: string | null) =>
    time === null ? "" : Date.parse(time) <= now ? "due now" : `next in ${duration(Date.parse(time) - now)}`
  const number = (name: string, value: string, note = "", warn = false) => (
    <div class={warn ? "warn" : undefined}>
      <dt>{name}</dt>
      <dd>{value} {note !== "" && <small>{note}</small>}</dd>
    </div>
  )
  return (
    <dl class="numbers">
      {number("Waiting", short(overview.lag ?? overview.length), overview.oldestWaiting === null ? "" : `oldest ${since(overview.oldestWaiting)}`)}
      {number("Running", short(overview.running))}
      {number("Retrying", short(overview.retrying), until(overview.nextRetry))}
      {number("Scheduled", short(overview.scheduled), until(overview.nextScheduled))}
      <div class={overview.deadLetters > 0 ? "warn" : ""}>
        <dt>Dead letters</dt>
        <dd>
          <Link to={serviceUrl(overview.service, "/dead")}>{short(overview.deadLetters)}</Link>{" "}
          {overview.newestDeadLetter !== null && <small>{`newest ${since(overview.newestDeadLetter)} ago`}</small>}
        </dd>
      </div>
    </dl>
  )
}

const tabs = (overview: Overview): ReadonlyArray<readonly [tab: string, count?: number]> => [
  ["waiting", overview.lag ?? overview.length],
  ["running", overview.running],
  ["retrying", overview.retrying],
  ["scheduled", overview.scheduled],
  ["lanes"],
  ["schedules", overview.schedules],
  ["consumers", overview.consumers.length]
]

const Find = ({ service }: { readonly service: string }) => (
  <Ask
    role="search"
    label="Action id or entry id"
    button="Find"
    onAsk={(wanted) => {
      if (wanted === "") return announce("Type an action id or an entry id", true)
      go(actionUrl(service, wanted, /^\d+-\d+$/.test(wanted) ? "entry" : "action"))
    }}
  />
)

export const ServicePage = ({ place: { query }, service }: { readonly service: string; readonly place: Place }) => {
  const data = useData<Overview>(serviceUrl(service))
  const { services } = useLive()
  const tab = query.get("tab") ?? "waiting"
  const minutes = Number(query.get("minutes") ?? 60)
  const type = query.get("type") ?? undefined
  const only = query.get("only") ?? undefined
  const to = (change: Record<string, string | number | undefined>) => {
    const { minutes: range, ...rest } = { tab, minutes, type, ...change }
    return serviceUrl(service, queryOf({ ...rest, minutes: range === 60 ? undefined : range }))
  }
  const glance = services?.services.find((found) => found.service === service)
  const types = glance?.failing.map(({ actionType }) => actionType)
  return (
    <>
      <div class="title">
        <h1>{service}</h1>
        {data.value !== undefined && (
          <>
            <span><Badges service={{ ...data.value, halted: glance?.halted ?? 0 }} but="paused" /></span>
            <Pauses overview={data.value} types={types ?? []} />
          </>
        )}
        <Find service={service} />
      </div>
      <Shown data={data}>
        {(overview) => (
          <>
            <Numbers overview={overview} />
            <Activity service={service} minutes={minutes} chosen={type} to={to} />
            <section class="card" aria-label="Lists">
              <nav class="tabs" aria-label="Lists">
                {tabs(overview).map(([name, size]) => (
                  <Link to={to({ tab: name })} current={name === tab} key={name}>
                    {name}
                    {size !== undefined && <span class="quiet">{` ${short(size)}`}</span>}
                  </Link>
                ))}
              </nav>
              {tab === "schedules"
                ? <ScheduleList service={service} />
                : tab === "lanes"
                ? (
                  <LanesTab
                    service={service}
                    cursor={query.get("cursor") ?? undefined}
                    lane={query.get("lane") ?? undefined}
                    stopped={query.get("stopped") === "yes"}
                    to={to}
                    key={query.toString()}
                  />
                )
                : tab === "consumers"
                ? <Consumers overview={overview} />
                : states.includes(tab)
                ? (
                  <List
                    service={service}
                    state={tab as State}
                    cursor={query.get("cursor") ?? undefined}
                    type={only}
                    to={to}
                    key={`${tab} ${only}`}
                  />
                )
                : <p class="pad quiet">There is no such list</p>}
            </section>
            <p class="quiet foot">
              Stream <span class="code">{overview.stream}</span>, group <span class="code">{overview.group}</span>.{" "}
              <Link to={`/audit?service=${encodeURIComponent(service)}`}>Audit of {service}</Link>
            </p>
          </>
        )}
      </Shown>
    </>
  )
}
