/** Schedules of a service, declared and made at run time. */
import { assert } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as Schedules from "../../src/Schedules.ts"
import * as Worker from "../../src/Worker.ts"
import { entriesOf, eventually, inMemory, onBoth, Place, send } from "../support/layers.ts"

const Report = Action.make("user.report", { payload: { kind: Schema.String } })

const options = { block: "1 second", shutdownGrace: 0 } satisfies Worker.WorkerOptions

interface Ran {
  readonly kind: string
  readonly id: string
  readonly slot: number
}

const start = Effect.fnUntraced(function*(schedules: ReadonlyArray<Schedules.Schedule>, ran: Array<Ran> = []) {
  const worker = yield* Worker.start(
    ActionGroup.make(Report).handlers({
      "user.report": ({ kind }, { action, scheduledFor }) =>
        Effect.sync(() => {
          ran.push({
            kind,
            id: action.action_id,
            slot: scheduledFor === undefined ? 0 : DateTime.toEpochMillis(scheduledFor)
          })
        })
    }),
    { ...options, schedules }
  )
  return { ran, worker }
})

const each = (seconds: number, kind = "a", change: Schedules.ScheduleOptions = {}) =>
  Schedules.every("report", { action: Report, payload: { kind }, every: `${seconds} seconds`, ...change })

const serverTime = Effect.map(
  send<ReadonlyArray<string>>("TIME"),
  ([seconds, micros]) => Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000)
)

const has = (ran: ReadonlyArray<Ran>, count: number) =>
  eventually(`${count} ran, and not ${ran.length}`, Effect.sync(() => ran.length >= count))

onBoth("A declared schedule", (test) => {
  test("fires each slot once, with the time of the slot and an id derived from it, whatever number of workers run", () =>
    Effect.gen(function*() {
      const ran: Array<Ran> = []
      for (let n = 0; n < 3; n++) yield* start([each(1)], ran)
      yield* has(ran, 3)
      const slots = ran.map(({ slot }) => slot)
      assert.isTrue(slots.every((slot) => slot % 1_000 === 0))
      assert.strictEqual(new Set(slots).size, slots.length)
      for (let n = 1; n < slots.length; n++) assert.strictEqual(slots[n]! - slots[n - 1]!, 1_000)
      assert.strictEqual(new Set(ran.map(({ id }) => id)).size, slots.length)
    }))

  test("is listed with its next slot, and the next ones are told", () =>
    Effect.gen(function*() {
      yield* start([each(3_600)])
      const schedules = yield* Schedules.make()
      const [status, ...more] = yield* schedules.list
      assert.lengthOf(more, 0)
      assert.deepInclude(status, {
        name: "report",
        actionType: "user.report",
        origin: "declared",
        recurrence: "every 1h",
        paused: undefined,
        fired: 0
      })
      const now = yield* serverTime
      const next = (yield* schedules.next("report", 3)).map(DateTime.toEpochMillis)
      assert.deepStrictEqual(next, [1, 2, 3].map((n) => (Math.floor(now / 3_600_000) + n) * 3_600_000))
      assert.strictEqual((yield* Effect.flip(schedules.next("other")))._tag, "ScheduleNotFound")
    }))

  test("cannot be replaced or removed by a program, nor take the name of one that a program made", () =>
    Effect.gen(function*() {
      yield* start([each(3_600)])
      const schedules = yield* Schedules.make()
      assert.strictEqual((yield* Effect.flip(schedules.upsert(each(60))))._tag, "ScheduleDeclared")
      assert.strictEqual((yield* Effect.flip(schedules.remove("report")))._tag, "ScheduleDeclared")
      yield* schedules.upsert(Schedules.every("own", { action: Report, payload: { kind: "b" }, every: "1 hour" }))
      const error = yield* Effect.flip(
        start([Schedules.every("own", { action: Report, payload: { kind: "c" }, every: "1 hour" })])
      )
      assert.strictEqual(error._tag, "InvalidOption")
      assert.include(error.message, "\"own\", which a program made at run time")
    }))
})

onBoth("A schedule made at run time", (test) => {
  test("fires from any worker of the service, until it is removed", () =>
    Effect.gen(function*() {
      const { pass } = yield* Place
      const { ran } = yield* start([])
      const schedules = yield* Schedules.make()
      yield* schedules.upsert(each(1, "runtime"))
      yield* has(ran, 2)
      yield* schedules.remove("report")
      const { length } = ran
      yield* pass("2 seconds")
      assert.isAtMost(ran.length, length + 1)
      assert.deepStrictEqual(yield* schedules.list, [])
      assert.strictEqual((yield* Effect.flip(schedules.remove("report")))._tag, "ScheduleNotFound")
    }))

  test("does not fire while it is paused, and catches nothing up", () =>
    Effect.gen(function*() {
      const { pass } = yield* Place
      const { ran } = yield* start([])
      const schedules = yield* Schedules.make()
      yield* schedules.upsert(each(1))
      yield* has(ran, 1)
      yield* schedules.pause("report", "maintenance")
      assert.strictEqual((yield* schedules.list)[0]?.paused, "maintenance")
      yield* pass("500 millis")
      const { length } = ran
      yield* pass("2 seconds")
      assert.strictEqual(ran.length, length)
      const resumed = yield* serverTime
      yield* schedules.resume("report")
      yield* has(ran, length + 1)
      assert.isAbove(ran[length]!.slot, resumed - 1)
    }))

  test("is triggered and filled in by hand", () =>
    Effect.gen(function*() {
      const { ran } = yield* start([])
      const schedules = yield* Schedules.make()
      yield* schedules.upsert(each(3_600))
      const id = yield* schedules.trigger("report")
      yield* has(ran, 1)
      assert.strictEqual(ran[0]?.id, id)
      const range = {
        from: DateTime.makeUnsafe("2026-01-01T00:00:00Z"),
        until: DateTime.makeUnsafe("2026-01-01T03:00:00Z")
      }
      const ids = yield* schedules.backfill("report", range)
      assert.lengthOf(ids, 4)
      yield* has(ran, 5)
      assert.sameMembers(ran.slice(1).map(({ id }) => id), [...ids])
      assert.deepStrictEqual(yield* schedules.backfill("report", range), ids)
    }))

  test("with a new payload keeps its grid", () =>
    Effect.gen(function*() {
      yield* start([])
      const schedules = yield* Schedules.make()
      yield* schedules.upsert(each(3_600, "a"))
      const [before] = yield* schedules.list
      yield* schedules.upsert(each(3_600, "b"))
      const [after] = yield* schedules.list
      assert.deepStrictEqual(after?.next, before?.next)
      assert.notStrictEqual(after?.version, before?.version)
    }))
})

inMemory("Schedules over time", (test) => {
  test("are fired once for the latest slot after no worker ran for hours", () =>
    Effect.gen(function*() {
      const { pass } = yield* Place
      const first = yield* start([each(60)])
      yield* pass("70 seconds")
      yield* first.worker.drain
      const before = first.ran.length
      yield* pass("3 hours")
      const second = yield* start([each(60)])
      yield* pass("2 seconds")
      assert.strictEqual(before, 1)
      assert.lengthOf(second.ran, 1)
      const [status] = yield* (yield* Schedules.make()).list
      assert.isAbove(status!.skipped, 170)
    }))

  test("of a canary that starts with another version and dies are fired by the others within a minute", () =>
    Effect.gen(function*() {
      const { pass } = yield* Place
      const ran: Array<Ran> = []
      yield* start([each(10, "old")], ran)
      yield* pass("30 seconds")
      assert.isTrue(ran.length >= 2 && ran.every(({ kind }) => kind === "old"))
      const canary = yield* start([each(10, "new")], ran)
      const before = ran.length
      yield* pass("30 seconds")
      assert.isTrue(ran.slice(before).length >= 2 && ran.slice(before).every(({ kind }) => kind === "new"))
      yield* canary.worker.drain
      const died = ran.length
      yield* pass("70 seconds")
      assert.isAbove(ran.slice(died).filter(({ kind }) => kind === "old").length, 0)
    }))

  test("that no worker declares any more are orphaned, and catch nothing up when they come back", () =>
    Effect.gen(function*() {
      const { pass } = yield* Place
      const ran: Array<Ran> = []
      const first = yield* start([each(600, "a", { missed: { all: "1 day" } })], ran)
      yield* start([], ran)
      yield* first.worker.drain
      yield* pass("2 minutes")
      const schedules = yield* Schedules.make()
      assert.strictEqual((yield* schedules.list)[0]?.origin, "orphaned")
      yield* pass("40 minutes")
      assert.deepStrictEqual(ran, [])
      yield* start([each(600, "a", { missed: { all: "1 day" } })], ran)
      yield* pass("1 minute")
      assert.deepStrictEqual(ran, [])
      yield* pass("5 minutes")
      yield* has(ran, 1)
      assert.lengthOf(ran, 1)
    }))

  test("go on after the clock of the server was a year ahead", () =>
    Effect.gen(function*() {
      const { names, pass } = yield* Place
      const { ran } = yield* start([each(60)])
      const state = String(yield* send("HGET", names.scheduleState, "report"))
      const slot = Number(state.split("\n")[0])
      const ahead = slot + 365 * 86_400_000
      yield* send("HSET", names.scheduleState, "report", state.replaceAll(String(slot), String(ahead)))
      yield* send("ZADD", names.scheduleNext, ahead, "report")
      yield* pass("3 minutes")
      assert.isAtLeast(ran.length, 2)
    }))

  test("leave nothing in the stream but their actions", () =>
    Effect.gen(function*() {
      const { names, pass } = yield* Place
      yield* start([each(10)])
      yield* pass("1 minute")
      yield* eventually("all is settled", Effect.map(entriesOf(names.stream), (rows) => rows.length === 0))
      assert.lengthOf(yield* entriesOf(names.deadLetters), 0)
    }))
})
