import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { rmSync } from "node:fs"
import { createClient } from "redis"
import {
  failureOf,
  failureOfMessage,
  isFatal,
  isTransient,
  type RedisFailure
} from "../../src/internal/redis/failure.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as Redis from "../../src/Redis.ts"
import { describeInMemory, layerOnServer } from "../support/place.ts"
import { RedisServer } from "../support/redisServer.ts"
import * as Server from "../support/redisServer.ts"
import { until } from "../support/until.ts"

const error = (message: string | undefined, code?: string | undefined) =>
  new Redis.RedisError({ cause: Object.assign(new Error(message), code === undefined ? {} : { code }) })

const kinds: ReadonlyArray<readonly [kind: RedisFailure, message: string, code?: string]> = [
  ["NoGroup", "NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option"],
  ["NoGroup", "UNBLOCKED the stream key no longer exists"],
  ["GroupExists", "BUSYGROUP Consumer Group name already exists"],
  ["WrongType", "WRONGTYPE Operation against a key holding the wrong kind of value"],
  ["NoPermission", "NOPERM User worker has no permissions to run the 'xadd' command"],
  ["NoPermission", "ERR ACL failure in script: User worker has no permissions to run the 'set' command"],
  [
    "NoPermission",
    "ERR The user executing the script can't run this command or subcommand script: 1, on @user_script:1."
  ],
  ["NoPermission", "DENIED Redis is running in protected mode"],
  ["NotAuthenticated", "NOAUTH Authentication required."],
  ["NotAuthenticated", "WRONGPASS invalid username-password pair or user is disabled."],
  ["NotAuthenticated", "ERR invalid password"],
  ["OutOfMemory", "OOM command not allowed when used memory > 'maxmemory'."],
  ["OutOfMemory", "ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -OOM command not allowed"],
  ["Misconfigured", "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk."],
  ["ReadOnly", "READONLY You can't write against a read only replica."],
  ["ReadOnly", "NOREPLICAS Not enough good replicas to write."],
  ["Loading", "LOADING Redis is loading the dataset in memory"],
  ["NoScript", "NOSCRIPT No matching script. Please use EVAL."],
  ["Busy", "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."],
  ["MasterDown", "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."],
  ["MasterDown", "CLUSTERDOWN The cluster is down"],
  ["MasterDown", "TRYAGAIN Multiple keys request during rehashing of slot"],
  ["MasterDown", "ASK 3999 127.0.0.1:6381"],
  ["MasterDown", "Too many Cluster redirections. Last error: Error: MOVED 3999 127.0.0.1:6381"],
  ["MasterDown", "Failed to refresh slots cache."],
  ["MasterDown", "Cluster is disconnected."],
  ["MasterDown", "None of startup nodes is available"],
  ["Moved", "SLOTMOVED The slot of this connection moved to another node"],
  ["Connection", "ERR max number of clients reached"],
  ["Connection", "Connection is closed."],
  ["Connection", "Reached the max retries per request limit (which is 0). Refer to \"maxRetriesPerRequest\" option"],
  ["Connection", "Stream isn't writeable and enableOfflineQueue options is false"],
  ["Connection", "Socket timeout. Expecting data, but didn't receive any in 100ms."],
  ["Connection", "connect ECONNREFUSED 127.0.0.1:1", "ECONNREFUSED"],
  ["Connection", "read ECONNRESET", "ECONNRESET"],
  ["Connection", "getaddrinfo ENOTFOUND nowhere.invalid", "ENOTFOUND"],
  ["Connection", "", "ECONNREFUSED"],
  ["Connection", "The client is closed"],
  ["Connection", "The client is offline"],
  ["Connection", "Socket closed unexpectedly"],
  ["Connection", "Disconnects client"],
  ["Connection", "Timed out waiting for a reserved Redis connection"],
  ["Connection", "The read did not come back in time: its connection was closed"],
  ["Unsupported", "ERR unknown command 'XACKDEL'"],
  ["Unsupported", "ERR unknown command `EVALSHA`, with args beginning with: "],
  ["Unsupported", "ERR unknown subcommand 'CONSUMERS'. Try XINFO HELP."],
  ["Unsupported", "ERR Unknown Redis command called from script script: 5a, on @user_script:3."],
  [
    "Unsupported",
    "ERR Error running script (call to f_1): @user_script:1: @user_script: 1: Unknown Redis command called from Lua script"
  ],
  ["Unsupported", "ERR This Redis command is not allowed from script script: 5a, on @user_script:3."],
  ["Unsupported", "ERR Error compiling script (new function): user_script:1: unexpected symbol"],
  ["Unsupported", "ERR wrong number of arguments for 'xpending' command"],
  ["Unsupported", "ERR syntax error"],
  ["Cluster", "CROSSSLOT Keys in request don't hash to the same slot"],
  ["Cluster", "MOVED 3999 127.0.0.1:6381"],
  ["Other", "ERR the description says: unknown command"],
  ["Other", "ERR the description says OOM"],
  ["Other", ""]
]

describeInMemory("redisFailure", () => {
  it.each(kinds)("is %s for %s", (kind, message, code) => {
    assert.strictEqual(failureOf(error(message, code)), kind)
  })

  it("reads causes that are no errors", () => {
    assert.strictEqual(failureOf(new Redis.RedisError({ cause: "WRONGTYPE Operation" })), "WrongType")
    assert.strictEqual(failureOf(new Redis.RedisError({ cause: undefined })), "Other")
    assert.strictEqual(failureOf(new Redis.RedisError({ cause: null })), "Other")
  })

  it("calls no kind both transient and fatal, and leaves only those to the caller that say nothing about the server", () => {
    const all = Array.from(new Set(kinds.map(([kind]) => kind)))
    assert.deepStrictEqual(all.filter((kind) => isTransient(kind) && isFatal(kind)), [])
    assert.deepStrictEqual(all.filter((kind) => !isTransient(kind) && !isFatal(kind)), ["GroupExists", "Other"])
  })
})

const rules = "user worker on >pw ~allowed:* +@all -set"

const Shared = Layer.provideMerge(
  Layer.unwrap(Effect.map(RedisServer, ({ url }) => IoRedis.layerOptions({ url }))),
  Server.layer({ config: [rules] })
)

const script = (lua: string) => Redis.script((key: string) => [key], { numberOfKeys: 1, lua }).withReturnType<unknown>()

layerOnServer(Shared, { excludeTestServices: true })("redisFailure of a real server", (it) => {
  const kindOf = <A>(effect: Effect.Effect<A, Redis.RedisError>) => Effect.map(Effect.flip(effect), failureOf)

  it.effect("recognizes a missing group", () =>
    Effect.gen(function*() {
      const redis = yield* Redis.Redis
      const read = redis.send("XREADGROUP", "GROUP", "g", "c", "STREAMS", Server.uniquePrefix(), ">")
      assert.strictEqual(yield* kindOf(read), "NoGroup")
    }))

  it.effect("recognizes a group that exists", () =>
    Effect.gen(function*() {
      const redis = yield* Redis.Redis
      const create = redis.send("XGROUP", "CREATE", Server.uniquePrefix(), "g", "0", "MKSTREAM")
      yield* create
      assert.strictEqual(yield* kindOf(create), "GroupExists")
    }))

  it.effect("recognizes a key of the wrong type, also inside a script", () =>
    Effect.gen(function*() {
      const redis = yield* Redis.Redis
      const key = Server.uniquePrefix()
      yield* redis.send("SET", key, "1")
      assert.strictEqual(yield* kindOf(redis.send("LPUSH", key, "x")), "WrongType")
      assert.strictEqual(
        yield* kindOf(redis.eval(script("return redis.call('LPUSH', KEYS[1], 'x')"))(key)),
        "WrongType"
      )
    }))

  it.effect("recognizes a missing permission for a command or a key, also inside a script", () =>
    Effect.gen(function*() {
      const { url } = yield* RedisServer
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        assert.strictEqual(yield* kindOf(redis.send("SET", "allowed:a", "1")), "NoPermission")
        assert.strictEqual(yield* kindOf(redis.send("GET", "other")), "NoPermission")
        const set = redis.eval(script("return redis.call('SET', KEYS[1], '1')"))
        assert.strictEqual(yield* kindOf(set("allowed:a")), "NoPermission")
        assert.strictEqual(yield* kindOf(set("other")), "NoPermission")
      }).pipe(Effect.provide(IoRedis.layerOptions({ url, username: "worker", password: "pw" })))
    }))

  it.effect("recognizes that memory is used up, also inside a script", () =>
    Effect.gen(function*() {
      const server = yield* Server.start({ config: ["maxmemory 100kb", "maxmemory-policy noeviction"] })
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        assert.strictEqual(yield* kindOf(redis.send("SET", "a", "x")), "OutOfMemory")
        const set = redis.eval(script("return redis.call('SET', KEYS[1], '1')"))
        assert.strictEqual(yield* kindOf(set("a")), "OutOfMemory")
      }).pipe(Effect.provide(IoRedis.layerOptions({ url: server.url })))
    }))

  it.effect("recognizes a replica that accepts no writes, also inside a script", () =>
    Effect.gen(function*() {
      const server = yield* Server.start({ config: ["replicaof 127.0.0.1 1"] })
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        assert.strictEqual(yield* kindOf(redis.send("SET", "a", "x")), "ReadOnly")
        const set = redis.eval(script("return redis.call('SET', KEYS[1], '1')"))
        // The refused write makes the client look for the master, and commands fail while it reconnects.
        const settled = kindOf(set("a")).pipe(Effect.repeat({ while: (kind) => kind === "Connection" }))
        assert.strictEqual(yield* settled, "ReadOnly")
      }).pipe(Effect.provide(IoRedis.layerOptions({ url: server.url })))
    }))

  it.effect("recognizes a server that cannot save", () =>
    Effect.gen(function*() {
      const server = yield* Server.start({ config: ["save 3600 1", "dbfilename dump.rdb"] })
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        yield* redis.send("SET", "a", "1")
        // A save into a directory that is gone fails, and from then on writes are refused.
        yield* Effect.sync(() => rmSync(server.directory, { recursive: true }))
        yield* Effect.ignore(redis.send("BGSAVE"))
        yield* until(
          "writes are refused",
          Effect.map(Effect.result(redis.send("SET", "a", "2")), (result) => result._tag === "Failure")
        )
        assert.strictEqual(yield* kindOf(redis.send("SET", "a", "3")), "Misconfigured")
      }).pipe(Effect.provide(IoRedis.layerOptions({ url: server.url })))
    }))

  it.effect("recognizes a lost connection of node-redis", () =>
    Effect.gen(function*() {
      const { url } = yield* RedisServer
      const closed = yield* Effect.promise(async () => {
        const client = createClient({ url })
        client.on("error", () => {})
        await client.connect()
        const read = client.sendCommand(["BLPOP", "none", "0"]).catch((cause: unknown) => cause)
        client.destroy()
        return [await read, await client.sendCommand(["PING"]).catch((cause: unknown) => cause)]
      })
      for (const cause of closed) assert.strictEqual(failureOf(new Redis.RedisError({ cause })), "Connection")
    }))

  it("reads a message alone", () => {
    assert.strictEqual(failureOfMessage("LOADING"), "Loading")
    assert.strictEqual(failureOfMessage("ERR no such key script: 5a, on @user_script:3."), "NoGroup")
  })
})
