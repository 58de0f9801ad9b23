/**
 * A connection that was left behind with a read is ended, and no other.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ownConnections from "../../src/internal/redis/ownConnections.ts"
import { Redis } from "../../src/Redis.ts"
import { onBoth, Place } from "../support/layers.ts"

const start = Effect.gen(function*() {
  const redis = yield* Redis
  const { environment } = yield* Place
  return { redis, own: ownConnections.make(redis, environment, environment) }
})

onBoth("Own connections", (test) => {
  test("go back to the pool when nothing is read on them, and their next user keeps them", () =>
    Effect.gen(function*() {
      const { own, redis } = yield* start
      const idOfFirst = yield* Effect.scoped(Effect.gen(function*() {
        const connection = yield* redis.reserve
        yield* own.identify(connection, () => true)
        return yield* connection.send("CLIENT", "ID")
      }))
      const next = yield* redis.reserve
      assert.include([null, ""], yield* next.send("CLIENT", "GETNAME"))
      yield* own.end
      assert.strictEqual(yield* next.send("CLIENT", "ID"), idOfFirst)
    }))

  test("are ended when a read was left behind on them", () =>
    Effect.gen(function*() {
      const { own, redis } = yield* start
      // Whether anybody else would close it is not what is looked at: here nobody does.
      const connection = yield* redis.reserve
      yield* Effect.scoped(own.identify(connection, () => false))
      yield* own.end
      assert.strictEqual((yield* Effect.result(connection.send("PING")))._tag, "Failure")
    }))
})
