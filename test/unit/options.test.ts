/**
 * Options that are given in code: an invalid one is an `InvalidOption` wherever it is given, and its message names the
 * option, the value that was found and the values that are possible.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as DeadLetter from "../../src/DeadLetter.ts"
import { RetryLater } from "../../src/HandlerError.ts"
import { bytes, check, flag, oneOf, positiveTime, time, wholeNumber } from "../../src/internal/base/options.ts"
import { fields } from "../../src/internal/redis/settingsFields.ts"
import { workerRows } from "../../src/internal/worker/options.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as RedisMemory from "../../src/RedisMemory.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"

const AppLayer = Layer.mergeAll(RedisMemory.layer, QueueNaming.layer).pipe(
  Layer.provideMerge(Settings.layerOf({ serviceName: "user" }))
)

/** A value that the types refuse. */
const wrong = (value: unknown): never =>
  // SAFETY: wrong on purpose.
  value as never

const thrown = (make: () => unknown): Effect.Effect<unknown, unknown> =>
  Effect.catchDefect(Effect.sync(make), Effect.fail)

const Ping = Action.make("user.ping")

const refused: ReadonlyArray<readonly [call: string, effect: Effect.Effect<unknown, unknown>, message: string]> = [
  [
    "Worker.start with a time that is not a number",
    Effect.provide(Effect.scoped(Worker.start({}, { claimIdle: Number.NaN })), AppLayer),
    "The option \"claimIdle\" is NaN: expected a time from 100ms to 1d, such as \"60 seconds\""
  ],
  [
    "Worker.start with an unreadable time",
    Effect.provide(Effect.scoped(Worker.start({}, { block: wrong("5 secs") })), AppLayer),
    "The option \"block\" is \"5 secs\": expected a time from 10ms to 1h, such as \"5 seconds\""
  ],
  [
    "Worker.start with more consumers than a variable may name",
    Effect.provide(Effect.scoped(Worker.start({}, { consumers: 1001 })), AppLayer),
    "The option \"consumers\" is 1001: expected a whole number from 1 to 1000"
  ],
  [
    "Worker.start with a misspelled choice",
    Effect.provide(Effect.scoped(Worker.start({}, { errorReplies: wrong("always") })), AppLayer),
    "The option \"errorReplies\" is \"always\": expected \"final\" or \"every-attempt\""
  ],
  [
    "Worker.start with a delay in place of a schedule",
    Effect.provide(Effect.scoped(Worker.start({}, { retry: wrong("1 second") })), AppLayer),
    "The option \"retry\" is \"1 second\": expected a schedule, such as Schedule.exponential(\"1 second\")"
  ],
  [
    "Worker.layer with a limit of no dead letters",
    Effect.provide(Worker.join, Worker.layer({}, { deadLetters: { maxCount: 0 } }).pipe(Layer.provide(AppLayer))),
    "The option \"deadLetters.maxCount\" is 0: expected a whole number from 1, or Infinity"
  ],
  [
    "Worker.run with a service that no name can hold",
    Effect.provide(Worker.run({}, { service: "a:b" }), AppLayer),
    "The option \"service\" is \"a:b\": expected "
  ],
  [
    "ActionClient.make with a chunk of nothing",
    Effect.provide(Effect.scoped(ActionClient.make({ chunkSize: 0 })), AppLayer),
    "The option \"chunkSize\" is 0: expected a whole number from 1 to 10000"
  ],
  [
    "ActionClient.layerOptions with an unknown inbox",
    Effect.provide(
      ActionClient.ActionClient,
      ActionClient.layerOptions({ inbox: wrong("own") }).pipe(Layer.provide(AppLayer))
    ),
    "The option \"inbox\" is \"own\": expected \"shared\" or \"per-request\""
  ],
  [
    "a request with no time",
    Effect.gen(function*() {
      const client = yield* ActionClient.make()
      return yield* client.request(Ping, {}, { timeout: 0 })
    }).pipe(Effect.scoped, Effect.provide(AppLayer)),
    "The option \"timeout\" is 0 ms: expected a time above 0, such as \"5 seconds\""
  ],
  [
    "DeadLetter.make with lists that never expire",
    Effect.provide(DeadLetter.make({ responseTimeToLive: Duration.infinity }), AppLayer),
    "The option \"responseTimeToLive\" is Infinity: expected a time from 1ms to 3650d, such as \"1 hour\""
  ],
  [
    "DeadLetter.discardMany with an unreadable age",
    Effect.provide(
      Effect.flatMap(DeadLetter.make(), (letters) => letters.discardMany({ olderThan: wrong("7 dys") })),
      AppLayer
    ),
    "The option \"olderThan\" is \"7 dys\": expected a time from 0, such as \"7 days\", or Infinity"
  ],
  [
    "DeadLetter.list with an unknown order",
    Effect.provide(
      Effect.flatMap(DeadLetter.make(), (letters) => letters.list({ order: wrong("random") })),
      AppLayer
    ),
    "The option \"order\" is \"random\": expected \"oldest\" or \"newest\""
  ],
  [
    "DeadLetter.replay with a force that is text",
    Effect.provide(
      Effect.flatMap(DeadLetter.make(), (letters) => letters.replay("1-1", { force: wrong("false") })),
      AppLayer
    ),
    "The option \"force\" is \"false\": expected true or false"
  ],
  [
    "IoRedis.layerOptions with an unreadable time",
    Effect.provide(IoRedis.IoRedis, IoRedis.layerOptions({ replyTimeout: wrong("5 secs") })),
    "The option \"replyTimeout\" is \"5 secs\": expected a time from 1ms to 24d, such as \"10 seconds\""
  ],
  [
    "IoRedis.layerOptions with a pool that has no connections",
    Effect.provide(IoRedis.IoRedis, IoRedis.layerOptions({ pool: { maxConnections: 0 } })),
    "The option \"pool.maxConnections\" is 0: expected a whole number from 1, or Infinity"
  ],
  [
    "IoRedis.layerOptions with a pool that never waits",
    Effect.provide(IoRedis.IoRedis, IoRedis.layerOptions({ pool: { acquireTimeout: wrong("soon") } })),
    "The option \"pool.acquireTimeout\" is \"soon\": expected a time from 1ms to 24d"
  ],
  [
    "Action.make with no attempts",
    thrown(() => Action.make("user.create", { maxAttempts: 0 })),
    "The option \"maxAttempts\" of \"user.create\" is 0: expected a whole number from 1 to 10000"
  ],
  [
    "Action.make with an unreadable time",
    thrown(() => Action.make("user.create", { handlerTimeout: wrong("5 secs") })),
    "The option \"handlerTimeout\" of \"user.create\" is \"5 secs\": expected a time from 1ms to 30d"
  ],
  [
    "Action.make with a number in place of a schedule",
    thrown(() => Action.make("user.create", { retry: wrong(3) })),
    "The option \"retry\" of \"user.create\" is 3: expected a schedule"
  ],
  [
    "RetryLater with an unreadable time",
    thrown(() => new RetryLater({ after: wrong("5 secs") })),
    "The option \"after\" is \"5 secs\": expected a time from 0, such as \"30 seconds\""
  ]
]

describe("an invalid option", () => {
  for (const [call, effect, message] of refused) {
    it.effect(`fails ${call} with an InvalidOption that names it`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(effect)
        assert.instanceOf(error, Worker.InvalidOption)
        assert.include(error.message, message)
      }))
  }

  it.effect("is one class in every module that exports it, and has a schema", () =>
    Effect.gen(function*() {
      for (const module of [Action, ActionClient, DeadLetter, IoRedis]) {
        assert.strictEqual(module.InvalidOption, Worker.InvalidOption)
      }
      const error = new Worker.InvalidOption({ option: "a", found: "1", expected: "2" })
      const json = yield* Schema.encodeEffect(Worker.InvalidOption)(error)
      assert.deepStrictEqual(json, { _tag: "InvalidOption", option: "a", found: "1", expected: "2" })
    }))
})

describe("the table of options", () => {
  it("has the same row for an option of a worker and the setting with its name", () => {
    for (const [name, row] of Object.entries(workerRows)) {
      if (Object.hasOwn(fields, name)) assert.strictEqual<unknown>(row, fields[name as keyof typeof fields], name)
    }
  })

  it("has defaults that its own rows accept", () => {
    for (const [name, row] of [...Object.entries(fields), ...Object.entries(workerRows)]) {
      if ("fallback" in row && row.fallback !== undefined) assert.isDefined(row.decode(row.fallback), name)
    }
  })

  it.each([
    [wholeNumber(1, 10), [1, 10], [0, 11, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "5", 5n, null]],
    [wholeNumber(0, undefined, { orInfinity: true }), [0, 2 ** 40, Infinity], [-1, -Infinity, Number.NaN, 2 ** 60]],
    [bytes(1, 100), [1, 100], [0, 101, "1 KiB"]],
    [time("1 millis", "1 hour"), [1, "1 hour", Duration.seconds(3), { minutes: 3 }], [
      0,
      0.5,
      "2 hours",
      "-5 millis",
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Duration.infinity,
      "soon",
      {},
      null,
      undefined,
      true
    ]],
    [time(0), [0, "0 millis", Infinity, Duration.infinity], [
      -1,
      "-1 millis",
      Number.NaN,
      Number.NEGATIVE_INFINITY,
      {},
      { secs: 5 },
      { seconds: Number.NaN },
      [Number.NaN, 0],
      { seconds: -1 }
    ]],
    [positiveTime("5 seconds"), [1, 0.5, Duration.nanos(1n), Infinity], [0, -1, Number.NaN, "soon"]],
    [flag, [true, false], ["true", 1, null]],
    [oneOf("a", "b"), ["a", "b"], ["c", 1, ["a"]]]
  ])("takes and refuses what it says: $expected", (kind, right, invalid) => {
    for (const value of right) assert.isTrue(Result.isSuccess(check<unknown>("o", kind, value)), kind.show(value))
    for (const value of invalid) {
      assert.isTrue(Result.isFailure(check<unknown>("o", kind, value)), kind.show(value))
    }
  })

  it("never shows what an object or a long text holds", () => {
    const secret = { toString: () => "hunter2" }
    assert.notInclude(wholeNumber(1).show(secret), "hunter2")
    assert.isBelow(wholeNumber(1).show("x".repeat(10_000)).length, 120)
    assert.strictEqual(time(0).show(Object.create(null)), "an object")
  })
})
