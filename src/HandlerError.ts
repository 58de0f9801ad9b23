/**
 * The two errors that any handler may fail with, in addition to those of its contract. {@link RetryLater} runs the
 * action again, and {@link Rejected} answers the caller with a failure.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { invalid, time } from "./internal/base/options.ts"
import { textOr } from "./internal/wire/errorText.ts"
import { objectOf } from "./internal/wire/plainJson.ts"

const RetryLaterTypeId = "~effect-redis-workers/HandlerError/RetryLater"

const RejectedTypeId = "~effect-redis-workers/HandlerError/Rejected"

/**
 * The error code of an answer with a declared error, and of a {@link Rejected} without `errorCode`.
 *
 * @since 0.1.0
 * @category constants
 */
export const rejectedCode = "ACTION_REJECTED"

/**
 * Options of {@link RetryLater}.
 *
 * @since 0.1.0
 * @category options
 */
export interface RetryLaterOptions {
  /**
   * The original failure. It is logged with the retry. When the attempts are used up, its tag or name and its message
   * are kept in the dead letter. It is never sent to the caller.
   */
  readonly cause?: unknown
  /** How long to wait before the next attempt. Default: the delay of the retry schedule of the action or worker. */
  readonly after?: Duration.Input | undefined
  /**
   * Whether the lane of the action lets nothing in until then, for example because a provider has answered 429. Actions that have a
   * place already go on. Without a lane it has no effect. Default: false.
   */
  readonly pauseLane?: boolean | undefined
}

const afterKind = time(0, undefined, { example: "30 seconds" })

/** Unreadable input throws; a time below zero means at once, since it is often the difference of two times. */
const afterOf = (input: Duration.Input): Duration.Duration =>
  Option.getOrElse(Duration.fromInput(input), () => {
    throw invalid("after", afterKind, input)
  })

/**
 * Fails an attempt so that the action is run again later.
 *
 * **Details**
 *
 * It costs one attempt. When all attempts are used up, or when the next one would start after the deadline of the
 * request, the action becomes a dead letter instead.
 *
 * **Example** (Wait for a slow partner)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { RetryLater } from "effect-redis-workers"
 *
 * declare const charge: Effect.Effect<void, Error>
 *
 * const program = charge.pipe(
 *   Effect.mapError((cause) => new RetryLater({ cause, after: "30 seconds" }))
 * )
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class RetryLater extends Schema.TaggedError<RetryLater>(RetryLaterTypeId)("RetryLater", {
  cause: Schema.optionalKey(Schema.Defect()),
  after: Schema.optionalKey(Schema.Duration),
  pauseLane: Schema.optionalKey(Schema.Boolean)
}) {
  readonly [RetryLaterTypeId] = RetryLaterTypeId

  // @effect-diagnostics-next-line overriddenSchemaConstructor:off
  constructor({ after, pauseLane, ...options }: RetryLaterOptions = {}, make?: Schema.MakeOptions) {
    super({
      ...options,
      ...(after === undefined ? undefined : { after: afterOf(after) }),
      ...(pauseLane === true ? { pauseLane } : undefined)
    }, make)
  }

  override get name(): string {
    return this._tag
  }

  override get message(): string {
    return this.after === undefined
      ? "The handler asked for another attempt"
      : `The handler asked for another attempt after ${Duration.format(this.after)}`
  }
}

/**
 * Options of {@link Rejected}.
 *
 * @since 0.1.0
 * @category options
 */
export interface RejectedOptions {
  /** A sentence for people. It is sent to the caller. */
  readonly message: string
  /** The kind of error that the caller sees, such as `NotFound`. Default: `Rejected`. */
  readonly errorType?: string | undefined
  /** A code for programs. Default: {@link rejectedCode}. */
  readonly errorCode?: string | undefined
  /** Further details for the caller, as a JSON object. Default: none. */
  readonly details?: { readonly [key: string]: unknown } | undefined
  /** The original failure. It is logged and never sent to the caller. */
  readonly cause?: unknown
}

/**
 * Rejects an action for good: the caller gets an error response, and the action is not run again.
 *
 * **When to use**
 *
 * Use it in handlers without a contract, or for failures that the contract does not declare. Declare errors that
 * callers should match on in the contract instead.
 *
 * **Example** (Reject an action)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Rejected } from "effect-redis-workers"
 *
 * const program = Effect.fail(
 *   new Rejected({ errorType: "NotFound", message: "No such user", details: { userId: "u1" } })
 * )
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class Rejected extends Schema.TaggedError<Rejected>(RejectedTypeId)("Rejected", {
  message: Schema.String,
  errorType: Schema.String,
  errorCode: Schema.String,
  details: Schema.NullOr(Schema.Record(Schema.String, Schema.Unknown)),
  cause: Schema.optionalKey(Schema.Defect())
}) {
  readonly [RejectedTypeId] = RejectedTypeId

  // @effect-diagnostics-next-line overriddenSchemaConstructor:off
  constructor(options: RejectedOptions, make?: Schema.MakeOptions) {
    // The types promise texts and an object, but JavaScript handlers and casts can break that promise. A refusal must
    // reach its caller all the same.
    super({
      message: textOr(options.message, "The action was refused"),
      errorType: textOr(options.errorType, "Rejected"),
      errorCode: textOr(options.errorCode, rejectedCode),
      details: options.details === null || options.details === undefined ? null : objectOf(options.details),
      ...("cause" in options ? { cause: options.cause } : undefined)
    }, make)
  }

  override get name(): string {
    return this._tag
  }
}

/**
 * Returns `true` if a value is a {@link RetryLater}, and `false` for a contract's own error with the same tag.
 *
 * @since 0.1.0
 * @category guards
 */
export const isRetryLater = (u: unknown): u is RetryLater => Predicate.hasProperty(u, RetryLaterTypeId)

/**
 * Returns `true` if a value is a {@link Rejected}, and `false` for a contract's own error with the same tag.
 *
 * @since 0.1.0
 * @category guards
 */
export const isRejected = (u: unknown): u is Rejected => Predicate.hasProperty(u, RejectedTypeId)
