/**
 * What workers ask of a server with a very large backlog, besides running actions: the sweep, claims, promotions, trimming and the
 * limits of dead letters. No call may keep the server for more than 20 ms.
 *
 * `INSPECTED=10` divides the sizes, to try the file itself.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { namesOf } from "../../src/internal/redis/names.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import { fill, logging } from "../support/backlog.ts"
import * as Server from "../support/redisServer.ts"
import { until } from "../support/until.ts"

const divisor = Number(process.env["INSPECTED"] ?? 1)
const sizes = {
  entries: 400_000 / divisor,
  held: 10_000 / divisor,
  retrying: 200_000 / divisor,
  letters: 100_000 / divisor,
  parked: 100_000 / divisor
}

/** In milliseconds. */
const most = 20
const logged = 1

/** The log also counts the time for which another process has the server's core. */
const mayBeOver = 5

/** Makes everything that is parked due. */
const makeDue = `for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZADD', KEYS[1], 1, id) end`

/** A second group, which has read and acknowledged everything: then entries are trimmed, and not deleted when they are settled. */
const audit = `redis.call('XGROUP', 'CREATE', KEYS[1], 'audit', '$')`

const world = Effect.gen(function*() {
  const server = yield* Server.start()
  const names = namesOf(QueueNaming.make({ prefix: "nooble4", environment: "dev" }), "user")
  yield* fill(server, names, sizes)
  yield* server.cli("EVAL", makeDue, 1, names.parkedDue)
  yield* server.cli("EVAL", audit, 1, names.stream)
  const context = yield* Layer.build(
    Layer.mergeAll(IoRedis.layerOptions({ url: server.url }), QueueNaming.layer).pipe(
      Layer.provideMerge(Settings.layerOf({ serviceName: "user" }))
    )
  )
  const count = (...command: ReadonlyArray<string>) => Effect.map(server.cli(...command), Number)
  return { context, count, names, server }
})

describe(`With ${sizes.entries} entries, of which ${sizes.retrying} wait and ${sizes.held} were left by dead workers`, () => {
  it.live("no call of a worker keeps the server for more than 20 ms", () =>
    Effect.gen(function*() {
      const { context, count, names, server } = yield* world
      const slow = yield* logging(server, logged * 1_000)
      let handled = 0
      // SAFETY: the type of one of them stands for all, which are action types.
      const handlers = Object.fromEntries(
        Array.from({ length: 20 }, (_, type) => [`user.t${type}`, () => Effect.sync(() => void handled++)])
      ) as { readonly "user.t0": () => Effect.Effect<void> }
      yield* Worker.start(handlers, {
        concurrency: 200,
        consumers: 2,
        shutdownGrace: 0,
        deadLetters: { maxCount: sizes.letters / 2 }
      }).pipe(Effect.provideContext(context))
      const done = sizes.entries - sizes.retrying + sizes.parked
      const within = 600_000
      yield* until("everything but the retries ran", Effect.sync(() => handled >= done), within)
      yield* until(
        "letters are dropped",
        Effect.map(count("XLEN", names.deadLetters), (n) => n <= sizes.letters / 2),
        within
      )
      yield* until("nothing is parked", Effect.map(count("ZCARD", names.parkedDue), (n) => n === 0), within)
      // The audit group needs nothing before its start, and the retries are the oldest: entries after them stay.
      assert.strictEqual(yield* count("ZCARD", names.retryDue), sizes.retrying)

      const calls = yield* slow
      const byScript = Map.groupBy(calls, ({ what }) => what)
      const table = [...byScript].map(([what, of]) => {
        const times = of.map(({ millis }) => millis).sort((a, b) => b - a)
        const over = times.filter((millis) => millis > most).length
        return `${
          times[0]!.toFixed(2).padStart(8)
        } ms  ${what}: ${of.length} calls over ${logged} ms, ${over} over ${most} ms`
      })
      yield* Effect.sync(() =>
        process.stdout.write(`The longest call of each:\n${table.sort().toReversed().join("\n")}\n`)
      )
      const over = calls.filter(({ millis }) => millis > most)
      assert.isAtMost(over.length, mayBeOver, JSON.stringify(over.slice(0, 20)))
    }), 1_800_000)
})
