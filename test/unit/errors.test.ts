/** Every error can leave the process and come back, and the kinds of an error can be caught one by one. */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import {
  Action,
  ActionClient,
  DeadLetter,
  HandlerError,
  IoRedis,
  QueueNaming,
  Settings,
  Worker
} from "../../src/index.ts"
import { NamingFault } from "../../src/internal/redis/nameParts.ts"
import { Conformance, TestWorker } from "../../src/testing/index.ts"
import * as WorkerError from "../../src/WorkerError.ts"
import { inMemory } from "../support/layers.ts"

type ErrorClass = Schema.Codec<Error & { readonly _tag: string }, unknown>

const cause = new Error("the cause")

const errors: ReadonlyArray<readonly [ErrorClass, Error & { readonly _tag: string }]> = [
  [Settings.SettingsError, Result.getOrThrow(Result.flip(Settings.make({ serviceName: "my service" })))],
  [Action.InvalidOption, new Action.InvalidOption({ option: "claimIdle", found: "NaN", expected: "a time" })],
  ...IoRedis.RedisStartReason.members.map((Reason) =>
    [
      IoRedis.RedisStartError,
      new IoRedis.RedisStartError({
        address: "localhost:1",
        reason: new Reason({ message: "it failed", advice: "look" })
      })
    ] as const
  ),
  ...Worker.WorkerErrorReason.members.map((Reason) =>
    [Worker.WorkerError, new Worker.WorkerError({ reason: new Reason({ message: "it failed", cause }) })] as const
  ),
  ...ActionClient.EncodeErrorReason.members.map((Reason) =>
    [
      ActionClient.EncodeError,
      new ActionClient.EncodeError({ actionType: "user.ping", reason: new Reason({ message: "it does not fit" }) })
    ] as const
  ),
  [
    ActionClient.RequestTimeout,
    new ActionClient.RequestTimeout({
      actionType: "user.ping",
      actionId: "a",
      correlationId: "c",
      timeout: Duration.seconds(3)
    })
  ],
  [
    ActionClient.RemoteFailure,
    new ActionClient.RemoteFailure({
      actionType: "user.ping",
      errorType: "Odd",
      errorCode: null,
      message: "no",
      details: { a: [1, null] }
    })
  ],
  [DeadLetter.DeadLetterNotFound, new DeadLetter.DeadLetterNotFound({ id: "1-0" })],
  [DeadLetter.TooManyHops, new DeadLetter.TooManyHops({ id: "1-0", hops: 3, maxHops: 3 })],
  [DeadLetter.NotReplayable, new DeadLetter.NotReplayable({ id: "1-0", message: "why" })],
  [DeadLetter.NotDeliverable, new DeadLetter.NotDeliverable({ id: "1-0", message: "why" })],
  [
    QueueNaming.QueueNameError,
    new QueueNaming.QueueNameError({ part: "service", found: "a b", expected: "letters" })
  ],
  [NamingFault, new NamingFault({ part: "a consumer", found: "", expected: "a text" })],
  [HandlerError.RetryLater, new HandlerError.RetryLater()],
  [HandlerError.RetryLater, new HandlerError.RetryLater({ cause, after: "3 seconds" })],
  [HandlerError.Rejected, new HandlerError.Rejected({ message: "no" })],
  [
    HandlerError.Rejected,
    new HandlerError.Rejected({ message: "no", errorType: "NotFound", details: { id: 1 }, cause })
  ],
  [TestWorker.NotSettled, new TestWorker.NotSettled({ settlements: [], within: Duration.hours(1) })],
  [TestWorker.NotIdempotent, new TestWorker.NotIdempotent({ what: "answer", first: 1, second: 2 })],
  [
    Conformance.ConformanceFailure,
    new Conformance.ConformanceFailure({ case: "xadd", message: "differs", expected: 1, actual: null })
  ]
]

/** A cause comes back as another error with the same message. */
const plain = (value: unknown): unknown =>
  value instanceof Error ? { name: value.name, message: value.message, cause: plain(value.cause) } : value

describe("an error of the library", () => {
  for (const [schema, error] of errors) {
    const reason = "reason" in error && error.reason instanceof Error ? `, reason ${error.reason.name}` : ""
    it(`comes back from JSON as the same error: ${error._tag}${reason}`, () => {
      const codec = Schema.toCodecJson(schema)
      const text = JSON.stringify(Schema.encodeUnknownSync(codec)(error))
      const back = Schema.decodeUnknownSync(codec)(JSON.parse(text))
      assert.instanceOf(back, error.constructor as new() => unknown)
      assert.strictEqual(back.message, error.message)
      assert.isNotEmpty(back.message)
      assert.deepStrictEqual(plain(back.cause), plain(error.cause))
      assert.deepStrictEqual(JSON.stringify(Schema.encodeUnknownSync(codec)(back)), text)
    })

    it(`is printed with its tag as its name: ${error._tag}${reason}`, () => {
      assert.strictEqual(error.name, error instanceof NamingFault ? "effect-redis-workers/NamingFault" : error._tag)
    })
  }
})

describe("a contract's own error with the tag of a library's", () => {
  it("is not mistaken for the library's, nor the other way round", () => {
    class Rejected extends Schema.TaggedError<Rejected>()("Rejected", { message: Schema.String }) {}
    assert.isFalse(Schema.is(Rejected)(new HandlerError.Rejected({ message: "no" })))
    assert.isFalse(Schema.is(HandlerError.Rejected)(new Rejected({ message: "no" })))
    assert.isFalse(HandlerError.isRejected(new Rejected({ message: "no" })))
  })
})

const Ping = Action.make("user.ping", { payload: { text: Schema.String } })
const Named = Action.make("user.named", { payload: { text: Schema.String }, execution: { model: Schema.String } })

inMemory("The reasons of an EncodeError", (test) => {
  test("are caught one by one", () =>
    Effect.gen(function*() {
      const client = yield* ActionClient.ActionClient
      // SAFETY: what the compiler refuses, and plain JavaScript does all the same.
      const unchecked = (value: unknown): never => value as never
      const reasonOf = <A, R>(
        call: Effect.Effect<
          A,
          ActionClient.EncodeError | { readonly _tag: "InvalidOption" | "NotSupported" | "RedisError" },
          R
        >
      ) =>
        Effect.map(
          Effect.flip(call),
          (error) => error._tag === "EncodeError" ? error.reason._tag : error._tag
        )
      const naming = yield* QueueNaming.QueueNaming
      const targetService = () => {
        throw new Error("no such service")
      }
      const nowhere = yield* ActionClient.make().pipe(
        Effect.provideService(QueueNaming.QueueNaming, { ...naming, targetService })
      )
      const long = "x".repeat(2_200_000)
      assert.deepStrictEqual(
        yield* Effect.all([
          reasonOf(client.send(Ping, unchecked({ text: 1 }))),
          reasonOf(client.send(Named, { text: "a" }, unchecked({ execution: { model: 1 } }))),
          reasonOf(
            client.send(Ping, { text: "a" }, { metadata: { deep: Array.from({ length: 80 }).reduce((a) => [a]) } })
          ),
          reasonOf(client.send(Ping, { text: long + long })),
          reasonOf(nowhere.send(Ping, { text: "a" }))
        ]),
        ["InvalidPayload", "InvalidConfig", "InvalidAction", "TooLarge", "NoStream"]
      )
      const caught = yield* client.send(Ping, { text: long + long }).pipe(
        Effect.catchReason("EncodeError", "TooLarge", (reason) => Effect.succeed(reason.message))
      )
      assert.include(caught, "is larger than the limit of 4194304 bytes")
    }).pipe(Effect.provide(Layer.fresh(ActionClient.layer))))
})

describe("the reason of a WorkerError", () => {
  it.effect("is caught by its tag, and gives the error as well", () =>
    Effect.gen(function*() {
      const failing: Effect.Effect<never, Worker.WorkerError> = Effect.fail(
        new Worker.WorkerError({ reason: new WorkerError.NoPermission({ message: "no XADD" }) })
      )
      const caught = failing.pipe(
        Effect.catchReason("WorkerError", "WrongType", () => Effect.succeed("another")),
        Effect.catchReason("WorkerError", "NoPermission", (reason, error) =>
          Effect.succeed(`${reason.message}, ${error._tag}`))
      )
      assert.strictEqual(yield* caught, "no XADD, WorkerError")
    }))
})
