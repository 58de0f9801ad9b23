/** Schedules whose actions may not run beside each other: slots are skipped, or one waits. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as Schedules from "../../src/Schedules.ts"
import * as Worker from "../../src/Worker.ts"
import { entriesOf, eventually, onBoth, Place, send } from "../support/layers.ts"

const Report = Action.make("user.report", { payload: { kind: Schema.String } })

/** Each handler waits until it may end. */
const world = Effect.fnUntraced(function*(overlap: "skip" | "queue-one") {
  const gates: Array<Latch.Latch> = []
  let running = 0
  let most = 0
  const start = Worker.start(
    ActionGroup.make(Report).handlers({
      "user.report": () =>
        Effect.suspend(() => {
          const gate = Latch.makeUnsafe(false)
          gates.push(gate)
          most = Math.max(most, ++running)
          return Effect.ensuring(gate.await, Effect.sync(() => running--))
        })
    }),
    {
      block: "500 millis",
      shutdownGrace: 0,
      concurrency: 10,
      schedules: [
        Schedules.every("report", {
          action: Report,
          payload: { kind: "a" },
          every: "1 second",
          overlap,
          missed: { all: "1 minute" }
        })
      ]
    }
  )
  yield* start
  yield* start
  const schedules = yield* Schedules.make()
  const status = Effect.map(schedules.list, ([status]) => status!)
  const { pass } = yield* Place
  const until = (what: string, condition: Effect.Effect<boolean, unknown>) =>
    eventually(what, Effect.andThen(pass("100 millis"), Effect.orDie(condition)))
  return { gates, most: () => most, status, until }
})

onBoth("A schedule that does not overlap", (test) => {
  test(
    "skips and counts slots while the action of one before runs, and goes on afterwards",
    () =>
      Effect.gen(function*() {
        const { gates, most, status, until } = yield* world("skip")
        const { names } = yield* Place
        yield* until("two slots were skipped", Effect.map(status, ({ skipped }) => skipped >= 2))
        assert.strictEqual((yield* status).fired, 1)
        assert.lengthOf(gates, 1)
        assert.lengthOf(yield* entriesOf(names.stream), 1)
        assert.strictEqual(yield* send("ZCARD", names.lanesWaiting), 0)
        gates[0]!.openUnsafe()
        yield* until("the next slot runs", Effect.sync(() => gates.length === 2))
        assert.strictEqual(most(), 1)
        assert.strictEqual((yield* status).fired, 2)
        gates[1]!.openUnsafe()
      }),
    60_000
  )

  test("lets one slot wait, the latest, and runs it when the other has ended", () =>
    Effect.gen(function*() {
      const { gates, most, status, until } = yield* world("queue-one")
      const { names } = yield* Place
      yield* until("four slots were sent", Effect.map(status, ({ fired }) => fired >= 4))
      assert.lengthOf(gates, 1)
      assert.strictEqual(yield* send("ZCARD", names.lanesWaiting), 1)
      gates[0]!.openUnsafe()
      yield* until("the one that waited runs", Effect.sync(() => gates.length === 2))
      assert.strictEqual(most(), 1)
      gates[1]!.openUnsafe()
    }), 60_000)

  test("is refused for a contract with a lane, whose backlog does the same", () =>
    Effect.sync(() => {
      const laned = Report.pipe(Action.lane(() => "all"))
      assert.throws(
        () => Schedules.every("report", { action: laned, payload: { kind: "a" }, every: "1 second", overlap: "skip" }),
        /overlap/
      )
    }))
})
