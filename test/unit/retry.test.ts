/**
 * Retry: when an attempt is due follows from the count of failures alone, and waits at the server, where it costs nobody
 * anything and survives everybody.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import * as Action from "../../src/Action.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import type { Delivery } from "../../src/Delivery.ts"
import * as DomainAction from "../../src/DomainAction.ts"
import { RetryLater } from "../../src/HandlerError.ts"
import { defaultSchedule, delayAfter } from "../../src/internal/worker/backoff.ts"
import * as Worker from "../../src/Worker.ts"
import { fieldsOf, inMemory, Place, send } from "../support/layers.ts"
import * as Model from "../support/modelWorld.ts"
import { until } from "../support/until.ts"

// -----------------------------------------------------------------------------
// the delay
// -----------------------------------------------------------------------------

const delaysOf = (schedule: Schedule.Schedule<unknown, number>, count: number) => {
  const delay = delayAfter(schedule, Context.empty())
  return Array.from({ length: count }, (_, index) => delay(index + 1))
}

describe("the delay before an attempt", () => {
  it("is what the schedule says at that step, in whatever order it is asked for", () => {
    const schedule = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("5 seconds")])
    assert.deepStrictEqual(delaysOf(schedule, 6), [1000, 2000, 4000, 5000, 5000, 5000])
    const delay = delayAfter(schedule, Context.empty())
    assert.deepStrictEqual([delay(3), delay(1), delay(3), delay(2)], [4000, 1000, 4000, 2000])
  })

  it("is by default from 1 second, doubled, at most 5 minutes, and jittered by a fifth", () => {
    const delay = delayAfter(defaultSchedule, Context.empty())
    const seen = new Set<number>()
    for (let round = 0; round < 50; round++) {
      for (let attempt = 1; attempt <= 12; attempt++) {
        const plain = Math.min(2 ** (attempt - 1) * 1000, 300_000)
        const jittered = delay(attempt)
        seen.add(jittered)
        assert.isAtLeast(jittered, plain * 0.8)
        assert.isAtMost(jittered, plain * 1.2)
      }
    }
    assert.isAbove(seen.size, 500)
  })

  it("stays what it was at the end of a schedule that has one", () => {
    const schedule = Schedule.exponential("1 second").pipe(Schedule.upTo({ times: 3 }))
    assert.deepStrictEqual(delaysOf(schedule, 5), [1000, 2000, 4000, 4000, 4000])
  })

  it("is the default's where a schedule waits for something, fails, or never comes", () => {
    const waits = Schedule.spaced("1 second").pipe(
      Schedule.modifyDelay(() => Effect.sleep("1 hour").pipe(Effect.as(0)))
    )
    const dies = Schedule.spaced("1 second").pipe(Schedule.modifyDelay(() => Effect.die(new Error("no"))))
    for (const schedule of [waits, dies, Schedule.spaced(Duration.infinity)]) {
      const [first = 0, second = 0] = delaysOf(schedule, 2)
      assert.isTrue(first >= 800 && first <= 1200, `${first}`)
      assert.isTrue(second >= 1600 && second <= 2400, `${second}`)
    }
  })

  it("of a very late attempt is found without going through all before it", () => {
    const delay = delayAfter(Schedule.spaced("7 seconds"), Context.empty())
    assert.strictEqual(delay(1_000_000_000), 7_000)
  })
})

// -----------------------------------------------------------------------------
// attempts
// -----------------------------------------------------------------------------

const textOf = (type: string, key = "key") =>
  DomainAction.encode(DomainAction.make({
    action_id: "00000000-0000-4000-8000-000000000001",
    action_type: type,
    timestamp: "2025-06-29T04:03:00.123456Z",
    data: { key }
  }))

const payload = { key: Schema.String }
const Plain = Action.make("user.plain", { payload })
const Own = Action.make("user.own", { payload, retry: Schedule.spaced("3 seconds") })

inMemory("attempts", (test) => {
  /** Runs both actions to their end, and tells after how many milliseconds each was started again. */
  const waits = Effect.fnUntraced(function*(fail: (delivery: Delivery) => Effect.Effect<never, RetryLater>) {
    const { names, pass } = yield* Place
    const starts = new Map<string, Array<number>>()
    const deliveries: Array<number> = []
    const handle = (type: string) => (_: unknown, delivery: Delivery) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        starts.set(type, [...starts.get(type) ?? [], now])
        deliveries.push(delivery.deliveries)
        return fail(delivery)
      })
    yield* Worker.start(
      ActionGroup.make(Plain, Own).handlers({ "user.plain": handle("plain"), "user.own": handle("own") }),
      {
        retry: Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("5 seconds")]),
        maxAttempts: 6
      }
    )
    yield* send("XADD", names.stream, "*", "data", textOf("user.plain"))
    yield* send("XADD", names.stream, "*", "data", textOf("user.own"))
    // The first failures are written before time moves.
    yield* until("both wait", Effect.map(send<number>("ZCARD", names.retryDue), (waiting) => waiting === 2))
    yield* pass("1 minute")
    const letters = yield* send<ReadonlyArray<readonly [string, ReadonlyArray<string>]>>(
      "XRANGE",
      names.deadLetters,
      "-",
      "+"
    )
    assert.deepStrictEqual(letters.map(([, fields]) => fieldsOf(fields)["attempts"]), ["6", "6"])
    assert.strictEqual(yield* send("EXISTS", names.stream, names.retryDue, names.retryRecords), 1)
    const gaps = (type: string) => {
      const times = starts.get(type) ?? []
      return times.slice(1).map((time, index) => time - times[index]!)
    }
    return { plain: gaps("plain"), own: gaps("own") }
  })

  test("follow the schedule of the worker, or of the action where it has one", () =>
    Effect.gen(function*() {
      const { own, plain } = yield* waits(() => Effect.die(new Error("the database is away")))
      assert.deepStrictEqual(plain, [1000, 2000, 4000, 5000, 5000])
      assert.deepStrictEqual(own, [3000, 3000, 3000, 3000, 3000])
    }))

  test("come when the handler says, where it says so", () =>
    Effect.gen(function*() {
      const { own, plain } = yield* waits(({ attempt }) =>
        Effect.fail(attempt === 2 ? new RetryLater({ after: "10 seconds" }) : new RetryLater())
      )
      assert.deepStrictEqual(plain, [1000, 10_000, 4000, 5000, 5000])
      assert.deepStrictEqual(own, [3000, 10_000, 3000, 3000, 3000])
    }))
})

// -----------------------------------------------------------------------------
// crash and deploy
// -----------------------------------------------------------------------------

describe("attempts and due times in memory", () => {
  it.effect("survive the crash and the deploy of every worker", () =>
    Effect.gen(function*() {
      const starts: Array<readonly [attempt: number, at: number]> = []
      const world = yield* Model.makeWorld((job) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => {
          starts.push([job.delivery.attempt, now])
          return job.delivery.attempt < 4
            ? Effect.fail(new RetryLater({ after: "30 seconds" }))
            : Effect.succeed(Model.resultOf(job))
        })
      )
      const running = (process: Model.Process) =>
        world.until(`${process.name} runs`, () => Effect.sync(() => process.state() === "running"))
      const waiting = Effect.map(
        Effect.orDie(world.admin.send<ReadonlyArray<string>>("ZRANGE", world.names.retryDue, "0", "-1", "WITHSCORES")),
        ([, due]) => Number(due)
      )
      const isWaiting = world.until("it waits", () => Effect.map(waiting, (due) => due > 0))

      const first = [yield* world.start("a"), yield* world.start("b")]
      for (const process of first) yield* running(process)
      yield* world.ask(world.admin, "key", "00000000-0000-4000-8000-000000000001")
      yield* isWaiting
      const due = yield* waiting
      for (const process of first) yield* process.crash
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* waiting, due)

      // The next ones start before it is due, and do not run it earlier, nor later.
      const second = [yield* world.start("c"), yield* world.start("d")]
      for (const process of second) yield* running(process)
      yield* TestClock.adjust("21 seconds")
      assert.deepStrictEqual(starts.map(([attempt]) => attempt), [1, 2])
      assert.isAtLeast(starts[1]![1], due)
      assert.isAtMost(starts[1]![1], due + 50)
      yield* isWaiting
      const dueAgain = yield* waiting
      for (const process of second) yield* process.stop
      // Nobody is there when it is due: it is run when somebody comes.
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(yield* waiting, dueAgain)
      assert.strictEqual(starts.length, 2)
      const third = yield* world.start("e")
      yield* running(third)
      yield* world.until("it has its third attempt", () => Effect.sync(() => starts.length === 3), { within: 2_000 })
      yield* TestClock.adjust("31 seconds")
      assert.deepStrictEqual(starts.map(([attempt]) => attempt), [1, 2, 3, 4])
      assert.deepStrictEqual(yield* world.pending, [])
      assert.strictEqual(
        yield* world.admin.send("EXISTS", world.names.retryDue, world.names.retryRecords),
        0
      )
    }).pipe(Effect.scoped))
})
