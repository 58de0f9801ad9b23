import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Tracer from "effect/Tracer"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as DomainAction from "../../src/DomainAction.ts"
import { RetryLater } from "../../src/HandlerError.ts"
import { spanRecorder } from "../../src/internal/testing/spanRecorder.ts"
import * as Metrics from "../../src/Metrics.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Redis from "../../src/Redis.ts"
import * as RedisMemory from "../../src/RedisMemory.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import { entryIdOf } from "../support/receipts.ts"
import { until } from "../support/until.ts"

class EmailTaken extends Schema.TaggedError<EmailTaken>()("EmailTaken", { email: Schema.String }) {}

const CreateUser = Action.make("user.create", {
  payload: { email: Schema.String },
  success: { userId: Schema.String },
  error: EmailTaken
})
const UserCreated = Action.make("user.created", { payload: { userId: Schema.String } })
const Actions = ActionGroup.make(CreateUser, UserCreated)

const stream = "nooble4:dev:user:streams:main"

/** Keeps every span that ends. */
const recorder = () => {
  const spans: Array<Tracer.Span> = []
  const named = (name: string) => spans.filter((span) => span.name === name)
  return { named, spans, layer: Layer.succeed(Tracer.Tracer, spanRecorder(spans)) }
}

const services = ActionClient.layer.pipe(
  Layer.provideMerge(Layer.mergeAll(RedisMemory.layer, QueueNaming.layer)),
  Layer.provideMerge(Settings.layerOf({ serviceName: "user" }))
)

let tries = 0
const handlers = Actions.handlers({
  "user.create": ({ email }) =>
    email === "taken"
      ? Effect.fail(new EmailTaken({ email }))
      : email === "flaky" && tries++ === 0
      ? Effect.fail(new RetryLater())
      : Effect.succeed({ userId: "u1" }),
  "user.created": () => Effect.withSpan(Effect.void, "inside the callback")
})

const worker = Worker.start(handlers, { retry: Schedule.spaced("10 millis") })

const parentId = (span: Tracer.Span | undefined) =>
  Option.getOrUndefined(Option.map(span?.parent ?? Option.none(), (parent) => parent.spanId))

describe("spans", () => {
  it.live("a request, its delivery and what the handler does are one trace", () => {
    const recorded = recorder()
    return Effect.gen(function*() {
      yield* worker
      const client = yield* ActionClient.ActionClient
      yield* client.request(CreateUser, { email: "a" }).pipe(Effect.withSpan("caller"))
      yield* until("the delivery ended", Effect.sync(() => recorded.named("settle user-group").length > 0))
      const [caller] = recorded.named("caller")
      const [request] = recorded.named("request user.create")
      const [process] = recorded.named("process user.create")
      const [settle] = recorded.named("settle user-group")
      assert.strictEqual(parentId(request), caller?.spanId)
      assert.strictEqual(request?.kind, "client")
      assert.strictEqual(parentId(process), request?.spanId)
      assert.strictEqual(process?.traceId, caller?.traceId)
      assert.strictEqual(process?.kind, "consumer")
      assert.strictEqual(process?.attributes.get("messaging.system"), "redis")
      assert.strictEqual(process?.attributes.get("messaging.destination.name"), stream)
      assert.strictEqual(process?.attributes.get("messaging.consumer.group.name"), "user-group")
      assert.strictEqual(process?.attributes.get("messaging.operation.name"), "process")
      assert.strictEqual(
        process?.attributes.get("messaging.message.id"),
        request?.attributes.get("messaging.message.id")
      )
      assert.strictEqual(process?.attributes.get("messaging.redis.attempt"), 1)
      assert.deepStrictEqual(settle?.links.map((link) => link.span.spanId), [process?.spanId])
    }).pipe(Effect.scoped, Effect.provide(Layer.mergeAll(services, recorded.layer)))
  })

  it.live("a callback is a child of the delivery that it answers, and a retry links to the first attempt", () => {
    const recorded = recorder()
    tries = 0
    return Effect.gen(function*() {
      yield* worker
      const client = yield* ActionClient.ActionClient
      yield* client.sendWithCallback(CreateUser, { email: "flaky" }, {
        callback: { action: UserCreated, to: "stream" }
      })
      yield* until("the callback was handled", Effect.sync(() => recorded.named("process user.created").length > 0))
      const [send] = recorded.named("send user.create")
      const [first, second] = recorded.named("process user.create")
      const [callback] = recorded.named("process user.created")
      assert.strictEqual(parentId(first), send?.spanId)
      assert.strictEqual(first?.attributes.get("error.type"), "RetryLater")
      assert.isTrue(Option.isNone(second?.parent ?? Option.none()))
      assert.notStrictEqual(second?.traceId, first?.traceId)
      assert.deepStrictEqual(second?.links.map((link) => link.span.spanId), [first?.spanId, send?.spanId])
      assert.strictEqual(second?.attributes.get("messaging.redis.attempt"), 2)
      assert.strictEqual(parentId(callback), second?.spanId)
      const [inside] = recorded.named("inside the callback")
      assert.strictEqual(parentId(inside), callback?.spanId)
    }).pipe(Effect.scoped, Effect.provide(Layer.mergeAll(services, recorded.layer)))
  })

  it.live("the trace of an envelope from Python is the trace of its delivery", () => {
    const recorded = recorder()
    return Effect.gen(function*() {
      yield* worker
      const redis = yield* Redis.Redis
      const action = DomainAction.make({
        action_id: "3f0c1b9e-6f0a-4d8e-9a53-2b1f6f0a77aa",
        action_type: "user.create",
        timestamp: "2025-06-29T04:03:00.123456Z",
        trace_id: "77aa3f0c-1b9e-4f0a-8d8e-9a532b1f6f0a",
        data: { email: "a" }
      })
      yield* redis.send("XADD", stream, "*", "data", DomainAction.encode(action))
      yield* until("the delivery ended", Effect.sync(() => recorded.named("process user.create").length > 0))
      const [process] = recorded.named("process user.create")
      assert.strictEqual(process?.traceId, "77aa3f0c1b9e4f0a8d8e9a532b1f6f0a")
      assert.strictEqual(parentId(process), "3f0c1b9e6f0a4d8e")
    }).pipe(Effect.scoped, Effect.provide(Layer.mergeAll(services, recorded.layer)))
  })

  it.live("an error is recorded by its tag, on both sides", () => {
    const recorded = recorder()
    return Effect.gen(function*() {
      yield* worker
      const client = yield* ActionClient.ActionClient
      yield* Effect.flip(client.request(CreateUser, { email: "taken" }))
      yield* until("the delivery ended", Effect.sync(() => recorded.named("process user.create").length > 0))
      assert.strictEqual(recorded.named("request user.create")[0]?.attributes.get("error.type"), "EmailTaken")
      assert.strictEqual(recorded.named("process user.create")[0]?.attributes.get("error.type"), "EmailTaken")
      assert.strictEqual(recorded.named("process user.create")[0]?.status._tag, "Ended")
    }).pipe(Effect.scoped, Effect.provide(Layer.mergeAll(services, recorded.layer)))
  })

  it.live("without a tracer nothing travels beside the message", () =>
    Effect.gen(function*() {
      const client = yield* ActionClient.ActionClient
      const redis = yield* Redis.Redis
      const id = entryIdOf(yield* client.send(CreateUser, { email: "a" }))
      const [entry] = yield* redis.send<ReadonlyArray<[string, ReadonlyArray<string>]>>("XRANGE", stream, id, id)
      assert.deepStrictEqual(entry?.[1].filter((_, index) => index % 2 === 0), ["data"])
    }).pipe(Effect.scoped, Effect.provide(services)))
})

describe("metrics", () => {
  it.live("report the outcomes of actions, their durations and the backlog", () =>
    Effect.gen(function*() {
      tries = 0
      yield* worker
      const client = yield* ActionClient.ActionClient
      const redis = yield* Redis.Redis
      yield* client.request(CreateUser, { email: "flaky" })
      yield* Effect.flip(client.request(CreateUser, { email: "taken" }))
      yield* redis.send("XADD", stream, "*", "data", "no json")
      const text = PrometheusMetrics.format()
      yield* until("the malformed entry was buried", Effect.map(text, (all) => all.includes("reason=\"malformed\"")))
      const lines = (yield* text).split("\n")
      const has = (line: string) => assert.include(lines, line)
      has("redis_workers_actions_total{service=\"user\",action_type=\"user.create\",outcome=\"reply\"} 1")
      has("redis_workers_actions_total{service=\"user\",action_type=\"user.create\",outcome=\"retry\"} 1")
      has("redis_workers_actions_total{service=\"user\",action_type=\"user.create\",outcome=\"reject\"} 1")
      has("redis_workers_actions_total{service=\"user\",action_type=\"unknown\",outcome=\"dead_letter\"} 1")
      has("redis_workers_dead_letters_total{service=\"user\",reason=\"malformed\"} 1")
      has("redis_workers_handler_duration_ms_count{service=\"user\",action_type=\"user.create\"} 3")
      has("redis_workers_start_delay_ms_count{service=\"user\",action_type=\"user.create\"} 2")
      has("redis_workers_attempts_sum{service=\"user\",action_type=\"user.create\"} 3")
      has("redis_workers_in_flight{service=\"user\"} 0")
      has("redis_workers_requests_total{service=\"user\",action_type=\"user.create\",outcome=\"success\"} 1")
      has("redis_workers_requests_total{service=\"user\",action_type=\"user.create\",outcome=\"declared_error\"} 1")
      has("redis_workers_requests_open{service=\"user\"} 0")
      // Every line is a comment, empty, or a name with labels and a number, as the Prometheus text format has it.
      for (const line of lines) {
        assert.match(line, /^(#.*|)$|^[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-z_]+="[^"]*",?)*\})? -?[0-9.e+]+$/)
      }
    }).pipe(
      Effect.scoped,
      Effect.provide(services),
      Effect.provideService(Metric.MetricRegistry, new Map())
    ))

  it("have names of their own and a description", () => {
    const names = Metrics.all.map((metric) => metric.id)
    assert.strictEqual(new Set(names).size, names.length)
    for (const metric of Metrics.all) assert.isNotEmpty(metric.description)
  })
})
