/**
 * What must hold when the faults are over and time has passed: sentences about what does not.
 */
import * as Exit from "effect/Exit"
import * as ActionClient from "../../src/ActionClient.ts"
import * as DomainAction from "../../src/DomainAction.ts"
import type { Run, Sent, World } from "./modelWorld.ts"
import { Refused } from "./modelWorld.ts"

export interface Letter {
  readonly entryId: string
  readonly reason: string
  readonly fields: ReadonlyArray<string>
}

/** A call of a client and how it ended; `undefined` while it has not. */
export interface Call {
  readonly key: string
  readonly how: "fire" | "request" | "callback"
  exit: Exit.Exit<unknown, unknown> | undefined
}

const failureOf = (run: Run): unknown => {
  if (run.exit === undefined || Exit.isSuccess(run.exit)) return undefined
  const first = run.exit.cause.reasons[0]
  return first?._tag === "Fail" ? first.error : undefined
}

const succeeded = (run: Run): boolean => run.exit !== undefined && Exit.isSuccess(run.exit)
const refused = (run: Run): boolean => failureOf(run) instanceof Refused

/** Reasons that a plan of the schedule can lead to; the others would be faults of the library. */
const expectedReasons = new Set(["rejected", "exhausted", "poison"])

// -----------------------------------------------------------------------------
// runs
// -----------------------------------------------------------------------------

/** Each delivery runs at most once; another one runs beside it only after its lease was lost. */
const checkRuns = (world: World, entryId: string): Array<string> => {
  const wrong: Array<string> = []
  const runs = world.runs.filter((run) => run.entryId === entryId)
  runs.forEach((run, index) => {
    const where = `${run.key} (${entryId}) in ${run.process}`
    for (const earlier of runs.slice(0, index)) {
      if (earlier.deliveries === run.deliveries) wrong.push(`${where}: delivery ${run.deliveries} ran twice`)
      const open = earlier.ended === undefined || earlier.ended > run.started
      // A delivery whose reply was late may start after a later one.
      const first = Math.min(earlier.deliveries, run.deliveries)
      const last = Math.max(earlier.deliveries, run.deliveries)
      const taken = world.handovers.some((handover) =>
        handover.entryId === entryId && handover.by === "idle" && handover.idle >= handover.lease &&
        handover.deliveries > first && handover.deliveries <= last
      )
      if (open && !taken) {
        wrong.push(`${where}: delivery ${run.deliveries} ran beside ${earlier.deliveries}, whose lease was not lost`)
      }
    }
    const failures = runs.slice(0, index).filter((earlier) => !succeeded(earlier)).length
    if (run.attempt > failures + 1) wrong.push(`${where}: attempt ${run.attempt} after ${failures} failures`)
  })
  return wrong.length === 0 ? wrong : [...wrong, historyOf(world, entryId)]
}

/** All that is known of an entry, for whoever reads a failure. */
const historyOf = (world: World, entryId: string): string => {
  const runs = world.runs.filter((run) => run.entryId === entryId).map((run) =>
    `delivery ${run.deliveries} attempt ${run.attempt} in ${run.process} [${run.started}, ${run.ended ?? ""}] ` +
    (run.exit === undefined ? "died" : run.exit._tag)
  )
  const handovers = world.handovers.filter((handover) => handover.entryId === entryId).map((handover) =>
    `delivery ${handover.deliveries} taken ${handover.by} from ${handover.from} after ${handover.idle} of ${handover.lease} ms`
  )
  return `${entryId}: ${[...runs, ...handovers].join(", ")}`
}

// -----------------------------------------------------------------------------
// entries
// -----------------------------------------------------------------------------

/** Each entry was acknowledged for a reason, or is a dead letter, once. */
const checkEntry = (world: World, sent: Sent, letters: ReadonlyArray<Letter>, now: number): Array<string> => {
  const { action, entryId } = sent
  const name = `${action.action_type} ${JSON.stringify(action.data["key"])} (${entryId})`
  const runs = world.runs.filter((run) => run.entryId === entryId)
  const expects = DomainAction.expects(action)
  const own = letters.filter((letter) => letter.entryId === entryId)
  if (own.length > 1) return [`${name}: ${own.length} dead letters`]
  if (own[0] !== undefined) {
    const { reason } = own[0]
    if (!expectedReasons.has(reason)) return [`${name}: dead letter ${reason}: ${own[0].fields.join(" ")}`]
    if (reason === "rejected" && !runs.some(refused)) return [`${name}: dead letter rejected, and no run refused it`]
    return []
  }
  if (runs.some(succeeded)) return []
  if (expects === "response" && runs.some(refused)) return []
  const timeout = action.metadata?.["timeout_ms"]
  if (typeof timeout === "number" && Number(entryId.split("-")[0]) + timeout <= now) return []
  return [`${name}: lost, it was acknowledged after ${runs.length} runs without an outcome`]
}

// -----------------------------------------------------------------------------
// answers
// -----------------------------------------------------------------------------

const isResult = (
  value: unknown
): value is { readonly key: string; readonly attempt: number; readonly process: string } =>
  typeof value === "object" && value !== null && "key" in value && "attempt" in value && "process" in value

const ranWith = (world: World, value: unknown, before: number): boolean =>
  isResult(value) &&
  world.runs.some((run) =>
    run.type === "do" && run.key === value.key && run.attempt === value.attempt && run.process === value.process &&
    succeeded(run) && run.ended !== undefined && run.ended < before
  )

/** One answer for each entry that asks, none before the end of a run that gave it. */
const checkAnswers = (
  world: World,
  key: string,
  id: string,
  answers: ReadonlyArray<string>,
  letters: ReadonlyArray<Letter>
): Array<string> => {
  const wrong: Array<string> = []
  const entries = world.sent.filter((sent) => sent.action.action_id === id)
  if (answers.length !== entries.length) wrong.push(`${key}: ${answers.length} answers to ${entries.length} entries`)
  const first = world.answered.get(world.listOf(id))
  answers.forEach((text, index) => {
    const parsed = DomainAction.parseResponse(text, DomainAction.defaultLimits)
    if (parsed._tag === "Failure") return wrong.push(`${key}: an answer that cannot be read`)
    const { data, success } = parsed.success
    // Lists are filled from the left, so the first answer is the last.
    const before = index === answers.length - 1 && first !== undefined ? first : Number.POSITIVE_INFINITY
    if (success && !ranWith(world, data, before)) {
      wrong.push(`${key}: an answer that no run had given when it was there: ${JSON.stringify(data)}`)
    }
    const failed = world.runs.some((run) => run.key === key && refused(run) && (run.ended ?? before) < before)
    const buried = letters.some((letter) => entries.some((entry) => entry.entryId === letter.entryId))
    if (!success && !failed && !buried) wrong.push(`${key}: a failure that no run ended with`)
    return
  })
  return wrong
}

const checkCall = (world: World, call: Call): Array<string> => {
  if (call.exit === undefined) return [`${call.key}: the caller was never resolved`]
  if (Exit.isSuccess(call.exit)) {
    return call.how !== "request" || ranWith(world, call.exit.value, Number.POSITIVE_INFINITY)
      ? []
      : [`${call.key}: answered with what no run gave: ${JSON.stringify(call.exit.value)}`]
  }
  const first = call.exit.cause.reasons[0]
  if (first?._tag !== "Fail") return [`${call.key}: the caller ended with ${first?._tag ?? "nothing"}`]
  const error = first.error
  if (error instanceof Refused) {
    return world.runs.some((run) => run.key === call.key && refused(run)) ? [] : [`${call.key}: refused by no run`]
  }
  const tag = typeof error === "object" && error !== null && "_tag" in error ? error._tag : "?"
  if (error instanceof ActionClient.RemoteFailure) return []
  return tag === "RequestTimeout" || tag === "RedisError" ? [] : [`${call.key}: the caller got ${String(tag)}`]
}

/** As many callbacks as runs that were settled with a success: one for each entry that is no dead letter. */
const checkCallbacks = (world: World, sent: Sent, letters: ReadonlyArray<Letter>): Array<string> => {
  const key = String(sent.action.data["key"])
  const entries = world.sent.filter((other) => other.action.data["key"] === sent.action.data["key"])
  const dead = entries.filter((entry) => letters.some((letter) => letter.entryId === entry.entryId)).length
  const callbacks = new Set(
    world.runs.filter((run) => run.type === "done" && run.key === key).map((run) => run.entryId)
  )
  return callbacks.size === entries.length - dead
    ? []
    : [`${key}: ${callbacks.size} callbacks for ${entries.length} entries, ${dead} of them dead letters`]
}

// -----------------------------------------------------------------------------
// everything
// -----------------------------------------------------------------------------

export interface Ended {
  readonly calls: ReadonlyArray<Call>
  /** Ids of raw requests by key, and what is in their lists. */
  readonly asked: ReadonlyMap<string, { readonly id: string; readonly answers: ReadonlyArray<string> }>
  readonly letters: ReadonlyArray<Letter>
  /** What else lies about, as sentences. */
  readonly left: ReadonlyArray<string>
  /** Milliseconds by the server's clock. */
  readonly now: number
}

export const violations = (world: World, ended: Ended): ReadonlyArray<string> => {
  const { everythingAt, groups } = world.forgotten
  const isKnown = (entryId: string) => Number(entryId.split("-")[0]) > everythingAt
  const keyOf = (sent: Sent) => String(sent.action.data["key"])
  const forgotten = new Set(world.sent.filter((sent) => !isKnown(sent.entryId)).map(keyOf))
  // A group that is made anew begins at the beginning: what runs is delivered again, and counted from 1.
  const run = groups > 0 ? [] : [...new Set(world.runs.map((run) => run.entryId))].filter(isKnown)
  const callbacks = new Map(
    world.sent.filter((sent) => DomainAction.expects(sent.action) === "callback").map((sent) => [keyOf(sent), sent])
  )
  return [
    ...ended.left,
    ...run.flatMap((entryId) => checkRuns(world, entryId)),
    ...world.sent.filter((sent) => isKnown(sent.entryId)).flatMap((sent) =>
      checkEntry(world, sent, ended.letters, ended.now)
    ),
    ...[...ended.asked].filter(([key]) => !forgotten.has(key)).flatMap(([key, { answers, id }]) =>
      checkAnswers(world, key, id, answers, ended.letters)
    ),
    ...ended.calls.flatMap((call) => checkCall(world, call)),
    ...[...callbacks].filter(([key]) => !forgotten.has(key)).flatMap(([, sent]) =>
      checkCallbacks(world, sent, ended.letters)
    )
  ]
}
