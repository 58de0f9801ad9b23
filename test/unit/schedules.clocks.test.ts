/**
 * The clock of the server is set, while workers with schedules run: only what the server says of the time changes, and time
 * passes for the workers as before.
 */
import { assert } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Action from "../../src/Action.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import { Redis } from "../../src/Redis.ts"
import type * as RedisModule from "../../src/Redis.ts"
import * as Schedules from "../../src/Schedules.ts"
import * as Worker from "../../src/Worker.ts"
import { eventually, inMemory, Place } from "../support/layers.ts"

const Report = Action.make("user.report")

const year = 365 * 86_400_000

/** A server whose clock the test sets. */
const skewed = Effect.gen(function*() {
  const redis = yield* Redis
  const clock = yield* Clock.Clock
  let skew = 0
  const own: Clock.Clock = {
    currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + skew,
    currentTimeMillis: Effect.sync(() => own.currentTimeMillisUnsafe()),
    currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe() + BigInt(skew) * 1_000_000n,
    currentTimeNanos: Effect.sync(() => own.currentTimeNanosUnsafe()),
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: clock.monotonicTimeNanos,
    sleep: (duration) => clock.sleep(duration)
  }
  const atServer = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provideService(effect, Clock.Clock, own)
  const connection = (inner: RedisModule.Connection): RedisModule.Connection => ({
    send: (command, ...args) => atServer(inner.send(command, ...args)),
    eval: (script) => (...params) => atServer(inner.eval(script)(...params))
  })
  return {
    redis: Redis.of({
      ...connection(redis),
      subscribe: redis.subscribe,
      reserve: Effect.map(redis.reserve, connection)
    }),
    now: () => own.currentTimeMillisUnsafe(),
    set: (millis: number) => {
      skew += millis
    }
  }
})

interface Fired {
  readonly slot: number
  readonly at: number
}

const start = Effect.fnUntraced(function*(every: `${number} seconds`, workers = 2) {
  const server = yield* skewed
  const fired: Array<Fired> = []
  const handlers = ActionGroup.make(Report).handlers({
    "user.report": (_, { scheduledFor }) =>
      Effect.sync(() => {
        fired.push({
          slot: scheduledFor === undefined ? 0 : DateTime.toEpochMillis(scheduledFor),
          at: server.now()
        })
      })
  })
  const schedules = [Schedules.every("report", { action: Report, payload: {}, every })]
  for (let n = 0; n < workers; n++) {
    yield* Worker.start(handlers, { block: "200 millis", shutdownGrace: 0, schedules }).pipe(
      Effect.provideService(Redis, server.redis)
    )
  }
  return { fired, server }
})

const twice = (fired: ReadonlyArray<Fired>): ReadonlyArray<number> => {
  const slots = fired.map(({ slot }) => slot)
  return slots.filter((slot, index) => slots.indexOf(slot) !== index)
}

inMemory("A schedule, when the clock of the server", (test) => {
  test("is set a year ahead and back, fires once there and again at its times within a minute, no slot twice", () =>
    Effect.gen(function*() {
      const { pass } = yield* Place
      const { fired, server } = yield* start("60 seconds")
      yield* pass("3 minutes")
      assert.lengthOf(fired, 3)

      server.set(year)
      yield* pass("90 seconds")
      const ahead = fired.slice(3)
      // The latest of the half million that were missed, then those that pass.
      assert.isTrue(ahead.length === 2 || ahead.length === 3, `${ahead.length}`)
      assert.isTrue(ahead.every(({ at, slot }) => at - slot < 60_000))

      server.set(-year)
      const back = server.now()
      const before = fired.length
      yield* pass("3 minutes")
      const after = fired.slice(before)
      assert.isAtLeast(after.length, 2)
      assert.isTrue(after.every(({ at, slot }) => slot > back && at >= slot && at - slot < 61_000))
      assert.deepStrictEqual(twice(fired), [])
    }))

  test("is set back by a minute, fires no slot twice, and goes on when the time is reached again", () =>
    Effect.gen(function*() {
      const { pass } = yield* Place
      const { fired, server } = yield* start("1 seconds")
      yield* pass("20 seconds")
      const before = fired.length
      server.set(-60_000)
      yield* pass("100 seconds")
      assert.isAtLeast(fired.length, before + 30)
      assert.deepStrictEqual(twice(fired), [])
    }))

  test("is set ahead by more than a minute, is still fired by the workers that declare it", () =>
    Effect.gen(function*() {
      const { logs, pass } = yield* Place
      const { fired, server } = yield* start("10 seconds")
      const other = yield* Worker.start({ "user.other": () => Effect.void }, { block: "200 millis" }).pipe(
        Effect.provideService(Redis, server.redis)
      )
      yield* pass("30 seconds")
      server.set(10 * 60_000)
      const before = fired.length
      yield* pass("2 minutes")
      yield* eventually("it fires", Effect.sync(() => fired.length >= before + 11))
      assert.isFalse(logs.some(({ text }) => text.includes("fires no more")))
      yield* other.drain
    }))
})
