/** The lanes of a service: who holds them, who waits and since when, what is paused or halted, and the limits. */
import { useState } from "preact/hooks"
import type { Entries, LaneNames, Lanes, Verb } from "../api.ts"
import { count, duration, full } from "../format.ts"
import { Shown, Table, Text, Time } from "../parts.tsx"
import { Link, serviceUrl, useData, useLive } from "../state.tsx"
import { VerbButton } from "../verbs.tsx"
import { actionUrl, Rows } from "./lists.tsx"

type Lane = Lanes["lanes"][number]
type Name = LaneNames[number]
type Rules = Name["rules"]

/** Text of a pause or a limit: an empty field is not given. */
const numberIn = (form: HTMLFieldSetElement | null, name: string): number | undefined => {
  const text = form?.querySelector<HTMLInputElement | HTMLSelectElement>(`[name=${name}]`)?.value.trim() ?? ""
  return text === "" ? undefined : Number(text)
}

interface Form {
  current: HTMLFieldSetElement | null
}

const units = [["minutes", 60_000], ["seconds", 1_000], ["hours", 3_600_000]] as const

const Unit = () => (
  <label>
    Unit <select name="unit">{units.map(([name, size]) => <option value={size} key={name}>{name}</option>)}</select>
  </label>
)

// -----------------------------------------------------------------------------
// limits
// -----------------------------------------------------------------------------

const nameOf = ({ name, type }: { readonly type: string | null; readonly name: string | null }): string =>
  name ?? type ?? "a lane"

const rateText = (rate: Rules["rate"]): string => rate === null ? "" : `${count(rate.limit)} per ${duration(rate.per)}`

const limitsText = ({ concurrency, rate, total }: Rules): string =>
  [
    `${count(concurrency)} at once`,
    rateText(rate),
    ...(total === null ? [] : [
      total.concurrency === null ? "" : `all keys: ${count(total.concurrency)} at once`,
      total.rate === null ? "" : `all keys: ${rateText(total.rate)}`
    ])
  ].filter((part) => part !== "").join(", ")

const LimitFields = ({ form, rules }: { readonly form: Form; readonly rules: Rules }) => (
  <fieldset
    class="fields even"
    ref={(element) => {
      form.current = element
    }}
  >
    <label>
      At once, for each key{" "}
      <input name="concurrency" type="number" min="1" placeholder={`${rules.concurrency} by the contract`} />
    </label>
    <label>
      At once, all keys together <input name="total" type="number" min="1" placeholder="by the contract" />
    </label>
    <label>
      Starts, for each key <input name="starts" type="number" min="1" placeholder="by the contract" />
    </label>
    <label>
      in how many seconds <input name="seconds" type="number" min="0.001" step="any" placeholder="60" />
    </label>
  </fieldset>
)

const limitVerb = ({ name, type }: Name, form: HTMLFieldSetElement | null): Verb => {
  const [concurrency, total] = [numberIn(form, "concurrency"), numberIn(form, "total")]
  const [starts, seconds] = [numberIn(form, "starts"), numberIn(form, "seconds")]
  return {
    verb: "limitLane",
    lane: name === null ? { type: type ?? "" } : { name },
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(total === undefined ? {} : { totalConcurrency: total }),
    ...(starts === undefined ? {} : { rate: { limit: starts, per: (seconds ?? 60) * 1_000 } })
  }
}

const Names = ({ service }: { readonly service: string }) => {
  const data = useData<LaneNames>(serviceUrl(service, "/lanes/names"))
  if (data.failure === undefined && data.value?.length === 0) return null
  return (
    <Shown data={data}>
      {(names) => (
        <Table
          label="Limits of lanes"
          columns={[["Lanes of"], ["Limits"], ["Held", "number"], ["Waiting", "number"], ["Verbs", "hidden"]]}
        >
          {names.map((lane) => {
            const form: Form = { current: null }
            return (
              <tr key={`${lane.name} ${lane.type}`}>
                <th scope="row"><Text>{nameOf(lane)}</Text></th>
                <td>
                  {limitsText(lane.rules)} {lane.overridden && (
                    <span
                      class="badge note"
                      title={lane.declared === null ? undefined : `The contract says: ${limitsText(lane.declared)}`}
                    >
                      changed
                    </span>
                  )}
                </td>
                <td class="number">{count(lane.held)}</td>
                <td class={lane.waiting === 0 ? "number zero" : "number"}>{count(lane.waiting)}</td>
                <td class="end">
                  <div class="row">
                    <VerbButton
                      service={service}
                      of={nameOf(lane)}
                      verb={() => limitVerb(lane, form.current)}
                      question={`Sets limits for all lanes of ${nameOf(lane)}. Fields that are empty follow the contract.`}
                      fields={<LimitFields form={form} rules={lane.declared ?? lane.rules} />}
                    >
                      Limit
                    </VerbButton>
                  </div>
                </td>
              </tr>
            )
          })}
        </Table>
      )}
    </Shown>
  )
}

// -----------------------------------------------------------------------------
// lanes
// -----------------------------------------------------------------------------

const State = ({ lane: { haltedAt, haltedBy, state, until }, service }: {
  readonly service: string
  readonly lane: Lane
}) =>
  state === "open"
    ? <span class="badge good">open</span>
    : state === "paused"
    ? (
      <span class="badge note" title={until === null ? undefined : full(until)}>
        {"paused, ends "}
        <Time at={until} />
      </span>
    )
    : (
      <span class="row">
        <span class="badge bad">
          {"halted "}
          <Time at={haltedAt} past />
        </span>
        {haltedBy !== null && <Link to={actionUrl(service, haltedBy, "entry")}>by a dead letter</Link>}
      </span>
    )

const PauseFields = ({ form }: { readonly form: Form }) => (
  <fieldset
    class="fields even"
    ref={(element) => {
      form.current = element
    }}
  >
    <label>Ends after <input name="amount" type="number" min="0" step="any" required defaultValue="10" /></label>
    <Unit />
  </fieldset>
)

const LaneVerbs = ({ lane, service }: { readonly service: string; readonly lane: Lane }) => {
  const form: Form = { current: null }
  const of = `the lane ${lane.id} of ${nameOf(lane)}`
  return (
    <div class="row">
      {lane.state !== "open" && (
        <VerbButton
          service={service}
          of={of}
          verb={() => ({ verb: "resumeLane", lane: lane.id })}
          question={`Opens ${of}: what waits in it goes on in its order.`}
        >
          Resume
        </VerbButton>
      )}
      {lane.state !== "halted" && (
        <VerbButton
          service={service}
          of={of}
          verb={() => ({
            verb: "pauseLane",
            lane: lane.id,
            for: (numberIn(form.current, "amount") ?? 0) * (numberIn(form.current, "unit") ?? 1)
          })}
          question={`Lets nothing in from ${of}. What runs goes on.`}
          fields={<PauseFields form={form} />}
        >
          Pause
        </VerbButton>
      )}
    </div>
  )
}

const Holders = ({ lane: { held, holders }, service }: { readonly service: string; readonly lane: Lane }) => (
  <>
    {holders.length === 0 && <span class="quiet">–</span>}
    {holders.slice(0, 2).map(({ entryId, since }) => (
      <div key={entryId}>
        <Link to={actionUrl(service, entryId, "entry")}><span class="code">{entryId}</span></Link>{" "}
        <span class="quiet">
          <Time at={since} past />
        </span>
      </div>
    ))}
    {held > 2 && <span class="quiet">{`and ${count(held - Math.min(2, holders.length))} more`}</span>}
  </>
)

const Row = ({ lane, service, to }: {
  readonly service: string
  readonly lane: Lane
  readonly to: To
}) => (
  <tr>
    <th scope="row"><Text>{nameOf(lane)}</Text></th>
    <td class="code">
      {lane.total ? "all keys" : <span title={`The lane ${lane.id}`}><Text>{lane.key ?? lane.id}</Text></span>}
    </td>
    <td><State lane={lane} service={service} /></td>
    <td class="number">{count(lane.held)}</td>
    <td><Holders lane={lane} service={service} /></td>
    <td class="number">
      {lane.waiting === 0 || lane.total
        ? count(lane.waiting)
        : (
          <Link to={to({ lane: lane.id })} label={`${count(lane.waiting)} wait in the lane ${lane.id}`}>
            {count(lane.waiting)}
          </Link>
        )}
    </td>
    <td><Time at={lane.waitingSince} past /></td>
    <td class="end">{!lane.total && <LaneVerbs lane={lane} service={service} />}</td>
  </tr>
)

/** The URL of the tab with another part of it. */
type To = (
  query: {
    readonly lane?: string | undefined
    readonly cursor?: string | undefined
    readonly stopped?: string | undefined
  }
) => string

const Queue = ({ cursor, lane, service, to }: {
  readonly service: string
  readonly lane: string
  readonly cursor: string | undefined
  readonly to: To
}) => (
  <>
    <p class="row pad bar">
      <span>
        What waits in the lane <span class="code">{lane}</span>, in its order
      </span>
      <Link to={to({})}>All lanes</Link>
    </p>
    <Shown
      data={useData<Entries>(serviceUrl(service, "/lanes/queued"), { lane, limit: 50, cursor })}
      empty={({ entries }) => entries.length === 0 ? "Nothing waits in this lane" : undefined}
    >
      {({ cursor: next, entries }) => (
        <>
          <Rows entries={entries} service={service} state="queued" />
          <div class="row pad">
            {cursor !== undefined && <Link to={to({ lane })}>First page</Link>}
            {next !== null && <Link to={to({ lane, cursor: next })}>Next page</Link>}
          </div>
        </>
      )}
    </Shown>
  </>
)

const All = ({ cursor, service, stopped, to }: {
  readonly service: string
  readonly cursor: string | undefined
  readonly stopped: boolean
  readonly to: To
}) => {
  const { services } = useLive()
  // Not in the URL: keys are part of payloads.
  const [keys, setKeys] = useState(false)
  const data = useData<Lanes>(serviceUrl(service, "/lanes"), {
    cursor,
    stopped: stopped ? "yes" : undefined,
    keys: keys ? "yes" : undefined
  })
  const halted = services?.services.find((found) => found.service === service)?.halted ?? 0
  return (
    <>
      <Names service={service} />
      <div class="row pad bar">
        <Link to={to({})} current={!stopped}>All lanes</Link>
        <Link to={to({ stopped: "yes" })} current={stopped}>
          {halted === 0 ? "Paused or halted" : `Paused or halted (${count(halted)} halted)`}
        </Link>
        <div class="row end">
          {!keys && <button type="button" onClick={() => setKeys(true)}>Show the keys</button>}
        </div>
      </div>
      <Shown
        data={data}
        empty={({ lanes }) =>
          lanes.length > 0
            ? undefined
            : stopped
            ? "No lane is paused or halted"
            : "No action holds a lane or waits in one. A contract gets its lane by Action.lane."}
      >
        {({ cursor: next, lanes }) => (
          <>
            <Table
              label="Lanes"
              columns={[
                ["Lane of"],
                [keys ? "Key" : "Lane"],
                ["State"],
                ["Held", "number"],
                ["Held by, since"],
                ["Waiting", "number"],
                ["First waits since"],
                ["Verbs", "hidden"]
              ]}
            >
              {lanes.map((lane) => <Row lane={lane} service={service} to={to} key={lane.id} />)}
            </Table>
            <div class="row pad">
              {cursor !== undefined && <Link to={to({ stopped: stopped ? "yes" : undefined })}>First page</Link>}
              {next !== null && (
                <Link to={to({ stopped: stopped ? "yes" : undefined, cursor: next })}>Next page</Link>
              )}
            </div>
          </>
        )}
      </Shown>
    </>
  )
}

export const LanesTab = ({ cursor, lane, service, stopped, to }: {
  readonly service: string
  readonly cursor: string | undefined
  readonly lane: string | undefined
  readonly stopped: boolean
  readonly to: To
}) =>
  lane === undefined
    ? <All service={service} cursor={cursor} stopped={stopped} to={to} />
    : <Queue service={service} lane={lane} cursor={cursor} to={to} />
