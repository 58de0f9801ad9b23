/**
 * What errors and log lines say: what is wrong, what was found, and what to do.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as TestClock from "effect/testing/TestClock"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import { RetryLater } from "../../src/HandlerError.ts"
import { timeText } from "../../src/internal/base/timeText.ts"
import { Outage } from "../../src/internal/redis/outage.ts"
import * as trouble from "../../src/internal/redis/trouble.ts"
import { RedisError } from "../../src/Redis.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import { eventually, inMemory, Place, send } from "../support/layers.ts"
import { recording } from "../support/logs.ts"
import { actionOf } from "../support/messages.ts"
import { sendAction, settled } from "../support/world.ts"

class GatewayDown extends Data.TaggedError("GatewayDown")<{ readonly message?: string }> {}

const levelled = ({ level, text }: { readonly level: string; readonly text: string }) => `${level} ${text}`

const redisError = (message: string) => new RedisError({ cause: new Error(message) })

describe("an outage", () => {
  const closed = redisError("Connection is closed.")

  it.effect("is one line down and one up, however many things of a worker it stops", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const own = trouble.make("payment")
      let away = true
      const call = Effect.suspend(() => away ? Effect.fail(closed) : Effect.void)
      yield* Effect.gen(function*() {
        const fibers = yield* Effect.forEach(
          ["reading", "settling", "renewing"],
          (doing) => Effect.forkChild(own.around(doing, call))
        )
        yield* TestClock.adjust("12 seconds")
        assert.strictEqual(own.current().size, 3)
        away = false
        yield* TestClock.adjust("10 seconds")
        yield* Effect.forEach(fibers, Fiber.join)
      }).pipe(Effect.provide(recording(lines, levelled)))
      assert.strictEqual(lines.length, 2, lines.join("\n"))
      assert.strictEqual(
        lines[0],
        "Warn Redis failed: Connection is closed (while reading). This process tries again until it works"
      )
      assert.match(lines[1]!, /^Info Redis works again, after \d+ s$/)
    }))

  it.effect("of two workers of a process is one line down, and one up when the last of them works", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const outage = new Outage()
      const away = new Set(["payment", "mail"])
      yield* Effect.gen(function*() {
        const fibers = yield* Effect.forEach(["payment", "mail"], (service) =>
          Effect.forkChild(
            trouble.make(service, outage).around(
              "reading",
              Effect.suspend(() => away.has(service) ? Effect.fail(closed) : Effect.void)
            )
          ))
        yield* TestClock.adjust("12 seconds")
        away.delete("payment")
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(lines.length, 1, lines.join("\n"))
        away.delete("mail")
        yield* TestClock.adjust("10 seconds")
        yield* Effect.forEach(fibers, Fiber.join)
      }).pipe(Effect.provide(recording(lines, levelled)))
      assert.strictEqual(lines.length, 2, lines.join("\n"))
      assert.match(lines[1]!, /^Info Redis works again, after 2\d s$/)
    }))

  it.effect("ends with the last part that fails, also when another ends without having worked again", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const outage = new Outage()
      let away = true
      const call = Effect.suspend(() => away ? Effect.fail(closed) : Effect.void)
      yield* Effect.gen(function*() {
        const [left, stays] = [trouble.make("mail", outage), trouble.make("payment", outage)]
        const fiber = yield* Effect.forkChild(stays.around("reading", call))
        const other = yield* Effect.forkChild(left.around("reading", call))
        yield* TestClock.adjust("5 seconds")
        yield* Fiber.interrupt(other)
        left.forget()
        away = false
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.join(fiber)
      }).pipe(Effect.provide(recording(lines, levelled)))
      assert.strictEqual(lines.length, 2, lines.join("\n"))
    }))

  it.effect("whose server loads and is read-only before it works is the same outage", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const own = trouble.make("payment")
      const errors = [closed, redisError("LOADING Redis is loading"), redisError("READONLY You can't write")]
      const call = Effect.suspend(() => {
        const error = errors.shift()
        return error === undefined ? Effect.void : Effect.fail(error)
      })
      const fiber = yield* Effect.forkChild(Effect.provide(own.around("reading", call), recording(lines, levelled)))
      yield* TestClock.adjust("30 seconds")
      yield* Fiber.join(fiber)
      assert.strictEqual(lines.length, 2, lines.join("\n"))
    }))

  it.effect("logs a failure of another kind while it lasts", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const own = trouble.make("payment")
      const errors = [closed, redisError("OOM command not allowed")]
      const call = Effect.suspend(() => {
        const error = errors.shift()
        return error === undefined ? Effect.void : Effect.fail(error)
      })
      const fiber = yield* Effect.forkChild(Effect.provide(own.around("reading", call), recording(lines, levelled)))
      yield* TestClock.adjust("30 seconds")
      yield* Fiber.join(fiber)
      assert.match(lines[1]!, /^Warn Redis still fails after \d+ ms: OOM command not allowed \(while reading\)\./)
      assert.strictEqual(lines.length, 3, lines.join("\n"))
    }))
})

inMemory("a worker", (test) => {
  test("names its service on every line, also where it creates its group again", () =>
    Effect.gen(function*() {
      const { logs, names, pass } = yield* Place
      yield* Worker.start({ "user.create": () => Effect.void })
      yield* send("XGROUP", "DESTROY", names.stream, names.group)
      const restored = () => logs.find(({ text }) => text.startsWith("The group"))
      yield* eventually("the group is there again", Effect.map(pass("1 second"), () => restored() !== undefined))
      for (const { annotations, text } of logs) assert.strictEqual(annotations["service"], "user", text)
    }))

  test("says what it reads when it starts, that it drains, and that it has drained", () =>
    Effect.gen(function*() {
      const { logs, names } = yield* Place
      const worker = yield* Worker.start({ "user.create": () => Effect.void, "user.delete": () => Effect.void })
      yield* worker.drain
      assert.deepStrictEqual(logs.map(levelled), [
        `Info user reads ${names.stream}: user.create, user.delete, 1 consumer × 100`,
        "Info user drains: no action is running",
        "Info user has drained"
      ])
      for (const { annotations } of logs) assert.strictEqual(annotations["service"], "user")
    }))

  test("names some of many types", () =>
    Effect.gen(function*() {
      const { logs, names } = yield* Place
      const types = Array.from({ length: 9 }, (_, index) => [`user.do${index}`, () => Effect.void] as const)
      // SAFETY: the keys are those of the line above.
      const handlers = Object.fromEntries(types) as { readonly "user.do0": () => Effect.Effect<void> }
      yield* Worker.start(handlers, { concurrency: 3, consumers: 2 })
      assert.strictEqual(
        logs[0]?.text,
        `user reads ${names.stream}: user.do0, user.do1, user.do2, user.do3, user.do4 and 4 more, 2 consumers × 3`
      )
    }))

  const failures: ReadonlyArray<readonly [what: string, run: () => Effect.Effect<never, unknown>, line: string]> = [
    [
      "RetryLater",
      () => Effect.fail(new RetryLater({ cause: new GatewayDown({}) })),
      "Info attempt 1 of 5 failed: GatewayDown"
    ],
    [
      "RetryLater with a message in its cause",
      () => Effect.fail(new RetryLater({ cause: new GatewayDown({ message: "no route" }) })),
      "Info attempt 1 of 5 failed: GatewayDown: no route"
    ],
    ["a tagged error", () => Effect.fail(new GatewayDown({})), "Info attempt 1 of 5 failed: GatewayDown"],
    ["a thrown Error", () => {
      throw new Error("boom")
    }, "Warn attempt 1 of 5 failed: boom"],
    [
      "a TypeError that it died with",
      () => Effect.die(new TypeError("x is undefined")),
      "Warn attempt 1 of 5 failed: TypeError: x is undefined"
    ]
  ]
  for (const [what, run, line] of failures) {
    test(`names the cause of a failed attempt, the attempt and the next one: ${what}`, () =>
      Effect.gen(function*() {
        const { logs } = yield* Place
        yield* Worker.start({ "user.create": run })
        yield* sendAction("")
        const lines = Effect.sync(() => logs.filter(({ text }) => text.startsWith("attempt 1")))
        yield* eventually("it is logged", Effect.map(lines, ({ length }) => length === 1))
        const [found] = yield* lines
        assert.match(levelled(found!), /^(.*); next attempt in \d+ (ms|s)$/)
        assert.strictEqual(levelled(found!).split("; next")[0], line)
        for (const key of ["service", "action_id", "correlation_id", "trace_id"]) {
          assert.property(found!.annotations, key)
        }
      }))
  }

  test("names the tag of the cause in the line of a dead letter", () =>
    Effect.gen(function*() {
      const { logs } = yield* Place
      yield* Worker.start({ "user.create": () => Effect.fail(new RetryLater({ cause: new GatewayDown({}) })) }, {
        maxAttempts: 1
      })
      yield* sendAction("")
      yield* settled
      yield* eventually(
        "it is logged",
        Effect.sync(() => logs.some((line) => levelled(line) === "Warn Dead letter (exhausted): GatewayDown"))
      )
    }))

  test("names a type that it has no handler for, once at info", () =>
    Effect.gen(function*() {
      const { logs, names, pass } = yield* Place
      yield* Worker.start({ "user.create": () => Effect.void })
      for (const number of [1, 2]) {
        yield* send("XADD", names.stream, "*", "data", actionOf("user.delete", number, { data: {} }))
      }
      const line = "Info No handler for user.delete: the action is left to other workers of its service"
      yield* eventually("it is logged", Effect.sync(() => logs.some((found) => levelled(found) === line)))
      yield* pass("1 minute")
      assert.lengthOf(logs.filter((found) => levelled(found) === line), 1)
    }))

  test("learns from a client which text cannot be an id", () =>
    Effect.gen(function*() {
      const client = yield* ActionClient.make()
      const error = yield* Effect.flip(client.send(Action.make("user.ping"), {}, { actionId: "order\n1" }))
      assert.strictEqual(
        error.message,
        "The option \"actionId\" is \"order\\n1\": expected a UUID, or any other text of 1 to 200 printable characters"
      )
    }))
})

describe("a settings error", () => {
  it("has no stack below its message", () => {
    const error = Result.getOrThrow(Result.flip(Settings.make({ serviceName: "" })))
    assert.include(error.message, "serviceName is \"\": expected a name")
    assert.strictEqual(error.stack, `SettingsError: ${error.message}`)
  })
})

describe("a time in a log line", () => {
  it("is rounded, in one unit", () => {
    assert.deepStrictEqual(
      [0.2, 250, 3_966, 90_000, 900_000, 10_800_000].map(timeText),
      ["1 ms", "250 ms", "4 s", "90 s", "15 min", "3 h"]
    )
  })
})
