/**
 * What a client knows of an action after it sent it.
 *
 * A receipt becomes one text, for logs and the command line, and a text becomes a receipt again.
 *
 * @since 0.2.0
 */
import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { isId } from "./internal/wire/fields.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/**
 * What every receipt has.
 *
 * @since 0.2.0
 * @category models
 */
export interface Common {
  /** The id of the action, a UUID in lower case. */
  readonly actionId: string
  /** The service that the action was sent to. */
  readonly service: string
  /** The action stream of that service, which tells environments apart. */
  readonly stream: string
}

/**
 * The action is in the stream.
 *
 * @since 0.2.0
 * @category models
 */
export interface Sent extends Common {
  readonly _tag: "Sent"
  /** The id of its entry in the stream. */
  readonly entryId: string
}

/**
 * The action is kept until it is due.
 *
 * @since 0.2.0
 * @category models
 */
export interface Scheduled extends Common {
  readonly _tag: "Scheduled"
  /** When it is due, by the clock of the Redis server. */
  readonly at: DateTime.Utc
}

/**
 * The action waits behind others of its lane.
 *
 * @since 0.2.0
 * @category models
 */
export interface Waiting extends Common {
  readonly _tag: "Waiting"
}

/**
 * Nothing was sent, because the same was sent before.
 *
 * @since 0.2.0
 * @category models
 */
export interface Duplicate extends Common {
  readonly _tag: "Duplicate"
  /** The action that was sent first. `entryId` is absent while that one is not in the stream. */
  readonly first: { readonly actionId: string; readonly entryId?: string }
}

/**
 * A receipt.
 *
 * @since 0.2.0
 * @category models
 */
export type Receipt = Sent | Scheduled | Waiting | Duplicate

/**
 * The text is not a receipt.
 *
 * @since 0.2.0
 * @category errors
 */
export class InvalidReceipt extends Schema.TaggedError<InvalidReceipt>()("InvalidReceipt", {
  found: Schema.String,
  expected: Schema.String
}) {
  override get message(): string {
    return `${this.found} is not a receipt: expected ${this.expected}`
  }
}

// -----------------------------------------------------------------------------
// text
// -----------------------------------------------------------------------------

/** Colons stay, so that the names of streams can be read. */
const escape = (text: string): string => encodeURIComponent(text).replaceAll("%3A", ":")

const stateOf = (receipt: Receipt): string => {
  switch (receipt._tag) {
    case "Sent":
      return `sent/${receipt.entryId}`
    case "Scheduled":
      return `scheduled/${DateTime.toEpochMillis(receipt.at)}`
    case "Waiting":
      return "waiting"
    case "Duplicate": {
      const { actionId, entryId } = receipt.first
      return `duplicate/${actionId}${entryId === undefined ? "" : `/${entryId}`}`
    }
  }
}

/**
 * Returns a receipt as one text without spaces: service, stream, action id and state.
 *
 * **Example** (A receipt in a log line)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Action, ActionClient, Receipt } from "effect-redis-workers"
 *
 * const Charge = Action.make("payment.charge", { payload: { cents: Schema.Int } })
 *
 * const program = Effect.gen(function*() {
 *   const receipt = yield* ActionClient.send(Charge, { cents: 100 })
 *   yield* Effect.log(`charged: ${Receipt.toText(receipt)}`)
 * })
 * ```
 *
 * @since 0.2.0
 * @category encoding
 */
export const toText = (receipt: Receipt): string =>
  `${escape(receipt.service)}/${escape(receipt.stream)}/${receipt.actionId}/${stateOf(receipt)}`

const expected =
  "the text that Receipt.toText returns: service/stream/action id/sent, scheduled, waiting or duplicate/…"

const entryPattern = /^\d{1,20}-\d{1,20}$/

/** Longer than the text of any receipt with valid names. */
const maxLength = 4_096

const part = (text: string | undefined): string | undefined => {
  try {
    return text === undefined || text === "" ? undefined : decodeURIComponent(text)
  } catch {
    return undefined
  }
}

const read = (text: string): Receipt | undefined => {
  const [service, stream, actionId = "", state, one, two, ...more] = text.split("/")
  const common = { service: part(service), stream: part(stream), actionId: actionId.toLowerCase() }
  if (common.service === undefined || common.stream === undefined || !isId(actionId) || more.length > 0) {
    return undefined
  }
  // SAFETY: both names were found above.
  const known = common as Common
  if (state === "sent" && one !== undefined && entryPattern.test(one) && two === undefined) {
    return { _tag: "Sent", ...known, entryId: one }
  }
  if (state === "scheduled" && one !== undefined && /^\d{1,16}$/.test(one) && two === undefined) {
    const at = Option.getOrUndefined(DateTime.make(Number(one)))
    return at === undefined ? undefined : { _tag: "Scheduled", ...known, at: DateTime.toUtc(at) }
  }
  if (state === "waiting" && one === undefined) return { _tag: "Waiting", ...known }
  if (state === "duplicate" && isId(one) && (two === undefined || entryPattern.test(two))) {
    return {
      _tag: "Duplicate",
      ...known,
      first: two === undefined ? { actionId: one } : { actionId: one, entryId: two }
    }
  }
  return undefined
}

/**
 * Returns the receipt of a text that {@link toText} made, or {@link InvalidReceipt}.
 *
 * @since 0.2.0
 * @category decoding
 */
export const parse = (text: string): Result.Result<Receipt, InvalidReceipt> => {
  const receipt = text.length > maxLength ? undefined : read(text.trim())
  if (receipt !== undefined) return Result.succeed(receipt)
  const shown = text.length > 80 ? `${JSON.stringify(text.slice(0, 80))}…` : JSON.stringify(text)
  return Result.fail(new InvalidReceipt({ found: shown, expected }))
}
