/**
 * Effect's own modules over Redis run on the memory layer, their Lua included, as they do on a server.
 */
import { assert, it, layer } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as RateLimiter from "effect/persistence/RateLimiter"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import * as IoRedis from "../../src/IoRedis.ts"
import * as Redis from "../../src/Redis.ts"
import * as RedisMemory from "../../src/RedisMemory.ts"
import { describeInMemory, runsOn } from "../support/place.ts"
import * as RedisServer from "../support/redisServer.ts"

const Queues = PersistedQueue.layer.pipe(
  Layer.provideMerge(PersistedQueue.layerStoreRedis({ prefix: "queues:", pollInterval: "5 millis" }))
)

const Limits = RateLimiter.layer.pipe(Layer.provideMerge(RateLimiter.layerStoreRedis({ prefix: "limits:" })))

const Job = Schema.Struct({ name: Schema.String, text: Schema.String })

/** Jobs that succeed, fail once, fail for good, wait, and come twice; what became of them. */
const jobs = Effect.gen(function*() {
  const queue = yield* PersistedQueue.make({
    name: "jobs",
    schema: Job,
    maxAttempts: 2,
    retrySchedule: Schedule.spaced("1 millis")
  })
  const job = (name: string) => ({ name, text: "é😀\0" })
  for (const name of ["a", "b", "c"]) yield* queue.offer(job(name), { id: `id ${name}` })
  yield* queue.offer(job("a again"), { id: "id a" })
  yield* queue.offer(job("later"), { id: "id later", delay: "1 millis" })
  const taken: Array<string> = []
  yield* Effect.forEach(
    Array.from({ length: 6 }),
    () =>
      Effect.ignore(queue.take(({ name, text }, { attempts, id }) => {
        taken.push(`${name} (${id}), attempt ${attempts}, ${text}`)
        return name === "c" || (name === "b" && attempts === 1) ? Effect.fail("down") : Effect.void
      }))
  )
  const redis = yield* Redis.Redis
  return {
    taken: taken.toSorted((a, b) => a < b ? -1 : 1),
    waiting: yield* redis.send("LLEN", "queues:jobs"),
    pending: yield* redis.send("HLEN", "queues:jobs:pending"),
    failed: yield* redis.send("LLEN", "queues:jobs:failed")
  }
}).pipe(Effect.scoped, Effect.provide(Queues))

const expectedJobs = {
  taken: [
    "a (id a), attempt 1, é😀\0",
    "b (id b), attempt 1, é😀\0",
    "b (id b), attempt 2, é😀\0",
    "c (id c), attempt 1, é😀\0",
    "c (id c), attempt 2, é😀\0",
    "later (id later), attempt 1, é😀\0"
  ],
  waiting: 0,
  pending: 0,
  failed: 1
}

/** What a limiter says to calls in a row, without the times, which are each server's own. */
const limits = Effect.gen(function*() {
  const limiter = yield* RateLimiter.RateLimiter
  const told: Array<unknown> = []
  for (const algorithm of ["fixed-window", "token-bucket"] as const) {
    for (const tokens of [1, 2, 1, 1]) {
      const result = yield* Effect.result(
        limiter.consume({ algorithm, key: algorithm, limit: 4, window: "1 hour", tokens })
      )
      told.push(
        result._tag === "Success" ? [algorithm, result.success.remaining] : [algorithm, result.failure.reason._tag]
      )
    }
  }
  const adaptive = yield* limiter.adaptiveConsume({
    key: "adaptive",
    tokens: 1,
    fallbackLimit: 10,
    fallbackWindow: Duration.minutes(1)
  })
  yield* limiter.adaptiveFeedback({
    key: "adaptive",
    epoch: adaptive.epoch,
    tokens: 1,
    status: 429,
    retryAfter: Duration.seconds(30)
  })
  const after = yield* limiter.adaptiveConsume({
    key: "adaptive",
    tokens: 1,
    fallbackLimit: 10,
    fallbackWindow: Duration.minutes(1)
  })
  told.push([adaptive.phase, after.phase])
  return told
}).pipe(Effect.provide(Limits))

const expectedLimits = [
  ["fixed-window", 3],
  ["fixed-window", 1],
  ["fixed-window", 0],
  ["fixed-window", "RateLimitExceeded"],
  ["token-bucket", 3],
  ["token-bucket", 1],
  ["token-bucket", 0],
  ["token-bucket", "RateLimitExceeded"],
  ["inactive", "cooldown"]
]

const OnServer = Layer.unwrap(Effect.map(RedisServer.RedisServer, ({ url }) => IoRedis.layerOptions({ url }))).pipe(
  Layer.provideMerge(RedisServer.layer())
)

for (
  const [kind, name, redis] of [["memory", "in memory", RedisMemory.layer], [
    "server",
    "on a server",
    OnServer
  ]] as const
) {
  if (!runsOn(kind)) continue
  layer(redis as Layer.Layer<Redis.Redis, unknown>, { excludeTestServices: true })(`Effect's modules ${name}`, (it) => {
    it.effect("PersistedQueue delivers, retries, fails for good, delays, and drops an id that it has seen", () =>
      Effect.map(jobs, (outcome) => assert.deepStrictEqual(outcome, expectedJobs)))

    it.effect("RateLimiter counts windows and buckets, and adapts", () =>
      Effect.map(limits, (told) => assert.deepStrictEqual(told, expectedLimits)))
  })
}

describeInMemory("Effect's modules in memory, by the clock of a test", () => {
  for (const time of [0, Date.UTC(2026, 10, 30)]) {
    it.effect(`RateLimiter opens a new window when its time has come, from ${time}`, () =>
      // The time is set before anything sleeps: a pool that looks at its connections would do so for all the years.
      Effect.andThen(
        TestClock.setTime(time),
        Effect.gen(function*() {
          const limiter = yield* RateLimiter.RateLimiter
          const consume = limiter.consume({ key: "k", limit: 1, window: "1 minute", onExceeded: "fail" })
          assert.strictEqual((yield* consume).remaining, 0)
          yield* TestClock.adjust("59 seconds")
          assert.strictEqual((yield* Effect.flip(consume)).reason._tag, "RateLimitExceeded")
          yield* TestClock.adjust("2 seconds")
          assert.strictEqual((yield* consume).remaining, 0)
        }).pipe(Effect.provide(Limits), Effect.provide(RedisMemory.layer))
      ))
  }
})
