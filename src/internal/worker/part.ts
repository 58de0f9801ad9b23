/**
 * A part: something that a worker does besides messages.
 */
import type * as Effect from "effect/Effect"
import type { RedisError } from "../../Redis.ts"
import type { WorkerError } from "../../WorkerError.ts"
import type { Crew } from "./crew.ts"
import type { Host } from "./host.ts"

export interface Part {
  /** Comes before the first read, and is tried until it passes. */
  readonly starts?: Effect.Effect<void, RedisError>
  /** Reads, claims or promotes. Interrupted first when the worker ends, so that nothing more comes in. */
  readonly takes?: Effect.Effect<unknown, WorkerError>
  /** Renews, writes or samples. Interrupted last, when all is written. */
  readonly keeps?: Effect.Effect<unknown, WorkerError>
}

/** `undefined` where an option leaves the part out. */
export type MakePart = (host: Host, crew: Crew) => Part | undefined
