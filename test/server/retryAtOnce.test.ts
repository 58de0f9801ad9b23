/**
 * A caller that sends again as soon as a command has failed: each command waits for an attempt to connect of its own, and the
 * process goes on meanwhile.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as IoRedis from "../../src/IoRedis.ts"
import * as Redis from "../../src/Redis.ts"
import * as Proxy from "../support/proxy.ts"
import * as Server from "../support/redisServer.ts"
import * as Sentinel from "../support/sentinel.ts"

const send = Effect.flatMap(Redis.Redis, (redis) => redis.send("PING"))

/** Counts the turns of the event loop as long as the scope is open. */
const turns = Effect.gen(function*() {
  let count = 0
  let going = true
  const next = (): void => {
    count++
    if (going) setImmediate(next)
  }
  setImmediate(next)
  yield* Effect.addFinalizer(() => Effect.sync(() => void (going = false)))
  return () => count
})

/** In which turns of the event loop some commands fail that are sent one right after the other. */
const failingTurns = Effect.gen(function*() {
  const now = yield* turns
  return yield* Effect.forEach([1, 2, 3, 4], () => Effect.map(Effect.flip(send), now))
}).pipe(Effect.scoped, Effect.timeout("30 seconds"))

const assertApart = (found: ReadonlyArray<number>) =>
  assert.strictEqual(new Set(found).size, found.length, `they failed in the turns ${found.join(", ")}`)

describe("a command that is sent as soon as another one has failed", () => {
  it.live("waits for the next attempt to connect while nothing listens at the server's port", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      const proxy = yield* Proxy.start(server.port)
      yield* Effect.gen(function*() {
        yield* send
        yield* proxy.refuse
        yield* proxy.cut()
        assertApart(yield* failingTurns)
        yield* proxy.resume
      }).pipe(Effect.provide(IoRedis.layerOptions({ url: proxy.url })))
    }))

  it.live("waits for the next attempt to connect while every connection is closed before it is ready", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      const proxy = yield* Proxy.start(server.port)
      yield* Effect.gen(function*() {
        yield* send
        yield* server.stop
        yield* proxy.cut()
        assertApart(yield* failingTurns)
      }).pipe(Effect.provide(IoRedis.layerOptions({ url: proxy.url })))
    }))

  it.live("waits for the next attempt to connect while no Sentinel answers", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      const proxy = yield* Proxy.start(server.port)
      const sentinel = yield* Sentinel.standIn(proxy.port)
      yield* Effect.gen(function*() {
        yield* send
        yield* sentinel.behave("hangs up")
        yield* proxy.cut()
        assertApart(yield* failingTurns)
        yield* sentinel.behave("answers")
        assert.strictEqual(yield* Effect.timeout(Effect.retry(send, { while: () => true }), "30 seconds"), "PONG")
      }).pipe(Effect.provide(IoRedis.layerOptions({ ioredis: { name: "mymaster", sentinels: [sentinel.address] } })))
    }))
})
