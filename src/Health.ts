/**
 * Health checks of a worker. A worker is ready if it consumes actions; a successful ping is not enough.
 *
 * | event | `/health/ready` turns 503 | `/health/live` |
 * | --- | --- | --- |
 * | draining, paused, failed | at once | 503 only when failed |
 * | a call to Redis fails | at once, until it succeeds again; also while the worker starts | 200 |
 * | connection silently dead | within `block` + 10 seconds | 200 |
 * | leases not renewed | within two thirds of the lease | 200 |
 * | event loop blocked | does not answer; afterwards 503 for 10 seconds | the same |
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServer from "effect/http/HttpServer"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import * as Result from "effect/Result"
import type { InvalidOption } from "./internal/base/invalidOption.ts"
import { checkRow } from "./internal/base/options.ts"
import { healthRows } from "./internal/worker/healthOptions.ts"
import { StartObserver } from "./internal/worker/startObserver.ts"
import { Worker, type WorkerStatus } from "./Worker.ts"

/**
 * The limits of a worker that is ready.
 *
 * @since 0.1.0
 * @category options
 */
export interface Limits {
  /** How long after its `block` a read may take to come back. Default: 10 seconds. */
  readonly readGrace?: Duration.Input | undefined
  /** How late the event loop may be. Default: 1 second. */
  readonly eventLoopDelay?: Duration.Input | undefined
}

/**
 * Whether a worker is ready, and the problems if it is not.
 *
 * @since 0.1.0
 * @category models
 */
export interface Readiness {
  readonly ready: boolean
  /** One sentence for each problem. */
  readonly problems: ReadonlyArray<string>
}

/**
 * Decides from a worker's status whether it is ready.
 *
 * Throws an {@link InvalidOption} if a limit is invalid.
 *
 * @param now the time by this process's clock
 * @since 0.1.0
 * @category decisions
 */
export const readinessOf = (status: WorkerStatus, now: DateTime.Utc, limits: Limits = {}): Readiness =>
  decide(status, DateTime.toEpochMillis(now), Result.getOrThrowWith(checked(limits), identity))

/** Limits in milliseconds. */
interface Checked {
  readonly readGrace: number
  readonly eventLoopDelay: number
}

const checked = (limits: Limits): Result.Result<Checked, InvalidOption> =>
  Result.map(
    Result.all({
      readGrace: checkRow("readGrace", healthRows.readGrace, limits.readGrace),
      eventLoopDelay: checkRow("eventLoopDelay", healthRows.eventLoopDelay, limits.eventLoopDelay)
    }),
    ({ eventLoopDelay, readGrace }) => ({
      readGrace: Duration.toMillis(readGrace),
      eventLoopDelay: Duration.toMillis(eventLoopDelay)
    })
  )

const decide = (status: WorkerStatus, now: number, limits: Checked): Readiness => {
  const problems: Array<string> = []
  if (status.state !== "running") problems.push(`The worker is ${status.state}`)
  problems.push(...problemsOf(status.trouble))
  const readWithin = Duration.toMillis(status.block) + limits.readGrace
  // A pause by an operator is wanted: the worker is ready, and reads nothing.
  const isPaused = status.pauses.some(({ actionType }) => actionType === undefined)
  for (const consumer of status.consumers) {
    if (!consumer.reads || consumer.full || isPaused) continue
    const silent = now - DateTime.toEpochMillis(consumer.lastRead ?? status.startedAt)
    if (silent > readWithin) problems.push(`${consumer.name} has read nothing back for ${silent} ms`)
  }
  const sinceRenewal = now - DateTime.toEpochMillis(status.lastRenewed)
  if (sinceRenewal > (Duration.toMillis(status.lease) * 2) / 3) {
    problems.push(`Leases were not renewed for ${sinceRenewal} ms`)
  }
  // Workers look each second.
  const sinceDue = now - DateTime.toEpochMillis(status.lastDue)
  if (sinceDue > 1_000 + limits.readGrace) problems.push(`Nothing that is due was taken for ${sinceDue} ms`)
  const late = Duration.toMillis(status.eventLoopDelay)
  if (late > limits.eventLoopDelay) problems.push(`The event loop was late by ${late} ms`)
  return { ready: problems.length === 0, problems }
}

const problemsOf = (trouble: WorkerStatus["trouble"]): ReadonlyArray<string> =>
  [...trouble].map(([doing, failure]) => `Redis fails while ${doing}: ${failure}`)

/**
 * Returns the readiness of the worker in the context. Fails if a limit is invalid.
 *
 * @since 0.1.0
 * @category getters
 */
export const readiness = Effect.fnUntraced(
  function*(limits: Limits = {}): Effect.fn.Return<Readiness, InvalidOption, Worker> {
    const within = yield* Effect.fromResult(checked(limits))
    const worker = yield* Worker
    return decide(yield* worker.status, yield* Clock.currentTimeMillis, within)
  }
)

const routesOf = (
  status: Effect.Effect<WorkerStatus | undefined>,
  limits: Checked,
  starting: () => WorkerStatus["trouble"] = () => new Map()
): Layer.Layer<never, never, HttpRouter.HttpRouter> =>
  Layer.mergeAll(
    HttpRouter.add(
      "GET",
      "/health/live",
      Effect.map(status, (current) =>
        HttpServerResponse.jsonUnsafe(
          { state: current?.state ?? "starting", service: current?.service ?? null },
          { status: current?.state === "failed" ? 503 : 200 }
        ))
    ),
    HttpRouter.add(
      "GET",
      "/health/ready",
      Effect.zipWith(status, Clock.currentTimeMillis, (current, now) => {
        const ready = current === undefined ? notStarted(starting()) : decide(current, now, limits)
        return HttpServerResponse.jsonUnsafe(ready, { status: ready.ready ? 200 : 503 })
      })
    ),
    PrometheusMetrics.layerHttp()
  )

const notStarted = (trouble: WorkerStatus["trouble"]): Readiness => ({
  ready: false,
  problems: ["The worker is starting", ...problemsOf(trouble)]
})

/**
 * Routes for your own HTTP server: `/health/live`, `/health/ready` and `/metrics` (Prometheus).
 *
 * **Details**
 *
 * Health answers are JSON with status 200 or 503. `/health/ready` lists the problems, including those that delay the
 * start of the worker. `/health/live` describes the state of the worker.
 *
 * **Gotchas**
 *
 * The routes require the worker, so a server that serves them stops before the worker drains. Use {@link layer} to
 * answer probes during the start and the drain too.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerRoutes = (
  limits: Limits = {}
): Layer.Layer<never, InvalidOption, HttpRouter.HttpRouter | Worker> =>
  Layer.unwrap(Effect.gen(function*() {
    const within = yield* Effect.fromResult(checked(limits))
    return routesOf((yield* Worker).status, within)
  }))

/**
 * Serves the health of a worker. The server starts before the worker and stops after its drain, so it answers probes
 * the whole time.
 *
 * **Details**
 *
 * The routes are those of {@link layerRoutes}. The layer provides the services of the worker's layer.
 *
 * **Example** (A worker with probes)
 *
 * ```ts
 * import { NodeHttpServer } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { Health, Worker } from "effect-redis-workers"
 * import { createServer } from "node:http"
 *
 * const WorkerLayer = Worker.layer({ "user.ping": () => Effect.succeed({ pong: true }) })
 *
 * const program = Health.layer(WorkerLayer).pipe(
 *   Layer.provide(NodeHttpServer.layer(createServer, { port: 9090 })),
 *   Worker.launch
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <A, E, R>(
  worker: Layer.Layer<A | Worker, E, R>,
  limits: Limits = {}
): Layer.Layer<A | Worker, E | InvalidOption, R | HttpServer.HttpServer> =>
  Layer.effectContext(Effect.gen(function*() {
    const within = yield* Effect.fromResult(checked(limits))
    let running: Worker["Service"] | undefined
    let starting: Parameters<StartObserver>[0] | undefined
    const status = Effect.suspend(() => running === undefined ? Effect.undefined : running.status)
    const routes = routesOf(status, within, () => starting?.current() ?? new Map())
    yield* Layer.build(HttpRouter.serve(routes, { disableLogger: true }))
    const context = yield* Layer.build(worker).pipe(
      Effect.provideService(StartObserver, (trouble) => {
        starting = trouble
      })
    )
    running = Context.get(context, Worker)
    return context
  }))

// -----------------------------------------------------------------------------
// errors
// -----------------------------------------------------------------------------

export { InvalidOption } from "./internal/base/invalidOption.ts"
