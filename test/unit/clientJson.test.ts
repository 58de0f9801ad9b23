/**
 * What a caller sends is what was checked: an object that writes itself as something else is refused before it leaves.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as DomainAction from "../../src/DomainAction.ts"
import { entriesOf, inMemory, Place } from "../support/layers.ts"

const Ping = Action.make("user.ping")

const text = { toJSON: () => "text" }
const list = { toJSON: () => [1] }
const other = { secret: 1, toJSON: () => ({ shown: 2 }) }

const envelope = DomainAction.make({
  action_id: "00000001-0000-4000-8000-000000000001",
  action_type: "user.ping",
  timestamp: "2025-06-29T04:03:00.123456Z",
  data: {}
})

inMemory("a client", (test) => {
  const refused = [
    ["metadata that is a text", { metadata: text }],
    ["metadata that is a list", { metadata: list }],
    ["data that is a text", { data: text }],
    ["a config that is a text", { rag_config: text }]
  ] as const
  for (const [what, change] of refused) {
    test(`sends no action that workers would refuse once a toJSON wrote it: ${what}`, () =>
      Effect.gen(function*() {
        const { names } = yield* Place
        const client = yield* ActionClient.ActionClient
        const error = yield* Effect.flip(client.sendAction({ ...envelope, ...change }))
        assert.strictEqual(error._tag, "EncodeError")
        assert.include(error.message, "A toJSON of the action writes a malformed one")
        assert.deepStrictEqual(yield* entriesOf(names.stream), [])
      }).pipe(Effect.provide(ActionClient.layer)))
  }

  test("refuses metadata that writes itself as a text, whichever call it is given to", () =>
    Effect.gen(function*() {
      const client = yield* ActionClient.ActionClient
      const options = { metadata: text }
      assert.strictEqual((yield* Effect.flip(client.send(Ping, {}, options)))._tag, "EncodeError")
      assert.strictEqual((yield* Effect.flip(client.sendMany(Ping, [{}], options)))._tag, "EncodeError")
      assert.strictEqual((yield* Effect.flip(client.request(Ping, {}, options)))._tag, "EncodeError")
    }).pipe(Effect.provide(ActionClient.layer)))

  test("sends what a toJSON gives where that is an object", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const client = yield* ActionClient.ActionClient
      yield* client.sendAction({ ...envelope, data: other, metadata: other })
      const [entry] = yield* entriesOf(names.stream)
      assert.deepInclude(JSON.parse(entry?.[1][1] ?? ""), { data: { shown: 2 }, metadata: { shown: 2 } })
    }).pipe(Effect.provide(ActionClient.layer)))
})
