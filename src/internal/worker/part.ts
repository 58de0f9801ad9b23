/** A part is a task of a worker besides messages. */
import type * as Effect from "effect/Effect"
import type { RedisError } from "../../Redis.ts"
import type { WorkerError } from "../../WorkerError.ts"
import type { InvalidOption } from "../base/invalidOption.ts"
import type { Crew } from "./crew.ts"
import type { Host } from "./host.ts"

export interface Part {
  /** Runs before the first read, and is retried until it succeeds. Returns why the worker cannot start. */
  readonly starts?: Effect.Effect<InvalidOption | void, RedisError>
  /** Reads, claims or promotes. It is interrupted first when the worker ends, so that no more entries arrive. */
  readonly takes?: Effect.Effect<unknown, WorkerError>
  /** Renews, writes or samples. It is interrupted last, after everything is written. */
  readonly keeps?: Effect.Effect<unknown, WorkerError>
}

/** `undefined` if an option disables the part. */
export type MakePart = (host: Host, crew: Crew) => Part | undefined
