/**
 * Why a worker ended for good.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"

/**
 * What kind of failure ended a worker.
 *
 * | reason | what to do |
 * | --- | --- |
 * | `NotAuthenticated` | check `REDIS_USERNAME` and `REDIS_PASSWORD` |
 * | `NoPermission` | grant the user the command or key that the message names |
 * | `WrongType` | the key that the message names holds something else: move or delete it |
 * | `Unsupported` | the server lacks, or does not allow, what the worker needs: the message has its words and what to do |
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
 * A worker that cannot go on. Everything that passes by itself (a lost connection, a server that is loading, a missing
 * group) is waited for and never ends a worker; see {@link WorkerErrorReason} for what does.
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
