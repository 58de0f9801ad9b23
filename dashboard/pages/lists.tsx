/** The actions of a service in one state, and what can be done to them. */
import { useState } from "preact/hooks"
import * as api from "../api.ts"
import type { Entries, Entry, Matching, Verb } from "../api.ts"
import { brief, count, duration, plural } from "../format.ts"
import { Ask, Problem, Shown, Table, Text, Time } from "../parts.tsx"
import type { Column } from "../parts.tsx"
import { go, Link, serviceUrl, useData, useLive } from "../state.tsx"
import { open, Steps, VerbButton } from "../verbs.tsx"

export type State = "waiting" | "running" | "retrying" | "scheduled" | "queued"
export const states: ReadonlyArray<string> = ["waiting", "running", "retrying", "scheduled", "queued"]

/** The id is in the query, where it may have any characters. */
export const actionUrl = (service: string, id: string, by: "entry" | "action"): string =>
  serviceUrl(service, `/action${api.queryOf({ by, id })}`)

const urlOf = (service: string, { id, state }: Entry): string =>
  actionUrl(service, id, state === "scheduled" || state === "queued" ? "action" : "entry")

// -----------------------------------------------------------------------------
// verbs
// -----------------------------------------------------------------------------

export const nameOf = ({ actionId, actionType, id }: Entry): string =>
  `${actionType ?? "an entry"} ${brief(actionId ?? id)}`

export const StateVerbs = ({ done, entry, service }: {
  readonly service: string
  readonly entry: Entry
  readonly done?: () => void
}) => {
  const { id, state } = entry
  if (state === "running" || state === "dead") return null
  const verb = (verb: Verb) => () => verb
  const shared = { service, of: nameOf(entry), ...(done === undefined ? {} : { done }) }
  return (
    <div class="row">
      {state !== "waiting" && state !== "queued" && (
        <VerbButton
          {...shared}
          verb={verb({ verb: "retryNow", id, state })}
          question={`Makes ${nameOf(entry)} due now, before its time.`}
        >
          Run now
        </VerbButton>
      )}
      <VerbButton
        {...shared}
        verb={verb({ verb: "bury", id, state })}
        question={`Makes ${nameOf(entry)} a dead letter, from where it can be replayed.`}
      >
        Bury
      </VerbButton>
      <VerbButton
        {...shared}
        danger
        verb={verb({ verb: "cancel", id, state })}
        question={`Removes ${nameOf(entry)}. It leaves no record, and a caller that waits for its answer gets none.`}
      >
        Cancel
      </VerbButton>
    </div>
  )
}

/** Cancels all that are in the list now, in steps. */
const CancelAll = ({ actionType, service, state }: {
  readonly service: string
  readonly state: Exclude<State, "running">
  readonly actionType: string | undefined
}) => {
  const { refresh, session } = useLive()
  const [failure, setFailure] = useState<string>()
  if (session === undefined || session.readOnly) return null
  const of = actionType === undefined ? {} : { actionType }
  const ask = () => {
    setFailure(undefined)
    api.get<Matching>(serviceUrl(service, `/actions/${state}/count`), of).then(({ matched }) =>
      open(
        <Steps
          name="Cancel all"
          danger
          refresh={refresh}
          ready={matched > 0}
          question={`Removes ${plural(matched, "action")}${
            actionType === undefined ? "" : ` of the type ${actionType}`
          } of ${service} that ${matched === 1 ? "is" : "are"} ${state}, and those that come meanwhile. They leave no record, and callers that wait for an answer get none.`}
          step={() => api.verb(service, { verb: "purge", state, limit: 1_000, ...of })}
        />
      ), (error: Error) => setFailure(error.message))
  }
  return (
    <>
      <button type="button" class="danger" onClick={ask}>Cancel all…</button>
      {failure !== undefined && <Problem>{failure}</Problem>}
    </>
  )
}

// -----------------------------------------------------------------------------
// the list
// -----------------------------------------------------------------------------

const columnsOf = (state: State): ReadonlyArray<Column> => [
  ["Type"],
  ["Action"],
  ...(state === "scheduled"
    ? [["Due"], ["Expires"]] as const
    : state === "queued"
    ? [["Waits since"], ["Expires"]] as const
    : [["Added"]] as const),
  ...(state === "running" ? [["Held by"], ["Renewed", "number"]] as const : []),
  ...(state === "retrying" ? [["Due"]] as const : []),
  ...(state === "running" || state === "retrying" ? [["Attempts", "number"]] as const : []),
  ...(state === "retrying" ? [["Last failure"]] as const : []),
  ...(state === "running" ? [] : [["Verbs", "hidden"]] as const)
]

const whyOf = ({ lastError, unknownSince }: Entry): string | null =>
  lastError !== null
    ? `${lastError.type}: ${lastError.message}`
    : unknownSince === null
    ? null
    : "No worker knows its type"

export const Rows = ({ entries, service, state }: {
  readonly entries: Entries["entries"]
  readonly service: string
  readonly state: State
}) => (
  <Table label={`Actions that are ${state}`} columns={columnsOf(state)}>
    {entries.map((entry) => <Row entry={entry} service={service} state={state} key={entry.id} />)}
  </Table>
)

const Row = ({ entry, service, state }: {
  readonly entry: Entry
  readonly service: string
  readonly state: State
}) => (
  <tr>
    <th scope="row"><Text>{entry.actionType}</Text></th>
    <td class="code">
      <Link to={urlOf(service, entry)}>
        <span class="text" title={entry.actionId ?? entry.id}>{brief(entry.actionId ?? entry.id)}</span>
      </Link>
    </td>
    {state === "scheduled"
      ? <><td><Time at={entry.dueAt} /></td><td><Time at={entry.expiresAt} /></td></>
      : state === "queued"
      ? <><td><Time at={entry.addedAt} past /></td><td><Time at={entry.expiresAt} /></td></>
      : <td><Time at={entry.addedAt} past /></td>}
    {state === "running" && (
      <>
        <td class="code"><Text>{entry.consumer}</Text></td>
        <td class="number">{entry.idle === null ? "–" : `${duration(entry.idle)} ago`}</td>
      </>
    )}
    {state === "retrying" && <td><Time at={entry.dueAt} /></td>}
    {(state === "running" || state === "retrying") && <td class="number">{count(entry.attempts ?? 0)}</td>}
    {state === "retrying" && <td class="wide"><Text>{whyOf(entry)}</Text></td>}
    {state !== "running" && <td class="end"><StateVerbs service={service} entry={entry} /></td>}
  </tr>
)

export const List = ({ cursor, service, state, to, type }: {
  readonly service: string
  readonly state: State
  readonly cursor: string | undefined
  readonly type: string | undefined
  /** The URL of this list with another page or type. */
  readonly to: (query: { readonly cursor?: string | undefined; readonly only?: string | undefined }) => string
}) => {
  const data = useData<Entries>(serviceUrl(service, `/actions/${state}`), { limit: 50, cursor, actionType: type })
  const some = data.value !== undefined && (data.value.entries.length > 0 || data.value.cursor !== null)
  return (
    <>
      <div class="row pad bar">
        <Ask
          label="Only this type"
          button="Filter"
          start={type ?? ""}
          onAsk={(wanted) => go(to({ only: wanted === "" ? undefined : wanted }))}
        />
        {type !== undefined && <Link to={to({ only: undefined })}>All types</Link>}
        {state !== "running" && some && (
          <div class="row end"><CancelAll service={service} state={state} actionType={type} /></div>
        )}
      </div>
      <Shown
        data={data}
        empty={({ cursor: next, entries }) =>
          entries.length === 0 && next === null
            ? `Nothing is ${state}${type === undefined ? "" : ` of the type ${type}`}`
            : undefined}
      >
        {({ cursor: next, entries }) => (
          <>
            {entries.length === 0 && <p class="pad quiet">None was found so far. The next page looks further.</p>}
            <Rows entries={entries} service={service} state={state} />
            <div class="row pad">
              {cursor !== undefined && <Link to={to({ only: type })}>First page</Link>}
              {next !== null && <Link to={to({ only: type, cursor: next })}>Next page</Link>}
            </div>
          </>
        )}
      </Shown>
    </>
  )
}
