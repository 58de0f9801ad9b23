// Half of this file is what must not compile.
// @effect-diagnostics missingEffectError:off
/** The configs of a contract, as types: what callers must pass, and what handlers get. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import { describe, expectTypeOf, it } from "vitest"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionContext from "../../src/ActionContext.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import type { Delivery } from "../../src/Delivery.ts"
import { TestWorker } from "../../src/testing/index.ts"

declare const client: ActionClient.ActionClient["Service"]

const RagConfig = Schema.Struct({ embedding_model: Schema.String, top_k: Schema.Int })
class QueryConfig extends Schema.Class<QueryConfig>("QueryConfig")({ temperature: Schema.Number }) {}
class Key extends Context.Service<Key, string>()("Key") {}

const rag = { embedding_model: "small", top_k: 3 }

const Embed = Action.make("embedding.generate", { payload: { texts: Schema.Array(Schema.String) }, rag: RagConfig })
const Query = Action.make("query.simple", { query: QueryConfig, rag: RagConfig })
const May = Action.make("query.may", { rag: Schema.optionalKey(RagConfig) })
const Ping = Action.make("user.ping")
const Done = Action.make("client.done")
const DoneWithRag = Action.make("client.done", { rag: RagConfig })

describe("a contract with configs", () => {
  it("has their schemas in its type", () => {
    expectTypeOf<Action.Configs<typeof Embed>>().toEqualTypeOf<
      { readonly rag: { readonly embedding_model: string; readonly top_k: number } }
    >()
    expectTypeOf<Action.Configs<typeof Query>["query"]>().toEqualTypeOf<QueryConfig>()
    expectTypeOf(Ping.configSchema).toEqualTypeOf<Schema.Struct<{}>>()
    expectTypeOf(Embed).toExtend<Action.Any>()
  })

  it("takes a record of fields for a config", () => {
    const action = Action.make("query.fields", { execution: { timeout: Schema.Number } })
    expectTypeOf<Action.Configs<typeof action>>().toEqualTypeOf<{ readonly execution: { readonly timeout: number } }>()
  })

  it("keeps them when it is annotated", () => {
    expectTypeOf(Embed.annotate(Key, "k")).toEqualTypeOf<typeof Embed>()
  })

  it("refuses a config that is no JSON object", () => {
    // @ts-expect-error "A config of an action must encode to a JSON object"
    Action.make("query.simple", { rag: Schema.String })
    // @ts-expect-error "A config of an action must encode to a JSON object"
    Action.make("query.simple", { query: Schema.Array(Schema.String) })
    Action.make("query.simple", { execution: Schema.NullOr(RagConfig) })
  })

  it("cannot be a callback or a failure action, which carry none", () => {
    void client.sendWithCallback(Ping, {}, { callback: Done })
    // @ts-expect-error "The callback requires a config, and callbacks carry none"
    void client.sendWithCallback(Ping, {}, { callback: DoneWithRag })
    // @ts-expect-error "A failure action carries no config, so it must require none"
    Action.make("user.create", { failureAction: DoneWithRag })
    Action.make("user.create", { failureAction: May })
  })

  it("needs what its schemas need", () => {
    const Secret = Schema.String.pipe(Schema.decodeTo(Schema.String, {
      decode: SchemaGetter.transformEffect((s: string) => Effect.map(Key, (key) => s + key)),
      encode: SchemaGetter.transform((s: string) => s)
    }))
    const action = Action.make("query.secret", { rag: { key: Secret } })
    expectTypeOf<Action.WorkerServices<typeof action>>().toEqualTypeOf<Key>()
    expectTypeOf<Action.ClientServices<typeof action>>().toEqualTypeOf<never>()
  })
})

describe("a caller", () => {
  it("must pass the configs that the contract requires, in every way of asking", () => {
    void client.send(Embed, { texts: [] }, { rag })
    void client.sendMany(Embed, [{ texts: [] }], { rag })
    void client.request(Embed, { texts: [] }, { rag, timeout: "1 second" })
    void client.sendWithCallback(Embed, { texts: [] }, { rag, callback: Done })
    // @ts-expect-error Expected 3 arguments, but got 2
    void client.send(Embed, { texts: [] })
    // @ts-expect-error Property 'rag' is missing
    void client.send(Embed, { texts: [] }, {})
    // @ts-expect-error Expected 3 arguments, but got 2
    void client.sendMany(Embed, [{ texts: [] }])
    // @ts-expect-error Expected 3 arguments, but got 2
    void client.request(Embed, { texts: [] })
    // @ts-expect-error Property 'rag' is missing
    void client.request(Embed, { texts: [] }, { timeout: "1 second" })
    // @ts-expect-error Property 'rag' is missing
    void client.sendWithCallback(Embed, { texts: [] }, { callback: Done })
    // @ts-expect-error Property 'query' is missing
    void client.request(Query, {}, { rag })
  })

  it("must pass them as the contract has them", () => {
    // @ts-expect-error Type 'string' is not assignable to type 'number'
    void client.send(Embed, { texts: [] }, { rag: { embedding_model: "small", top_k: "3" } })
    void client.request(Query, {}, { rag, query: new QueryConfig({ temperature: 0 }) })
  })

  it("may leave out a config that is optional", () => {
    void client.send(May, {})
    void client.send(May, {}, {})
    void client.send(May, {}, { rag })
    // @ts-expect-error Type 'number' is not assignable to type 'string'
    void client.send(May, {}, { rag: { embedding_model: 1, top_k: 1 } })
  })

  it("may pass any object where the contract has no schema", () => {
    void client.send(Ping, {}, { rag: { anything: 1 }, execution: {}, query: {} })
    void client.send(Embed, { texts: [] }, { rag, execution: { timeout: 1 } })
    void client.send(Ping, {}, { context: { rag: { anything: 1 } } })
    void ActionContext.set(Effect.void, { execution: { timeout: 1 } })
    // @ts-expect-error Type 'string' is not assignable
    void client.send(Ping, {}, { rag: "small" })
  })

  it("that is generic in the contract takes the same options", () => {
    const ask = <A extends Action.Any>(
      action: A,
      payload: Action.PayloadInput<A>,
      ...options: Action.OptionsOf<A, ActionClient.RequestOptions>
    ) => ActionClient.ActionClient.use((client) => client.request(action, payload, ...options))
    void ask(Ping, {})
    void ask(Embed, { texts: [] }, { rag })
    // @ts-expect-error Expected 3 arguments, but got 2
    void ask(Embed, { texts: [] })
  })

  it("of a test passes them as well", () => {
    void TestWorker.action(Ping, {})
    void TestWorker.action(Embed, { texts: [] }, { rag })
    void TestWorker.actions(Embed, { rag, count: 3 })
    // @ts-expect-error Expected 3 arguments, but got 2
    void TestWorker.action(Embed, { texts: [] })
  })
})

describe("a handler", () => {
  it("gets the configs of its contract, decoded, beside the delivery", () => {
    const handlers = ActionGroup.make(Embed, Query, May, Ping).handlers({
      "embedding.generate": ({ texts }, delivery) => {
        expectTypeOf(texts).toEqualTypeOf<ReadonlyArray<string>>()
        expectTypeOf(delivery).toExtend<Delivery>()
        expectTypeOf(delivery.rag).toEqualTypeOf<{ readonly embedding_model: string; readonly top_k: number }>()
        // @ts-expect-error Property 'query' does not exist
        void delivery.query
        return Effect.void
      },
      "query.simple": (_, { query, rag }) => {
        expectTypeOf(query).toEqualTypeOf<QueryConfig>()
        expectTypeOf(rag.top_k).toEqualTypeOf<number>()
        return Effect.void
      },
      "query.may": (_, { rag }) => {
        expectTypeOf(rag).toEqualTypeOf<{ readonly embedding_model: string; readonly top_k: number } | undefined>()
        return Effect.void
      },
      "user.ping": (_, delivery) => {
        expectTypeOf(delivery).toEqualTypeOf<Delivery>()
        return Effect.void
      }
    })
    expectTypeOf<ActionGroup.Services<typeof handlers>>().toEqualTypeOf<never>()
  })

  it("may ask for the plain delivery", () => {
    ActionGroup.make(Embed).handlers({ "embedding.generate": (_, delivery: Delivery) => Effect.log(delivery.entryId) })
  })
})
