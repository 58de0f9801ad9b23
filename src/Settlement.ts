/**
 * Settlements: what a worker writes to Redis for an action. The documentation has the table of all of them
 * (docs/settlement.md).
 *
 * @since 0.1.0
 */
import type * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import type { ErrorDetail } from "./DomainAction.ts"

/**
 * Why an action became a dead letter.
 *
 * | reason | what happened |
 * | --- | --- |
 * | `malformed` | the entry is not an action: no `data`, not JSON, not a DomainAction, over a limit |
 * | `poison` | delivered too often without an outcome: it kills its workers |
 * | `unknown` | no worker that knows its type appeared in time |
 * | `invalid` | the contract's schema rejects the payload |
 * | `unencodable` | the handler ran, but its result does not fit the contract's schema, or no client would accept it |
 * | `rejected` | the handler rejected it for good |
 * | `exhausted` | all attempts are used up, or the next one would start after the deadline |
 * | `undeliverable` | the handler ran, but the answer could not be delivered; the dead letter holds it if the server accepts it |
 *
 * @since 0.1.0
 * @category models
 */
export type DeadLetterReason =
  | "malformed"
  | "poison"
  | "unknown"
  | "invalid"
  | "unencodable"
  | "rejected"
  | "exhausted"
  | "undeliverable"

/**
 * What a worker writes for an entry. `Ack`, `Reply`, `Callback`, `Reject` and `DeadLetter` end the entry. `Retry`,
 * `Release` and `Yield` keep it pending with a due time. `Lost` writes nothing.
 *
 * **When to use**
 *
 * Match on it in the option `onSettled` of a worker, and in tests with `TestWorker.deliver`.
 *
 * @since 0.1.0
 * @category models
 */
export type Settlement =
  /** Acknowledged. `expired` if it was not run because the caller no longer waits. */
  | { readonly _tag: "Ack"; readonly expired: boolean }
  /** A response with the result, then acknowledged. */
  | { readonly _tag: "Reply"; readonly data: { readonly [key: string]: unknown } | null }
  /** A new action with the result, then acknowledged. */
  | { readonly _tag: "Callback"; readonly actionType: string; readonly data: { readonly [key: string]: unknown } }
  /** An error response, then acknowledged. */
  | { readonly _tag: "Reject"; readonly error: ErrorDetail }
  /** Stays pending and runs again after `delay`. `answer` is sent at each failure if the policy asks for that. */
  | {
    readonly _tag: "Retry"
    readonly delay: Duration.Duration
    readonly error: ErrorDetail
    readonly answer: boolean
  }
  /**
   * Copied to the dead letters, then acknowledged. `answer` is the error response sent with it. `failureAction` is the
   * action that informs a caller who asked for a callback.
   */
  | {
    readonly _tag: "DeadLetter"
    readonly reason: DeadLetterReason
    readonly error: ErrorDetail
    readonly answer: boolean
    readonly failureAction?: FailureAction | undefined
  }
  /**
   * Stays pending and is due now. With `pause`, the number of the pause of its type, it is due when that ends. It does not
   * cost an attempt.
   */
  | { readonly _tag: "Release"; readonly pause?: number | undefined }
  /** Stays pending for a consumer that knows the type, which has been missing since `since` by the server's clock. */
  | { readonly _tag: "Yield"; readonly delay: Duration.Duration; readonly since: DateTime.Utc }
  /** Nothing is written, because another consumer owns the entry. */
  | { readonly _tag: "Lost" }

/**
 * The action sent instead of a callback when an action is rejected or given up.
 *
 * @since 0.2.0
 * @category models
 */
export interface FailureAction {
  readonly actionType: string
  /**
   * How the payload of the failed action is handled. `"none"` leaves it out. `"include"` sends it as `payload` if it
   * fits. `"omitted"` leaves it out and says so, because the server did not accept it.
   */
  readonly payload: "none" | "include" | "omitted"
}

/**
 * Returns `true` if a settlement ends an action. After `Retry`, `Release` and `Yield` it runs again, and after `Lost`
 * another worker has it.
 *
 * @since 0.2.0
 * @category guards
 */
export const isFinal = ({ _tag }: Settlement): boolean =>
  _tag !== "Retry" && _tag !== "Release" && _tag !== "Yield" && _tag !== "Lost"
