/** Workers count what became of actions, and the inspector shows it. */
import { assert } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import * as Inspector from "../../src/Inspector.ts"
import * as models from "../../src/internal/dashboard/models.ts"
import { keyAt, minute, quarter } from "../../src/internal/redis/statistics.ts"
import { addStatistics } from "../../src/internal/scripts/statistics.ts"
import { QueueNaming } from "../../src/QueueNaming.ts"
import { Redis } from "../../src/Redis.ts"
import * as RedisFaults from "../../src/testing/RedisFaults.ts"
import * as Worker from "../../src/Worker.ts"
import { eventually, inMemory, onBoth, Place, send } from "../support/layers.ts"
import { sendAction, startWorker } from "../support/world.ts"

const inspecting = Inspector.make()

/** The outcomes of each type that are not zero. */
const totals = Effect.gen(function*() {
  const inspector = yield* inspecting
  const { types } = yield* inspector.statistics("user", { last: "3 hours" })
  return Object.fromEntries(
    types.map(({ actionType, total }) => [
      actionType,
      Object.fromEntries(Object.entries(total.outcomes).filter(([, count]) => count > 0))
    ])
  )
})

const totalsAre = (expected: unknown) =>
  Effect.map(totals, (found) => JSON.stringify(found) === JSON.stringify(expected))

/** The periods that Redis keeps. */
const keys = Effect.gen(function*() {
  const naming = yield* QueueNaming
  const { asOf } = yield* (yield* inspecting).statistics("user")
  const now = asOf.epochMilliseconds
  const candidates = [
    ...Array.from({ length: 10 }, (_, i) => keyAt(naming, "user", minute, now - i * minute.length)),
    ...Array.from({ length: 200 }, (_, i) => keyAt(naming, "user", quarter, now - i * quarter.length))
  ]
  return yield* Effect.filter(candidates, (key) => Effect.map(send("EXISTS", key), (exists) => exists === 1))
})

/** A worker that runs until everything that was sent is settled, and then ends. */
const work = (settled: number, options: Worker.WorkerOptions = {}) =>
  Effect.scoped(Effect.gen(function*() {
    let count = 0
    yield* startWorker({ ...options, onSettled: () => Effect.sync(() => void count++) })
    yield* eventually(`${settled} settlements`, Effect.sync(() => count >= settled))
  }))

onBoth("Statistics", (test) => {
  test("count each outcome of each type, and types without a handler together", () =>
    Effect.gen(function*() {
      yield* sendAction("ok")
      yield* sendAction("ok", { expectation: "response" })
      yield* sendAction("ok", { expectation: "callback" })
      yield* sendAction("reject", { expectation: "response" })
      yield* sendAction("busy until 3")
      yield* sendAction("reject")
      yield* sendAction("ok", { type: "user.import" })
      yield* sendAction("ok", { type: "user.invented1" })
      yield* sendAction("ok", { type: "user.invented2" })
      yield* send("XADD", (yield* Place).names.stream, "*", "data", "{")
      yield* work(12, { unknownFor: 0 })
      assert.deepStrictEqual(yield* totals, {
        "other": { deadLetters: 3 },
        "user.create": { succeeded: 4, rejected: 1, retried: 2, deadLetters: 1 },
        "user.import": { succeeded: 1 }
      })
    }))

  test("have percentiles of the handlers that ran", () =>
    Effect.gen(function*() {
      for (let i = 0; i < 5; i++) yield* sendAction("ok")
      yield* sendAction("ok", { type: "user.invented" })
      yield* work(6, { unknownFor: 0 })
      const { types } = yield* (yield* inspecting).statistics("user")
      const [other, create] = types
      assert.strictEqual(other?.total.latency, undefined)
      const { count, p50, p95, p99 } = create!.total.latency!
      assert.strictEqual(count, 5)
      assert.isTrue(Duration.isLessThanOrEqualTo(p50, p95) && Duration.isLessThanOrEqualTo(p95, p99))
    }))

  test("become the JSON that the page of the dashboard draws", () =>
    Effect.gen(function*() {
      yield* sendAction("ok")
      yield* work(1)
      const statistics = yield* (yield* inspecting).statistics("user", { last: "1 minute" })
      const json = yield* Schema.encodeEffect(models.Statistics)(statistics)
      const outcomes = { succeeded: 1, expired: 0, rejected: 0, retried: 0, deadLetters: 0, released: 0 }
      const { latency } = json.types[0]!.total
      assert.deepStrictEqual(json, {
        asOf: DateTime.formatIso(statistics.asOf),
        from: DateTime.formatIso(statistics.from),
        until: DateTime.formatIso(statistics.until),
        interval: 60_000,
        types: [{
          actionType: "user.create",
          total: { outcomes, latency },
          points: [{ time: json.types[0]!.points[0]!.time, outcomes, latency }]
        }]
      })
      const { count, p50, p95, p99 } = latency!
      assert.deepStrictEqual([count, p50, p95], [1, p99, p99])
      assert.isAbove(p99, 0)
    }))

  test("count a result that cannot be written as a dead letter of a handler that ran", () =>
    Effect.gen(function*() {
      yield* Effect.scoped(Effect.gen(function*() {
        let settled = false
        yield* Worker.start({ "user.create": () => Effect.succeed({ n: 10n ** 4_300n }) }, {
          onSettled: () => Effect.sync(() => void (settled = true))
        })
        yield* sendAction("", { expectation: "response" })
        yield* eventually("it is settled", Effect.sync(() => settled))
      }))
      const { types } = yield* (yield* inspecting).statistics("user")
      assert.deepStrictEqual([types[0]!.total.outcomes.deadLetters, types[0]!.total.latency?.count], [1, 1])
    }))

  test("are added while the worker runs, and expire", () =>
    Effect.gen(function*() {
      const place = yield* Place
      yield* startWorker()
      yield* sendAction("ok")
      yield* eventually(
        "the worker has added its counts",
        Effect.andThen(place.pass("100 millis"), totalsAre({ "user.create": { succeeded: 1 } }))
      )
      const written = yield* keys
      assert.strictEqual(written.length, 2)
      for (const key of written) assert.isAbove(Number(yield* send("PTTL", key)), 0, key)
    }))

  test("of workers that count at the same time are added up", () =>
    Effect.gen(function*() {
      for (let i = 0; i < 20; i++) yield* sendAction("ok")
      yield* Effect.all([work(1, { concurrency: 1, readAhead: 0 }), work(1, { concurrency: 1, readAhead: 0 })], {
        concurrency: "unbounded"
      })
      yield* work(0)
      const length = Number(yield* send("XLEN", (yield* Place).names.stream))
      if (length > 0) yield* work(length)
      assert.deepStrictEqual((yield* totals)["user.create"]?.["succeeded"], 20)
    }))

  test("are not counted twice if the reply of a call is lost", () =>
    Effect.gen(function*() {
      const place = yield* Place
      const { faults, redis } = yield* RedisFaults.make(yield* Redis)
      let lost = 0
      yield* faults.next(RedisFaults.dropReply, ({ lua }) => lua === addStatistics.lua && ++lost > 0)
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Effect.provideService(startWorker(), Redis, redis)
        yield* sendAction("ok")
        yield* eventually("a reply is lost", Effect.map(place.pass("100 millis"), () => lost > 0))
        yield* sendAction("ok")
        yield* eventually(
          "the second action is counted",
          Effect.andThen(place.pass("100 millis"), totalsAre({ "user.create": { succeeded: 2 } }))
        )
      }))
      assert.deepStrictEqual(yield* totals, { "user.create": { succeeded: 2 } })
    }))

  test("that cannot be written disturb nothing, and are reported once", () =>
    Effect.gen(function*() {
      const place = yield* Place
      const { faults, redis } = yield* RedisFaults.make(yield* Redis)
      let refused = 0
      yield* faults.always(
        RedisFaults.refuse("NOPERM this user has no permissions to run the 'hset' command"),
        ({ lua }) => lua === addStatistics.lua && ++refused > 0
      )
      yield* Effect.scoped(Effect.gen(function*() {
        const { worker } = yield* Effect.provideService(startWorker(), Redis, redis)
        for (let round = 1; round <= 2; round++) {
          yield* sendAction("ok")
          yield* eventually("a call is refused", Effect.map(place.pass("100 millis"), () => refused >= round))
        }
        const { state, trouble } = yield* worker.status
        assert.deepStrictEqual([state, trouble.size], ["running", 0])
        yield* faults.clear
        yield* sendAction("ok")
        yield* eventually(
          "counts are written once they may be",
          Effect.andThen(place.pass("100 millis"), totalsAre({ "user.create": { succeeded: 1 } }))
        )
      }))
      const warnings = place.logs.filter(({ text }) => text.includes("The statistics of user are not written"))
      assert.strictEqual(warnings.length, 1)
      assert.include(warnings[0]!.text, "hset")
    }))

  test("wait while the server is full, and are added when it is not", () =>
    Effect.gen(function*() {
      const place = yield* Place
      const { faults, redis } = yield* RedisFaults.make(yield* Redis)
      let refused = 0
      yield* faults.always(
        RedisFaults.refuse("OOM command not allowed when used memory > 'maxmemory'"),
        ({ lua }) => lua === addStatistics.lua && ++refused > 0
      )
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Effect.provideService(startWorker(), Redis, redis)
        for (let round = 1; round <= 2; round++) {
          yield* sendAction("ok")
          yield* eventually("a call is refused", Effect.map(place.pass("100 millis"), () => refused >= round))
        }
        yield* faults.clear
      }))
      assert.deepStrictEqual(yield* totals, { "user.create": { succeeded: 2 } })
      assert.deepStrictEqual(place.logs.filter(({ text }) => text.includes("statistics")), [])
    }))

  test("that are switched off leave nothing in Redis", () =>
    Effect.gen(function*() {
      yield* sendAction("ok")
      yield* work(1, { statistics: false })
      assert.deepStrictEqual(yield* keys, [])
      assert.deepStrictEqual(yield* totals, {})
      assert.strictEqual((yield* (yield* inspecting).overview("user")).rates, undefined)
    }))

  test("of a type are not read from texts that another program wrote", () =>
    Effect.gen(function*() {
      const inspector = yield* inspecting
      yield* sendAction("ok")
      const { asOf } = yield* inspector.statistics("user")
      yield* send(
        "HSET",
        keyAt(yield* QueueNaming, "user", minute, asOf.epochMilliseconds),
        "user.a",
        "succeeded=x 999=3 hello=5 __proto__=9"
      )
      assert.deepStrictEqual(yield* totals, { "user.a": {} })
    }))

  test("refuse times that they cannot have", () =>
    Effect.gen(function*() {
      const inspector = yield* inspecting
      const refused = [{ last: "59 seconds" }, { last: "49 hours" }, {
        until: "now" as unknown as DateTime.Utc
      }] as const
      for (const options of refused) {
        const error = yield* Effect.flip(inspector.statistics("user", options))
        assert.strictEqual(error._tag, "InvalidOption")
      }
    }))
})

inMemory("Statistics", (test) => {
  test("belong to the minute in which actions ended, and to the quarter of an hour", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(Date.UTC(2026, 5, 29, 4, 13, 30))
      const inspector = yield* inspecting
      yield* startWorker()
      // The last is ten milliseconds before the end of its minute, the next ten after it.
      for (const [wait, count] of [["1 second", 1], ["28990 millis", 2], ["20 millis", 3], ["1 minute", 4]] as const) {
        yield* TestClock.adjust(wait)
        for (let i = 0; i < count; i++) yield* sendAction("ok")
        yield* TestClock.adjust("1 millis")
      }
      yield* TestClock.adjust("10 seconds")

      const minutes = yield* inspector.statistics("user", { last: "10 minutes" })
      assert.deepStrictEqual(Duration.toMinutes(minutes.interval), 1)
      assert.strictEqual(DateTime.formatIso(minutes.from), "2026-06-29T04:05:00.000Z")
      const pointsOf = ({ types }: Inspector.Statistics) =>
        types[0]!.points.map(({ latency, outcomes, time }) => [
          DateTime.formatIso(time).slice(11, 16),
          outcomes.succeeded,
          latency?.count
        ])
      assert.deepStrictEqual(pointsOf(minutes), [["04:13", 3, 3], ["04:14", 3, 3], ["04:15", 4, 4]])

      const quarters = yield* inspector.statistics("user", { last: "4 hours" })
      assert.deepStrictEqual(Duration.toMinutes(quarters.interval), 15)
      assert.deepStrictEqual(pointsOf(quarters), [["04:00", 6, 6], ["04:15", 4, 4]])
    }))

  test("end at a time that is given", () =>
    Effect.gen(function*() {
      const inspector = yield* inspecting
      yield* sendAction("ok")
      yield* work(1)
      const until = DateTime.add((yield* inspector.statistics("user")).asOf, { minutes: 1 })
      yield* TestClock.adjust("5 minutes")
      yield* sendAction("ok", { type: "user.import" })
      yield* work(1)
      const typesOf = ({ types }: Inspector.Statistics) => types.map(({ actionType }) => actionType)
      const early = yield* inspector.statistics("user", { last: "10 minutes", until })
      assert.deepStrictEqual([typesOf(early), early.until], [["user.create"], until])
      assert.deepStrictEqual(typesOf(yield* inspector.statistics("user", { last: "2 minutes" })), ["user.import"])
    }))

  test("are kept as minutes for 3 hours and as quarters of an hour for 48", () =>
    Effect.gen(function*() {
      const inspector = yield* inspecting
      yield* sendAction("ok")
      yield* work(1)
      const seen = (last: Duration.Input) =>
        Effect.map(inspector.statistics("user", { last }), ({ interval, types }) => [
          Duration.toMinutes(interval),
          types[0]?.total.outcomes.succeeded
        ])
      yield* TestClock.adjust("179 minutes")
      assert.deepStrictEqual(yield* seen("3 hours"), [1, 1])
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual(yield* seen("3 hours"), [1, undefined])
      yield* TestClock.adjust("44 hours")
      assert.deepStrictEqual(yield* seen("48 hours"), [15, 1])
      yield* TestClock.adjust("2 hours")
      assert.deepStrictEqual(yield* keys, [])
    }))

  test("give the rates of the last minute that is whole and counted", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(Date.UTC(2026, 5, 29, 4, 13, 30))
      const inspector = yield* inspecting
      const rates = Effect.map(inspector.overview("user"), ({ rates }) => rates)
      assert.strictEqual(yield* Effect.andThen(sendAction("ok"), rates), undefined)
      yield* Effect.scoped(Effect.gen(function*() {
        yield* startWorker()
        yield* sendAction("busy until 3")
        yield* sendAction("reject")
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(yield* rates, { ended: 0, retried: 0, deadLetters: 0 })
        yield* TestClock.adjust("25 seconds")
        assert.deepStrictEqual(yield* rates, { ended: 0, retried: 0, deadLetters: 0 })
        yield* TestClock.adjust("5 seconds")
      }))
      assert.deepStrictEqual(yield* rates, { ended: 3, retried: 2, deadLetters: 1 })
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* rates, { ended: 0, retried: 0, deadLetters: 0 })
      yield* TestClock.adjust("30 minutes")
      assert.strictEqual(yield* rates, undefined)
    }))

  test("of an idle worker cost no call", () =>
    Effect.gen(function*() {
      const { faults, redis } = yield* RedisFaults.make(yield* Redis)
      let calls = 0
      yield* faults.always(RedisFaults.delayReply(0), ({ lua }) => lua === addStatistics.lua && ++calls < 0)
      yield* Effect.gen(function*() {
        yield* startWorker()
        yield* TestClock.adjust("2 minutes")
        assert.strictEqual(calls, 0)
        yield* sendAction("ok")
        yield* TestClock.adjust("2 minutes")
        assert.strictEqual(calls, 1)
      }).pipe(Effect.scoped, Effect.provideService(Redis, redis))
    }))
})
