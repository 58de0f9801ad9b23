/**
 * Workers read a service's actions from its stream, run the handlers, and settle each action.
 *
 * **Guarantee**: at least once. An entry leaves the stream's pending list only together with its settlement, in one
 * atomic step. After a crash before that step, the handler runs again.
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
import type { Delivery } from "./Delivery.ts"
import type { DomainAction } from "./DomainAction.ts"
import type { InvalidOption } from "./internal/base/invalidOption.ts"
import { assemble } from "./internal/worker/assembly.ts"
import { supervise } from "./internal/worker/supervise.ts"
import { QueueNaming } from "./QueueNaming.ts"
import { Redis } from "./Redis.ts"
import type * as Schedules from "./Schedules.ts"
import { Settings } from "./Settings.ts"
import type { Settlement } from "./Settlement.ts"
import type { WorkerError } from "./WorkerError.ts"

export { InvalidOption } from "./internal/base/invalidOption.ts"

export { WorkerError, WorkerErrorReason } from "./WorkerError.ts"

// -----------------------------------------------------------------------------
// Options
// -----------------------------------------------------------------------------

/**
 * Options of a worker. Omitted options are taken from {@link Settings}, or have the default given here.
 *
 * @since 0.1.0
 * @category options
 */
export interface WorkerOptions {
  /** The service whose actions the worker handles. Default: `Settings.serviceName`. */
  readonly service?: string | undefined
  /** A part of the consumers' names. Default: `internal-<number>`, counted from 0. */
  readonly consumerSuffix?: string | undefined
  /** The number of internal workers, each with its own consumer. Default: `Settings.consumers` (1). */
  readonly consumers?: number | undefined
  /** The number of handlers that run at once in each internal worker. Default: `Settings.concurrency` (100). */
  readonly concurrency?: number | undefined
  /**
   * The number of entries that each internal worker holds in addition to the running ones. Default: twice
   * `concurrency`, at most 200.
   */
  readonly readAhead?: number | undefined
  /** How long one read waits at Redis for new entries. Default: `Settings.block` (5 seconds). */
  readonly block?: Duration.Input | undefined
  /**
   * The lease of an entry: another consumer takes over an entry that was not renewed for this long. Default:
   * `Settings.claimIdle` (60 seconds).
   */
  readonly claimIdle?: Duration.Input | undefined
  /** Actions that recur, made with `Schedules.cron` and `Schedules.every`. Default: none. */
  readonly schedules?: ReadonlyArray<Schedules.Schedule> | undefined
  /**
   * How often a handler runs, the first time included, before an action becomes a dead letter. Default:
   * `Settings.maxAttempts` (5).
   */
  readonly maxAttempts?: number | undefined
  /**
   * The number of deliveries without an outcome after which an entry counts as one that kills its workers. Default:
   * `Settings.maxDeliveries` (10).
   */
  readonly maxDeliveries?: number | undefined
  /** How long one run of a handler may take. Default: `Settings.handlerTimeout` (none). */
  readonly handlerTimeout?: Duration.Input | undefined
  /**
   * How long a drain waits for running handlers before it interrupts them. Default: `Settings.shutdownGrace` (25
   * seconds).
   */
  readonly shutdownGrace?: Duration.Input | undefined
  /** The largest `data` of an entry, and the largest answer, in bytes. Default: `Settings.payloadLimit` (4 MiB). */
  readonly payloadLimit?: number | undefined
  /** The deepest nesting of `data`, in levels. Default: 64. */
  readonly depthLimit?: number | undefined
  /** The number of characters that one internal worker holds at once; it pauses reading above that. Default: 16 Mi. */
  readonly memoryLimit?: number | undefined
  /**
   * How long an action of an unknown type waits for a worker that knows it. Default: `Settings.unknownFor` (10
   * minutes).
   */
  readonly unknownFor?: Duration.Input | undefined
  /**
   * When to run an action again after a failure. The input is the number of failed attempts. Default: from 1 second,
   * doubled, at most 5 minutes, jittered.
   */
  readonly retry?: Schedule.Schedule<unknown, number> | undefined
  /** Dispositions of declared errors, by tag, that override those in the contracts. Default: none. */
  readonly errors?: DispositionOverrides | undefined
  /**
   * `"final"` sends an error response after the last failure; `"every-attempt"` sends one after each failure, as the
   * Python worker does. Default: `"final"`.
   */
  readonly errorReplies?: "final" | "every-attempt" | undefined
  /**
   * `"dead-letter"` keeps failures of callback actions within the service; `"response"` also sends an error response to
   * the callback list. Default: `"dead-letter"`.
   */
  readonly callbackErrors?: "dead-letter" | "response" | undefined
  /**
   * Whether the worker moves callbacks from this service's callback lists to its stream. It checks the lists four to
   * ten times a second. Turn it off for a service that asks for no callbacks, or only for callbacks to its stream.
   * Default: `true`.
   */
  readonly callbacks?: boolean | undefined
  /** How long a response list lives after an answer was added to it. Default: 1 hour. */
  readonly responseTimeToLive?: Duration.Input | undefined
  /**
   * Limits of the dead letters. Above a limit, the oldest are dropped; a warning is logged at 90 % of it. `Infinity`
   * means no limit. Default: `maxCount` 100,000 and `maxAge` 30 days.
   */
  readonly deadLetters?:
    | { readonly maxCount?: number | undefined; readonly maxAge?: Duration.Input | undefined }
    | undefined
  /**
   * How long acknowledged entries stay in the stream. Default: not at all with one group; with several, until each
   * group is done.
   */
  readonly retain?: Duration.Input | undefined
  /**
   * Whether the worker counts outcomes and durations by action type, and adds them to Redis every 5 seconds. `Inspector`, the
   * command line and the dashboard show them. Default: `true`.
   */
  readonly statistics?: boolean | undefined
  /**
   * Called for each delivery once its settlement is written, for an audit entry or a metric of your own. The effect that
   * it returns runs beside the worker, which neither waits for it nor fails with it. Default: none.
   */
  readonly onSettled?:
    | ((settlement: Settlement, delivery: SettledDelivery) => Effect.Effect<unknown, unknown> | void)
    | undefined
}

/**
 * What the option `onSettled` gets of a delivery.
 *
 * @since 0.2.0
 * @category models
 */
export interface SettledDelivery extends Pick<Delivery, "entryId" | "attempt" | "deliveries" | "consumer"> {
  /** The envelope as received; `undefined` if the entry is malformed. */
  readonly action: DomainAction | undefined
  /** What the handler failed with; `undefined` if it succeeded or did not run. */
  readonly cause: unknown
}

// -----------------------------------------------------------------------------
// Handle
// -----------------------------------------------------------------------------

/**
 * The state of a worker.
 *
 * @since 0.1.0
 * @category models
 */
export type WorkerState = "running" | "paused" | "draining" | "stopped" | "failed"

/**
 * A snapshot of a worker.
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
  /** When it last took what is due (parked actions, retries and schedules), by this process's clock. */
  readonly lastDue: DateTime.Utc
  /** When the worker started, by this process's clock. */
  readonly startedAt: DateTime.Utc
  /** How long one read waits. */
  readonly block: Duration.Duration
  /** How late the event loop was at most in the last 10 seconds. */
  readonly eventLoopDelay: Duration.Duration
  /**
   * The schedules that this worker declares. `isSent` is false while the service sends the schedule in the form of another worker,
   * which started later.
   */
  readonly schedules: ReadonlyArray<{ readonly name: string; readonly isSent: boolean }>
  /** The lanes of its contracts by type or name, all keys together, as they were at most 15 seconds ago. */
  readonly lanes: ReadonlyArray<{ readonly lane: string; readonly held: number; readonly waiting: number }>
  /**
   * The actions of the service that are parked until their time, as they were at most 15 seconds ago. A lane that has something to do
   * later counts as one.
   */
  readonly parked: number
  readonly consumers: ReadonlyArray<ConsumerStatus>
  /** The pauses by operators, of the service or of types. A worker whose service is paused stays `running` and takes nothing. */
  readonly pauses: ReadonlyArray<{
    /** The type that is paused; `undefined` if it is the whole service. */
    readonly actionType: string | undefined
    /** When it ends by itself, by the server's clock. */
    readonly until: DateTime.Utc | undefined
    readonly reason: string
  }>
  /** Current failures: the operation, and how it failed. */
  readonly trouble: ReadonlyMap<string, string>
}

/**
 * A snapshot of one internal worker.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConsumerStatus {
  readonly name: string
  /** The number of running handlers. */
  readonly running: number
  /** The number of entries that it holds, running ones included. */
  readonly held: number
  /** The number of settlements not written yet. */
  readonly unwritten: number
  /** When a read was last sent or came back, by this process's clock; `undefined` before the first. */
  readonly lastRead: DateTime.Utc | undefined
  /** Whether it reads new entries; one runs suspected killers alone and does not. */
  readonly reads: boolean
  /** Whether it is full. It reads again once something is settled. */
  readonly full: boolean
}

/**
 * The handle of a running worker.
 *
 * @since 0.1.0
 * @category services
 */
export class Worker extends Context.Service<Worker, {
  /** Succeeds when the worker has drained. Fails when the worker cannot go on. */
  readonly await: Effect.Effect<void, WorkerError>
  readonly status: Effect.Effect<WorkerStatus>
  /** Stops taking entries. Running handlers continue. */
  readonly pause: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
  /**
   * Stops reading, waits for running handlers (at most `shutdownGrace`), interrupts the rest, releases all entries that
   * it holds, and ends. No action is lost, and no attempt is counted. It is safe to call more than once.
   */
  readonly drain: Effect.Effect<void>
}>()("effect-redis-workers/Worker") {}

// -----------------------------------------------------------------------------
// Start
// -----------------------------------------------------------------------------

/**
 * Starts a worker in a scope and returns its handle. Closing the scope drains the worker.
 *
 * **Details**
 *
 * If the consumer group is missing, it is created at the beginning of the stream before `start` returns.
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
  // A scope that a handler opens must not live as long as the worker, and its spans are children of its message.
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
 * A worker as a whole program. It owns its scope, runs until it is interrupted, and then drains. It fails if the worker
 * cannot go on.
 *
 * **Details**
 *
 * With `NodeRuntime.runMain`, SIGTERM and SIGINT interrupt the program, which drains the worker. `runMain` then exits
 * with 130; pass {@link teardown} to exit with 0.
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
  // SAFETY: `scoped` provides the only scope, which the compiler cannot remove from an open `Services<H>`.
  Effect.scoped(
    Effect.flatMap(start<H>(handlers, options), (worker) => Effect.andThen(worker.await, Effect.never))
  ) as never

/**
 * A worker as a layer that provides its handle. The worker starts with the layer and drains when the layer's scope
 * closes.
 *
 * **Gotchas**
 *
 * A layer cannot fail after it is built. A worker that fails later logs an error, its status is `failed`, and `await`
 * of its handle fails. Run {@link join} next to the rest of the program, or launch the layer with {@link launch}.
 *
 * A context holds one `Worker`, so a second layer hides the first from `launch`, `join` and `Health`. Use {@link start}
 * for workers of several services in one program.
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
 * Waits for the worker in the context. It never ends while the worker runs, and fails when the worker fails.
 *
 * @since 0.1.0
 * @category programs
 */
export const join: Effect.Effect<never, WorkerError, Worker> = Effect.flatMap(
  Worker,
  (worker) => Effect.andThen(worker.await, Effect.never)
)

/**
 * Like `Layer.launch`, for a layer that provides a worker. The program fails when the worker fails.
 *
 * @since 0.1.0
 * @category programs
 */
export const launch = <A, E, R>(self: Layer.Layer<A | Worker, E, R>): Effect.Effect<never, E | WorkerError, R> =>
  // SAFETY: the layer provides `Worker`, so `R` is all that remains of the requirements.
  Effect.provide(join, self) as never

/**
 * A teardown for `NodeRuntime.runMain`. It exits with 0, instead of 130, after a signal that drained the program.
 *
 * @since 0.1.0
 * @category programs
 */
export const teardown: Runtime.Teardown = (exit, onExit) =>
  Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause) ? onExit(0) : Runtime.defaultTeardown(exit, onExit)
