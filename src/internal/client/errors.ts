/**
 * The errors of client calls, exported by `ActionClient`.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"

/**
 * The action was not sent: its payload or a config does not fit the contract, an id is not a UUID, or the action is
 * larger than the limit. The message names the fields and shows no value of the payload.
 *
 * @since 0.1.0
 * @category errors
 */
export class EncodeError extends Data.TaggedError("EncodeError")<{
  readonly actionType: string
  readonly message: string
}> {}

/**
 * No answer arrived in time. The outcome is unknown: the action may be waiting, running or done. Repeat the request
 * with the same `actionId` if its handler is idempotent.
 *
 * **Example** (Ask once more for the same action)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Action, ActionClient } from "effect-redis-workers"
 *
 * const Charge = Action.make("payment.charge", { payload: { amount: Schema.Int } })
 *
 * const charge = (actionId: string, amount: number) =>
 *   Effect.gen(function*() {
 *     const client = yield* ActionClient.ActionClient
 *     return yield* client.request(Charge, { amount }, { actionId, timeout: "5 seconds" })
 *   }).pipe(Effect.retry({ times: 1, while: (error) => error._tag === "RequestTimeout" }))
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class RequestTimeout extends Data.TaggedError("RequestTimeout")<{
  readonly actionType: string
  readonly actionId: string
  readonly correlationId: string
  readonly timeout: Duration.Duration
}> {
  override get message(): string {
    return `No answer to ${this.actionType} within ${Duration.format(this.timeout)}: its outcome is unknown. ` +
      `Check that a worker of its service runs, with the same QUEUE_PREFIX and ENVIRONMENT. ` +
      `If the handler is idempotent, repeat the request with actionId ${this.actionId}`
  }
}

/**
 * The service failed in a way that the contract does not declare. The fields are those of its `ErrorDetail`.
 *
 * @since 0.1.0
 * @category errors
 */
export class RemoteFailure extends Data.TaggedError("RemoteFailure")<{
  readonly actionType: string
  /** For example `ValidationError`, `ProcessingError` or `NotImplemented`. */
  readonly errorType: string
  /** For example `VALIDATION_ERROR`, `HANDLER_EXECUTION_ERROR` or `ACTION_NOT_IMPLEMENTED`. */
  readonly errorCode: string | null
  readonly message: string
  readonly details: { readonly [key: string]: unknown } | null
}> {}
