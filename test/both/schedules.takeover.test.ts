/** Which of several workers fires a schedule, when they come, go, and cannot write. */
import { assert } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import { fireSchedule, renewSchedules, writeSchedule } from "../../src/internal/scripts/schedules.ts"
import { Redis } from "../../src/Redis.ts"
import * as Schedules from "../../src/Schedules.ts"
import * as RedisFaults from "../../src/testing/RedisFaults.ts"
import * as Worker from "../../src/Worker.ts"
import { eventually, inMemory, onBoth, Place } from "../support/layers.ts"

const Report = Action.make("user.report", { payload: { kind: Schema.String } })

const options = { block: "200 millis", shutdownGrace: 0 } satisfies Worker.WorkerOptions

interface Ran {
  readonly kind: string
  readonly slot: number
}

const start = (schedules: ReadonlyArray<Schedules.Schedule>, ran: Array<Ran> = []) =>
  Worker.start(
    ActionGroup.make(Report).handlers({
      "user.report": ({ kind }, { scheduledFor }) =>
        Effect.sync(() => {
          ran.push({ kind, slot: scheduledFor === undefined ? 0 : DateTime.toEpochMillis(scheduledFor) })
        })
    }),
    { ...options, schedules }
  )

const each = (seconds: number, kind: string) =>
  Schedules.every("report", { action: Report, payload: { kind }, every: `${seconds} seconds` })

const standing = (worker: Worker.Worker["Service"]) => Effect.map(worker.status, ({ schedules }) => schedules)

onBoth("The status of a worker", (test) => {
  test("says of each schedule that it declares whether the service sends its form", () =>
    Effect.gen(function*() {
      const old = yield* start([each(3_600, "old")])
      assert.deepStrictEqual(yield* standing(old), [{ name: "report", isSent: true }])
      const none = yield* start([])
      assert.deepStrictEqual(yield* standing(none), [])
      const newer = yield* start([each(3_600, "new")])
      assert.deepStrictEqual(yield* standing(newer), [{ name: "report", isSent: true }])
      yield* (yield* Place).pass("10 seconds")
      yield* eventually(
        "the older worker has noticed",
        Effect.map(standing(old), ([report]) => report?.isSent === false)
      )
    }))
})

inMemory("A schedule", (test) => {
  test("that a restarted worker declares is not taken over by an older form, because it is renewed at the start", () =>
    Effect.gen(function*() {
      const { pass } = yield* Place
      const ran: Array<Ran> = []
      yield* start([each(10, "old")], ran)
      const first = yield* start([each(10, "new")], ran)
      yield* pass("12 seconds")
      yield* first.drain
      // Just before the older worker would take over.
      yield* pass("38 seconds")
      yield* start([each(10, "new")], ran)
      const before = ran.length
      yield* pass("2 minutes")
      assert.isAtLeast(ran.length, before + 10)
      assert.deepStrictEqual([...new Set(ran.slice(before).map(({ kind }) => kind))], ["new"])
    }))

  test(
    "is late and not lost when the server refuses its worker for longer than the others wait",
    () =>
      Effect.gen(function*() {
        const { logs, pass } = yield* Place
        const ran: Array<Ran> = []
        const { faults, redis } = yield* RedisFaults.make(yield* Redis)
        yield* start([each(120, "a")], ran).pipe(Effect.provideService(Redis, redis))
        // Another worker of the service, which the server accepts and which does not declare the schedule.
        yield* start([])
        const writes = new Set([renewSchedules, writeSchedule, fireSchedule].map(({ script }) => script.lua))
        yield* faults.always(
          RedisFaults.refuse("OOM command not allowed when used memory > 'maxmemory'"),
          ({ lua }) => lua !== undefined && writes.has(lua)
        )
        yield* pass("90 seconds")
        assert.deepStrictEqual(ran, [])
        assert.isTrue(logs.some(({ text }) => text.includes("declares the schedule report any more")))
        assert.strictEqual((yield* (yield* Schedules.make()).list)[0]?.origin, "orphaned")
        yield* faults.clear
        yield* pass("20 seconds")
        assert.lengthOf(ran, 1)
        yield* pass("2 minutes")
        assert.lengthOf(ran, 2)
        assert.strictEqual(ran[1]!.slot - ran[0]!.slot, 120_000)
      }),
    60_000
  )

  test("is looked after without a call for each of a thousand others", () =>
    Effect.gen(function*() {
      const { pass } = yield* Place
      const redis = yield* Redis
      let calls = 0
      const counted = Redis.of({
        ...redis,
        send: (command, ...args) => {
          calls++
          return redis.send(command, ...args)
        },
        eval: (script) => {
          const run = redis.eval(script)
          return (...params) => {
            calls++
            return run(...params)
          }
        }
      })
      const schedules = yield* Schedules.make()
      for (let n = 0; n < 1_000; n++) {
        yield* schedules.upsert(
          Schedules.every(`own-${n}`, { action: Report, payload: { kind: "a" }, every: "300 days" })
        )
      }
      yield* start([]).pipe(Effect.provideService(Redis, counted))
      yield* pass("5 seconds")
      calls = 0
      yield* pass("60 seconds")
      assert.isAtMost(calls, 8 * 60)
    }), 60_000)
})
