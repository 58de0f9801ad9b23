/**
 * A callback list that nothing reads is found by a worker that starts.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { callbackInbox, callbackList, responseList } from "../../src/internal/redis/names.ts"
import { QueueNaming } from "../../src/QueueNaming.ts"
import { Redis, RedisError } from "../../src/Redis.ts"
import * as Worker from "../../src/Worker.ts"
import { eventually, onBoth, Place, send } from "../support/layers.ts"
import { quick, sendAction, settled } from "../support/world.ts"

const handlers = { "user.create": () => Effect.succeed({}) }

const warnings = Effect.map(
  Place,
  ({ logs }) => logs.filter(({ text }) => text.startsWith("Callback lists that no worker reads"))
)

/** The warning of a worker, once it is there. */
const warned = Effect.gen(function*() {
  yield* eventually("it is logged", Effect.map(warnings, ({ length }) => length > 0))
  const [line] = yield* warnings
  assert.strictEqual(line?.level, "Warn")
  return line?.text ?? ""
})

onBoth("a worker that starts", (test) => {
  const found: ReadonlyArray<readonly [what: string, list: (naming: QueueNaming["Service"]) => string]> = [
    [
      "of its service, for a type that it does not handle",
      (naming) => callbackInbox(naming, "user", "order.mail_sent")
    ],
    ["of another service, for a type that it handles", (naming) => callbackInbox(naming, "ops", "user.create")],
    ["of its service, for a single callback", (naming) => callbackList(naming, "user", "user.create", "1")]
  ]
  for (const [what, listIn] of found) {
    test(`warns of a callback list that nothing reads: ${what}`, () =>
      Effect.gen(function*() {
        const list = listIn(yield* QueueNaming)
        yield* send("LPUSH", list, "a secret", "b", "c")
        yield* Worker.start(handlers, quick)
        const text = yield* warned
        assert.include(text, `${list} (3 waiting)`)
        assert.notInclude(text, "secret")
        assert.strictEqual(yield* send("LLEN", list), 3)
      }))
  }

  test("warns of no list that is read, now or by another worker, or that belongs to another service", () =>
    Effect.gen(function*() {
      const naming = yield* QueueNaming
      const { environment } = yield* Place
      const nobodys = callbackInbox(naming, "user", "order.nobody")
      const others = [
        callbackInbox(naming, "user", "user.create"),
        callbackInbox(naming, "user", "order.mail_sent"),
        callbackInbox(naming, "ops", "ops.done"),
        responseList(naming, "user", "user.create", "1"),
        `nooble4:${environment}x:user:callbacks:order_nobody:inbox`
      ]
      // What is moved is malformed, and goes to the dead letters.
      for (const list of [nobodys, ...others]) yield* send("LPUSH", list, "{}")
      yield* Worker.start({ "order.mail_sent": () => Effect.succeed({}) }, quick)
      yield* Worker.start(handlers, quick)
      // The first to start may have a warning of its own.
      const texts = Effect.map(warnings, (lines) => lines.map(({ text }) => text))
      yield* eventually("both have looked", Effect.map(texts, ({ length }) => length === 2))
      for (const text of yield* texts) {
        assert.include(text, `${nobodys} (1 waiting)`)
        for (const list of others) assert.notInclude(text, list)
      }
    }))

  test("finds a list among thousands of keys", () =>
    Effect.gen(function*() {
      const naming = yield* QueueNaming
      const list = callbackInbox(naming, "user", "order.mail_sent")
      for (let key = 0; key < 3_000; key += 500) {
        const pairs = Array.from(
          { length: 500 },
          (_, index) => [naming.key("user", "retries", `g${key + index}`, "lease"), "1"]
        )
        yield* send("MSET", ...pairs.flat())
      }
      yield* send("LPUSH", list, "a")
      yield* Worker.start(handlers, quick)
      assert.include(yield* warned, list)
    }))

  test("works and says nothing where it may not look", () =>
    Effect.gen(function*() {
      const naming = yield* QueueNaming
      const redis = yield* Redis
      let asked = false
      const deaf = Redis.of({
        ...redis,
        send: (command, ...args) => {
          if (command !== "SCAN") return redis.send(command, ...args)
          asked = true
          return Effect.fail(new RedisError({ cause: new Error("NOPERM this user has no permissions to run 'scan'") }))
        }
      })
      yield* send("LPUSH", callbackInbox(naming, "user", "order.mail_sent"), "a")
      const worker = yield* Effect.provideService(Worker.start(handlers, quick), Redis, deaf)
      yield* eventually("it has asked", Effect.sync(() => asked))
      yield* sendAction("")
      yield* settled
      assert.strictEqual((yield* worker.status).state, "running")
      assert.lengthOf(yield* warnings, 0)
    }))
})
