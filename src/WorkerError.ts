/**
 * Why a worker failed for good.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

const id = "effect-redis-workers/WorkerError"

const fields = {
  /** What the worker was doing, what the server said, and what to do about it. */
  message: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}

/**
 * The server no longer accepts the user or the password. Check `REDIS_USERNAME` and `REDIS_PASSWORD`.
 *
 * @since 0.2.0
 * @category errors
 */
export class NotAuthenticated
  extends Schema.TaggedError<NotAuthenticated>(`${id}/NotAuthenticated`)("NotAuthenticated", fields)
{}

/**
 * The user may not use a command or a key. Grant what the message names.
 *
 * @since 0.2.0
 * @category errors
 */
export class NoPermission extends Schema.TaggedError<NoPermission>(`${id}/NoPermission`)("NoPermission", fields) {}

/**
 * A key of the worker holds a value of another type. Move or delete the key that the message names.
 *
 * @since 0.2.0
 * @category errors
 */
export class WrongType extends Schema.TaggedError<WrongType>(`${id}/WrongType`)("WrongType", fields) {}

/**
 * The server lacks, or forbids, a feature that the worker needs. The message quotes the server and says what to do.
 *
 * @since 0.2.0
 * @category errors
 */
export class Unsupported extends Schema.TaggedError<Unsupported>(`${id}/Unsupported`)("Unsupported", fields) {}

/**
 * Contracts of the worker have lanes, and other groups read its stream. Remove those groups, or the lanes.
 *
 * @since 0.2.0
 * @category errors
 */
export class LanesNeedOneGroup
  extends Schema.TaggedError<LanesNeedOneGroup>(`${id}/LanesNeedOneGroup`)("LanesNeedOneGroup", fields)
{}

/**
 * A defect of this library, or of a layer below it. Please report it with its cause.
 *
 * @since 0.2.0
 * @category errors
 */
export class Unexpected extends Schema.TaggedError<Unexpected>(`${id}/Unexpected`)("Unexpected", fields) {}

/**
 * The kinds of failure that end a worker.
 *
 * @since 0.1.0
 * @category errors
 */
export type WorkerErrorReason =
  | NotAuthenticated
  | NoPermission
  | WrongType
  | Unsupported
  | LanesNeedOneGroup
  | Unexpected

/**
 * The schema of {@link WorkerErrorReason}.
 *
 * @since 0.2.0
 * @category errors
 */
export const WorkerErrorReason: Schema.Union<
  [
    typeof NotAuthenticated,
    typeof NoPermission,
    typeof WrongType,
    typeof Unsupported,
    typeof LanesNeedOneGroup,
    typeof Unexpected
  ]
> = Schema.Union([NotAuthenticated, NoPermission, WrongType, Unsupported, LanesNeedOneGroup, Unexpected])

/**
 * A worker that cannot go on. Temporary failures (a lost connection, a server that is loading, a missing group) never
 * end a worker; it waits until they pass. See {@link WorkerErrorReason} for the failures that do.
 *
 * **Example** (A hint for one reason)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Worker } from "effect-redis-workers"
 *
 * const program = Worker.run({ "user.ping": () => Effect.succeed({ pong: true }) }).pipe(
 *   Effect.catchReason("WorkerError", "NoPermission", (reason) =>
 *     Effect.die(`Grant the rights that docs/redis.acl lists. ${reason.message}`))
 * )
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class WorkerError extends Schema.TaggedError<WorkerError>()("WorkerError", { reason: WorkerErrorReason }) {
  override get message(): string {
    return this.reason.message
  }

  override get cause(): unknown {
    return this.reason.cause
  }
}
