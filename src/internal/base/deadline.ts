/** The deadline of a handler. It limits the requests that the handler makes. */
import * as Context from "effect/Context"

/**
 * When the run is interrupted, in monotonic milliseconds; `Infinity` outside of handlers, and in handlers without a
 * limit.
 */
export const Deadline: Context.Reference<number> = Context.Reference<number>(
  "effect-redis-workers/internal/Deadline",
  { defaultValue: () => Number.POSITIVE_INFINITY }
)

/**
 * The timeout of a request that has none of its own: the default, but at most the time left. Work that continues after
 * its handler's deadline was started to outlive the handler, and gets the default again.
 */
export const within = (deadline: number, now: number, byDefault: number): number =>
  deadline <= now ? byDefault : Math.min(byDefault, Math.max(1, Math.floor(deadline - now)))
