/**
 * The errors of client calls, exported by `ActionClient`.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"

const id = "effect-redis-workers/ActionClient"

/** What is wrong, what was found and what is expected. */
const fields = { message: Schema.String }

/**
 * The payload does not fit the contract.
 *
 * @since 0.2.0
 * @category errors
 */
export class InvalidPayload
  extends Schema.TaggedError<InvalidPayload>(`${id}/InvalidPayload`)("InvalidPayload", fields)
{}

/**
 * A config does not fit the contract.
 *
 * @since 0.2.0
 * @category errors
 */
export class InvalidConfig extends Schema.TaggedError<InvalidConfig>(`${id}/InvalidConfig`)("InvalidConfig", fields) {}

/**
 * No worker would accept the action: an id is not a UUID, it cannot be written as JSON, or it is nested too deeply.
 *
 * @since 0.2.0
 * @category errors
 */
export class InvalidAction extends Schema.TaggedError<InvalidAction>(`${id}/InvalidAction`)("InvalidAction", fields) {}

/**
 * The action is larger than `WORKER_PAYLOAD_LIMIT`.
 *
 * @since 0.2.0
 * @category errors
 */
export class TooLarge extends Schema.TaggedError<TooLarge>(`${id}/TooLarge`)("TooLarge", fields) {}

/**
 * There is no stream for the action: its service cannot be part of a name, or the naming has no stream for it.
 *
 * @since 0.2.0
 * @category errors
 */
export class NoStream extends Schema.TaggedError<NoStream>(`${id}/NoStream`)("NoStream", fields) {}

/**
 * Why an action was not sent.
 *
 * @since 0.2.0
 * @category errors
 */
export type EncodeErrorReason = InvalidPayload | InvalidConfig | InvalidAction | TooLarge | NoStream

/**
 * The schema of {@link EncodeErrorReason}.
 *
 * @since 0.2.0
 * @category errors
 */
export const EncodeErrorReason: Schema.Union<
  [typeof InvalidPayload, typeof InvalidConfig, typeof InvalidAction, typeof TooLarge, typeof NoStream]
> = Schema.Union([InvalidPayload, InvalidConfig, InvalidAction, TooLarge, NoStream])

/**
 * The action was not sent: its payload or a config does not fit the contract, no worker would accept it, it is larger
 * than the limit, or there is no stream for it. The message names the fields and shows no value of the payload.
 *
 * **Example** (Refuse input that is too large)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Action, ActionClient } from "effect-redis-workers"
 *
 * const Store = Action.make("files.store", { payload: { text: Schema.String } })
 *
 * const store = (text: string) =>
 *   ActionClient.send(Store, { text }).pipe(
 *     Effect.as("stored"),
 *     Effect.catchReason("EncodeError", "TooLarge", () => Effect.succeed("too large"))
 *   )
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class EncodeError extends Schema.TaggedError<EncodeError>()("EncodeError", {
  actionType: Schema.String,
  reason: EncodeErrorReason
}) {
  override get message(): string {
    return this.reason.message
  }
}

/**
 * The service has no worker that understands what a call needs, so nothing was sent. Workers of 0.1 do not know about
 * actions that are due later.
 *
 * @since 0.2.0
 * @category errors
 */
export class NotSupported extends Schema.TaggedError<NotSupported>()("NotSupported", {
  service: Schema.String,
  /** What the call needs, such as `parked` or `unique`. */
  needs: Schema.String
}) {
  override get message(): string {
    return `No worker of ${this.service} supports "${this.needs}", so nothing was sent: start a worker of version 0.2 or ` +
      "newer with the same QUEUE_PREFIX and ENVIRONMENT first, and then the senders"
  }
}

/**
 * The lane of the action takes no more: as many wait as its contract allows, or it has an action already and drops others.
 * The actions in `actionIds` were not sent.
 *
 * @since 0.2.0
 * @category errors
 */
export class LaneFull extends Schema.TaggedError<LaneFull>()("LaneFull", {
  actionType: Schema.String,
  service: Schema.String,
  actionIds: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `The lane of ${this.actionType} in ${this.service} is full, so ${this.actionIds.length} actions were not sent: ` +
      "send them again later, or allow more in the backlog of its contract"
  }
}

/**
 * A handler asks for an action of a lane that it runs in itself, with a concurrency of 1. The answer could never come, so nothing
 * was sent.
 *
 * @since 0.2.0
 * @category errors
 */
export class LaneHeld extends Schema.TaggedError<LaneHeld>()("LaneHeld", {
  actionType: Schema.String,
  service: Schema.String
}) {
  override get message(): string {
    return `The handler asks for ${this.actionType} of ${this.service} and has the only place in its lane itself: ` +
      "send the action without waiting for its answer, or do its work in this handler"
  }
}

/**
 * The action is not scheduled: it became due and was sent, was removed, or never was scheduled.
 *
 * @since 0.2.0
 * @category errors
 */
export class NotScheduled extends Schema.TaggedError<NotScheduled>()("NotScheduled", {
  service: Schema.String,
  actionId: Schema.String
}) {
  override get message(): string {
    return `The action ${this.actionId} is not scheduled in ${this.service}: it became due, was removed, or was never ` +
      "scheduled. Check the service and the id"
  }
}

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
export class RequestTimeout extends Schema.TaggedError<RequestTimeout>()("RequestTimeout", {
  actionType: Schema.String,
  actionId: Schema.String,
  correlationId: Schema.String,
  timeout: Schema.Duration
}) {
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
export class RemoteFailure extends Schema.TaggedError<RemoteFailure>()("RemoteFailure", {
  actionType: Schema.String,
  /** For example `ValidationError`, `ProcessingError` or `NotImplemented`. */
  errorType: Schema.String,
  /** For example `VALIDATION_ERROR`, `HANDLER_EXECUTION_ERROR` or `ACTION_NOT_IMPLEMENTED`. */
  errorCode: Schema.NullOr(Schema.String),
  message: Schema.String,
  details: Schema.NullOr(Schema.Record(Schema.String, Schema.Unknown))
}) {}
