/**
 * A stream whose last entry ids are used up: an entry that is added with an id of its own ends it for all senders.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as DeadLetter from "../../src/DeadLetter.ts"
import * as DomainAction from "../../src/DomainAction.ts"
import { actionStream, responseList } from "../../src/internal/redis/names.ts"
import { idsLeft, supplyOf } from "../../src/internal/redis/streamIds.ts"
import { QueueNaming } from "../../src/QueueNaming.ts"
import * as Worker from "../../src/Worker.ts"
import { eventually, inMemory, onBoth, onServer, Place, send } from "../support/layers.ts"
import { describeInMemory } from "../support/place.ts"

const most = "18446744073709551615"
const lastId = `${most}-${most}`

const Greet = Action.make("user.greet", { payload: { name: Schema.String }, success: { text: Schema.String } })
const Greeted = Action.make("user.greeted", { payload: { text: Schema.String } })

const action = (does: Partial<DomainAction.DomainAction> = {}) =>
  DomainAction.encode(
    DomainAction.make({
      action_id: crypto.randomUUID(),
      action_type: "user.greet",
      timestamp: "2026-01-01T00:00:00Z",
      data: { name: "ana" },
      ...does
    })
  )

const addWith = (id: string) => Effect.flatMap(Place, ({ names }) => send("XADD", names.stream, id, "data", action()))

const startWorker = Effect.fnUntraced(function*(options: Worker.WorkerOptions = {}) {
  const handled: Array<string> = []
  yield* Worker.start({
    "user.greet": (action: DomainAction.DomainAction) =>
      Effect.sync(() => {
        handled.push(action.action_id)
        return { text: "hello" }
      })
  }, { block: "200 millis", ...options })
  return handled
})

const told = (level: string, what: RegExp) =>
  Effect.map(Place, ({ logs }) => logs.filter((line) => line.level === level && what.test(line.text)))

describeInMemory("ids of a stream", () => {
  it.each([
    [lastId, 0n, "exhausted"],
    [`${most}-18446744073709551610`, 5n, "scarce"],
    [`${most}-0`, (1n << 64n) - 1n, "scarce"],
    [`18446744073709551614-${most}`, 1n << 64n, "ample"],
    ["0-0", (1n << 128n) - 1n, "ample"],
    ["", undefined, "ample"],
    ["undefined", undefined, "ample"]
  ])("after %s there are %s left", (id, left, supply) => {
    assert.strictEqual(idsLeft(id), left)
    assert.strictEqual(supplyOf(id), supply)
  })
})

onBoth("a worker", (test) => {
  test("says at its start that nothing can be sent, and what to do, and handles what is there", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      yield* addWith("1-1")
      yield* addWith(lastId)
      const handled = yield* startWorker()
      const lines = yield* told("Error", /Nothing can be sent to .*docs\/security\.md/)
      assert.strictEqual(lines.length, 1)
      assert.include(lines[0]?.text, names.stream)
      yield* eventually("both are handled", Effect.sync(() => handled.length === 2))
    }))

  test("says at its start that a stream without entries has no ids left", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      yield* addWith(lastId)
      yield* send("XDEL", names.stream, lastId)
      yield* startWorker()
      assert.strictEqual((yield* told("Error", /Nothing can be sent to/)).length, 1)
    }))

  test("says at its start how few ids are left", () =>
    Effect.gen(function*() {
      yield* addWith(`${most}-18446744073709551610`)
      yield* startWorker()
      assert.strictEqual((yield* told("Warn", /can take only 5 more entries/)).length, 1)
      assert.strictEqual((yield* told("Error", /Nothing can be sent/)).length, 0)
    }))

  test("says nothing of ids that are merely ahead of the clock", () =>
    Effect.gen(function*() {
      yield* addWith("99999999999999-0")
      const handled = yield* startWorker()
      yield* eventually("it is handled", Effect.sync(() => handled.length === 1))
      assert.strictEqual((yield* told("Warn", /entries|id/)).length, 0)
      assert.strictEqual((yield* told("Error", /entries|id/)).length, 0)
    }))
})

inMemory("a worker that runs", (test) => {
  test("says once that the ids of its stream were used up meanwhile, first that they are few", () =>
    Effect.gen(function*() {
      const place = yield* Place
      yield* startWorker()
      yield* place.pass("20 seconds")
      assert.strictEqual((yield* told("Error", /Nothing can be sent/)).length, 0)
      yield* addWith(`${most}-18446744073709551614`)
      yield* place.pass("20 seconds")
      assert.strictEqual((yield* told("Warn", /can take only 1 more entries/)).length, 1)
      yield* addWith(lastId)
      yield* place.pass("1 minute")
      assert.strictEqual((yield* told("Error", /Nothing can be sent/)).length, 1)
      assert.strictEqual((yield* told("Warn", /can take only/)).length, 1)
    }))
})

onBoth("a sender", (test) => {
  test("learns which stream takes no more entries and what to do, for each kind of call", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      yield* addWith(lastId)
      const context = yield* Layer.build(ActionClient.layer)
      const sends = Effect.gen(function*() {
        const client = yield* ActionClient.ActionClient
        return [
          client.send(Greet, { name: "secret" }),
          client.sendMany(Greet, [{ name: "secret" }, { name: "b" }]),
          client.request(Greet, { name: "secret" }),
          client.sendWithCallback(Greet, { name: "secret" }, { callback: Greeted }),
          client.sendAction(DomainAction.make({
            action_id: crypto.randomUUID(),
            action_type: "user.greet",
            timestamp: "2026-01-01T00:00:00Z",
            data: { name: "secret" }
          }))
        ]
      })
      for (const sending of yield* Effect.provideContext(sends, context)) {
        const error = yield* Effect.flip(Effect.asVoid(sending as Effect.Effect<unknown, unknown>))
        assert.propertyVal(error, "_tag", "RedisError")
        const text = (error as { readonly cause: Error }).cause.message
        assert.include(text, `${names.stream} accepts no more entries`)
        assert.include(text, "docs/security.md")
        assert.notInclude(text, "secret")
      }
    }))

  test("gets other errors in the server's words", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      yield* send("SET", names.stream, "no stream")
      const context = yield* Layer.build(ActionClient.layer)
      const error = yield* Effect.flip(
        Effect.provideContext(
          Effect.flatMap(ActionClient.ActionClient, (client) => client.send(Greet, { name: "a" })),
          context
        )
      )
      assert.strictEqual(error._tag, "RedisError")
      assert.match(String(error.cause), /WRONGTYPE/)
    }))

  test("that replays a dead letter gets the same error, and the letter stays", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      yield* startWorker()
      yield* send("XADD", names.stream, "*", "data", "no json")
      const letters = yield* Layer.build(DeadLetter.layer)
      const { count, list, replay } = yield* Effect.provideContext(DeadLetter.DeadLetter, letters)
      yield* eventually("it is a dead letter", Effect.map(count(), (number) => number === 1))
      yield* addWith(lastId)
      const page = yield* list()
      const error = yield* Effect.flip(replay(page.letters[0]?.id ?? ""))
      assert.strictEqual(error._tag, "RedisError")
      assert.include(String((error as { readonly cause: unknown }).cause), `${names.stream} accepts no more entries`)
      assert.strictEqual(yield* count(), 1)
    }))
})

onBoth("an answer to a stream without ids", (test) => {
  test("goes to the dead letters at once, and no other answer waits for it", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const naming = yield* QueueNaming
      const full = actionStream(naming, "order")
      yield* send("XADD", full, lastId, "data", "x")
      const list = responseList(naming, "client", "user.greet", crypto.randomUUID())
      for (const target of [full, list]) {
        yield* send(
          "XADD",
          names.stream,
          "*",
          "data",
          action({
            correlation_id: crypto.randomUUID(),
            callback_queue_name: target,
            callback_action_type: target === full ? "order.greeted" : null
          })
        )
      }
      yield* startWorker()
      yield* eventually("the other answer is there", Effect.map(send("LLEN", list), (length) => length === 1))
      yield* eventually("the letter is there", Effect.map(send("XLEN", names.deadLetters), (length) => length === 1))
      const letters = yield* send<ReadonlyArray<readonly [string, ReadonlyArray<string>]>>(
        "XRANGE",
        names.deadLetters,
        "-",
        "+"
      )
      assert.include(letters[0]?.[1] ?? [], "undeliverable")
      assert.strictEqual((yield* told("Warn", /Redis failed/)).length, 0)
    }))
})

onServer("docs/security.md", (test) => {
  test("has a repair after which a stream without ids takes and delivers entries again", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const handled = yield* startWorker()
      yield* addWith(lastId)
      yield* eventually("it is handled", Effect.sync(() => handled.length === 1))
      const page = readFileSync(join(import.meta.dirname, "../../docs/security.md"), "utf8")
      const section = page.slice(page.indexOf("## A stream without ids"))
      const commands = /```text\n([\s\S]*?)```/.exec(section)?.[1]?.trim().split("\n") ?? []
      assert.isAbove(commands.length, 2)
      for (const command of commands) {
        const [name = "", ...args] = command.replaceAll("nooble4:dev:user:streams:main", names.stream)
          .replaceAll("user-group", names.group).replace(/ +#.*$/, "").split(" ")
        yield* send(name, ...args)
      }
      yield* send("XADD", names.stream, "*", "data", action())
      yield* eventually("the next one is handled", Effect.sync(() => handled.length === 2))
    }))
})
