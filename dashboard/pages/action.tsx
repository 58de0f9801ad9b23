/** One action: where it is, how it came there, and its payload if it is asked for. */
import { useEffect, useState } from "preact/hooks"
import type { Entry, Found } from "../api.ts"
import { bytes, count, duration, full, pretty, reasons, times } from "../format.ts"
import { Card, Shown, Text, Time } from "../parts.tsx"
import { Link, type Place, serviceUrl, useData, useLive } from "../state.tsx"
import { VerbButton } from "../verbs.tsx"
import { nameOf, StateVerbs } from "./lists.tsx"

/** What the user asked to see of the payload: all of it, or only whether it fits the contract. */
type Asked = "yes" | "check" | undefined

type Step = readonly [what: string, at: string | null, detail?: string]

/** What is known of its way. Redis keeps no record of single attempts, so their number stands for them. */
const wayOf = (entry: Entry): ReadonlyArray<Step> => {
  const { letter } = entry
  const steps: Array<Step> = []
  const addedAt = entry.addedAt ?? (letter?.entryId == null ? null : new Date(Number(letter.entryId.split("-")[0])).toISOString())
  if (addedAt !== null) steps.push([entry.state === "queued" ? "Waits in its lane" : "Added to the stream", addedAt])
  const attempts = letter?.attempts ?? entry.attempts ?? 0
  const deliveries = letter?.deliveries ?? entry.deliveries ?? 0
  if (deliveries > 0) steps.push([`Delivered ${times(deliveries)}`, null, `Its handler failed ${times(attempts)}`])
  if (entry.lastError !== null) steps.push(["Last failure", null, `${entry.lastError.type}: ${entry.lastError.message}`])
  if (entry.state === "running") steps.push(["Runs", null, `held by ${entry.consumer}, renewed ${duration(entry.idle ?? 0)} ago`])
  if (entry.state === "retrying") steps.push(["Next attempt", entry.dueAt])
  if (entry.state === "scheduled") steps.push(["Due", entry.dueAt])
  if (entry.expiresAt !== null) steps.push(["Expires", entry.expiresAt])
  if (letter !== null) {
    steps.push([
      `Given up: ${reasons[letter.reason] ?? letter.reason}`,
      letter.time,
      `${letter.errorType ?? ""}${letter.errorCode === null ? "" : ` (${letter.errorCode})`}: ${letter.message}`
    ])
  }
  return steps
}

const Verdict = ({ verdict }: { readonly verdict: Entry["verdict"] }) =>
  verdict === null
    ? <p class="pad quiet">No contract of the dashboard has this type, so there is no verdict.</p>
    : (
      <p class="pad">
        <span class={verdict.fits ? "badge good" : "badge bad"}>
          {verdict.fits ? "fits the contract" : "does not fit the contract"}
        </span>{" "}
        {verdict.issue}
      </p>
    )

const Shape = ({ checked, entry: { payload, verdict } }: { readonly entry: Entry; readonly checked: boolean }) => (
  <>
    <Verdict verdict={verdict} />
    {payload === null
      ? !checked && <p class="pad quiet">There is no payload</p>
      : (
        <>
          {payload.withheld === null
            ? <pre tabIndex={0}>{pretty(payload.text)}</pre>
            : <p class="pad">{`Not shown: ${payload.withheld}`}</p>}
          {(payload.truncated || payload.redacted) && (
            <p class="pad quiet">
              {payload.truncated ? "Only its beginning. " : ""}
              {payload.redacted ? "Some fields are hidden." : ""}
            </p>
          )}
        </>
      )}
  </>
)

const LetterVerbs = ({ done, entry, service }: {
  readonly service: string
  readonly entry: Entry
  readonly done: () => void
}) => (
  <>
    <VerbButton
      danger
      service={service}
      verb={() => ({ verb: "discard", ids: [entry.id] })}
      question={`Removes the letter of ${nameOf(entry)} for good.`}
      done={done}
    >
      Discard
    </VerbButton>
    <VerbButton
      service={service}
      verb={() => ({ verb: "replay", ids: [entry.id] })}
      question={`Sends ${nameOf(entry)} again, and removes the letter.`}
      done={done}
    >
      Replay
    </VerbButton>
  </>
)

const Trace = ({ id }: { readonly id: string | null }) => {
  const { session } = useLive()
  const url = session?.traceUrl
  return id === null || url === null || url === undefined
    ? <Text>{id}</Text>
    : <a href={url.replaceAll("{traceId}", encodeURIComponent(id))} target="_blank" rel="noreferrer">{id}</a>
}

const Facts = ({ entry }: { readonly entry: Entry }) => (
  <dl class="facts">
    <dt>State</dt>
    <dd><span class={entry.state === "dead" ? "badge bad" : "badge"}>{entry.state}</span></dd>
    <dt>Action</dt>
    <dd class="code"><Text>{entry.actionId}</Text></dd>
    {entry.state !== "scheduled" && (
      <>
        <dt>Entry</dt>
        <dd class="code">{entry.letter?.entryId ?? entry.id}</dd>
      </>
    )}
    {entry.letter !== null && (
      <>
        <dt>Letter</dt>
        <dd class="code">{entry.letter.id}</dd>
      </>
    )}
    <dt>Correlation</dt>
    <dd class="code"><Text>{entry.correlationId}</Text></dd>
    <dt>Trace</dt>
    <dd class="code"><Trace id={entry.traceId} /></dd>
    <dt>Size</dt>
    <dd>{bytes(entry.size)}</dd>
    {entry.letter !== null && entry.letter.hops > 0 && <><dt>Replayed</dt><dd>{times(entry.letter.hops)}</dd></>}
  </dl>
)

const Details = ({ again, asked, entry, service, set }: {
  readonly service: string
  readonly entry: Entry
  readonly asked: Asked
  readonly set: (asked: Asked) => void
  readonly again: () => void
}) => (
  <>
    <Card
      title={entry.actionType ?? "Not an action"}
      actions={entry.letter === null
        ? <StateVerbs service={service} entry={entry} done={again} />
        : <LetterVerbs service={service} entry={entry} done={again} />}
    >
      <ol class="way">
        {wayOf(entry).map(([what, at, detail]) => (
          <li key={what}>
            <strong>{what}</strong> {at !== null && <><Time at={at} /> <span class="quiet">{full(at)}</span></>}
            {detail !== undefined && <div class="detail">{detail}</div>}
          </li>
        ))}
      </ol>
      <Facts entry={entry} />
    </Card>
    <Card
      title="Payload"
      actions={
        <>
          {asked !== "check" && <button type="button" onClick={() => set("check")}>Dry run</button>}
          {asked !== "yes" && <button type="button" onClick={() => set("yes")}>Show the payload</button>}
        </>
      }
    >
      {asked === undefined
        ? <p class="pad quiet">Hidden until you ask for it. A dry run checks it against the contract and shows nothing of it.</p>
        : <Shape entry={entry} checked={asked === "check"} />}
    </Card>
  </>
)

/** Looks at this many entries are cheap enough for each update. */
const cheap = 400

export const ActionPage = ({ place: { query }, service }: {
  readonly service: string
  readonly place: Place
}) => {
  const id = query.get("id") ?? ""
  const by = query.get("by") ?? (/^\d+-\d+$/.test(id) ? "entry" : "action")
  // Not in the URL: who opens a link somebody sent asks for the payload too.
  const [asked, setAsked] = useState<Asked>()
  const [round, setRound] = useState(0)
  const [follow, setFollow] = useState(false)
  const data = useData<Found>(serviceUrl(service, "/action"), { id, by, payload: asked }, follow, round)
  const looked = data.value?.looked
  useEffect(() => setFollow(looked !== undefined && looked <= cheap), [looked])
  return (
    <>
      <div class="title">
        <h1><Link to={serviceUrl(service)}>{service}</Link>: action</h1>
        {data.value?.entry?.state === "dead" && (
          <Link to={serviceUrl(service, "/dead")}>All dead letters</Link>
        )}
      </div>
      <Shown
        data={data}
        empty={({ complete, entry, looked }) =>
          entry !== null
            ? undefined
            : complete
            ? `There is no action ${id}. It ended, or it never existed: there is no record of actions that ended.`
            : `${count(looked)} entries were looked at, and none is ${id}. Older ones were not looked at.`}
      >
        {({ entry }) =>
          entry !== null && (
            <Details
              service={service}
              entry={entry}
              asked={asked}
              set={setAsked}
              again={() => setRound(round + 1)}
            />
          )}
      </Shown>
    </>
  )
}
