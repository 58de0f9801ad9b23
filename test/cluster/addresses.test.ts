/** Where the nodes of a cluster are for this process: behind other addresses, and behind TLS. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Redis from "../../src/Redis.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import * as Cluster from "../support/cluster.ts"
import * as proxy from "../support/proxy.ts"
import { until } from "../support/until.ts"

const Do = Action.make("user.do", { payload: { key: Schema.String }, success: { key: Schema.String } })
const handlers = ActionGroup.make(Do).handlers({ "user.do": ({ key }) => Effect.succeed({ key }) })

/** Keys of three nodes. */
const tags = ["{a}", "{b}", "{c}", "{d}", "{e}", "{f}"]

/** A request, a message, and a command for each node. */
const everything = Effect.gen(function*() {
  const redis = yield* Redis.Redis
  for (const tag of tags) {
    yield* redis.send("SET", `${tag}k`, tag)
    assert.strictEqual(yield* redis.send("GET", `${tag}k`), tag)
  }
  yield* Worker.start(handlers, { block: "200 millis" })
  const client = yield* ActionClient.make()
  assert.deepStrictEqual(yield* client.request(Do, { key: "a" }), { key: "a" })
  const messages = yield* redis.subscribe("news")
  yield* redis.send("PUBLISH", "news", "now")
  assert.strictEqual((yield* Queue.take(messages)).message, "now")
})

const appWith = (options: IoRedis.ClusterOptions) =>
  Layer.merge(QueueNaming.layerCluster, IoRedis.layerCluster(options)).pipe(
    Layer.provideMerge(Settings.layerOf({ serviceName: "user" }))
  )

layer(Cluster.layer({ replicas: false }), { excludeTestServices: true, timeout: 60_000 })("natMap", (it) => {
  it.effect.each(["a record", "a function"] as const)(
    "as %s says where the nodes are, also after a slot moved: no connection goes to the address that the cluster has",
    (kind) =>
      Effect.gen(function*() {
        const cluster = yield* Cluster.RedisCluster
        const gates = yield* Effect.forEach(cluster.nodes, ({ port }) => proxy.start(port))
        const table = Object.fromEntries(
          cluster.nodes.map(({ port }, index) => [`127.0.0.1:${port}`, { host: "127.0.0.1", port: gates[index]!.port }])
        )
        const name = kind === "a record" ? "record" : "function"
        yield* Effect.gen(function*() {
          yield* everything
          const redis = yield* Redis.Redis
          const tag = `{move${name}}`
          yield* redis.send("SET", `${tag}there`, "1")
          const move = yield* cluster.beginMove(tag)
          // Answered with ASK, and then with MOVED.
          yield* redis.send("SET", `${tag}new`, "2")
          yield* move.end
          assert.strictEqual(yield* redis.send("GET", `${tag}there`), "1")
          assert.strictEqual(yield* redis.send("GET", `${tag}new`), "2")
          for (const [index, node] of cluster.nodes.entries()) {
            const own = String(yield* node.cli("CLIENT", "LIST")).split("\n").filter((line) =>
              line.includes(`:${name}:`)
            )
            const gate = gates[index]!.names().filter((line) => line.includes(`:${name}:`))
            assert.isAtLeast(own.length, 1)
            assert.strictEqual(own.length, gate.length, "all connections came through the gate")
          }
        }).pipe(
          Effect.scoped,
          Effect.provide(appWith({
            nodes: [gates[0]!.url],
            name,
            natMap: kind === "a record" ? table : (address) => table[address]
          }))
        )
      })
  )
})

layer(Cluster.layer({ replicas: false, tls: true, password: "right" }), { excludeTestServices: true, timeout: 60_000 })(
  "a cluster behind TLS with a password",
  (it) => {
    it.effect("serves workers, requests and messages on all of its nodes, whose certificates are checked", () =>
      Effect.gen(function*() {
        const { nodes, urls } = yield* Cluster.RedisCluster
        const ports = nodes.map(({ tls }) => Number(new URL(tls!.url).port))
        // As clusters with TLS alone do: the table of slots has these ports.
        for (const [index, node] of nodes.entries()) {
          yield* node.cli("CONFIG", "SET", "cluster-announce-port", ports[index]!)
        }
        for (const node of nodes) {
          yield* until(
            "each node says so",
            Effect.map(
              node.cli("CLUSTER", "SLOTS"),
              (rows) => ports.every((port) => JSON.stringify(rows).includes(String(port)))
            )
          )
        }
        const ca = nodes.map(({ tls }) => tls!.certificate)
        yield* everything.pipe(
          Effect.scoped,
          Effect.provide(appWith({ nodes: urls.slice(0, 1), password: "right", ioredis: { tls: { ca } } }))
        )
        const unknown = yield* Effect.flip(Effect.scoped(Layer.build(
          IoRedis.layerCluster({ nodes: urls, password: "right", connectTimeout: "2 seconds" })
        )))
        assert.match(unknown.message, /certificate/)
        assert.strictEqual(unknown._tag === "RedisStartError" ? unknown.reason._tag : unknown._tag, "Tls")
      }))
  }
)
