/**
 * A read has one fiber, and all reads have one timer.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as BlockingRead from "../../src/internal/redis/blockingRead.ts"
import type { RedisError } from "../../src/Redis.ts"

/** A command that the server answers when told to. */
const makeCommand = Effect.map(Deferred.make<string, RedisError>(), (answer) => {
  let interrupted = false
  return {
    run: Effect.onInterrupt(Deferred.await(answer), () => Effect.sync(() => interrupted = true)),
    answer: (text: string) => Effect.andThen(Deferred.succeed(answer, text), Effect.yieldNow),
    interrupted: () => interrupted
  }
})

/** Reads of a second, which are overdue thirty seconds later. */
const start = BlockingRead.make<string>(1_000)

const isOverdue = (exit: Exit.Exit<string | undefined, RedisError>): boolean =>
  Exit.isFailure(exit) && String(exit.cause).includes("The read did not come back")

describe("a blocking read", () => {
  it.effect("gives its reply, whether that arrives before or after the caller asks", () =>
    Effect.gen(function*() {
      const read = yield* start
      const [early, late] = yield* Effect.all([makeCommand, makeCommand])
      read.start(early.run)
      yield* early.answer("early")
      assert.strictEqual(yield* read.reply, "early")
      read.start(late.run)
      const reply = yield* Effect.forkScoped(read.reply, { startImmediately: true })
      yield* late.answer("late")
      assert.strictEqual(yield* Fiber.join(reply), "late")
    }).pipe(Effect.scoped))

  it.effect("is idle before the first command and once the last was answered", () =>
    Effect.gen(function*() {
      const read = yield* start
      assert.isTrue(read.isIdle())
      const command = yield* makeCommand
      read.start(command.run)
      assert.isFalse(read.isIdle())
      yield* command.answer("here")
      assert.isTrue(read.isIdle())
      read.start((yield* makeCommand).run)
      yield* read.stop
      assert.isUndefined(yield* read.reply)
      assert.isFalse(read.isIdle(), "what was stopped may still wait at the server")
    }).pipe(Effect.scoped))

  it.effect("fails when its reply is overdue, and its command is interrupted", () =>
    Effect.gen(function*() {
      const read = yield* start
      const command = yield* makeCommand
      read.start(command.run)
      const reply = yield* Effect.forkScoped(Effect.exit(read.reply), { startImmediately: true })
      yield* TestClock.adjust(Duration.millis(30_999))
      assert.isUndefined(reply.pollUnsafe())
      yield* TestClock.adjust(Duration.millis(1))
      assert.isTrue(isOverdue(yield* Fiber.join(reply)))
      assert.isTrue(command.interrupted())
      assert.isFalse(read.isIdle())
    }).pipe(Effect.scoped))

  it.effect("is overdue by its own time, not by that of the reads before it", () =>
    Effect.gen(function*() {
      const read = yield* start
      const [first, second] = yield* Effect.all([makeCommand, makeCommand])
      read.start(first.run)
      yield* TestClock.adjust(Duration.seconds(4))
      yield* first.answer("first")
      assert.strictEqual(yield* read.reply, "first")
      // Nothing is read for a while: nothing is overdue.
      yield* TestClock.adjust(Duration.minutes(1))
      read.start(second.run)
      const reply = yield* Effect.forkScoped(Effect.exit(read.reply), { startImmediately: true })
      yield* TestClock.adjust(Duration.millis(30_999))
      assert.isUndefined(reply.pollUnsafe())
      yield* TestClock.adjust(Duration.millis(1))
      assert.isTrue(isOverdue(yield* Fiber.join(reply)))
    }).pipe(Effect.scoped))

  it.effect("that is overdue before the caller asks fails all the same", () =>
    Effect.gen(function*() {
      const read = yield* start
      read.start((yield* makeCommand).run)
      yield* TestClock.adjust(Duration.seconds(31))
      assert.isTrue(isOverdue(yield* Effect.exit(read.reply)))
    }).pipe(Effect.scoped))

  it.effect("ends without a reply once it is stopped, now and later", () =>
    Effect.gen(function*() {
      const read = yield* start
      read.start((yield* makeCommand).run)
      const reply = yield* Effect.forkScoped(read.reply, { startImmediately: true })
      yield* read.stop
      assert.isUndefined(yield* Fiber.join(reply))
      read.start((yield* makeCommand).run)
      assert.isUndefined(yield* read.reply)
    }).pipe(Effect.scoped))

  it.effect("still gives a reply that came before it was stopped", () =>
    Effect.gen(function*() {
      const read = yield* start
      const command = yield* makeCommand
      read.start(command.run)
      yield* command.answer("there")
      yield* read.stop
      assert.strictEqual(yield* read.reply, "there")
    }).pipe(Effect.scoped))

  it.effect("is interrupted when its scope ends", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const read = yield* Scope.provide(start, scope)
      const command = yield* makeCommand
      read.start(command.run)
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(command.interrupted())
    }))
})
