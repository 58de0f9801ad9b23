/**
 * One timer ends all requests, each in its own time.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as Waiters from "../../src/internal/client/waiters.ts"
import { RedisError } from "../../src/Redis.ts"

/** Adds a waiter that notes how it ended, and is gone then. */
const waiting = (waiters: Waiters.Waiters, log: Array<string>) => (id: string, millis: number): Waiters.Waiter => {
  const end = (how: string) => () => {
    waiters.remove(id)
    log.push(`${id} ${how}`)
  }
  const waiter: Waiters.Waiter = { answered: end("answered"), failed: end("failed"), timedOut: end("timed out") }
  waiters.add(id, waiter, millis)
  return waiter
}

const start = Effect.map(Waiters.make, (waiters) => {
  const log: Array<string> = []
  return { waiters, log, add: waiting(waiters, log) }
})

const advance = (millis: number) => TestClock.adjust(Duration.millis(millis))

describe("waiters", () => {
  it.effect("end in their own time, whichever came first", () =>
    Effect.gen(function*() {
      const { add, log, waiters } = yield* start
      add("long", 1_000)
      add("short", 100)
      add("middle", 500)
      yield* advance(99)
      assert.deepStrictEqual(log, [])
      yield* advance(1)
      assert.deepStrictEqual(log, ["short timed out"])
      yield* advance(400)
      assert.deepStrictEqual(log, ["short timed out", "middle timed out"])
      yield* advance(500)
      assert.deepStrictEqual(log, ["short timed out", "middle timed out", "long timed out"])
      assert.strictEqual(waiters.size(), 0)
    }).pipe(Effect.scoped))

  it.effect("that are answered are not ended later, nor is who comes after them ended early", () =>
    Effect.gen(function*() {
      const { add, log, waiters } = yield* start
      add("first", 100)
      yield* advance(60)
      add("second", 100)
      // SAFETY: this waiter does not look at its answer.
      waiters.take("first")?.answered({} as never)
      yield* advance(99)
      assert.deepStrictEqual(log, ["first answered"])
      yield* advance(1)
      assert.deepStrictEqual(log, ["first answered", "second timed out"])
    }).pipe(Effect.scoped))

  it.effect("without a limit wait for as long as it takes", () =>
    Effect.gen(function*() {
      const { add, log, waiters } = yield* start
      add("patient", Infinity)
      yield* TestClock.adjust("365 days")
      assert.deepStrictEqual(log, [])
      assert.strictEqual(waiters.size(), 1)
    }).pipe(Effect.scoped))

  it.effect("are found once", () =>
    Effect.gen(function*() {
      const { add, waiters } = yield* start
      const waiter = add("a", 1_000)
      assert.strictEqual(waiters.take("a"), waiter)
      assert.strictEqual(waiters.take("a"), undefined)
      assert.strictEqual(waiters.size(), 0)
    }).pipe(Effect.scoped))

  it.effect("all get a failure that does not pass", () =>
    Effect.gen(function*() {
      const { add, log, waiters } = yield* start
      add("a", 1_000)
      add("b", Infinity)
      waiters.failAll(new RedisError({ cause: new Error("NOPERM") }))
      assert.deepStrictEqual(log, ["a failed", "b failed"])
    }).pipe(Effect.scoped))

  it.effect("that outlive their client still end in time", () =>
    Effect.gen(function*() {
      const { log } = yield* Effect.scoped(Effect.tap(start, ({ add }) =>
        Effect.sync(() => {
          add("a", 100)
          add("b", 200)
        })))
      yield* advance(200)
      assert.deepStrictEqual(log, ["a timed out", "b timed out"])
    }))

  it.effect("of a client that has ended end in time, too", () =>
    Effect.gen(function*() {
      const { add, log } = yield* Effect.scoped(start)
      add("a", 100)
      yield* advance(99)
      assert.deepStrictEqual(log, [])
      yield* advance(1)
      add("b", 100)
      yield* advance(100)
      assert.deepStrictEqual(log, ["a timed out", "b timed out"])
    }))
})
