/**
 * The types that users rely on, by the names that the package exports: what is inferred from a contract, what a request may
 * fail with, which handlers must be there, and what each layer needs. A test that fails here is a breaking change.
 */
// Half of this file is what must not compile.
// @effect-diagnostics missingEffectError:off missingEffectContext:off
import * as Context from "effect/Context"
import type * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import type * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import type * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Scope } from "effect/Scope"
import { describe, expectTypeOf, it } from "vitest"
import {
  Action,
  ActionClient,
  ActionGroup,
  ActionId,
  type Dashboard,
  DeadLetter,
  type Delivery,
  Health,
  Inspector,
  type IoRedis,
  Lanes,
  makeWorker,
  type QueueNaming,
  QueueNamingLayer,
  Receipt,
  type Redis,
  RedisLayer,
  type RedisMemory,
  RedisMemoryLayer,
  Rejected,
  RetryLater,
  Schedules,
  type Settings,
  SettingsLayer,
  Worker
} from "../../src/index.ts"
import { RecordedClient, type RedisFaults, TestWorker } from "../../src/testing/index.ts"

class EmailTaken extends Schema.TaggedError<EmailTaken>()("EmailTaken", { email: Schema.String }) {}
class Undeclared extends Schema.TaggedError<Undeclared>()("Undeclared", {}) {}
class Db extends Context.Service<Db, { readonly insert: (email: string) => Effect.Effect<string> }>()("api/Db") {}
class NoDb extends Schema.TaggedError<NoDb>()("NoDb", {}) {}

const CreateUser = Action.make("user.create", {
  payload: { email: Schema.String, born: Schema.optionalKey(Schema.Date) },
  success: { userId: Schema.String },
  error: EmailTaken
})
const DeleteUser = Action.make("user.delete", { payload: { userId: Schema.String } })
const UserActions = ActionGroup.make(CreateUser, DeleteUser)

type OfRequest =
  | ActionClient.RequestTimeout
  | ActionClient.RemoteFailure
  | ActionClient.EncodeError
  | ActionClient.InvalidOption
  | Redis.RedisError
type OfSend =
  | ActionClient.EncodeError
  | ActionClient.InvalidOption
  | ActionClient.NotSupported
  | Redis.RedisError
type WorkerFailure = Worker.WorkerError | Worker.InvalidOption
type OfWorker = Redis.Redis | QueueNaming.QueueNaming | Settings.Settings

const create = ({ email }: { readonly email: string }) =>
  Effect.flatMap(Db, (db) => Effect.map(db.insert(email), (userId) => ({ userId })))
const handlers = UserActions.handlers({ "user.create": create, "user.delete": () => Effect.void })
const built = UserActions.handlers(Effect.gen(function*() {
  const db = yield* Db
  if (db === undefined) return yield* new NoDb()
  return { "user.create": () => Effect.succeed({ userId: "1" }), "user.delete": () => Effect.void }
}))

declare const client: ActionClient.ActionClient["Service"]

describe("a contract", () => {
  it("is inferred from its options", () => {
    expectTypeOf(CreateUser.type).toEqualTypeOf<"user.create">()
    expectTypeOf<Action.Payload<typeof CreateUser>>().toEqualTypeOf<{ readonly email: string; readonly born?: Date }>()
    expectTypeOf<Action.Success<typeof CreateUser>>().toEqualTypeOf<{ readonly userId: string }>()
    expectTypeOf<Action.Error<typeof CreateUser>>().toEqualTypeOf<EmailTaken>()
  })

  it("has nothing as its success and no error unless told", () => {
    expectTypeOf<Action.Success<typeof DeleteUser>>().toEqualTypeOf<void>()
    expectTypeOf<Action.Error<typeof DeleteUser>>().toEqualTypeOf<never>()
  })

  it("has a type with a dot", () => {
    // @ts-expect-error is not assignable to parameter of type
    Action.make("create")
  })
})

describe("the client", () => {
  it("gives the success of the contract, and fails with its error and five of its own", () => {
    expectTypeOf(client.request(CreateUser, { email: "a" }))
      .toEqualTypeOf<Effect.Effect<{ readonly userId: string }, EmailTaken | OfRequest>>()
    expectTypeOf(client.request(DeleteUser, { userId: "1" })).toEqualTypeOf<Effect.Effect<void, OfRequest>>()
  })

  it("leaves what a program does not catch", () => {
    const caught = client.request(CreateUser, { email: "a" }).pipe(
      Effect.catchTag(["EmailTaken", "EncodeError"], () => Effect.succeed(undefined)),
      Effect.catchTag("RequestTimeout", (error) => {
        expectTypeOf(error.actionId).toEqualTypeOf<string>()
        return Effect.succeed(undefined)
      })
    )
    expectTypeOf(caught).toEqualTypeOf<
      Effect.Effect<
        { readonly userId: string } | undefined,
        ActionClient.RemoteFailure | ActionClient.InvalidOption | Redis.RedisError
      >
    >()
  })

  it("sends without an answer: neither the error of the contract nor a timeout", () => {
    expectTypeOf(client.send(CreateUser, { email: "a" })).toEqualTypeOf<Effect.Effect<Receipt.Receipt, OfSend>>()
    expectTypeOf(client.sendMany(CreateUser, [{ email: "a" }])).toEqualTypeOf<
      Effect.Effect<ReadonlyArray<Receipt.Receipt>, OfSend>
    >()
  })

  it("takes the payload of the contract alone", () => {
    // @ts-expect-error Property 'email' is missing
    void client.request(CreateUser, {})
    // @ts-expect-error Type 'number' is not assignable to type 'string'
    void client.send(CreateUser, { email: 1 })
    // @ts-expect-error 'name' does not exist in type
    void client.send(CreateUser, { email: "a", name: "b" })
  })
})

describe("handlers", () => {
  it("are complete or do not compile", () => {
    // @ts-expect-error 'user.delete'
    UserActions.handlers({ "user.create": create })
    // @ts-expect-error 'user.remove'
    UserActions.handlers({ "user.create": create, "user.delete": () => Effect.void, "user.remove": () => Effect.void })
  })

  it("may fail with the error of the contract, RetryLater and Rejected, and with nothing else", () => {
    UserActions.handlers({
      "user.create": ({ email }) =>
        Effect.fail<EmailTaken | RetryLater | Rejected>(email === "" ? new RetryLater() : new EmailTaken({ email })),
      "user.delete": () => Effect.fail(new Rejected({ message: "no", errorType: "No" }))
    })
    // @ts-expect-error 'Undeclared' is not assignable
    UserActions.handlers({ "user.create": () => Effect.fail(new Undeclared()), "user.delete": () => Effect.void })
    // @ts-expect-error 'EmailTaken' is not assignable
    UserActions.handlers({ "user.create": create, "user.delete": () => Effect.fail(new EmailTaken({ email: "" })) })
  })

  it("get payload and delivery without an annotation", () => {
    UserActions.handlers({
      "user.create": (payload, delivery) => {
        expectTypeOf(payload).toEqualTypeOf<Action.Payload<typeof CreateUser>>()
        expectTypeOf(delivery).toEqualTypeOf<Delivery.Delivery>()
        return Effect.succeed({ userId: "1" })
      },
      "user.delete": () => Effect.void
    })
  })

  it("say what they need and how building them fails", () => {
    expectTypeOf<ActionGroup.Services<typeof handlers>>().toEqualTypeOf<Db>()
    expectTypeOf<ActionGroup.BuildError<typeof handlers>>().toEqualTypeOf<never>()
    expectTypeOf<ActionGroup.Services<typeof built>>().toEqualTypeOf<Db>()
    expectTypeOf<ActionGroup.BuildError<typeof built>>().toEqualTypeOf<NoDb>()
  })
})

describe("a worker", () => {
  it("needs Redis, names, settings, and what its handlers need", () => {
    expectTypeOf(Worker.layer(handlers)).toEqualTypeOf<Layer.Layer<Worker.Worker, WorkerFailure, OfWorker | Db>>()
    expectTypeOf(makeWorker(handlers)).toEqualTypeOf<Effect.Effect<never, WorkerFailure, OfWorker | Db>>()
    expectTypeOf(Worker.start(handlers)).toEqualTypeOf<
      Effect.Effect<Worker.Worker["Service"], WorkerFailure, OfWorker | Db | Scope>
    >()
  })

  it("fails as building its handlers does", () => {
    expectTypeOf(makeWorker(built)).toEqualTypeOf<Effect.Effect<never, WorkerFailure | NoDb, OfWorker | Db>>()
  })

  it("needs nothing more for handlers without a contract", () => {
    expectTypeOf(makeWorker({ "user.ping": (action) => Effect.succeed({ pong: action.data }) }))
      .toEqualTypeOf<Effect.Effect<never, WorkerFailure, OfWorker>>()
  })

  it("is launched, and joined, for as long as it does not fail", () => {
    expectTypeOf(Worker.launch(Worker.layer(handlers))).toEqualTypeOf<
      Effect.Effect<never, WorkerFailure, OfWorker | Db>
    >()
    expectTypeOf(Worker.join).toEqualTypeOf<Effect.Effect<never, Worker.WorkerError, Worker.Worker>>()
  })
})

describe("the layers", () => {
  it("need settings where they read them, and nothing in memory", () => {
    expectTypeOf(RedisMemoryLayer).toEqualTypeOf<Layer.Layer<Redis.Redis | RedisMemory.RedisMemory>>()
    expectTypeOf(RedisLayer).toEqualTypeOf<
      Layer.Layer<Redis.Redis | IoRedis.IoRedis, IoRedis.RedisStartError, Settings.Settings>
    >()
    expectTypeOf(QueueNamingLayer).toEqualTypeOf<
      Layer.Layer<QueueNaming.QueueNaming, never, Settings.Settings>
    >()
    expectTypeOf(SettingsLayer).toEqualTypeOf<Layer.Layer<Settings.Settings, Settings.SettingsError>>()
    expectTypeOf(ActionClient.layer).toEqualTypeOf<Layer.Layer<ActionClient.ActionClient, never, OfWorker>>()
    expectTypeOf(DeadLetter.layer).toEqualTypeOf<
      Layer.Layer<DeadLetter.DeadLetter, QueueNaming.QueueNameError, OfWorker>
    >()
  })

  it("make a whole program that needs only what its handlers need", () => {
    const program = Layer.merge(Worker.layer(handlers), ActionClient.layer).pipe(
      Layer.provide(Layer.merge(RedisLayer, QueueNamingLayer)),
      Layer.provide(SettingsLayer)
    )
    expectTypeOf<Layer.Services<typeof program>>().toEqualTypeOf<Db>()
    expectTypeOf<Layer.Success<typeof program>>().toEqualTypeOf<Worker.Worker | ActionClient.ActionClient>()
  })

  it("of the probes keeps the worker and needs a server, or is routes beside it", () => {
    expectTypeOf(Health.layer(Worker.layer(handlers))).toEqualTypeOf<
      Layer.Layer<Worker.Worker, WorkerFailure, OfWorker | Db | HttpServer.HttpServer>
    >()
    expectTypeOf(Health.layerRoutes()).toEqualTypeOf<
      Layer.Layer<never, Worker.InvalidOption, Worker.Worker | HttpRouter.HttpRouter>
    >()
  })
})

describe("what a client gets back", () => {
  it("is one of four receipts, each with the id of the action and its service", () => {
    expectTypeOf<Receipt.Receipt["_tag"]>().toEqualTypeOf<"Sent" | "Scheduled" | "Waiting" | "Duplicate">()
    expectTypeOf<Receipt.Receipt["actionId"]>().toEqualTypeOf<string>()
    expectTypeOf<Receipt.Receipt["service"]>().toEqualTypeOf<string>()
    expectTypeOf<Receipt.Scheduled["at"]>().toEqualTypeOf<DateTime.Utc>()
    expectTypeOf(Receipt.parse("")).toEqualTypeOf<Result.Result<Receipt.Receipt, Receipt.InvalidReceipt>>()
  })

  it("can be had without naming the client, which then is required", () => {
    expectTypeOf(ActionClient.send(DeleteUser, { userId: "1" })).toEqualTypeOf<
      Effect.Effect<Receipt.Receipt, OfSend, ActionClient.ActionClient>
    >()
    expectTypeOf(ActionClient.request(DeleteUser, { userId: "1" })).toEqualTypeOf<
      Effect.Effect<void, OfRequest, ActionClient.ActionClient>
    >()
  })

  it("may be that the lane is full, where the contract has one", () => {
    const Laned = DeleteUser.pipe(Action.lane(({ userId }) => userId, { backlog: { max: 10 } }))
    expectTypeOf(client.send(Laned, { userId: "1" })).toEqualTypeOf<
      Effect.Effect<Receipt.Receipt, OfSend | ActionClient.LaneFull>
    >()
  })
})

describe("what an operator uses", () => {
  it("needs Redis and names, and settings only for the own service", () => {
    expectTypeOf(Inspector.layer).toEqualTypeOf<
      Layer.Layer<Inspector.Inspector, never, Redis.Redis | QueueNaming.QueueNaming>
    >()
    expectTypeOf(Schedules.layer).toEqualTypeOf<Layer.Layer<Schedules.Schedules, never, OfWorker>>()
    expectTypeOf(Lanes.layer).toEqualTypeOf<Layer.Layer<Lanes.Lanes, never, OfWorker>>()
    expectTypeOf<Layer.Error<ReturnType<typeof Dashboard.layer>>>().toEqualTypeOf<
      Worker.InvalidOption | Dashboard.MissingAssets
    >()
  })

  it("refuses an option that is invalid, and nothing else", () => {
    expectTypeOf<Layer.Error<ReturnType<typeof Schedules.layerOptions>>>().toEqualTypeOf<Worker.InvalidOption>()
    expectTypeOf<Layer.Error<ReturnType<typeof Lanes.layerOptions>>>().toEqualTypeOf<Worker.InvalidOption>()
    expectTypeOf<Layer.Error<ReturnType<typeof Inspector.layerOptions>>>().toEqualTypeOf<Worker.InvalidOption>()
  })
})

describe("ids", () => {
  it("are texts", () => {
    expectTypeOf(ActionId.derive("a", "b")).toEqualTypeOf<string>()
  })
})

describe("the kit for tests", () => {
  it("needs no Redis", () => {
    expectTypeOf(RecordedClient.layer()).toEqualTypeOf<
      Layer.Layer<ActionClient.ActionClient | RecordedClient.RecordedClient, WorkerFailure>
    >()
    expectTypeOf<Layer.Services<ReturnType<typeof RedisFaults.layer>>>().toEqualTypeOf<Redis.Redis>()
    expectTypeOf(TestWorker.deliver(handlers, TestWorker.action(CreateUser, { email: "a" }))).toEqualTypeOf<
      Effect.Effect<TestWorker.Report, TestWorker.NotSettled | WorkerFailure, Db>
    >()
  })
})
