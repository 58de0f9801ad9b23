/**
 * A service with a worker and a caller, whole, on a server of its own behind a proxy that breaks on purpose. What happens
 * is counted: what was sent, handled and answered, how often the worker called Redis, what it logged.
 */
import { assert } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import type { Delivery } from "../../src/Delivery.ts"
import { type Names, namesOf } from "../../src/internal/redis/names.ts"
import { outageOf, share } from "../../src/internal/redis/outage.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as Metrics from "../../src/Metrics.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Redis from "../../src/Redis.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import { recording } from "./logs.ts"
import * as Proxy from "./proxy.ts"
import * as Server from "./redisServer.ts"
import { until } from "./until.ts"
import { viewOf } from "./view.ts"

export const Do = Action.make("user.do", { payload: { key: Schema.String }, success: { key: Schema.String } })

export type Handle = (key: string, delivery: Delivery) => Effect.Effect<void>

/** What one process does with Redis: every command and every connection it asks for. */
export interface Calls {
  count: number
}

/** One process: its own connections, closed with its scope. */
export interface Process {
  readonly context: Context.Context<Redis.Redis | QueueNaming.QueueNaming | Settings.Settings>
  readonly calls: Calls
  /** Ends it in good order. */
  readonly stop: Effect.Effect<void>
}

export interface WorkerProcess extends Process {
  readonly worker: Worker.Worker["Service"]
}

/** Times of a worker that finds out about trouble within a test. */
export const quick: Worker.WorkerOptions = {
  block: "500 millis",
  claimIdle: "6 seconds",
  concurrency: 20,
  readAhead: 20,
  shutdownGrace: "2 seconds"
}

const quickRedis: IoRedis.Options = { replyTimeout: "1 second", blockGrace: "500 millis", connectTimeout: "2 seconds" }

/** Passes everything on, and counts. */
const counted = (redis: Redis.Redis["Service"], calls: Calls): Redis.Redis["Service"] => {
  const count = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      calls.count++
      return effect
    })
  const connection = (inner: Redis.Connection): Redis.Connection => ({
    send: (command, ...args) => count(inner.send(command, ...args)),
    eval: (script) => {
      const run = inner.eval(script)
      return (...params) => count(run(...params))
    }
  })
  const own: Redis.Redis["Service"] = {
    ...connection(redis),
    subscribe: redis.subscribe,
    reserve: count(Effect.map(redis.reserve, connection))
  }
  share(own, outageOf(redis))
  return own
}

export interface World {
  readonly server: Server.Server
  readonly proxy: Proxy.Proxy
  readonly names: Names
  readonly handled: ReadonlyMap<string, number>
  readonly logs: ReadonlyArray<string>
  /** Logged lines that match. */
  readonly logged: (pattern: RegExp) => ReadonlyArray<string>
  readonly counter: (
    metric: Metric.Counter<number>,
    attributes?: { readonly [name: string]: string }
  ) => Effect.Effect<number>
  /** Connects as a process does; fails as its start does. */
  readonly connect: (
    options?: IoRedis.Options
  ) => Effect.Effect<Process, Worker.InvalidOption | IoRedis.RedisStartError | Settings.SettingsError, Scope.Scope>
  readonly startWorker: (
    options?: Worker.WorkerOptions,
    redis?: IoRedis.Options
  ) => Effect.Effect<
    WorkerProcess,
    Worker.WorkerError | Worker.InvalidOption | IoRedis.RedisStartError | Settings.SettingsError,
    Scope.Scope
  >
  readonly startClient: (
    redis?: IoRedis.Options
  ) => Effect.Effect<
    ActionClient.ActionClient["Service"],
    Worker.InvalidOption | IoRedis.RedisStartError | Settings.SettingsError,
    Scope.Scope
  >
  /** Commands that the server was given, those of scripts and those that it refused included; 0 while it is away. */
  readonly processed: Effect.Effect<number>
  readonly gauge: (metric: Metric.Gauge<number>) => Effect.Effect<number>
  /** Ids of entries in the action stream, and of the pending ones. */
  readonly left: Effect.Effect<{ readonly entries: number; readonly pending: number }>
  readonly pending: Effect.Effect<number>
}

export interface Options {
  readonly config?: ReadonlyArray<string> | undefined
  readonly password?: string | undefined
  readonly server?: Server.Server | undefined
  readonly handle?: Handle | undefined
  /** How every process connects, unless it says otherwise. */
  readonly redis?: IoRedis.Options | undefined
  /** The timeout of each request of the load. */
  readonly patience?: Duration.Duration | undefined
}

export const make: (
  options?: Options
) => Effect.Effect<World, Server.RedisServerError | Server.ReplyError, Scope.Scope> = Effect.fnUntraced(
  function*(options = {}) {
    const server = options.server ?? (yield* Server.start({ config: options.config, password: options.password }))
    const proxy = yield* Proxy.start(server.port)
    const names = namesOf(QueueNaming.make({ prefix: "nooble4", environment: "dev" }), "user")
    const view = viewOf(names, server.cli)
    const handled = new Map<string, number>()
    const logs: Array<string> = []
    const registry: Metric.MetricRegistry = new Map()
    const shared = Layer.mergeAll(
      QueueNaming.layer,
      recording(logs, ({ level, text }) => `${level} ${text}`),
      Layer.succeed(Metric.MetricRegistry, registry)
    ).pipe(Layer.provideMerge(Settings.layerOf({ serviceName: "user", block: "500 millis" })))

    const handlers = ActionGroup.make(Do).handlers({
      "user.do": ({ key }, delivery) =>
        Effect.suspend(() => options.handle?.(key, delivery) ?? Effect.void).pipe(
          Effect.andThen(Effect.sync(() => {
            handled.set(key, (handled.get(key) ?? 0) + 1)
            return { key }
          }))
        )
    })

    const connect: World["connect"] = Effect.fnUntraced(function*(redis = {}) {
      const scope = yield* Scope.fork(yield* Effect.scope)
      const calls = { count: 0 }
      const layer = IoRedis.layerOptions({ url: proxy.url, ...quickRedis, ...options.redis, ...redis }).pipe(
        Layer.provideMerge(shared)
      )
      const context = yield* Layer.buildWithScope(Layer.fresh(layer), scope)
      return {
        context: Context.add(context, Redis.Redis, counted(Context.get(context, Redis.Redis), calls)),
        calls,
        stop: Scope.close(scope, Exit.void)
      }
    })

    /** In the scope of the process, so that it ends before the connections do. */
    const within = <A, E>(
      process: Process,
      effect: Effect.Effect<A, E, Redis.Redis | QueueNaming.QueueNaming | Settings.Settings | Scope.Scope>
    ) => Effect.provideContext(effect, process.context)

    return {
      server,
      proxy,
      names,
      handled,
      logs,
      logged: (pattern) => logs.filter((line) => pattern.test(line)),
      counter: (metric, attributes) =>
        Metric.value(Metric.withAttributes(metric, { service: "user", ...attributes })).pipe(
          Effect.provideService(Metric.MetricRegistry, registry),
          Effect.map((state) => state.count)
        ),
      processed: server.cli("INFO", "stats").pipe(
        Effect.map((info) =>
          [...String(info).matchAll(/(?:total_commands_processed|total_error_replies):(\d+)/g)]
            .reduce((sum, match) => sum + Number(match[1]), 0)
        ),
        Effect.orElseSucceed(() => 0)
      ),
      gauge: (metric) =>
        Metric.value(Metric.withAttributes(metric, { service: "user" })).pipe(
          Effect.provideService(Metric.MetricRegistry, registry),
          Effect.map((state) => state.value)
        ),
      connect,
      startWorker: Effect.fnUntraced(function*(workerOptions, redis) {
        const process = yield* connect({ name: "worker", ...redis })
        const scope = yield* Scope.fork(yield* Effect.scope)
        const worker = yield* within(process, Worker.start(handlers, { ...quick, ...workerOptions })).pipe(
          Effect.provideService(Scope.Scope, scope)
        )
        return { ...process, worker, stop: Effect.andThen(Scope.close(scope, Exit.void), process.stop) }
      }),
      startClient: Effect.fnUntraced(function*(redis) {
        return yield* within(yield* connect({ name: "caller", ...redis }), Effect.orDie(ActionClient.make()))
      }),
      left: Effect.orDie(Effect.all({ entries: view.length, pending: view.pendingCount })),
      pending: Effect.orDie(view.pendingCount)
    }
  }
)

// -----------------------------------------------------------------------------
// load
// -----------------------------------------------------------------------------

export interface Load {
  /** Keys of sends and requests that Redis accepted: none may be lost. */
  readonly accepted: ReadonlySet<string>
  /** Keys that were answered. */
  readonly answered: ReadonlySet<string>
  /** How calls failed, by the tag of the error. */
  readonly failures: ReadonlyMap<string, number>
  readonly attempts: () => number
  /** Ends the load, and waits for every caller; fails when one is not resolved within its timeout. */
  readonly stop: Effect.Effect<void>
}

/** What a process with two shared cores may need beyond it to notice. */
const slack = Duration.seconds(8)

/** A send and a request each 20 milliseconds, whether or not they succeed, until it is stopped. */
export const startLoad: (
  client: ActionClient.ActionClient["Service"],
  prefix?: string,
  patience?: Duration.Duration
) => Effect.Effect<Load, never, Scope.Scope> = Effect.fnUntraced(function*(
  client,
  prefix = "load",
  patience = Duration.seconds(2)
) {
  const accepted = new Set<string>()
  const answered = new Set<string>()
  const failures = new Map<string, number>()
  let attempts = 0
  let open = 0
  let unresolved = 0

  const failed = (error: { readonly _tag: string }) =>
    Effect.sync(() => failures.set(error._tag, (failures.get(error._tag) ?? 0) + 1))

  const sending = (key: string) =>
    Effect.matchEffect(client.send(Do, { key }), {
      onSuccess: () => Effect.sync(() => accepted.add(key)),
      onFailure: failed
    })
  const asking = (key: string) =>
    Effect.matchEffect(client.request(Do, { key }, { timeout: patience }), {
      onSuccess: (answer) =>
        Effect.sync(() => {
          assert.strictEqual(answer.key, key)
          accepted.add(key)
          answered.add(key)
        }),
      onFailure: failed
    }).pipe(Effect.timeoutOrElse({
      duration: Duration.sum(patience, slack),
      orElse: () => Effect.sync(() => unresolved++)
    }))
  const tracked = (effect: Effect.Effect<unknown>) =>
    Effect.suspend(() => {
      open++
      return effect
    }).pipe(Effect.ensuring(Effect.sync(() => open--)))

  const generator = yield* Effect.forkScoped(Effect.forever(Effect.gen(function*() {
    const number = attempts++
    yield* Effect.forkScoped(tracked(sending(`${prefix}-send-${number}`)))
    yield* Effect.forkScoped(tracked(asking(`${prefix}-ask-${number}`)))
    yield* Effect.sleep("20 millis")
  })))

  return {
    accepted,
    answered,
    failures,
    attempts: () => attempts,
    stop: Effect.gen(function*() {
      yield* Fiber.interrupt(generator)
      yield* until("all callers are resolved", Effect.sync(() => open === 0))
      assert.strictEqual(unresolved, 0, "callers without an answer or a failure within their timeout")
      for (const tag of failures.keys()) assert.include(["RedisError", "RequestTimeout"], tag)
    })
  }
})

// -----------------------------------------------------------------------------
// what must hold
// -----------------------------------------------------------------------------

/** Waits until nothing is pending or left in the stream; then every key must have been handled. */
export const nothingLost = Effect.fnUntraced(function*(world: World, keys: Iterable<string>) {
  const { names, server } = world
  yield* until(
    "nothing is left in the stream",
    Effect.map(world.left, ({ entries, pending }) => entries === 0 && pending === 0)
  ).pipe(
    Effect.catchDefect((defect) =>
      Effect.flatMap(world.left, (left) =>
        Effect.die(
          new Error(`${String(defect)}; left: ${JSON.stringify(left)}; logged: ${world.logs.slice(-8).join("\n")}`)
        ))
    )
  )
  assert.deepStrictEqual([...keys].filter((key) => !world.handled.has(key)), [], "sent and not handled")
  assert.strictEqual(yield* server.cli("ZCARD", names.retryDue), 0)
})

/** Waits until some more is handled. */
export const handledMore = (world: World) =>
  Effect.suspend(() => {
    const enough = world.handled.size + 20
    return until("more is handled", Effect.sync(() => world.handled.size >= enough))
  })

/** Waits until the worker tells of this kind of trouble. */
export const troubledBy = (process: WorkerProcess, kind: string) =>
  until(
    `the worker tells of ${kind}`,
    Effect.map(process.worker.status, (status) => [...status.trouble.values()].includes(kind))
  )

/** Waits until the worker has no trouble any more. */
export const recovered = (process: WorkerProcess) =>
  until(
    "the worker has no trouble",
    Effect.map(process.worker.status, (status) => status.trouble.size === 0)
  )

/**
 * Lets trouble last for a while, and checks that it costs little: a bounded number of calls, no more entries held than the
 * worker may hold, and a line in the log for each kind of trouble, not for each try.
 */
export const endure = Effect.fnUntraced(function*(world: World, process: WorkerProcess, millis = 1_500) {
  const calls = process.calls.count
  const processed = yield* world.processed
  const lines = world.logs.length
  // A read and a look at what is due each fill the room that they saw.
  const most = 2 * 2 * (20 + 20) + 1
  const began = performance.now()
  for (let waited = 0; waited < millis; waited += 100) {
    yield* Effect.sleep("100 millis")
    const status = yield* process.worker.status
    const held = status.consumers.reduce((sum, next) => sum + Math.max(next.held, next.unwritten), 0)
    assert.isAtMost(held, most, "entries held")
  }
  // What a busy machine adds to the time counts as well.
  const lasted = performance.now() - began
  // Full of work or not: what is tried again waits 25 ms at first and then ever longer.
  assert.isAtMost(process.calls.count - calls, lasted / 5, "calls of Redis during the trouble")
  assert.isAtMost((yield* world.processed) - processed, 5 * lasted, "commands that reached the server")
  assert.isAtMost(world.logs.length - lines, 40, `lines logged: ${world.logs.slice(lines).join("\n")}`)
  assert.strictEqual((yield* process.worker.status).state, "running")
})

/** A service under load that has handled some of it. */
export const working = Effect.fnUntraced(function*(options?: Options) {
  const world = yield* make(options)
  const process = yield* world.startWorker({ consumers: 2 })
  const client = yield* world.startClient()
  const load = yield* startLoad(client, "load", options?.patience)
  yield* handledMore(world)
  return { world, process, client, load }
})

/** Works again under load, and lost nothing. */
export const worksAgain = Effect.fnUntraced(
  function*(world: World, process: WorkerProcess, load: Load) {
    yield* recovered(process)
    yield* handledMore(world)
    yield* load.stop
    yield* nothingLost(world, load.accepted)
    assert.strictEqual(yield* world.gauge(Metrics.requestsOpen), 0)
    assert.strictEqual(yield* world.gauge(Metrics.inFlight), 0)
  }
)
