/** Lanes in the inspector: who holds and who waits, what stops them, keys only on request, and what its verbs do to a lane. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import { RetryLater } from "../../src/HandlerError.ts"
import * as Inspector from "../../src/Inspector.ts"
import * as Worker from "../../src/Worker.ts"
import { entriesOf, eventually, onBoth, Place } from "../support/layers.ts"

const Step = Action.make("user.step", {
  payload: { key: Schema.String, n: Schema.Number },
  maxAttempts: 1
}).pipe(
  Action.lane(({ key }) => key, { onGiveUp: "halt", rate: { limit: 1_000, per: "1 minute" }, backlog: { max: 50 } })
)

/** Handlers wait until the gate opens, and fail if `n` is 13. */
const world = Effect.gen(function*() {
  const events: Array<string> = []
  const gate = Latch.makeUnsafe(false)
  const worker = yield* Worker.start(
    ActionGroup.make(Step).handlers({
      "user.step": ({ key, n }) =>
        Effect.gen(function*() {
          events.push(`${key}${n}`)
          yield* gate.await
          if (n === 13) return yield* new RetryLater()
        })
    }),
    { block: "200 millis", claimIdle: "20 seconds", shutdownGrace: 0, concurrency: 20 }
  )
  const client = yield* ActionClient.make()
  const send = (key: string, ...numbers: ReadonlyArray<number>) =>
    Effect.forEach(numbers, (n) => client.send(Step, { key, n }))
  return { events, gate, worker, send, inspector: yield* Inspector.make() }
})

const ran = (events: ReadonlyArray<string>, ...expected: ReadonlyArray<string>) =>
  eventually(`${expected.join(", ")} ran`, Effect.sync(() => events.join() === expected.join()))

onBoth("Lanes in the inspector", (test) => {
  test("show who holds, who waits, since when and with which limits, and their keys only on request", () =>
    Effect.gen(function*() {
      const { events, gate, inspector, send } = yield* world
      const [first] = yield* send("ana", 1, 2, 3)
      yield* send("eva", 1)
      yield* ran(events, "ana1", "eva1")
      const { cursor, lanes } = yield* inspector.lanes("user")
      assert.strictEqual(cursor, undefined)
      assert.deepStrictEqual(
        lanes.map(({ held, key, state, total, type, waiting }) => ({
          held,
          key,
          state,
          total,
          type,
          waiting
        })),
        [
          { held: 1, key: undefined, state: "open", total: false, type: "user.step", waiting: 2 },
          { held: 1, key: undefined, state: "open", total: false, type: "user.step", waiting: 0 }
        ]
      )
      assert.notInclude(JSON.stringify(lanes), "ana")
      assert.deepStrictEqual(lanes[0]?.holders.map(({ entryId }) => entryId), [
        first?._tag === "Sent" ? first.entryId : ""
      ])
      assert.isDefined(lanes[0]?.waitingSince)
      assert.isUndefined(lanes[1]?.waitingSince)
      const withKeys = yield* inspector.lanes("user", { keys: true, limit: 1 })
      assert.deepStrictEqual(withKeys.lanes.map(({ key }) => key), ["ana"])
      const rest = yield* inspector.lanes("user", { keys: true, cursor: withKeys.cursor })
      assert.deepStrictEqual(rest.lanes.map(({ key }) => key), ["eva"])

      const [summary] = yield* inspector.laneNames("user")
      assert.deepInclude(summary, { type: "user.step", held: 2, waiting: 2, overridden: false })
      assert.deepInclude(summary?.rules, { concurrency: 1, onGiveUp: "halt", backlog: { max: 50 }, total: undefined })
      yield* inspector.limitLane("user", { type: "user.step" }, { concurrency: 3 })
      const [limited] = yield* inspector.laneNames("user")
      assert.deepStrictEqual([limited?.rules.concurrency, limited?.declared?.concurrency], [3, 1])

      const queue = yield* inspector.queued("user", { id: lanes[0].id }, { limit: 1 })
      assert.deepInclude(queue.entries[0], { state: "queued", actionType: "user.step", payload: undefined })
      assert.isUndefined(queue.entries[0]?.lane.key)
      const next = yield* inspector.queued("user", { type: "user.step", key: "ana" }, {
        payload: true,
        cursor: queue.cursor
      })
      assert.include(next.entries[0]?.payload?.text, "\"n\":3")
      assert.strictEqual(next.entries[0]?.lane.key, "ana")
      assert.lengthOf((yield* inspector.list("user", "queued")).entries, 2)
      gate.openUnsafe()
      yield* eventually("all ran", Effect.sync(() => events.length === 4))
    }))

  test("name the letter that halted a lane, and go on when it is resumed by its id", () =>
    Effect.gen(function*() {
      const { events, gate, inspector, send } = yield* world
      gate.openUnsafe()
      const [failing] = yield* send("ana", 13, 1)
      const stopped = Effect.map(inspector.lanes("user", { stopped: true }), ({ lanes }) => lanes)
      yield* eventually("the lane halted", Effect.map(stopped, (lanes) => lanes.length === 1))
      const [lane] = yield* stopped
      assert.deepInclude(lane, {
        state: "halted",
        waiting: 1,
        haltedBy: failing?._tag === "Sent" ? failing.entryId : ""
      })
      assert.isDefined(lane?.haltedAt)
      assert.isTrue(yield* inspector.resumeLane("user", { id: lane.id }))
      yield* ran(events, "ana13", "ana1")
      assert.deepStrictEqual(yield* stopped, [])
      assert.isFalse(yield* inspector.resumeLane("user", { type: "user.step", key: "ana" }))
    }))

  test("let the next in when the holder is cancelled or buried, and take what waits out of its queue", () =>
    Effect.gen(function*() {
      const { events, gate, inspector, send, worker } = yield* world
      const { names } = yield* Place
      yield* worker.pause
      const [first, second, third, fourth] = yield* send("ana", 1, 2, 3, 4)
      assert.strictEqual((yield* Effect.flip(inspector.retryNow(second!)))._tag, "WrongState")
      const found = yield* inspector.find(second!)
      assert.strictEqual(found.entry?.state, "queued")
      assert.strictEqual((yield* inspector.cancel(second!)).from, "queued")
      yield* inspector.cancel(first!)
      assert.lengthOf(yield* entriesOf(names.stream), 1)
      yield* inspector.bury(third!)
      const [lane] = (yield* inspector.lanes("user", { stopped: true })).lanes
      assert.deepInclude(lane, { state: "halted", held: 0, waiting: 1 })
      yield* inspector.resumeLane("user", { id: lane!.id })
      gate.openUnsafe()
      yield* worker.resume
      yield* ran(events, "ana4")
      yield* eventually("it is gone", Effect.map(inspector.find(fourth!), ({ entry }) => entry === undefined))
    }))

  test("pause a lane that nothing waits in, and refuse what is not a lane", () =>
    Effect.gen(function*() {
      const { events, gate, inspector, send } = yield* world
      gate.openUnsafe()
      const lane = { type: "user.step", key: "ana" } as const
      yield* inspector.pauseLane("user", lane, "1 hour")
      const [paused] = (yield* inspector.lanes("user", { stopped: true })).lanes
      assert.deepInclude(paused, { state: "paused", held: 0, waiting: 0 })
      assert.isDefined(paused?.until)
      assert.strictEqual((yield* send("ana", 1))[0]?._tag, "Waiting")
      yield* inspector.resumeLane("user", lane)
      yield* ran(events, "ana1")
      const tags = yield* Effect.forEach([
        inspector.pauseLane("user", { id: "0123456789abcdef" }, "1 hour"),
        inspector.pauseLane("user", { id: "x" }, "1 hour"),
        inspector.pauseLane("user", { type: "user.step", key: "" }, "1 hour"),
        inspector.limitLane("user", { type: "user step" }, { concurrency: 1 }),
        inspector.limitLane("user", { type: "user.step" }, { concurrency: 0 }),
        Effect.asVoid(inspector.lanes("user", { limit: 101 })),
        Effect.asVoid(inspector.lanes("user", { cursor: "ana" })),
        Effect.asVoid(inspector.lanes("unknown"))
      ], (effect) => Effect.map(Effect.flip(effect), ({ _tag }) => _tag))
      assert.deepStrictEqual(tags, [
        "LaneNotFound",
        ...Array.from({ length: 6 }, () => "InvalidOption"),
        "ServiceNotFound"
      ])
    }))
})
