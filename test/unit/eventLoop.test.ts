/**
 * How late the event loop is, whenever it stands still.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as EventLoop from "../../src/internal/worker/eventLoop.ts"

/** A clock whose time and timers move when the test says so, also between two steps of the loop. */
const start = Effect.gen(function*() {
  let now = 0
  let wall = 0
  let fire: () => void = () => {}
  const clock: Clock.Clock = {
    currentTimeMillisUnsafe: () => wall,
    currentTimeMillis: Effect.sync(() => wall),
    currentTimeNanosUnsafe: () => BigInt(wall) * 1_000_000n,
    currentTimeNanos: Effect.sync(() => BigInt(wall) * 1_000_000n),
    monotonicTimeNanosUnsafe: () => BigInt(now) * 1_000_000n,
    monotonicTimeNanos: Effect.sync(() => BigInt(now) * 1_000_000n),
    sleep: () =>
      Effect.callback((resume) => {
        fire = () => resume(Effect.void)
      })
  }
  const loop = EventLoop.make(clock)
  yield* Effect.forkScoped(Effect.provideService(loop.run, Clock.Clock, clock))
  const turns = Effect.repeat(Effect.yieldNow, { times: 5 })
  yield* turns
  return {
    delay: loop.delay,
    turns,
    /** Stands still for so long. */
    freeze: (millis: number) => {
      now += millis
      wall += millis
    },
    setWall: (millis: number) => {
      wall = millis
    },
    fire: () => fire()
  }
})

describe("the event loop", () => {
  it.effect("is late by what passed beyond the look that is due, before and after that look", () =>
    Effect.gen(function*() {
      const { delay, fire, freeze, turns } = yield* start
      freeze(2_500)
      assert.strictEqual(delay(), 2_000)
      fire()
      yield* turns
      assert.strictEqual(delay(), 2_000)
    }))

  it.effect("is late when it is blocked between a look and the next sleep", () =>
    Effect.gen(function*() {
      const { delay, fire, freeze, turns } = yield* start
      freeze(500)
      fire()
      // The look is done, the next sleep starts a turn later.
      freeze(2_500)
      yield* turns
      assert.strictEqual(delay(), 2_000)
    }))

  it.effect("reports a delay for ten seconds", () =>
    Effect.gen(function*() {
      const { delay, fire, freeze, turns } = yield* start
      freeze(1_500)
      for (let seconds = 0; seconds < 10; seconds += 0.5) {
        fire()
        yield* turns
        assert.strictEqual(delay(), 1_000)
        freeze(500)
      }
      fire()
      yield* turns
      freeze(1)
      assert.strictEqual(delay(), 0)
    }))

  it.effect("is not late when the clock of the host is set", () =>
    Effect.gen(function*() {
      const { delay, fire, freeze, setWall, turns } = yield* start
      setWall(3_600_000)
      assert.strictEqual(delay(), 0)
      freeze(500)
      fire()
      yield* turns
      assert.strictEqual(delay(), 0)
    }))
})
