/**
 * That somebody always answers for what a worker does: while it starts, and when a part of it ends unasked.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import { callbackInbox } from "../../src/internal/redis/names.ts"
import { moveCallbacks } from "../../src/internal/scripts/streams.ts"
import { QueueNaming } from "../../src/QueueNaming.ts"
import { Redis } from "../../src/Redis.ts"
import * as RedisFaults from "../../src/testing/RedisFaults.ts"
import * as Worker from "../../src/Worker.ts"
import { eventually, inMemory, pendingOf, Place } from "../support/layers.ts"

/** Does something before each call of Redis. */
const tapped = (redis: Redis["Service"], before: (call: "send" | "eval" | "reserve") => Effect.Effect<void>) => {
  const tap = <A, E, R>(call: "send" | "eval" | "reserve", effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.andThen(before(call), effect)
  return Redis.of({
    send: (command, ...args) => tap("send", redis.send(command, ...args)),
    eval: (script) => {
      const run = redis.eval(script)
      return (...params) => tap("eval", run(...params))
    },
    subscribe: redis.subscribe,
    reserve: tap("reserve", redis.reserve)
  })
}

const handlers = { "user.create": () => Effect.void }

/** Interrupts an effect at its operation of that number. Returns how many there were, or `undefined` if it did not end well. */
const interruptedAt = Effect.fnUntraced(function*<A, E, R>(effect: Effect.Effect<A, E, R>, last: number) {
  const inner = new Scheduler.MixedScheduler()
  let target: Fiber.Fiber<unknown, unknown> | undefined
  let operations = 0
  const scheduler: Scheduler.Scheduler = {
    executionMode: inner.executionMode,
    makeDispatcher: () => inner.makeDispatcher(),
    shouldYield: (fiber) => {
      if (fiber !== target || ++operations !== last) return inner.shouldYield(fiber)
      fiber.interruptUnsafe()
      return true
    }
  }
  target = yield* Effect.forkChild(Effect.provideService(effect, Scheduler.Scheduler, scheduler))
  const fiber = target
  yield* eventually("it is over", Effect.sync(() => fiber.pollUnsafe() !== undefined))
  return Exit.isSuccess(yield* Fiber.await(fiber)) ? operations : undefined
})

inMemory("a start", (test) => {
  test("that is interrupted, at whichever of its steps, leaves nothing that runs", () =>
    Effect.gen(function*() {
      const { pass } = yield* Place
      const calls: Array<string> = []
      const redis = tapped(yield* Redis, (call) => Effect.sync(() => void calls.push(call)))
      const start = Effect.fnUntraced(function*(last: number) {
        const scope = yield* Scope.make()
        const operations = yield* interruptedAt(
          Worker.start(handlers).pipe(
            Effect.provideService(Scope.Scope, scope),
            Effect.provideService(Redis, redis)
          ),
          last
        )
        yield* Scope.close(scope, Exit.void)
        calls.length = 0
        yield* pass("2 minutes")
        assert.deepStrictEqual(calls, [], `interrupted at ${last}`)
        return operations
      })
      const operations = yield* start(Infinity)
      assert.isDefined(operations)
      let interrupted = 0
      for (let last = 1; last <= operations; last++) {
        if ((yield* start(last)) === undefined) interrupted++
      }
      assert.isAbove(interrupted, operations / 2)
    }))
})

inMemory("a drain", (test) => {
  test("that is interrupted, at whichever of its steps, is done all the same or not begun", () =>
    Effect.gen(function*() {
      const drain = Effect.fnUntraced(function*(last: number) {
        const scope = yield* Scope.make()
        const worker = yield* Effect.provideService(Worker.start(handlers, { block: "1 second" }), Scope.Scope, scope)
        const operations = yield* interruptedAt(worker.drain, last)
        const { state } = yield* worker.status
        assert.include(["running", "stopped"], state, `interrupted at ${last}`)
        if (state === "stopped") yield* worker.await
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual((yield* worker.status).state, "stopped")
        return operations
      })
      const operations = yield* drain(Infinity)
      assert.isDefined(operations)
      for (let last = 1; last <= operations; last++) yield* drain(last)
    }))
})

inMemory("a worker that cannot go on", (test) => {
  test("writes what is decided and gives back the rest, at the cost of no delivery", () =>
    Effect.gen(function*() {
      const { names, pass } = yield* Place
      const redis = yield* Redis
      const { faults, redis: faulty } = yield* RedisFaults.make(redis)
      const worker = yield* Effect.provideService(
        Worker.start({ "user.create": () => Effect.never, "user.delete": () => Effect.void }),
        Redis,
        faulty
      )
      const { send } = yield* ActionClient.make()
      yield* send(Action.make("user.create"), {})
      yield* eventually(
        "it runs",
        Effect.map(worker.status, ({ consumers }) => consumers.some((next) => next.running === 1))
      )
      yield* faults.always(
        RedisFaults.refuse("NOPERM this user has no permissions to run the 'rpop' command"),
        moveCallbacks
      )
      const naming = yield* QueueNaming
      yield* redis.send("LPUSH", callbackInbox(naming, "user", "user.create"), "a callback that cannot be moved")
      yield* pass("1 second")
      assert.strictEqual((yield* Effect.flip(worker.await)).reason._tag, "NoPermission")
      const pending = yield* pendingOf(names)
      assert.deepStrictEqual(pending.map(([, consumer]) => consumer), [names.waitingConsumer])
      assert.match(String(yield* redis.send("HGET", names.retryRecords, pending[0]![0])), /^0 1 /)
    }))
})

inMemory("a part of a worker", (test) => {
  for (
    const [part, call] of [["a read", "reserve"], ["a script", "eval"]] as const
  ) {
    test(`that is interrupted without an order ends the worker, and the error says so: ${part}`, () =>
      Effect.gen(function*() {
        const { pass } = yield* Place
        // The connection of a read is asked for once.
        let armed = call === "reserve"
        const redis = tapped(yield* Redis, (now) => armed && now === call ? Effect.interrupt : Effect.void)
        const worker = yield* Effect.provideService(Worker.start(handlers, { block: "1 second" }), Redis, redis)
        yield* pass("1 second")
        armed = true
        yield* pass("2 minutes")
        assert.strictEqual((yield* worker.status).state, "failed")
        const error = yield* Effect.flip(worker.await)
        assert.strictEqual(error.reason._tag, "Unexpected")
      }))
  }
})
