/** The published conformance suite, on a real cluster. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as IoRedis from "../../src/IoRedis.ts"
import * as Conformance from "../../src/testing/Conformance.ts"
import * as Cluster from "../support/cluster.ts"

layer(Cluster.layer({ replicas: false }), { excludeTestServices: true, timeout: 60_000 })("a cluster", (it) => {
  it.effect("passes every case of the conformance suite", () =>
    Effect.gen(function*() {
      const { urls } = yield* Cluster.RedisCluster
      const report = yield* Conformance.run(IoRedis.layerCluster({ nodes: urls }))
      assert.strictEqual(
        Conformance.render(report),
        `${Conformance.cases.length} of ${Conformance.cases.length} cases passed`
      )
    }), 120_000)
})
