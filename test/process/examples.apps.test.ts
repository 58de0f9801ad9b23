/** The larger programs of examples/: in processes of their own, on a real server, signalled as a deploy does. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { randomUUID } from "node:crypto"
import { join } from "node:path"
import * as Processes from "../support/processes.ts"
import { layer as serverLayer, RedisServer } from "../support/redisServer.ts"
import { until } from "../support/until.ts"

/** Programs start slowly on a machine that runs other tests as well. */
const timeout = 150_000
const within = 60_000

const start = Effect.fnUntraced(function*(name: string, env: Processes.Options["env"] = {}) {
  const { url } = yield* RedisServer
  return yield* Processes.start(`../../examples/${name}`, { env: { NO_COLOR: "1", REDIS_URL: url, ...env } })
})

const endsWell = Effect.fnUntraced(function*(program: Processes.Program) {
  assert.deepStrictEqual(yield* program.ended(within), { status: 0, signal: null }, program.lines().join("\n"))
})

const stop = (program: Processes.Program) => Effect.andThen(program.signal("SIGTERM"), endsWell(program))

interface Answer {
  readonly status: number
  readonly body: unknown
}

/** What a server answers; `undefined` when it does not. */
const ask = (url: string, method = "GET", body?: object): Effect.Effect<Answer | undefined> =>
  Effect.promise(async () => {
    try {
      const response = await fetch(url, {
        method,
        // A connection each, as probes have.
        headers: { connection: "close", ...body === undefined ? {} : { "content-type": "application/json" } },
        ...body === undefined ? {} : { body: JSON.stringify(body) }
      })
      const text = await response.text()
      return { status: response.status, body: text === "" ? undefined : JSON.parse(text) }
    } catch {
      return undefined
    }
  })

/** The port that a line ends with. */
const portOf = (line: string): string => /:(\d+)\D*$/.exec(line)![1]!

const noDeadLetters = (service: string) =>
  Effect.flatMap(
    RedisServer,
    ({ cli }) =>
      Effect.map(cli("EXISTS", `nooble4:dev:${service}:streams:dead`), (count) => assert.strictEqual(count, 0))
  )

layer(serverLayer(), { excludeTestServices: true })("examples", (it) => {
  it.effect(
    "http-app: the API ends first on SIGTERM, then the workers with what they have, and the probes last",
    () =>
      Effect.gen(function*() {
        const app = yield* start("http-app/main", { PORT: "0", HEALTH_PORT: "0", RENDER_TIME: "3 seconds" })
        const [probes, api] = (yield* app.linesOf(/Listening on/, 2, within)).map((line) =>
          `http://127.0.0.1:${portOf(line)}`
        )
        const invoice = `${api}/invoices/${randomUUID()}`
        assert.deepStrictEqual(yield* ask(`${probes}/health/ready`), {
          status: 200,
          body: { ready: true, problems: [] }
        })
        assert.strictEqual((yield* ask(invoice))?.status, 404)
        assert.strictEqual((yield* ask(invoice, "PUT", { customer: "Ana" }))?.status, 400)

        assert.strictEqual((yield* ask(invoice, "PUT", { customer: "Ana", amount: 3 }))?.status, 202)
        yield* until("the invoice is there", Effect.map(ask(invoice), (answer) => answer?.status === 200), within)
        assert.propertyVal((yield* ask(invoice))?.body, "text", "Ana owes 3")

        assert.strictEqual((yield* ask(invoice, "PUT", { customer: "Eva", amount: 4 }))?.status, 202)
        yield* app.line(/rendering the invoice of Eva/, within)
        yield* app.signal("SIGTERM")
        yield* until("it drains", Effect.map(ask(`${probes}/health/ready`), (answer) => answer?.status === 503))
        assert.deepStrictEqual((yield* ask(`${probes}/health/ready`))?.body, {
          ready: false,
          problems: ["The worker is draining"]
        })
        assert.strictEqual(yield* ask(invoice), undefined)
        assert.isTrue(app.isRunning())
        yield* endsWell(app)
        const { cli } = yield* RedisServer
        assert.strictEqual(yield* cli("XLEN", "nooble4:dev:invoice:streams:main"), 0)
        yield* noDeadLetters("invoice")
      }),
    timeout
  )

  it.effect(
    "fastify: the worker starts before the first request, and drains after the last",
    () =>
      Effect.gen(function*() {
        const app = yield* start("fastify/main", { PORT: "0", PACE: "1 second" })
        const users = `http://127.0.0.1:${portOf(yield* app.line(/Server listening at/, within))}/users`
        const first = yield* ask(users, "POST", { email: "ana@example.com" })
        assert.strictEqual(first?.status, 201)
        assert.deepStrictEqual(yield* ask(users, "POST", { email: "ana@example.com" }), {
          status: 409,
          body: { message: "ana@example.com is taken" }
        })
        assert.strictEqual((yield* ask(users, "POST", { mail: "ana@example.com" }))?.status, 400)

        const [last] = yield* Effect.all([
          ask(users, "POST", { email: "eva@example.com" }),
          Effect.andThen(app.line(/creating eva/, within), app.signal("SIGTERM"))
        ], { concurrency: "unbounded" })
        assert.strictEqual(last?.status, 201)
        yield* endsWell(app)
      }),
    timeout
  )

  it.effect(
    "fastify: the app does not start without Redis, and ends when its worker ends for good",
    () =>
      Effect.gen(function*() {
        const alone = yield* start("fastify/main", { PORT: "0", REDIS_URL: "redis://127.0.0.1:1" })
        assert.deepStrictEqual(yield* alone.ended(within), { status: 1, signal: null })
        assert.match(alone.lines().join("\n"), /Cannot connect to Redis at 127\.0\.0\.1:1/)
        assert.strictEqual(alone.count(/Server listening/), 0)

        const app = yield* start("fastify/main", { PORT: "0", QUEUE_PREFIX: "broken" })
        yield* app.line(/Server listening at/, within)
        const { cli } = yield* RedisServer
        yield* cli("DEL", "broken:dev:user:streams:main")
        yield* cli("SET", "broken:dev:user:streams:main", "no stream")
        assert.deepStrictEqual(yield* app.ended(within), { status: 1, signal: null }, app.lines().join("\n"))
      }),
    timeout
  )

  it.effect(
    "payment: charged once, though its process died between the commit and the answer, and was asked twice",
    () =>
      Effect.gen(function*() {
        const { cli, directory } = yield* RedisServer
        const env = { DATABASE: join(directory, "payments.sqlite"), WORKER_CLAIM_IDLE: "2 seconds" }
        const client = yield* start("payment/client")
        const first = yield* start("payment/worker", { ...env, DIE_AFTER_COMMIT: "yes" })
        assert.deepStrictEqual(yield* first.ended(within), { status: null, signal: "SIGKILL" })
        assert.strictEqual(first.count(/charged ana 30/), 1)

        const second = yield* start("payment/worker", env)
        yield* endsWell(client)
        assert.deepStrictEqual(client.lines(), [
          "paid 30, 70 left",
          "asked again, 70 left",
          "1000 is too much for 70"
        ])
        yield* second.line(/receipt: ana paid 30/, within)
        yield* stop(second)
        assert.strictEqual(second.count(/charged ana/), 0)
        assert.strictEqual(second.count(/receipt:/), 1)
        assert.strictEqual(yield* cli("XLEN", "nooble4:dev:payment:streams:main"), 0)
        yield* noDeadLetters("payment")
      }),
    timeout
  )

  it.effect(
    "rollout: every request is answered while a release replaces the other, and nothing is dead-lettered",
    () =>
      Effect.gen(function*() {
        const { cli } = yield* RedisServer
        const env = { QUEUE_PREFIX: "rollout" }
        const caller = yield* start("rollout/caller", env)
        const old = yield* Effect.all([start("rollout/worker1", env), start("rollout/worker1", env)])
        yield* caller.line(/^release 1 answers$/, within)
        const next = yield* start("rollout/worker2", env)
        yield* caller.line(/^release 2 answers$/, within)
        yield* Effect.forEach(old, stop, { concurrency: "unbounded" })
        yield* endsWell(caller)
        yield* stop(next)

        const lines = caller.lines().join("\n")
        assert.match(lines, /^merged by release 2$/m)
        const counts = [...lines.matchAll(/^release \d: (\d+) answers$/gm)].map(([, count]) => Number(count))
        assert.strictEqual(counts.length, 2)
        assert.strictEqual(yield* cli("XLEN", "rollout:dev:user:streams:main"), 0)
        assert.strictEqual(yield* cli("EXISTS", "rollout:dev:user:streams:dead"), 0)
      }),
    timeout
  )
})
