/**
 * `npm run chaos:cluster`: two failovers and two moves of the slot of a service under load, against a ledger outside Redis.
 *
 * Three masters with a replica each, two workers and a client. One action in ten is a request, one in twenty is retried, and
 * one in fifty becomes a dead letter. `--actions n` says how many (default 100,000; 10,000 with `--quick`).
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { parseArgs } from "node:util"
import * as Cluster from "../support/cluster.ts"
import * as Load from "../support/clusterLoad.ts"
import { until } from "../support/until.ts"

const { values } = parseArgs({ options: { quick: { type: "boolean" }, actions: { type: "string" } } })
const total = Number(values.actions ?? (values.quick === true ? 10_000 : 100_000))

const main = Effect.gen(function*() {
  const cluster = yield* Cluster.start()
  const load = yield* Load.make(cluster)
  const { ledger, names } = load
  const began = performance.now()
  const sending = yield* Effect.forkChild(load.send(total), { startImmediately: true })
  for (const [index, what] of ["move", "failover", "move", "failover"].entries()) {
    yield* until(
      "the next part is handled",
      Effect.sync(() => ledger.handled.size > (total * (index + 1)) / 6),
      600_000
    )
    if (what === "failover") yield* cluster.failover(names.stream)
    else {
      const move = yield* cluster.beginMove(names.stream)
      yield* move.keys(2)
      yield* move.end
    }
  }
  yield* Fiber.join(sending)
  yield* load.drained
  const letters = yield* load.deadLetters
  const lost = load.lost().length
  const twice = [...ledger.handled.values()].filter((count) => count > 1).length
  yield* Effect.log(
    `${total} actions in ${Math.round((performance.now() - began) / 1_000)} s: ${ledger.accepted.size} accepted, ` +
      `${ledger.refused} sends failed, ${ledger.handled.size} handled, ${twice} of them twice, ` +
      `${letters} dead letters (${ledger.doomed.size} given up), ${ledger.failedRequests} requests failed, ` +
      `${ledger.unsettled.size} hung, ${lost} lost`
  )
  if (lost > 0 || ledger.unsettled.size > 0) return yield* Effect.die(new Error("Something was lost"))
  yield* Effect.log("Nothing was lost.")
})

NodeRuntime.runMain(Effect.scoped(main))
