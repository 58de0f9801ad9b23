/** One action: where it is, how it came there, and its payload if it is asked for. */
import { useState } from "preact/hooks"
import type { Entry, Found } from "../api.ts"
import { bytes, count, duration, full, reasons } from "../format.ts"
import { Card, Shown, Text, Time, VerbButton } from "../parts.tsx"
import { Link, type Place, serviceUrl, useData } from "../state.tsx"
import { StateVerbs } from "./service.tsx"

type Step = readonly [what: string, at: string | null, detail?: string]

const times = (number: number): string => number === 1 ? "once" : `${count(number)} times`

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

const Shape = ({ entry }: { readonly entry: Entry }) => {
  const { payload, verdict } = entry
  if (payload === null) return <p class="pad quiet">There is no payload</p>
  return (
    <>
      {verdict !== null && (
        <p class="pad">
          <span class={verdict.fits ? "badge good" : "badge bad"}>
            {verdict.fits ? "fits the contract" : "does not fit the contract"}
          </span>{" "}
          {verdict.issue}
        </p>
      )}
      {payload.withheld === null
        ? <pre tabIndex={0}>{payload.text}</pre>
        : <p class="pad">{`Not shown: ${payload.withheld}`}</p>}
      {(payload.truncated || payload.redacted) && (
        <p class="pad quiet">{payload.truncated ? "Only its beginning. " : ""}{payload.redacted ? "Some fields are hidden." : ""}</p>
      )}
    </>
  )
}

const Details = ({ again, asked, entry, service, show }: {
  readonly service: string
  readonly entry: Entry
  readonly asked: boolean
  readonly show: () => void
  readonly again: () => void
}) => (
  <>
    <Card
      title={entry.actionType ?? "Not an action"}
      actions={entry.letter === null
        ? <StateVerbs service={service} entry={entry} done={again} />
        : (
          <>
            <VerbButton
              danger
              service={service}
              verb={() => ({ verb: "discard", ids: [entry.id] })}
              question="Removes the letter for good."
              done={again}
            >
              Discard
            </VerbButton>
            <VerbButton
              service={service}
              verb={() => ({ verb: "replay", ids: [entry.id] })}
              question="Sends the action again and removes the letter."
              done={again}
            >
              Replay
            </VerbButton>
          </>
        )}
    >
      <ol class="way">
        {wayOf(entry).map(([what, at, detail]) => (
          <li key={what}>
            <strong>{what}</strong> {at !== null && <><Time at={at} /> <span class="quiet">{full(at)}</span></>}
            {detail !== undefined && <div class="detail">{detail}</div>}
          </li>
        ))}
      </ol>
      <dl class="facts">
        <dt>State</dt>
        <dd><span class={entry.state === "dead" ? "badge bad" : "badge"}>{entry.state}</span></dd>
        <dt>Action</dt>
        <dd class="code"><Text>{entry.actionId}</Text></dd>
        <dt>Entry</dt>
        <dd class="code">{entry.letter?.entryId ?? entry.id}</dd>
        <dt>Correlation</dt>
        <dd class="code"><Text>{entry.correlationId}</Text></dd>
        <dt>Trace</dt>
        <dd class="code"><Text>{entry.traceId}</Text></dd>
        <dt>Size</dt>
        <dd>{bytes(entry.size)}</dd>
        {entry.letter !== null && <><dt>Replayed</dt><dd>{times(entry.letter.hops)}</dd></>}
      </dl>
    </Card>
    <Card title="Payload">
      {asked
        ? <Shape entry={entry} />
        : <div class="pad"><button type="button" onClick={show}>Show the payload</button></div>}
    </Card>
  </>
)

export const ActionPage = ({ id, place: { query }, service }: {
  readonly service: string
  readonly id: string
  readonly place: Place
}) => {
  const by = query.get("by") ?? (/^\d+-\d+$/.test(id) ? "entry" : "action")
  // Not in the URL: who opens a link somebody sent asks for the payload too.
  const [asked, setAsked] = useState(false)
  const [round, setRound] = useState(0)
  const data = useData<Found>(serviceUrl(service, "/action"), {
    id,
    by,
    payload: asked ? "yes" : undefined,
    again: round === 0 ? undefined : round
  }, false)
  return (
    <>
      <div class="title">
        <h1><Link to={serviceUrl(service)}>{service}</Link>: action</h1>
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
              show={() => setAsked(true)}
              again={() => setRound(round + 1)}
            />
          )}
      </Shown>
    </>
  )
}
