/** Contracts that say which of their actions are the same. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as Worker from "../../src/Worker.ts"
import { entriesOf, eventually, onBoth, Place } from "../support/layers.ts"

const Import = Action.make("user.import", {
  payload: { shop: Schema.String, reason: Schema.String },
  success: { reason: Schema.String },
  unique: ({ shop }) => ({ key: shop, within: "1 hour" })
})
const Imported = Action.make("user.imported", { payload: { reason: Schema.String } })

/** A worker that notes why it imported something. */
const start = Effect.gen(function*() {
  const ran: Array<string> = []
  yield* Worker.start(
    ActionGroup.make(Import, Imported).handlers({
      "user.import": ({ reason }) =>
        Effect.sync(() => {
          ran.push(reason)
          return { reason }
        }),
      "user.imported": ({ reason }) =>
        Effect.sync(() => {
          ran.push(`callback of ${reason}`)
        })
    }),
    { block: "200 millis", shutdownGrace: 0 }
  )
  return { ran, client: yield* ActionClient.make() }
})

const settled = Effect.flatMap(
  Place,
  ({ names }) => eventually("all is settled", Effect.map(entriesOf(names.stream), (rows) => rows.length === 0))
)

onBoth("A contract with a unique key", (test) => {
  test("sends the first action of a key, and answers the next with its ids", () =>
    Effect.gen(function*() {
      const { client, ran } = yield* start
      const first = yield* client.send(Import, { shop: "a", reason: "first" })
      const second = yield* client.send(Import, { shop: "a", reason: "second" })
      assert.deepInclude(second, { _tag: "Duplicate" })
      assert.strictEqual(second._tag === "Duplicate" ? second.first.actionId : "", first.actionId)
      assert.strictEqual((yield* client.send(Import, { shop: "b", reason: "other" }))._tag, "Sent")
      yield* settled
      assert.sameMembers(ran, ["first", "other"])
    }))

  test("keeps its key when it is annotated", () =>
    Effect.gen(function*() {
      const { client } = yield* start
      const annotated = Import.annotateMerge(Import.annotations)
      yield* client.send(annotated, { shop: "a", reason: "first" })
      assert.strictEqual((yield* client.send(annotated, { shop: "a", reason: "second" }))._tag, "Duplicate")
    }))

  test("is overridden by the options unique and debounce of a call", () =>
    Effect.gen(function*() {
      const { client } = yield* start
      const unique = { key: "own", within: "1 hour" } as const
      yield* client.send(Import, { shop: "a", reason: "1" })
      assert.strictEqual((yield* client.send(Import, { shop: "a", reason: "2" }, { unique }))._tag, "Sent")
      assert.strictEqual((yield* client.send(Import, { shop: "b", reason: "3" }, { unique }))._tag, "Duplicate")
      const debounce = { key: "a", quiet: "1 hour", maxWait: "1 hour" } as const
      assert.strictEqual((yield* client.send(Import, { shop: "a", reason: "4" }, { debounce }))._tag, "Scheduled")
    }))

  test("answers every request and callback, and sends all of many", () =>
    Effect.gen(function*() {
      const { client, ran } = yield* start
      yield* client.send(Import, { shop: "a", reason: "first" })
      yield* settled
      yield* client.sendWithCallback(Import, { shop: "a", reason: "called" }, { callback: Imported })
      yield* eventually("the callback arrived", Effect.sync(() => ran.includes("callback of called")))
      const receipts = yield* client.sendMany(Import, [{ shop: "a", reason: "1" }, { shop: "a", reason: "2" }])
      assert.deepStrictEqual(receipts.map(({ _tag }) => _tag), ["Sent", "Sent"])
      const asked = yield* Effect.forkChild(client.request(Import, { shop: "a", reason: "asked" }))
      yield* eventually("the request is answered", Effect.sync(() => asked.pollUnsafe() !== undefined))
      assert.deepStrictEqual(yield* Effect.flatMap(Effect.sync(() => asked.pollUnsafe()!), (exit) => exit), {
        reason: "asked"
      })
    }))

  test("refuses a payload that gives an invalid key before anything is sent", () =>
    Effect.gen(function*() {
      const { client } = yield* start
      const error = yield* Effect.flip(client.send(Import, { shop: "", reason: "none" }))
      assert.strictEqual(error._tag, "InvalidOption")
      assert.include(error.message, "\"unique.key\" is \"\"")
    }))

  test("names the function in the error when it throws or returns no key, and nothing is sent", () =>
    Effect.gen(function*() {
      const { client } = yield* start
      const { names } = yield* Place
      const failing = (unique: () => Action.Unique) =>
        Effect.flip(
          client.send(Action.make("user.import", { payload: { shop: Schema.String }, unique }), { shop: "secret" })
        )
      const threw = yield* failing(() => {
        throw new RangeError("secret")
      })
      assert.strictEqual(threw._tag, "EncodeError")
      assert.include(threw.message, "The function \"unique\" of \"user.import\" threw: RangeError")
      assert.notInclude(threw.message, "secret")
      const none = yield* failing(() => null as unknown as Action.Unique)
      assert.strictEqual(none._tag, "InvalidOption")
      assert.include(none.message, "a function that returned null")
      assert.lengthOf(yield* entriesOf(names.stream), 0)
    }))

  test("is not asked for a payload that does not fit", () =>
    Effect.gen(function*() {
      const { client } = yield* start
      const error = yield* Effect.flip(client.send(Import, null as unknown as { shop: string; reason: string }))
      assert.strictEqual(error._tag, "EncodeError")
      assert.strictEqual(error._tag === "EncodeError" ? error.reason._tag : "", "InvalidPayload")
    }))
})
