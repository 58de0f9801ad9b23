/**
 * Clocks of hosts: off by an hour, or set while a handler runs. Leases, limits and deadlines do not care.
 */
import { assert, describe } from "@effect/vitest"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { hasRuns, started, test } from "../support/modelTest.ts"
import * as Model from "../support/modelWorld.ts"

const hour = 3_600_000

const succeedAfter = (duration: Duration.Input): Model.Handle => (job) =>
  Effect.delay(Effect.succeed(Model.resultOf(job)), duration)

const requested = Effect.fnUntraced(function*(world: Model.World, timeout: Duration.Input) {
  const { client } = yield* world.makeSender()
  return yield* Effect.forkChild(client.request(Model.Do, { key: "k" }, { timeout }))
})

describe("a clock that is set while a handler runs", () => {
  for (const [way, skew] of [["forward", hour], ["back", -hour]] as const) {
    test(
      `${way}: a handler without end is interrupted when its time is over`,
      () => Effect.never,
      (world) =>
        Effect.gen(function*() {
          const process = yield* world.start("a", { worker: { handlerTimeout: "10 seconds", maxAttempts: 1 } })
          yield* started(world, process)
          yield* world.ask(world.admin, "k", "00000000-0000-4000-8000-000000000001")
          yield* hasRuns(world, 1)
          process.setClock(skew)
          yield* TestClock.adjust("9 seconds")
          assert.isUndefined(world.runs[0]?.ended)
          yield* TestClock.adjust("2 seconds")
          assert.isDefined(world.runs[0]?.ended)
        })
    )

    test(
      `${way}: a request is answered, and one that comes then`,
      succeedAfter("4 seconds"),
      (world) =>
        Effect.gen(function*() {
          const process = yield* world.start("a")
          yield* started(world, process)
          const before = yield* requested(world, "10 seconds")
          yield* hasRuns(world, 1)
          process.setClock(skew)
          const after = yield* requested(world, "10 seconds")
          yield* TestClock.adjust("9 seconds")
          assert.strictEqual((yield* Fiber.join(before)).attempt, 1)
          assert.strictEqual((yield* Fiber.join(after)).attempt, 1)
        })
    )
  }
})

describe("workers whose clocks are an hour apart", () => {
  test(
    "run a request each before its deadline, and none after it",
    succeedAfter("1 second"),
    (world) =>
      Effect.gen(function*() {
        for (const [name, skew] of [["a", -hour], ["b", hour]] as const) {
          const process = yield* world.start(name, { skew, worker: { concurrency: 1, readAhead: 0 } })
          yield* started(world, process)
        }
        const calls = yield* Effect.forEach([1, 2, 3, 4], () => requested(world, "1500 millis"))
        yield* TestClock.adjust("10 seconds")
        const exits = yield* Effect.forEach(calls, Fiber.await)
        // Two at a time for a second each: those that would end after their deadline are cut off there, or never begin.
        assert.deepStrictEqual(exits.map((exit) => exit._tag).sort(), ["Failure", "Failure", "Success", "Success"])
        assert.deepStrictEqual([...new Set(world.runs.map((run) => run.process))].sort(), ["a", "b"])
        assert.deepStrictEqual(yield* world.pending, [])
      })
  )

  test("leave a running entry to the one that renews it", succeedAfter("1 minute"), (world) =>
    Effect.gen(function*() {
      const first = yield* world.start("a", { skew: -hour })
      yield* started(world, first)
      yield* world.ask(world.admin, "k", "00000000-0000-4000-8000-000000000001")
      yield* hasRuns(world, 1)
      const second = yield* world.start("b", { skew: hour })
      yield* started(world, second)
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual(world.runs.map((run) => run.process), ["a"])
      assert.deepStrictEqual(yield* world.pending, [])
    }))
})
