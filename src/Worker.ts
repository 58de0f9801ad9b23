/**
 * Workers: they read a service's actions from its stream, run the handlers, and settle what became of each.
 *
 * **Guarantee**: at least once. An entry leaves the stream's pending list only with its
 * settlement, in one atomic step; a crash between the two runs the handler again.
 *
 * ```text
 * action stream ─▶ reader / claims ─▶ decode ─▶ dispatch ─▶ handler fiber ─▶ settlement ─▶ settler ─▶ Redis
 * ```
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import type * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import type { DispositionOverrides } from "./Action.ts"
import * as ActionGroup from "./ActionGroup.ts"
import type { InvalidOption } from "./internal/base/invalidOption.ts"
import { assemble } from "./internal/worker/assembly.ts"
import { supervise } from "./internal/worker/supervise.ts"
import { QueueNaming } from "./QueueNaming.ts"
import { Redis } from "./Redis.ts"
import { Settings } from "./Settings.ts"
import type { WorkerError } from "./WorkerError.ts"

export { InvalidOption } from "./internal/base/invalidOption.ts"

export { WorkerError } from "./WorkerError.ts"

// -----------------------------------------------------------------------------
// Options
// -----------------------------------------------------------------------------

/**
 * Options of a worker. What is left out is taken from {@link Settings}, or has the default that stands here.
 *
 * @since 0.1.0
 * @category options
 */
export interface WorkerOptions {
  /** The service whose actions are handled. Default: `Settings.serviceName`. */
  readonly service?: string | undefined
  /** Part of the consumers' names. Default: `internal-<number>`, counted from 0. */
  readonly consumerSuffix?: string | undefined
  /** Internal workers, each with a consumer of its own. Default: `Settings.consumers` (1). */
  readonly consumers?: number | undefined
  /** Handlers that run at once in each internal worker. Default: `Settings.concurrency` (100). */
  readonly concurrency?: number | undefined
  /** Entries that each internal worker holds beyond those that run. Default: twice as many as run, at most 200. */
  readonly readAhead?: number | undefined
  /** How long one read waits at Redis. Default: `Settings.block` (5 seconds). */
  readonly block?: Duration.Input | undefined
  /** The lease of an entry: silent for longer, and another consumer takes it. Default: `Settings.claimIdle` (60 seconds). */
  readonly claimIdle?: Duration.Input | undefined
  /** Runs of a handler, the first included. Default: `Settings.maxAttempts` (5). */
  readonly maxAttempts?: number | undefined
  /** Deliveries without an outcome before an entry counts as one that kills its workers. Default: `Settings.maxDeliveries` (10). */
  readonly maxDeliveries?: number | undefined
  /** Limit of one run of a handler. Default: `Settings.handlerTimeout` (none). */
  readonly handlerTimeout?: Duration.Input | undefined
  /** How long a drain waits for running handlers. Default: `Settings.shutdownGrace` (25 seconds). */
  readonly shutdownGrace?: Duration.Input | undefined
  /** Largest `data` of an entry, and largest answer, in bytes. Default: `Settings.payloadLimit` (4 MiB). */
  readonly payloadLimit?: number | undefined
  /** Deepest nesting of `data`. Default: 64. */
  readonly depthLimit?: number | undefined
  /** What one internal worker holds at once, in characters: reading pauses beyond it. Default: 16 Mi. */
  readonly memoryLimit?: number | undefined
  /** How long an action that no worker knows waits for one that does. Default: `Settings.unknownFor` (10 minutes). */
  readonly unknownFor?: Duration.Input | undefined
  /** When to run an action again; the input is the number of failed attempts. Default: from 1 second, doubled, at most 5 minutes, jittered. */
  readonly retry?: Schedule.Schedule<unknown, number> | undefined
  /** Dispositions of declared errors, by tag, in place of those in the contracts. Default: none. */
  readonly errors?: DispositionOverrides | undefined
  /** `"every-attempt"` sends an error response at each failure, as the Python worker does. Default: `"final"`. */
  readonly errorReplies?: "final" | "every-attempt" | undefined
  /** `"response"` sends an error response to the callback list as well. Default: `"dead-letter"`. */
  readonly callbackErrors?: "dead-letter" | "response" | undefined
  /**
   * Whether callbacks are brought in from the callback lists of this service, which are looked at four to ten times a
   * second. Default: `true`. A service that asks for none, or only for callbacks to its stream, can do without.
   */
  readonly callbacks?: boolean | undefined
  /** How long a response list lives on after an answer. Default: 1 hour. */
  readonly responseTimeToLive?: Duration.Input | undefined
  /**
   * Bounds of the dead letters, beyond which the oldest are dropped; a warning is logged at 90 % of each. Default:
   * `maxCount` 100,000 and `maxAge` 30 days. `Infinity` is no bound.
   */
  readonly deadLetters?:
    | { readonly maxCount?: number | undefined; readonly maxAge?: Duration.Input | undefined }
    | undefined
  /** How long acknowledged entries stay in the stream. Default: not at all with one group; with several until each is done. */
  readonly retain?: Duration.Input | undefined
}

// -----------------------------------------------------------------------------
// Handle
// -----------------------------------------------------------------------------

/**
 * What a worker is doing.
 *
 * @since 0.1.0
 * @category models
 */
export type WorkerState = "running" | "paused" | "draining" | "stopped" | "failed"

/**
 * A worker at one moment, as data.
 *
 * @since 0.1.0
 * @category models
 */
export interface WorkerStatus {
  readonly state: WorkerState
  readonly service: string
  readonly stream: string
  readonly group: string
  /** The lease that holds for the group. */
  readonly lease: Duration.Duration
  /** When held entries were last renewed, by this process's clock. */
  readonly lastRenewed: DateTime.Utc
  /** When the worker started, by this process's clock. */
  readonly startedAt: DateTime.Utc
  /** How long one read waits. */
  readonly block: Duration.Duration
  /** How late the event loop was at most in the last 10 seconds. */
  readonly eventLoopDelay: Duration.Duration
  readonly consumers: ReadonlyArray<ConsumerStatus>
  /** What is failing now: what was being done, and how it failed. */
  readonly trouble: ReadonlyMap<string, string>
}

/**
 * One internal worker at one moment.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConsumerStatus {
  readonly name: string
  /** Handlers that run. */
  readonly running: number
  /** Entries that it answers for, running ones included. */
  readonly held: number
  /** Settlements that are not written yet. */
  readonly unwritten: number
  /** When a read was last sent or came back, by this process's clock; `undefined` before the first. */
  readonly lastRead: DateTime.Utc | undefined
  /** Whether it reads new entries; one runs suspected killers alone and does not. */
  readonly reads: boolean
  /** Whether it holds all that it may, and reads no more until something is settled. */
  readonly full: boolean
}

/**
 * The handle of a running worker.
 *
 * @since 0.1.0
 * @category services
 */
export class Worker extends Context.Service<Worker, {
  /** Ends when the worker was drained; fails when it cannot go on. */
  readonly await: Effect.Effect<void, WorkerError>
  readonly status: Effect.Effect<WorkerStatus>
  /** Stops taking entries; what runs goes on. */
  readonly pause: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
  /**
   * Stops reading, waits for what runs (at most `shutdownGrace`), interrupts the rest, gives back all that is pending
   * here, and ends. Nothing is lost and no attempt is counted. May be called more than once.
   */
  readonly drain: Effect.Effect<void>
}>()("effect-redis-workers/Worker") {}

// -----------------------------------------------------------------------------
// Start
// -----------------------------------------------------------------------------

/**
 * Starts a worker in a scope and hands out its handle. Closing the scope drains it.
 *
 * **Details**
 *
 * The group is made if it is missing, from the beginning of the stream, before this returns.
 *
 * **Example** (Watch a worker)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Worker } from "effect-redis-workers"
 *
 * const program = Effect.gen(function*() {
 *   const worker = yield* Worker.start({ "user.ping": () => Effect.succeed({ pong: true }) })
 *   const status = yield* worker.status
 *   yield* Effect.log(`${status.service} is ${status.state}`)
 *   yield* worker.await
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const start = <H extends ActionGroup.AnyHandlers>(
  handlers: H & ActionGroup.Runnable<H>,
  options: WorkerOptions = {}
): Effect.Effect<
  Worker["Service"],
  WorkerError | InvalidOption | ActionGroup.BuildError<H>,
  Redis | QueueNaming | Settings | Scope.Scope | ActionGroup.Services<H>
> => startHandlers(ActionGroup.toHandlers<H>(handlers), options)

const startHandlers = Effect.fnUntraced(function*<E, R>(handlers: ActionGroup.Handlers<E, R>, options: WorkerOptions) {
  const settings = yield* Settings
  const routes = yield* handlers.build
  // What a handler opens must not live as long as the worker, and its spans are children of its message.
  const context = Context.omit(Scope.Scope, Tracer.ParentSpan)(yield* Effect.context<R>())
  const parts = yield* assemble({
    redis: yield* Redis,
    naming: yield* QueueNaming,
    clock: yield* Clock.Clock,
    settings,
    options,
    routes,
    context
  })
  return yield* supervise(parts)
})

// -----------------------------------------------------------------------------
// Programs and layers
// -----------------------------------------------------------------------------

/**
 * A worker as a whole program: it owns its scope, runs until it is interrupted and then drains, or fails for good.
 *
 * **Details**
 *
 * With `NodeRuntime.runMain`, SIGTERM and SIGINT interrupt the program, which drains it. `runMain` then exits with 130;
 * pass {@link teardown} to exit with 0.
 *
 * Also exported as `makeWorker`.
 *
 * **Example** (The whole program)
 *
 * ```ts
 * import { NodeRuntime } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { makeWorker, QueueNamingLayer, RedisLayer, SettingsLayer, Worker } from "effect-redis-workers"
 *
 * const AppLayer = Layer.mergeAll(RedisLayer, QueueNamingLayer).pipe(Layer.provideMerge(SettingsLayer))
 *
 * const main = makeWorker({ "user.ping": () => Effect.succeed({ pong: true }) }).pipe(Effect.provide(AppLayer))
 *
 * NodeRuntime.runMain(main, { teardown: Worker.teardown })
 * ```
 *
 * @since 0.1.0
 * @category programs
 */
export const run = <H extends ActionGroup.AnyHandlers>(
  handlers: H & ActionGroup.Runnable<H>,
  options?: WorkerOptions
): Effect.Effect<
  never,
  WorkerError | InvalidOption | ActionGroup.BuildError<H>,
  Redis | QueueNaming | Settings | ActionGroup.Services<H>
> =>
  // SAFETY: `scoped` provides the one scope there is, which the compiler cannot take out of an open `Services<H>`.
  Effect.scoped(
    Effect.flatMap(start<H>(handlers, options), (worker) => Effect.andThen(worker.await, Effect.never))
  ) as never

/**
 * A worker as a layer that provides its handle. It starts with the layer and drains when the layer's scope closes.
 *
 * **Gotchas**
 *
 * A layer that is built cannot fail any more. A worker that ends later logs an error, its status says `failed`, and
 * `await` of its handle fails: run {@link join} beside the rest of the program, or launch the layer with {@link launch}.
 *
 * There is one `Worker` in a context, so a second layer hides the first from `launch`, `join` and `Health`. Workers of
 * several services in one program are made with {@link start}.
 *
 * **Example** (A worker in an application)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Worker } from "effect-redis-workers"
 *
 * const WorkerLayer = Worker.layer({ "user.ping": () => Effect.succeed({ pong: true }) })
 *
 * const program = Worker.launch(WorkerLayer)
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <H extends ActionGroup.AnyHandlers>(
  handlers: H & ActionGroup.Runnable<H>,
  options?: WorkerOptions
): Layer.Layer<
  Worker,
  WorkerError | InvalidOption | ActionGroup.BuildError<H>,
  Redis | QueueNaming | Settings | ActionGroup.Services<H>
> =>
  // SAFETY: `Layer.effect` provides the scope, as above.
  Layer.effect(Worker, start<H>(handlers, options)) as never

/**
 * Waits for the worker of the context: never ends while it runs, fails when it fails.
 *
 * @since 0.1.0
 * @category programs
 */
export const join: Effect.Effect<never, WorkerError, Worker> = Effect.flatMap(
  Worker,
  (worker) => Effect.andThen(worker.await, Effect.never)
)

/**
 * As `Layer.launch`, for a layer that provides a worker: a worker that fails ends the program.
 *
 * @since 0.1.0
 * @category programs
 */
export const launch = <A, E, R>(self: Layer.Layer<A | Worker, E, R>): Effect.Effect<never, E | WorkerError, R> =>
  // SAFETY: the layer provides `Worker`, so what is left of the requirements is `R`.
  Effect.provide(join, self) as never

/**
 * A teardown for `NodeRuntime.runMain` that exits with 0 after a signal that drained the program, instead of 130.
 *
 * @since 0.1.0
 * @category programs
 */
export const teardown: Runtime.Teardown = (exit, onExit) =>
  Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause) ? onExit(0) : Runtime.defaultTeardown(exit, onExit)
