import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { randomUUID } from "node:crypto"
import { createServer, type IncomingMessage } from "node:http"
import { createServer as createTcpServer } from "node:net"
import parsePrometheusTextFormat from "parse-prometheus-text-format"
import * as DomainAction from "../../src/DomainAction.ts"
import * as processes from "../support/processes.ts"
import * as proxy from "../support/proxy.ts"
import * as redisServer from "../support/redisServer.ts"
import { until } from "../support/until.ts"

const freePort: Effect.Effect<number> = Effect.promise(() =>
  new Promise((resolve) => {
    const server = createTcpServer().listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })
)

interface Answer {
  readonly status: number
  readonly body: string
}

/** `status` 0: no answer within a second. */
const get = (port: number, path: string): Effect.Effect<Answer> =>
  Effect.promise(() =>
    fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(1_000) }).then(
      async (response) => ({ status: response.status, body: await response.text() }),
      () => ({ status: 0, body: "" })
    )
  )

const world = Effect.gen(function*() {
  const server = yield* redisServer.start()
  const gate = yield* proxy.start(server.port)
  const port = yield* freePort
  const worker = yield* processes.start("../../examples/observed/worker", {
    env: { SERVICE_NAME: "user", REDIS_URL: gate.url, PORT: String(port), WORKER_BLOCK: "0.5", WORKER_CLAIM_IDLE: "3" }
  })
  const ready = Effect.map(get(port, "/health/ready"), ({ status }) => status === 200)
  const notReady = (why: RegExp) =>
    until(
      `not ready: ${why}`,
      Effect.map(get(port, "/health/ready"), ({ body, status }) => status === 503 && why.test(body)),
      20_000
    )
  const send = (type: string) =>
    server.cli(
      "XADD",
      "nooble4:dev:user:streams:main",
      "*",
      "data",
      DomainAction.encode(
        DomainAction.make({ action_id: randomUUID(), action_type: type, timestamp: "2026-01-01T00:00:00Z", data: {} })
      )
    )
  yield* until("ready at first", ready, 20_000)
  return { gate, notReady, port, ready: until("ready again", ready, 20_000), send, worker }
})

const live = (name: string, body: () => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live(name, () => Effect.scoped(body()), 60_000)

describe("health over HTTP", () => {
  live("turns unready when the connection is cut and refused, and ready when it is back", () =>
    Effect.gen(function*() {
      const { gate, notReady, port, ready } = yield* world
      yield* gate.refuse
      yield* gate.cut()
      yield* notReady(/Redis fails while/)
      assert.strictEqual((yield* get(port, "/health/live")).status, 200)
      yield* gate.resume
      yield* ready
    }))

  live("turns unready when the connection is silently dead", () =>
    Effect.gen(function*() {
      const { gate, notReady, ready } = yield* world
      yield* gate.blackhole()
      yield* notReady(/Redis fails while|read nothing back|not renewed/)
      yield* gate.resume
      yield* ready
    }))

  live("does not answer while frozen, and says afterwards that the event loop was late", () =>
    Effect.gen(function*() {
      const { notReady, port, ready, worker } = yield* world
      yield* worker.signal("SIGSTOP")
      assert.strictEqual((yield* get(port, "/health/live")).status, 0)
      yield* Effect.sleep("1 seconds")
      yield* worker.signal("SIGCONT")
      yield* notReady(/event loop was late/)
      yield* ready
    }))

  live("says that the event loop was late when a handler blocks it", () =>
    Effect.gen(function*() {
      const { notReady, send } = yield* world
      yield* send("user.block")
      yield* notReady(/event loop was late/)
    }))

  live("is unready while it drains, and answers until the drain is over", () =>
    Effect.gen(function*() {
      const { notReady, send, worker } = yield* world
      yield* send("user.slow")
      yield* worker.line(/A slow action starts/)
      yield* worker.signal("SIGTERM")
      yield* notReady(/draining/)
      assert.deepStrictEqual(yield* worker.ended(), { status: 0, signal: null })
    }))

  live("serves metrics in the text format of Prometheus", () =>
    Effect.gen(function*() {
      const { port, send } = yield* world
      yield* send("user.ping")
      yield* until(
        "counted",
        Effect.map(get(port, "/metrics"), ({ body }) =>
          body.includes("redis_workers_actions_total{service=\"user\",action_type=\"user.ping\",outcome=\"ack\"} 1"))
      )
      const families = parsePrometheusTextFormat((yield* get(port, "/metrics")).body)
      const family = (name: string) =>
        families.find((next) =>
          next.name === name
        )
      assert.deepInclude(family("redis_workers_actions_total"), {
        type: "COUNTER",
        metrics: [{ value: "1", labels: { service: "user", action_type: "user.ping", outcome: "ack" } }]
      })
      assert.strictEqual(family("redis_workers_handler_duration_ms")?.type, "HISTOGRAM")
      assert.strictEqual(family("redis_workers_handler_duration_ms")?.metrics[0]?.buckets?.["+Inf"], "1")
      assert.strictEqual(family("redis_workers_in_flight")?.type, "GAUGE")
    }))
})

describe("traces over OTLP", () => {
  live("reach a collector with the names and attributes of messaging", () =>
    Effect.gen(function*() {
      const bodies: Array<string> = []
      const collector = createServer((request: IncomingMessage, response) => {
        let body = ""
        request.setEncoding("utf8")
        request.on("data", (chunk: string) => {
          body += chunk
        })
        request.on("end", () => {
          bodies.push(body)
          response.end("{}")
        })
      })
      const collectorPort = yield* freePort
      yield* Effect.acquireRelease(
        Effect.promise(() =>
          new Promise<void>((resolve) => void collector.listen(collectorPort, "127.0.0.1", resolve))
        ),
        () => Effect.promise(() => new Promise<void>((resolve) => void collector.close(() => resolve())))
      )
      const server = yield* redisServer.start()
      const port = yield* freePort
      yield* processes.start("../../examples/observed/worker", {
        env: {
          SERVICE_NAME: "user",
          REDIS_URL: server.url,
          PORT: String(port),
          OTLP_URL: `http://127.0.0.1:${collectorPort}/v1/traces`
        }
      })
      yield* until("ready", Effect.map(get(port, "/health/ready"), ({ status }) => status === 200), 20_000)
      const action = DomainAction.make({
        action_id: "3f0c1b9e-6f0a-4d8e-9a53-2b1f6f0a77aa",
        action_type: "user.ping",
        timestamp: "2026-01-01T00:00:00Z",
        trace_id: "77aa3f0c-1b9e-4f0a-8d8e-9a532b1f6f0a",
        data: {}
      })
      yield* server.cli("XADD", "nooble4:dev:user:streams:main", "*", "data", DomainAction.encode(action))
      const spans = (): ReadonlyArray<OtlpSpan> =>
        bodies.flatMap((body) => {
          const batch: Batch = JSON.parse(body)
          return batch.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans))
        })
      yield* until(
        "the span arrived",
        Effect.sync(() => spans().some((span) => span.name === "process user.ping")),
        20_000
      )
      const span = spans().find((next) => next.name === "process user.ping")
      assert.strictEqual(span?.traceId, "77aa3f0c1b9e4f0a8d8e9a532b1f6f0a")
      assert.strictEqual(span?.parentSpanId, "3f0c1b9e6f0a4d8e")
      const attributes = new Map(span?.attributes.map(({ key, value }) => [key, value.stringValue]))
      assert.strictEqual(attributes.get("messaging.system"), "redis")
      assert.strictEqual(attributes.get("messaging.destination.name"), "nooble4:dev:user:streams:main")
      assert.strictEqual(attributes.get("messaging.message.id"), action.action_id)
      assert.strictEqual(attributes.get("messaging.consumer.group.name"), "user-group")
    }))
})

interface OtlpSpan {
  readonly name: string
  readonly traceId: string
  readonly parentSpanId?: string
  readonly attributes: ReadonlyArray<{ readonly key: string; readonly value: { readonly stringValue?: string } }>
}

interface Batch {
  readonly resourceSpans: ReadonlyArray<
    { readonly scopeSpans: ReadonlyArray<{ readonly spans: ReadonlyArray<OtlpSpan> }> }
  >
}
