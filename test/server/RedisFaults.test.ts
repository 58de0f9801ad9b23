import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { failureOf } from "../../src/internal/redis/failure.ts"
import { append } from "../../src/internal/scripts/streams.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import { Redis, type RedisError } from "../../src/Redis.ts"
import * as RedisFaults from "../../src/testing/RedisFaults.ts"
import * as Server from "../support/redisServer.ts"
import { until } from "../support/until.ts"

const kindOf = <A, R>(effect: Effect.Effect<A, RedisError, R>) => Effect.map(Effect.flip(effect), failureOf)

describe("RedisFaults over a real client", () => {
  it.live("cuts a blocked read off, restarts the server empty, and goes on", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      yield* Effect.scoped(Effect.gen(function*() {
        const redis = yield* Redis
        yield* redis.send("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
        const connection = yield* redis.reserve
        const reading = yield* Effect.forkChild(
          Effect.flip(connection.send("XREADGROUP", "GROUP", "g", "c", "BLOCK", "60000", "STREAMS", "s", ">"))
        )
        yield* until(
          "the read waits",
          Effect.map(server.cli("CLIENT", "LIST"), (list) => String(list).includes("cmd=xreadgroup"))
        )
        yield* RedisFaults.next(RedisFaults.restartEmpty, "PING")
        assert.strictEqual(yield* kindOf(redis.send("PING")), "Connection")
        assert.strictEqual(failureOf(yield* Fiber.join(reading)), "Connection")
        assert.strictEqual(yield* redis.send("DBSIZE"), 0)
        yield* RedisFaults.next(RedisFaults.dropReply, append)
        yield* Effect.flip(redis.eval(append.script)({ stream: "s", texts: ["one"] }))
        yield* RedisFaults.next(RedisFaults.forgetScripts, append)
        yield* redis.eval(append.script)({ stream: "s", texts: ["two"] })
        assert.strictEqual(yield* redis.send("XLEN", "s"), 2)
      })).pipe(Effect.provide(RedisFaults.layer().pipe(Layer.provide(IoRedis.layerOptions({ url: server.url })))))
      yield* until(
        "no read is left behind",
        Effect.map(server.cli("CLIENT", "LIST"), (list) => !String(list).includes("cmd=xreadgroup"))
      )
    }))
})
