/**
 * What a worker says of itself while it has much to do.
 */
import { assert } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Worker from "../../src/Worker.ts"
import { actionOf } from "../support/jobs.ts"
import { entriesOf, eventually, onBoth, Place, send } from "../support/layers.ts"

onBoth("the status of a worker", (test) => {
  test("says full while it waits for room, though there is a little left", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const go = yield* Deferred.make<void>()
      for (let n = 0; n < 17; n++) {
        yield* send("XADD", names.stream, "*", "data", actionOf("user.create", n, { data: {} }))
      }
      const worker = yield* Worker.start({
        "user.create": () => Deferred.await(go)
      }, {
        concurrency: 10,
        readAhead: 10
      })
      const reader = Effect.map(worker.status, ({ consumers }) => consumers.find(({ reads }) => reads))
      // Three more would fit, and it reads when there is room for five.
      yield* eventually("all are held", Effect.map(reader, (status) => status?.held === 17))
      assert.strictEqual((yield* reader)?.full, true)
      yield* Deferred.succeed(go, undefined)
      yield* eventually("all are settled", Effect.map(entriesOf(names.stream), (rows) => rows.length === 0))
      assert.strictEqual((yield* reader)?.full, false)
    }))
})
