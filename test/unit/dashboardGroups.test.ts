/** The groups of dead letters that the dashboard keeps: it reads only letters that came since, and notices removals. */
import { assert, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import * as Inspector from "../../src/Inspector.ts"
import { hourOf } from "../../src/internal/dashboard/glance.ts"
import * as Groups from "../../src/internal/dashboard/groups.ts"
import { namesOf } from "../../src/internal/redis/names.ts"
import { countLetters } from "../../src/internal/scripts/deadLetter.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import { Redis } from "../../src/Redis.ts"
import * as RedisMemory from "../../src/RedisMemory.ts"

const naming = QueueNaming.make({ prefix: "test", environment: "groups" })
const key = namesOf(naming, "user").deadLetters

/** The groups, and from where letters were counted. */
const make = Effect.gen(function*() {
  const redis = yield* Redis
  const inspector = yield* Inspector.make({ services: ["user"] })
  const from: Array<string> = []
  const watched: Redis["Service"] = {
    ...redis,
    eval: (script) => {
      const run = redis.eval(script)
      return (...params) => {
        if (Object.is(script, countLetters.script)) from.push((params[0] as { readonly from: string }).from)
        return run(...params)
      }
    }
  }
  const counts = Groups.make(inspector, watched, naming)
  const write = (errorType: string) =>
    Effect.map(
      redis.send("XADD", key, "*", "error_type", errorType, "reason", "rejected", "action_type", "user.create"),
      String
    )
  /** After the time for which users share what was counted. */
  const read = Effect.andThen(
    TestClock.adjust("3 seconds"),
    Effect.map(counts.of("user"), ({ groups, total }) => ({ total, counts: groups.map(({ count }) => count) }))
  )
  return { counts, from, read, redis, write }
})

const Place = Layer.mergeAll(RedisMemory.layer, QueueNaming.layerOf(naming))

it.effect("groups of dead letters are counted once, and then only letters that came since", () =>
  Effect.gen(function*() {
    const { from, read, write } = yield* make
    for (const type of ["A", "A", "B"]) yield* write(type)
    const last = yield* write("A")
    assert.strictEqual((yield* read).total, 4)
    yield* write("B")
    assert.strictEqual((yield* read).total, 5)
    assert.deepStrictEqual(from, ["-", `(${last}`])
  }).pipe(Effect.provide(Place)))

it.effect("groups of dead letters are counted anew when another process removed some, even if as many came", () =>
  Effect.gen(function*() {
    const { from, read, redis, write } = yield* make
    const first = yield* write("A")
    const second = yield* write("A")
    assert.strictEqual((yield* read).total, 2)
    yield* redis.send("XDEL", key, first)
    yield* write("B")
    assert.strictEqual((yield* read).total, 2)
    assert.deepStrictEqual(from, ["-", `(${second}`, "-"])
    yield* redis.send("XTRIM", key, "MAXLEN", "0")
    assert.strictEqual((yield* read).total, 0)
  }).pipe(Effect.provide(Place)))

it("the hour of a service sums its types minute by minute, and names those that fail most", () => {
  const at = (minute: number) => DateTime.makeUnsafe(Date.UTC(2026, 11, 1, 10, minute))
  const none = { succeeded: 0, expired: 0, rejected: 0, retried: 0, deadLetters: 0, released: 0 }
  const point = (minute: number, outcomes: Partial<Inspector.Outcomes>) => ({
    time: at(minute),
    outcomes: { ...none, ...outcomes },
    latency: undefined
  })
  const type = (actionType: string, points: ReadonlyArray<Inspector.StatisticsPoint>) => ({
    actionType,
    points,
    total: {
      latency: undefined,
      outcomes: {
        ...none,
        deadLetters: points.reduce((sum, { outcomes }) => sum + outcomes.deadLetters, 0),
        retried: points.reduce((sum, { outcomes }) => sum + outcomes.retried, 0)
      }
    }
  })
  const { failing, trend } = hourOf({
    service: "user",
    asOf: at(3),
    from: at(0),
    until: at(3),
    interval: Duration.minutes(1),
    types: [
      type("a", [point(0, { succeeded: 5, released: 9 }), point(2, { succeeded: 1, deadLetters: 2 })]),
      type("b", [point(2, { rejected: 1, expired: 1, retried: 7 })]),
      type("c", [point(1, { succeeded: 1 })])
    ]
  })
  assert.deepStrictEqual(trend?.ended, [5, 1, 5, 0])
  assert.deepStrictEqual(trend?.failed, [0, 0, 2, 0])
  assert.deepStrictEqual(failing, [
    { actionType: "a", deadLetters: 2, retried: 0 },
    { actionType: "b", deadLetters: 0, retried: 7 }
  ])
})
