/**
 * The accessors of `ActionClient`: each call of the service, as an effect that needs the service.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as DomainAction from "../../src/DomainAction.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import type { Receipt } from "../../src/Receipt.ts"
import { Redis, type RedisError } from "../../src/Redis.ts"
import * as RedisMemory from "../../src/RedisMemory.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import { entryIdOf } from "../support/receipts.ts"

class Taken extends Schema.TaggedError<Taken>()("Taken", { email: Schema.String }) {}

const CreateUser = Action.make("user.create", {
  payload: { email: Schema.String },
  success: { userId: Schema.String },
  error: Taken
})
const UserCreated = Action.make("user.created", { payload: { userId: Schema.String } })
const Configured = Action.make("user.configured", { query: { depth: Schema.Number } })

const AppLayer = ActionClient.layer.pipe(
  Layer.provideMerge(Layer.merge(RedisMemory.layer, QueueNaming.layer)),
  Layer.provideMerge(Settings.layerOf({ serviceName: "user", block: "100 millis" }))
)

const stream = "nooble4:dev:user:streams:main"

describe("the accessors of ActionClient", () => {
  it.live("send with the client in the context, one action or many, with contract or without", () =>
    Effect.gen(function*() {
      const redis = yield* Redis
      const one = yield* ActionClient.send(CreateUser, { email: "a" })
      const many = yield* ActionClient.sendMany(CreateUser, [{ email: "b" }, { email: "c" }])
      const callback = yield* ActionClient.sendWithCallback(CreateUser, { email: "d" }, { callback: UserCreated })
      const envelope = yield* ActionClient.sendAction(DomainAction.make({
        action_id: "3f0c1b9e-6f0a-4d8e-9a53-2b1f6f0a77aa",
        action_type: "user.create",
        timestamp: "2026-01-01T00:00:00Z",
        data: { email: "e" }
      }))
      const entries = yield* redis.send<ReadonlyArray<[string, unknown]>>("XRANGE", stream, "-", "+")
      assert.deepStrictEqual(entries.map(([id]) => id), [one, ...many, callback, envelope].map(entryIdOf))
    }).pipe(Effect.provide(AppLayer)))

  it.live("request the answer, or the declared error", () =>
    Effect.gen(function*() {
      yield* Worker.start(
        ActionGroup.make(CreateUser).handlers({
          "user.create": ({ email }) =>
            email === "taken" ? Effect.fail(new Taken({ email })) : Effect.succeed({ userId: `id of ${email}` })
        })
      )
      assert.deepStrictEqual(yield* ActionClient.request(CreateUser, { email: "a" }), { userId: "id of a" })
      const error = yield* Effect.flip(ActionClient.request(CreateUser, { email: "taken" }))
      assert.instanceOf(error, Taken)
    }).pipe(Effect.scoped, Effect.provide(AppLayer)))

  it("need the client, require what a contract requires, and have its types", () => {
    const sending: Effect.Effect<
      Receipt,
      ActionClient.EncodeError | ActionClient.InvalidOption | ActionClient.NotSupported | RedisError,
      ActionClient.ActionClient
    > = ActionClient.send(CreateUser, { email: "a" })
    const asking = ActionClient.request(CreateUser, { email: "a" })
    const needed: ActionClient.ActionClient extends Effect.Services<typeof asking> ? true : false = true
    assert.isTrue(needed)
    // @ts-expect-error the payload is wrong
    const payload = ActionClient.send(CreateUser, { mail: "a" })
    // @ts-expect-error the contract requires a config
    const config = ActionClient.send(Configured, {})
    const configured = ActionClient.send(Configured, {}, { query: { depth: 1 } })
    for (const call of [sending, asking, payload, config, configured]) assert.isTrue(Effect.isEffect(call))
  })
})
