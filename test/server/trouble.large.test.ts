/**
 * Answers that are too large for the server, one alone or all of a call together.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import { namesOf } from "../../src/internal/redis/names.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import * as Server from "../support/redisServer.ts"
import { until } from "../support/until.ts"

const Write = Action.make("user.write", { payload: { size: Schema.Int }, success: { text: Schema.String } })

const handlers = ActionGroup.make(Write).handlers({
  "user.write": ({ size }) => Effect.succeed({ text: "x".repeat(size) })
})

const mebi = 1024 * 1024

const startOn = Effect.fnUntraced(function*(config: string) {
  const server = yield* Server.start({ config: [config] })
  const context = yield* Layer.build(
    Layer.mergeAll(IoRedis.layerOptions({ url: server.url }), QueueNaming.layer).pipe(
      Layer.provideMerge(Settings.layerOf({ serviceName: "user", block: "500 millis", requestTimeout: "20 seconds" }))
    )
  )
  const client = yield* ActionClient.make().pipe(Effect.provideContext(context))
  const worker = yield* Worker.start(handlers, { shutdownGrace: 0 }).pipe(Effect.provideContext(context))
  const names = namesOf(QueueNaming.make({ prefix: "nooble4", environment: "dev" }), "user")
  const pending = Effect.map(
    server.cli("XPENDING", names.stream, names.group),
    (reply) => (reply as [number])[0]
  )
  const write = (size: number) => client.request(Write, { size })
  return { client, names, pending, server, worker, write }
})

describe("a server that takes no large commands", () => {
  it.live("gets answers in calls that are small enough, however many there are", () =>
    Effect.gen(function*() {
      // A connection that sends more at once is closed.
      const { pending, write } = yield* startOn("client-query-buffer-limit 20mb")
      const texts = yield* Effect.forEach(Array.from({ length: 40 }), () => write(mebi), { concurrency: "unbounded" })
      assert.deepStrictEqual(texts.map(({ text }) => text.length), Array.from({ length: 40 }, () => mebi))
      yield* until("all is acknowledged", Effect.map(pending, (count) => count === 0))
    }), 60_000)

  it.live(
    "gets a dead letter in the place of an answer that it does not take, and everything behind it",
    () =>
      Effect.gen(function*() {
        const { client, names, pending, server, worker, write } = yield* startOn("proto-max-bulk-len 1mb")
        yield* client.send(Write, { size: 2 * mebi })
        const asked = yield* Effect.forkChild(Effect.flip(write(2 * mebi)))
        yield* until(
          "it is buried",
          Effect.map(server.cli("XLEN", names.deadLetters), (length) => length === 1),
          30_000
        )
        assert.strictEqual((yield* write(10)).text.length, 10)
        yield* until("all is acknowledged", Effect.map(pending, (count) => count === 0))
        const [[, fields]] = (yield* server.cli("XRANGE", names.deadLetters, "-", "+")) as [[string, Array<string>]]
        assert.strictEqual(fields[fields.indexOf("reason") + 1], "undeliverable")
        const error = yield* Fiber.join(asked)
        assert.deepInclude(error, { _tag: "RemoteFailure", errorCode: "UNDELIVERABLE_ANSWER" })
        assert.strictEqual((yield* worker.status).state, "running")
      }),
    60_000
  )
})
