import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as Action from "../../src/Action.ts"
import { isRejected, isRetryLater, Rejected, RetryLater } from "../../src/HandlerError.ts"
import { dispositionOf } from "../../src/internal/contract/disposition.ts"
import { validationDetail } from "../../src/internal/contract/validationDetail.ts"
import { rejectedDetail } from "../../src/internal/wire/rejectedDetail.ts"
import { codecOf } from "../support/typedCodec.ts"

class EmailTaken extends Schema.TaggedError<EmailTaken>()("EmailTaken", { email: Schema.String, at: Schema.Date }) {}

class Busy extends Schema.TaggedError<Busy>()("Busy", {}, Action.disposition("retryable")) {}

class Locked extends Schema.TaggedError<Locked>()("Locked", { by: Schema.String }) {
  override get message() {
    return `Locked by ${this.by}`
  }
}

const CreateUser = Action.make("user.create", {
  payload: { email: Schema.String, born: Schema.Date, age: Schema.Int, limit: Schema.Number },
  success: { userId: Schema.String, balance: Schema.BigInt },
  error: Schema.Union([EmailTaken, Busy, Action.retryable(Locked)])
})

const codec = codecOf(CreateUser)

const born = new Date("2000-02-29T00:00:00.000Z")
const at = new Date("2025-06-29T04:03:00.123Z")

const detail = (error_type: string, details: Record<string, unknown> | null, error_code: string | null = null) => ({
  error_type,
  error_code,
  message: "as the other side words it",
  details
})

describe("make", () => {
  it("keeps type and schemas, and turns a record of fields into a struct", () => {
    assert.strictEqual(CreateUser.type, "user.create")
    assert.isTrue(Action.isAction(CreateUser))
    assert.isFalse(Action.isAction({ type: "user.create" }))
    assert.deepStrictEqual(Object.keys(CreateUser.payloadSchema.fields), ["email", "born", "age", "limit"])
  })

  it("takes what a worker would else decide", () => {
    const retry = Schedule.spaced("1 second")
    const action = Action.make("user.create", { retry, maxAttempts: 3, handlerTimeout: "5 seconds" })
    assert.strictEqual(action.retry, retry)
    assert.strictEqual(action.maxAttempts, 3)
    assert.deepStrictEqual(action.handlerTimeout, Duration.seconds(5))
  })

  it("refuses a unique key that is no function", () => {
    const unique = { key: "a", within: "1 hour" } as unknown as () => Action.Unique
    assert.throws(
      () => Action.make("user.create", { unique }),
      "The option \"unique\" of \"user.create\" is an object: expected a function of the payload that returns { key, within }"
    )
  })

  it("keeps annotations apart from the contract that they were added to", () => {
    const Owner = Context.Service<string>("Owner")
    const Team = Context.Service<string>("Team")
    const owned = CreateUser.annotate(Owner, "users").annotateMerge(Context.make(Team, "core"))
    assert.strictEqual(Context.getOrUndefined(owned.annotations, Owner), "users")
    assert.strictEqual(Context.getOrUndefined(owned.annotations, Team), "core")
    assert.isUndefined(Context.getOrUndefined(CreateUser.annotations, Owner))
    assert.isTrue(Action.isAction(owned))
  })

  it("refuses a type that no service has", () => {
    for (
      const type of ["user.", ".create", "user..create", "user.cre ate", "user:x.create", `user.${"x".repeat(200)}`]
    ) {
      assert.throws(() => Action.make(type as "user.create"), TypeError, "not an action type")
    }
  })

  it("refuses a payload that does not encode to a JSON object", () => {
    for (const payload of [Schema.Date, Schema.ReadonlyMap(Schema.String, Schema.String), Schema.Unknown]) {
      assert.throws(
        () => Action.make("user.create", { payload: payload as unknown as Schema.Struct<{}> }),
        TypeError,
        "does not encode to a JSON object"
      )
    }
  })

  it("accepts every payload that encodes to a JSON object", () => {
    class User extends Schema.Class<User>("User")({ id: Schema.String }) {}
    const All = Action.make("user.a", { payload: Schema.Union([User, Schema.Struct({ all: Schema.Boolean })]) })
    assert.isTrue(Action.isAction(All))
    assert.isTrue(Action.isAction(Action.make("user.b", { payload: Schema.Record(Schema.String, Schema.Number) })))
    assert.isTrue(Action.isAction(Action.make("user.c", { payload: User })))
  })
})

describe("payload", () => {
  it.effect("crosses JSON whatever its schema", () =>
    Effect.gen(function*() {
      const payload = { email: "a@b.c", born, age: 3, limit: 0.5 }
      const data = yield* codec.encodePayload(payload)
      assert.deepStrictEqual(data, { email: "a@b.c", born: born.toISOString(), age: 3, limit: 0.5 })
      assert.deepStrictEqual(yield* codec.decodePayload(JSON.parse(JSON.stringify(data))), payload)
    }))

  const Anything = Schema.Struct({
    text: Schema.String,
    at: Schema.Date,
    large: Schema.BigInt,
    maybe: Schema.Option(Schema.Array(Schema.Boolean)),
    left: Schema.optionalKey(Schema.NullOr(Schema.String)),
    by: Schema.ReadonlyMap(Schema.String, Schema.BigInt),
    choice: Schema.Union([Schema.Literals(["a", "b"]), Schema.Struct({ _tag: Schema.tag("C"), c: Schema.String })])
  })

  it.effect.prop("comes out as it went in", { payload: Anything }, ({ payload }) =>
    Effect.gen(function*() {
      const any = codecOf(Action.make("user.any", { payload: Anything }))
      const wire = JSON.stringify(yield* any.encodePayload(payload))
      assert.deepStrictEqual(yield* any.decodePayload(JSON.parse(wire)), payload)
    }))

  it("is decoded on the spot when its schema is synchronous", () => {
    const result = codec.decodePayload({ email: "a@b.c", born: born.toISOString(), age: 3, limit: 0.5 })
    assert.isTrue(Exit.isExit(result) && Exit.isSuccess(result))
  })

  it.effect("of an action without one is an object", () =>
    Effect.gen(function*() {
      const Ping = codecOf(Action.make("user.ping"))
      assert.deepStrictEqual(yield* Ping.encodePayload({}), {})
      assert.deepStrictEqual(yield* Ping.decodePayload({ extra: true }), { extra: true })
    }))

  it.effect("gets the defaults of its constructor when it is sent", () =>
    Effect.gen(function*() {
      const Count = Action.make("user.count", {
        payload: { by: Schema.Int.pipe(Schema.withConstructorDefault(Effect.succeed(1))) }
      })
      assert.deepStrictEqual(yield* codecOf(Count).encodePayload({}), { by: 1 })
    }))

  it.effect("may be a class, sent from its fields", () =>
    Effect.gen(function*() {
      class User extends Schema.Class<User>("User")({ id: Schema.String }) {}
      const Get = codecOf(Action.make("user.get", { payload: User }))
      assert.deepStrictEqual(yield* Get.encodePayload(new User({ id: "1" })), { id: "1" })
      assert.instanceOf(yield* Get.decodePayload({ id: "1" }), User)
    }))

  it.effect("may need services to decode", () =>
    Effect.gen(function*() {
      class Offset extends Context.Service<Offset, number>()("Offset") {}
      const Shifted = Schema.Number.pipe(
        Schema.decodeTo(Schema.Number, {
          decode: SchemaGetter.transformEffect((n: number) => Effect.map(Offset, (by) => n + by)),
          encode: SchemaGetter.passthrough()
        })
      )
      const action = Action.make("user.shift", { payload: { n: Shifted } })
      const payload = yield* codecOf(action).decodePayload({ n: 1 }).pipe(Effect.provideService(Offset, 41))
      assert.deepStrictEqual(payload, { n: 42 })
    }))

  it.effect("that is refused names all its faults, without the values", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(codec.decodePayload({ email: 5, born: "secret", age: 1.5, limit: "secret" }))
      assert.deepStrictEqual(validationDetail(error), {
        error_type: "ValidationError",
        error_code: "VALIDATION_ERROR",
        message: "email: Expected string",
        details: {
          issues: [
            { path: ["email"], message: "Expected string" },
            { path: ["born"], message: "Expected a valid Date" },
            { path: ["age"], message: "Expected an integer" },
            { path: ["limit"], message: "Expected number" }
          ],
          total: 4
        }
      })
    }))

  it.effect("that is refused shows none of the keys that it chose itself in the message", () =>
    Effect.gen(function*() {
      const refused = (decoding: Effect.Effect<unknown, Schema.SchemaError>) =>
        Effect.map(Effect.flip(decoding), validationDetail)
      const Mails = Schema.Record(Schema.String, Schema.Struct({ sent: Schema.Number }))
      const Days = Schema.NullOr(Schema.Array(Schema.Struct({ mails: Mails })))
      const Report = codecOf(Action.make("user.report", { payload: { days: Days } }))
      const detail = yield* refused(Report.decodePayload({ days: [{ mails: { "ana@example.com": { sent: "no" } } }] }))
      assert.strictEqual(detail.message, "days.0.mails.*.sent: Expected number")
      assert.deepStrictEqual(detail.details?.["issues"], [
        { path: ["days", 0, "mails", "ana@example.com", "sent"], message: "Expected number" }
      ])

      const Rest = codecOf(Action.make("user.rest", {
        payload: Schema.StructWithRest(Schema.Struct({ id: Schema.String }), [
          Schema.Record(Schema.String, Schema.String)
        ])
      }))
      const chosen = yield* refused(Rest.decodePayload({ id: "a", "ana@example.com": 1 }))
      assert.strictEqual(chosen.message, "*: Expected string")
      assert.strictEqual((yield* refused(Rest.decodePayload({ id: 1 }))).message, "id: Expected string")
    }))

  it.effect("of a hostile size is refused at its first fault", () =>
    Effect.gen(function*() {
      const List = codecOf(Action.make("user.list", { payload: { ids: Schema.Array(Schema.String) } }))
      const error = yield* Effect.flip(List.decodePayload({ ids: Array.from({ length: 5_000 }, (_, i) => i) }))
      assert.deepStrictEqual(validationDetail(error).details, {
        issues: [{ path: ["ids", 0], message: "Expected string" }],
        total: 1
      })
    }))

  it.effect("with many faults reports twenty", () =>
    Effect.gen(function*() {
      const List = codecOf(Action.make("user.list", { payload: { ids: Schema.Array(Schema.String) } }))
      const error = yield* Effect.flip(List.decodePayload({ ids: Array.from({ length: 100 }, (_, i) => i) }))
      const details = validationDetail(error).details
      assert.strictEqual(details?.["total"], 100)
      assert.lengthOf(details?.["issues"] as ReadonlyArray<unknown>, 20)
    }))
})

describe("success", () => {
  const successCodec = <S extends Schema.Top>(success: S) => codecOf(Action.make("user.get", { success }))

  const roundTrip = (name: string, schema: Schema.Codec<unknown>, value: unknown, data: unknown) =>
    it.effect(`${name} is sent as ${JSON.stringify(data)}`, () =>
      Effect.gen(function*() {
        const { decodeSuccess, encodeSuccess } = successCodec(schema)
        assert.deepStrictEqual(yield* encodeSuccess(value), data as Schema.JsonObject)
        assert.deepStrictEqual(yield* decodeSuccess(data), value)
      }))

  roundTrip("a struct", Schema.Struct({ at: Schema.Date }), { at }, { at: at.toISOString() })
  roundTrip("a string", Schema.String, "x", { value: "x" })
  roundTrip("an array", Schema.Array(Schema.BigInt), [1n], { value: ["1"] })
  const suspended = <A>(make: () => Schema.Codec<A>) => Schema.suspend(make)
  roundTrip("a suspended array", suspended(() => Schema.Array(Schema.String)), ["x"], { value: ["x"] })
  roundTrip("null in place of a suspended text", suspended(() => Schema.NullOr(Schema.String)), null, { value: null })
  roundTrip("a suspended object", suspended(() => Schema.Struct({ a: Schema.Int })), { a: 1 }, { a: 1 })
  roundTrip("a date", Schema.Date, at, { value: at.toISOString() })
  roundTrip("an absent option", Schema.Option(Schema.String), Option.none(), { _tag: "None" })
  roundTrip("null in place of a struct", Schema.NullOr(Schema.Struct({ id: Schema.String })), null, null)
  roundTrip("null in place of a string", Schema.NullOr(Schema.String), null, { value: null })
  roundTrip("an unknown object", Schema.Unknown, { value: 1 }, { value: { value: 1 } })
  roundTrip("nothing", Schema.Void, undefined, {})

  it.effect("of an action that promises nothing is whatever comes", () =>
    Effect.gen(function*() {
      const { decodeSuccess } = codecOf(Action.make("user.ping"))
      assert.isUndefined(yield* decodeSuccess({ status: "ok" }))
      assert.isUndefined(yield* decodeSuccess(undefined))
    }))

  it.effect("that is not an object is understood without the wrapping as well", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* successCodec(Schema.Unknown).decodeSuccess({ userId: "1" }), { userId: "1" })
    }))

  it.effect("that its schema cannot encode is refused", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(codec.encodeSuccess({ userId: "1", balance: 1 as unknown as bigint }))
      assert.strictEqual(error._tag, "SchemaError")
    }))
})

describe("declared errors", () => {
  it.effect("are sent with their tag as the type and the whole error as details", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* codec.encodeError(new EmailTaken({ email: "a@b.c", at })), {
        error_type: "EmailTaken",
        error_code: "ACTION_REJECTED",
        message: "EmailTaken",
        details: { _tag: "EmailTaken", email: "a@b.c", at: at.toISOString() }
      })
    }))

  it.effect("bring their own message", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* codec.encodeError(new Locked({ by: "me" }))).message, "Locked by me")
    }))

  it.effect("arrive as instances of their class", () =>
    Effect.gen(function*() {
      const error = new EmailTaken({ email: "a@b.c", at })
      const received = yield* codec.decodeError(JSON.parse(JSON.stringify(yield* codec.encodeError(error))))
      assert.isTrue(Option.isSome(received) && received.value instanceof EmailTaken)
      assert.deepStrictEqual(received, Option.some(error))
    }))

  it.effect("are understood by their type alone, as another worker writes them", () =>
    Effect.gen(function*() {
      const received = yield* codec.decodeError(
        detail("EmailTaken", { email: "a@b.c", at: at.toISOString() }, "HANDLER_EXECUTION_ERROR")
      )
      assert.deepStrictEqual(received, Option.some(new EmailTaken({ email: "a@b.c", at })))
      assert.deepStrictEqual(yield* codec.decodeError(detail("Busy", null)), Option.some(new Busy()))
    }))

  it.effect("are not made of other failures", () =>
    Effect.gen(function*() {
      const lookalike = { email: "a@b.c", at: at.toISOString() }
      assert.deepStrictEqual(yield* codec.decodeError(detail("Timeout", lookalike)), Option.none())
      assert.deepStrictEqual(yield* codec.decodeError(detail("EmailTaken", { email: 5 })), Option.none())
      assert.deepStrictEqual(yield* codec.decodeError(detail("EmailTaken", null)), Option.none())
      const untagged = codecOf(Action.make("user.get", { error: Schema.Struct({ issues: Schema.Unknown }) }))
      assert.deepStrictEqual(
        yield* untagged.decodeError(detail("ValidationError", { issues: [] }, "VALIDATION_ERROR")),
        Option.none()
      )
    }))

  it.effect("may need services and time to encode", () =>
    Effect.gen(function*() {
      class Salt extends Context.Service<Salt, string>()("Salt") {}
      const Salted = Schema.String.pipe(
        Schema.decodeTo(Schema.String, {
          decode: SchemaGetter.passthrough(),
          encode: SchemaGetter.transformEffect((s: string) => Effect.map(Salt, (salt) => s + salt))
        })
      )
      const Slow = Schema.String.pipe(
        Schema.decodeTo(Schema.String, {
          decode: SchemaGetter.passthrough(),
          encode: SchemaGetter.transformEffect((s: string) => Effect.as(Effect.yieldNow, s))
        })
      )
      const { encodeError } = codecOf(
        Action.make("user.get", { error: Schema.Struct({ salted: Salted, slow: Slow }) })
      )
      const sent = yield* encodeError({ salted: "a", slow: "b" }).pipe(Effect.provideService(Salt, "!"))
      assert.deepStrictEqual(sent.details, { salted: "a!", slow: "b" })
    }))

  it.effect("without a tag go by the identifier of their schema", () =>
    Effect.gen(function*() {
      const Reason = Schema.Struct({ reason: Schema.String }).annotate({ identifier: "Reason" })
      const { decodeError, encodeError } = codecOf(Action.make("user.get", { error: Reason }))
      const sent = yield* encodeError({ reason: "why" })
      assert.deepStrictEqual(sent, {
        error_type: "Reason",
        error_code: "ACTION_REJECTED",
        message: "Reason",
        details: { reason: "why" }
      })
      assert.deepStrictEqual(yield* decodeError(sent), Option.some({ reason: "why" }))
    }))

  it.effect("that are no objects are wrapped", () =>
    Effect.gen(function*() {
      const { decodeError, encodeError } = codecOf(Action.make("user.get", { error: Schema.String }))
      const sent = yield* encodeError("no")
      assert.deepStrictEqual(sent, {
        error_type: "Error",
        error_code: "ACTION_REJECTED",
        message: "no",
        details: { value: "no" }
      })
      assert.deepStrictEqual(yield* decodeError(sent), Option.some("no"))
    }))

  it.effect("that are broken cannot be encoded", () =>
    Effect.gen(function*() {
      const broken = Object.assign(Object.create(EmailTaken.prototype), { _tag: "EmailTaken", email: 5 })
      const encoded = codec.encodeError(broken)
      assert.isTrue(Exit.isExit(encoded))
      assert.strictEqual((yield* Effect.flip(encoded))._tag, "SchemaError")
      assert.strictEqual(dispositionOf(CreateUser, broken), "rejected")
    }))
})

describe("dispositionOf", () => {
  const emailTaken = new EmailTaken({ email: "a@b.c", at })

  it("answers a declared error unless its schema says otherwise", () => {
    assert.strictEqual(dispositionOf(CreateUser, emailTaken), "rejected")
    assert.strictEqual(dispositionOf(CreateUser, new Busy()), "retryable")
    assert.strictEqual(dispositionOf(CreateUser, new Locked({ by: "me" })), "retryable")
  })

  it("hands the annotation of a union down to members without their own", () => {
    const action = Action.make("user.get", {
      error: Action.retryable(Schema.Union([EmailTaken, Locked.annotate(Action.disposition("rejected"))]))
    })
    assert.strictEqual(dispositionOf(action, emailTaken), "retryable")
    assert.strictEqual(dispositionOf(action, new Locked({ by: "me" })), "rejected")
  })

  it("knows the two errors of every handler, with and without a contract", () => {
    for (const action of [CreateUser, undefined]) {
      assert.strictEqual(dispositionOf(action, new RetryLater()), "retryable")
      assert.strictEqual(dispositionOf(action, new Rejected({ message: "no" })), "rejected")
    }
  })

  it("leaves the rest undeclared", () => {
    for (const error of [new Error("boom"), "boom", undefined, null, { _tag: "Other" }]) {
      assert.strictEqual(dispositionOf(CreateUser, error), "undeclared")
      assert.strictEqual(dispositionOf(undefined, error), "undeclared")
    }
    assert.strictEqual(dispositionOf(Action.make("user.ping"), emailTaken), "undeclared")
  })

  it("lets a worker decide by tag", () => {
    assert.strictEqual(dispositionOf(CreateUser, emailTaken, { EmailTaken: "retryable" }), "retryable")
    assert.strictEqual(dispositionOf(CreateUser, new Busy(), { Busy: "rejected" }), "rejected")
    assert.strictEqual(dispositionOf(CreateUser, new Busy(), { EmailTaken: "rejected" }), "retryable")
  })
})

describe("the errors of every handler", () => {
  it("RetryLater says when and why", () => {
    const cause = new Error("down")
    const error = new RetryLater({ cause, after: "30 seconds" })
    assert.deepStrictEqual(error.after, Duration.seconds(30))
    assert.strictEqual(error.cause, cause)
    assert.strictEqual(error.message, "The handler asked for another attempt after 30s")
    assert.isUndefined(new RetryLater().after)
    assert.isTrue(isRetryLater(error))
    assert.isFalse(isRetryLater({ _tag: "RetryLater" }))
  })

  it("Rejected is an answer with defaults", () => {
    assert.deepStrictEqual(rejectedDetail(new Rejected({ message: "no" })), {
      error_type: "Rejected",
      error_code: "ACTION_REJECTED",
      message: "no",
      details: null
    })
    const full = new Rejected({ message: "no", errorType: "NotFound", errorCode: "E404", details: { id: 1 } })
    assert.deepStrictEqual(rejectedDetail(full), {
      error_type: "NotFound",
      error_code: "E404",
      message: "no",
      details: { id: 1 }
    })
    assert.isTrue(isRejected(full))
    assert.isFalse(isRejected({ _tag: "Rejected" }))
  })

  it.effect("can be yielded", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Effect.gen(function*() {
        return yield* new RetryLater({ after: "1 second" })
      }))
      assert.isTrue(isRetryLater(error))
    }))
})
