/**
 * Workers that share a process and, often by mistake, the same actions.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as IoRedis from "../../src/IoRedis.ts"
import * as Worker from "../../src/Worker.ts"
import { onBoth, onServer, Place } from "../support/layers.ts"
import * as Server from "../support/redisServer.ts"

const quick = { block: "200 millis", shutdownGrace: 0 } as const

const create = { "user.create": () => Effect.void }
const change = { "user.change": () => Effect.void }
const both = { ...create, ...change }

const warnings = Effect.map(
  Place,
  ({ logs }) => logs.filter(({ level, text }) => level === "Warn" && /Another worker in this process/.test(text))
)

onBoth("a second worker in one process", (test) => {
  test("warns that another one handles the same type, and says what to do", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      yield* Worker.start(create, quick)
      assert.strictEqual((yield* warnings).length, 0)
      yield* Worker.start(create, quick)
      const [line, ...others] = yield* warnings
      assert.strictEqual(others.length, 0)
      assert.include(line?.text, `already handles user.create from ${names.stream}`)
      assert.include(line?.text, "concurrency or consumers")
    }))

  test("names only the types that both handle, and few of many", () =>
    Effect.gen(function*() {
      yield* Worker.start(create, quick)
      yield* Worker.start(both, quick)
      assert.match((yield* warnings)[0]?.text ?? "", /handles user\.create from/)
      const many = { "user.a": create["user.create"], "user.b": create["user.create"], "user.c": create["user.create"] }
      yield* Worker.start(many, quick)
      assert.strictEqual((yield* warnings).length, 1)
      yield* Worker.start({ ...many, ...both }, quick)
      assert.match((yield* warnings)[1]?.text ?? "", /handles user\.a, user\.b, user\.c and 2 more from/)
    }))

  test("warns of nothing when it handles other types, or those of another service", () =>
    Effect.gen(function*() {
      yield* Worker.start(create, quick)
      yield* Worker.start(change, quick)
      yield* Worker.start(create, { ...quick, service: "other" })
      assert.strictEqual((yield* warnings).length, 0)
    }))

  test("warns of nothing when the first has drained, or its scope has ended", () =>
    Effect.gen(function*() {
      const first = yield* Worker.start(create, quick)
      yield* first.drain
      const scope = yield* Scope.make()
      yield* Scope.provide(Worker.start(create, quick), scope)
      yield* Scope.close(scope, Exit.void)
      yield* Worker.start(create, quick)
      assert.strictEqual((yield* warnings).length, 0)
    }))

  test("warns of nothing when the first could not start", () =>
    Effect.gen(function*() {
      yield* Effect.flip(Effect.scoped(Worker.start(create, { ...quick, concurrency: 0 })))
      yield* Worker.start(create, quick)
      assert.strictEqual((yield* warnings).length, 0)
    }))
})

onServer("a second worker with a Redis layer of its own", (test) => {
  test("warns all the same when it is at the same address", () =>
    Effect.gen(function*() {
      const { url } = yield* Server.RedisServer
      yield* Worker.start(create, quick)
      const redis = yield* Layer.build(IoRedis.layerOptions({ url }))
      yield* Effect.provideContext(Worker.start(create, quick), redis)
      assert.strictEqual((yield* warnings).length, 1)
    }))

  test("warns of nothing in another database, or at another server", () =>
    Effect.gen(function*() {
      const { url } = yield* Server.RedisServer
      const other = yield* Server.start()
      yield* Worker.start(create, quick)
      for (const elsewhere of [`${url}/1`, other.url]) {
        const redis = yield* Layer.build(IoRedis.layerOptions({ url: elsewhere }))
        yield* Effect.provideContext(Worker.start(create, quick), redis)
      }
      assert.strictEqual((yield* warnings).length, 0)
    }))
})
