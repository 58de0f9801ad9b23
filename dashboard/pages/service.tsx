/** One service: its numbers, its charts, and its lists. */
import { useState } from "preact/hooks"
import type { Entries, Entry, Overview, Schedules, Statistics, Verb } from "../api.ts"
import { Chart } from "../chart.tsx"
import { brief, count, duration, short } from "../format.ts"
import { announce, Card, Shown, Table, Text, Time, VerbButton } from "../parts.tsx"
import { go, Link, type Place, serviceUrl, useData, useLive } from "../state.tsx"

// -----------------------------------------------------------------------------
// charts
// -----------------------------------------------------------------------------

const outcomes = ["succeeded", "retried", "deadLetters"] as const

const Charts = ({ statistics }: { readonly statistics: Statistics }) => {
  const step = statistics.interval
  const from = Math.floor(Date.parse(statistics.from) / step) * step
  const times: Array<number> = []
  for (let time = from; time < Date.parse(statistics.asOf); time += step) times.push(time)
  const points = new Map(times.map((time) => [time, { succeeded: 0, retried: 0, deadLetters: 0, p50: 0, p99: 0, all: 0 }]))
  for (const type of statistics.types) {
    for (const { latency, outcomes: found, time } of type.points) {
      const point = points.get(Math.floor(Date.parse(time) / step) * step)
      if (point === undefined) continue
      for (const name of outcomes) point[name] += found[name]
      point.all += found.succeeded + found.rejected + found.expired + found.deadLetters
      // The slowest type says how bad it is.
      point.p50 = Math.max(point.p50, latency?.p50 ?? 0)
      point.p99 = Math.max(point.p99, latency?.p99 ?? 0)
    }
  }
  const rows = times.map((time) => points.get(time)!)
  const seconds = times.map((time) => time / 1_000)
  const perMinute = step / 60_000
  const total = (name: "succeeded" | "retried" | "deadLetters" | "all") => rows.reduce((sum, row) => sum + row[name], 0)
  const slowest = Math.max(0, ...rows.map(({ p99 }) => p99))
  const millis = (value: number) => duration(value)
  return (
    <div class="charts">
      <Chart
        title="Throughput, per minute"
        label={`Throughput: ${count(total("all"))} actions ended in this time`}
        times={seconds}
        format={short}
        series={[{ label: "ended", color: "--accent", values: rows.map(({ all }) => all / perMinute) }]}
      />
      <Chart
        title="Latency of handlers"
        label={`Latency: the slowest 99th percentile was ${duration(slowest)}`}
        times={seconds}
        format={millis}
        series={[
          { label: "p50", color: "--accent", values: rows.map(({ p50, all }) => all === 0 ? null : p50) },
          { label: "p99", color: "--warn", values: rows.map(({ p99, all }) => all === 0 ? null : p99) }
        ]}
      />
      <Chart
        title="Outcomes, per minute"
        label={`Outcomes: ${total("succeeded")} succeeded, ${total("retried")} retried, ${total("deadLetters")} dead`}
        times={seconds}
        format={short}
        series={[
          { label: "succeeded", color: "--good", values: rows.map(({ succeeded }) => succeeded / perMinute) },
          { label: "retried", color: "--warn", values: rows.map(({ retried }) => retried / perMinute) },
          { label: "dead", color: "--bad", values: rows.map(({ deadLetters }) => deadLetters / perMinute) }
        ]}
      />
    </div>
  )
}

const Types = ({ statistics }: { readonly statistics: Statistics }) => (
  <Table
    label="Types"
    columns={[["Type"], ["Succeeded", "number"], ["Retried", "number"], ["Dead", "number"], ["p50", "number"], [
      "p99",
      "number"
    ]]}
  >
    {statistics.types.map(({ actionType, total: { latency, outcomes } }) => (
      <tr key={actionType}>
        <th scope="row"><Text>{actionType}</Text></th>
        <td class="number">{count(outcomes.succeeded)}</td>
        <td class={outcomes.retried === 0 ? "number zero" : "number warn"}>{count(outcomes.retried)}</td>
        <td class={outcomes.deadLetters === 0 ? "number zero" : "number bad"}>{count(outcomes.deadLetters)}</td>
        <td class="number">{latency === null ? "–" : duration(latency.p50)}</td>
        <td class="number">{latency === null ? "–" : duration(latency.p99)}</td>
      </tr>
    ))}
  </Table>
)

const ranges = [[60, "1 h"], [180, "3 h"], [1_440, "24 h"], [2_880, "48 h"]] as const

const Activity = ({ minutes, service, tab }: {
  readonly service: string
  readonly minutes: number
  readonly tab: string
}) => {
  const data = useData<Statistics>(serviceUrl(service, "/statistics"), { minutes })
  return (
    <Card
      title="Activity"
      actions={
        <nav class="segments" aria-label="Range">
          {ranges.map(([value, name]) => (
            <Link to={serviceUrl(service, `?tab=${tab}&minutes=${value}`)} current={value === minutes} key={value}>
              {name}
            </Link>
          ))}
        </nav>
      }
    >
      <Shown data={data}>
        {(statistics) =>
          statistics.types.length === 0
            ? (
              <>
                <p class="quiet pad">
                  Redis has no statistics of this time. The charts show the numbers since you opened the page.
                </p>
                <SinceOpened service={service} />
              </>
            )
            : (
              <>
                <Charts statistics={statistics} />
                <Types statistics={statistics} />
              </>
            )}
      </Shown>
    </Card>
  )
}

/** The numbers since the page was opened, for what the server keeps no record of. */
const SinceOpened = ({ service }: { readonly service: string }) => {
  const samples = useLive().history.get(service) ?? []
  const times = samples.map(({ time }) => time / 1_000)
  const last = samples.at(-1)
  if (last === undefined || samples.length < 2) return null
  return (
    <div class="charts">
      <Chart
        title="Waiting"
        label={`Waiting: ${count(last.waiting)} now`}
        times={times}
        format={short}
        series={[{ label: "waiting", color: "--accent", values: samples.map(({ waiting }) => waiting) }]}
      />
      <Chart
        title="In flight"
        label={`In flight: ${count(last.running)} run and ${count(last.retrying)} wait for a retry now`}
        times={times}
        format={short}
        series={[
          { label: "running", color: "--good", values: samples.map(({ running }) => running) },
          { label: "retrying", color: "--warn", values: samples.map(({ retrying }) => retrying) }
        ]}
      />
      <Chart
        title="Dead letters"
        label={`Dead letters: ${count(last.dead)} now`}
        times={times}
        format={short}
        series={[{ label: "dead", color: "--bad", values: samples.map(({ dead }) => dead) }]}
      />
    </div>
  )
}

// -----------------------------------------------------------------------------
// lists
// -----------------------------------------------------------------------------

export const actionUrl = (service: string, { id, state }: { readonly id: string; readonly state: string }): string =>
  serviceUrl(service, `/actions/${encodeURIComponent(id)}${state === "scheduled" || state === "queued" ? "?by=action" : ""}`)

export const StateVerbs = ({ done, entry: { id, state }, service }: {
  readonly service: string
  readonly entry: Entry
  readonly done?: () => void
}) => {
  if (state === "running" || state === "dead") return null
  const verb = (verb: Verb) => () => verb
  return (
    <div class="row">
      {state !== "waiting" && state !== "queued" && (
        <VerbButton service={service} verb={verb({ verb: "retryNow", id, state })} {...(done && { done })}>Run now</VerbButton>
      )}
      <VerbButton
        service={service}
        verb={verb({ verb: "bury", id, state })}
        question="It becomes a dead letter, from where it can be replayed."
        {...(done && { done })}
      >
        Bury
      </VerbButton>
      <VerbButton
        danger
        service={service}
        verb={verb({ verb: "cancel", id, state })}
        question="It is removed and leaves no record. A caller that waits for its answer gets none."
        {...(done && { done })}
      >
        Cancel
      </VerbButton>
    </div>
  )
}

const List = ({ cursor, service, state }: {
  readonly service: string
  readonly state: string
  readonly cursor: string | undefined
}) => {
  const data = useData<Entries>(serviceUrl(service, `/actions/${state}`), { limit: 50, cursor })
  return (
    <Shown data={data} empty={({ entries }) => entries.length === 0 ? `Nothing is ${state}` : undefined}>
      {({ cursor: next, entries }) => (
        <>
          <Table
            label={`Actions that are ${state}`}
            columns={[["Type"], ["Action"], ["Added"], ["Due"], ["Attempts", "number"], ["Why"], ["Verbs", "hidden"]]}
          >
            {entries.map((entry) => (
              <tr key={entry.id}>
                <th scope="row"><Text>{entry.actionType}</Text></th>
                <td class="code">
                  <Link to={actionUrl(service, entry)}><span title={entry.actionId ?? entry.id}>{brief(entry.actionId ?? entry.id)}</span></Link>
                </td>
                <td><Time at={entry.addedAt} past /></td>
                <td><Time at={entry.dueAt} /></td>
                <td class="number">{entry.attempts ?? "–"}</td>
                <td>
                  {entry.lastError === null
                    ? <Text>{entry.consumer}</Text>
                    : <Text>{`${entry.lastError.type}: ${entry.lastError.message}`}</Text>}
                </td>
                <td><StateVerbs service={service} entry={entry} /></td>
              </tr>
            ))}
          </Table>
          <div class="row pad">
            {cursor !== undefined && <Link to={serviceUrl(service, `?tab=${state}`)}>First page</Link>}
            {next !== null && (
              <Link to={serviceUrl(service, `?tab=${state}&cursor=${encodeURIComponent(next)}`)}>Next page</Link>
            )}
          </div>
        </>
      )}
    </Shown>
  )
}

const ScheduleList = ({ service }: { readonly service: string }) => (
  <Shown
    data={useData<Schedules>(serviceUrl(service, "/schedules"))}
    empty={(found) => found.length === 0 ? "This service has no schedules" : undefined}
  >
    {(schedules) => (
      <Table
        label="Schedules"
        columns={[["Schedule"], ["Type"], ["Recurs"], ["Next"], ["Last"], ["Sent", "number"], ["Verbs", "hidden"]]}
      >
        {schedules.map((schedule) => (
          <tr key={schedule.name}>
            <th scope="row"><Text>{schedule.name}</Text></th>
            <td><Text>{schedule.actionType}</Text></td>
            <td><Text>{schedule.recurrence}</Text></td>
            <td>{schedule.paused === null ? <Time at={schedule.next} /> : <span class="badge note">paused</span>}</td>
            <td><Time at={schedule.last} past /></td>
            <td class="number">{count(schedule.fired)}</td>
            <td>
              <VerbButton
                service={service}
                verb={() => ({ verb: "trigger", schedule: schedule.name })}
                question={`Sends the action of ${schedule.name} now, besides its slots.`}
              >
                Send now
              </VerbButton>
            </td>
          </tr>
        ))}
      </Table>
    )}
  </Shown>
)

const Consumers = ({ overview }: { readonly overview: Overview }) => (
  overview.consumers.length === 0
    ? <p class="quiet pad">No worker reads this service</p>
    : (
      <Table label="Consumers" columns={[["Consumer"], ["State"], ["Holds", "number"], ["Silent for", "number"]]}>
        {overview.consumers.map(({ idle, name, pending, stale }) => (
          <tr key={name}>
            <th scope="row" class="code"><Text>{name}</Text></th>
            <td><span class={stale ? "badge bad" : "badge good"}>{stale ? "silent" : "alive"}</span></td>
            <td class="number">{pending}</td>
            <td class="number">{duration(idle)}</td>
          </tr>
        ))}
      </Table>
    )
)

// -----------------------------------------------------------------------------
// the page
// -----------------------------------------------------------------------------

const Pauses = ({ overview: { pauses, service } }: { readonly overview: Overview }) => (
  <div class="row">
    {pauses.map(({ actionType, reason, until }) => (
      <span class="badge note" key={actionType}>
        {`${actionType ?? "service"} paused${reason === "" ? "" : `: ${reason}`}`}
        {until !== null && <>{" ends "}<Time at={until} /></>}
        <VerbButton
          service={service}
          verb={() => actionType === null ? { verb: "resume" } : { verb: "resume", actionType }}
        >
          Resume
        </VerbButton>
      </span>
    ))}
    {!pauses.some(({ actionType }) => actionType === null) && (
      <VerbButton
        service={service}
        verb={() => ({ verb: "pause", reason: "dashboard" })}
        question={`All workers of ${service} take nothing more until you resume it. What runs now ends.`}
      >
        Pause
      </VerbButton>
    )}
  </div>
)

const tabs = (overview: Overview): ReadonlyArray<readonly [tab: string, count: number]> => [
  ["waiting", overview.lag ?? overview.length],
  ["running", overview.running],
  ["retrying", overview.retrying],
  ["scheduled", overview.scheduled],
  ["schedules", overview.schedules],
  ["consumers", overview.consumers.length]
]

const Find = ({ service }: { readonly service: string }) => {
  const [id, setId] = useState("")
  return (
    <form
      class="row"
      onSubmit={(event) => {
        event.preventDefault()
        const wanted = id.trim()
        if (wanted === "") return announce("Type an action id or an entry id", true)
        const by = /^\d+-\d+$/.test(wanted) ? "entry" : "action"
        go(serviceUrl(service, `/actions/${encodeURIComponent(wanted)}?by=${by}`))
      }}
    >
      <input
        aria-label="Action id or entry id"
        placeholder="Action id or entry id"
        value={id}
        onInput={(event) => setId(event.currentTarget.value)}
      />
      <button type="submit">Find</button>
    </form>
  )
}

export const ServicePage = ({ place: { query }, service }: { readonly service: string; readonly place: Place }) => {
  const data = useData<Overview>(serviceUrl(service))
  const { now } = useLive()
  const tab = query.get("tab") ?? "waiting"
  const minutes = Number(query.get("minutes") ?? 60)
  return (
    <>
      <div class="title">
        <h1>{service}</h1>
        {data.value !== undefined && <Pauses overview={data.value} />}
        <Find service={service} />
      </div>
      <Shown data={data}>
        {(overview) => (
          <>
            <dl class="numbers">
              <div><dt>Waiting</dt><dd>{short(overview.lag ?? overview.length)}</dd></div>
              <div>
                <dt>Oldest</dt>
                <dd>
                  {overview.oldestWaiting === null ? "–" : duration(Math.max(0, now - Date.parse(overview.oldestWaiting)))}
                </dd>
              </div>
              <div><dt>Running</dt><dd>{short(overview.running)}</dd></div>
              <div><dt>Retrying</dt><dd>{short(overview.retrying)}</dd></div>
              <div><dt>Scheduled</dt><dd>{short(overview.scheduled)}</dd></div>
              <div class={overview.deadLetters > 0 ? "warn" : ""}>
                <dt>Dead letters</dt>
                <dd><Link to={serviceUrl(service, "/dead")}>{short(overview.deadLetters)}</Link></dd>
              </div>
            </dl>
            <Activity service={service} minutes={minutes} tab={tab} />
            <section class="card" aria-label="Lists">
              <nav class="tabs" aria-label="Lists">
                {tabs(overview).map(([name, size]) => (
                  <Link to={serviceUrl(service, `?tab=${name}&minutes=${minutes}`)} current={name === tab} key={name}>
                    {name} <span class="quiet">{short(size)}</span>
                  </Link>
                ))}
              </nav>
              {tab === "schedules"
                ? <ScheduleList service={service} />
                : tab === "consumers"
                ? <Consumers overview={overview} />
                : <List service={service} state={tab} cursor={query.get("cursor") ?? undefined} key={tab} />}
            </section>
          </>
        )}
      </Shown>
    </>
  )
}
