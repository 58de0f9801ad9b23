/**
 * The server's clock, followed from here: deadlines and ages are the server's, whatever the clocks of hosts say and
 * whenever they are set.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Redis, RedisError } from "../../Redis.ts"
import { monotonicMillis } from "../base/monotonic.ts"
import { strings } from "./reply.ts"

export interface ServerClock {
  /** Milliseconds by the server's clock, as of the last sample. */
  readonly now: () => number
  /** The same for a moment of this process, in monotonic milliseconds. */
  readonly at: (monotonic: number) => number
  readonly sample: Effect.Effect<void, RedisError>
}

/** Milliseconds from command to reply, beyond which a sample is left out. */
const longestTrip = 1_000

export const make = (redis: Redis["Service"], clock: Clock.Clock): ServerClock => {
  let offset = clock.currentTimeMillisUnsafe() - monotonicMillis(clock)
  let sampled = false
  const at = (monotonic: number): number => Math.floor(monotonic + offset)
  return {
    now: () => at(monotonicMillis(clock)),
    at,
    sample: Effect.suspend(() => {
      const sent = monotonicMillis(clock)
      return Effect.map(redis.send("TIME"), (reply) => {
        const [seconds, micros] = strings(reply).map(Number)
        if (seconds === undefined || micros === undefined) return
        const received = monotonicMillis(clock)
        // The reply was written about half-way between sending and receiving. A late one would know less than we do.
        if (sampled && received - sent > longestTrip) return
        sampled = true
        offset = seconds * 1000 + micros / 1000 - (sent + received) / 2
      })
    })
  }
}
