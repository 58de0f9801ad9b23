/**
 * Pools of reserved connections that have a bound, and the readers that hold them for good.
 *
 * A reader that finds no connection waits for one in vain, and so does whoever waits for answers: they are counted, so that
 * the start of a worker can tell. Of another `Redis` layer nothing is known, and nothing is refused.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Redis } from "../../Redis.ts"
import { WorkerError } from "../../WorkerError.ts"

interface Bound {
  readonly maxConnections: number
  readers: number
}

const bounds = new WeakMap<Redis["Service"], Bound>()

export const register = (redis: Redis["Service"], maxConnections: number): void => {
  bounds.set(redis, { maxConnections, readers: 0 })
}

/** Counts readers until the scope ends; fails when there are no connections for them and for one who waits for answers. */
export const seat = (redis: Redis["Service"], readers: number): Effect.Effect<void, WorkerError, Scope.Scope> =>
  Effect.suspend(() => {
    const bound = bounds.get(redis)
    if (bound === undefined) return Effect.void
    const others = bound.readers
    const needed = others + readers + 1
    if (needed > bound.maxConnections) {
      return new WorkerError({
        reason: "InvalidOptions",
        message:
          `The option consumers is ${readers}: each reads on a connection of its own and answers need another, but ` +
          `the pool of the Redis layer has ${bound.maxConnections}` +
          `${others > 0 ? `, of which other workers hold ${others}` : ""}. ` +
          `Set its option pool.maxConnections to ${needed} at least, or leave it out`
      })
    }
    bound.readers += readers
    return Effect.addFinalizer(() =>
      Effect.sync(() => {
        bound.readers -= readers
      })
    )
  })
