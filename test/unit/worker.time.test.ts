/**
 * Times that a worker keeps to, by the clock of a test.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/testing/TestClock"
import { RetryLater } from "../../src/HandlerError.ts"
import * as Worker from "../../src/Worker.ts"
import { eventually, inMemory, pendingOf, Place, send } from "../support/layers.ts"
import { deadLetters, effects, leftovers, nothingLeft, sendAction, settled } from "../support/world.ts"

const now = Effect.map(
  send<ReadonlyArray<string>>("TIME"),
  ([seconds, micros]) => Number(seconds) * 1000 + Math.floor(Number(micros) / 1000)
)

/** A worker whose handler notes the time of each run and fails until it has failed so often. */
const failing = (failures: number, options: Worker.WorkerOptions, error: () => Error = () => new Error("no")) =>
  Effect.gen(function*() {
    const times: Array<number> = []
    const start = yield* now
    const worker = yield* Worker.start({
      "user.create": (_, { attempt }) =>
        Effect.gen(function*() {
          times.push((yield* now) - start)
          return attempt > failures ? {} : yield* Effect.fail(error())
        })
    }, { shutdownGrace: 0, ...options })
    return { times, worker }
  })

/** Lets time pass in steps, so that what waits for one thing after another goes on. */
const passing = (millis: number, step = 50) =>
  Effect.gen(function*() {
    for (let left = millis; left > 0; left -= step) yield* TestClock.adjust(Math.min(step, left))
  })

const near = (actual: ReadonlyArray<number>, expected: ReadonlyArray<number>, tolerance: number) => {
  assert.strictEqual(actual.length, expected.length, JSON.stringify(actual))
  expected.forEach((time, index) => {
    assert.isTrue(actual[index]! >= time && actual[index]! <= time + tolerance, JSON.stringify(actual))
  })
}

inMemory("the times of a worker", (test) => {
  test("retries follow the schedule, replayed from the attempt", () =>
    Effect.gen(function*() {
      const { times } = yield* failing(4, { retry: Schedule.exponential("1 second") })
      yield* sendAction("")
      yield* passing(16_000)
      near(times, [0, 1_000, 3_000, 7_000, 15_000], 100)
      assert.deepStrictEqual(yield* leftovers, nothingLeft)
    }))

  test("retries are from one second on and doubled by default, each with a jitter of a fifth", () =>
    Effect.gen(function*() {
      const { times } = yield* failing(3, {})
      yield* sendAction("")
      yield* passing(12_000)
      assert.strictEqual(times.length, 4, JSON.stringify(times))
      for (const [index, base] of [1_000, 2_000, 4_000].entries()) {
        const waited = times[index + 1]! - times[index]!
        assert.isTrue(waited >= base * 0.8 && waited <= base * 1.2 + 100, JSON.stringify(times))
      }
    }))

  test("RetryLater comes when it says, whatever the schedule", () =>
    Effect.gen(function*() {
      const { times } = yield* failing(
        1,
        { retry: Schedule.spaced("1 second") },
        () => new RetryLater({ after: "1 minute" })
      )
      yield* sendAction("")
      yield* eventually("the first attempt", Effect.sync(() => times.length === 1))
      const first = times[0]!
      yield* passing(59_000, 500)
      assert.strictEqual(times.length, 1)
      yield* passing(2_000)
      near(times, [first, first + 60_000], 200)
    }))

  test("a retry waits in Redis and holds no worker: the next one runs it when it is due", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const first = yield* failing(9, { retry: Schedule.spaced("1 minute") })
      const sent = yield* sendAction("", { expectation: "response" })
      yield* eventually("it waits", Effect.map(pendingOf(names), (rows) => rows[0]?.[1] === names.waitingConsumer))
      yield* first.worker.drain
      const second = yield* failing(1, {})
      yield* passing(58_000, 500)
      assert.deepStrictEqual(second.times, [])
      yield* passing(3_000)
      assert.strictEqual(second.times.length, 1)
      yield* settled
      assert.deepStrictEqual(yield* effects(sent), ["response {}"])
    }))

  test("other actions are not held up by those that wait", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      let done = 0
      yield* Worker.start({
        "user.create": ({ data }) =>
          data["does"] === "wait" ? Effect.fail(new RetryLater({ after: "1 day" })) : Effect.sync(() => {
            done++
          })
      }, { concurrency: 2, readAhead: 0 })
      for (let i = 0; i < 50; i++) yield* sendAction("wait")
      for (let i = 0; i < 50; i++) yield* sendAction("go")
      yield* eventually("the others are done", Effect.sync(() => done === 50))
      yield* eventually("fifty wait", Effect.map(pendingOf(names), (rows) => rows.length === 50))
    }))

  test("a type without a handler waits ten minutes by default, counted from when it was first found", () =>
    Effect.gen(function*() {
      const sent = yield* sendAction("", { type: "user.nobody", expectation: "response" })
      // How long it lay in the stream is not counted: nobody looked for a handler.
      yield* passing(3_600_000, 600_000)
      yield* Worker.start({}, { shutdownGrace: 0 })
      yield* passing(590_000, 500)
      assert.deepStrictEqual(yield* effects(sent), [])
      yield* passing(30_000, 500)
      assert.deepStrictEqual(yield* effects(sent), [
        "error ACTION_NOT_IMPLEMENTED",
        "dead unknown ACTION_NOT_IMPLEMENTED"
      ])
      assert.strictEqual((yield* deadLetters)[0]?.notes["message"], "No worker has a handler for user.nobody")
      assert.deepStrictEqual(yield* leftovers, nothingLeft)
    }))

  test("the one worker among many that knows a type gets to run it", () =>
    Effect.gen(function*() {
      for (let i = 0; i < 5; i++) yield* Worker.start({}, { shutdownGrace: 0 })
      const sent = yield* sendAction("", { type: "user.future", expectation: "response" })
      yield* passing(20_000, 50)
      yield* Worker.start({ "user.future": () => Effect.succeed({ done: true }) }, { shutdownGrace: 0 })
      yield* passing(60_000, 50)
      assert.deepStrictEqual(yield* effects(sent), ["response {\"done\":true}"])
    }))

  test("a handler that runs for many times the lease keeps its entry", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      let runs = 0
      const start = Worker.start({
        "user.create": () =>
          Effect.suspend(() => {
            runs++
            return Effect.as(Effect.sleep("2 minutes"), { slept: true })
          })
      }, { claimIdle: "5 seconds", shutdownGrace: 0 })
      yield* start
      yield* start
      const sent = yield* sendAction("", { expectation: "response" })
      yield* passing(118_000, 1_000)
      assert.deepStrictEqual((yield* pendingOf(names)).map(([, , , deliveries]) => deliveries), [1])
      yield* passing(4_000, 500)
      assert.strictEqual(runs, 1)
      assert.deepStrictEqual(yield* effects(sent), ["response {\"slept\":true}"])
    }))

  test("with maxDeliveries 1 retries run as soon as they are due, beside one another", () =>
    Effect.gen(function*() {
      const { times } = yield* failing(20, { retry: Schedule.spaced("1 second"), maxDeliveries: 1, maxAttempts: 2 })
      for (let i = 0; i < 10; i++) yield* sendAction("")
      yield* passing(1_500)
      assert.strictEqual(times.length, 20)
    }))

  test("what a dead consumer left is taken once its lease is over, and not before", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      yield* send("XGROUP", "CREATE", names.stream, names.group, "0", "MKSTREAM")
      const sent = yield* sendAction("", { expectation: "response" })
      yield* send("XREADGROUP", "GROUP", names.group, "dead", "STREAMS", names.stream, ">")
      const { times } = yield* failing(0, { claimIdle: "1 minute" })
      yield* passing(59_000, 500)
      assert.deepStrictEqual(times, [])
      yield* passing(21_000, 500)
      assert.strictEqual(times.length, 1)
      assert.deepStrictEqual(yield* effects(sent), ["response {}"])
    }))
})
