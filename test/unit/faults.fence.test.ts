/**
 * The fence: whatever is sent again, lost or late, each entry is settled once and answered once.
 */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as TestClock from "effect/testing/TestClock"
import { RetryLater } from "../../src/HandlerError.ts"
import { renew } from "../../src/internal/scripts/lease.ts"
import { settle } from "../../src/internal/scripts/settle.ts"
import { takeIdle } from "../../src/internal/scripts/take.ts"
import * as Metrics from "../../src/Metrics.ts"
import * as RedisFaults from "../../src/testing/RedisFaults.ts"
import { counted } from "../support/counted.ts"
import { hasRuns, started, test } from "../support/modelTest.ts"
import * as Model from "../support/modelWorld.ts"

const id = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`

const settled = (world: Model.World) =>
  world.until("nothing is pending", () => Effect.map(world.pending, (rows) => rows.length === 0))

/** Long enough for any second answer, delivery or run to show up. */
const later = TestClock.adjust("60 seconds")

const answersOf = Effect.fnUntraced(function*(world: Model.World, n: number) {
  const list = yield* world.answersIn(world.listOf(id(n)))
  return list.map((text): unknown => {
    const response: { data: { attempt: number } | null; success: boolean } = JSON.parse(text)
    return response.success ? response.data?.attempt : "failure"
  })
})

const nothingLeft = Effect.fnUntraced(function*(world: Model.World) {
  assert.deepStrictEqual(yield* world.pending, [])
  assert.strictEqual(yield* world.admin.send("EXISTS", world.names.retryDue, world.names.retryRecords), 0)
  assert.strictEqual(yield* world.admin.send("XLEN", world.names.stream), 0)
})

describe("a settle call whose reply is lost and that is sent again", () => {
  test("answers once", (job) => Effect.succeed(Model.resultOf(job)), (world) =>
    Effect.gen(function*() {
      const process = yield* world.start("a")
      yield* started(world, process)
      yield* process.faults.next(RedisFaults.dropReply, settle)
      yield* world.ask(world.admin, "k", id(1))
      yield* settled(world)
      yield* later
      assert.deepStrictEqual(yield* answersOf(world, 1), [1])
      assert.strictEqual(world.runs.length, 1)
      yield* nothingLeft(world)
    }))

  test("does not disturb the attempt that began in between, in the same process", (job) =>
    job.delivery.attempt === 1
      ? Effect.fail(new RetryLater({ after: "1 millis" }))
      : Effect.delay(Effect.succeed(Model.resultOf(job)), "10 seconds"), (world) =>
    Effect.gen(function*() {
      const process = yield* world.start("a")
      yield* started(world, process)
      // The retry is written, but the worker does not know it: the call comes again while attempt 2 runs.
      yield* process.faults.next(RedisFaults.dropReply, settle)
      yield* process.faults.next(RedisFaults.delayCommand("2 seconds"), settle)
      yield* world.ask(world.admin, "k", id(1))
      yield* hasRuns(world, 2)
      yield* settled(world)
      yield* later
      assert.deepStrictEqual(world.runs.map((run) => run.attempt), [1, 2])
      assert.deepStrictEqual(yield* answersOf(world, 1), [2])
      yield* nothingLeft(world)
    }))

  test("does not end the attempt that began in between", (job) =>
    job.delivery.attempt < 3
      ? Effect.delay(Effect.fail(new RetryLater({ after: "1 millis" })), job.delivery.attempt === 1 ? 0 : 5_000)
      : Effect.succeed(Model.resultOf(job)), (world) =>
    Effect.gen(function*() {
      const process = yield* world.start("a")
      yield* started(world, process)
      yield* process.faults.next(RedisFaults.dropReply, settle)
      yield* process.faults.next(RedisFaults.delayCommand("1 seconds"), settle)
      yield* world.ask(world.admin, "k", id(1))
      yield* settled(world)
      yield* later
      assert.deepStrictEqual(world.runs.map((run) => run.attempt), [1, 2, 3])
      assert.deepStrictEqual(yield* answersOf(world, 1), [3])
      yield* nothingLeft(world)
    }))

  test(
    "frees the place that the entry took",
    (job) => Effect.succeed(Model.resultOf(job)),
    (world) =>
      Effect.gen(function*() {
        const process = yield* world.start("a", { worker: { concurrency: 1, readAhead: 0 } })
        yield* started(world, process)
        for (let n = 1; n <= 5; n++) {
          yield* process.faults.next(RedisFaults.dropReply, settle)
          yield* world.ask(world.admin, "k", id(n))
          yield* settled(world)
        }
        yield* later
        for (let n = 1; n <= 5; n++) assert.deepStrictEqual(yield* answersOf(world, n), [1])
        const status = yield* process.worker()!.status
        assert.deepStrictEqual(status.consumers.map(({ held, unwritten }) => [held, unwritten]), [[0, 0], [0, 0]])
      })
  )
})

describe("an entry that is claimed before its settlement is written", () => {
  test(
    "is answered by its new owner alone",
    (job) => Effect.succeed(Model.resultOf(job)),
    (world) =>
      Effect.gen(function*() {
        const first = yield* world.start("a")
        yield* started(world, first)
        // Nothing of it reaches the server: its settlement fails again and again until the network is back.
        yield* first.faults.always(RedisFaults.fail, (command) => command.lua !== undefined)
        yield* world.ask(world.admin, "k", id(1))
        yield* hasRuns(world, 1)
        const second = yield* world.start("b")
        yield* hasRuns(world, 2)
        yield* settled(world)
        yield* first.faults.clear
        yield* later
        assert.deepStrictEqual(world.runs.map((run) => run.process), ["a", "b"])
        assert.deepStrictEqual(yield* answersOf(world, 1), [1])
        assert.strictEqual((yield* first.worker()!.status).state, "running")
        assert.strictEqual((yield* second.worker()!.status).state, "running")
        yield* nothingLeft(world)
      })
  )

  test(
    "is not settled by its old owner while the new one runs it",
    (job) =>
      job.process === "a"
        ? Effect.succeed(Model.resultOf(job))
        : Effect.delay(Effect.fail(new Model.Refused({ key: job.key })), "20 seconds"),
    (world) =>
      Effect.gen(function*() {
        const first = yield* world.start("a")
        yield* started(world, first)
        yield* first.faults.always(RedisFaults.fail, (command) => command.lua !== undefined)
        yield* world.ask(world.admin, "k", id(1))
        yield* hasRuns(world, 1)
        yield* world.start("b")
        yield* hasRuns(world, 2)
        yield* first.faults.clear
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(yield* answersOf(world, 1), [])
        yield* settled(world)
        yield* later
        assert.deepStrictEqual(yield* answersOf(world, 1), ["failure"])
        assert.strictEqual(world.runs.length, 2)
        yield* nothingLeft(world)
      })
  )

  test(
    "has its handler interrupted in the old owner",
    (job) => job.process === "a" ? Effect.never : Effect.succeed(Model.resultOf(job)),
    (world) =>
      Effect.gen(function*() {
        const first = yield* world.start("a")
        yield* started(world, first)
        yield* world.ask(world.admin, "k", id(1))
        yield* hasRuns(world, 1)
        yield* first.faults.cut
        yield* world.start("b")
        yield* hasRuns(world, 2)
        yield* first.faults.restore
        yield* world.until("the handler has ended", () => Effect.sync(() => world.runs[0]?.ended !== undefined))
        yield* later
        assert.deepStrictEqual(yield* answersOf(world, 1), [1])
        assert.strictEqual((yield* first.worker()!.status).consumers.reduce((sum, next) => sum + next.held, 0), 0)
      })
  )
})

describe("an attempt that ends after the next one began in the same process", () => {
  const release = Latch.makeUnsafe(false)

  const lateFirst: Model.Handle = (job) => {
    if (job.process === "b") return Effect.fail(new RetryLater({ after: "3 seconds" }))
    return job.delivery.attempt === 1
      // It cannot be interrupted, and ends when it wants to.
      ? Effect.uninterruptible(Effect.as(release.await, Model.resultOf(job)))
      : Effect.delay(Effect.succeed(Model.resultOf(job)), "10 seconds")
  }

  const scenario = (consumers: number) => (world: Model.World) =>
    Effect.gen(function*() {
      release.closeUnsafe()
      const first = yield* world.start("a", { worker: { consumers } })
      yield* started(world, first)
      yield* world.ask(world.admin, "k", id(1))
      yield* hasRuns(world, 1)
      // Away for longer than its lease: another one takes the entry, fails, and puts it back for a retry.
      yield* first.faults.cut
      const second = yield* world.start("b")
      yield* hasRuns(world, 2)
      yield* second.stop
      yield* first.faults.restore
      yield* world.until("attempt 2 has begun", () =>
        Effect.sync(() => world.runs.some((run) => run.process === "a" && run.attempt === 2)))
      release.openUnsafe()
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* answersOf(world, 1), [])
      yield* settled(world)
      yield* later
      assert.deepStrictEqual(yield* answersOf(world, 1), [2])
      assert.deepStrictEqual(
        world.runs.map((run) =>
          run.process + run.attempt
        ),
        ["a1", "b1", "a2"]
      )
      assert.strictEqual((yield* first.worker()!.status).consumers.reduce((sum, next) => sum + next.held, 0), 0)
      yield* nothingLeft(world)
    })

  test("decides nothing, with one consumer", lateFirst, scenario(1))

  test("decides nothing, with several consumers", lateFirst, scenario(3))
})

describe("an answer that comes twice", () => {
  test(
    "resolves its own caller, and no other",
    (job) => Effect.succeed(Model.resultOf(job)),
    (world) =>
      Effect.gen(function*() {
        yield* started(world, yield* world.start("a"))
        const { client, faults } = yield* world.makeSender()
        const unclaimed = counted(Metrics.answersUnclaimed, { service: "work" })
        const before = yield* unclaimed
        yield* faults.always(RedisFaults.replyTwice, RedisFaults.pops)
        for (const key of ["one", "two", "three"]) {
          const call = yield* Effect.forkChild(client.request(Model.Do, { key }))
          yield* TestClock.adjust("1 second")
          assert.strictEqual((yield* Fiber.join(call)).key, key)
        }
        assert.strictEqual((yield* unclaimed) - before, 3)
      })
  )
})

describe("an action that is delivered twice", () => {
  test(
    "is handled twice, and each caller has one answer",
    (job) => Effect.succeed(Model.resultOf(job)),
    (world) =>
      Effect.gen(function*() {
        yield* started(world, yield* world.start("a"))
        const { client, faults } = yield* world.makeSender()
        yield* faults.always(RedisFaults.repeat, RedisFaults.sends)
        const call = yield* Effect.forkChild(client.request(Model.Do, { key: "k" }))
        yield* settled(world)
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Fiber.join(call)).key, "k")
        assert.strictEqual(world.runs.length, 2)
        assert.notStrictEqual(world.runs[0]?.entryId, world.runs[1]?.entryId)
        yield* nothingLeft(world)
      })
  )
})

describe("a delivery whose reply is lost", () => {
  test(
    "is run by the same process, once",
    (job) => Effect.succeed(Model.resultOf(job)),
    (world) =>
      Effect.gen(function*() {
        const process = yield* world.start("a")
        yield* started(world, process)
        yield* process.faults.next(RedisFaults.dropReply, "XREADGROUP")
        yield* world.ask(world.admin, "k", id(1))
        yield* settled(world)
        yield* later
        assert.deepStrictEqual(yield* answersOf(world, 1), [1])
        assert.strictEqual(world.runs.length, 1)
      })
  )

  test(
    "is run once when the reply comes after others have looked for it",
    (job) => Effect.delay(Effect.succeed(Model.resultOf(job)), "2 seconds"),
    (world) =>
      Effect.gen(function*() {
        const process = yield* world.start("a")
        yield* started(world, process)
        yield* world.ask(world.admin, "k", id(1))
        yield* process.faults.next(RedisFaults.delayReply("2500 millis"), "XREADGROUP")
        yield* settled(world)
        yield* later
        assert.deepStrictEqual(yield* answersOf(world, 1), [1])
        assert.strictEqual(world.runs.length, 1)
      })
  )

  test(
    "is run by the only process there is, also when the entry has to run alone",
    (job) => job.process === "c" ? Effect.succeed(Model.resultOf(job)) : Effect.never,
    (world) =>
      Effect.gen(function*() {
        yield* world.ask(world.admin, "k", id(1))
        // Two processes die with the entry in their hands: the third may run it only alone.
        for (const name of ["a", "b"]) {
          const process = yield* world.start(name)
          yield* world.until(`${name} runs it`, () => Effect.sync(() => world.runs.some((run) => run.process === name)))
          yield* process.crash
        }
        const last = yield* world.start("c")
        yield* last.faults.always(RedisFaults.dropReply, takeIdle)
        yield* world.until("the entry is taken", () => Effect.sync(() => world.handovers.length === 2))
        yield* last.faults.clear
        yield* settled(world)
        yield* later
        assert.deepStrictEqual(yield* answersOf(world, 1), [1])
        assert.deepStrictEqual(world.runs.map((run) => run.process), ["a", "b", "c"])
        yield* nothingLeft(world)
      })
  )
})

describe("a group that is lost and created again", () => {
  const slowSecond = (): Model.Handle => {
    let runs = 0
    return (job) =>
      runs++ === 0
        ? Effect.fail(new RetryLater({ after: "3 seconds" }))
        : Effect.delay(Effect.succeed(Model.resultOf(job)), "10 seconds")
  }

  test(
    "does not take an entry from who runs it, because a retry was due before",
    slowSecond(),
    (world) =>
      Effect.gen(function*() {
        const process = yield* world.start("a")
        yield* started(world, process)
        yield* world.ask(world.admin, "k", id(1))
        yield* hasRuns(world, 1)
        yield* world.until(
          "the retry waits",
          () => Effect.orDie(Effect.map(world.admin.send("EXISTS", world.names.retryDue), (found) => found === 1))
        )
        yield* world.admin.send("XGROUP", "DESTROY", world.names.stream, world.names.group)
        yield* hasRuns(world, 2)
        yield* settled(world)
        yield* later
        assert.strictEqual(world.runs.length, 2)
        assert.deepStrictEqual(yield* answersOf(world, 1), [1])
        yield* nothingLeft(world)
      })
  )
})

describe("a lease whose renewal fails once", () => {
  test(
    "is renewed before it is over",
    (job) => Effect.delay(Effect.succeed(Model.resultOf(job)), "40 seconds"),
    (world) =>
      Effect.gen(function*() {
        const first = yield* world.start("a")
        yield* started(world, first)
        yield* world.ask(world.admin, "k", id(1))
        yield* hasRuns(world, 1)
        yield* world.start("b")
        // Two of three chances that a lease has, each time.
        for (let i = 0; i < 4; i++) {
          yield* first.faults.next(RedisFaults.fail, renew, 2)
          yield* TestClock.adjust("8 seconds")
        }
        yield* settled(world)
        yield* later
        assert.deepStrictEqual(world.runs.map((run) => run.process), ["a"])
        assert.deepStrictEqual(yield* answersOf(world, 1), [1])
      })
  )
})
