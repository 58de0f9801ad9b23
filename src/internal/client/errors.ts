/**
 * How a call of a client fails. Exported by `ActionClient`.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"

/**
 * The action was not sent: its payload or a config does not fit the contract, an id is no UUID, or it is larger than the
 * limit. The message says where, by the names of fields, and shows no value of the payload.
 *
 * @since 0.1.0
 * @category errors
 */
export class EncodeError extends Data.TaggedError("EncodeError")<{
  readonly actionType: string
  readonly message: string
}> {}

/**
 * No answer came in time. The outcome is unknown: the action may still be waiting, running or done. Repeat the request
 * with the same `actionId` where its handler is idempotent.
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
 * The service failed in a way that the contract does not declare; the fields are those of its `ErrorDetail`.
 *
 * @since 0.1.0
 * @category errors
 */
export class RemoteFailure extends Data.TaggedError("RemoteFailure")<{
  readonly actionType: string
  /** E.g. `ValidationError`, `ProcessingError`, `NotImplemented`. */
  readonly errorType: string
  /** E.g. `VALIDATION_ERROR`, `HANDLER_EXECUTION_ERROR`, `ACTION_NOT_IMPLEMENTED`. */
  readonly errorCode: string | null
  readonly message: string
  readonly details: { readonly [key: string]: unknown } | null
}> {}
