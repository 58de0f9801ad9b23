/** The configs beside a payload (`execution_config`, `query_config`, `rag_config`), from the caller to the handler. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionContext from "../../src/ActionContext.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as DeadLetter from "../../src/DeadLetter.ts"
import type { Delivery } from "../../src/Delivery.ts"
import * as DomainAction from "../../src/DomainAction.ts"
import { deadLetterStream } from "../../src/internal/redis/names.ts"
import { timestampOf } from "../../src/internal/wire/timestamp.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import { Redis } from "../../src/Redis.ts"
import * as RedisMemory from "../../src/RedisMemory.ts"
import * as Settings from "../../src/Settings.ts"
import { RecordedClient, TestWorker } from "../../src/testing/index.ts"
import { codecOf } from "../support/typedCodec.ts"

const RagConfig = Schema.Struct({ embedding_model: Schema.String, since: Schema.Date })
class QueryConfig extends Schema.Class<QueryConfig>("QueryConfig")({ temperature: Schema.Number }) {}

const since = new Date("2025-06-29T04:03:00.123Z")
const rag = { embedding_model: "small", since }
const ragOnWire = { embedding_model: "small", since: since.toISOString() }

const Embed = Action.make("embedding.generate", { payload: { text: Schema.String }, rag: RagConfig })
const Query = Action.make("query.simple", { query: QueryConfig, rag: RagConfig })
const May = Action.make("query.may", { rag: Schema.optionalKey(RagConfig) })
const Null = Action.make("query.null", { rag: Schema.NullOr(RagConfig) })
const Default = Action.make("query.default", {
  rag: Schema.Struct({ top_k: Schema.Int }).pipe(
    Schema.withDecodingDefaultKey(Effect.succeed({ top_k: 5 })),
    Schema.withConstructorDefault(Effect.succeed({ top_k: 7 }))
  )
})
const Plain = Action.make("user.plain")
const Done = Action.make("client.done")

type Client = ActionClient.ActionClient["Service"]

/** The actions that a program sends. */
const sentBy = <E>(program: (client: Client) => Effect.Effect<unknown, E>) =>
  Effect.gen(function*() {
    yield* program(yield* ActionClient.ActionClient)
    const { sent } = yield* RecordedClient.RecordedClient
    return (yield* sent).map(({ action }) => action)
  }).pipe(Effect.provide(RecordedClient.layer()))

const configsOf = ({ execution_config, query_config, rag_config }: DomainAction.DomainAction) => ({
  execution_config,
  query_config,
  rag_config
})

const none = { execution_config: null, query_config: null, rag_config: null }

describe("A caller", () => {
  it.live("sends the configs of a contract as JSON, in every way of asking", () =>
    Effect.gen(function*() {
      const actions = yield* sentBy((client) =>
        Effect.all([
          client.send(Embed, { text: "a" }, { rag }),
          client.sendMany(Embed, [{ text: "b" }, { text: "c" }], { rag }),
          client.sendWithCallback(Embed, { text: "d" }, { rag, callback: Done }),
          Effect.exit(client.request(Embed, { text: "e" }, { rag, timeout: "1 millis" }))
        ])
      )
      assert.lengthOf(actions, 5)
      for (const action of actions) assert.deepStrictEqual(configsOf(action), { ...none, rag_config: ragOnWire })
    }))

  it.live("sends several configs, and those that the contract says nothing of as they are", () =>
    Effect.gen(function*() {
      const [action] = yield* sentBy((client) =>
        client.send(Query, {}, { rag, query: new QueryConfig({ temperature: 0.5 }), execution: { timeout: 1 } })
      )
      assert.deepStrictEqual(configsOf(action!), {
        execution_config: { timeout: 1 },
        query_config: { temperature: 0.5 },
        rag_config: ragOnWire
      })
    }))

  // What the compiler refuses may come from JavaScript.
  const untyped = (options: object): [{ readonly rag: typeof rag }] => [options as { readonly rag: typeof rag }]
  const ways: ReadonlyArray<
    readonly [name: string, ask: (client: Client, options: object) => Effect.Effect<unknown, unknown>]
  > = [
    ["send", (client, options) => client.send(Embed, { text: "a" }, ...untyped(options))],
    ["sendMany", (client, options) => client.sendMany(Embed, [{ text: "a" }], ...untyped(options))],
    ["request", (client, options) => client.request(Embed, { text: "a" }, ...untyped(options))],
    [
      "sendWithCallback",
      (client, options) => client.sendWithCallback(Embed, { text: "a" }, { ...untyped(options)[0], callback: Done })
    ]
  ]
  for (const [name, ask] of ways) {
    it.live(`learns from ${name} which config is missing or wrong, without its value, and sends nothing`, () =>
      Effect.gen(function*() {
        const actions = yield* sentBy((client) =>
          Effect.gen(function*() {
            const missing = yield* Effect.flip(ask(client, {}))
            assert.instanceOf(missing, ActionClient.EncodeError)
            assert.strictEqual(
              missing.message,
              "The configs do not fit the contract of embedding.generate: rag_config: Missing: pass it as the option rag, " +
                "or set it with ActionContext"
            )
            const wrong = yield* Effect.flip(ask(client, { rag: { ...rag, embedding_model: ["hunter2"] } }))
            assert.instanceOf(wrong, ActionClient.EncodeError)
            assert.match(wrong.message, /^The configs do not fit .*: rag_config\.embedding_model: Expected string$/)
          })
        )
        assert.isEmpty(actions)
      }))
  }

  it.live("may leave out a config that is optional, nullable or has a default", () =>
    Effect.gen(function*() {
      const actions = yield* sentBy((client) =>
        Effect.all([
          client.send(May, {}),
          client.send(May, {}, { rag }),
          client.send(Null, {}, { rag: null }),
          client.send(Default, {})
        ])
      )
      assert.deepStrictEqual(actions.map(({ rag_config }) => rag_config), [null, ragOnWire, null, { top_k: 7 }])
    }))

  it.live("sends the configs of its context, and those of its options over them", () =>
    Effect.gen(function*() {
      const actions = yield* sentBy((client) =>
        Effect.all([
          client.send(Plain, {}),
          client.send(Plain, {}, { rag: { own: true } }),
          client.send(Plain, {}, { context: { query: { own: true } } })
        ]).pipe(ActionContext.set({ execution: { timeout: 1 }, rag: { own: false } }))
      )
      assert.deepStrictEqual(actions.map(configsOf), [
        { execution_config: { timeout: 1 }, query_config: null, rag_config: { own: false } },
        { execution_config: { timeout: 1 }, query_config: null, rag_config: { own: true } },
        { execution_config: { timeout: 1 }, query_config: { own: true }, rag_config: { own: false } }
      ])
    }))

  it.live("sends none without one in force", () =>
    Effect.gen(function*() {
      const [action] = yield* sentBy((client) => client.send(Plain, {}))
      assert.deepStrictEqual(configsOf(action!), none)
    }))

  it.live("sends a config of its context for a contract that has a schema for it, if it fits", () =>
    Effect.gen(function*() {
      const actions = yield* sentBy((client) =>
        Effect.gen(function*() {
          yield* ActionContext.set(client.send(May, {}), { rag: ragOnWire })
          const error = yield* Effect.flip(ActionContext.set(client.send(May, {}), { rag: { embedding_model: 1 } }))
          assert.match(error.message, /^The configs do not fit the contract of query\.may: rag_config\./)
        })
      )
      assert.deepStrictEqual(actions.map(({ rag_config }) => rag_config), [ragOnWire])
    }))

  it.live("cannot send a config that is not an object", () =>
    Effect.gen(function*() {
      const actions = yield* sentBy((client) =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(client.send(Plain, {}, { rag: [] as never }))
          assert.match(String(error), /rag_config is .*: expected an object or null/)
        })
      )
      assert.isEmpty(actions)
    }))
})

type ByName = { readonly [K in "execution" | "query" | "rag"]?: unknown }

describe("A handler", () => {
  const delivered = Effect.fnUntraced(function*(
    action: Action.Any,
    envelope: Partial<DomainAction.Input>
  ) {
    const got: Array<Delivery & ByName> = []
    const handle = (_: unknown, delivery: Delivery & ByName) => Effect.sync(() => void got.push(delivery))
    // Of any contract: its types are those of the tests in configs.test-d.ts.
    const handlers = ActionGroup.make<ReadonlyArray<Action.Any>>(action).handlers({ [action.type]: handle } as never)
    const message = DomainAction.make({
      action_id: "00000000-0000-4000-8000-0000000000aa",
      action_type: action.type,
      timestamp: timestampOf(0),
      correlation_id: "00000000-0000-4000-8000-0000000000aa",
      callback_queue_name: "test:test:test-client:responses:test_answer:test",
      data: { text: "a" },
      ...envelope
    })
    const report = yield* TestWorker.deliver(handlers as unknown as ActionGroup.Handlers, message)
    return { report, delivery: got[0] }
  })

  it.live("gets the configs of its contract decoded, beside all that a delivery has", () =>
    Effect.gen(function*() {
      const { delivery } = yield* delivered(Query, {
        execution_config: { timeout: 1 },
        query_config: { temperature: 0.5, more: 1 },
        rag_config: ragOnWire
      })
      assert.isDefined(delivery)
      assert.instanceOf(delivery.query, QueryConfig)
      assert.deepStrictEqual(delivery.rag, rag)
      assert.notProperty(delivery, "execution")
      assert.deepStrictEqual(configsOf(delivery.action), {
        execution_config: { timeout: 1 },
        query_config: { temperature: 0.5, more: 1 },
        rag_config: ragOnWire
      })
      assert.strictEqual(delivery.attempt, 1)
      assert.match(delivery.entryId, /^\d+-\d+$/)
      assert.strictEqual(String(yield* delivery.remaining), "Infinity")
    }))

  it.live("gets nothing, null or the default in place of a config that may be missing", () =>
    Effect.gen(function*() {
      assert.notProperty((yield* delivered(May, {})).delivery, "rag")
      assert.deepStrictEqual((yield* delivered(May, { rag_config: ragOnWire })).delivery?.rag, rag)
      assert.isNull((yield* delivered(Null, {})).delivery?.rag)
      assert.deepStrictEqual((yield* delivered(Null, { rag_config: ragOnWire })).delivery?.rag, rag)
      assert.deepStrictEqual((yield* delivered(Default, {})).delivery?.rag, { top_k: 5 })
    }))

  it.live("is not run without a config that its contract requires, and the caller learns which", () =>
    Effect.gen(function*() {
      const missing = yield* delivered(Embed, {})
      assert.isUndefined(missing.delivery)
      const { error } = Option.getOrThrow(missing.report.response)
      assert.deepInclude(error, {
        error_code: "VALIDATION_ERROR",
        message: "The configs do not fit the contract of embedding.generate: rag_config: Missing key"
      })
      assert.deepNestedInclude(error?.details, { "issues[0].path": ["rag_config"] })

      const wrong = yield* delivered(Embed, { rag_config: { ...ragOnWire, embedding_model: ["hunter2"] } })
      assert.isUndefined(wrong.delivery)
      const refused = Option.getOrThrow(wrong.report.response).error
      assert.strictEqual(
        refused?.message,
        "The configs do not fit the contract of embedding.generate: rag_config.embedding_model: Expected string"
      )
      assert.notInclude(JSON.stringify(refused), "hunter2")

      const second = yield* delivered(Query, { rag_config: ragOnWire })
      assert.include(Option.getOrThrow(second.report.response).error?.message, "query_config: Missing key")
    }))

  it.live("gets the same error as before for an invalid payload with valid configs", () =>
    Effect.gen(function*() {
      const { report } = yield* delivered(Embed, { rag_config: ragOnWire, data: { text: 1 } })
      assert.strictEqual(
        Option.getOrThrow(report.response).error?.message,
        "The payload does not fit the contract of embedding.generate: text: Expected string"
      )
    }))

  it.live("gets a config whose schema needs a service or waits", () =>
    Effect.gen(function*() {
      class Key extends Context.Service<Key, string>()("Key") {}
      const Secret = Schema.String.pipe(Schema.decodeTo(Schema.String, {
        decode: SchemaGetter.transformEffect((s: string) =>
          Effect.delay(Effect.map(Key, (key) => s + key), "1 second")
        ),
        encode: SchemaGetter.transformEffect((s: string) => Effect.delay(Effect.succeed(s), "1 millis"))
      }))
      const Ask = Action.make("query.secret", { success: Schema.String, rag: { key: Secret } })
      const handlers = ActionGroup.make(Ask).handlers({ "query.secret": (_, { rag }) => Effect.succeed(rag.key) })
      const { response } = yield* TestWorker.deliver(handlers, TestWorker.action(Ask, {}, { rag: { key: "a" } })).pipe(
        Effect.provideService(Key, "b")
      )
      assert.deepStrictEqual(Option.getOrThrow(response).data, { value: "ab" })
    }))

  it.live("hands the configs of its action on to the actions that it sends", () =>
    Effect.gen(function*() {
      const handlers = ActionGroup.make(Plain).handlers({
        "user.plain": () => ActionClient.ActionClient.use((client) => Effect.orDie(client.send(May, {})))
      })
      const action = TestWorker.action(Plain, {}, {
        envelope: { execution_config: { timeout: 1 }, rag_config: ragOnWire }
      })
      const program = Effect.gen(function*() {
        yield* TestWorker.deliver(handlers, action)
        const { sent } = yield* RecordedClient.RecordedClient
        return (yield* sent).map(({ action }) => configsOf(action))
      })
      assert.deepStrictEqual(yield* Effect.provide(program, RecordedClient.layer()), [
        { execution_config: { timeout: 1 }, query_config: null, rag_config: ragOnWire }
      ])
    }))
})

describe("A contract", () => {
  it("refuses a config that is no JSON object", () => {
    assert.throws(
      () => Action.make("query.simple", { rag: Schema.String as never }),
      TypeError,
      "The rag config of \"query.simple\" does not encode to a JSON object"
    )
    assert.throws(() => Action.make("query.simple", { execution: Schema.Array(Schema.Int) as never }), TypeError)
    assert.throws(() => Action.make("query.simple", { query: Schema.NullOr(Schema.Int) as never }), TypeError)
  })

  it.effect("reads and writes configs by its codec", () =>
    Effect.gen(function*() {
      const codec = codecOf(Embed)
      const written = yield* codec.encodeConfigs({ rag })
      assert.deepStrictEqual(written, { ...none, rag_config: ragOnWire })
      assert.deepStrictEqual(yield* codec.decodeConfigs(written), { rag })
    }))

  const Memory = DeadLetter.layer.pipe(
    Layer.provideMerge(Layer.merge(RedisMemory.layer, QueueNaming.layer)),
    Layer.provideMerge(Settings.layerOf({ serviceName: "embedding" }))
  )
  const group = ActionGroup.make(Embed)
  for (
    const [name, contracts] of [
      ["contracts", group],
      ["handlers", group.handlers({ "embedding.generate": () => Effect.void })]
    ] as const
  ) {
    it.live(`makes a dry run with ${name} look at the configs of dead letters as well`, () =>
      Effect.gen(function*() {
        const redis = yield* Redis
        const naming = yield* QueueNaming.QueueNaming
        for (const rag_config of [null, ragOnWire]) {
          const action = DomainAction.make({
            action_id: "00000000-0000-4000-8000-0000000000aa",
            action_type: "embedding.generate",
            timestamp: timestampOf(0),
            data: { text: "a" },
            rag_config
          })
          // As the settle script writes it: notes, where it came from, the number of its fields, its fields.
          const notes = { reason: "exhausted", action_type: "embedding.generate", entry_id: "5-0", group: "g" }
          const fields = { consumer: "c", time: "7", fields: "1", data: DomainAction.encode(action) }
          const letter = Object.entries({ ...notes, ...fields }).flat()
          yield* redis.send("XADD", deadLetterStream(naming, "embedding"), "*", ...letter)
        }
        const letters = yield* DeadLetter.DeadLetter
        const { failing, passing } = yield* letters.dryRun(contracts)
        assert.strictEqual(passing, 1)
        assert.deepStrictEqual(failing.map(({ issue, reason }) => ({ issue, reason })), [
          { issue: "rag_config: Missing key", reason: "invalid" }
        ])
      }).pipe(Effect.provide(Memory)))
  }
})
