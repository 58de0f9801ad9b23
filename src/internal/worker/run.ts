/**
 * The path of one delivery: decode, dispatch, handle, encode, decide.
 *
 * Everything is synchronous if the codec and the handler are. Only steps that take time run in a fiber, and the fiber's
 * exit continues here. The runner starts and counts runs.
 */
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Tracer from "effect/Tracer"
import { exitOf } from "../base/exit.ts"
import { bucketOf } from "../base/histogram.ts"
import { monotonicMillis } from "../base/monotonic.ts"
import type { Slot } from "../base/slot.ts"
import type { ServerClock } from "../redis/serverClock.ts"
import { decode, type Entry } from "../wire/entry.ts"
import { Decision } from "./decision.ts"
import {
  type Data,
  type Decoded,
  dispatch,
  type Dispatched,
  type DispatchOptions,
  encodeSuccess,
  handle,
  interrupted,
  outcomeOf,
  type Start,
  type Stop
} from "./dispatch.ts"
import { Delivered, makeFork } from "./handlerFiber.ts"
import { type Outcome, type Policy, settlementOf, type Subject } from "./settlementOf.ts"
import type { Starvation } from "./starvation.ts"
import type { Telemetry } from "./telemetry.ts"

/**
 * The state of a delivery. `over` means that another consumer owns the entry, or that a later delivery replaced this
 * one.
 */
type State = "queued" | "running" | "unwritten" | "over"

/**
 * A delivery that this consumer is responsible for. One object represents it from its arrival until its settlement is
 * written, so that the end of an earlier delivery is never taken for that of a later delivery of the same entry. A
 * class instead of a literal, see `entry.ts`.
 */
export class Run implements Slot {
  readonly entry: Entry
  readonly starvation: Starvation
  /** The number of requests to its own service that it waits for. */
  asking = 0
  /** A time at or before the start of its lease, in monotonic milliseconds: when it was asked for or last renewed. */
  since: number
  state: State = "queued"
  /** Whether it is no longer pending. */
  dropped = false
  decoded: Decoded | undefined = undefined
  /** Known, like the following fields, once the handler has started. */
  begun: Start | undefined = undefined
  started = 0
  /** The start by the server's clock. It advances evenly during the run, even if that clock is set. */
  startedAt = 0
  /**
   * When the run is interrupted, in monotonic milliseconds: setting the system clock must neither end nor prolong it.
   */
  limit = Infinity
  span: Tracer.Span | undefined = undefined
  fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  stop: Stop | undefined = undefined
  constructor(entry: Entry, since: number, starvation: Starvation) {
    this.entry = entry
    this.since = since
    this.starvation = starvation
  }
  interrupt(stop: Stop): void {
    this.stop = stop
    this.fiber?.interruptUnsafe()
  }
  get lane(): string | undefined {
    const { lane } = this.entry
    return lane === undefined ? undefined : `${this.starvation.stream}\0${lane}`
  }
  asks(stream: string): boolean {
    if (stream !== this.starvation.stream || this.state !== "running") return false
    if (this.asking++ === 0) this.starvation.waiting(1)
    return true
  }
  answered(): void {
    if (this.asking > 0 && --this.asking === 0) this.starvation.waiting(-1)
  }
  /** The slot is free. Later answers to its requests no longer count. */
  leaves(): void {
    if (this.asking === 0) return
    this.asking = 0
    this.starvation.waiting(-1)
  }
}

export interface RunOptions {
  readonly dispatch: DispatchOptions
  readonly policyFor: (subject: Subject) => Policy
  /** The limit of one run, in milliseconds; `undefined` means no limit. */
  readonly handlerTimeout: number | undefined
  /** The context of handlers, without the scope and the parent span. */
  readonly context: Context.Context<never>
  readonly clock: Clock.Clock
  readonly server: ServerClock
  readonly consumer: string
  readonly service: string
  readonly telemetry: Pick<Telemetry, "started" | "ended">
}

/** The events of a run that the runner observes. */
export interface RunObserver {
  /** A handler starts and occupies a slot. */
  readonly began: () => void
  /** The run continues in a fiber. */
  readonly continues: (run: Run) => void
  /** The run has left its slot. */
  readonly ended: (run: Run) => void
  /** The run has a decision. */
  readonly decided: (run: Run, decision: Decision) => void
  /** A run that continued in a fiber has left its slot, so the next delivery may start. */
  readonly freed: () => void
}

export interface Way {
  /** Parses a delivery before it starts. */
  readonly decode: (run: Run) => void
  /**
   * Starts one delivery. Returns when it ended if it ended at once, and `undefined` if it continues in a fiber. Times
   * are monotonic.
   */
  readonly start: (run: Run, now: number) => number | undefined
  /** Releases a delivery that has not started, without costing an attempt. */
  readonly giveBack: (run: Run, now: number) => void
}

const endless = Effect.succeed(Duration.infinity)

export const make = (options: RunOptions, observer: RunObserver): Way => {
  const { clock, server, telemetry } = options
  const { errors, limits } = options.dispatch
  const fork = makeFork(options.context, options.service)

  const decodeAhead = (run: Run): void => {
    run.decoded = decode(run.entry, limits)
  }

  const start = (run: Run, now: number): number | undefined => {
    const serverNow = server.at(now)
    const next = dispatchAt(run, serverNow)
    if (next._tag === "Decided") {
      decide(run, next.subject, next.outcome, now)
      return now
    }
    return proceed(run, next, handle(next.route, next.subject.action, begin(run, next, now, serverNow)), encode)
  }

  const dispatchAt = (run: Run, serverNow: number): Dispatched => {
    const decoded = run.decoded ?? decode(run.entry, limits)
    // The parsed action is kept only as long as needed: from here on, the decision holds it.
    run.decoded = undefined
    return dispatch(run.entry, decoded, options.dispatch, serverNow)
  }

  /** The delivery takes its slot, and its time limit starts. */
  const begin = (run: Run, begun: Start, now: number, serverNow: number): Delivered => {
    const { route, subject } = begun
    const { deadline } = subject
    const ownTimeout = route.action?.handlerTimeout
    const timeout = ownTimeout === undefined ? options.handlerTimeout : Duration.toMillis(ownTimeout)
    run.begun = begun
    run.started = now
    run.startedAt = serverNow
    const end = deadline === undefined ? Infinity : now + deadline - serverNow
    run.limit = Math.min(timeout === undefined ? Infinity : now + timeout, end)
    const remaining = deadline === undefined
      ? endless
      : Effect.sync(() => Duration.millis(Math.max(0, Math.floor(end - monotonicMillis(clock)))))
    run.span = telemetry.started(run.entry, subject.action, subject, options.consumer, serverNow)
    run.state = "running"
    observer.began()
    return new Delivered(run.entry, subject, options.consumer, remaining)
  }

  /** Runs a step and continues the run with its exit: at once if the step is complete, otherwise in a fiber. */
  const proceed = <A>(
    run: Run,
    begun: Start,
    step: Effect.Effect<A, unknown>,
    then: (run: Run, begun: Start, exit: Exit.Exit<A, unknown>) => number | undefined
  ): number | undefined => {
    const known = exitOf(step)
    if (known !== undefined) return then(run, begun, known)
    const fiber = fork(run, begun.subject, step)
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return then(run, begun, exit)
    run.fiber = fiber
    observer.continues(run)
    fiber.addObserver((exit) => {
      if (then(run, begun, exit) !== undefined) observer.freed()
    })
    // Asked to stop between two steps, when there was no fiber to interrupt.
    if (run.stop !== undefined) fiber.interruptUnsafe()
    return undefined
  }

  /** The handler has ended; its result remains to be encoded. */
  const encode = (run: Run, begun: Start, exit: Exit.Exit<unknown, unknown>): number | undefined =>
    Exit.isFailure(exit)
      ? end(run, begun, Exit.failCause(exit.cause))
      : proceed(run, begun, encodeSuccess(begun.route, exit.value), end)

  /** Returns the time, in monotonic milliseconds. */
  const end = (run: Run, begun: Start, exit: Exit.Exit<Data, unknown>): number => {
    const now = monotonicMillis(clock)
    // A run whose entry was lost and claimed again has been replaced, and must not decide anything.
    if (run.state === "running") {
      observer.ended(run)
      decide(run, begun.subject, outcomeOf(exit, run.stop, begun.route, errors), now)
    }
    return now
  }

  const decide = (run: Run, subject: Subject, outcome: Outcome, now: number): void => {
    const { begun, entry, span } = run
    const serverNow = begun === undefined ? server.at(now) : Math.floor(run.startedAt + now - run.started)
    const policy = options.policyFor(subject)
    const settlement = settlementOf(outcome, subject, policy, serverNow)
    const cause = outcome._tag === "Failed" ? outcome.failure.error : undefined
    const maxAttempts = subject.maxAttempts ?? policy.maxAttempts
    const duration = begun === undefined ? undefined : now - run.started
    const took = duration === undefined ? undefined : bucketOf(duration)
    const decision = new Decision(entry, subject.action, subject.attempt, settlement, span, cause, maxAttempts, took)
    telemetry.ended(decision, outcome, duration, span)
    observer.decided(run, decision)
  }

  return {
    decode: decodeAhead,
    start,
    giveBack: (run, now) => {
      const next = dispatchAt(run, server.at(now))
      decide(run, next.subject, next._tag === "Decided" ? next.outcome : interrupted, now)
    }
  }
}
