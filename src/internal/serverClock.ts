/**
 * The server's clock, followed from here: deadlines and ages are the server's, whatever the clocks of hosts say.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Redis, RedisError } from "../Redis.ts"
import { strings } from "./reply.ts"

export interface ServerClock {
  /** Milliseconds by the server's clock, as of the last sample. */
  readonly now: () => number
  readonly sample: Effect.Effect<void, RedisError>
}

export const make = (redis: Redis["Service"], clock: Clock.Clock): ServerClock => {
  let offset = 0
  return {
    now: () => clock.currentTimeMillisUnsafe() + offset,
    sample: Effect.suspend(() => {
      const sent = clock.currentTimeMillisUnsafe()
      return Effect.map(redis.send("TIME"), (reply) => {
        const [seconds, micros] = strings(reply).map(Number)
        if (seconds === undefined || micros === undefined) return
        // The reply was written about half-way between sending and receiving.
        const midway = (sent + clock.currentTimeMillisUnsafe()) / 2
        offset = seconds * 1000 + Math.floor(micros / 1000) - Math.floor(midway)
      })
    })
  }
}
