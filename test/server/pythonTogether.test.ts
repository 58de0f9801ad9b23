/** What the page about the migration says of a time in which Python workers, or Python askers, are still there. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { randomUUID } from "node:crypto"
import * as Action from "../../src/Action.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import { RetryLater } from "../../src/HandlerError.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import { golden } from "../fixtures/index.ts"
import * as Server from "../support/redisServer.ts"
import { until } from "../support/until.ts"

type Json = Record<string, unknown>

const call = (...args: ReadonlyArray<string | number>) =>
  Effect.flatMap(Server.RedisServer, (server) => server.cli(...args))

const parse = (text: unknown): Json => JSON.parse(String(text)) as Json

/** A golden message, some of its keys replaced. */
const message = (path: string, over: Json) => JSON.stringify({ ...parse(golden(path)), ...over })

const Create = Action.make("user.create", { payload: { email: Schema.String }, success: { user_id: Schema.String } })
const Stumble = Action.make("user.stumble", { success: { attempt: Schema.Int } })
const Result = Action.make("user.result", { payload: { n: Schema.Int } })

const World = Layer.mergeAll(
  Layer.unwrap(Effect.map(Server.RedisServer, ({ url }) => IoRedis.layerOptions({ url }))),
  QueueNaming.layer
).pipe(
  Layer.provideMerge(Settings.layerOf({ serviceName: "user", claimIdle: "500 millis", block: "200 millis" })),
  Layer.provideMerge(Server.layer())
)

const stream = "nooble4:dev:user:streams:main"

/** A Python worker reads an entry, answers that it failed, and leaves it pending, as each failure there does. */
const failInPython = Effect.fnUntraced(function*(list: string, over: Json = {}) {
  yield* Effect.ignore(call("XGROUP", "CREATE", stream, "user-group", "0", "MKSTREAM"))
  const text = message("python/action-request.json", {
    correlation_id: randomUUID(),
    callback_queue_name: list,
    data: { email: "ana@example.com" },
    ...over
  })
  yield* call("XADD", stream, "*", "data", text)
  yield* call("XREADGROUP", "GROUP", "user-group", "user-worker-internal-0", "COUNT", 1, "STREAMS", stream, ">")
  yield* call("LPUSH", list, golden("python/response-failure.json"))
})

const start = (options: Worker.WorkerOptions = {}) =>
  Effect.gen(function*() {
    const ran: Array<string> = []
    yield* Worker.start(
      ActionGroup.make(Create, Stumble, Result).handlers({
        "user.create": ({ email }) =>
          Effect.sync(() => {
            ran.push(email)
            return { user_id: email }
          }),
        "user.stumble": (_, { attempt }) =>
          attempt < 3 ? Effect.fail(new RetryLater({ after: "10 millis" })) : Effect.succeed({ attempt }),
        "user.result": ({ n }) => Effect.sync(() => void ran.push(String(n)))
      }),
      options
    )
    return ran
  })

const nothingPending = Effect.map(
  call("XPENDING", stream, "user-group"),
  (reply) => (reply as ReadonlyArray<number>)[0] === 0
)

layer(World, { excludeTestServices: true, timeout: 60_000 })("While Python workers share the group", (it) => {
  it.effect("a failure of theirs is run again here, and answered a second time", () =>
    Effect.gen(function*() {
      const list = "nooble4:dev:orchestrator:responses:user_create:again"
      yield* failInPython(list)
      assert.deepInclude(parse(yield* call("RPOP", list)), { success: false })
      const ran = yield* start()
      yield* until("it is settled", nothingPending)
      assert.deepStrictEqual(ran, ["ana@example.com"])
      assert.deepInclude(parse(yield* call("RPOP", list)), { success: true, data: { user_id: "ana@example.com" } })
    }))

  it.effect("a failure of theirs becomes a dead letter, and is not run, with a maxDeliveries of 1", () =>
    Effect.gen(function*() {
      const list = "nooble4:dev:orchestrator:responses:user_create:once"
      yield* failInPython(list)
      const ran = yield* start({ maxDeliveries: 1 })
      yield* until("it is settled", nothingPending)
      assert.isEmpty(ran)
      const letters = JSON.stringify(yield* call("XRANGE", "nooble4:dev:user:streams:dead", "-", "+"))
      assert.include(letters, "\"poison\"")
      assert.include(letters, "ana@example.com")
    }))

  it.effect("a maxDeliveries of 1 leaves our own attempts alone", () =>
    Effect.gen(function*() {
      yield* start({ maxDeliveries: 1 })
      const list = "nooble4:dev:orchestrator:responses:user_stumble:attempts"
      const text = message("python/action-request.json", {
        action_type: "user.stumble",
        callback_queue_name: list,
        data: {}
      })
      yield* call("XADD", stream, "*", "data", text)
      const reply = yield* call("BRPOP", list, 8)
      assert.isArray(reply)
      assert.deepInclude(parse((reply as ReadonlyArray<string>)[1]), { success: true, data: { attempt: 3 } })
    }))
})

layer(World, { excludeTestServices: true, timeout: 60_000 })("A Python asker", (it) => {
  it.effect("that names its own action stream gets the callback there, as an action that its worker reads", () =>
    Effect.gen(function*() {
      const asker = "nooble4:dev:ingestion:streams:main"
      yield* call("XGROUP", "CREATE", asker, "ingestion-group", "0", "MKSTREAM")
      yield* start()
      const text = message("python/action-callback.json", {
        action_type: "user.create",
        callback_queue_name: asker,
        callback_action_type: "ingestion.user_created",
        data: { email: "ana@example.com" }
      })
      yield* call("XADD", stream, "*", "data", text)
      const read = ["COUNT", 1, "BLOCK", 8000, "STREAMS", asker, ">"]
      const reply = yield* call("XREADGROUP", "GROUP", "ingestion-group", "ingestion-worker-internal-0", ...read)
      assert.isArray(reply, "no callback came")
      const [[, [[, fields]]]] = reply as unknown as [[string, [[string, ReadonlyArray<string>]]]]
      assert.strictEqual(fields[0], "data")
      assert.deepInclude(parse(fields[1]), {
        action_type: "ingestion.user_created",
        correlation_id: "00000007-0000-4000-8000-000000000007",
        agent_id: "00000004-0000-4000-8000-000000000004",
        callback_queue_name: null,
        data: { user_id: "ana@example.com" },
        metadata: {}
      })
    }))

  it.effect("that moved here gets the callbacks in its lists per correlation id once they are in the shared list", () =>
    Effect.gen(function*() {
      const inbox = "nooble4:dev:user:callbacks:user_result:inbox"
      const lists = [randomUUID(), randomUUID()].map((id) => `nooble4:dev:user:callbacks:user_result:${id}`)
      const callback = (n: number) => message("python/action-send.json", { action_type: "user.result", data: { n } })
      yield* call("LPUSH", lists[0]!, callback(1), callback(2))
      yield* call("LPUSH", lists[1]!, callback(3))
      const ran = yield* start()
      yield* call("LPUSH", inbox, callback(0))
      yield* until("the callback in the shared list is handled", Effect.sync(() => ran.length === 1))
      assert.strictEqual(yield* call("LLEN", lists[0]!), 2)

      // The recipe of the page: to the shared list, the oldest first.
      for (const list of lists) {
        while ((yield* call("LMOVE", list, inbox, "RIGHT", "LEFT")) !== null) {
          // Until it is empty.
        }
      }
      yield* until("all are handled", Effect.sync(() => ran.length === 4))
      assert.deepStrictEqual([...ran].sort(), ["0", "1", "2", "3"])
    }))
})
