import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as Action from "../../src/Action.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import type { Delivery } from "../../src/Delivery.ts"
import type { DomainAction } from "../../src/DomainAction.ts"
import { Rejected } from "../../src/HandlerError.ts"
import type { Route } from "../../src/internal/contract/route.ts"

class EmailTaken extends Schema.TaggedError<EmailTaken>()("EmailTaken", { email: Schema.String }) {}

class Prefix extends Context.Service<Prefix, string>()("test/Prefix") {}

const CreateUser = Action.make("user.create", {
  payload: { email: Schema.String, born: Schema.Date },
  success: { userId: Schema.String, at: Schema.Date },
  error: EmailTaken
})

const UpdateUser = Action.make("user.update", { payload: { userId: Schema.String } })

const Ping = Action.make("billing.ping")

const UserActions = ActionGroup.make(CreateUser, UpdateUser)

const at = new Date(0)

const envelope = (data: Record<string, unknown>, action_type = "user.create"): DomainAction => ({
  action_id: "6f1d3b5e-8c6f-4c0e-9a51-1a2b3c4d5e6f",
  action_type,
  timestamp: "2025-06-29T04:03:00.123456Z",
  tenant_id: null,
  session_id: null,
  task_id: null,
  agent_id: null,
  user_id: null,
  origin_service: "test",
  correlation_id: null,
  trace_id: null,
  callback_queue_name: null,
  callback_action_type: null,
  execution_config: null,
  query_config: null,
  rag_config: null,
  data,
  metadata: null
})

const deliveryOf = (action: DomainAction): Delivery => ({
  action,
  entryId: "1-0",
  attempt: 1,
  deliveries: 1,
  fence: "",
  consumer: "user-worker",
  scheduledFor: undefined,
  remaining: Effect.succeed(Duration.infinity)
})

/** Decode, run, encode: what a worker does with a route. */
const run = (routes: ReadonlyMap<string, Route>, action: DomainAction) =>
  Effect.gen(function*() {
    const route = routes.get(action.action_type)
    assert.isDefined(route)
    const payload = yield* route.decodePayload(action)
    return yield* route.encodeSuccess(yield* route.handler(payload, deliveryOf(action)))
  })

const createUser = ({ email }: { readonly email: string }) => Effect.succeed({ userId: `id of ${email}`, at })

describe("groups", () => {
  it("hold contracts by their type", () => {
    assert.deepStrictEqual([...UserActions.actions], [["user.create", CreateUser], ["user.update", UpdateUser]])
    assert.isTrue(ActionGroup.isActionGroup(UserActions))
    assert.isFalse(ActionGroup.isActionGroup({ actions: new Map() }))
  })

  it("grow, merge and shrink without a change to the group they came from", () => {
    assert.deepStrictEqual([...UserActions.add(Ping).actions.keys()], ["user.create", "user.update", "billing.ping"])
    assert.deepStrictEqual([...ActionGroup.make(Ping).merge(UserActions).actions.keys()], [
      "billing.ping",
      "user.create",
      "user.update"
    ])
    assert.deepStrictEqual([...UserActions.omit("user.update").actions.keys()], ["user.create"])
    assert.strictEqual(UserActions.actions.size, 2)
  })

  it("refuse a second contract of the same type", () => {
    const message = "Two contracts of the group have the type \"user.create\""
    assert.throws(() => ActionGroup.make(CreateUser, CreateUser), TypeError, message)
    assert.throws(() => UserActions.add(CreateUser), TypeError, message)
    assert.throws(() => UserActions.merge(ActionGroup.make(CreateUser)), TypeError, message)
  })
})

describe("handlers", () => {
  it.effect("get the decoded payload, and their success is encoded", () =>
    Effect.gen(function*() {
      const routes = yield* UserActions.handlers({
        "user.create": ({ born, email }, delivery) =>
          Effect.succeed({ userId: `${email} ${born.getUTCFullYear()} ${delivery.entryId}`, at }),
        "user.update": () => Effect.void
      }).build
      assert.deepStrictEqual(yield* run(routes, envelope({ email: "a@b.c", born: "2000-02-29T00:00:00.000Z" })), {
        userId: "a@b.c 2000 1-0",
        at: at.toISOString()
      })
      assert.deepStrictEqual(yield* run(routes, envelope({ userId: "1" }, "user.update")), {})
    }))

  it.effect("keep the contract beside them", () =>
    Effect.gen(function*() {
      const handlers = UserActions.handlers({ "user.create": createUser, "user.update": () => Effect.void })
      assert.deepStrictEqual([...handlers.types], ["user.create", "user.update"])
      assert.strictEqual((yield* handlers.build).get("user.create")?.action, CreateUser)
    }))

  it.effect("are built once, by an effect that may need services and fail", () =>
    Effect.gen(function*() {
      const built = yield* Ref.make(0)
      const handlers = UserActions.handlers(Effect.gen(function*() {
        const prefix = yield* Prefix
        yield* Ref.update(built, (n) => n + 1)
        return UserActions.of({
          "user.create": ({ email }) => Effect.succeed({ userId: prefix + email, at }),
          "user.update": () => Effect.void
        })
      }))
      const routes = yield* handlers.build.pipe(Effect.provideService(Prefix, "u-"))
      for (const email of ["a", "b"]) {
        const data = yield* run(routes, envelope({ email, born: "2000-02-29T00:00:00.000Z" }))
        assert.strictEqual(data?.["userId"], `u-${email}`)
      }
      assert.strictEqual(yield* Ref.get(built), 1)
      const failing = UserActions.handlers(
        Effect.as(Effect.fail("down"), { "user.create": createUser, "user.update": () => Effect.void })
      )
      assert.strictEqual(yield* Effect.flip(failing.build), "down")
    }))

  it.effect("see the context of the fiber that runs them", () =>
    Effect.gen(function*() {
      const handlers = UserActions.handlers({
        "user.create": () => Effect.map(Prefix, (userId) => ({ userId, at })),
        "user.update": () => Effect.void
      })
      const data = yield* handlers.build.pipe(
        Effect.flatMap((routes) => run(routes, envelope({ email: "", born: "2000-02-29T00:00:00.000Z" }))),
        Effect.provideService(Prefix, "given")
      )
      assert.strictEqual(data?.["userId"], "given")
    }))

  it.effect("may have schemas that need services", () =>
    Effect.gen(function*() {
      const Prefixed = Schema.String.pipe(Schema.decodeTo(Schema.String, {
        decode: SchemaGetter.transformEffect((s: string) => Effect.map(Prefix, (prefix) => prefix + s)),
        encode: SchemaGetter.passthrough()
      }))
      const Echo = ActionGroup.make(
        Action.make("user.echo", { payload: { s: Prefixed }, success: { s: Schema.String } })
      )
      const data = yield* Echo.handlers({ "user.echo": ({ s }) => Effect.succeed({ s }) }).build.pipe(
        Effect.flatMap((routes) => run(routes, envelope({ s: "x" }, "user.echo"))),
        Effect.provideService(Prefix, "u-")
      )
      assert.deepStrictEqual(data, { s: "u-x" })
    }))

  it.effect("have a scope that ends with the delivery", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const open = Effect.acquireRelease(
        Effect.sync(() => void log.push("open")),
        (_, exit) => Effect.sync(() => void log.push(`close on ${exit._tag}`))
      )
      const routes = yield* UserActions.handlers({
        "user.create": () => Effect.andThen(open, Effect.fail(new EmailTaken({ email: "" }))),
        "user.update": () => Effect.andThen(open, Effect.sync(() => void log.push("use")))
      }).build
      yield* run(routes, envelope({ userId: "1" }, "user.update"))
      assert.deepStrictEqual(log, ["open", "use", "close on Success"])
      log.length = 0
      yield* Effect.exit(run(routes, envelope({ email: "", born: "2000-02-29T00:00:00.000Z" })))
      assert.deepStrictEqual(log, ["open", "close on Failure"])
    }))

  it.effect("that throw die, and do not take the worker along", () =>
    Effect.gen(function*() {
      const boom = new Error("boom")
      const routes = yield* UserActions.handlers({
        "user.create": createUser,
        "user.update": () => {
          throw boom
        }
      }).build
      const exit = yield* Effect.exit(run(routes, envelope({ userId: "1" }, "user.update")))
      assert.deepStrictEqual(exit, Exit.die(boom))
    }))

  it.effect("fail with declared errors and Rejected, which are encoded as answers", () =>
    Effect.gen(function*() {
      const routes = yield* UserActions.handlers({ "user.create": createUser, "user.update": () => Effect.void }).build
      const route = routes.get("user.create")
      assert.deepStrictEqual(yield* route!.encodeError(new EmailTaken({ email: "a@b.c" })), {
        error_type: "EmailTaken",
        error_code: "ACTION_REJECTED",
        message: "EmailTaken",
        details: { _tag: "EmailTaken", email: "a@b.c" }
      })
      assert.strictEqual((yield* route!.encodeError(new Rejected({ message: "no" }))).error_type, "Rejected")
    }))

  it.effect("of a program without types are checked when they are built", () =>
    Effect.gen(function*() {
      const untyped = (record: unknown) =>
        UserActions.handlers(record as { "user.create": typeof createUser; "user.update": () => Effect.Effect<void> })
      const messageOf = (handlers: ActionGroup.Handlers) =>
        Effect.map(Effect.exit(handlers.build), (exit) =>
          Exit.isFailure(exit) && Cause.hasDies(exit.cause)
            ? String(Cause.squash(exit.cause))
            : "built")
      assert.strictEqual(
        yield* messageOf(untyped({ "user.create": createUser, "user.updat": () => Effect.void })),
        "TypeError: Missing handler: user.update, No such action in the group: user.updat"
      )
      assert.strictEqual(
        yield* messageOf(untyped({ "user.create": createUser, "user.update": 5 })),
        "TypeError: The handler of \"user.update\" is not a function: expected a function that returns an effect"
      )
    }))
})

describe("handlers made one by one", () => {
  const create = UserActions.handler("user.create", createUser)
  const update = UserActions.handler(
    "user.update",
    Effect.map(Prefix, (prefix) => ({ userId }) => Effect.log(prefix + userId))
  )

  it.effect("are put together", () =>
    Effect.gen(function*() {
      const handlers = UserActions.complete(ActionGroup.mergeHandlers(create, update))
      assert.deepStrictEqual([...handlers.types], ["user.create", "user.update"])
      const routes = yield* handlers.build.pipe(Effect.provideService(Prefix, "u-"))
      assert.deepStrictEqual([...routes.keys()], ["user.create", "user.update"])
      assert.deepStrictEqual(yield* run(routes, envelope({ userId: "1" }, "user.update")), {})
    }))

  it("join those of other groups", () => {
    const ping = ActionGroup.make(Ping).handlers({ "billing.ping": () => Effect.void })
    assert.deepStrictEqual([...ActionGroup.mergeHandlers(create, ping).types], ["user.create", "billing.ping"])
  })

  it("cannot handle one type twice", () => {
    assert.throws(() => ActionGroup.mergeHandlers(create, create), TypeError, "Two handlers for \"user.create\"")
  })

  it("must be complete", () => {
    assert.throws(() => UserActions.complete(create as never), TypeError, "Missing handler: user.update")
    assert.throws(() => UserActions.handler("user.nothing" as never, createUser as never), TypeError, "No such action")
  })
})

describe("a plain record", () => {
  it.effect("gets the envelope and answers with an object or nothing", () =>
    Effect.gen(function*() {
      const handlers = ActionGroup.toHandlers({
        "user.create": (action: DomainAction) => Effect.succeed({ got: action.data, as: action.action_type }),
        "user.update": () => Effect.void
      })
      assert.isTrue(ActionGroup.isHandlers(handlers))
      const routes = yield* handlers.build
      assert.isUndefined(routes.get("user.create")?.action)
      assert.deepStrictEqual(yield* run(routes, envelope({ x: 1 })), { got: { x: 1 }, as: "user.create" })
      assert.deepStrictEqual(yield* run(routes, envelope({}, "user.update")), {})
    }))

  it.effect("cannot answer with a value that is not an object", () =>
    Effect.gen(function*() {
      const routes = yield* ActionGroup.toHandlers({ "user.create": () => Effect.succeed([1]) }).build
      const error = yield* Effect.flip(run(routes, envelope({})))
      assert.strictEqual((error as Schema.SchemaError)._tag, "SchemaError")
    }))

  it.effect("may fail with Rejected to answer", () =>
    Effect.gen(function*() {
      const routes = yield* ActionGroup.toHandlers({
        "user.create": () => Effect.fail(new Rejected({ message: "no", errorType: "NotFound" }))
      }).build
      const error = yield* Effect.flip(run(routes, envelope({})))
      assert.strictEqual((yield* routes.get("user.create")!.encodeError(error)).error_type, "NotFound")
    }))

  it("is told from handlers of a group, which stay what they are", () => {
    const handlers = UserActions.handlers({ "user.create": createUser, "user.update": () => Effect.void })
    assert.strictEqual(ActionGroup.toHandlers(handlers), handlers)
    assert.isFalse(ActionGroup.isHandlers({ "user.create": createUser }))
  })

  it("has action types as its keys", () => {
    const record: {} = { create: () => Effect.void }
    assert.throws(() => ActionGroup.fromRecord(record), TypeError, "not an action type")
  })
})
