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
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServer from "effect/http/HttpServer"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import { StartObserver } from "./internal/worker/startObserver.ts"
import { Worker, type WorkerStatus } from "./Worker.ts"

/**
 * The limits of a worker that is ready, in milliseconds.
 *
 * @since 0.1.0
 * @category options
 */
export interface Limits {
  /** How long a read may take beyond its `block`, in milliseconds. Default: 10,000. */
  readonly readGrace?: number | undefined
  /** How late the event loop may be, in milliseconds. Default: 1,000. */
  readonly eventLoopDelay?: number | undefined
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
 * @param now milliseconds by this process's clock
 *
 * @since 0.1.0
 * @category decisions
 */
export const readinessOf = (status: WorkerStatus, now: number, limits: Limits = {}): Readiness => {
  const problems: Array<string> = []
  if (status.state !== "running") problems.push(`The worker is ${status.state}`)
  problems.push(...problemsOf(status.trouble))
  const readWithin = status.block + (limits.readGrace ?? 10_000)
  for (const consumer of status.consumers) {
    if (!consumer.reads || consumer.full) continue
    const silent = now - (consumer.lastRead ?? status.startedAt)
    if (silent > readWithin) problems.push(`${consumer.name} has read nothing back for ${silent} ms`)
  }
  const sinceRenewal = now - status.lastRenewed
  if (sinceRenewal > (status.lease * 2) / 3) problems.push(`Leases were not renewed for ${sinceRenewal} ms`)
  if (status.eventLoopDelay > (limits.eventLoopDelay ?? 1_000)) {
    problems.push(`The event loop was late by ${status.eventLoopDelay} ms`)
  }
  return { ready: problems.length === 0, problems }
}

const problemsOf = (trouble: WorkerStatus["trouble"]): ReadonlyArray<string> =>
  [...trouble].map(([doing, failure]) => `Redis fails while ${doing}: ${failure}`)

/**
 * Returns the readiness of the worker in the context.
 *
 * @since 0.1.0
 * @category getters
 */
export const readiness = Effect.fnUntraced(function*(limits?: Limits): Effect.fn.Return<Readiness, never, Worker> {
  const worker = yield* Worker
  return readinessOf(yield* worker.status, yield* Clock.currentTimeMillis, limits)
})

const routesOf = (
  status: Effect.Effect<WorkerStatus | undefined>,
  limits: Limits | undefined,
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
        const ready = current === undefined ? notStarted(starting()) : readinessOf(current, now, limits)
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
export const layerRoutes = (limits?: Limits): Layer.Layer<never, never, HttpRouter.HttpRouter | Worker> =>
  Layer.unwrap(Effect.map(Worker, (worker) => routesOf(worker.status, limits)))

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
  limits?: Limits
): Layer.Layer<A | Worker, E, R | HttpServer.HttpServer> =>
  Layer.effectContext(Effect.gen(function*() {
    let running: Worker["Service"] | undefined
    let starting: Parameters<StartObserver>[0] | undefined
    const status = Effect.suspend(() => running === undefined ? Effect.undefined : running.status)
    const routes = routesOf(status, limits, () => starting?.current() ?? new Map())
    yield* Layer.build(HttpRouter.serve(routes, { disableLogger: true }))
    const context = yield* Layer.build(worker).pipe(
      Effect.provideService(StartObserver, (trouble) => {
        starting = trouble
      })
    )
    running = Context.get(context, Worker)
    return context
  }))
