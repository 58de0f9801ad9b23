import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import { blockOf } from "../../src/internal/ioredis/connection.ts"
import { failureOf } from "../../src/internal/redis/failure.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as Redis from "../../src/Redis.ts"
import { recording } from "../support/logs.ts"
import * as Proxy from "../support/proxy.ts"
import * as Server from "../support/redisServer.ts"
import { until } from "../support/until.ts"

/** A server, a proxy before it, and the services over the proxy. */
const setup = (options?: IoRedis.Options) =>
  Effect.gen(function*() {
    const server = yield* Server.start()
    const proxy = yield* Proxy.start(server.port)
    return { server, proxy, layer: IoRedis.layerOptions({ url: proxy.url, ...options }) }
  })

const kindOf = <A, R>(effect: Effect.Effect<A, Redis.RedisError, R>) => Effect.map(Effect.flip(effect), failureOf)

/** Works, in the end: what a caller sees who tries again. */
const recovers = Effect.flatMap(
  Redis.Redis,
  (redis) =>
    until("commands work again", Effect.map(Effect.result(redis.send("PING")), (result) => result._tag === "Success"))
)

const blocked = (server: Server.Server, command: string) =>
  Effect.map(server.cli("CLIENT", "LIST"), (list) => String(list).includes(` cmd=${command} `))

describe("the shared connection", () => {
  it.live("fails a command whose reply is lost, and never sends it again", () =>
    Effect.gen(function*() {
      const { layer, proxy, server } = yield* setup()
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        yield* proxy.loseNextReply()
        assert.strictEqual(yield* kindOf(redis.send("XADD", "s", "*", "data", "1")), "Connection")
        yield* recovers
        assert.strictEqual(yield* server.cli("XLEN", "s"), 1)
      }).pipe(Effect.provide(layer))
    }))

  it.live("fails every command that is cut in the middle of its replies, and works again", () =>
    Effect.gen(function*() {
      const { layer, proxy, server } = yield* setup()
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        yield* redis.send("SET", "big", "x".repeat(10_000))
        yield* proxy.cutAfter(15_000)
        const results = yield* Effect.all(
          Array.from({ length: 5 }, () => Effect.exit(redis.send<string>("GET", "big"))),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(results.map(Exit.isSuccess), [true, false, false, false, false])
        yield* recovers
        assert.strictEqual((yield* redis.send<string>("GET", "big")).length, 10_000)
        assert.strictEqual(yield* server.cli("DBSIZE"), 1)
      }).pipe(Effect.provide(layer))
    }))

  it.live("answers every command, one way or the other, when it is cut under load", () =>
    Effect.gen(function*() {
      const { layer, proxy, server } = yield* setup()
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        let sent = 0
        let failed = 0
        const add = Effect.suspend(() => {
          sent++
          return redis.send("XADD", "s", "*", "data", "x".repeat(200))
        }).pipe(
          Effect.catch((error) => {
            assert.strictEqual(failureOf(error), "Connection")
            failed++
            return Effect.void
          })
        )
        const load = yield* Effect.forkChild(Effect.all(
          Array.from({ length: 64 }, () => Effect.forEach(Array.from({ length: 100 }), () => add, { discard: true })),
          { concurrency: "unbounded", discard: true }
        ))
        for (let cut = 0; cut < 3; cut++) {
          const before = sent
          yield* until("more was sent", Effect.sync(() => sent > before + 500 || sent >= 6000))
          yield* proxy.cut()
        }
        yield* Fiber.join(load)
        yield* recovers
        const kept = Number(yield* server.cli("XLEN", "s"))
        // A failed command was carried out once or not at all; one that succeeded, exactly once.
        assert.isAtLeast(kept, sent - failed)
        assert.isAtMost(kept, sent)
        assert.strictEqual(sent, 6400)
      }).pipe(Effect.provide(layer))
    }))

  it.live("finds out that its peer is gone without a word when a command waits", () =>
    Effect.gen(function*() {
      const { layer, proxy } = yield* setup({ replyTimeout: "300 millis" })
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        yield* proxy.blackhole()
        assert.strictEqual(yield* kindOf(redis.send("PING")), "Connection")
        yield* proxy.resume
        yield* recovers
      }).pipe(Effect.provide(layer))
    }))

  it.live("finds out that its peer is gone without a word while it is idle", () =>
    Effect.gen(function*() {
      const { layer, proxy } = yield* setup({ replyTimeout: "200 millis", healthCheckInterval: "100 millis" })
      yield* Effect.gen(function*() {
        const { client } = yield* IoRedis.IoRedis
        yield* proxy.blackhole()
        yield* until("the loss is noticed", Effect.sync(() => client.status !== "ready"))
        yield* proxy.resume
        yield* until("it is back", Effect.sync(() => client.status === "ready"))
      }).pipe(Effect.provide(layer))
    }))

  it.live("fails commands while the server is down, and works again after its restart", () =>
    Effect.gen(function*() {
      const { layer, server } = yield* setup()
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        yield* server.stop
        for (let attempt = 0; attempt < 3; attempt++) {
          assert.strictEqual(yield* kindOf(redis.send("PING")), "Connection")
        }
        yield* server.restart
        yield* recovers
      }).pipe(Effect.provide(layer))
    }))

  it.live("goes on when new connections are refused for a while", () =>
    Effect.gen(function*() {
      const { layer, proxy } = yield* setup()
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        yield* proxy.refuse
        yield* proxy.cut()
        assert.strictEqual(yield* kindOf(redis.send("PING")), "Connection")
        assert.strictEqual(yield* kindOf(redis.send("PING")), "Connection")
        yield* proxy.resume
        yield* recovers
      }).pipe(Effect.provide(layer))
    }))

  it.live("logs a loss once and the return once, however many attempts lie between", () =>
    Effect.gen(function*() {
      const { layer, server } = yield* setup()
      const lines: Array<string> = []
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        yield* server.stop
        for (let attempt = 0; attempt < 3; attempt++) yield* Effect.ignore(redis.send("PING"))
        yield* server.restart
        yield* recovers
        yield* until("the return is logged", Effect.sync(() => lines.length >= 2))
      }).pipe(
        Effect.provide(
          Layer.provideMerge(layer, recording(lines))
        )
      )
      assert.strictEqual(lines.length, 2)
      assert.match(lines[0]!, /^Lost the Redis connection to 127\.0\.0\.1:\d+: .+\. Reconnecting$/)
      assert.match(lines[1]!, /^Reconnected to/)
    }))

  it.live("refuses a command that is too long to be made, also while it waits for the connection, and goes on", () =>
    Effect.gen(function*() {
      const { layer, proxy } = yield* setup()
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        const half = "x".repeat(2 ** 28)
        const tooLong = redis.send("MSET", "a", half, "b", half)
        assert.strictEqual(yield* kindOf(tooLong), "Other")
        yield* proxy.refuse
        yield* proxy.cut()
        yield* until("the connection is lost", Effect.map(Effect.exit(redis.send("PING")), Exit.isFailure))
        assert.strictEqual(yield* kindOf(tooLong), "Other")
        yield* proxy.resume
        yield* recovers
      }).pipe(Effect.provide(layer))
    }))

  it.live("works with a server that was restarted empty, scripts included", () =>
    Effect.gen(function*() {
      const { layer, server } = yield* setup()
      const script = Redis.script((key: string) => [key], {
        numberOfKeys: 1,
        lua: "return redis.call('INCR', KEYS[1])"
      }).withReturnType<number>()
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        assert.strictEqual(yield* redis.eval(script)("n"), 1)
        yield* server.restart
        yield* recovers
        assert.strictEqual(yield* redis.eval(script)("n"), 1)
      }).pipe(Effect.provide(layer))
    }))
})

describe("a reserved connection", () => {
  const read = (block: string) =>
    Effect.gen(function*() {
      const redis = yield* Redis.Redis
      const connection = yield* redis.reserve
      return yield* connection.send("XREAD", "BLOCK", block, "STREAMS", "s", "$")
    }).pipe(Effect.scoped)

  it.live("fails a blocked read that is cut, and the next reservation works", () =>
    Effect.gen(function*() {
      const { layer, proxy, server } = yield* setup()
      yield* Effect.gen(function*() {
        const reading = yield* Effect.forkChild(kindOf(read("20000")))
        yield* until("the read blocks", blocked(server, "xread"))
        yield* proxy.cut({ name: /:blocking:/ })
        assert.strictEqual(yield* Fiber.join(reading), "Connection")
        assert.strictEqual(yield* read("10"), null)
      }).pipe(Effect.provide(layer))
    }))

  it.live("gives up a blocked read whose peer is gone without a word, at BLOCK plus grace", () =>
    Effect.gen(function*() {
      const { layer, proxy, server } = yield* setup({ blockGrace: "200 millis" })
      yield* Effect.gen(function*() {
        const reading = yield* Effect.forkChild(Effect.flip(read("400")))
        yield* until("the read blocks", blocked(server, "xread"))
        yield* proxy.blackhole({ name: /:blocking:/ })
        const error = yield* Fiber.join(reading)
        assert.strictEqual(failureOf(error), "Connection")
        assert.match(String(error.cause), /no reply within 600 ms/)
        yield* proxy.resume
        assert.strictEqual(yield* read("10"), null)
      }).pipe(Effect.provide(layer))
    }))

  it.live("waits for a large reply that comes slowly, and gives up one that stops coming", () =>
    Effect.gen(function*() {
      const { layer, proxy, server } = yield* setup({ blockGrace: "200 millis" })
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        const connection = yield* redis.reserve
        const values = Array.from({ length: 20 }, () => "x".repeat(50_000))
        const pop = connection.send<[string, Array<string>]>("BLMPOP", "0.1", "1", "list", "RIGHT", "COUNT", "20")
        yield* redis.send("LPUSH", "list", ...values)
        // A million bytes in fifty parts: three times as long as the read may be silent.
        yield* proxy.throttle(20_000, 20)
        assert.deepStrictEqual((yield* pop)[1], values)
        yield* redis.send("LPUSH", "list", ...values)
        const popping = yield* Effect.forkChild(kindOf(pop))
        yield* until("it is on its way", Effect.map(server.cli("EXISTS", "list"), (exists) => exists === 0))
        yield* proxy.throttle(0, 20)
        assert.strictEqual(yield* Fiber.join(popping), "Connection")
      }).pipe(Effect.scoped, Effect.provide(layer))
    }))

  it.live("takes a reply that came while this process was busy for longer than BLOCK plus grace", () =>
    Effect.gen(function*() {
      // Without a proxy, which would be busy as well.
      const server = yield* Server.start()
      yield* Effect.gen(function*() {
        const connection = yield* Effect.flatMap(Redis.Redis, (redis) => redis.reserve)
        const reading = yield* Effect.forkChild(connection.send("BRPOP", "late", "0.1"))
        yield* until("the read blocks", blocked(server, "brpop"))
        const busy = performance.now() + 400
        while (performance.now() < busy);
        assert.isNull(yield* Fiber.join(reading))
      }).pipe(Effect.scoped, Effect.provide(IoRedis.layerOptions({ url: server.url, blockGrace: "200 millis" })))
    }))

  it.live("gives up another command whose peer is gone without a word", () =>
    Effect.gen(function*() {
      const { layer, proxy } = yield* setup({ replyTimeout: "300 millis" })
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        const connection = yield* redis.reserve
        assert.strictEqual(yield* connection.send("PING"), "PONG")
        yield* proxy.blackhole({ name: /:blocking:/ })
        assert.strictEqual(yield* kindOf(connection.send("PING")), "Connection")
        assert.strictEqual(yield* kindOf(connection.send("PING")), "Connection")
        assert.strictEqual(yield* redis.send("PING"), "PONG")
      }).pipe(Effect.scoped, Effect.provide(layer))
    }))

  it.live("leaves a healthy read alone for as long as it blocks, with commands waiting behind it", () =>
    Effect.gen(function*() {
      const { layer, server } = yield* setup({ replyTimeout: "200 millis", blockGrace: "1 second" })
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        const connection = yield* redis.reserve
        const reading = yield* Effect.forkChild(connection.send("XREAD", "BLOCK", "600", "STREAMS", "s", "$"))
        yield* until("the read blocks", blocked(server, "xread"))
        assert.strictEqual(yield* connection.send("PING"), "PONG")
        assert.strictEqual(yield* Fiber.join(reading), null)
      }).pipe(Effect.scoped, Effect.provide(layer))
    }))

  it.live("is not waited for when it cannot be opened", () =>
    Effect.gen(function*() {
      const { layer, proxy } = yield* setup({ connectTimeout: "300 millis" })
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        yield* proxy.refuse
        assert.strictEqual(yield* kindOf(Effect.scoped(redis.reserve)), "Connection")
        yield* proxy.resume
        yield* proxy.blackhole()
        assert.strictEqual(yield* kindOf(Effect.scoped(redis.reserve)), "Connection")
        yield* proxy.resume
        assert.strictEqual(yield* read("10"), null)
      }).pipe(Effect.provide(layer))
    }))

  it.live("cannot be reserved when the pool is exhausted, and the caller gets an error", () =>
    Effect.gen(function*() {
      const { layer } = yield* setup({ pool: { maxConnections: 1, acquireTimeout: "100 millis" } })
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        yield* redis.reserve
        const error = yield* Effect.flip(redis.reserve)
        assert.match(String(error.cause), /Timed out waiting for a reserved Redis connection/)
      }).pipe(Effect.scoped, Effect.provide(layer))
    }))
})

describe("a subscription", () => {
  it.live("comes back after a cut", () =>
    Effect.gen(function*() {
      const { layer, proxy, server } = yield* setup()
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        const messages = yield* redis.subscribe("c")
        const published = Effect.map(server.cli("PUBLISH", "c", "m"), (count) => count === 1)
        yield* until("it listens", published)
        assert.strictEqual((yield* Queue.take(messages)).message, "m")
        yield* proxy.cut({ name: /:subscriber:/ })
        yield* until("it listens again", published)
        assert.strictEqual((yield* Queue.take(messages)).message, "m")
      }).pipe(Effect.scoped, Effect.provide(layer))
    }))

  it.live("notices that its peer is gone without a word", () =>
    Effect.gen(function*() {
      const { layer, proxy, server } = yield* setup({ replyTimeout: "200 millis", healthCheckInterval: "100 millis" })
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        const messages = yield* redis.subscribe("c")
        yield* until("it listens", Effect.map(server.cli("PUBLISH", "c", "m"), (count) => count === 1))
        yield* Queue.take(messages)
        yield* proxy.blackhole({ name: /:subscriber:/ })
        yield* until(
          "the loss is noticed",
          Effect.sync(() => proxy.names().every((name) => !name.includes(":subscriber:")))
        )
        yield* proxy.resume
        // The server still holds the old connection and counts both as listeners.
        yield* until("it listens again", Effect.map(server.cli("PUBLISH", "c", "n"), (count) => count === 2))
        assert.strictEqual((yield* Queue.take(messages)).message, "n")
      }).pipe(Effect.scoped, Effect.provide(layer))
    }))
})

describe("the end of the scope", () => {
  const closes = (
    options: IoRedis.Options,
    before: (proxy: Proxy.Proxy, server: Server.Server) => Effect.Effect<void>
  ) =>
    Effect.gen(function*() {
      const { layer, proxy, server } = yield* setup(options)
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(layer, scope)
      const pending = yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        yield* Effect.forkDetach(Effect.scoped(
          Effect.flatMap(redis.reserve, (connection) => connection.send("BLPOP", "none", "0"))
        ))
        yield* until("the read blocks", blocked(server, "blpop"))
        yield* before(proxy, server)
        return [
          yield* Effect.forkDetach(Effect.exit(redis.send("PING"))),
          yield* Effect.forkDetach(Effect.exit(Effect.scoped(redis.reserve)))
        ]
      }).pipe(Effect.provide(context))
      yield* Effect.yieldNow
      yield* Scope.close(scope, Exit.void).pipe(Effect.timeout("5 seconds"))
      yield* Effect.timeout(Fiber.awaitAll(pending), "5 seconds")
    })

  it.live("comes at once on a healthy connection", () => closes({}, () => Effect.void))

  it.live("comes at once on a connection whose peer is gone without a word", () =>
    closes({ connectTimeout: "1 minute", replyTimeout: "1 minute" }, (proxy) => proxy.blackhole()))

  it.live("comes at once while it reconnects", () => closes({}, (proxy) => Effect.andThen(proxy.refuse, proxy.cut())))

  it.live("comes at once while the server is stopped", () => closes({}, (_proxy, server) => server.stop))

  it.live("comes at once while the server is frozen", () =>
    closes({ connectTimeout: "1 minute", replyTimeout: "1 minute" }, (_proxy, server) => server.kill("SIGSTOP")))
})

describe("the limit of a command", () => {
  it.each([
    ["XREADGROUP GROUP g c COUNT 10 BLOCK 5000 STREAMS s >", 5000],
    ["XREADGROUP GROUP block c STREAMS s >", undefined],
    ["XREADGROUP GROUP g block BLOCK 7 STREAMS block 0", 7],
    ["xreadgroup group g c count 10 block 5 noack streams s >", 5],
    ["XREAD STREAMS block 1", undefined],
    ["XREAD BLOCK 0 STREAMS s $", 0],
    ["BRPOP a b 2.5", 2500],
    ["BLMPOP 3 1 k LEFT COUNT 100", 3000],
    ["BLMOVE a b LEFT RIGHT 0", 0],
    ["WAIT 1 300", 300],
    ["GET block", undefined]
  ])("of %s is %s ms", (line, expected) => {
    const [command, ...args] = line.split(" ")
    assert.strictEqual(blockOf(command!, args), expected)
  })
})
