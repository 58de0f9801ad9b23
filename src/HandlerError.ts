/**
 * The two errors that any handler may fail with, whatever its contract declares: {@link RetryLater}, to be run again,
 * and {@link Rejected}, to answer the caller with a failure and be done.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type { ErrorDetail } from "./DomainAction.ts"
import { invalid, time } from "./internal/base/options.ts"
import { textOr } from "./internal/wire/errorText.ts"
import { objectOf } from "./internal/wire/plainJson.ts"

const RetryLaterTypeId = "~effect-redis-workers/HandlerError/RetryLater"

const RejectedTypeId = "~effect-redis-workers/HandlerError/Rejected"

/**
 * The error code of an answer whose error the contract declares, and of {@link Rejected} without a code of its own.
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
   * What went wrong. It is logged with the retry, its tag or name and its message stand in the dead letter when attempts are
   * used up, and nothing of it is sent to the caller.
   */
  readonly cause?: unknown
  /** How long to wait before the next attempt. Default: what the retry schedule of the action or worker says. */
  readonly after?: Duration.Input | undefined
}

const afterKind = time(0, undefined, { example: "30 seconds" })

/** Unreadable input throws; a time below zero is no wait, since it is often the difference of two times. */
const afterOf = (input: Duration.Input): Duration.Duration =>
  Option.getOrElse(Duration.fromInput(input), () => {
    throw invalid("after", afterKind, input)
  })

/**
 * Fails an attempt so that the action is run again later.
 *
 * **Details**
 *
 * It costs one attempt. When all attempts are used up, or the next one would come after the deadline of the request,
 * the action goes to the dead letters instead.
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
export class RetryLater extends Data.TaggedError("RetryLater")<{
  readonly cause?: unknown
  readonly after?: Duration.Duration | undefined
}> {
  readonly [RetryLaterTypeId] = RetryLaterTypeId

  constructor(options: RetryLaterOptions = {}) {
    super({
      ...("cause" in options ? { cause: options.cause } : undefined),
      after: options.after === undefined ? undefined : afterOf(options.after)
    })
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
  /** A sentence for people: it reaches the caller. */
  readonly message: string
  /** The kind of error that the caller sees, such as `NotFound`. Default: `Rejected`. */
  readonly errorType?: string | undefined
  /** A code for programs. Default: {@link rejectedCode}. */
  readonly errorCode?: string | undefined
  /** More about it, as JSON. Default: none. */
  readonly details?: { readonly [key: string]: unknown } | undefined
  /** What went wrong; it is logged and never sent to the caller. */
  readonly cause?: unknown
}

/**
 * Refuses an action for good: the caller gets an error response, and the action is not run again.
 *
 * **When to use**
 *
 * In handlers without a contract, or for a failure that the contract does not name. An error that callers should match
 * on belongs into the contract.
 *
 * **Example** (Refuse an action)
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
export class Rejected extends Data.TaggedError("Rejected")<{
  readonly message: string
  readonly errorType: string
  readonly errorCode: string
  readonly details: { readonly [key: string]: unknown } | null
  readonly cause?: unknown
}> {
  readonly [RejectedTypeId] = RejectedTypeId

  constructor(options: RejectedOptions) {
    super({
      message: options.message,
      errorType: options.errorType ?? "Rejected",
      errorCode: options.errorCode ?? rejectedCode,
      details: options.details ?? null,
      ...("cause" in options ? { cause: options.cause } : undefined)
    })
  }
}

/**
 * Whether a value is a {@link RetryLater}. A contract's own error with the same tag is none.
 *
 * @since 0.1.0
 * @category guards
 */
export const isRetryLater = (u: unknown): u is RetryLater => Predicate.hasProperty(u, RetryLaterTypeId)

/**
 * Whether a value is a {@link Rejected}. A contract's own error with the same tag is none.
 *
 * @since 0.1.0
 * @category guards
 */
export const isRejected = (u: unknown): u is Rejected => Predicate.hasProperty(u, RejectedTypeId)

/**
 * The {@link Rejected} as its caller reads it.
 *
 * @since 0.1.0
 * @category encoding
 */
export const rejectedDetail = (self: Rejected): ErrorDetail => ({
  error_type: textOr(self.errorType, "Rejected"),
  error_code: textOr(self.errorCode, rejectedCode),
  message: textOr(self.message, "The action was refused"),
  details: detailsOf(self.details)
})

/** Anything else than an object would make the answer unreadable: types promise one, a cast does not keep it. */
const detailsOf = (details: unknown): ErrorDetail["details"] => {
  return details === null || details === undefined ? null : objectOf(details)
}
