/**
 * A small world for tests of what must hold under faults: one server in memory, worker processes that can be stopped,
 * crashed, cut off and given wrong clocks, and a record of what happened, in order.
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import type { Delivery } from "../../src/Delivery.ts"
import * as DomainAction from "../../src/DomainAction.ts"
import type { RetryLater } from "../../src/HandlerError.ts"
import { callbackInbox, namesOf, responseList } from "../../src/internal/redis/names.ts"
import { takeDue, takeIdle } from "../../src/internal/scripts/take.ts"
import { timestampOf } from "../../src/internal/wire/timestamp.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Redis from "../../src/Redis.ts"
import * as RedisMemory from "../../src/RedisMemory.ts"
import * as Settings from "../../src/Settings.ts"
import * as RedisFaults from "../../src/testing/RedisFaults.ts"
import * as Worker from "../../src/Worker.ts"
import { untilOnClock } from "./until.ts"
import { viewOf } from "./view.ts"

// -----------------------------------------------------------------------------
// contracts
// -----------------------------------------------------------------------------

export class Refused extends Schema.TaggedError<Refused>()("Refused", { key: Schema.String }) {}

const result = { key: Schema.String, attempt: Schema.Number, process: Schema.String }

export const Do = Action.make("work.do", { payload: { key: Schema.String }, success: result, error: Refused })

/** What a callback of `Do` comes back as. */
export const Done = Action.make("work.done", { payload: result })

export type Result = typeof Do.successSchema.Type

// -----------------------------------------------------------------------------
// what happened
// -----------------------------------------------------------------------------

/** One run of a handler. Times are places in the order of all events. */
export interface Run {
  readonly type: "do" | "done"
  readonly key: string
  readonly process: string
  readonly entryId: string
  readonly attempt: number
  readonly deliveries: number
  readonly started: number
  ended: number | undefined
  /** `undefined` while it runs, and for a run that ended with its process. */
  exit: Exit.Exit<unknown, unknown> | undefined
}

/** An entry that a script gave to another consumer, as the server saw it. */
interface Handover {
  readonly entryId: string
  readonly by: "due" | "idle"
  readonly from: string
  /** The count after it. */
  readonly deliveries: number
  /** For how long its owner had been silent. */
  readonly idle: number
  /** The lease that the script was called with, or the group's if that is longer. */
  readonly lease: number
}

export interface Sent {
  readonly entryId: string
  readonly action: DomainAction.DomainAction
}

export interface Process {
  readonly name: string
  readonly faults: RedisFaults.RedisFaults["Service"]
  /** `undefined` until it has started. */
  readonly worker: () => Worker.Worker["Service"] | undefined
  /** It died: its handlers end where they are, nothing of it reaches the server any more. */
  readonly crash: Effect.Effect<void>
  /** It is told to stop, and drains. */
  readonly stop: Effect.Effect<void>
  readonly state: () => "starting" | "running" | "stopping" | "crashed"
  /** Sets its own clock off from the server's. */
  readonly setClock: (skew: number) => void
}

export interface ProcessOptions {
  readonly seed?: number
  readonly skew?: number
  readonly worker?: Worker.WorkerOptions
}

export interface Job {
  readonly key: string
  readonly process: string
  readonly delivery: Delivery
}

export type Handle = (job: Job) => Effect.Effect<Result, Refused | RetryLater>

/** The result of a job as it should be. */
export const resultOf = ({ delivery, key, process }: Job): Result => ({ key, process, attempt: delivery.attempt })

/** Milliseconds; short, since simulated time is not for nothing. */
export const claimIdle = 3_000

const workerOptions: Worker.WorkerOptions = {
  claimIdle,
  block: 1_000,
  concurrency: 4,
  readAhead: 4,
  shutdownGrace: 2_000
}

// -----------------------------------------------------------------------------
// world
// -----------------------------------------------------------------------------

export const makeWorld = Effect.fnUntraced(function*(handle: Handle) {
  const clock = yield* Clock.Clock
  const settings = yield* Effect.fromResult(Settings.make({ serviceName: "work", block: 1_000 }))
  const naming = QueueNaming.make({ prefix: settings.queuePrefix, environment: settings.environment })
  const names = namesOf(naming, "work")
  const server = yield* RedisMemory.makeServer
  const memory = yield* RedisMemory.makeClient(server)
  /** The server's time is its own, whatever the clock of the process says that asks. */
  const atServer = <A, E>(effect: Effect.Effect<A, E>) => Effect.provideService(effect, Clock.Clock, clock)
  const admin = {
    send: <A = unknown>(command: string, ...args: ReadonlyArray<string>) => atServer(memory.send<A>(command, ...args))
  }

  let order = 0
  const runs: Array<Run> = []
  const handovers: Array<Handover> = []
  const sent: Array<Sent> = []
  /** Where in the order an answer was first seen in a list. */
  const answered = new Map<string, number>()
  const watched = new Set<string>()
  const everybody: Array<RedisFaults.RedisFaults["Service"]> = []
  const forgotten = { everythingAt: -1, groups: 0 }

  // ---------------------------------------------------------------------------
  // the server, as everybody sees it
  // ---------------------------------------------------------------------------

  const pending = viewOf(names, admin.send).pending.pipe(Effect.orElseSucceed(() => []))

  const noteAnswers = Effect.suspend(() =>
    Effect.forEach(
      [...watched].filter((list) => !answered.has(list)),
      (list) =>
        Effect.map(admin.send<number>("LLEN", list), (length) => {
          if (length > 0) answered.set(list, order++)
        }),
      { discard: true }
    )
  )

  const noteHandovers = Effect.fnUntraced(function*<A>(by: "due" | "idle", script: Effect.Effect<A, Redis.RedisError>) {
    const before = new Map((yield* pending).map((row) => [row[0], row]))
    const lease = Math.max(claimIdle, Number((yield* admin.send("GET", names.lease)) ?? 0))
    const reply = yield* script
    for (const [entryId, , , deliveries] of yield* pending) {
      const row = before.get(entryId)
      if (row !== undefined && deliveries > row[3]) {
        handovers.push({ entryId, by, from: row[1], deliveries, idle: row[2], lease })
      }
    }
    return reply
  })

  const noteSent = (entryId: unknown, data: string | undefined): void => {
    const action = DomainAction.parse(data ?? "", DomainAction.defaultLimits)
    if (action._tag === "Success") sent.push({ entryId: String(entryId), action: action.success })
  }

  /** What the server does is noted. */
  const connection = (inner: Redis.Connection): Redis.Connection => ({
    send: <A = unknown>(command: string, ...args: ReadonlyArray<string>) => {
      const reply = atServer(inner.send<A>(command, ...args))
      return command === "XADD" ? Effect.tap(reply, (id) => Effect.sync(() => noteSent(id, args.at(-1)))) : reply
    },
    eval: (script) => {
      const run = inner.eval(script)
      return (...params) => {
        const reply = atServer(run(...params))
        const noted = script.lua === takeIdle.lua
          ? noteHandovers("idle", reply)
          : script.lua === takeDue.lua
          ? noteHandovers("due", reply)
          : reply
        return Effect.tap(noted, noteAnswers.pipe(Effect.orDie))
      }
    }
  })
  const client: Effect.Effect<Redis.Redis["Service"], never, Scope.Scope> = Effect.map(
    RedisMemory.makeClient(server),
    (inner) => ({ ...connection(inner), reserve: Effect.map(inner.reserve, connection), subscribe: inner.subscribe })
  )

  // ---------------------------------------------------------------------------
  // processes
  // ---------------------------------------------------------------------------

  const start = Effect.fnUntraced(function*(name: string, options: ProcessOptions = {}) {
    const scope = yield* Scope.make()
    const { faults, redis } = yield* RedisFaults.make(yield* Scope.provide(client, scope), { seed: options.seed ?? 0 })
    everybody.push(faults)
    let skew = options.skew ?? 0
    let state: ReturnType<Process["state"]> = "starting"
    let worker: Worker.Worker["Service"] | undefined
    const dead = Latch.makeUnsafe(false)

    const ownClock: Clock.Clock = {
      currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + skew,
      currentTimeMillis: Effect.sync(() => clock.currentTimeMillisUnsafe() + skew),
      currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe() + BigInt(skew) * 1_000_000n,
      currentTimeNanos: Effect.sync(() => clock.currentTimeNanosUnsafe() + BigInt(skew) * 1_000_000n),
      monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
      monotonicTimeNanos: clock.monotonicTimeNanos,
      sleep: (duration: Duration.Duration) => clock.sleep(duration)
    }

    const recorded = <A, E>(type: Run["type"], key: string, delivery: Delivery, effect: Effect.Effect<A, E>) =>
      Effect.suspend(() => {
        if (state === "crashed") return Effect.interrupt
        const { attempt, deliveries, entryId } = delivery
        const run: Run = {
          type,
          key,
          process: name,
          entryId,
          attempt,
          deliveries,
          started: order++,
          ended: undefined,
          exit: undefined
        }
        runs.push(run)
        return Effect.raceFirst(effect, Effect.andThen(dead.await, Effect.interrupt)).pipe(
          Effect.onExit((exit) =>
            Effect.sync(() => {
              if (run.ended !== undefined) return
              run.ended = order++
              run.exit = exit
            })
          )
        )
      })

    const handlers = ActionGroup.make(Do, Done).handlers({
      "work.do": ({ key }, delivery) => recorded("do", key, delivery, handle({ key, process: name, delivery })),
      "work.done": ({ key }, delivery) => recorded("done", key, delivery, Effect.void)
    })
    const starting = yield* Worker.start(handlers, { ...workerOptions, consumerSuffix: name, ...options.worker }).pipe(
      Effect.tap((started) =>
        Effect.sync(() => {
          worker = started
          if (state === "starting") state = "running"
        })
      ),
      Effect.provideService(Redis.Redis, redis),
      Effect.provideService(QueueNaming.QueueNaming, naming),
      Effect.provideService(Settings.Settings, settings),
      Effect.provideService(Clock.Clock, ownClock),
      Effect.provideService(Scope.Scope, scope),
      Effect.forkDetach
    )
    const end = Fiber.interrupt(starting).pipe(
      Effect.andThen(Scope.close(scope, Exit.void)),
      Effect.forkDetach,
      Effect.asVoid
    )
    const process: Process = {
      name,
      faults,
      worker: () => worker,
      state: () => state,
      setClock: (next) => {
        skew = next
      },
      crash: Effect.suspend(() => {
        state = "crashed"
        for (const run of runs) if (run.process === name && run.ended === undefined) run.ended = order++
        dead.openUnsafe()
        return Effect.andThen(faults.cut, end)
      }),
      stop: Effect.suspend(() => {
        state = "stopping"
        return end
      })
    }
    return process
  })

  // ---------------------------------------------------------------------------
  // senders
  // ---------------------------------------------------------------------------

  const makeSender = Effect.fnUntraced(function*(options: { readonly seed?: number } = {}) {
    const { faults, redis } = yield* RedisFaults.make(yield* client, { seed: options.seed ?? 0 })
    everybody.push(faults)
    const calls = yield* ActionClient.make().pipe(
      Effect.provideService(Redis.Redis, redis),
      Effect.provideService(QueueNaming.QueueNaming, naming),
      Effect.provideService(Settings.Settings, settings)
    )
    return { faults, client: calls, redis }
  })

  /** A request without a client: its answer stays in its list, where it is counted. */
  const ask = Effect.fnUntraced(function*(redis: Pick<Redis.Connection, "send">, key: string, id: string) {
    const list = responseList(naming, "asker", "work.do", id)
    watched.add(list)
    const action = DomainAction.make({
      action_id: id,
      action_type: "work.do",
      timestamp: timestampOf(clock.currentTimeMillisUnsafe()),
      correlation_id: id,
      callback_queue_name: list,
      data: { key }
    })
    return yield* redis.send<string>("XADD", names.stream, "*", "data", DomainAction.encode(action))
  })

  /** The server restarts without its data. Ids are times: those after it are not those before it. */
  const restart = Effect.gen(function*() {
    yield* TestClock.adjust(1)
    for (const faults of everybody) yield* faults.disconnect
    yield* server.flush
    yield* admin.send("SCRIPT", "FLUSH")
    forgotten.everythingAt = clock.currentTimeMillisUnsafe()
    yield* TestClock.adjust(1)
  }).pipe(Effect.orDie)

  const destroyGroup = Effect.suspend(() => {
    forgotten.groups++
    return Effect.ignore(admin.send("XGROUP", "DESTROY", names.stream, names.group))
  })

  const answersIn = (list: string) => Effect.orDie(admin.send<ReadonlyArray<string>>("LRANGE", list, "0", "-1"))

  return {
    admin,
    answered,
    answersIn,
    ask,
    callbacks: callbackInbox(naming, "work", "work.done"),
    destroyGroup,
    /** What the server has forgotten: when last everything, and how often its group. */
    forgotten,
    handovers,
    listOf: (id: string) => responseList(naming, "asker", "work.do", id),
    makeSender,
    names,
    pending,
    restart,
    runs,
    sent,
    server,
    start,
    until: untilOnClock
  }
})

export type World = Effect.Success<ReturnType<typeof makeWorld>>
