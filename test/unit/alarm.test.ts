/**
 * One timer for many deadlines: none is missed, and it fires for none that is gone.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as Alarm from "../../src/internal/base/alarm.ts"
import { monotonicMillis } from "../../src/internal/base/monotonic.ts"

const advance = (millis: number) => TestClock.adjust(Duration.millis(millis))

/** An alarm over deadlines that the test adds and removes; `looks` are its times, `late` what it found. */
const start = Effect.gen(function*() {
  const clock = yield* Clock.Clock
  const begin = monotonicMillis(clock)
  const deadlines = new Set<number>()
  const looks: Array<number> = []
  const late: Array<number> = []
  const onLate: Array<() => void> = []
  const alarm = Alarm.make(clock, (now) => {
    looks.push(now - begin)
    for (const deadline of deadlines) {
      if (begin + deadline > now) continue
      deadlines.delete(deadline)
      late.push(deadline)
      onLate.shift()?.()
    }
    return begin + Math.min(Infinity, ...deadlines)
  })
  yield* Effect.forkScoped(alarm.run)
  const add = (deadline: number) => {
    deadlines.add(deadline)
    alarm.by(begin + deadline)
  }
  return { add, remove: (deadline: number) => deadlines.delete(deadline), looks, late, onLate }
})

describe("an alarm", () => {
  it.effect("finds each deadline when it has come, in whatever order they were given", () =>
    Effect.gen(function*() {
      const { add, late, looks } = yield* start
      add(300)
      add(100)
      add(200)
      yield* advance(99)
      assert.deepStrictEqual(looks, [])
      yield* advance(1)
      assert.deepStrictEqual(late, [100])
      yield* advance(200)
      assert.deepStrictEqual(late, [100, 200, 300])
      assert.deepStrictEqual(looks, [100, 200, 300])
    }))

  it.effect("wakes earlier for a deadline that comes before the one it waits for", () =>
    Effect.gen(function*() {
      const { add, late } = yield* start
      add(1_000)
      yield* advance(10)
      add(50)
      yield* advance(40)
      assert.deepStrictEqual(late, [50])
    }))

  it.effect("is left alone by what ends in time, and looks once at what waits by then", () =>
    Effect.gen(function*() {
      const { add, late, looks, remove } = yield* start
      for (let deadline = 100; deadline < 200; deadline++) {
        add(deadline)
        remove(deadline)
      }
      add(500)
      yield* advance(499)
      assert.deepStrictEqual(looks, [100])
      yield* advance(1)
      assert.deepStrictEqual(late, [500])
    }))

  it.effect("waits for the next deadline when nothing is left", () =>
    Effect.gen(function*() {
      const { add, late, looks } = yield* start
      add(100)
      yield* advance(100)
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(looks, [100])
      add(3_600_200)
      yield* advance(100)
      assert.deepStrictEqual(late, [100, 3_600_200])
    }))

  it.effect("keeps a deadline that is given while it looks", () =>
    Effect.gen(function*() {
      const { add, late, onLate } = yield* start
      onLate.push(() => add(150))
      add(100)
      yield* advance(100)
      yield* advance(50)
      assert.deepStrictEqual(late, [100, 150])
    }))
})
