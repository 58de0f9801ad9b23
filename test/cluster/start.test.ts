/** What a start on a cluster refuses, and what it says to do. */
import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as ioredis from "ioredis"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import { failureOf as kindOf } from "../../src/internal/redis/failure.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Redis from "../../src/Redis.ts"
import * as Settings from "../../src/Settings.ts"
import * as RedisFaults from "../../src/testing/RedisFaults.ts"
import * as Worker from "../../src/Worker.ts"
import * as Cluster from "../support/cluster.ts"
import * as Server from "../support/redisServer.ts"

const Do = Action.make("user.do", { payload: { key: Schema.String }, success: { key: Schema.String } })
const handlers = ActionGroup.make(Do).handlers({ "user.do": ({ key }) => Effect.succeed({ key }) })

const failureOf = <A, E>(made: Layer.Layer<A, E>) => Effect.flip(Effect.scoped(Layer.build(made)))

const startError = (made: Layer.Layer<Redis.Redis, IoRedis.RedisStartError | IoRedis.InvalidOption>) =>
  Effect.map(failureOf(made), (error) => {
    if (error._tag !== "RedisStartError") throw error
    return `${error.reason._tag}: ${error.message}`
  })

const options = { connectTimeout: "2 seconds" } as const

describe("the start of a cluster layer", () => {
  it.live("fails with the addresses of all nodes when none of them answers", () =>
    Effect.gen(function*() {
      const nodes = [`redis://127.0.0.1:${yield* Server.freePort}`, `redis://127.0.0.1:${yield* Server.freePort}`]
      const text = yield* startError(IoRedis.layerCluster({ ...options, nodes }))
      for (const node of nodes) assert.include(text, node.slice("redis://".length))
      assert.match(text, /^Refused: .*no node answered.*check that the server runs/)
    }))

  it.live("fails with the way to a layer that works when it is given a plain server", () =>
    Effect.gen(function*() {
      const { url } = yield* Server.start()
      assert.match(
        yield* startError(IoRedis.layerCluster({ ...options, nodes: [url] })),
        /^Unsupported: .*cluster support disabled.*use IoRedis\.layerOptions/
      )
    }))

  it.live("fails when the node belongs to no cluster yet, and says how to check it", () =>
    Effect.gen(function*() {
      const { url } = yield* Server.start({
        config: ["cluster-enabled yes", `cluster-port ${yield* Server.freePort}`]
      })
      assert.match(
        yield* startError(IoRedis.layerCluster({ ...options, nodes: [url] })),
        /^Other: .*no slots.*redis-cli --cluster check/
      )
    }))

  it.effect.each(
    [
      ["an empty list of nodes", { nodes: [] }, /option "nodes" is empty/],
      ["a node that is not a URL", { nodes: ["redis://a", "what"] }, /option "nodes" is /],
      ["a wrong time", { nodes: ["redis://a"], connectTimeout: -1 }, /option "connectTimeout"/],
      ["a database", { nodes: ["redis://a/3"] }, /database 3.*a cluster has database 0 only/],
      ["TLS on some nodes", { nodes: ["redis://a", "rediss://b"] }, /some nodes use TLS/],
      ["a unix socket", { nodes: ["unix:///tmp/a.sock"] }, /unix socket/],
      ["an option of Sentinel", { nodes: ["redis://a"], ioredis: { sentinels: [] } }, /cannot use: sentinels/]
    ] as const
  )("fails for %s before it connects", ([, given, expected]) =>
    Effect.gen(function*() {
      // SAFETY: what plain JavaScript could give.
      const error = yield* failureOf(IoRedis.layerCluster(given as IoRedis.ClusterOptions))
      assert.match(error.message, expected)
    }))
})

layer(Cluster.layer({ password: "right", replicas: false }), { excludeTestServices: true, timeout: 60_000 })(
  "a cluster with a password",
  (it) => {
    it.effect("refuses a wrong one with a typed error", () =>
      Effect.gen(function*() {
        const { urls } = yield* Cluster.RedisCluster
        const text = yield* startError(IoRedis.layerCluster({ ...options, nodes: urls, password: "wrong" }))
        assert.match(text, /^WrongPassword: .*check REDIS_USERNAME and REDIS_PASSWORD/)
        assert.notInclude(text, "wrong)")
      }))

    it.effect("has it asked for at each attempt to connect to each node, and goes on after it changed", () =>
      Effect.gen(function*() {
        const { nodes, urls } = yield* Cluster.RedisCluster
        let current = "right"
        let asked = 0
        const password = Effect.sync(() => {
          asked++
          return Redacted.make(current)
        })
        yield* Effect.gen(function*() {
          const redis = yield* Redis.Redis
          for (const tag of ["{a}", "{b}", "{c}", "{d}", "{e}"]) yield* redis.send("SET", tag, tag)
          const before = asked
          assert.isAtLeast(before, 3, "one for each node")
          for (const node of nodes) yield* node.cli("ACL", "SETUSER", "default", ">next")
          current = "next"
          for (const node of nodes) yield* node.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
          for (const tag of ["{a}", "{b}", "{c}", "{d}", "{e}"]) {
            // A command that met the cut fails; the next one finds the new connection.
            assert.strictEqual(yield* Effect.retry(redis.send("GET", tag), { times: 20 }), tag)
          }
          assert.isAbove(asked, before)
        }).pipe(Effect.provide(IoRedis.layerCluster({ nodes: urls, password })))
      }))
  }
)

layer(Cluster.layer({ replicas: false }), { excludeTestServices: true, timeout: 60_000 })("a cluster", (it) => {
  const wire = QueueNaming.layer.pipe(Layer.provideMerge(Settings.layerOf({ serviceName: "user" })))

  it.effect("refuses a worker whose names are in several slots, and says how to name them", () =>
    Effect.gen(function*() {
      const { urls } = yield* Cluster.RedisCluster
      const error = yield* Effect.flip(Effect.scoped(Worker.start(handlers))).pipe(
        Effect.provide(Layer.merge(wire, IoRedis.layerCluster({ nodes: urls })))
      )
      assert.match(error.message, /keys of service "user" are in \d+ slots.*QUEUE_HASH_TAGS=true/)
    }))

  const wraps = {
    "a wrapper": Layer.effect(Redis.Redis, Effect.map(Redis.Redis, (redis) => Redis.Redis.of({ ...redis }))),
    RedisFaults: RedisFaults.layer()
  }

  it.effect.each(["a wrapper", "RedisFaults"] as const)("is known behind %s", (kind) =>
    Effect.gen(function*() {
      const { urls } = yield* Cluster.RedisCluster
      const wrapped = wraps[kind].pipe(Layer.provide(IoRedis.layerCluster({ nodes: urls })))
      const error = yield* Effect.flip(Effect.scoped(Worker.start(handlers))).pipe(
        Effect.provide(Layer.merge(wire, wrapped))
      )
      assert.match(error.message, /keys of service "user" are in \d+ slots/)
    }))

  it.effect("refuses a client whose answers would be in another slot, and says how to name them", () =>
    Effect.gen(function*() {
      const { urls } = yield* Cluster.RedisCluster
      const error = yield* Effect.flip(Effect.scoped(ActionClient.make())).pipe(
        Effect.provide(Layer.merge(wire, IoRedis.layerCluster({ nodes: urls })))
      )
      assert.match(error.message, /option "naming".*2 slots.*QUEUE_HASH_TAGS=true/)
    }))

  it.effect("given to the layer of one server ends the start of a worker with the way to one that works", () =>
    Effect.gen(function*() {
      const { urls } = yield* Cluster.RedisCluster
      const error = yield* Effect.flip(Effect.scoped(Worker.start(handlers))).pipe(
        Effect.provide(Layer.merge(wire, IoRedis.layerOptions({ url: urls[0] })))
      )
      assert.match(error.message, /IoRedis\.layerCluster/)
    }))

  it.effect("given to the layer of one server fails a send to another node with the way to one that works", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.RedisCluster
      const other = yield* cluster.otherThan("nooble4:dev:user:streams:main")
      const error = yield* Effect.flip(ActionClient.ActionClient.use((client) => client.send(Do, { key: "k" }))).pipe(
        Effect.provide(
          ActionClient.layer.pipe(
            Layer.provide(Layer.merge(wire, IoRedis.layerOptions({ url: other.url })))
          )
        ),
        Effect.scoped
      )
      assert.strictEqual(error._tag, "RedisError")
      assert.match(error.message, /^MOVED .*node of a Redis Cluster.*IoRedis\.layerCluster/)
      assert.strictEqual(kindOf(error as Redis.RedisError), "Cluster")
    }))

  it.effect("is refused as the client of another program, with the way to one that works", () =>
    Effect.gen(function*() {
      const { nodes } = yield* Cluster.RedisCluster
      const client = new ioredis.Cluster([{ host: "127.0.0.1", port: nodes[0]!.port }], { lazyConnect: true })
      // SAFETY: what plain JavaScript, or a cast, could pass.
      const text = yield* startError(IoRedis.layerClient(client as unknown as ioredis.Redis))
      yield* Effect.sync(() => client.disconnect())
      assert.match(text, /^Unsupported: .*the client is a Cluster.*use IoRedis\.layerCluster/)
    }))

  it.effect("is used with REDIS_CLUSTER and QUEUE_HASH_TAGS from the settings alone", () =>
    Effect.gen(function*() {
      const { urls } = yield* Cluster.RedisCluster
      const AppLayer = Layer.merge(QueueNaming.layer, IoRedis.layer).pipe(
        Layer.provideMerge(
          Settings.layerOf({ serviceName: "user", queueHashTags: true, redis: { url: urls[0], cluster: true } })
        )
      )
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Worker.start(handlers)
        const client = yield* ActionClient.make()
        assert.deepStrictEqual(yield* client.request(Do, { key: "k" }), { key: "k" })
        const { use } = yield* IoRedis.IoRedis
        assert.strictEqual(yield* use((client) => client.ping()), "PONG")
      })).pipe(Effect.provide(AppLayer))
    }))
})
