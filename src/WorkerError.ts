/**
 * Why a worker failed for good.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"

/**
 * The kind of failure that ended a worker.
 *
 * | reason | what to do |
 * | --- | --- |
 * | `NotAuthenticated` | check `REDIS_USERNAME` and `REDIS_PASSWORD` |
 * | `NoPermission` | grant the user the command or key that the message names |
 * | `WrongType` | the key that the message names holds a value of another type: move or delete it |
 * | `Unsupported` | the server lacks, or forbids, a feature that the worker needs: the message quotes it and says what to do |
 * | `Unexpected` | a defect of this library, or of a layer that it runs on: please report it with its cause |
 *
 * @since 0.1.0
 * @category errors
 */
export type WorkerErrorReason =
  | "NotAuthenticated"
  | "NoPermission"
  | "WrongType"
  | "Unsupported"
  | "Unexpected"

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
 *   Effect.tapError((error) =>
 *     error._tag === "WorkerError" && error.reason === "NoPermission"
 *       ? Effect.log("The ACL that a worker needs is in docs/redis.acl")
 *       : Effect.void
 *   )
 * )
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class WorkerError extends Data.TaggedError("WorkerError")<{
  readonly reason: WorkerErrorReason
  /** What the worker was doing, and what to do about it. */
  readonly message: string
  readonly cause?: unknown
}> {}
