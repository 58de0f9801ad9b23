/** The end of a worker under `TestClock`: what runs is finished or given back. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import type * as DomainAction from "../../src/DomainAction.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import { Redis } from "../../src/Redis.ts"
import * as RedisMemory from "../../src/RedisMemory.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import { actionOf } from "../support/messages.ts"
import { until } from "../support/until.ts"

const Memory = Layer.merge(QueueNaming.layer, RedisMemory.layer).pipe(
  Layer.provideMerge(Settings.layerOf({ serviceName: "job", environment: "test" }))
)

const stream = "nooble4:test:job:streams:main"

const send = (id: string, number = 1) =>
  Effect.flatMap(
    Redis,
    (redis) => redis.send<string>("XADD", stream, "*", "data", actionOf("job.hold", number, { data: { id } }))
  )

const pendingOwners = Effect.map(
  Effect.flatMap(
    Redis,
    (redis) => redis.send<ReadonlyArray<ReadonlyArray<string>>>("XPENDING", stream, "job-group", "-", "+", "10")
  ),
  (rows) => rows.map((row) => row[1])
)

/** Handlers that wait for the test, and tell it what happens to them. */
const held = Effect.gen(function*() {
  const started = yield* Queue.unbounded<
    { readonly id: unknown; readonly attempt: number; readonly deliveries: number }
  >()
  const go = yield* Deferred.make<void>()
  const ended: Array<string> = []
  return {
    started,
    go,
    ended,
    handlers: {
      "job.hold": (
        { data }: DomainAction.DomainAction,
        { attempt, deliveries }: { readonly attempt: number; readonly deliveries: number }
      ) =>
        Queue.offer(started, { id: data["id"], attempt, deliveries }).pipe(
          Effect.andThen(Deferred.await(go)),
          Effect.onExit((exit) =>
            Effect.sync(() => {
              ended.push(`${String(data["id"])} ${Exit.isSuccess(exit) ? "done" : "interrupted"}`)
            })
          )
        )
    }
  }
})

describe("Draining", () => {
  it.effect("takes no time when nothing runs, though a read is blocked", () =>
    Effect.gen(function*() {
      const { handlers } = yield* held
      const scope = yield* Scope.make()
      const worker = yield* Scope.provide(Worker.start(handlers, { consumers: 3 }), scope)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* worker.status).state, "stopped")
      yield* worker.await
      assert.strictEqual(yield* Clock.currentTimeMillis, 0)
    }).pipe(Effect.scoped, Effect.provide(Memory)))

  it.effect("ends with the last handler, no time needed", () =>
    Effect.gen(function*() {
      const { ended, go, handlers, started } = yield* held
      const worker = yield* Worker.start(handlers)
      yield* send("a", 1)
      yield* send("b", 2)
      yield* Queue.takeN(started, 2)
      const draining = yield* Effect.forkChild(worker.drain)
      yield* until("it drains", Effect.map(worker.status, ({ state }) => state === "draining"))
      assert.deepStrictEqual(ended, [])
      yield* Deferred.succeed(go, undefined)
      yield* Fiber.join(draining)
      assert.deepStrictEqual(ended, ["a done", "b done"])
      assert.deepStrictEqual(yield* pendingOwners, [])
      assert.strictEqual(yield* Clock.currentTimeMillis, 0)
    }).pipe(Effect.scoped, Effect.provide(Memory)))

  it.effect("interrupts after the grace, gives back without an attempt, and the next worker runs it at once", () =>
    Effect.gen(function*() {
      const { ended, go, handlers, started } = yield* held
      const worker = yield* Worker.start(handlers, { shutdownGrace: "10 seconds" })
      yield* send("a")
      assert.deepStrictEqual(yield* Queue.take(started), { id: "a", attempt: 1, deliveries: 1 })
      const draining = yield* Effect.forkChild(worker.drain)
      yield* until("it drains", Effect.map(worker.status, ({ state }) => state === "draining"))
      yield* TestClock.adjust("9 seconds")
      assert.deepStrictEqual(ended, [])
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(draining)
      assert.deepStrictEqual(ended, ["a interrupted"])
      assert.deepStrictEqual(yield* pendingOwners, ["job-waiting"])

      const before = yield* Clock.currentTimeMillis
      yield* Worker.start(handlers)
      assert.deepStrictEqual(yield* Queue.take(started), { id: "a", attempt: 1, deliveries: 2 })
      assert.strictEqual(yield* Clock.currentTimeMillis, before)
      yield* Deferred.succeed(go, undefined)
    }).pipe(Effect.scoped, Effect.provide(Memory)))

  it.effect("is the same drain however often it is asked for", () =>
    Effect.gen(function*() {
      const { ended, go, handlers, started } = yield* held
      const worker = yield* Worker.start(handlers)
      yield* send("a")
      yield* Queue.take(started)
      const draining = yield* Effect.forkChild(
        Effect.all([worker.drain, worker.drain, worker.drain], { concurrency: "unbounded" })
      )
      yield* until("it drains", Effect.map(worker.status, ({ state }) => state === "draining"))
      const again = yield* Effect.forkChild(worker.drain)
      yield* Deferred.succeed(go, undefined)
      yield* Fiber.join(draining)
      yield* Fiber.join(again)
      yield* worker.drain
      assert.deepStrictEqual(ended, ["a done"])
      assert.strictEqual((yield* worker.status).state, "stopped")
    }).pipe(Effect.scoped, Effect.provide(Memory)))

  it.effect("of the whole program starts with its interruption, and the program waits for it", () =>
    Effect.gen(function*() {
      const { ended, go, handlers, started } = yield* held
      const running = yield* Effect.forkChild(Worker.run(handlers))
      yield* send("a")
      yield* Queue.take(started)
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(running))
      const twice = yield* Effect.forkChild(Fiber.interrupt(running))
      yield* send("late", 2)
      yield* Deferred.succeed(go, undefined)
      yield* Fiber.join(interrupting)
      yield* Fiber.join(twice)
      const exit = yield* Fiber.await(running)
      assert.isTrue(Exit.hasInterrupts(exit))
      assert.include(ended, "a done")
    }).pipe(Effect.scoped, Effect.provide(Memory)))

  it.effect("of a paused worker finishes what runs", () =>
    Effect.gen(function*() {
      const { ended, go, handlers, started } = yield* held
      const worker = yield* Worker.start(handlers)
      yield* send("a")
      yield* Queue.take(started)
      yield* worker.pause
      yield* Deferred.succeed(go, undefined)
      yield* worker.drain
      assert.deepStrictEqual(ended, ["a done"])
    }).pipe(Effect.scoped, Effect.provide(Memory)))

  it.effect("is all that gives back: a handler that interrupts itself has failed", () =>
    Effect.gen(function*() {
      const attempts: Array<number> = []
      const worker = yield* Worker.start({
        "job.hold": (_: DomainAction.DomainAction, { attempt }: { readonly attempt: number }) => {
          attempts.push(attempt)
          return Effect.interrupt
        }
      }, { maxAttempts: 3, retry: Schedule.spaced("1 second") })
      yield* send("a")
      yield* until("it is tried", Effect.sync(() => attempts.length === 1))
      yield* TestClock.adjust("10 seconds")
      yield* until("it is a dead letter", Effect.map(pendingOwners, (owners) => owners.length === 0))
      assert.deepStrictEqual(attempts, [1, 2, 3])
      yield* worker.drain
    }).pipe(Effect.scoped, Effect.provide(Memory)))
})
