/**
 * Both sides of the wire, the other one played with plain commands and the messages that the Python services write.
 */
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import { randomUUID } from "node:crypto"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionContext from "../../src/ActionContext.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import { golden, goldens } from "../fixtures/index.ts"
import * as Processes from "../support/processes.ts"
import * as Server from "../support/redisServer.ts"
import { until } from "../support/until.ts"

type Json = Record<string, unknown>

const RedisServer = Server.RedisServer
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const utc = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

const parse = (text: unknown): Json => JSON.parse(String(text)) as Json

/** A golden message, some of its keys replaced. */
const message = (path: string, over: Json = {}): Json => ({ ...parse(golden(path)), ...over })

const call = (...args: ReadonlyArray<string | number | Uint8Array>) =>
  Effect.flatMap(RedisServer, (server) => server.cli(...args))

const add = (service: string, data: string | Json) =>
  Effect.map(
    call(
      "XADD",
      `nooble4:dev:${service}:streams:main`,
      "*",
      "data",
      typeof data === "string" ? data : JSON.stringify(data)
    ),
    String
  )

/** What the Python client does: it waits at the list that it named. */
const pop = Effect.fnUntraced(function*(list: string) {
  const reply = yield* call("BRPOP", list, 8)
  assert.isArray(reply, `nothing came to ${list}`)
  return parse((reply as ReadonlyArray<string>)[1])
})

const listOf = (message: Json): string => String(message["callback_queue_name"])

// -----------------------------------------------------------------------------
// Python client, our worker
// -----------------------------------------------------------------------------

class Programs extends Context.Service<Programs, {
  readonly user: Processes.Program
  readonly embedding: Processes.Program
}>()("effect-redis-workers/test/Programs") {}

const Workers = Layer.effect(
  Programs,
  Effect.gen(function*() {
    const { url } = yield* RedisServer
    const env = { REDIS_URL: url, WORKER_CLAIM_IDLE: "500 millis", WORKER_UNKNOWN_FOR: "300 millis" }
    const programs = {
      user: yield* Processes.start("interop", { env: { ...env, SERVICE_NAME: "user" } }),
      embedding: yield* Processes.start("interop", { env: { ...env, SERVICE_NAME: "embedding" } })
    }
    // Starting Node takes its time on a busy machine, and is no part of what the tests wait for.
    for (const service of ["user", "embedding"]) {
      const there = call("EXISTS", `nooble4:dev:${service}:streams:main`)
      yield* until(`${service} has started`, Effect.map(there, (count) => count === 1), 50_000)
    }
    return programs
  })
).pipe(Layer.provideMerge(Server.layer()))

const ids = {
  correlation_id: "00000007-0000-4000-8000-000000000007",
  trace_id: "00000008-0000-4000-8000-000000000008",
  task_id: "00000003-0000-4000-8000-000000000003",
  tenant_id: "00000001-0000-4000-8000-000000000001",
  session_id: "00000002-0000-4000-8000-000000000002"
}

/** The two keys that differ from answer to answer are checked and taken out. */
const checkedNew = (answer: Json, to: Json): Json => {
  const { action_id, timestamp, ...rest } = answer
  assert.match(String(action_id), uuid)
  assert.notStrictEqual(action_id, to["action_id"])
  assert.match(String(timestamp), utc)
  return rest
}

layer(Workers, { excludeTestServices: true, timeout: 60_000 })("A worker, to a Python client", (it) => {
  for (const [name, text] of [...goldens("python", "action-request"), ...goldens("python", "action-extra-keys")]) {
    it.effect(`answers ${name} with a response that has every key of both forms`, () =>
      Effect.gen(function*() {
        yield* add("user", text)
        const request = parse(text)
        const answer = yield* pop(listOf(request))
        assert.deepStrictEqual(checkedNew(answer, request), {
          ...ids,
          action_type: "user.create.response",
          status_code: 200,
          success: true,
          data: { user_id: "id of añá@example.com", attempt: 1 },
          error: null
        })
      }))
  }

  it.effect("answers an old message that lacks ids with null in their place, and a trace id of its own", () =>
    Effect.gen(function*() {
      const request = message("python/old-action-absent-ids.json")
      yield* add("user", golden("python/old-action-absent-ids.json"))
      const { trace_id, ...answer } = yield* pop(listOf(request))
      assert.match(String(trace_id), uuid)
      assert.deepStrictEqual(checkedNew(answer, request), {
        action_type: "user.create.response",
        status_code: 200,
        success: true,
        data: { user_id: "id of añá@example.com", attempt: 1 },
        error: null,
        correlation_id: ids.correlation_id,
        task_id: null,
        tenant_id: null,
        session_id: null
      })
    }))

  it.effect("writes the keys of a response in the order of the golden message", () =>
    Effect.gen(function*() {
      const request = message("python/action-request.json")
      yield* add("user", request)
      const answer = yield* pop(listOf(request))
      assert.deepStrictEqual(Object.keys(answer), Object.keys(parse(golden("ours/response-success.json"))))
    }))

  it.effect("answers a declared error with its name and its fields", () =>
    Effect.gen(function*() {
      const request = message("python/action-request.json", { data: { email: "taken@example.com" } })
      yield* add("user", request)
      const answer = yield* pop(listOf(request))
      assert.deepStrictEqual(Object.keys(answer), Object.keys(parse(golden("ours/response-failure.json"))))
      assert.deepStrictEqual(checkedNew(answer, request), {
        ...ids,
        action_type: "user.create.response",
        status_code: 500,
        success: false,
        data: null,
        error: {
          error_type: "EmailTaken",
          error_code: "ACTION_REJECTED",
          message: "EmailTaken",
          details: { _tag: "EmailTaken", email: "taken@example.com" }
        }
      })
    }))

  it.effect("answers a payload that is refused with VALIDATION_ERROR and the issues", () =>
    Effect.gen(function*() {
      const request = message("python/action-request.json", { data: { email: 7 } })
      yield* add("user", request)
      const answer = yield* pop(listOf(request))
      assert.strictEqual(answer["success"], false)
      assert.strictEqual(answer["status_code"], 422)
      const error = answer["error"] as Json
      assert.deepStrictEqual(Object.keys(error), ["error_type", "error_code", "message", "details"])
      assert.strictEqual(error["error_type"], "ValidationError")
      assert.strictEqual(error["error_code"], "VALIDATION_ERROR")
      assert.deepNestedInclude(error["details"], { "issues[0].path[0]": "email" })
    }))

  it.effect("answers a handler that fails for good as the Python worker does", () =>
    Effect.gen(function*() {
      const request = message("python/action-request.json", { action_type: "user.break", data: {} })
      yield* add("user", request)
      const answer = yield* pop(listOf(request))
      assert.deepStrictEqual(checkedNew(answer, request), {
        ...ids,
        action_type: "user.break.response",
        status_code: 500,
        success: false,
        data: null,
        error: {
          error_type: "ProcessingError",
          error_code: "HANDLER_EXECUTION_ERROR",
          message: "the database is on fire",
          details: null
        }
      })
    }))

  it.effect("answers an action of an unknown type in time with ACTION_NOT_IMPLEMENTED", () =>
    Effect.gen(function*() {
      const request = message("python/action-request.json", { action_type: "user.dance" })
      yield* add("user", request)
      const answer = yield* pop(listOf(request))
      assert.strictEqual(answer["status_code"], 501)
      assert.deepInclude(answer["error"] as Json, {
        error_type: "NotImplemented",
        error_code: "ACTION_NOT_IMPLEMENTED"
      })
    }))

  it.effect("lets a response list expire when its client has gone", () =>
    Effect.gen(function*() {
      const request = message("python/action-request.json", {
        callback_queue_name: "nooble4:dev:orchestrator:responses:user_create:gone"
      })
      yield* add("user", request)
      yield* until("the answer is there", Effect.map(call("LLEN", listOf(request)), (length) => length === 1))
      const left = Number(yield* call("PTTL", listOf(request)))
      assert.isAbove(left, 3_500_000)
      assert.isAtMost(left, 3_600_000)
    }))

  it.effect("answers in a list that a client uses for all its calls, none lost", () =>
    Effect.gen(function*() {
      const list = "nooble4:dev:orchestrator:responses:all:of_them"
      const wanted = Array.from({ length: 20 }, () => randomUUID())
      for (const correlation_id of wanted) {
        yield* add("user", message("python/action-request.json", { correlation_id, callback_queue_name: list }))
      }
      const got: Array<unknown> = []
      for (const _ of wanted) got.push((yield* pop(list))["correlation_id"])
      assert.sameMembers(got, wanted)
    }))

  for (const name of ["python/action-send.json", "python/old-action-least.json"]) {
    it.effect(`handles ${name} without an answer, and leaves neither entry nor list`, () =>
      Effect.gen(function*() {
        const { user } = yield* Programs
        const before = user.count(/@ touched 42/)
        const keys = yield* call("KEYS", "*:responses:*")
        yield* add("user", golden(name))
        yield* user.linesOf(/@ touched 42/, before + 1)
        yield* until("it is acknowledged", Effect.map(pending("user"), (count) => count === 0))
        yield* until("it is deleted", Effect.map(call("XLEN", "nooble4:dev:user:streams:main"), (count) => count === 0))
        assert.deepStrictEqual(yield* call("KEYS", "*:responses:*"), keys)
      }))
  }

  it.effect("answers a callback with a new action of the type that was asked for", () =>
    Effect.gen(function*() {
      const request = message("python/action-callback.json")
      yield* add("embedding", golden("python/action-callback.json"))
      const callback = yield* pop(listOf(request))
      assert.deepStrictEqual(Object.keys(callback), Object.keys(parse(golden("ours/action-callback.json"))))
      assert.deepStrictEqual(checkedNew(callback, request), {
        ...ids,
        action_type: "embedding.result",
        agent_id: "00000004-0000-4000-8000-000000000004",
        user_id: null,
        origin_service: "embedding",
        callback_queue_name: null,
        callback_action_type: null,
        execution_config: null,
        query_config: null,
        rag_config: null,
        data: { vectors: [[3], [3]] },
        metadata: {}
      })
    }))

  it.effect("lets callback lists live for 30 days: their reader may come late", () =>
    Effect.gen(function*() {
      const list = "nooble4:dev:ingestion:callbacks:embedding_result:late"
      yield* add("embedding", message("python/action-callback.json", { callback_queue_name: list }))
      yield* until("the callback is there", Effect.map(call("LLEN", list), (length) => length === 1))
      assert.isAbove(Number(yield* call("PTTL", list)), 29 * 86_400_000)
    }))

  it.effect("sends no callback for an action that is refused, and keeps it as a dead letter", () =>
    Effect.gen(function*() {
      const list = "nooble4:dev:ingestion:callbacks:embedding_result:refused"
      const text = JSON.stringify(
        message("python/action-callback.json", { callback_queue_name: list, data: { texts: 1 } })
      )
      const id = yield* add("embedding", text)
      const letters = call("XRANGE", "nooble4:dev:embedding:streams:dead", "-", "+")
      yield* until("it is a dead letter", Effect.map(letters, (found) => JSON.stringify(found).includes(id)))
      assert.strictEqual(yield* call("EXISTS", list), 0)
      const [[, fields]] = (yield* letters) as unknown as [[string, ReadonlyArray<string>]]
      const at = (name: string) => fields[fields.indexOf(name) + 1]
      assert.strictEqual(at("reason"), "rejected")
      assert.strictEqual(at("error_type"), "NotFound")
      assert.strictEqual(at("data"), text)
    }))

  it.effect("takes over what a Python worker left pending for ever", () =>
    Effect.gen(function*() {
      const stream = "nooble4:dev:user:streams:main"
      const list = "nooble4:dev:orchestrator:responses:user_create:stuck"
      // Read and never acknowledged, in one step, so that no other worker is faster.
      const correlation_id = randomUUID()
      yield* call(
        "EVAL",
        "redis.call('XADD', KEYS[1], '*', 'data', ARGV[1]) " +
          "return redis.call('XREADGROUP', 'GROUP', 'user-group', 'user-worker-internal-0', 'STREAMS', KEYS[1], '>')",
        1,
        stream,
        JSON.stringify(message("python/action-request-dumps.json", { correlation_id, callback_queue_name: list }))
      )
      const answer = yield* pop(list)
      assert.strictEqual(answer["correlation_id"], correlation_id)
      yield* until("nothing is pending", Effect.map(pending("user"), (count) => count === 0))
    }))
})

const pending = (service: string) =>
  Effect.map(
    call("XPENDING", `nooble4:dev:${service}:streams:main`, `${service}-group`),
    (reply) => (reply as ReadonlyArray<number>)[0]
  )

// -----------------------------------------------------------------------------
// our client, Python worker
// -----------------------------------------------------------------------------

class EmailTaken extends Schema.TaggedError<EmailTaken>()("EmailTaken", { email: Schema.String }) {}
class Closed extends Schema.TaggedError<Closed>()("Closed", {}) {}

const CreateUser = Action.make("user.create", {
  payload: { email: Schema.String },
  success: { resultado: Schema.optionalKey(Schema.String), user_id: Schema.optionalKey(Schema.String) },
  error: Schema.Union([EmailTaken, Closed])
})
const UserCreated = Action.make("signup.user_created", { payload: { user_id: Schema.optionalKey(Schema.String) } })

const Client = ActionClient.layer.pipe(
  Layer.provideMerge(Layer.mergeAll(
    QueueNaming.layer,
    Layer.unwrap(Effect.map(RedisServer, ({ url }) => IoRedis.layerOptions({ url })))
  )),
  Layer.provideMerge(Layer.merge(Settings.layerOf({ serviceName: "signup", claimIdle: "500 millis" }), Server.layer()))
)

const stream = "nooble4:dev:user:streams:main"

/** Takes the next action as the Python worker does, answers with what `answers` makes of it, and acknowledges. */
const pythonWorker = Effect.fnUntraced(function*(
  answers: (action: Json) => ReadonlyArray<string>,
  consumer = "user-worker-internal-0"
) {
  yield* Effect.ignore(call("XGROUP", "CREATE", stream, "user-group", "0", "MKSTREAM"))
  const options = ["COUNT", 1, "BLOCK", 8000, "STREAMS", stream, ">"]
  const reply = yield* call("XREADGROUP", "GROUP", "user-group", consumer, ...options)
  assert.isArray(reply, "no action came")
  const [[, [[id, fields]]]] = reply as unknown as [[string, [[string, ReadonlyArray<string>]]]]
  assert.strictEqual(fields[0], "data")
  const action = parse(fields[1])
  const list = listOf(action)
  for (const answer of answers(action)) yield* call("LPUSH", list, answer)
  yield* call("XACK", stream, "user-group", id)
  return action
})

/** A golden answer as the Python worker would write it to this action: its ids copied, the text otherwise untouched. */
const answerOf = (text: string) => (action: Json): ReadonlyArray<string> => {
  assert.match(String(action["correlation_id"]), uuid)
  return [text.replace(ids.correlation_id, String(action["correlation_id"]))]
}

const goldenAnswer = (path: string) => answerOf(golden(path))

const ask = (options?: ActionClient.RequestOptions) =>
  Effect.flatMap(
    ActionClient.ActionClient,
    (client) => client.request(CreateUser, { email: "añá@example.com" }, { timeout: "8 seconds", ...options })
  )

/** Asks, and answers with these texts. */
const asked = (answers: (action: Json) => ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const asking = yield* Effect.forkChild(Effect.exit(ask()))
    yield* pythonWorker(answers)
    return yield* yield* Fiber.join(asking)
  })

const pythonError = (error: Json) => (action: Json): ReadonlyArray<string> => [
  JSON.stringify({ ...message("python/response-failure.json"), correlation_id: action["correlation_id"], error })
]

layer(Client, { excludeTestServices: true, timeout: 60_000 })("A client, to a Python worker", (it) => {
  it.effect("writes an action with every key in its order", () =>
    Effect.gen(function*() {
      const asking = yield* Effect.forkChild(
        ActionContext.set(ask({ actionId: "00000030-0000-4000-8000-000000000030" }), {
          tenantId: ids.tenant_id,
          sessionId: ids.session_id,
          taskId: ids.task_id,
          agentId: "00000004-0000-4000-8000-000000000004",
          traceId: ids.trace_id
        })
      )
      const action = yield* pythonWorker(goldenAnswer("python/response-success.json"))
      yield* Fiber.join(asking)
      const { callback_queue_name, correlation_id, timestamp, ...rest } = action
      const expected = parse(golden("ours/action-request.json"))
      assert.deepStrictEqual(Object.keys(action), Object.keys(expected))
      assert.match(String(callback_queue_name), /^nooble4:dev:signup:responses:inbox:[0-9a-f-]{36}$/)
      assert.match(String(correlation_id), uuid)
      assert.match(String(timestamp), utc)
      const { correlation_id: _, ...others } = ids
      assert.deepStrictEqual(rest, {
        ...others,
        action_id: "00000030-0000-4000-8000-000000000030",
        action_type: "user.create",
        agent_id: "00000004-0000-4000-8000-000000000004",
        user_id: null,
        origin_service: "signup",
        callback_action_type: null,
        execution_config: null,
        query_config: null,
        rag_config: null,
        data: { email: "añá@example.com" },
        metadata: { timeout_ms: 8000 }
      })
    }))

  for (
    const [name, text] of [...goldens("python", "response-success"), ...goldens("python", "older-response-success")]
  ) {
    it.effect(`takes ${name} for a success`, () =>
      Effect.gen(function*() {
        const success = yield* asked(answerOf(text))
        assert.deepStrictEqual(
          success,
          name.includes("older") ? { resultado: "éxito" } : { user_id: "00000005-0000-4000-8000-000000000005" }
        )
      }))
  }

  it.effect("knows a declared error by its error_type, whatever its code", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(asked(pythonError({
        error_type: "EmailTaken",
        error_code: null,
        message: "someone has it",
        details: { email: "a@example.com" }
      })))
      assert.instanceOf(error, EmailTaken)
      assert.strictEqual(error.email, "a@example.com")
    }))

  it.effect("knows a declared error without fields by its error_type alone", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(asked(pythonError({
        error_type: "Closed",
        error_code: "SIGNUP_CLOSED",
        message: "come back tomorrow",
        details: null
      })))
      assert.instanceOf(error, Closed)
    }))

  it.effect("takes a declared error whose fields do not fit for a remote failure", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(asked(pythonError({
        error_type: "EmailTaken",
        error_code: null,
        message: "someone has it",
        details: { mail: 1 }
      })))
      assert.instanceOf(error, ActionClient.RemoteFailure)
      assert.strictEqual(error.errorType, "EmailTaken")
    }))

  for (
    const [name, expected] of [
      ["python/response-failure.json", {
        errorType: "ProcessingError",
        errorCode: "HANDLER_EXECUTION_ERROR",
        message: "división por cero",
        details: { attempt: 1 }
      }],
      ["python/older-response-failure.json", {
        errorType: "NotFound",
        errorCode: null,
        message: "no such user",
        details: null
      }]
    ] as const
  ) {
    it.effect(`takes ${name} for a remote failure with all that it says`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(asked(goldenAnswer(name)))
        assert.instanceOf(error, ActionClient.RemoteFailure)
        const { details, errorCode, errorType, message } = error
        assert.deepStrictEqual({ errorType, errorCode, message, details }, expected)
      }))
  }

  it.effect("drops malformed answers and answers to others, and goes on waiting", () =>
    Effect.gen(function*() {
      const success = yield* asked((action) => [
        "no JSON",
        golden("python/response-success.json"),
        ...goldenAnswer("python/older-response-success.json")(action)
      ])
      assert.deepStrictEqual(success, { resultado: "éxito" })
    }))

  it.effect("is answered by whichever Python worker was faster", () =>
    Effect.gen(function*() {
      const asking = yield* Effect.forkChild(Effect.all([ask(), ask(), ask()], { concurrency: "unbounded" }))
      const first = yield* pythonWorker(() => [])
      const second = yield* pythonWorker(() => [], "user-worker-internal-1")
      const third = yield* pythonWorker(() => [])
      // Answered in another order than asked.
      for (const action of [third, first, second]) {
        yield* call("LPUSH", listOf(action), ...goldenAnswer("python/response-success.json")(action))
      }
      assert.lengthOf(yield* Fiber.join(asking), 3)
    }))

  it.effect("sends callback actions that a Python worker understands, and handles the results as actions", () =>
    Effect.gen(function*() {
      const got = yield* Queue.unbounded<Json>()
      yield* Worker.start(
        ActionGroup.make(UserCreated).handlers({
          "signup.user_created": ({ user_id }, { action, attempt }) =>
            Effect.asVoid(Queue.offer(got, { ...action, payload: user_id, attempt }))
        })
      )
      const client = yield* ActionClient.ActionClient
      yield* client.sendWithCallback(CreateUser, { email: "a@example.com" }, {
        callback: UserCreated,
        correlationId: ids.correlation_id,
        context: { tenantId: ids.tenant_id, taskId: ids.task_id }
      })
      const request = yield* pythonWorker((action) => [
        JSON.stringify({
          ...message("python/action-send.json"),
          action_id: "00000040-0000-4000-8000-000000000040",
          action_type: action["callback_action_type"],
          correlation_id: action["correlation_id"],
          tenant_id: action["tenant_id"],
          task_id: action["task_id"],
          origin_service: "user",
          data: { user_id: "u1" }
        })
      ])
      assert.strictEqual(request["callback_action_type"], "signup.user_created")
      assert.strictEqual(request["callback_queue_name"], "nooble4:dev:signup:callbacks:signup_user_created:inbox")
      assert.deepInclude(yield* Queue.take(got), {
        payload: "u1",
        attempt: 1,
        action_id: "00000040-0000-4000-8000-000000000040",
        action_type: "signup.user_created",
        correlation_id: ids.correlation_id,
        tenant_id: ids.tenant_id,
        task_id: ids.task_id,
        origin_service: "user"
      })
      yield* until("the list is empty", Effect.map(call("EXISTS", listOf(request)), (there) => there === 0))
    }))

  it.effect("keeps the order of callbacks that came while no worker ran", () =>
    Effect.gen(function*() {
      const list = "nooble4:dev:signup:callbacks:signup_user_created:inbox"
      const wanted = Array.from({ length: 500 }, (_, index) => `u${index}`)
      yield* call(
        "LPUSH",
        list,
        ...wanted.map((user_id) =>
          JSON.stringify(message("python/action-send.json", { action_type: "signup.user_created", data: { user_id } }))
        )
      )
      const got: Array<string | undefined> = []
      yield* Worker.start(
        ActionGroup.make(UserCreated).handlers({
          "signup.user_created": ({ user_id }) =>
            Effect.sync(() => {
              got.push(user_id)
            })
        }),
        { concurrency: 1 }
      )
      yield* until("all came", Effect.sync(() => got.length >= wanted.length))
      assert.deepStrictEqual(got, wanted)
    }))
})
