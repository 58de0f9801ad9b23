/** What the Python services require of a message beyond its schema: trace ids, metadata, and answers without a result. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionContext from "../../src/ActionContext.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as DomainAction from "../../src/DomainAction.ts"
import { Rejected } from "../../src/HandlerError.ts"
import { validationDetail } from "../../src/internal/contract/validationDetail.ts"
import { RecordedClient, TestWorker } from "../../src/testing/index.ts"
import { codecOf } from "../support/typedCodec.ts"

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const someId = "00000008-0000-4000-8000-000000000008"

const Touch = Action.make("user.touch", { payload: { user: Schema.Int } })
const Touched = Action.make("client.touched")
const TouchFailed = Action.make("client.touch_failed", { payload: { message: Schema.String } })
const Refuse = Action.make("user.refuse", { failureAction: TouchFailed })

const Users = ActionGroup.make(Touch, Refuse)
const handlers = Users.handlers({
  "user.touch": () => Effect.void,
  "user.refuse": () => Effect.fail(new Rejected({ message: "no" }))
})

/** The actions that a program sends. */
const sentBy = <A, E>(program: (client: ActionClient.ActionClient["Service"]) => Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    yield* program(yield* ActionClient.ActionClient)
    const { sent } = yield* RecordedClient.RecordedClient
    return (yield* sent).map(({ action }) => action)
  }).pipe(Effect.provide(RecordedClient.layer({ others: handlers })))

const own = (over: Partial<DomainAction.DomainAction> = {}): DomainAction.DomainAction => ({
  ...DomainAction.make({ action_id: someId, action_type: "user.touch", timestamp: "2025-01-01T00:00:00Z", data: {} }),
  ...over
})

describe("The trace id of an action", () => {
  const ways: ReadonlyArray<
    readonly [name: string, send: (client: ActionClient.ActionClient["Service"]) => Effect.Effect<unknown, unknown>]
  > = [
    ["send", (client) => client.send(Touch, { user: 1 })],
    ["sendMany", (client) => client.sendMany(Touch, [{ user: 1 }, { user: 2 }])],
    ["request", (client) => client.request(Touch, { user: 1 })],
    ["sendWithCallback", (client) => client.sendWithCallback(Touch, { user: 1 }, { callback: Touched })],
    ["sendAction", (client) => client.sendAction(own({ trace_id: null }))]
  ]
  for (const [name, send] of ways) {
    it.live(`is a random UUID in ${name} where neither the context nor a span has one`, () =>
      Effect.gen(function*() {
        const actions = yield* sentBy(send)
        assert.isNotEmpty(actions)
        for (const { trace_id } of actions) assert.match(String(trace_id), uuid)
        assert.strictEqual(new Set(actions.map(({ trace_id }) => trace_id)).size, actions.length)
      }))

    it.live(`is that of the span in ${name}`, () =>
      Effect.gen(function*() {
        const [actions, traceId] = yield* Effect.gen(function*() {
          return [yield* sentBy(send), (yield* Effect.currentSpan).traceId] as const
        }).pipe(Effect.withSpan("asking"))
        for (const { trace_id } of actions) assert.strictEqual(trace_id?.replaceAll("-", ""), traceId)
      }))
  }

  it.live("is the given one wherever there is one", () =>
    Effect.gen(function*() {
      const actions = yield* sentBy((client) =>
        Effect.andThen(
          ActionContext.set(client.send(Touch, { user: 1 }), { traceId: someId }),
          client.sendAction(own({ trace_id: someId }))
        )
      )
      assert.deepStrictEqual(actions.map(({ trace_id }) => trace_id), [someId, someId])
    }))

  it.live("is filled in a response, an error response, a callback and a failure action to a sender who had none", () =>
    Effect.gen(function*() {
      const without = { envelope: { trace_id: null } }
      const deliver = (expects: TestWorker.ActionOptions["expects"]) =>
        Effect.all([
          TestWorker.deliver(handlers, TestWorker.action(Touch, { user: 1 }, { ...without, expects })),
          TestWorker.deliver(handlers, TestWorker.action(Refuse, {}, { ...without, expects }))
        ])
      for (const { response } of yield* deliver("response")) {
        assert.match(String(Option.getOrThrow(response).trace_id), /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
      }
      for (const { callback } of yield* deliver({ callback: Touched })) {
        assert.match(String(Option.getOrThrow(callback).trace_id), /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
      }
    }))

  it.live("is copied into an answer where the sender had one", () =>
    Effect.gen(function*() {
      const action = TestWorker.action(Touch, { user: 1 }, { envelope: { trace_id: someId } })
      const { response } = yield* TestWorker.deliver(handlers, action)
      assert.strictEqual(Option.getOrThrow(response).trace_id, someId)
    }))
})

describe("The metadata of an action", () => {
  it.live("are an empty object where the sender gives none, in every way of sending", () =>
    Effect.gen(function*() {
      const actions = yield* sentBy((client) =>
        Effect.all([
          client.send(Touch, { user: 1 }),
          client.sendMany(Touch, [{ user: 1 }]),
          client.sendWithCallback(Touch, { user: 1 }, { callback: Touched }),
          client.sendAction(own({ metadata: null }))
        ])
      )
      assert.deepStrictEqual(actions.map(({ metadata }) => metadata), [{}, {}, {}, {}])
    }))

  it.live("are kept where the sender gives some", () =>
    Effect.gen(function*() {
      const actions = yield* sentBy((client) =>
        Effect.andThen(
          client.send(Touch, { user: 1 }, { metadata: { source: "web" } }),
          client.sendAction(own({ metadata: { source: "relay" } }))
        )
      )
      assert.deepStrictEqual(actions.map(({ metadata }) => metadata), [{ source: "web" }, { source: "relay" }])
    }))

  it.live("are an object in a callback and in a failure action, which names the action that failed", () =>
    Effect.gen(function*() {
      const options = { expects: { callback: Touched } } as const
      const touched = yield* TestWorker.deliver(handlers, TestWorker.action(Touch, { user: 1 }, options))
      const refused = yield* TestWorker.deliver(handlers, TestWorker.action(Refuse, {}, options))
      assert.deepInclude(Option.getOrThrow(touched.callback), { action_type: "client.touched", metadata: {} })
      assert.deepInclude(Option.getOrThrow(refused.callback), {
        action_type: "client.touch_failed",
        metadata: { failed_action_id: "00000000-0000-4000-8000-0000000000aa" }
      })
    }))

  it("are an empty object in an envelope made by hand", () => {
    assert.deepStrictEqual(own().metadata, {})
  })
})

describe("An answer without a result", () => {
  it.live("is an empty object, from a contract that promises nothing", () =>
    Effect.gen(function*() {
      const { response } = yield* TestWorker.deliver(handlers, TestWorker.action(Touch, { user: 1 }))
      assert.deepInclude(Option.getOrThrow(response), { success: true, data: {} })
    }))

  for (const [name, nothing] of [["nothing", undefined], ["null", null]] as const) {
    it.live(`is an empty object, from a handler without a contract that returns ${name}`, () =>
      Effect.gen(function*() {
        // A handler in JavaScript may return null.
        const plain = { "user.touch": () => Effect.succeed(nothing as undefined) }
        const { response } = yield* TestWorker.deliver(plain, TestWorker.action(Touch, { user: 1 }))
        assert.deepInclude(Option.getOrThrow(response), { success: true, data: {} })
      }))
  }

  const User = Schema.Struct({ id: Schema.String })
  const cases: ReadonlyArray<readonly [name: string, success: Schema.Codec<unknown>, decoded: unknown]> = [
    ["nothing", Schema.Void, undefined],
    ["an object or null", Schema.NullOr(User), null],
    ["a text or null", Schema.NullOr(Schema.String), null],
    ["an object without required keys", Schema.Struct({ id: Schema.optionalKey(Schema.String) }), {}],
    ["a record", Schema.Record(Schema.String, Schema.Int), {}]
  ]
  for (const [name, success, decoded] of cases) {
    it.effect(`is read alike as {} and as null by a client whose contract promises ${name}`, () =>
      Effect.gen(function*() {
        const codec = codecOf(Action.make("user.get", { success }))
        assert.deepStrictEqual(yield* codec.decodeSuccess({}), decoded)
        assert.deepStrictEqual(yield* codec.decodeSuccess(null), decoded)
      }))
  }

  it.effect("is refused by a client whose contract promises a result, with the issue of what came", () =>
    Effect.gen(function*() {
      const codec = codecOf(Action.make("user.get", { success: User }))
      const missing = yield* Effect.flip(codec.decodeSuccess({}))
      assert.include(validationDetail(missing).message, "id: Missing key")
      const none = yield* Effect.flip(codec.decodeSuccess(null))
      assert.include(validationDetail(none).message, "Expected object")
      // An object that is not empty is never taken for nothing.
      const NullOr = codecOf(Action.make("user.get", { success: Schema.NullOr(User) }))
      yield* Effect.flip(NullOr.decodeSuccess({ name: "ana" }))
    }))
})
