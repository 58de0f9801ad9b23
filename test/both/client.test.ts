/**
 * The client, each test on the memory layer and on a real server.
 */
import { assert, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as Tracer from "effect/Tracer"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionContext from "../../src/ActionContext.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as DomainAction from "../../src/DomainAction.ts"
import { actionStream } from "../../src/internal/redis/names.ts"
import { timestampOf } from "../../src/internal/wire/timestamp.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as Metrics from "../../src/Metrics.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import { type Connection, Redis } from "../../src/Redis.ts"
import * as RedisMemory from "../../src/RedisMemory.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import { counted } from "../support/counted.ts"
import { describeInMemory, layerOnServer } from "../support/place.ts"
import { entryIdOf } from "../support/receipts.ts"
import * as Server from "../support/redisServer.ts"
import { until } from "../support/until.ts"

// -----------------------------------------------------------------------------
// contracts
// -----------------------------------------------------------------------------

class EmailTaken extends Schema.TaggedError<EmailTaken>()("EmailTaken", { email: Schema.String }) {}

const CreateUser = Action.make("user.create", {
  payload: { email: Schema.String },
  success: { userId: Schema.String },
  error: EmailTaken
})
const UserCreated = Action.make("user.created", { payload: { userId: Schema.String } })
const Users = ActionGroup.make(CreateUser, UserCreated)

type Services = Redis | QueueNaming.QueueNaming | Settings.Settings | ActionClient.ActionClient | Scope.Scope

const client = ActionClient.ActionClient

const stream = Effect.map(
  Effect.all([QueueNaming.QueueNaming, Settings.Settings]),
  ([naming, { serviceName }]) => actionStream(naming, serviceName)
)

const send = <A = unknown>(command: string, ...args: ReadonlyArray<string>) =>
  Effect.flatMap(Redis, (redis) => redis.send<A>(command, ...args))

/** All entries of the action stream: id and envelope. */
const sent = Effect.gen(function*() {
  const rows = yield* send<ReadonlyArray<[string, ReadonlyArray<string>]>>("XRANGE", yield* stream, "-", "+")
  return rows.map(([id, fields]) => {
    assert.strictEqual(fields[0], "data")
    const parsed = DomainAction.parse(fields[1] ?? "")
    assert.isTrue(parsed._tag === "Success", "a worker could read it")
    return { id, action: JSON.parse(fields[1] ?? "") as DomainAction.DomainAction }
  })
})

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const uuidOf = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`

/** Waits for the entry of a request whose caller waits. */
const firstSent = Effect.gen(function*() {
  yield* until("it is sent", Effect.map(sent, (entries) => entries.length > 0))
  return (yield* sent)[0]!.action
})

/** A request whose time ends before it is answered. On a slow machine it may end before it is sent: then it is repeated. */
const overdue = (request: ActionClient.ActionClient["Service"]["request"], email: string) =>
  Effect.repeat(
    Effect.gen(function*() {
      const error = yield* Effect.flip(request(CreateUser, { email }, { timeout: "200 millis" }))
      assert.strictEqual(error._tag, "RequestTimeout")
      return (yield* sent).length
    }),
    { until: (count) => count > 0 }
  )

/** Requests of this service that wait. */
const open = Effect.gen(function*() {
  const { serviceName } = yield* Settings.Settings
  return (yield* Metric.value(Metric.withAttributes(Metrics.requestsOpen, { service: serviceName }))).value
})

/** How often a connection that was read on was given back: it loses its name. */
const watched = Effect.map(Redis, (redis) => {
  let count = 0
  const counting = (send: Connection["send"]): Connection["send"] => (command, ...args) => {
    if (command === "CLIENT" && args[0] === "SETNAME" && args[1] === "") count++
    return send(command, ...args)
  }
  const reserve = Effect.map(redis.reserve, (connection) => ({ ...connection, send: counting(connection.send) }))
  return { nameless: () => count, redis: Redis.of({ ...redis, reserve }) }
})

/** Answers as a worker does. */
const answer = Effect.fnUntraced(function*(action: DomainAction.DomainAction, userId: string) {
  const response = DomainAction.response(action, { userId }, {
    actionId: "00000000-0000-4000-8000-000000000001",
    timestamp: timestampOf(0)
  })
  return yield* send("LPUSH", String(action.callback_queue_name), DomainAction.encodeResponse(response))
})

const creating = Users.handlers({
  "user.create": ({ email }) =>
    email === "taken"
      ? Effect.fail(new EmailTaken({ email }))
      : email === "broken"
      ? Effect.die(new Error("out of order"))
      : Effect.succeed({ userId: `id of ${email}` }),
  "user.created": () => Effect.void
})

// -----------------------------------------------------------------------------
// tests of both
// -----------------------------------------------------------------------------

const tests: Record<string, Effect.Effect<void, unknown, Services>> = {
  "send appends one action and returns its receipt": Effect.gen(function*() {
    const { send } = yield* client
    const receipt = yield* send(CreateUser, { email: "a" })
    const [entry, ...more] = yield* sent
    assert.lengthOf(more, 0)
    assert.deepStrictEqual(receipt, {
      _tag: "Sent",
      actionId: entry!.action.action_id,
      service: "user",
      stream: actionStream(yield* QueueNaming.QueueNaming, "user"),
      entryId: entry!.id
    })
    assert.deepInclude(entry?.action, {
      action_type: "user.create",
      data: { email: "a" },
      correlation_id: null,
      callback_queue_name: null,
      callback_action_type: null,
      metadata: {}
    })
  }),

  "send takes ids, notes and a service from its options": Effect.gen(function*() {
    const { send: sendAction } = yield* client
    const actionId = "00000000-0000-4000-8000-00000000000a"
    const correlationId = "00000000-0000-4000-8000-00000000000b"
    const tenantId = "00000000-0000-4000-8000-00000000000c"
    const receipt = yield* sendAction(CreateUser, { email: "a" }, {
      actionId,
      correlationId,
      context: { tenantId },
      metadata: { source: "web" },
      service: "accounts"
    })
    assert.lengthOf(yield* sent, 0)
    const naming = yield* QueueNaming.QueueNaming
    const [[there, [, text]]] = yield* send<[[string, [string, string]]]>(
      "XRANGE",
      actionStream(naming, "accounts"),
      "-",
      "+"
    )
    assert.deepInclude(receipt, { actionId, service: "accounts", entryId: there })
    assert.deepInclude(JSON.parse(text), {
      action_id: actionId,
      correlation_id: correlationId,
      tenant_id: tenantId,
      metadata: { source: "web" }
    })
  }),

  "sendMany keeps the order over all chunks and returns the receipts in it": Effect.gen(function*() {
    const { sendMany } = yield* client
    const emails = Array.from({ length: 1_201 }, (_, index) => `m${index}`)
    const receipts = yield* sendMany(CreateUser, emails.map((email) => ({ email })))
    const entries = yield* sent
    assert.deepStrictEqual(
      entries.map(({ action, id }) => [id, action.action_id]),
      receipts.map((receipt) => [entryIdOf(receipt), receipt.actionId])
    )
    assert.deepStrictEqual(entries.map(({ action }) => action.data["email"]), emails)
    assert.strictEqual(new Set(entries.map(({ action }) => action.action_id)).size, emails.length)
  }),

  "sendMany of nothing sends nothing": Effect.gen(function*() {
    const { sendMany } = yield* client
    assert.deepStrictEqual(yield* sendMany(CreateUser, []), [])
    assert.lengthOf(yield* sent, 0)
  }),

  "a timeout that is not a time above zero is refused by name, and nothing is sent": Effect.gen(function*() {
    const { request } = yield* client
    // SAFETY: the wrong text is what is tested.
    const timeouts = [[0, "0 ms"], [-1, "-1 ms"], [Number.NaN, "NaN"], ["soon" as "1 second", "\"soon\""]] as const
    for (const [timeout, found] of timeouts) {
      const error = yield* Effect.flip(request(CreateUser, { email: "a" }, { timeout }))
      assert.instanceOf(error, ActionClient.InvalidOption, found)
      assert.strictEqual(
        error.message,
        `The option "timeout" is ${found}: expected a time above 0, such as "5 seconds"`
      )
    }
    assert.lengthOf(yield* sent, 0)
  }),

  "sendMany sends none when one of them does not fit": Effect.gen(function*() {
    const { sendMany } = yield* client
    const payloads = Array.from({ length: 600 }, (_, index) => ({ email: index === 599 ? 7 : "a" }))
    // SAFETY: the wrong type is what is tested.
    const error = yield* Effect.flip(sendMany(CreateUser, payloads as ReadonlyArray<{ email: string }>))
    assert.strictEqual(error._tag, "EncodeError")
    assert.lengthOf(yield* sent, 0)
  }),

  "a request ends with the success": Effect.gen(function*() {
    yield* Worker.start(creating)
    const { request } = yield* client
    assert.deepStrictEqual(yield* request(CreateUser, { email: "a" }), { userId: "id of a" })
    assert.strictEqual(yield* open, 0)
  }),

  "a request fails with a declared error, as itself": Effect.gen(function*() {
    yield* Worker.start(creating)
    const { request } = yield* client
    const error = yield* Effect.flip(request(CreateUser, { email: "taken" }))
    assert.instanceOf(error, EmailTaken)
    assert.strictEqual(error.email, "taken")
  }),

  "a request fails with RemoteFailure for anything else": Effect.gen(function*() {
    yield* Worker.start(creating, { maxAttempts: 1 })
    const { request } = yield* client
    const error = yield* Effect.flip(request(CreateUser, { email: "broken" }))
    assert.instanceOf(error, ActionClient.RemoteFailure)
    assert.strictEqual(error.errorType, "ProcessingError")
    assert.strictEqual(error.errorCode, "HANDLER_EXECUTION_ERROR")
    assert.strictEqual(error.message, "out of order")
  }),

  "a request whose answer does not fit the contract fails with RemoteFailure": Effect.gen(function*() {
    const { request } = yield* client
    const asking = yield* Effect.forkChild(Effect.flip(request(CreateUser, { email: "a" })))
    const action = yield* firstSent
    const response = DomainAction.response(action, { id: 7 }, {
      actionId: "00000000-0000-4000-8000-000000000001",
      timestamp: timestampOf(0)
    })
    yield* send("LPUSH", String(action.callback_queue_name), DomainAction.encodeResponse(response))
    const error = yield* Fiber.join(asking)
    assert.instanceOf(error, ActionClient.RemoteFailure)
    assert.strictEqual(error.errorType, "UnreadableAnswer")
  }),

  "a request tells its worker how long it waits, and where": Effect.gen(function*() {
    const { request } = yield* client
    const asking = yield* Effect.forkChild(request(CreateUser, { email: "a" }, { timeout: "7 seconds" }))
    const action = yield* firstSent
    assert.deepStrictEqual(action.metadata, { timeout_ms: 7_000 })
    assert.match(String(action.callback_queue_name), /:user:responses:inbox:[0-9a-f-]{36}$/)
    yield* answer(action, "u")
    assert.deepStrictEqual(yield* Fiber.join(asking), { userId: "u" })
  }),

  "a request without an answer fails with RequestTimeout, and with its id it may be repeated": Effect.gen(function*() {
    const { request } = yield* client
    const error = yield* Effect.flip(request(CreateUser, { email: "a" }, { timeout: "50 millis" }))
    assert.instanceOf(error, ActionClient.RequestTimeout)
    assert.strictEqual(yield* open, 0)
    const { action } = (yield* sent)[0]!
    assert.strictEqual(error.actionId, action.action_id)
    assert.strictEqual(error.correlationId, action.correlation_id)

    yield* Worker.start(creating)
    const repeated = request(CreateUser, { email: "a" }, { actionId: error.actionId })
    assert.deepStrictEqual(yield* repeated, { userId: "id of a" })
  }),

  "an answer that comes too late is dropped, counted, and is nobody else's": Effect.gen(function*() {
    const { request } = yield* client
    const { serviceName } = yield* Settings.Settings
    const unclaimed = counted(Metrics.answersUnclaimed, { service: serviceName })
    const before = yield* unclaimed
    yield* overdue(request, "late")
    const late = (yield* sent)[0]!.action
    yield* answer(late, "late")
    const asking = yield* Effect.forkChild(request(CreateUser, { email: "b" }))
    yield* until("it is sent", Effect.map(sent, (entries) => entries.length === 2))
    yield* answer((yield* sent)[1]!.action, "b")
    assert.deepStrictEqual(yield* Fiber.join(asking), { userId: "b" })
    yield* answer(late, "late again")
    const inbox = String(late.callback_queue_name)
    const another = yield* Effect.forkChild(request(CreateUser, { email: "c" }))
    yield* until("it is sent", Effect.map(sent, (entries) => entries.length === 3))
    yield* answer((yield* sent)[2]!.action, "c")
    assert.deepStrictEqual(yield* Fiber.join(another), { userId: "c" })
    assert.strictEqual((yield* unclaimed) - before, 2)
    assert.strictEqual(yield* send("EXISTS", inbox), 0)
  }),

  "a caller that is interrupted leaves nothing behind": Effect.gen(function*() {
    const { request } = yield* client
    const asking = yield* Effect.forkChild(
      Effect.forEach(Array.from({ length: 20 }), () => request(CreateUser, { email: "a" }), {
        concurrency: "unbounded"
      })
    )
    yield* until("all are sent", Effect.map(sent, (entries) => entries.length === 20))
    assert.strictEqual(yield* open, 20)
    yield* Fiber.interrupt(asking)
    assert.strictEqual(yield* open, 0)
    // What is answered all the same is taken out with the next answer that somebody waits for.
    for (const { action } of yield* sent) yield* answer(action, "too late")
    const next = yield* Effect.forkChild(request(CreateUser, { email: "b" }))
    yield* until("it is sent", Effect.map(sent, (entries) => entries.length === 21))
    const { action } = (yield* sent)[20]!
    yield* answer(action, "b")
    assert.deepStrictEqual(yield* Fiber.join(next), { userId: "b" })
    assert.strictEqual(yield* send("EXISTS", String(action.callback_queue_name)), 0)
  }),

  "1000 requests at once are each answered with their own": Effect.gen(function*() {
    yield* Worker.start(creating, { consumers: 2 })
    const { request } = yield* client
    const emails = Array.from({ length: 1_000 }, (_, index) => `m${index}`)
    const answers = yield* Effect.forEach(emails, (email) => request(CreateUser, { email }), {
      concurrency: "unbounded"
    })
    assert.deepStrictEqual(answers, emails.map((email) => ({ userId: `id of ${email}` })))
    assert.strictEqual(yield* open, 0)
  }),

  "answers that come in another order reach those who asked": Effect.gen(function*() {
    const { request } = yield* client
    const asking = yield* Effect.forkChild(Effect.forEach(
      ["a", "b", "c"],
      (email) => request(CreateUser, { email }),
      { concurrency: "unbounded" }
    ))
    yield* until("all are sent", Effect.map(sent, (entries) => entries.length === 3))
    for (const { action } of (yield* sent).reverse()) yield* answer(action, String(action.data["email"]))
    assert.deepStrictEqual(yield* Fiber.join(asking), [{ userId: "a" }, { userId: "b" }, { userId: "c" }])
  }),

  "an inbox is gone with its client": Effect.gen(function*() {
    const action = yield* Effect.scoped(Effect.gen(function*() {
      const { nameless, redis } = yield* watched
      const { request } = yield* Effect.provideService(ActionClient.make(), Redis, redis)
      yield* overdue(request, "a")
      yield* until("nobody reads it any more", Effect.sync(() => nameless() >= 1))
      const { action } = (yield* sent)[0]!
      yield* answer(action, "too late")
      assert.strictEqual(yield* send("EXISTS", String(action.callback_queue_name)), 1)
      return action
    }))
    assert.strictEqual(yield* send("EXISTS", String(action.callback_queue_name)), 0)
  }),

  "sendMany sends the actions with the ids that it is given, and so can be repeated": Effect.gen(function*() {
    const { sendMany } = yield* client
    const actionIds = [uuidOf(1), uuidOf(2), uuidOf(3)]
    for (const _ of [1, 2]) yield* sendMany(CreateUser, [{ email: "a" }, { email: "b" }, { email: "c" }], { actionIds })
    assert.deepStrictEqual((yield* sent).map(({ action }) => action.action_id), [...actionIds, ...actionIds])
  }),

  "sendMany sends large actions in calls that are small enough": Effect.gen(function*() {
    const redis = yield* Redis
    const sizes: Array<number> = []
    const measured = Redis.of({
      ...redis,
      eval: (script) => {
        const run = redis.eval(script)
        return (...params) => {
          sizes.push(script.params(...params).reduce<number>((sum, param) => sum + String(param).length, 0))
          return run(...params)
        }
      }
    })
    const { sendMany } = yield* Effect.provideService(ActionClient.make(), Redis, measured)
    const payloads = Array.from({ length: 400 }, () => ({ email: "x".repeat(60_000) }))
    assert.lengthOf(yield* sendMany(CreateUser, payloads), 400)
    assert.isAtLeast(sizes.length, 3)
    assert.isBelow(Math.max(...sizes), 9_000_000)
  }),

  "a call below a span whose ids are not those of W3C is sent with a trace id of its own": Effect.gen(function*() {
    const { send } = yield* client
    const parent = Tracer.externalSpan({ traceId: "not a trace", spanId: "1" })
    yield* Effect.withParentSpan(send(CreateUser, { email: "a" }), parent)
    assert.match(String((yield* sent)[0]?.action.trace_id), uuid)
  }),

  "an answer to an earlier request is not taken for that of a later one": Effect.gen(function*() {
    const { request } = yield* client
    yield* overdue(request, "a")
    const { action } = (yield* sent)[0]!
    const later = yield* Effect.forkChild(
      request(CreateUser, { email: "a" }, { actionId: action.action_id, timeout: "30 seconds" })
    )
    yield* until("it is sent", Effect.map(sent, (entries) => entries.length === 2))
    yield* answer(action, "early")
    yield* answer((yield* sent)[1]!.action, "later")
    assert.deepStrictEqual(yield* Fiber.join(later), { userId: "later" })
  }),

  "sendMany takes chunks of any size that a client can have": Effect.gen(function*() {
    const redis = yield* Redis
    let calls = 0
    const counting: Connection["eval"] = (script) => {
      const run = redis.eval(script)
      return (...params) => {
        calls++
        return run(...params)
      }
    }
    const payloads = Array.from({ length: 10_001 }, () => ({ email: "a" }))
    for (const [chunkSize, count] of [[1, 3], [2, 3], [10_000, 10_001]] as const) {
      const counted = Redis.of({ ...redis, eval: counting })
      const { sendMany } = yield* Effect.provideService(ActionClient.make({ chunkSize }), Redis, counted)
      calls = 0
      assert.lengthOf(yield* sendMany(CreateUser, payloads.slice(0, count)), count)
      if (chunkSize < 10_000) assert.strictEqual(calls, Math.ceil(count / chunkSize))
      // So many arguments are refused by some servers: a call takes fewer, whatever the option says.
      else assert.isTrue(calls >= 3 && calls <= 5, String(calls))
    }
  }),

  "a size of chunks that is none is refused": Effect.gen(function*() {
    for (const chunkSize of [0, -1, 0.5, 1.5, 10_001, Number.NaN, Number.POSITIVE_INFINITY]) {
      const error = yield* Effect.flip(ActionClient.make({ chunkSize }))
      assert.instanceOf(error, ActionClient.InvalidOption)
      assert.strictEqual(
        error.message,
        `The option "chunkSize" is ${chunkSize}: expected a whole number from 1 to 10000`
      )
    }
  }),

  "whoever asks nothing for a while holds no connection, and gets answers all the same later": Effect.gen(function*() {
    const { nameless, redis } = yield* watched
    const { request } = yield* Effect.provideService(ActionClient.make(), Redis, redis)
    yield* Worker.start(creating)
    for (const times of [1, 2]) {
      assert.deepStrictEqual(yield* request(CreateUser, { email: "a" }), { userId: "id of a" })
      yield* until("its connection is back", Effect.sync(() => nameless() === times))
    }
  }),

  "with a list for each request, the name is the Python client's": Effect.gen(function*() {
    const { request } = yield* ActionClient.make({ inbox: "per-request" })
    const asking = yield* Effect.forkChild(request(CreateUser, { email: "a" }))
    const action = yield* firstSent
    assert.isTrue(
      String(action.callback_queue_name).endsWith(`:user:responses:user_create:${action.correlation_id}`),
      String(action.callback_queue_name)
    )
    yield* answer(action, "u")
    assert.deepStrictEqual(yield* Fiber.join(asking), { userId: "u" })
    assert.strictEqual(yield* send("EXISTS", String(action.callback_queue_name)), 0)
  }),

  "with a list for each request, all three ends are the same": Effect.gen(function*() {
    const { request } = yield* ActionClient.make({ inbox: "per-request" })
    const timeout = yield* Effect.flip(request(CreateUser, { email: "a" }, { timeout: "50 millis" }))
    assert.instanceOf(timeout, ActionClient.RequestTimeout)
    yield* Worker.start(creating)
    assert.deepStrictEqual(yield* request(CreateUser, { email: "b" }), { userId: "id of b" })
    assert.instanceOf(yield* Effect.flip(request(CreateUser, { email: "taken" })), EmailTaken)
  }),

  "a callback comes back as an action of one's own, through a list": callback("list"),

  "a callback comes back as an action of one's own, through the stream": callback("stream"),

  "a callback takes any success: nothing as no fields, and what is no object as a value": Effect.gen(function*() {
    const Delete = Action.make("user.delete")
    const Deleted = Action.make("user.deleted", { payload: { reason: Schema.optionalKey(Schema.String) } })
    const Find = Action.make("user.find", {
      payload: { known: Schema.Boolean },
      success: Schema.NullOr(Schema.Struct({ userId: Schema.String }))
    })
    const Found = Action.make("user.found", { payload: { userId: Schema.optionalKey(Schema.String) } })
    const List = Action.make("user.list", { success: Schema.Array(Schema.Date) })
    const Listed = Action.make("user.listed", { payload: { value: Schema.Array(Schema.Date) } })
    const Since = Action.make("user.since", { success: Schema.Date })
    const Told = Action.make("user.told", { payload: { value: Schema.Date } })
    const got = yield* Queue.unbounded<unknown>()
    const note = (payload: unknown) => Effect.asVoid(Queue.offer(got, payload))
    const day = new Date(0)
    yield* Worker.start(
      ActionGroup.make(Delete, Deleted, Find, Found, List, Listed, Since, Told).handlers({
        "user.delete": () => Effect.void,
        "user.deleted": note,
        "user.find": ({ known }) => Effect.succeed(known ? { userId: "u" } : null),
        "user.found": note,
        "user.list": () => Effect.succeed([day]),
        "user.listed": note,
        "user.since": () => Effect.succeed(day),
        "user.told": note
      })
    )
    const { sendWithCallback } = yield* client
    yield* sendWithCallback(Delete, {}, { callback: Deleted })
    assert.deepStrictEqual(yield* Queue.take(got), {})
    yield* sendWithCallback(Find, { known: true }, { callback: Found })
    assert.deepStrictEqual(yield* Queue.take(got), { userId: "u" })
    yield* sendWithCallback(Find, { known: false }, { callback: Found })
    assert.deepStrictEqual(yield* Queue.take(got), {})
    yield* sendWithCallback(List, {}, { callback: Listed })
    assert.deepStrictEqual(yield* Queue.take(got), { value: [day] })
    yield* sendWithCallback(Since, {}, { callback: Told })
    assert.deepStrictEqual(yield* Queue.take(got), { value: day })
  }),

  "ids travel from a delivery to all that its handler sends": Effect.gen(function*() {
    const seen = yield* Queue.unbounded<{ readonly type: string; readonly context: ActionContext.ActionContext }>()
    const Ask = Action.make("user.ask")
    const Tell = Action.make("user.tell")
    const Done = Action.make("user.done")
    const handlers = ActionGroup.make(CreateUser, Ask, Tell, Done).handlers(Effect.gen(function*() {
      const { request, send, sendWithCallback } = yield* client
      const note = (type: string) =>
        Effect.flatMap(ActionContext.ActionContext, (context) => Queue.offer(seen, { type, context }))
      return {
        "user.create": () =>
          note("create").pipe(
            Effect.andThen(send(Tell, {})),
            Effect.andThen(request(Ask, {})),
            Effect.andThen(sendWithCallback(Ask, {}, { callback: Done })),
            Effect.orDie,
            Effect.as({ userId: "u" })
          ),
        "user.ask": () => note("ask"),
        "user.tell": () => note("tell"),
        "user.done": () => note("done")
      }
    }))
    yield* Worker.start(handlers)
    const { request } = yield* client
    const ids = {
      tenantId: "00000000-0000-4000-8000-00000000000a",
      sessionId: "00000000-0000-4000-8000-00000000000b",
      taskId: "00000000-0000-4000-8000-00000000000c",
      userId: "00000000-0000-4000-8000-00000000000d",
      agentId: "00000000-0000-4000-8000-00000000000e",
      traceId: "00000000-0000-4000-8000-00000000000f"
    }
    yield* ActionContext.set(request(CreateUser, { email: "a" }), ids)
    const all = yield* Queue.takeN(seen, 5)
    assert.sameMembers(all.map(({ type }) => type), ["create", "tell", "ask", "ask", "done"])
    for (const { context, type } of all) assert.deepStrictEqual(context, ids, type)
    assert.deepStrictEqual(yield* ActionContext.ActionContext, ActionContext.empty)
  }),

  "ids in the options of a call come before those in force": Effect.gen(function*() {
    const { send } = yield* client
    const tenantId = "00000000-0000-4000-8000-00000000000a"
    const taskId = "00000000-0000-4000-8000-00000000000b"
    const other = "00000000-0000-4000-8000-00000000000c"
    yield* ActionContext.set(send(CreateUser, { email: "a" }, { context: { tenantId: other } }), { tenantId, taskId })
    assert.deepInclude((yield* sent)[0]?.action, { tenant_id: other, task_id: taskId, session_id: null })
  }),

  "what no worker could read is refused, and nothing is sent": Effect.gen(function*() {
    const { request, send, sendAction, sendMany, sendWithCallback } = yield* client
    const payload = { email: "hunter2" }
    const nested = Array.from({ length: 100 }).reduce<unknown>((inner) => ({ inner }), 1)
    const circle: { self?: unknown } = {}
    circle.self = circle
    const Any = Action.make("user.any", { payload: { value: Schema.Unknown } })
    const calls: ReadonlyArray<readonly [string, Effect.Effect<unknown, unknown>]> = [
      // SAFETY: the wrong type is what is tested.
      ["a payload of the wrong type", send(CreateUser, { email: 7 } as unknown as { email: string })],
      ["a correlation id that is no UUID", send(CreateUser, payload, { correlationId: "1" })],
      ["a context id that is no UUID", send(CreateUser, payload, { context: { tenantId: "acme" } })],
      ["a payload over the limit", send(CreateUser, { email: "hunter2".repeat(10_000) })],
      ["a payload over the limit in bytes", send(CreateUser, { email: "é".repeat(40_000) })],
      ["a payload nested too deep", send(Any, { value: nested })],
      ["notes that are no JSON", send(CreateUser, payload, { metadata: { at: circle } })],
      [
        "notes with a bigint of more digits than are read",
        send(CreateUser, payload, { metadata: { at: 10n ** 4300n } })
      ],
      ["a payload that is no JSON", send(Any, { value: 1n })],
      ["a payload with a key that no worker takes", send(Any, { value: JSON.parse("{\"__proto__\":1}") })],
      ["a request that is over the limit", request(CreateUser, { email: "hunter2".repeat(10_000) })],
      [
        "a callback action of the wrong type",
        sendWithCallback(
          CreateUser,
          // SAFETY: the wrong type is what is tested.
          { email: null } as unknown as { email: string },
          { callback: UserCreated }
        )
      ],
      [
        "a malformed envelope",
        sendAction({ ...DomainAction.make(envelope), action_id: "1" })
      ]
    ]
    for (const [what, call] of calls) {
      const exit = yield* Effect.exit(Effect.flip(call))
      assert.isTrue(Exit.isSuccess(exit), what)
      const error = exit._tag === "Success" ? exit.value : undefined
      assert.instanceOf(error, ActionClient.EncodeError, what)
      assert.notInclude(String(error), "hunter2", what)
    }
    const fewer = yield* Effect.flip(sendMany(CreateUser, [payload, payload], { actionIds: [uuidOf(1)] }))
    assert.instanceOf(fewer, ActionClient.InvalidOption)
    assert.strictEqual(
      fewer.message,
      "The option \"actionIds\" is a list of 1: expected one id for each of the 2 payloads"
    )
    assert.lengthOf(yield* sent, 0)
    assert.strictEqual(yield* open, 0)
  }),

  "sendAction appends an envelope as it is, with its unknown keys and a trace id": Effect.gen(function*() {
    const { sendAction } = yield* client
    yield* sendAction({ ...DomainAction.make(envelope), schema_version: 3 })
    const action = (yield* sent)[0]?.action
    assert.match(String(action?.trace_id), uuid)
    assert.deepStrictEqual(action, {
      ...DomainAction.make({ ...envelope, trace_id: action?.trace_id }),
      schema_version: 3
    })
  }),

  "answers are read one after another from a server that has no BLMPOP": Effect.gen(function*() {
    const redis = yield* Redis
    const commands: Array<string> = []
    const guarded = (inner: Connection["send"]): Connection["send"] => (command, ...args) => {
      commands.push(command)
      if (command === "COMMAND") return Effect.succeed([null]) as ReturnType<Connection["send"]> as never
      assert.notStrictEqual(command, "BLMPOP")
      return inner(command, ...args)
    }
    const old = Redis.of({
      ...redis,
      send: guarded(redis.send),
      reserve: Effect.map(redis.reserve, (connection) => ({ ...connection, send: guarded(connection.send) }))
    })
    const { request } = yield* Effect.provideService(ActionClient.make(), Redis, old)
    yield* Worker.start(creating)
    const emails = Array.from({ length: 300 }, (_, index) => `m${index}`)
    const answers = yield* Effect.forEach(emails, (email) => request(CreateUser, { email }), {
      concurrency: "unbounded"
    })
    assert.deepStrictEqual(answers, emails.map((email) => ({ userId: `id of ${email}` })))
    assert.include(commands, "BRPOP")
  })
}

const envelope: DomainAction.Input = {
  action_id: "00000000-0000-4000-8000-000000000009",
  action_type: "user.create",
  timestamp: "2025-06-29T04:03:00.123456Z",
  data: { email: "a" }
}

function callback(to: "list" | "stream"): Effect.Effect<void, unknown, Services> {
  return Effect.gen(function*() {
    const got = yield* Queue.unbounded<DomainAction.DomainAction>()
    yield* Worker.start(Users.handlers({
      "user.create": ({ email }) => Effect.succeed({ userId: `id of ${email}` }),
      "user.created": (_, { action }) => Effect.asVoid(Queue.offer(got, action))
    }))
    const { sendWithCallback } = yield* client
    const correlationId = "00000000-0000-4000-8000-00000000000b"
    const tenantId = "00000000-0000-4000-8000-00000000000c"
    const receipt = yield* sendWithCallback(CreateUser, { email: "a" }, {
      callback: { action: UserCreated, to },
      correlationId,
      context: { tenantId }
    })
    assert.match(entryIdOf(receipt), /^\d+-\d+$/)
    assert.deepInclude(yield* Queue.take(got), {
      action_type: "user.created",
      data: { userId: "id of a" },
      correlation_id: correlationId,
      tenant_id: tenantId,
      origin_service: "user",
      callback_queue_name: null
    })
    yield* until("nothing is left", Effect.map(sent, (entries) => entries.length === 0))
  })
}

// -----------------------------------------------------------------------------
// where
// -----------------------------------------------------------------------------

const appOf = <E, R>(redis: Layer.Layer<Redis, E, R>, environment = "test") =>
  ActionClient.layer.pipe(
    Layer.provideMerge(Layer.merge(redis, QueueNaming.layer)),
    Layer.provideMerge(Settings.layerOf({
      serviceName: "user",
      environment,
      block: "1 second",
      payloadLimit: 65_536,
      requestTimeout: "10 seconds"
    }))
  )

/** The wrong way round, and easily written: the layer is for what is inside, and the scope is around it. */
const outliving = <E, R>(
  app: Layer.Layer<Redis | QueueNaming.QueueNaming | Settings.Settings | ActionClient.ActionClient, E, R>
) =>
  Effect.gen(function*() {
    yield* Worker.start(creating)
    const { request } = yield* ActionClient.make()
    assert.deepStrictEqual(yield* request(CreateUser, { email: "a" }), { userId: "id of a" })
  }).pipe(Effect.provide(app), Effect.scoped)

describeInMemory("ActionClient on memory", () => {
  for (const [name, test] of Object.entries(tests)) {
    it.live(name, () => test.pipe(Effect.scoped, Effect.provide(appOf(RedisMemory.layer))))
  }

  it.live("ends though its Redis was closed first", () => outliving(appOf(RedisMemory.layer)))
})

describeInMemory("ActionClient under TestClock", () => {
  const app = appOf(RedisMemory.layer)

  it.effect("waits as long as its timeout says, and no longer", () =>
    Effect.gen(function*() {
      const { request } = yield* client
      const asking = yield* Effect.forkChild(Effect.flip(request(CreateUser, { email: "a" }, { timeout: "1 hour" })))
      yield* firstSent
      yield* TestClock.adjust("59 minutes")
      assert.strictEqual(yield* open, 1)
      yield* TestClock.adjust("1 minute")
      assert.instanceOf(yield* Fiber.join(asking), ActionClient.RequestTimeout)
    }).pipe(Effect.scoped, Effect.provide(app)))

  it.effect("waits for the time that the settings say", () =>
    Effect.gen(function*() {
      const { request } = yield* client
      const asking = yield* Effect.forkChild(Effect.flip(request(CreateUser, { email: "a" })))
      assert.deepStrictEqual((yield* firstSent).metadata, { timeout_ms: 10_000 })
      yield* TestClock.adjust("10 seconds")
      assert.instanceOf(yield* Fiber.join(asking), ActionClient.RequestTimeout)
    }).pipe(Effect.scoped, Effect.provide(app)))

  it.effect("is answered late when it has no limit", () =>
    Effect.gen(function*() {
      const go = yield* Deferred.make<void>()
      yield* Worker.start(Users.handlers({
        "user.create": () => Effect.as(Deferred.await(go), { userId: "u" }),
        "user.created": () => Effect.void
      }))
      const { request } = yield* client
      const asking = yield* Effect.forkChild(request(CreateUser, { email: "a" }, { timeout: "Infinity" }))
      assert.deepStrictEqual((yield* firstSent).metadata, {})
      yield* TestClock.adjust("10 minutes")
      yield* Deferred.succeed(go, undefined)
      assert.deepStrictEqual(yield* Fiber.join(asking), { userId: "u" })
    }).pipe(Effect.scoped, Effect.provide(app)))
})

/** The server's connections whose names begin so. */
const connections = Effect.fnUntraced(function*(server: Server.Server, name: string) {
  const list = String(yield* server.cli("CLIENT", "LIST"))
  return Array.from(list.matchAll(/ name=(\S+)/g), (match) => match[1]!).filter((found) => found.includes(name))
})

layerOnServer(Server.layer(), { excludeTestServices: true, timeout: 60_000 })("ActionClient on a server", (it) => {
  const real = (options: IoRedis.Options = {}) =>
    Layer.unwrap(Effect.map(Server.RedisServer, ({ url }) => IoRedis.layerOptions({ url, ...options })))

  for (const [name, test] of Object.entries(tests)) {
    it.effect(
      name,
      () => Effect.suspend(() => test.pipe(Effect.scoped, Effect.provide(appOf(real(), Server.uniquePrefix()))))
    )
  }

  it.effect("ends though its Redis was closed first", () =>
    Effect.suspend(() => outliving(appOf(Layer.orDie(real()), Server.uniquePrefix()))))

  it.effect("waits for 1000 answers on one connection", () =>
    Effect.gen(function*() {
      const server = yield* Server.RedisServer
      const { request } = yield* client
      const asking = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: 1_000 }), () => request(CreateUser, { email: "a" }), {
          concurrency: "unbounded"
        })
      )
      yield* until("all are sent", Effect.map(sent, (entries) => entries.length === 1_000))
      // One for commands, and one that waits, which bears the name of its list.
      yield* until(
        "the inbox is read",
        Effect.map(Effect.orDie(connections(server, ":responses:inbox:")), (names) => names.length === 1)
      )
      assert.lengthOf(yield* connections(server, ":asker:"), 1)
      yield* Effect.forEach(yield* sent, ({ action }) => answer(action, "u"), { concurrency: 50, discard: true })
      assert.lengthOf(yield* Fiber.join(asking), 1_000)
    }).pipe(Effect.scoped, Effect.provide(appOf(real({ name: "asker" }), Server.uniquePrefix()))))

  it.effect("gives the connections of its requests back, with a list for each", () =>
    Effect.gen(function*() {
      const server = yield* Server.RedisServer
      const { request } = yield* ActionClient.make({ inbox: "per-request" })
      const asking = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: 5 }), () => request(CreateUser, { email: "a" }), {
          concurrency: "unbounded"
        })
      )
      yield* until("all are sent", Effect.map(sent, (entries) => entries.length === 5))
      assert.isAtLeast((yield* connections(server, ":loner:")).length, 6)
      yield* Fiber.interrupt(asking)
      // A connection with a command on its way is closed: the server may still carry it out.
      yield* until(
        "they are closed",
        Effect.map(connections(server, ":loner:"), (names) => names.length <= 1)
      )
    }).pipe(Effect.scoped, Effect.provide(appOf(real({ name: "loner" }), Server.uniquePrefix()))))

  it.effect("fails typed within its time when the server is gone, and works when it is back", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      const context = yield* Layer.build(appOf(IoRedis.layerOptions({ url: server.url, connectTimeout: "500 millis" })))
      const { request, send } = Context.get(context, client)
      yield* server.stop
      assert.strictEqual((yield* Effect.flip(send(CreateUser, { email: "a" })))._tag, "RedisError")
      const error = yield* Effect.flip(request(CreateUser, { email: "a" }, { timeout: "2 seconds" }))
      assert.include(["RedisError", "RequestTimeout"], error._tag)
      yield* server.restart
      yield* Effect.gen(function*() {
        yield* Worker.start(creating)
        yield* until(
          "it is answered again",
          Effect.map(
            Effect.result(request(CreateUser, { email: "a" }, { timeout: "2 seconds" })),
            (result) => result._tag === "Success"
          )
        )
      }).pipe(Effect.scoped, Effect.provide(context))
    }).pipe(Effect.scoped))
})
