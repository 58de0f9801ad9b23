/** Lanes in the metrics and the status of a worker: by type or name, never by key. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Metric from "effect/Metric"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as Lanes from "../../src/Lanes.ts"
import * as Worker from "../../src/Worker.ts"
import { eventually, onBoth, Place } from "../support/layers.ts"

const Step = Action.make("user.step", { payload: { key: Schema.String } }).pipe(
  Action.lane(({ key }) => key, { name: "seen" })
)

onBoth("Lanes of a worker", (test) => {
  test("are in its status and its metrics by name, and never by key", () =>
    Effect.gen(function*() {
      const { pass } = yield* Place
      const gate = Latch.makeUnsafe(false)
      const handlers = ActionGroup.make(Step).handlers({ "user.step": () => gate.await })
      const start = Worker.start(handlers, {
        block: "200 millis",
        claimIdle: "20 seconds",
        shutdownGrace: 0,
        concurrency: 20
      })
      yield* start
      const client = yield* ActionClient.make()
      yield* client.sendMany(Step, ["ana", "ana", "ana", "eva"].map((key) => ({ key })))
      const lanes = yield* Lanes.make()
      yield* lanes.pause({ name: "seen", key: "ida" }, "1 hour")
      // It samples when it starts.
      const late = yield* start
      const expected = [{ lane: "seen", held: 2, waiting: 2 }]
      yield* eventually(
        "a sample was taken",
        Effect.andThen(
          pass("10 millis"),
          Effect.map(late.status, ({ lanes }) => JSON.stringify(lanes) === JSON.stringify(expected))
        )
      )
      const series = (yield* Metric.snapshot).filter(({ id }) => id.startsWith("redis_workers_lanes_"))
      const held = series.find(({ attributes, id }) =>
        id === "redis_workers_lanes_held" && attributes?.["lane"] === "seen"
      )
      assert.deepInclude(held?.state, { value: 2 })
      assert.isTrue(series.some(({ id }) => id === "redis_workers_lanes_stopped"))
      for (const key of ["ana", "eva", "ida"]) {
        assert.notInclude(JSON.stringify(series.map((one) => one.attributes)), key)
      }
      gate.openUnsafe()
    }))
})
