/**
 * Until when a handler has time, for the requests that it makes itself: none of them is waited for longer.
 */
import * as Context from "effect/Context"

/** Monotonic milliseconds after which the run is interrupted; `Infinity` outside of handlers, and in those without a limit. */
export const Deadline: Context.Reference<number> = Context.Reference<number>(
  "effect-redis-workers/internal/Deadline",
  { defaultValue: () => Number.POSITIVE_INFINITY }
)

/**
 * The time of a request that has none of its own: the default, but no more than is left. What goes on when the time of its
 * handler is over was started to outlive it, and has the default again.
 */
export const within = (deadline: number, now: number, byDefault: number): number =>
  deadline <= now ? byDefault : Math.min(byDefault, Math.max(1, Math.floor(deadline - now)))
