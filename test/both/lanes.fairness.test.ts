/** No tenant starves another: what waits of a busy one is behind its lane, and not in the stream before the others. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as Worker from "../../src/Worker.ts"
import { entriesOf, eventually, onBoth, Place } from "../support/layers.ts"

/** Actions of the busy tenant. `LANES_BUSY` overrides the number. */
const busySize = Number(process.env["LANES_BUSY"] ?? 100_000)
const tenants = Array.from({ length: 50 }, (_, n) => `small${n}`)

const Work = Action.make("user.work", { payload: { tenant: Schema.String, n: Schema.Number } }).pipe(
  Action.lane(({ tenant }) => tenant, { concurrency: 2 })
)

onBoth("Fairness between lanes", (test) => {
  test(
    `lets small tenants finish before 1,100 others, although a busy one has ${busySize} waiting`,
    () =>
      Effect.gen(function*() {
        const { names } = yield* Place
        const order: Array<string> = []
        const gate = Latch.makeUnsafe(false)
        const handlers = ActionGroup.make(Work).handlers({
          "user.work": ({ tenant }) => Effect.map(gate.await, () => void order.push(tenant))
        })
        yield* Worker.start(handlers, {
          block: "200 millis",
          claimIdle: "20 seconds",
          shutdownGrace: 0,
          concurrency: 20
        })
        const client = yield* ActionClient.make()
        yield* client.sendMany(Work, Array.from({ length: busySize }, (_, n) => ({ tenant: "busy", n })))
        assert.lengthOf(yield* entriesOf(names.stream), 2)
        for (const tenant of tenants) {
          yield* client.sendMany(Work, Array.from({ length: 10 }, (_, n) => ({ tenant, n })))
        }
        assert.lengthOf(yield* entriesOf(names.stream), 2 + 2 * tenants.length)
        gate.openUnsafe()
        yield* eventually(
          "the small ones are done",
          Effect.sync(() => order.filter((tenant) => tenant !== "busy").length === 500)
        )
        for (const tenant of tenants) assert.isBelow(order.lastIndexOf(tenant), 1_100, tenant)
        assert.isAbove(order.filter((tenant) => tenant === "busy").length, 9)
      }),
    600_000
  )
})
