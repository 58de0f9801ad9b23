import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as RateLimiter from "effect/persistence/RateLimiter"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import { Redis as Client } from "ioredis"
import * as IoRedis from "../../src/IoRedis.ts"
import * as Redis from "../../src/Redis.ts"
import * as Settings from "../../src/Settings.ts"
import { RedisServer } from "../support/redisServer.ts"
import * as Server from "../support/redisServer.ts"
import { until } from "../support/until.ts"

const layerOf = (options?: IoRedis.Options) =>
  Layer.unwrap(Effect.map(RedisServer, ({ url }) => IoRedis.layerOptions({ url, ...options })))

const Shared = Layer.provideMerge(layerOf(), Server.layer())

const incrementBy = Redis.script((key: string, by: number) => [key, by], {
  numberOfKeys: 1,
  lua: "return redis.call('INCRBY', KEYS[1], ARGV[1])"
}).withReturnType<number>()

const clientNames = Effect.map(
  Effect.flatMap(RedisServer, (server) => server.cli("CLIENT", "LIST")),
  (list) => Array.from(String(list).matchAll(/ name=(\S+)/g), (match) => match[1]!)
)

layer(Shared, { excludeTestServices: true })("IoRedis", (it) => {
  it.effect("sends commands and answers in RESP2 shapes, whatever the case of the name", () =>
    Effect.gen(function*() {
      const redis = yield* Redis.Redis
      const key = Server.uniquePrefix()
      yield* redis.send("HSET", key, "a", "1", "b", "2")
      assert.deepStrictEqual(yield* redis.send("hgetall", key), ["a", "1", "b", "2"])
      assert.strictEqual(yield* redis.send("GET", `${key}:none`), null)
      assert.strictEqual(yield* redis.send("HLEN", key), 2)
    }))

  it.effect("reads a stream in the nested shape", () =>
    Effect.gen(function*() {
      const redis = yield* Redis.Redis
      const key = Server.uniquePrefix()
      const id = yield* redis.send<string>("XADD", key, "*", "data", "ä\u0000€")
      yield* redis.send("XGROUP", "CREATE", key, "g", "0")
      assert.deepStrictEqual(yield* redis.send("XREADGROUP", "GROUP", "g", "c", "STREAMS", key, ">"), [
        [key, [[id, ["data", "ä\u0000€"]]]]
      ])
    }))

  it.effect("keeps the order of commands sent at once", () =>
    Effect.gen(function*() {
      const redis = yield* Redis.Redis
      const key = Server.uniquePrefix()
      const numbers = Array.from({ length: 500 }, (_, index) => String(index))
      yield* Effect.forEach(numbers, (number) => redis.send("RPUSH", key, number), { concurrency: "unbounded" })
      assert.deepStrictEqual(yield* redis.send("LRANGE", key, "0", "-1"), numbers)
    }))

  it.effect("fails with the server's message and without the arguments", () =>
    Effect.gen(function*() {
      const redis = yield* Redis.Redis
      const key = Server.uniquePrefix()
      yield* redis.send("SET", key, "1")
      const error = yield* Effect.flip(redis.send("LPUSH", key, "hunter2"))
      assert.strictEqual(error._tag, "RedisError")
      assert.match(String(error.cause), /^CommandError: WRONGTYPE Operation against a key/)
      assert.deepInclude(error.cause, { code: "WRONGTYPE", command: "LPUSH", numberOfArguments: 2 })
    }))

  it.effect("fails a command that is longer than a string can be, and goes on", () =>
    Effect.gen(function*() {
      const redis = yield* Redis.Redis
      const long = "x".repeat(2 ** 20)
      const error = yield* Effect.flip(redis.send("RPUSH", "key", ...Array.from({ length: 600 }, () => long)))
      assert.strictEqual(error._tag, "RedisError")
      assert.strictEqual(yield* redis.send("PING"), "PONG")
    }))

  it.effect("runs scripts, also after the server forgot them", () =>
    Effect.gen(function*() {
      const redis = yield* Redis.Redis
      const server = yield* RedisServer
      const key = Server.uniquePrefix()
      const increment = redis.eval(incrementBy)
      assert.strictEqual(yield* increment(key, 2), 2)
      yield* server.cli("SCRIPT", "FLUSH")
      assert.strictEqual(yield* increment(key, 3), 5)
    }))

  it.effect("runs scripts on a reserved connection after the server forgot them", () =>
    Effect.gen(function*() {
      const redis = yield* Redis.Redis
      const server = yield* RedisServer
      const key = Server.uniquePrefix()
      const connection = yield* redis.reserve
      assert.strictEqual(yield* connection.eval(incrementBy)(key, 1), 1)
      yield* server.cli("SCRIPT", "FLUSH")
      assert.strictEqual(yield* connection.eval(incrementBy)(key, 1), 2)
    }))

  it.effect("reads on a reserved connection without holding up the shared one", () =>
    Effect.gen(function*() {
      const redis = yield* Redis.Redis
      const server = yield* RedisServer
      const key = Server.uniquePrefix()
      const connection = yield* redis.reserve
      const read = yield* Effect.forkChild(connection.send("BRPOP", key, "20"))
      yield* until(
        "the read blocks",
        Effect.map(server.cli("INFO", "clients"), (info) => /blocked_clients:[1-9]/.test(String(info)))
      )
      assert.strictEqual(yield* redis.send("PING"), "PONG")
      yield* redis.send("LPUSH", key, "a")
      assert.deepStrictEqual(yield* Fiber.join(read), [key, "a"])
    }))

  it.effect("ends the connection of an interrupted read, so that it takes nothing any more", () =>
    Effect.gen(function*() {
      const redis = yield* Redis.Redis
      const server = yield* RedisServer
      const key = Server.uniquePrefix()
      const read = yield* Effect.forkChild(
        Effect.scoped(Effect.flatMap(redis.reserve, (connection) => connection.send("BRPOP", key, "0")))
      )
      const blocked = Effect.map(server.cli("CLIENT", "LIST"), (list) => / cmd=brpop/.test(String(list)))
      yield* until("the read blocks", blocked)
      yield* Fiber.interrupt(read)
      yield* until("the read is gone", Effect.map(blocked, (is) => !is))
      yield* redis.send("LPUSH", key, "a")
      assert.strictEqual(yield* redis.send("LLEN", key), 1)
    }))

  it.effect("uses a connection again after it was given back", () =>
    Effect.gen(function*() {
      const redis = yield* Redis.Redis
      const id = Effect.scoped(Effect.flatMap(redis.reserve, (connection) => connection.send<number>("CLIENT", "ID")))
      assert.strictEqual(yield* id, yield* id)
    }))

  it.effect("serves more readers at once than Effect's default pool of ten", () =>
    Effect.gen(function*() {
      const redis = yield* Redis.Redis
      const key = Server.uniquePrefix()
      const read = Effect.scoped(Effect.flatMap(redis.reserve, (connection) => connection.send("BRPOP", key, "20")))
      const readers = yield* Effect.forEach(Array.from({ length: 24 }), () => Effect.forkChild(read))
      const server = yield* RedisServer
      yield* until(
        "all of them block",
        Effect.map(server.cli("CLIENT", "LIST"), (list) => String(list).match(/ cmd=brpop/g)?.length === 24)
      )
      yield* redis.send("LPUSH", key, ...readers.map(() => "x"))
      yield* Fiber.joinAll(readers)
    }))

  it.effect("delivers what is published to a subscriber", () =>
    Effect.gen(function*() {
      const redis = yield* Redis.Redis
      const channel = Server.uniquePrefix()
      const messages = yield* redis.subscribe(channel)
      yield* until("the subscription is there", Effect.map(redis.send<number>("PUBLISH", channel, "a"), (n) => n === 1))
      assert.deepStrictEqual(yield* Queue.take(messages), { channel, message: "a" })
    }))

  it.effect("gives the client of ioredis, its errors without arguments", () =>
    Effect.gen(function*() {
      const ioredis = yield* IoRedis.IoRedis
      const key = Server.uniquePrefix()
      assert.strictEqual(yield* ioredis.use((client) => client.incr(key)), 1)
      const error = yield* Effect.flip(ioredis.use((client) => client.lpush(key, "hunter2")))
      assert.deepInclude(error.cause, { code: "WRONGTYPE", command: "lpush" })
    }))

  it.effect("names its connections by role, service and instance", () =>
    Effect.gen(function*() {
      const redis = yield* Redis.Redis
      yield* redis.reserve
      const names = yield* clientNames
      assert.isTrue(names.some((name) => /^effect-redis-workers:command:user:[0-9a-f]{8}$/.test(name)))
      assert.isTrue(names.some((name) => /^effect-redis-workers:blocking:user:[0-9a-f]{8}:1$/.test(name)))
    }).pipe(Effect.scoped, Effect.provide(layerOf({ name: "user" }))))

  it.effect("closes every connection with its scope, also under blocked reads", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer
      const key = Server.uniquePrefix()
      const mine = Effect.map(clientNames, (names) => names.filter((name) => name.includes(":leaving:")).length)
      const outcome = yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        yield* redis.subscribe(key)
        const connection = yield* redis.reserve
        // A daemon: the end of the scope has to end it, not the end of its parent.
        const read = yield* Effect.forkDetach(connection.send("BRPOP", key, "0"))
        yield* until("three connections", Effect.map(mine, (count) => count === 3))
        yield* until(
          "the read blocks",
          Effect.map(server.cli("CLIENT", "LIST"), (list) => / cmd=brpop/.test(String(list)))
        )
        return read
      }).pipe(Effect.scoped, Effect.provide(layerOf({ name: "leaving" })))
      assert.isTrue(Exit.isFailure(yield* Fiber.await(outcome)))
      yield* until("no connection is left", Effect.map(mine, (count) => count === 0))
    }))

  it.effect("selects the database of the URL on every connection", () =>
    Effect.gen(function*() {
      const { url } = yield* RedisServer
      const key = Server.uniquePrefix()
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        const connection = yield* redis.reserve
        yield* connection.send("SET", key, "1")
        assert.strictEqual(yield* redis.send("GET", key), "1")
      }).pipe(Effect.scoped, Effect.provide(IoRedis.layerOptions({ url: `${url}/3` })))
      assert.strictEqual(yield* (yield* Redis.Redis).send("EXISTS", key), 0)
    }))

  it.effect("connects from the settings", () =>
    Effect.gen(function*() {
      const { url } = yield* RedisServer
      const names = yield* clientNames.pipe(
        Effect.provide(
          Layer.provide(IoRedis.layer, Settings.layerOf({ serviceName: "from-settings", redis: { url } }))
        )
      )
      assert.isTrue(names.some((name) => name.startsWith("effect-redis-workers:command:from-settings:")))
    }))

  it.effect("carries Effect's PersistedQueue", () =>
    Effect.gen(function*() {
      const prefix = `${Server.uniquePrefix()}:`
      const program = Effect.gen(function*() {
        const queue = yield* PersistedQueue.make({ name: "jobs", schema: Schema.Struct({ n: Schema.Number }) })
        yield* queue.offer({ n: 1 })
        yield* queue.offer({ n: 2 })
        const first = yield* queue.take((job) => Effect.succeed(job.n))
        const second = yield* queue.take((job) => Effect.succeed(job.n))
        assert.deepStrictEqual(new Set([first, second]), new Set([1, 2]))
      })
      yield* program.pipe(
        Effect.provide(Layer.provide(PersistedQueue.layer, PersistedQueue.layerStoreRedis({ prefix }))),
        Effect.timeout("20 seconds")
      )
    }))

  it.effect("carries Effect's RateLimiter", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        const limiter = yield* RateLimiter.RateLimiter
        const consume = limiter.consume({
          algorithm: "fixed-window",
          onExceeded: "fail",
          window: "1 hour",
          limit: 2,
          key: "k"
        })
        assert.strictEqual((yield* consume).remaining, 1)
        assert.strictEqual((yield* consume).remaining, 0)
        assert.strictEqual((yield* Effect.flip(consume))._tag, "RateLimiterError")
      })
      yield* program.pipe(
        Effect.provide(
          Layer.provide(RateLimiter.layer, RateLimiter.layerStoreRedis({ prefix: `${Server.uniquePrefix()}:` }))
        )
      )
    }))
})

describe("IoRedis.layerClient", () => {
  it.live("takes the options of a client and leaves the client alone", () =>
    Effect.gen(function*() {
      const server = yield* Server.start({ password: "hunter2" })
      const client = new Client({ port: server.port, host: server.host, password: "hunter2", db: 1, lazyConnect: true })
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        const connection = yield* redis.reserve
        yield* connection.send("SET", "a", "1")
        assert.strictEqual(yield* redis.send("GET", "a"), "1")
      }).pipe(Effect.scoped, Effect.provide(IoRedis.layerClient(client)))
      assert.strictEqual(client.status, "wait")
      assert.strictEqual(yield* Effect.promise(() => client.get("a")), "1")
      client.disconnect()
    }))

  it.live.each([
    { address: "/nowhere/redis.sock", client: () => new Client({ path: "/nowhere/redis.sock", lazyConnect: true }) },
    { address: "127.0.0.1:1", client: () => new Client({ host: "127.0.0.1", port: 1, lazyConnect: true }) },
    {
      address: "Sentinel's primary",
      client: () => new Client({ sentinels: [{ host: "127.0.0.1", port: 1 }], name: "primary", lazyConnect: true })
    }
  ])(
    "says that it was $address that could not be reached",
    ({ address, client: makeClient }) =>
      Effect.gen(function*() {
        const client = makeClient()
        const error = yield* Redis.Redis.pipe(
          Effect.provide(IoRedis.layerClient(client, { connectTimeout: "1 second" })),
          Effect.flip
        )
        assert.include(error.message, `Redis at ${address}`)
        client.disconnect()
      })
  )

  it.live("refuses a client with a keyPrefix", () =>
    Effect.gen(function*() {
      const client = new Client({ keyPrefix: "x:", lazyConnect: true })
      const error = yield* Effect.flip(Effect.provide(Redis.Redis, IoRedis.layerClient(client)))
      assert.instanceOf(error, IoRedis.RedisStartError)
      assert.strictEqual(error.reason._tag, "Unsupported")
      assert.match(error.message, /keyPrefix.*QUEUE_PREFIX/)
    }))
})
