/**
 * Entries that wait for their next attempt: however many they are, they cost a worker no memory and new entries no delay.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as DomainAction from "../../src/DomainAction.ts"
import { RetryLater } from "../../src/HandlerError.ts"
import { type Names, namesOf } from "../../src/internal/redis/names.ts"
import { encodeRecord } from "../../src/internal/wire/entry.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import * as Server from "../support/redisServer.ts"
import { until } from "../support/until.ts"

const naming = QueueNaming.make({ prefix: "nooble4", environment: "dev" })
const payload = { key: Schema.String }
const Plain = Action.make("user.plain", { payload })

const textOf = (type: string, key: string) =>
  DomainAction.encode(DomainAction.make({
    action_id: "00000000-0000-4000-8000-000000000001",
    action_type: type,
    timestamp: "2025-06-29T04:03:00.123456Z",
    data: { key }
  }))

setFlagsFromString("--expose-gc")
// SAFETY: with that flag V8 puts its collector in every new context.
const collectGarbage = runInNewContext("gc") as () => void

const heapUsed = Effect.sync(() => {
  collectGarbage()
  collectGarbage()
  return process.memoryUsage().heapUsed
})

/** Entries that wait for their second attempt, as the settle script leaves them, due in an hour. */
const park = `local time = redis.call('TIME')
local due = string.format('%.0f', tonumber(time[1]) * 1000 + 3600000)
local ids = {}
for i = 1, ARGV[1] do ids[i] = redis.call('XADD', KEYS[1], '*', 'data', ARGV[2]) end
redis.call('XREADGROUP', 'GROUP', ARGV[3], ARGV[4], 'COUNT', ARGV[1], 'STREAMS', KEYS[1], '>')
for i = 1, #ids do
  redis.call('HSET', KEYS[2], ids[i], ARGV[5])
  redis.call('ZADD', KEYS[3], due, ids[i])
end`

const parkMany = Effect.fnUntraced(function*(server: Server.Server, names: Names, count: number) {
  yield* server.cli("XGROUP", "CREATE", names.stream, names.group, "0", "MKSTREAM")
  const record = encodeRecord({ attempts: 1, outcomes: 1, unknownSince: 0, first: "" })
  for (let parked = 0; parked < count; parked += 5_000) {
    yield* server.cli(
      "EVAL",
      park,
      3,
      names.stream,
      names.retryRecords,
      names.retryDue,
      5_000,
      textOf("user.plain", "x".repeat(200)),
      names.group,
      names.waitingConsumer,
      record
    )
  }
})

const appOn = (server: Server.Server) =>
  Layer.mergeAll(
    IoRedis.layerOptions({ url: server.url }),
    QueueNaming.layer
  ).pipe(Layer.provideMerge(Settings.layerOf({ serviceName: "user", block: "500 millis", claimIdle: "1 second" })))

const Ask = Action.make("user.ask", { payload, success: payload })
const Wait = Action.make("user.wait", { payload })

describe("100,000 entries that wait", () => {
  it.live("cost a worker no memory, the server no work, and new ones no delay", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      const names = namesOf(naming, "user")
      yield* parkMany(server, names, 100_000)
      assert.strictEqual(yield* server.cli("ZCARD", names.retryDue), 100_000)
      const context = yield* Layer.build(appOn(server))
      const client = yield* ActionClient.make().pipe(Effect.provideContext(context))
      const before = yield* heapUsed

      let woken = 0
      const worker = yield* Worker.start(
        ActionGroup.make(Ask, Plain).handlers({
          "user.ask": ({ key }) => Effect.succeed({ key }),
          "user.plain": () =>
            Effect.sync(() => {
              woken++
            })
        }),
        { consumers: 2 }
      ).pipe(Effect.provideContext(context))
      const claims = Effect.map(
        server.cli("INFO", "commandstats"),
        (info) => Number(/cmdstat_xclaim:calls=(\d+)/.exec(String(info))?.[1] ?? 0)
      )
      const claimed = yield* claims
      const sweeps = Effect.map(
        server.cli("INFO", "commandstats"),
        (info) => Number(/cmdstat_xinfo\|consumers:calls=(\d+)/.exec(String(info))?.[1] ?? 0)
      )

      for (let asked = 0; asked < 100; asked++) {
        const answer = yield* client.request(Ask, { key: `${asked}` }, { timeout: "20 seconds" })
        assert.strictEqual(answer.key, `${asked}`)
      }
      const enough = (yield* sweeps) + 5
      yield* until("the worker has swept", Effect.map(sweeps, (count) => count >= enough))

      // Nobody took or renewed them: what is renewed now and then is a request that runs.
      assert.isAtMost((yield* claims) - claimed, 50)
      assert.strictEqual(woken, 0)
      assert.strictEqual(yield* server.cli("ZCARD", names.retryDue), 100_000)
      assert.isBelow((yield* heapUsed) - before, 8 * 1024 * 1024)
      const status = yield* worker.status
      assert.deepStrictEqual(status.consumers.map(({ held }) => held), [0, 0, 0])

      // And when all of them are due at once, they are worked off with what the worker may hold, beside new ones.
      yield* server.cli(
        "EVAL",
        "for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, 4999)) do redis.call('ZADD', KEYS[1], 0, id) end",
        1,
        names.retryDue
      )
      let held = 0
      const watched = until(
        "those that are due are done",
        Effect.gen(function*() {
          for (const consumer of (yield* worker.status).consumers) held = Math.max(held, consumer.held)
          return woken === 5_000
        }),
        30_000
      )
      const asking = Effect.forEach(
        Array.from({ length: 50 }, (_, index) => `busy-${index}`),
        (key) => client.request(Ask, { key }, { timeout: "20 seconds" }),
        { concurrency: 10, discard: true }
      )
      yield* Effect.all([watched, asking], { concurrency: "unbounded" })
      // A read and a look at what is due each fill the room that they saw, 200 by default.
      assert.isAtMost(held, 400)
      assert.strictEqual(yield* server.cli("ZCARD", names.retryDue), 95_000)
    }), 90_000)

  it.live("were put to wait by handlers: nothing of them stays in the process", () =>
    Effect.gen(function*() {
      const count = 10_000
      const server = yield* Server.start()
      const names = namesOf(naming, "user")
      const context = yield* Layer.build(appOn(server))
      const client = yield* ActionClient.make().pipe(Effect.provideContext(context))
      const worker = yield* Worker.start(
        ActionGroup.make(Ask, Wait).handlers({
          "user.ask": ({ key }) => Effect.succeed({ key }),
          "user.wait": () => Effect.fail(new RetryLater({ after: "1 hour" }))
        })
      ).pipe(Effect.provideContext(context), Effect.provide(Logger.layer([])))
      const waiting = (wanted: number) =>
        until(`${wanted} wait`, Effect.map(server.cli("ZCARD", names.retryDue), (found) => found === wanted), 40_000)
      const payloads = (from: number, to: number) =>
        Array.from({ length: to - from }, (_, index) => ({ key: `${from + index} ${"x".repeat(200)}` }))

      yield* client.sendMany(Wait, payloads(0, 2_000))
      yield* waiting(2_000)
      const before = yield* heapUsed
      yield* client.sendMany(Wait, payloads(2_000, count))
      yield* waiting(count)
      yield* until(
        "nothing is held",
        Effect.map(worker.status, ({ consumers }) => consumers.every(({ held, unwritten }) => held + unwritten === 0))
      )
      assert.isBelow((yield* heapUsed) - before, 4 * 1024 * 1024)
      const answer = yield* client.request(Ask, { key: "now" }, { timeout: "20 seconds" })
      assert.strictEqual(answer.key, "now")
    }), 90_000)
})
