/** The model of `npm run bench:scale`, against a cluster. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { execFileSync } from "node:child_process"
import { connectionsOfProcess, costs, fleetOf, placed } from "../../bench/support/fleet.ts"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import * as Cluster from "../support/cluster.ts"

const Do = Action.make("user.do", { payload: { key: Schema.String }, success: { key: Schema.String } })
const handlers = ActionGroup.make(Do).handlers({ "user.do": ({ key }) => Effect.succeed({ key }) })

describe("the model of a large cluster", () => {
  it.live(
    "has the connections that processes open on a real one, and about their memory",
    () =>
      Effect.gen(function*() {
        const { nodes, urls } = yield* Cluster.start({ replicas: false })
        const naming = QueueNaming.makeCluster({ prefix: "nooble4", environment: "dev" })
        const streamOf = (service: string) => naming.key(service, "streams", "main")
        const fleet = fleetOf({ seed: 7, shards: 3, services: 12, processes: 12, rate: 1, skew: 0, requests: 0 })
        const shardOf = placed(fleet, streamOf)
        const idle = Layer.provideMerge(
          QueueNaming.layerCluster,
          Settings.layerOf({ serviceName: "answering" })
        )
        // Somebody answers what the processes ask for.
        const answering = yield* Layer.build(
          Layer.merge(idle, IoRedis.layerCluster({ nodes: urls, name: "answering" }))
        )
        yield* Effect.forEach(new Set(fleet.processes.flatMap(({ asks }) => asks)), (service) =>
          Effect.provideContext(Worker.start(handlers, { service }), answering))

        /** The connections of a node by their ids, without those of this test. */
        const connections = (node: Cluster.ClusterNode) =>
          Effect.map(node.cli("CLIENT", "LIST"), (list) =>
            new Map(
              String(list).trim().split("\n").filter((line) =>
                !line.includes("cmd=client|list")
              )
                .map((line) => [/^id=(\d+)/.exec(line)?.[1], line] as const)
            ))
        let memory = 0
        for (const process of fleet.processes.slice(0, 3)) {
          const before = yield* Effect.forEach(nodes, connections)
          yield* Effect.gen(function*() {
            yield* Worker.start(handlers, { service: process.service, consumers: process.consumers })
            const client = yield* ActionClient.make()
            yield* Effect.forEach(process.sendsTo, (service) => client.send(Do, { key: "k" }, { service }))
            yield* Effect.forEach(process.asks, (service) => client.request(Do, { key: "k" }, { service }))
            const expected = connectionsOfProcess(process, shardOf)
            let more = 0
            for (const [shard, node] of nodes.entries()) {
              const lines = [...yield* connections(node)].filter(([id]) => !before[shard]!.has(id)).map(([, line]) =>
                line
              )
              const extra = lines.length - (expected.get(shard) ?? 0)
              assert.isAtLeast(extra, 0, `${expected.get(shard)} are expected:\n${lines.join("\n")}`)
              more += extra
              for (const line of lines) memory = Math.max(memory, Number(/tot-mem=(\d+)/.exec(line)?.[1]))
            }
            // The first connection of a layer goes to any node.
            assert.isAtMost(more, 1, "one connection more than the model has")
          }).pipe(
            Effect.scoped,
            Effect.provide(
              Layer.merge(QueueNaming.layerCluster, IoRedis.layerCluster({ nodes: urls })).pipe(
                Layer.provideMerge(Settings.layerOf({ serviceName: process.service }))
              )
            )
          )
        }
        assert.isAtMost(memory, 2.5 * costs.connection)
        assert.isAtLeast(memory, costs.connection / 2.5)
      }),
    60_000
  )

  it("prints the same for the same seed, and something else for another one", () => {
    const run = (seed: string) =>
      execFileSync(process.execPath, ["bench/scale.ts", "--seed", seed], { encoding: "utf8" })
    const first = run("1")
    assert.strictEqual(run("1"), first)
    assert.notStrictEqual(run("2"), first)
    assert.match(first, /64 shards, 200 services/)
  })
})
