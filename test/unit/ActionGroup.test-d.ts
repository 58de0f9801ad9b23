// Half of this file is what must not compile.
// @effect-diagnostics missingEffectError:off
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Exit } from "effect/Exit"
import type * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import type { Scope } from "effect/Scope"
import { describe, expectTypeOf, it } from "vitest"
import * as Action from "../../src/Action.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import type { Delivery } from "../../src/Delivery.ts"
import type { DomainAction } from "../../src/DomainAction.ts"
import { Rejected, RetryLater } from "../../src/HandlerError.ts"
import type { Route } from "../../src/internal/contract/route.ts"

class EmailTaken extends Schema.TaggedError<EmailTaken>()("EmailTaken", { email: Schema.String }) {}
class Busy extends Schema.TaggedError<Busy>()("Busy", {}, Action.disposition("retryable")) {}
class Undeclared extends Schema.TaggedError<Undeclared>()("Undeclared", {}) {}

class Db extends Context.Service<Db, { readonly insert: (email: string) => Effect.Effect<string> }>()("Db") {}
class Mailer extends Context.Service<Mailer, { readonly send: (to: string) => Effect.Effect<void> }>()("Mailer") {}
class Key extends Context.Service<Key, string>()("Key") {}

const CreateUser = Action.make("user.create", {
  payload: { email: Schema.String },
  success: { userId: Schema.String, role: Schema.Literals(["admin", "member"]) },
  error: Schema.Union([EmailTaken, Busy])
})

const UpdateUser = Action.make("user.update", {
  payload: Schema.Struct({ userId: Schema.String, born: Schema.Date }),
  success: Schema.Option(Schema.Date)
})

const DeleteUser = Action.make("user.delete")

const UserActions = ActionGroup.make(CreateUser, UpdateUser)

type UserAction = typeof CreateUser | typeof UpdateUser

const createUser = ({ email }: { readonly email: string }) => Effect.succeed({ userId: email, role: "member" as const })

const updateUser = ({ born }: { readonly born: Date }) => Effect.succeedSome(born)

describe("Action.make", () => {
  it("keeps the literal type and the schemas", () => {
    expectTypeOf(CreateUser).toEqualTypeOf<
      Action.Action<
        "user.create",
        Schema.Struct<{ email: Schema.String }>,
        Schema.Struct<{ userId: Schema.String; role: Schema.Literals<readonly ["admin", "member"]> }>,
        Schema.Union<readonly [typeof EmailTaken, typeof Busy]>
      >
    >()
  })

  it("has no payload, success or error unless told", () => {
    expectTypeOf(DeleteUser).toEqualTypeOf<
      Action.Action<"user.delete", Schema.Struct<{}>, Schema.Void, Schema.Never>
    >()
    expectTypeOf<Action.Success<typeof DeleteUser>>().toEqualTypeOf<void>()
    expectTypeOf<Action.Error<typeof DeleteUser>>().toEqualTypeOf<never>()
  })

  it("gives the types of both sides", () => {
    expectTypeOf<Action.Payload<typeof CreateUser>>().toEqualTypeOf<{ readonly email: string }>()
    expectTypeOf<Action.Success<typeof UpdateUser>>().toEqualTypeOf<Option.Option<Date>>()
    expectTypeOf<Action.Error<typeof CreateUser>>().toEqualTypeOf<EmailTaken | Busy>()
  })

  it("lets a caller leave out what has a default", () => {
    const Count = Action.make("user.count", {
      payload: { by: Schema.Int.pipe(Schema.withConstructorDefault(Effect.succeed(1))) }
    })
    expectTypeOf<Action.PayloadInput<typeof Count>>().toEqualTypeOf<{ readonly by?: number }>()
    expectTypeOf<Action.Payload<typeof Count>>().toEqualTypeOf<{ readonly by: number }>()
  })

  it("takes any schedule", () => {
    Action.make("user.create", { retry: Schedule.exponential("1 second") })
    Action.make("user.create", { retry: Schedule.recurs(3) })
  })

  it("refuses a type without a dot", () => {
    // @ts-expect-error is not assignable to parameter of type '`${string}.${string}`'
    Action.make("user")
  })

  it("refuses a payload that is no JSON object", () => {
    // @ts-expect-error "The payload of an action must encode to a JSON object"
    Action.make("user.create", { payload: Schema.String })
    // @ts-expect-error "The payload of an action must encode to a JSON object"
    Action.make("user.create", { payload: Schema.Array(Schema.String) })
    Action.make("user.create", { payload: Schema.Record(Schema.String, Schema.Unknown) })
    Action.make("user.create", { payload: EmailTaken })
  })

  it("refuses a failure action that cannot carry an error", () => {
    const Failed = Action.make("user.create.failed", {
      payload: {
        error_type: Schema.String,
        error_code: Schema.NullOr(Schema.String),
        message: Schema.String,
        details: Schema.NullOr(Schema.Record(Schema.String, Schema.Unknown))
      }
    })
    Action.make("user.create", { failureAction: Failed })
    Action.make("user.create", { failureAction: Action.make("user.failed", { payload: { message: Schema.String } }) })
    // @ts-expect-error "The payload of a failure action must accept error_type, error_code, message and details"
    Action.make("user.create", { failureAction: CreateUser })
  })

  it("refuses a failure action that cannot carry the payload", () => {
    const error = {
      error_type: Schema.String,
      error_code: Schema.NullOr(Schema.String),
      message: Schema.String,
      details: Schema.NullOr(Schema.Record(Schema.String, Schema.Unknown))
    }
    const payload = Schema.Struct({ email: Schema.String })
    const omitted = { payload_omitted: Schema.optionalKey(Schema.Boolean) }
    const email = { email: Schema.String }
    Action.make("user.create", {
      payload: email,
      failureAction: {
        action: Action.make("user.failed", { payload: { ...error, payload: Schema.optionalKey(payload), ...omitted } }),
        payload: "include"
      }
    })
    Action.make("user.create", {
      payload: email,
      failureAction: { action: Action.make("user.failed", { payload: error }), payload: "include" }
    })
    Action.make("user.create", {
      payload: email,
      failureAction: {
        // @ts-expect-error The payload is absent where it is too large.
        action: Action.make("user.failed", { payload: { ...error, payload, ...omitted } }),
        payload: "include"
      }
    })
    Action.make("user.create", {
      payload: { id: Schema.Int },
      failureAction: {
        // @ts-expect-error It is the payload of another action.
        action: Action.make("user.failed", { payload: { ...error, payload: Schema.optionalKey(payload), ...omitted } }),
        payload: "include"
      }
    })
  })

  it("keeps the type of an error that is made retryable", () => {
    const action = Action.make("user.create", { error: Action.retryable(EmailTaken) })
    expectTypeOf<Action.Error<typeof action>>().toEqualTypeOf<EmailTaken>()
  })

  it("is any action to code that handles all of them", () => {
    expectTypeOf(CreateUser).toExtend<Action.Any>()
  })
})

describe("a payload and a result as JSON", () => {
  it("have the types of the contract", () => {
    expectTypeOf(Action.decodePayload(CreateUser, {})).toEqualTypeOf<
      Effect.Effect<{ readonly email: string }, Schema.SchemaError>
    >()
    expectTypeOf(Action.encodePayload(CreateUser, { email: "a" })).toEqualTypeOf<
      Effect.Effect<Schema.JsonObject, Schema.SchemaError>
    >()
    // @ts-expect-error Type 'number' is not assignable to type 'string'
    void Action.encodePayload(CreateUser, { email: 1 })
    expectTypeOf(Action.decodeSuccess(CreateUser, {})).toEqualTypeOf<
      Effect.Effect<Action.Success<typeof CreateUser>, Schema.SchemaError>
    >()
    expectTypeOf(Action.encodeSuccess<typeof CreateUser>).parameter(1).toEqualTypeOf<
      Action.Success<typeof CreateUser>
    >()
  })
})

describe("group.handlers", () => {
  it("knows payload and delivery, and keeps literals of the success", () => {
    const handlers = UserActions.handlers({
      "user.create": (payload, delivery) => {
        expectTypeOf(payload).toEqualTypeOf<{ readonly email: string }>()
        expectTypeOf(delivery).toEqualTypeOf<Delivery>()
        expectTypeOf(delivery.remaining).toEqualTypeOf<Effect.Effect<Duration.Duration>>()
        return Effect.succeed({ userId: payload.email, role: "member" })
      },
      "user.update": ({ born }) => Effect.succeedSome(born)
    })
    expectTypeOf(handlers).toEqualTypeOf<ActionGroup.Handlers<never, never, "user.create" | "user.update">>()
  })

  it("hands on what handlers need, their scope excepted", () => {
    const handlers = UserActions.handlers({
      "user.create": Effect.fnUntraced(function*({ email }) {
        const db = yield* Db
        yield* Effect.addFinalizer(() => Effect.void)
        return { userId: yield* db.insert(email), role: "member" as const }
      }),
      "user.update": ({ born, userId }) =>
        Mailer.use((mailer) => mailer.send(userId)).pipe(Effect.andThen(Effect.succeedSome(born)))
    })
    expectTypeOf<ActionGroup.Services<typeof handlers>>().toEqualTypeOf<Db | Mailer>()
    expectTypeOf<ActionGroup.BuildError<typeof handlers>>().toEqualTypeOf<never>()
  })

  it("takes an effect that builds the record: what it needs and how it fails is told apart", () => {
    const handlers = UserActions.handlers(Effect.gen(function*() {
      const db = yield* Db
      yield* Effect.addFinalizer(() => Effect.void)
      if (db === undefined) return yield* Effect.fail("no database" as const)
      return UserActions.of({
        "user.create": ({ email }) => Effect.map(db.insert(email), (userId) => ({ userId, role: "member" as const })),
        "user.update": ({ born, userId }) =>
          Mailer.use((mailer) => mailer.send(userId)).pipe(Effect.andThen(Effect.succeedSome(born)))
      })
    }))
    expectTypeOf(handlers).toEqualTypeOf<
      ActionGroup.Handlers<"no database", Db | Mailer, "user.create" | "user.update">
    >()
  })

  it("hands on what schemas need on the side of the worker", () => {
    const Secret = Schema.String.pipe(Schema.decodeTo(Schema.String, {
      decode: SchemaGetter.transformEffect((s: string) => Effect.map(Key, (key) => s + key)),
      encode: SchemaGetter.transformEffect((s: string) => Effect.map(Db, () => s))
    }))
    const action = Action.make("user.secret", { payload: { s: Secret } })
    const handlers = ActionGroup.make(action).handlers({ "user.secret": () => Effect.void })
    expectTypeOf<ActionGroup.Services<typeof handlers>>().toEqualTypeOf<Key>()
    expectTypeOf<Action.WorkerServices<typeof action>>().toEqualTypeOf<Key>()
    expectTypeOf<Action.ClientServices<typeof action>>().toEqualTypeOf<Db>()
  })

  it("allows declared errors, RetryLater and Rejected", () => {
    UserActions.handlers({
      "user.create": ({ email }) => {
        switch (email) {
          case "a":
            return Effect.fail(new EmailTaken({ email }))
          case "b":
            return Effect.fail(new RetryLater({ after: "1 second" }))
          case "c":
            return Effect.fail(new Rejected({ message: "no" }))
          default:
            return Effect.fail(new Busy())
        }
      },
      "user.update": updateUser
    })
  })

  it("refuses a missing handler", () => {
    // @ts-expect-error Property '"user.update"' is missing … required in type '{ readonly "user.update": "Missing handler: user.update"; }'
    UserActions.handlers({ "user.create": createUser })
    // @ts-expect-error Property '"user.update"' is missing
    UserActions.handlers(Effect.succeed({ "user.create": createUser }))
    // @ts-expect-error Property '"user.update"' is missing
    UserActions.of({ "user.create": createUser })
  })

  it("refuses a misspelt key, at the key", () => {
    UserActions.handlers({
      "user.create": createUser,
      "user.update": updateUser,
      // @ts-expect-error is not assignable to type '"No such action in the group: user.updat"'
      "user.updat": updateUser
    })
    UserActions.of({
      "user.create": createUser,
      "user.update": updateUser,
      // @ts-expect-error is not assignable to type '"No such action in the group: user.updat"'
      "user.updat": updateUser
    })
    const record = { "user.create": createUser, "user.update": updateUser, "user.updat": updateUser }
    // @ts-expect-error is not assignable to type '"No such action in the group: user.updat"'
    UserActions.handlers(record)
    // @ts-expect-error is not assignable to type '"No such action in the group: user.updat"'
    UserActions.handlers(Effect.succeed(record))
  })

  it("refuses an undeclared error, at the key", () => {
    UserActions.handlers({
      // @ts-expect-error Type 'Undeclared' is not assignable to type 'EmailTaken | Busy | Rejected | RetryLater'
      "user.create": () => Effect.fail(new Undeclared()),
      "user.update": updateUser
    })
    UserActions.handlers({
      "user.create": createUser,
      // @ts-expect-error Type 'EmailTaken' is not assignable to type 'Rejected | RetryLater'
      "user.update": () => Effect.fail(new EmailTaken({ email: "" }))
    })
    // @ts-expect-error Type 'Undeclared' is not assignable
    UserActions.handlers(Effect.succeed({
      "user.create": () => Effect.fail(new Undeclared()),
      "user.update": updateUser
    }))
  })

  it("refuses a wrong success, at the key", () => {
    UserActions.handlers({
      // @ts-expect-error Type 'number' is not assignable to type 'string'
      "user.create": () => Effect.succeed({ userId: 1, role: "member" }),
      "user.update": updateUser
    })
    UserActions.handlers({
      // @ts-expect-error Type '"owner"' is not assignable to type '"admin" | "member"'
      "user.create": () => Effect.succeed({ userId: "1", role: "owner" }),
      // @ts-expect-error Type 'Date' is not assignable to type 'Option<Date>'
      "user.update": ({ born }) => Effect.succeed(born)
    })
  })

  it("refuses a payload that the contract does not have", () => {
    UserActions.handlers({
      // @ts-expect-error Property 'mail' does not exist on type '{ readonly email: string; }'
      "user.create": ({ mail }) => Effect.succeed({ userId: mail, role: "member" }),
      "user.update": updateUser
    })
    UserActions.handlers({
      // @ts-expect-error Type 'string' is not assignable to type 'number'
      "user.create": ({ email }: { readonly email: number }) => Effect.succeed({ userId: `${email}`, role: "member" }),
      "user.update": updateUser
    })
  })
})

describe("groups", () => {
  it("add, merge and omit contracts", () => {
    expectTypeOf(UserActions).toEqualTypeOf<ActionGroup.ActionGroup<UserAction>>()
    expectTypeOf(UserActions.add(DeleteUser)).toEqualTypeOf<ActionGroup.ActionGroup<UserAction | typeof DeleteUser>>()
    expectTypeOf(ActionGroup.make(DeleteUser).merge(UserActions)).toEqualTypeOf<
      ActionGroup.ActionGroup<UserAction | typeof DeleteUser>
    >()
    expectTypeOf(UserActions.omit("user.update")).toEqualTypeOf<ActionGroup.ActionGroup<typeof CreateUser>>()
    expectTypeOf<ActionGroup.Actions<typeof UserActions>>().toEqualTypeOf<UserAction>()
    // @ts-expect-error is not assignable to parameter of type '"user.create" | "user.update"'
    UserActions.omit("user.delete")
  })
})

describe("handlers made one by one", () => {
  const create = UserActions.handler(
    "user.create",
    ({ email }) => Db.use((db) => db.insert(email)).pipe(Effect.map((userId) => ({ userId, role: "member" as const })))
  )
  const update = UserActions.handler(
    "user.update",
    Effect.gen(function*() {
      const mailer = yield* Mailer
      return ({ born, userId }) => Effect.andThen(mailer.send(userId), Effect.succeedSome(born))
    })
  )

  it("know their types", () => {
    expectTypeOf(create).toEqualTypeOf<ActionGroup.Handlers<never, Db, "user.create">>()
    expectTypeOf(update).toEqualTypeOf<ActionGroup.Handlers<never, Mailer, "user.update">>()
  })

  it("merge to what both need", () => {
    expectTypeOf(ActionGroup.mergeHandlers(create, update)).toEqualTypeOf<
      ActionGroup.Handlers<never, Db | Mailer, "user.create" | "user.update">
    >()
  })

  it("are complete or do not compile", () => {
    expectTypeOf(UserActions.complete(ActionGroup.mergeHandlers(create, update))).toEqualTypeOf<
      ActionGroup.Handlers<never, Db | Mailer, "user.create" | "user.update">
    >()
    // @ts-expect-error required in type '{ readonly "user.update": "Missing handler: user.update"; }'
    UserActions.complete(create)
  })

  it("are checked as in a record", () => {
    // @ts-expect-error is not assignable to parameter of type '"user.create" | "user.update"'
    UserActions.handler("user.delete", () => Effect.void)
    // @ts-expect-error Type 'Undeclared' is not assignable
    UserActions.handler("user.create", () => Effect.fail(new Undeclared()))
    // @ts-expect-error Type 'number' is not assignable to type 'string'
    UserActions.handler("user.create", () => Effect.succeed({ userId: 1, role: "member" }))
  })
})

describe("a plain record", () => {
  const start = <H extends ActionGroup.AnyHandlers>(
    handlers: H & ActionGroup.Runnable<H>
  ): Effect.Effect<
    ReadonlyMap<string, Route>,
    ActionGroup.BuildError<H>,
    ActionGroup.Services<H> | Scope
  > => ActionGroup.toHandlers<H>(handlers).build

  it("and handlers of a group may be taken alike", () => {
    expectTypeOf(
      start({
        "user.create": (action) => Effect.as(Db, { type: action.action_type }),
        "user.update": () => Effect.andThen(Mailer, Effect.fail(new Undeclared()))
      })
    ).toEqualTypeOf<Effect.Effect<ReadonlyMap<string, Route>, never, Db | Mailer | Scope>>()
    expectTypeOf(
      start(UserActions.handlers({ "user.create": createUser, "user.update": updateUser }))
    ).toEqualTypeOf<Effect.Effect<ReadonlyMap<string, Route>, never, Scope>>()
  })

  it("gets envelope and delivery, and may fail with anything", () => {
    const handlers = ActionGroup.toHandlers({
      "user.create": (action, delivery) => {
        expectTypeOf(action).toEqualTypeOf<DomainAction>()
        expectTypeOf(delivery).toEqualTypeOf<Delivery>()
        return Effect.as(Db, { type: action.action_type })
      },
      "user.update": () => Effect.andThen(Mailer, Effect.fail(new Undeclared()))
    })
    expectTypeOf(handlers).toEqualTypeOf<
      ActionGroup.Handlers<never, Db | Mailer, "user.create" | "user.update">
    >()
  })

  it("answers with an object or nothing", () => {
    ActionGroup.fromRecord({ "user.create": () => Effect.void })
    // @ts-expect-error Type 'string' is not assignable to type 'void | object'
    ActionGroup.fromRecord({ "user.create": () => Effect.succeed("x") })
  })

  it("has action types as its keys", () => {
    ActionGroup.fromRecord({
      // @ts-expect-error is not assignable to type '"Not an action type: create"'
      create: () => Effect.void
    })
    void start({
      "user.create": () => Effect.void,
      // @ts-expect-error is not assignable to type '"Not an action type: update"'
      update: () => Effect.void
    })
    // @ts-expect-error a group is not its handlers
    void start(UserActions)
  })

  it("is told from handlers of a group by type as well", () => {
    const handlers = UserActions.handlers({ "user.create": createUser, "user.update": updateUser })
    expectTypeOf(ActionGroup.toHandlers(handlers)).toEqualTypeOf<typeof handlers>()
  })
})

describe("a route", () => {
  it("needs nothing more", () => {
    expectTypeOf<Route["handler"]>().returns.toEqualTypeOf<Effect.Effect<unknown, unknown>>()
    expectTypeOf<Exit<unknown, Schema.SchemaError>>().toExtend<ReturnType<Route["decodePayload"]>>()
  })
})
