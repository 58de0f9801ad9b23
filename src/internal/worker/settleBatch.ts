/**
 * The pure step from decisions to one call of the settle script: which decisions fit into the call, and how to replace
 * a result that cannot be written.
 */
import * as Duration from "effect/Duration"
import * as DomainAction from "../../DomainAction.ts"
import { isRetryLater } from "../../HandlerError.ts"
import type { RedisError } from "../../Redis.ts"
import type { FailureAction, Settlement } from "../../Settlement.ts"
import { textOf } from "../redis/failure.ts"
import { Load } from "../scripts/bounds.ts"
import {
  entryBytes,
  laneWords,
  type Leaving,
  type SettleEntry,
  type SettleParams,
  type SettleTarget,
  settleWords,
  wordsOf
} from "../scripts/settle.ts"
import type { PushTarget } from "../wire/answerTarget.ts"
import { isBefore } from "../wire/entry.ts"
import { messageOf } from "../wire/errorText.ts"
import { refusalOf } from "../wire/json.ts"
import { Decision } from "./decision.ts"
import type { EncodeOptions } from "./encodeSettlement.ts"
import { encodeSettlement } from "./encodeSettlement.ts"

/** One call. A class and no literal, see `entry.ts`. */
export class Batch implements SettleParams {
  readonly target: SettleTarget
  firstId = "0-0"
  lastId = "0-0"
  /** In the script's order: plain acknowledgements first. */
  decisions: ReadonlyArray<Decision> = []
  acknowledged: ReadonlyArray<string> = []
  entries: ReadonlyArray<SettleEntry> = []
  leaving: ReadonlyArray<Leaving> | undefined = undefined
  /** The number of characters to write, without the ids. */
  size = 0
  constructor(target: SettleTarget) {
    this.target = target
  }
}

const sizeOf = ({ notes, push, wait }: SettleEntry): number => {
  let size = (push?.payload.length ?? 0) + (wait?.record.length ?? 0)
  if (notes !== undefined) { for (const note of notes) size += note.length }
  return size
}

/**
 * The entry for the script, or the reason why a result cannot be written: it is not JSON (a `bigint`, a cycle), or no
 * client would accept it.
 */
const encode = (decision: Decision, options: EncodeOptions): SettleEntry | string | undefined => {
  try {
    const entry = encodeSettlement(decision, options)
    if (entry?.push === undefined || entry.wait !== undefined || entry.dead) return entry
    const refusal = refusalOf(entry.push.payload, options.payloadLimit)
    return refusal === undefined ? entry : `The answer ${refusal}`
  } catch (error) {
    return `The result cannot be written as JSON: ${messageOf(error) ?? "its encoding failed"}`
  }
}

const withSettlement = (
  { action, attempt, cause, entry, maxAttempts, span, took }: Decision,
  settlement: Settlement
): Decision => new Decision(entry, action, attempt, settlement, span, cause, maxAttempts, took)

/** Replaces a result that cannot be written. The handler's effects are done, so it never runs again. */
const unencodable = (decision: Decision, message: string): Decision =>
  withSettlement(decision, {
    _tag: "DeadLetter",
    reason: "unencodable",
    error: { error_type: "UnencodableResult", error_code: "UNENCODABLE_RESULT", message, details: null },
    answer: expects(decision.action)
  })

/** Bytes of an id and of the numbers beside it. */
const idBytes = 64

const expects = (action: Decision["action"]): boolean =>
  action !== undefined && DomainAction.expects(action) === "response"

/** For how long the handler asked to pause its lane, in milliseconds. */
const pauseOf = ({ cause, settlement }: Decision): number | undefined =>
  settlement._tag === "Retry" && isRetryLater(cause) && cause.pauseLane === true
    ? Duration.toMillis(settlement.delay)
    : undefined

/** The call for the first of the decisions: all of them, unless they are too large for one call. */
export const batchOf = (target: SettleTarget, decisions: ReadonlyArray<Decision>, options: EncodeOptions): Batch => {
  const plain: Array<Decision> = []
  const special: Array<Decision> = []
  const entries: Array<SettleEntry> = []
  let firstId = decisions[0]?.entry.id ?? "-"
  let lastId = firstId
  let size = 0
  let first: PushTarget | undefined
  const load = new Load(settleWords)
  let leaving: Array<Leaving> | undefined
  for (const made of decisions) {
    const id = made.entry.id
    const encoded = encode(made, options)
    // The decision that is counted and logged is the one that is written.
    const decision = typeof encoded === "string" ? unencodable(made, encoded) : made
    const entry = typeof encoded === "string" ? encodeSettlement(decision, options) : encoded
    if (entry?.push?.kind === "list") first ??= entry.push
    const pause = pauseOf(decision)
    const lane = entry?.wait === undefined || pause !== undefined ? decision.entry.lane : undefined
    const words = lane === undefined ? 0 : laneWords.entry + (leaving === undefined ? laneWords.call : 0)
    const fits = entry === undefined
      ? load.add(1 + words, idBytes)
      : load.add(wordsOf(entry, first) + words, entryBytes(entry) + idBytes)
    // What does not fit is encoded again for the next call.
    if (!fits) break
    if (lane !== undefined) {
      leaving ??= []
      leaving.push({ id, lane, gaveUp: decision.settlement._tag === "DeadLetter", pause })
    }
    if (isBefore(lastId, id)) lastId = id
    else if (isBefore(id, firstId)) firstId = id
    if (entry === undefined) {
      plain.push(decision)
    } else {
      special.push(decision)
      entries.push(entry)
      size += sizeOf(entry)
    }
  }
  const batch = new Batch(target)
  batch.firstId = firstId
  batch.lastId = lastId
  batch.decisions = special.length === 0 ? plain : plain.concat(special)
  batch.acknowledged = plain.map((decision) => decision.entry.id)
  batch.entries = entries
  batch.leaving = leaving
  batch.size = size
  return batch
}

/** The call for one decision with another entry. The original decision is counted and logged. */
const instead = (
  target: SettleTarget,
  decision: Decision,
  settlement: Settlement,
  options: EncodeOptions,
  change: (entry: SettleEntry) => SettleEntry
): Batch => {
  const batch = batchOf(target, [withSettlement(decision, settlement)], options)
  batch.decisions = [decision]
  batch.entries = batch.entries.map(change)
  return batch
}

/** The call for an entry whose push was refused: it becomes a dead letter that holds the answer, or waits. */
export const keptAnswer = (
  target: SettleTarget,
  decision: Decision,
  options: EncodeOptions,
  error: RedisError
): Batch =>
  instead(target, decision, decision.settlement, options, (entry) =>
    entry.push === undefined ? entry : {
      ...entry,
      push: undefined,
      dead: entry.wait === undefined,
      notes: [
        ...entry.notes ?? [],
        ...(entry.dead ? [] : ["reason", "undeliverable"]),
        "undeliverable",
        textOf(error),
        "answer",
        entry.push.payload
      ]
    })

/**
 * Replaces a result or an error that is too large for the server by a dead letter, with a short error response if the
 * caller waits.
 */
const withoutAnswer = ({ action, settlement }: Decision, tells: boolean): Settlement => {
  const answer = tells && expects(action)
  switch (settlement._tag) {
    case "Reply":
    case "Callback":
      return { _tag: "DeadLetter", reason: "undeliverable", error: unwritable, answer }
    case "Reject":
      return { _tag: "DeadLetter", reason: "undeliverable", error: { ...settlement.error, details: null }, answer }
    case "DeadLetter":
      return {
        ...settlement,
        error: { ...settlement.error, details: null },
        answer: settlement.answer && answer,
        failureAction: tells ? withoutPayload(settlement.failureAction) : undefined
      }
    case "Retry":
      return { ...settlement, answer: false }
    default:
      return settlement
  }
}

const withoutPayload = (failure: FailureAction | undefined): FailureAction | undefined =>
  failure?.payload === "include" ? { ...failure, payload: "omitted" } : failure

const unwritable = {
  error_type: "UndeliverableAnswer",
  error_code: "UNDELIVERABLE_ANSWER",
  message: "The action was handled, but the server does not accept its answer",
  details: null
}

/**
 * The call that makes an entry a dead letter without its answer. With `tells`, the caller gets a short error response.
 */
export const unanswered = (
  target: SettleTarget,
  decision: Decision,
  options: EncodeOptions,
  error: RedisError,
  tells: boolean
): Batch =>
  instead(target, decision, withoutAnswer(decision, tells), options, (entry) =>
    entry.dead
      ? { ...entry, notes: [...entry.notes ?? [], "undeliverable", `The server does not accept it: ${textOf(error)}`] }
      : entry)
