/**
 * Runs the entries of one consumer: at most `concurrency` at once, each in a fiber of its own.
 *
 * Everything between an entry's arrival and its settlement happens synchronously
 * when it can. A run has an identity, so that the end of an earlier run of the same
 * entry is never taken for the end of a later one.
 */
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Predicate from "effect/Predicate"
import * as Tracer from "effect/Tracer"
import * as ActionContext from "../ActionContext.ts"
import type { Delivery } from "../Delivery.ts"
import type { Outcome, Policy, Subject } from "../Settlement.ts"
import { settlementOf } from "../Settlement.ts"
import { dispatch, type Dispatched, type DispatchOptions, outcomeOf, runRoute, type Stop } from "./dispatch.ts"
import type { Decision } from "./encodeSettlement.ts"
import type { Entry } from "./entry.ts"
import { monotonicMillis } from "./monotonic.ts"
import type { Telemetry } from "./telemetry.ts"

export interface RunnerOptions {
  readonly concurrency: number
  /** Entries held beyond those that run, so that a slot that comes free never waits for Redis. */
  readonly readAhead: number
  /** Decided entries whose settlement is not written, beyond which nothing is read. */
  readonly maxUnwritten: number
  /** Characters of entries held at once, beyond which nothing is read. */
  readonly maxHeldSize: number
  readonly dispatch: DispatchOptions
  readonly policyFor: (subject: Subject) => Policy
  /** Milliseconds of one run; `undefined` is without limit. */
  readonly handlerTimeout: number | undefined
  /** The context of handlers, without scope and parent span. */
  readonly context: Context.Context<never>
  readonly clock: Clock.Clock
  /** Milliseconds by the server's clock. */
  readonly serverNow: () => number
  readonly decided: (decision: Decision) => void
  readonly consumer: string
  readonly telemetry: Pick<Telemetry, "started" | "ended">
}

export interface Runner {
  readonly accept: (entries: ReadonlyArray<Entry>) => void
  /** How many entries may be taken now. */
  readonly room: () => number
  readonly awaitRoom: Effect.Effect<void>
  /** Entries that this consumer answers for: waiting to start, running, or decided and not yet written. */
  readonly holds: (id: string) => boolean
  readonly heldIds: () => ReadonlyArray<string>
  readonly heldSize: () => number
  readonly running: () => number
  /** The decision about this delivery of an entry is written, or there is nothing to write. */
  readonly written: (entry: Entry) => void
  /**
   * Another consumer owns these now: their handlers are interrupted and nothing is written. Returns those of which this is
   * news; what is decided already is for the settler to find out.
   */
  readonly lose: (ids: ReadonlyArray<string>) => ReadonlyArray<string>
  /** Starts nothing more; what has not started is forgotten here and stays pending at Redis. */
  readonly stopStarting: () => void
  /** Waits until no handler runs. */
  readonly awaitQuiet: Effect.Effect<void>
  readonly interruptRunning: () => void
  /** Interrupts runs that are over their time; runs beside the consumer. */
  readonly watch: Effect.Effect<never>
}

/** What the log shows of a failure: what the handler itself named as the cause, else its error. */
const causeOf = (outcome: Outcome): unknown =>
  outcome._tag !== "Failed"
    ? undefined
    : Predicate.hasProperty(outcome.failure.error, "cause") && outcome.failure.error.cause !== undefined
    ? outcome.failure.error.cause
    : outcome.failure.error

interface Run {
  readonly entry: Entry
  readonly started: number
  /** Monotonic milliseconds after which the run is interrupted: a clock that is set must not end it, nor keep it. */
  readonly limit: number
  readonly span: Tracer.Span | undefined
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  stop: Stop | undefined
}

const noLimit = Number.POSITIVE_INFINITY
const endless = Effect.succeed(Duration.infinity)

export const make = (options: RunnerOptions): Runner => {
  const { clock, context, telemetry } = options
  const running = new Map<string, Run>()
  const unwritten = new Map<string, Entry>()
  const queued = new Map<string, Entry>()
  let heldSize = 0
  let starting = true
  let nextLimit = noLimit

  const roomLatch = Latch.makeUnsafe(true)
  const quietLatch = Latch.makeUnsafe(true)
  const limitLatch = Latch.makeUnsafe(false)

  const capacity = options.concurrency + options.readAhead
  // Reading waits for a good part of a batch: room for one at a time would be a round trip for each entry.
  const enough = Math.max(1, options.readAhead >> 1)

  // What is decided leaves its place at once, so that the next batch is read while this one is written.
  const room = (): number =>
    heldSize >= options.maxHeldSize || unwritten.size >= options.maxUnwritten
      ? 0
      : capacity - running.size - queued.size

  const updateRoom = (): void => {
    if (room() >= enough) roomLatch.openUnsafe()
    else roomLatch.closeUnsafe()
  }

  const settle = (entry: Entry, subject: Subject, outcome: Outcome, run: Run | undefined): void => {
    const settlement = settlementOf(outcome, subject, options.policyFor(subject), options.serverNow())
    const decision: Decision = {
      entry,
      action: subject.action,
      attempt: subject.attempt,
      settlement,
      span: run?.span,
      cause: causeOf(outcome)
    }
    telemetry.ended(decision, outcome, run?.started, run?.span)
    if (settlement._tag === "Lost") {
      heldSize -= entry.size
    } else {
      unwritten.set(entry.id, entry)
      options.decided(decision)
    }
  }

  const ended = (
    run: Run,
    dispatched: Extract<Dispatched, { _tag: "Start" }>,
    exit: Exit.Exit<never, unknown>
  ): void => {
    // A run whose entry was lost and taken again has been replaced: it decides nothing any more.
    if (running.get(run.entry.id) === run) {
      running.delete(run.entry.id)
      const outcome = outcomeOf(exit, run.stop, dispatched.route, options.dispatch.errors)
      settle(run.entry, dispatched.subject, outcome, run)
    }
    if (running.size === 0) quietLatch.openUnsafe()
    startNext()
    updateRoom()
  }

  const start = (entry: Entry): void => {
    const serverNow = options.serverNow()
    const dispatched = dispatch(entry, options.dispatch, serverNow)
    if (dispatched._tag === "Decided") return settle(entry, dispatched.subject, dispatched.outcome, undefined)
    const { route, subject } = dispatched
    const now = monotonicMillis(clock)
    const { deadline } = subject
    const ownTimeout = route.action?.handlerTimeout
    const timeout = ownTimeout === undefined ? options.handlerTimeout : Duration.toMillis(ownTimeout)
    const limit = Math.min(
      timeout === undefined ? noLimit : now + timeout,
      deadline === undefined ? noLimit : now + deadline - serverNow
    )
    const delivery: Delivery = {
      action: subject.action,
      entryId: entry.id,
      attempt: subject.attempt,
      deliveries: entry.deliveries,
      consumer: options.consumer,
      remaining: deadline === undefined
        ? endless
        : Effect.sync(() => Duration.millis(Math.max(0, deadline - options.serverNow())))
    }
    const span = telemetry.started(entry, subject.action, subject, options.consumer, serverNow)
    const run: Run = { entry, started: now, limit, span, fiber: undefined, stop: undefined }
    running.set(entry.id, run)
    const own = Context.add(context, ActionContext.ActionContext, ActionContext.fromAction(subject.action))
    const fiber = Effect.runForkWith(span === undefined ? own : Context.add(own, Tracer.ParentSpan, span))(
      runRoute(route, subject.action, delivery)
    )
    // SAFETY: an exit is read for its cause and its data; `never` is only the narrowest success to name here.
    const onExit = (exit: Exit.Exit<unknown, unknown>) => ended(run, dispatched, exit as Exit.Exit<never, unknown>)
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return onExit(exit)
    quietLatch.closeUnsafe()
    run.fiber = fiber
    fiber.addObserver(onExit)
    if (limit < nextLimit) {
      nextLimit = limit
      limitLatch.openUnsafe()
    }
  }

  let busy = false
  const startNext = (): void => {
    // A handler that is done at once ends inside `start`: the loop below goes on, not the stack.
    if (busy) return
    busy = true
    for (const entry of queued.values()) {
      if (!starting || running.size >= options.concurrency) break
      queued.delete(entry.id)
      start(entry)
    }
    busy = false
  }

  const interrupt = (run: Run, stop: Stop): void => {
    run.stop = stop
    run.fiber?.interruptUnsafe()
  }

  const watch = Effect.forever(Effect.suspend(() => {
    if (nextLimit === noLimit) {
      limitLatch.closeUnsafe()
      return limitLatch.await
    }
    const wait = nextLimit - monotonicMillis(clock)
    if (wait > 0) {
      // Wakes early when a run with an earlier limit starts.
      limitLatch.closeUnsafe()
      return Effect.raceFirst(Effect.sleep(Duration.millis(wait)), limitLatch.await)
    }
    const now = monotonicMillis(clock)
    nextLimit = noLimit
    for (const run of running.values()) {
      if (run.limit <= now && run.stop === undefined) interrupt(run, "time")
      else if (run.stop === undefined) nextLimit = Math.min(nextLimit, run.limit)
    }
    return Effect.void
  }))

  return {
    accept: (entries) => {
      for (const entry of entries) {
        const before = running.get(entry.id)
        const waiting = queued.get(entry.id)
        const held = before?.entry ?? waiting ?? unwritten.get(entry.id)
        // The same delivery, found twice: its reply was late, and meanwhile it was looked for.
        if (held?.deliveries === entry.deliveries) continue
        if (before !== undefined) {
          // Delivered anew to this very consumer while an earlier run goes on: that run has lost its lease.
          running.delete(entry.id)
          heldSize -= before.entry.size
          interrupt(before, "lease")
        }
        queued.set(entry.id, entry)
        heldSize += entry.size - (waiting?.size ?? 0)
      }
      startNext()
      updateRoom()
    },
    room,
    // The latch may open in the midst of a batch that is being taken in: reading goes on when that is over.
    awaitRoom: Effect.suspend(() =>
      roomLatch.isOpen() ? Effect.void : Effect.andThen(roomLatch.await, Effect.yieldNow)
    ),
    holds: (id) => running.has(id) || queued.has(id) || unwritten.has(id),
    heldIds: () => [...running.keys(), ...queued.keys(), ...unwritten.keys()],
    heldSize: () => heldSize,
    running: () => running.size,
    written: (entry) => {
      // A later delivery of it may have been decided meanwhile, and waits to be written itself.
      if (unwritten.get(entry.id) === entry) unwritten.delete(entry.id)
      heldSize -= entry.size
      updateRoom()
    },
    lose: (ids) => {
      const news = ids.filter((id) => {
        const run = running.get(id)
        const waiting = queued.get(id)
        if (waiting !== undefined) {
          queued.delete(id)
          heldSize -= waiting.size
        }
        if (run === undefined || run.stop === "lease") return waiting !== undefined
        interrupt(run, "lease")
        return true
      })
      updateRoom()
      return news
    },
    stopStarting: () => {
      starting = false
      for (const entry of queued.values()) heldSize -= entry.size
      queued.clear()
    },
    awaitQuiet: quietLatch.await,
    interruptRunning: () => {
      for (const run of running.values()) if (run.stop === undefined) interrupt(run, "shutdown")
    },
    watch
  }
}
