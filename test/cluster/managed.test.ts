/** A cluster as hosted services offer it: without CONFIG, CLIENT, INFO and COMMAND. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import * as Cluster from "../support/cluster.ts"
import { collecting, type LogLine } from "../support/logs.ts"

const Do = Action.make("user.do", { payload: { key: Schema.String }, success: { key: Schema.String } })
const handlers = ActionGroup.make(Do).handlers({ "user.do": ({ key }) => Effect.succeed({ key }) })

layer(Cluster.layer({ replicas: false }), { excludeTestServices: true, timeout: 60_000 })("a managed cluster", (it) => {
  it.effect("serves workers and clients whose user may not run CONFIG, CLIENT, INFO or COMMAND, and says once what is missing", () =>
    Effect.gen(function*() {
      const { nodes, urls } = yield* Cluster.RedisCluster
      for (const node of nodes) {
        yield* node.cli(
          ...["ACL", "SETUSER", "app", "on", ">secret", "~*", "&*", "+@all"] as const,
          "-config",
          "-client",
          "-info",
          "-command"
        )
      }
      const logs: Array<LogLine> = []
      const AppLayer = Layer.merge(
        QueueNaming.layerCluster,
        IoRedis.layerCluster({ nodes: urls, username: "app", password: "secret" })
      ).pipe(Layer.provideMerge(Settings.layerOf({ serviceName: "user" })), Layer.provideMerge(collecting(logs)))
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Worker.start(handlers, { block: "200 millis" })
        const client = yield* ActionClient.make()
        assert.deepStrictEqual(yield* client.request(Do, { key: "a" }), { key: "a" })
        assert.deepStrictEqual(yield* client.request(Do, { key: "b" }), { key: "b" })
        // A second worker and a second client of the layer have nothing new to say.
        yield* Worker.start(handlers, { block: "200 millis" })
        const second = yield* ActionClient.make()
        assert.deepStrictEqual(yield* second.request(Do, { key: "c" }), { key: "c" })
      })).pipe(Effect.provide(AppLayer))
      assert.deepStrictEqual(
        logs.filter(({ text }) => text.startsWith("Redis refuses")).map(({ level, text }) => [level, text]),
        [
          [
            "Info",
            "Redis refuses CLIENT and CONFIG to this user, and everything works without: without CLIENT, a read on a " +
            "connection that broke unnoticed ends later; without CONFIG, workers cannot warn about a server that evicts " +
            "keys or keeps nothing on disk"
          ],
          [
            "Info",
            "Redis refuses COMMAND to this user, and everything works without: without COMMAND, the server is taken to " +
            "have BLMPOP"
          ]
        ]
      )
      const warnings = logs.filter(({ level, text }) => level !== "Info" && !text.includes("already handles"))
      assert.deepStrictEqual(warnings, [])
      for (const node of nodes) {
        const denied = String(yield* node.cli("ACL", "LOG"))
        assert.notInclude(denied, "secret")
        assert.notMatch(denied, /object,info/, "nothing asks for INFO")
      }
    }))
})
