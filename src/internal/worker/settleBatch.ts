/**
 * The pure step from decisions to one call of the settle script: which of them fit into it, and what takes the place of a
 * result that cannot be written.
 */
import * as DomainAction from "../../DomainAction.ts"
import type { RedisError } from "../../Redis.ts"
import type { FailureAction, Settlement } from "../../Settlement.ts"
import { textOf } from "../redis/failure.ts"
import type { SettleEntry, SettleParams, SettleTarget } from "../scripts/settle.ts"
import { isBefore } from "../wire/entry.ts"
import { messageOf } from "../wire/errorText.ts"
import { refusalOf } from "../wire/json.ts"
import { Decision } from "./decision.ts"
import type { EncodeOptions } from "./encodeSettlement.ts"
import { encodeSettlement } from "./encodeSettlement.ts"

/**
 * Characters of arguments beyond which a call takes no further entry. A client makes one text of a call, which V8 and the
 * server limit to half a gigabyte; and while a large one is on its way nothing else is answered on its connection.
 */
const maxSize = 8 * 1024 * 1024

/** One call. A class and no literal, see `entry.ts`. */
export class Batch implements SettleParams {
  readonly target: SettleTarget
  readonly firstId: string
  readonly lastId: string
  /** In the order in which the script counts them. */
  readonly decisions: ReadonlyArray<Decision>
  readonly acknowledged: ReadonlyArray<string>
  readonly entries: ReadonlyArray<SettleEntry>
  /** Characters of what is written: the ids do not count. */
  readonly size: number
  constructor(
    target: SettleTarget,
    firstId: string,
    lastId: string,
    decisions: ReadonlyArray<Decision>,
    acknowledged: ReadonlyArray<string>,
    entries: ReadonlyArray<SettleEntry>,
    size: number
  ) {
    this.target = target
    this.firstId = firstId
    this.lastId = lastId
    this.decisions = decisions
    this.acknowledged = acknowledged
    this.entries = entries
    this.size = size
  }
}

const sizeOf = ({ notes, push, wait }: SettleEntry): number => {
  let size = (push?.payload.length ?? 0) + (wait?.record.length ?? 0)
  if (notes !== undefined) { for (const note of notes) size += note.length }
  return size
}

/** Why nothing is written of what a handler gave. */
class Unencodable {
  readonly message: string
  constructor(message: string) {
    this.message = message
  }
}

/** What the script is asked to do, unless the result is no JSON (a `bigint`, a cycle) or one that nobody takes. */
const encode = (decision: Decision, options: EncodeOptions): SettleEntry | Unencodable | undefined => {
  try {
    const entry = encodeSettlement(decision, options)
    if (entry?.push === undefined || entry.wait !== undefined || entry.dead) return entry
    const refusal = refusalOf(entry.push.payload, options.payloadLimit)
    return refusal === undefined ? entry : new Unencodable(`The answer ${refusal}`)
  } catch (error) {
    return new Unencodable(`The result is no JSON: ${messageOf(error) ?? "what makes it so failed"}`)
  }
}

/** In place of what cannot be written: its effects are done, and it is never run again. */
const buried = ({ action, attempt, cause, entry, span }: Decision, { message }: Unencodable): Decision =>
  new Decision(
    entry,
    action,
    attempt,
    {
      _tag: "DeadLetter",
      reason: "unencodable",
      error: { error_type: "UnencodableResult", error_code: "UNENCODABLE_RESULT", message, details: null },
      answer: expects(action)
    },
    span,
    cause
  )

const expects = (action: Decision["action"]): boolean =>
  action !== undefined && DomainAction.expects(action) === "response"

/** The call for the first of the decisions: all of them, unless what they write is too much for one. */
export const batchOf = (target: SettleTarget, decisions: ReadonlyArray<Decision>, options: EncodeOptions): Batch => {
  const plain: Array<Decision> = []
  const special: Array<Decision> = []
  const entries: Array<SettleEntry> = []
  let firstId = decisions[0]?.entry.id ?? "-"
  let lastId = firstId
  let size = 0
  for (const made of decisions) {
    if (size >= maxSize) break
    const id = made.entry.id
    if (isBefore(lastId, id)) lastId = id
    else if (isBefore(id, firstId)) firstId = id
    const encoded = encode(made, options)
    // What is written is what is counted and logged.
    const decision = encoded instanceof Unencodable ? buried(made, encoded) : made
    const entry = encoded instanceof Unencodable ? encodeSettlement(decision, options) : encoded
    if (entry === undefined) {
      plain.push(decision)
    } else {
      special.push(decision)
      entries.push(entry)
      size += sizeOf(entry)
    }
  }
  return new Batch(
    target,
    firstId,
    lastId,
    special.length === 0 ? plain : plain.concat(special),
    plain.map((decision) => decision.entry.id),
    entries,
    size
  )
}

/** The entry without what it pushes: buried with the answer in the letter, or just waiting. */
export const withoutPush = (entry: SettleEntry, error: RedisError): SettleEntry =>
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
  }

/** In place of a result or an error that is too much for the server: a letter, and as an answer, where that is wanted, why. */
const insteadOf = (settlement: Settlement, action: Decision["action"], mayAnswer: boolean): Settlement => {
  const answer = mayAnswer && expects(action)
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
        failureAction: mayAnswer && settlement.failureAction !== undefined
          ? withoutPayload(settlement.failureAction)
          : undefined
      }
    case "Retry":
      return { ...settlement, answer: false }
    default:
      return settlement
  }
}

const withoutPayload = (failure: FailureAction): FailureAction =>
  failure.payload === "include" ? { ...failure, payload: "omitted" } : failure

const unwritable = {
  error_type: "UndeliverableAnswer",
  error_code: "UNDELIVERABLE_ANSWER",
  message: "The action was handled, and the server does not take its answer",
  details: null
}

/** The call that buries an entry without its answer. */
export const unanswered = (
  target: SettleTarget,
  { action, attempt, cause, entry, settlement, span }: Decision,
  options: EncodeOptions,
  error: RedisError,
  answer: boolean
): Batch => {
  const instead = new Decision(
    entry,
    action,
    attempt,
    insteadOf(settlement, action, answer),
    span,
    cause
  )
  const batch = batchOf(target, [instead], options)
  return withEntry(batch, (encoded) =>
    encoded.dead
      ? {
        ...encoded,
        notes: [...encoded.notes ?? [], "undeliverable", `The server does not take it: ${textOf(error)}`]
      }
      : encoded)
}

/** The call for one entry, changed. */
export const withEntry = (batch: Batch, change: (entry: SettleEntry) => SettleEntry): Batch => {
  const { acknowledged, decisions, firstId, lastId, size, target } = batch
  return new Batch(target, firstId, lastId, decisions, acknowledged, batch.entries.map(change), size)
}
