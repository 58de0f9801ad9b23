/**
 * How many readers a process may start: as many as there are connections for, and one more for answers.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import type * as Redis from "../../src/Redis.ts"
import * as RedisMemory from "../../src/RedisMemory.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import * as Server from "../support/redisServer.ts"
import { until } from "../support/until.ts"

const Ask = Action.make("user.ask", { payload: {}, success: {} })

const handlers = ActionGroup.make(Ask).handlers({ "user.ask": () => Effect.succeed({}) })

const appOn = <E>(redis: Layer.Layer<Redis.Redis, E>) =>
  ActionClient.layer.pipe(
    Layer.provideMerge(Layer.mergeAll(QueueNaming.layer, redis)),
    Layer.provideMerge(Settings.layerOf({ serviceName: "user" })),
    Layer.provideMerge(Logger.layer([]))
  )

const app = (options: IoRedis.Options) =>
  Effect.map(Server.start(), ({ url }) =>
    appOn(
      Layer.provide(IoRedis.layerOptions({ url, ...options }), Settings.layerOf({ serviceName: "user" }))
    ))

const allRead = (worker: Worker.Worker["Service"]) =>
  until(
    "all of them read",
    Effect.map(worker.status, ({ consumers }) =>
      consumers.every(({ lastRead, reads }) => !reads || lastRead !== undefined)),
    20_000
  )

const asksBesideMany = Effect.gen(function*() {
  const worker = yield* Worker.start(handlers, { consumers: 64, block: "100 millis" })
  yield* allRead(worker)
  const client = yield* ActionClient.ActionClient
  assert.deepStrictEqual(yield* client.request(Ask, {}, { timeout: "30 seconds" }), {})
}).pipe(Effect.scoped)

const tooMany = Effect.gen(function*() {
  const error = yield* Effect.flip(Worker.start(handlers, { consumers: 4, block: "100 millis" }))
  assert.strictEqual(error._tag, "InvalidOption")
  assert.match(error.message, /"consumers" is 4.*pool\.maxConnections.* 5/)
}).pipe(Effect.scoped)

describe("readers", () => {
  it.live(
    "as many as there are leave a connection for answers",
    () => Effect.flatMap(app({}), (layer) => Effect.provide(asksBesideMany, layer)),
    60_000
  )

  it.live(
    "as many as there are leave a connection for answers in memory",
    () => Effect.provide(asksBesideMany, appOn(RedisMemory.layer)),
    60_000
  )

  it.live("of which there are more than the pool has connections are refused in memory", () =>
    Effect.provide(tooMany, appOn(RedisMemory.layerOptions({ maxConnections: 4 }))))

  it.live(
    "of which there are more than the pool has connections are refused at the start, those of other workers counted",
    () =>
      Effect.gen(function*() {
        const layer = yield* app({ pool: { maxConnections: 4 } })
        yield* Effect.gen(function*() {
          const start = (consumers: number) => Worker.start(handlers, { consumers, block: "100 millis" })
          const error = yield* Effect.flip(start(4))
          assert.strictEqual(error._tag, "InvalidOption")
          assert.match(error.message, /"consumers" is 4.*pool\.maxConnections.* 5/)
          yield* Effect.scoped(start(3))
          yield* start(2)
          assert.match((yield* Effect.flip(start(2))).message, /pool\.maxConnections.* 5/)
          const worker = yield* start(1)
          yield* allRead(worker)
          const client = yield* ActionClient.ActionClient
          assert.deepStrictEqual(yield* client.request(Ask, {}, { timeout: "30 seconds" }), {})
        }).pipe(Effect.scoped, Effect.provide(layer))
      }),
    60_000
  )
})
