/** Who owns an entry, in one process under `TestClock`. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import type * as DomainAction from "../../src/DomainAction.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import { Redis } from "../../src/Redis.ts"
import * as RedisMemory from "../../src/RedisMemory.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import { recording } from "../support/logs.ts"
import { actionOf } from "../support/messages.ts"
import { until } from "../support/until.ts"
import type { Pending } from "../support/view.ts"

const Memory = Layer.merge(QueueNaming.layer, RedisMemory.layer).pipe(
  Layer.provideMerge(Settings.layerOf({ serviceName: "job", environment: "test" }))
)

const stream = "nooble4:test:job:streams:main"
const inbox = "nooble4:test:client:responses:job_hold:1"

const command = <A = unknown>(name: string, ...args: ReadonlyArray<string>) =>
  Effect.flatMap(Redis, (redis) => redis.send<A>(name, ...args))

const send = (id: string, number = 1, list?: string) =>
  command<string>("XADD", stream, "*", "data", actionOf("job.hold", number, { data: { id }, list }))

const pending = command<ReadonlyArray<Pending>>("XPENDING", stream, "job-group", "-", "+", "100")

/** What a process leaves that read entries and died: no more than Redis's own list. */
const crashed = Effect.andThen(
  Effect.ignore(command("XGROUP", "CREATE", stream, "job-group", "0", "MKSTREAM")),
  command("XREADGROUP", "GROUP", "job-group", "dead", "COUNT", "100", "STREAMS", stream, ">")
)

/** Another process takes an entry over. */
const takeOver = (id: string) => command("XCLAIM", stream, "job-group", "other", "0", id)

const held = Effect.gen(function*() {
  const runs = yield* Queue.unbounded<string>()
  const go = yield* Deferred.make<void>()
  const events: Array<string> = []
  return {
    runs,
    go,
    events,
    handlers: {
      "job.hold": (
        { data }: DomainAction.DomainAction,
        { attempt, deliveries }: { readonly attempt: number; readonly deliveries: number }
      ) =>
        Queue.offer(runs, `${String(data["id"])} attempt=${attempt} deliveries=${deliveries}`).pipe(
          Effect.andThen(Deferred.await(go)),
          Effect.onExit((exit) =>
            Effect.sync(() => {
              events.push(`${String(data["id"])} ${Exit.isSuccess(exit) ? "done" : "interrupted"}`)
            })
          )
        )
    }
  }
})

const logged = Effect.sync(() => {
  const lines: Array<string> = []
  return { lines, layer: recording(lines) }
})

const onMemory = <A, E>(
  effect: Effect.Effect<A, E, Redis | QueueNaming.QueueNaming | Settings.Settings | Scope.Scope>
) => effect.pipe(Effect.scoped, Effect.provide(Memory))

describe("Under TestClock, a lease", () => {
  it.effect("of a dead consumer holds for its time, and then each entry has one new owner", () =>
    onMemory(Effect.gen(function*() {
      const { go, handlers, runs } = yield* held
      for (let i = 0; i < 10; i++) yield* send(`a${i}`, i)
      yield* crashed
      for (let i = 0; i < 3; i++) yield* Worker.start(handlers)
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(yield* Queue.size(runs), 0)
      // The sweep comes every quarter of the lease, give or take.
      yield* TestClock.adjust("25 seconds")
      assert.sameMembers(
        yield* Queue.takeN(runs, 10),
        Array.from({ length: 10 }, (_, i) => `a${i} attempt=1 deliveries=2`)
      )
      yield* TestClock.adjust("3 minutes")
      assert.strictEqual(yield* Queue.size(runs), 0)
      assert.strictEqual((yield* pending).every((row) => row[3] === 2), true)
      yield* Deferred.succeed(go, undefined)
      yield* until("all is settled", Effect.map(pending, (rows) => rows.length === 0))
    })))

  it.effect("is kept by the worker that renews it, beside other workers", () =>
    onMemory(Effect.gen(function*() {
      const { go, handlers, runs } = yield* held
      yield* Worker.start(handlers)
      yield* send("a")
      yield* Queue.take(runs)
      const [before] = yield* pending
      yield* Worker.start(handlers)
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual(yield* Queue.size(runs), 0)
      const [after] = yield* pending
      assert.strictEqual(after![1], before![1])
      assert.strictEqual(after![3], 1)
      yield* Deferred.succeed(go, undefined)
      yield* until("it is settled", Effect.map(pending, (rows) => rows.length === 0))
    })))

  it.effect("is kept for what was read ahead and has not started, too", () =>
    onMemory(Effect.gen(function*() {
      const { go, handlers, runs } = yield* held
      yield* Worker.start(handlers, { concurrency: 1, readAhead: 5 })
      for (let i = 0; i < 6; i++) yield* send(`a${i}`, i)
      assert.strictEqual(yield* Queue.take(runs), "a0 attempt=1 deliveries=1")
      yield* until("all are read", Effect.map(pending, (rows) => rows.length === 6))
      yield* Worker.start(handlers)
      yield* TestClock.adjust("3 minutes")
      assert.strictEqual(yield* Queue.size(runs), 0)
      yield* Deferred.succeed(go, undefined)
      assert.deepStrictEqual(
        yield* Queue.takeN(runs, 5),
        Array.from({ length: 5 }, (_, i) => `a${i + 1} attempt=1 deliveries=1`)
      )
    })))

  for (
    const [what, options] of [
      ["is paused", {}],
      ["has no room", { concurrency: 1, readAhead: 0 }]
    ] as const
  ) {
    it.effect(`is the long one of a worker that ${what}, beside one with a shorter lease`, () =>
      onMemory(Effect.gen(function*() {
        const { go, handlers, runs } = yield* held
        const patient = yield* Worker.start(handlers, { claimIdle: "10 minutes", ...options })
        yield* send("a")
        yield* Queue.take(runs)
        if (what === "is paused") yield* patient.pause
        yield* Worker.start(handlers, { claimIdle: "1 minute" })
        for (let minutes = 0; minutes < 60; minutes++) yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* Queue.size(runs), 0)
        yield* Deferred.succeed(go, undefined)
        yield* until("it is settled", Effect.map(pending, (rows) => rows.length === 0))
      })))
  }

  it.effect("is kept by the worker that renews it, also when a longer one that held for all is forgotten", () =>
    onMemory(Effect.gen(function*() {
      const { go, handlers, runs } = yield* held
      const patient = yield* Worker.start(handlers, { claimIdle: "10 minutes" })
      yield* patient.drain
      // This worker records its lease every ten seconds, so that the next time is nine seconds after the other is forgotten.
      yield* TestClock.adjust("9 seconds")
      yield* Worker.start(handlers, { claimIdle: "30 seconds" })
      yield* send("a")
      yield* Queue.take(runs)
      // In short steps, so that each renewal is through before the next is due.
      for (let seconds = 9; seconds < 1_801; seconds++) yield* TestClock.adjust("1 second")
      yield* Worker.start(handlers, { claimIdle: "5 seconds" })
      for (let seconds = 0; seconds < 600; seconds++) yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Queue.size(runs), 0)
      yield* Deferred.succeed(go, undefined)
      yield* until("it is settled", Effect.map(pending, (rows) => rows.length === 0))
    })))

  it.effect("that another took over ends the handler at the next renewal, and nothing is written", () =>
    onMemory(Effect.gen(function*() {
      const { events, go, handlers, runs } = yield* held
      const worker = yield* Worker.start(handlers)
      const id = yield* send("a", 1, inbox)
      yield* Queue.take(runs)
      yield* takeOver(id)
      yield* TestClock.adjust("19 seconds")
      assert.deepStrictEqual(events, [])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(events, ["a interrupted"])
      assert.deepStrictEqual((yield* pending).map((row) => row[1]), ["other"])
      assert.strictEqual(yield* command("EXISTS", inbox), 0)
      // It goes on working.
      yield* Deferred.succeed(go, undefined)
      yield* send("b", 2)
      assert.strictEqual(yield* Queue.take(runs), "b attempt=1 deliveries=1")
      assert.strictEqual((yield* worker.status).state, "running")
    })))

  it.effect("that another took over does not allow a settlement", () =>
    onMemory(Effect.gen(function*() {
      const { events, go, handlers, runs } = yield* held
      const { layer, lines } = yield* logged
      yield* Effect.gen(function*() {
        yield* Worker.start(handlers)
        const id = yield* send("a", 1, inbox)
        yield* Queue.take(runs)
        yield* takeOver(id)
        yield* Deferred.succeed(go, undefined)
        yield* until("it has ended", Effect.sync(() => events.length === 1))
        yield* until(
          "it is refused",
          Effect.sync(() => lines.some((line) => line.includes("another consumer has taken")))
        )
        assert.deepStrictEqual(events, ["a done"])
        assert.deepStrictEqual((yield* pending).map((row) => row[1]), ["other"])
        assert.strictEqual(yield* command("EXISTS", inbox), 0)
        assert.strictEqual(yield* command("XLEN", stream), 1)
      }).pipe(Effect.provide(layer))
    })))

  it.effect("of a deleted entry is cleaned, and the loss is reported", () =>
    onMemory(Effect.gen(function*() {
      const { go, handlers, runs } = yield* held
      const { layer, lines } = yield* logged
      yield* Effect.gen(function*() {
        yield* send("a", 1)
        const gone = yield* send("b", 2)
        yield* crashed
        yield* command("XDEL", stream, gone)
        yield* Worker.start(handlers)
        yield* TestClock.adjust("90 seconds")
        assert.strictEqual(yield* Queue.take(runs), "a attempt=1 deliveries=2")
        assert.lengthOf(yield* pending, 1)
        assert.isTrue(
          lines.some((line) => line.includes("1 pending entries") && line.includes("are lost: another program"))
        )
        yield* Deferred.succeed(go, undefined)
      }).pipe(Effect.provide(layer))
    })))

  it.effect("is the longest of all live workers, and shrinks when the patient ones are gone", () =>
    onMemory(Effect.gen(function*() {
      const { go, handlers, runs } = yield* held
      const { layer, lines } = yield* logged
      yield* Deferred.succeed(go, undefined)
      yield* Effect.gen(function*() {
        yield* send("a")
        yield* crashed
        const patient = yield* Worker.start(handlers, { claimIdle: "2 minutes" })
        const hasty = yield* Worker.start(handlers, { claimIdle: "5 seconds" })
        assert.strictEqual(Duration.toMillis((yield* hasty.status).lease), 120_000)
        assert.isTrue(lines.some((line) => line.includes("has claimIdle 120000 ms, and this one 5000 ms")))
        yield* TestClock.adjust("119 seconds")
        assert.strictEqual(yield* Queue.size(runs), 0)
        yield* TestClock.adjust("40 seconds")
        assert.strictEqual(yield* Queue.take(runs), "a attempt=1 deliveries=2")

        // It might only be partitioned: it is waited for three times as long.
        yield* patient.drain
        yield* TestClock.adjust("7 minutes")
        assert.strictEqual(Duration.toMillis((yield* hasty.status).lease), 5_000)
        yield* hasty.drain
        yield* send("b", 2)
        yield* crashed
        yield* Worker.start(handlers, { claimIdle: "5 seconds" })
        yield* TestClock.adjust("12 seconds")
        assert.strictEqual(yield* Queue.take(runs), "b attempt=1 deliveries=2")
      }).pipe(Effect.scoped, Effect.provide(layer))
    })))
})
