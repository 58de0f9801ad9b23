/**
 * Estimates the server's clock. Deadlines and ages use it, whatever the clocks of hosts say and whenever they are set.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type Redis, type RedisError, script as redisScript } from "../../Redis.ts"
import { monotonicMillis } from "../base/monotonic.ts"
import { isCluster } from "./cluster.ts"
import { strings } from "./reply.ts"

export interface ServerClock {
  /** Milliseconds by the server's clock, as of the last sample. */
  readonly now: () => number
  /** The same for a given time of this process, in monotonic milliseconds. */
  readonly at: (monotonic: number) => number
  readonly sample: Effect.Effect<void, RedisError>
}

/** A command without a key reaches any node of a cluster, and their clocks differ: this asks the one that has the key. */
const timeAt = redisScript((key: string) => [key], { lua: "return redis.call('TIME')", numberOfKeys: 1 })
  .withReturnType<unknown>()

const ask = (redis: Redis["Service"], key: string): Effect.Effect<unknown, RedisError> =>
  isCluster(redis) ? redis.eval(timeAt)(key) : redis.send("TIME")

const millisOf = (reply: unknown): number | undefined => {
  const [seconds, micros] = strings(reply).map(Number)
  return seconds === undefined || micros === undefined ? undefined : seconds * 1000 + micros / 1000
}

/** Milliseconds by the clock of the server that has the key. */
export const nowAt = (redis: Redis["Service"], key: string): Effect.Effect<number, RedisError> =>
  Effect.map(ask(redis, key), (reply) => Math.floor(millisOf(reply) ?? 0))

/** The round-trip time above which a sample is discarded, in milliseconds. */
const longestTrip = 1_000

/** `key`: one of those that the times are for. */
export const make = (redis: Redis["Service"], clock: Clock.Clock, key: string): ServerClock => {
  const asked = ask(redis, key)
  let offset = clock.currentTimeMillisUnsafe() - monotonicMillis(clock)
  let sampled = false
  const at = (monotonic: number): number => Math.floor(monotonic + offset)
  return {
    now: () => at(monotonicMillis(clock)),
    at,
    sample: Effect.suspend(() => {
      const sent = monotonicMillis(clock)
      return Effect.map(asked, (reply) => {
        const millis = millisOf(reply)
        if (millis === undefined) return
        const received = monotonicMillis(clock)
        // The server wrote the reply about half-way between sending and receiving. A late reply is less exact than the
        // current estimate.
        if (sampled && received - sent > longestTrip) return
        sampled = true
        offset = millis - (sent + received) / 2
      })
    })
  }
}
