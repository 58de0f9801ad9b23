/** A name that is given as an option and cannot be one is an `InvalidOption`, whichever call takes it. */
import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as DomainAction from "../../src/DomainAction.ts"
import * as Worker from "../../src/Worker.ts"
import { inMemory, send } from "../support/layers.ts"

const Ping = Action.make("user.ping")
const Pinged = Action.make("user.pinged")
const service = "my service"
const expected = "expected 1 to 128 letters, digits, \"_\" or \"-\""

const envelope = DomainAction.make({
  action_id: "00000000-0000-4000-8000-000000000001",
  action_type: "user.ping",
  timestamp: DomainAction.timestamp(DateTime.makeUnsafe(0)),
  data: {}
})

type Call = (client: ActionClient.ActionClient["Service"]) => Effect.Effect<unknown, { readonly message: string }>

const target = { actionId: envelope.action_id, service }

const calls: { readonly [name: string]: readonly [option: string, call: Call] } = {
  send: ["service", (client) => client.send(Ping, {}, { service })],
  sendMany: ["service", (client) => client.sendMany(Ping, [{}], { service })],
  request: ["service", (client) => client.request(Ping, {}, { service })],
  sendAction: ["service", (client) => client.sendAction(envelope, { service })],
  sendWithCallback: [
    "callback.service",
    (client) => client.sendWithCallback(Ping, {}, { callback: { action: Pinged, service } })
  ],
  reschedule: ["service", (client) => client.reschedule(target, { delay: "1 second" })],
  remove: ["service", (client) => client.remove(target)]
}

inMemory("a service that cannot be part of a name", (test) => {
  for (const [name, [option, call]] of Object.entries(calls)) {
    test(`fails ${name} with an InvalidOption, and nothing is sent`, () =>
      Effect.gen(function*() {
        const client = yield* ActionClient.make()
        const error = yield* Effect.flip(call(client))
        assert.instanceOf(error, ActionClient.InvalidOption)
        assert.strictEqual(error.message, `The option "${option}" is "${service}": ${expected}`)
        assert.deepStrictEqual(yield* send("KEYS", "*streams*"), [])
      }))
  }
})

inMemory("a part of the consumers' names that cannot be one", (test) => {
  test("fails the worker with an InvalidOption", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Worker.start({ "user.ping": () => Effect.void }, { consumerSuffix: "a b" }))
      assert.strictEqual(
        error.message,
        "The option \"consumerSuffix\" is \"a b\": expected 1 to 128 letters, digits, \"_\", \".\" or \"-\""
      )
    }))
})

describe("an option of the wrong kind", () => {
  it("is shown as it was written", () => {
    // @ts-expect-error is not one of the backlogs
    const newest = () => Ping.pipe(Action.lane(() => "a", { backlog: "newest" }))
    assert.throws(newest, "The option \"lane.backlog\" of \"user.ping\" is \"newest\": expected \"wait\"")
  })
})

inMemory("a time as a Date", (test) => {
  test("is refused by its name", () =>
    Effect.gen(function*() {
      const client = yield* ActionClient.make()
      // @ts-expect-error is not a DateTime
      const error = yield* Effect.flip(client.send(Ping, {}, { at: new Date(0) }))
      assert.include(error.message, "The option \"at\" is a Date: expected a DateTime")
    }))
})
