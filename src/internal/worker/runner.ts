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
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import * as ActionContext from "../../ActionContext.ts"
import type { Delivery } from "../../Delivery.ts"
import type { DomainAction } from "../../DomainAction.ts"
import type { Outcome, Policy, Subject } from "../../Settlement.ts"
import { settlementOf } from "../../Settlement.ts"
import * as Alarm from "../base/alarm.ts"
import { Deadline } from "../base/deadline.ts"
import { exitOf } from "../base/exit.ts"
import { monotonicMillis } from "../base/monotonic.ts"
import { Slot } from "../base/slot.ts"
import * as Table from "../base/table.ts"
import type { ServerClock } from "../redis/serverClock.ts"
import { decode, type Entry } from "../wire/entry.ts"
import { Decision } from "./decision.ts"
import {
  type Data,
  type Decoded,
  dispatch,
  type DispatchOptions,
  encodeSuccess,
  handle,
  interrupted,
  outcomeOf,
  type Start,
  type Stop
} from "./dispatch.ts"
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
  /** Milliseconds without a renewal after which others may take what is held here: nothing is started then. */
  readonly lease: number
  /** Something waits to start whose lease may be over: it is to be renewed now. */
  readonly onStale: () => void
  /** What handlers ask their own service through. */
  readonly stream: string
  /** For a while all slots have held handlers that wait for answers of their own service. */
  readonly onStarved: () => void
  /** The context of handlers, without scope and parent span. */
  readonly context: Context.Context<never>
  readonly clock: Clock.Clock
  readonly server: ServerClock
  readonly decided: (decision: Decision) => void
  readonly consumer: string
  readonly telemetry: Pick<Telemetry, "started" | "ended">
}

export interface Runner {
  /**
   * Takes entries in; those of a read are started by the next call of `start`. `since` is a monotonic time at or before
   * their delivery: when they were asked for.
   */
  readonly accept: (entries: ReadonlyArray<Entry>, since: number) => void
  /** Starts what waits, as far as there are slots. */
  readonly start: () => void
  /** How many entries may be taken now. */
  readonly room: () => number
  /** How many entries the next read takes: with read-ahead half of all that is held, handled while the other half is read. */
  readonly batch: () => number
  /** Whether so much waits to start that it takes longer than a read. */
  readonly isBusy: () => boolean
  /** Whether there is room for a good part of a batch. */
  readonly hasRoom: () => boolean
  readonly awaitRoom: Effect.Effect<void>
  /** Entries that this consumer answers for: waiting to start, running, or decided and not yet written. */
  readonly holds: (id: string) => boolean
  readonly heldIds: () => ReadonlyArray<string>
  /** Characters of entries that may be taken now. */
  readonly spare: () => number
  readonly running: () => number
  /**
   * The decision about this delivery of an entry is written, or there is nothing to write. Returns whether
   * {@link Runner.drop} had reported it.
   */
  readonly written: (entry: Entry) => boolean
  /** The leases of these began anew at or after a monotonic time. Starts what waited for that. */
  readonly renewed: (ids: ReadonlyArray<string>, since: number) => void
  /** Whether another consumer may have taken it over: it was not renewed for as long as the lease. */
  readonly isStale: (id: string, now: number) => boolean
  /**
   * Another consumer owns these now: their handlers are interrupted and nothing is written. Returns those of which this is
   * news; what is decided already is for the settler to find out.
   */
  readonly lose: (ids: ReadonlyArray<string>) => ReadonlyArray<string>
  /**
   * These are not pending any more, and no other consumer has them. What has not started is given up; handlers go on, as
   * nobody else does their work. Returns those of which this is news.
   */
  readonly drop: (ids: ReadonlyArray<string>) => ReadonlyArray<string>
  /** Starts nothing more; what has not started is forgotten here and stays pending at Redis. */
  readonly stopStarting: () => void
  /** Waits until no handler runs. */
  readonly awaitQuiet: Effect.Effect<void>
  readonly interruptRunning: () => void
  /** Interrupts runs that are over their time; runs beside the consumer. */
  readonly watch: Effect.Effect<never>
}

const causeOf = (outcome: Outcome): unknown => outcome._tag === "Failed" ? outcome.failure.error : undefined

/** Where a delivery stands. What is `over` is another's, or is replaced by a later delivery of the same entry. */
type State = "queued" | "running" | "unwritten" | "over"

const noLimit = Number.POSITIVE_INFINITY

/**
 * A delivery that this consumer answers for: one object from its arrival until its settlement is written. A class and no
 * literal, see `entry.ts`.
 */
class Held implements Slot {
  readonly entry: Entry
  readonly slots: Slots
  /** Requests to its own service that it waits for. */
  asking = 0
  /** Monotonic milliseconds at or before which its lease began: when it was asked for, or last renewed. */
  since: number
  state: State = "queued"
  /** It is not pending any more. */
  dropped = false
  decoded: Decoded | undefined = undefined
  /** Known once it runs, as all that follows. */
  begun: Start | undefined = undefined
  started = 0
  /** The same by the server's clock, which goes on evenly for the run even if somebody sets it. */
  startedAt = 0
  /** Monotonic milliseconds after which the run is interrupted: a clock that is set must not end it, nor keep it. */
  limit = noLimit
  span: Tracer.Span | undefined = undefined
  fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  stop: Stop | undefined = undefined
  constructor(entry: Entry, since: number, slots: Slots) {
    this.entry = entry
    this.since = since
    this.slots = slots
  }
  asks(stream: string): boolean {
    if (stream !== this.slots.stream || this.state !== "running") return false
    if (this.asking++ === 0) this.slots.asking(1)
    return true
  }
  answered(): void {
    if (this.asking > 0 && --this.asking === 0) this.slots.asking(-1)
  }
}

/** What the deliveries of a runner share. */
interface Slots {
  readonly stream: string
  /** So many more of those that run wait for answers of their own service. */
  readonly asking: (change: number) => void
}

/** What a handler is told of its delivery. */
class Delivered implements Delivery {
  readonly action: DomainAction
  readonly entryId: string
  readonly attempt: number
  readonly deliveries: number
  readonly consumer: string
  readonly remaining: Effect.Effect<Duration.Duration>
  constructor(
    entry: Entry,
    { action, attempt }: Start["subject"],
    consumer: string,
    remaining: Effect.Effect<Duration.Duration>
  ) {
    this.action = action
    this.entryId = entry.id
    this.attempt = attempt
    this.deliveries = entry.deliveries
    this.consumer = consumer
    this.remaining = remaining
  }
}

/** What the log lines of a handler bear. A class and no literal, see `entry.ts`. */
class LogAnnotations {
  readonly [key: string]: unknown
  readonly action_id: string
  readonly action_type: string
  readonly attempt: number
  constructor(action: DomainAction, attempt: number) {
    this.action_id = action.action_id
    this.action_type = action.action_type
    this.attempt = attempt
  }
}

/** Deliveries that have started and still stand in front of the queue, beyond which it is cut. */
const maxStarted = 1_000

/** Handlers of so many deliveries take longer than a read, unless they wait. */
const manyQueued = 50

/**
 * Milliseconds that all slots must wait for answers of their own service before what waits behind them is given back: an answer
 * that comes at once from another worker is worth no move.
 */
const starvation = 250

/** Messages that are parsed ahead of their start. */
const decodedAtOnce = 64

const endless = Effect.succeed(Duration.infinity)

export const make = (options: RunnerOptions): Runner => {
  const { clock, server, telemetry } = options
  /** By entry: its latest delivery. */
  const held = Table.make<Held>()
  /** In the order in which they start, with some among them that are over; those before `head` have started. */
  let queue: Array<Held> = []
  let head = 0
  let queued = 0
  let running = 0
  let unwritten = 0
  let heldSize = 0
  let starting = true
  /** Of those that run: how many wait for an answer of their own service. */
  let asking = 0
  /** Monotonic milliseconds since which all slots do. */
  let starvedSince = noLimit

  const roomLatch = Latch.makeUnsafe(true)
  const quietLatch = Latch.makeUnsafe(true)

  const capacity = options.concurrency + options.readAhead
  // Reading waits for a good part of a batch: room for one at a time would be a round trip for each entry.
  const enough = Math.max(1, options.readAhead >> 1)

  // What they wait for must not be held here: it would wait for them.
  const isStarved = (): boolean => asking >= options.concurrency

  // What is decided leaves its place at once, so that the next batch is read while this one is written.
  const room = (): number =>
    heldSize >= options.maxHeldSize || unwritten >= options.maxUnwritten || isStarved()
      ? 0
      : capacity - running - queued

  const half = options.readAhead === 0 ? capacity : Math.ceil(capacity / 2)
  const batch = (): number => Math.min(room(), half)

  const hasRoom = (): boolean => room() >= enough

  const updateRoom = (): void => {
    if (hasRoom()) roomLatch.openUnsafe()
    else roomLatch.closeUnsafe()
  }

  /** What the contexts of all runs have in common, flat: what a run adds to it costs 0.03 µs each. */
  const shared = Context.merge(options.context, Context.make(ActionContext.ActionContext, ActionContext.empty))
  const annotations = Context.get(shared, References.CurrentLogAnnotations)
  const isPlain = Object.keys(annotations).length === 0

  const forkFor = (run: Held, { action, attempt }: Start["subject"]) => {
    const own = new LogAnnotations(action, attempt)
    const all = isPlain ? own : Object.assign({}, annotations, own)
    let context = Context.add(shared, References.CurrentLogAnnotations, all)
    context = Context.add(context, Slot, run)
    const ids = ActionContext.fromAction(action)
    if (ids !== ActionContext.empty) context = Context.add(context, ActionContext.ActionContext, ids)
    if (run.limit !== noLimit) context = Context.add(context, Deadline, run.limit)
    return Effect.runForkWith(run.span === undefined ? context : Context.add(context, Tracer.ParentSpan, run.span))
  }

  /** Where the decision goes. `now` is monotonic. */
  const settle = (run: Held, subject: Subject, outcome: Outcome, now: number): void => {
    const { entry, span } = run
    const serverNow = run.begun === undefined ? server.at(now) : Math.floor(run.startedAt + now - run.started)
    const settlement = settlementOf(outcome, subject, options.policyFor(subject), serverNow)
    const decision = new Decision(entry, subject.action, subject.attempt, settlement, span, causeOf(outcome))
    telemetry.ended(decision, outcome, run.begun === undefined ? undefined : now - run.started, span)
    if (settlement._tag === "Lost") {
      run.state = "over"
      held.delete(entry.id)
      heldSize -= entry.size
    } else {
      run.state = "unwritten"
      unwritten++
      options.decided(decision)
    }
  }

  /** Returns when it was, in monotonic milliseconds. */
  const ended = (run: Held, begun: Start, exit: Exit.Exit<Data, unknown>): number => {
    const now = monotonicMillis(clock)
    // A run whose entry was lost and taken again has been replaced: it decides nothing any more.
    if (run.state === "running") {
      leave(run)
      settle(run, begun.subject, outcomeOf(exit, run.stop, begun.route, options.dispatch.errors), now)
    }
    return now
  }

  /** The end of a run that took time: its place is for the next. */
  const endedLater = (run: Held, begun: Start, exit: Exit.Exit<Data, unknown>): void => {
    ended(run, begun, exit)
    startNext()
  }

  /** Starts one delivery. Returns when it ended if that was at once, `undefined` if its fiber goes on. */
  const start = (run: Held, now: number): number | undefined => {
    const { entry } = run
    const serverNow = server.at(now)
    const decoded = run.decoded ?? decode(entry, options.dispatch.limits)
    // What is parsed is kept no longer than it is needed: the decision holds it from here.
    run.decoded = undefined
    const dispatched = dispatch(entry, decoded, options.dispatch, serverNow)
    if (dispatched._tag === "Decided") {
      settle(run, dispatched.subject, dispatched.outcome, now)
      return now
    }
    const { route, subject } = dispatched
    const { deadline } = subject
    const ownTimeout = route.action?.handlerTimeout
    const timeout = ownTimeout === undefined ? options.handlerTimeout : Duration.toMillis(ownTimeout)
    run.begun = dispatched
    run.started = now
    run.startedAt = serverNow
    const end = deadline === undefined ? noLimit : now + deadline - serverNow
    run.limit = Math.min(timeout === undefined ? noLimit : now + timeout, end)
    const remaining = deadline === undefined
      ? endless
      : Effect.sync(() => Duration.millis(Math.max(0, Math.floor(end - monotonicMillis(clock)))))
    const delivery = new Delivered(entry, subject, options.consumer, remaining)
    run.span = telemetry.started(entry, subject.action, subject, options.consumer, serverNow)
    run.state = "running"
    running++
    const handling = handle(route, subject.action, delivery)
    const known = exitOf(handling)
    if (known !== undefined) return handled(run, dispatched, known)
    const fiber = forkFor(run, subject)(handling)
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return handled(run, dispatched, exit)
    wait(run, fiber, (exit) => {
      if (handled(run, dispatched, exit) !== undefined) startNext()
    })
    return undefined
  }

  /** The handler is done; what it returned is still to be encoded, which takes a fiber only where the codec needs one. */
  const handled = (run: Held, begun: Start, exit: Exit.Exit<unknown, unknown>): number | undefined => {
    if (Exit.isFailure(exit)) return ended(run, begun, Exit.failCause(exit.cause))
    const encoding = encodeSuccess(begun.route, exit.value)
    const known = exitOf(encoding)
    if (known !== undefined) return ended(run, begun, known)
    const fiber = forkFor(run, begun.subject)(encoding)
    const encoded = fiber.pollUnsafe()
    if (encoded !== undefined) return ended(run, begun, encoded)
    wait(run, fiber, (exit) => endedLater(run, begun, exit))
    // Asked to stop between the two: the second one would not know.
    if (run.stop !== undefined) fiber.interruptUnsafe()
    return undefined
  }

  const wait = <A>(run: Held, fiber: Fiber.Fiber<A, unknown>, onExit: (exit: Exit.Exit<A, unknown>) => void): void => {
    quietLatch.closeUnsafe()
    run.fiber = fiber
    fiber.addObserver(onExit)
    alarm.by(run.limit)
  }

  /**
   * Parses those that are about to start, all in one go: what parsing needs stays in the caches of the processor, which
   * saves 0.3 µs of 2.3 a message.
   */
  const decodeAhead = (from: number): void => {
    const end = Math.min(queue.length, from + Math.min(options.concurrency - running, decodedAtOnce))
    for (let index = from; index < end; index++) {
      const run = queue[index]
      if (run?.state === "queued") run.decoded = decode(run.entry, options.dispatch.limits)
    }
  }

  let busy = false
  const startNext = (): void => {
    // A handler that is done at once ends inside `start`: the loop below goes on, not the stack.
    if (busy) return
    busy = true
    let now: number | undefined
    while (head < queue.length && running < options.concurrency) {
      if (!starting) break
      const run = queue[head]
      if (run?.state !== "queued") {
        head++
        continue
      }
      // One look at the clock for each delivery: the end of one is the start of the next.
      const startsAt: number = now ?? monotonicMillis(clock)
      // The process stood still, or the server was away: what waits here may be another's by now.
      if (startsAt - run.since > options.lease) {
        options.onStale()
        break
      }
      if (run.decoded === undefined) decodeAhead(head)
      head++
      queued--
      now = start(run, startsAt)
    }
    if (head === queue.length || head > maxStarted) {
      queue = queue.slice(head)
      head = 0
    }
    busy = false
    if (running === 0) quietLatch.openUnsafe()
    updateRoom()
  }

  const interrupt = (run: Held, stop: Stop): void => {
    run.stop = stop
    run.fiber?.interruptUnsafe()
  }

  const runs = (): ReadonlyArray<Held> => held.values().filter((run) => run.state === "running")

  const alarm = Alarm.make(clock, (now) => {
    let next = noLimit
    for (const run of runs()) {
      if (run.stop !== undefined) continue
      if (run.limit <= now) interrupt(run, "time")
      else next = Math.min(next, run.limit)
    }
    if (starvedSince + starvation > now) return Math.min(next, starvedSince + starvation)
    options.onStarved()
    giveBack(now)
    return next
  })

  const slots: Slots = {
    stream: options.stream,
    asking: (change) => {
      asking += change
      const now = monotonicMillis(clock)
      starvedSince = isStarved() ? Math.min(starvedSince, now) : noLimit
      alarm.by(starvedSince + starvation)
      updateRoom()
    }
  }

  /** Frees the slot of a delivery that runs. What it asked may be answered later, and concerns nobody then. */
  const leave = (run: Held): void => {
    running--
    if (run.asking === 0) return
    run.asking = 0
    slots.asking(-1)
  }

  /** Gives back what waits to start, for workers that have a free slot. */
  const giveBack = (now: number): void => {
    for (const run of queue.slice(head)) {
      if (run.state !== "queued") continue
      queued--
      const decoded = run.decoded ?? decode(run.entry, options.dispatch.limits)
      run.decoded = undefined
      const dispatched = dispatch(run.entry, decoded, options.dispatch, server.at(now))
      settle(run, dispatched.subject, dispatched._tag === "Decided" ? dispatched.outcome : interrupted, now)
    }
    queue = []
    head = 0
    updateRoom()
  }

  /** Takes a delivery out that has not started, or ends one that runs: it is another's. */
  const giveUp = (run: Held): void => {
    if (run.state === "queued") queued--
    else leave(run)
    const ran = run.state === "running"
    run.state = "over"
    heldSize -= run.entry.size
    if (ran) interrupt(run, "lease")
  }

  /** Gives up those that have not started; returns which they were. */
  const forget = (ids: ReadonlyArray<string>): Array<string> =>
    ids.filter((id) => {
      const run = held.get(id)
      if (run?.state !== "queued") return false
      giveUp(run)
      held.delete(id)
      return true
    })

  return {
    accept: (entries, since) => {
      for (const entry of entries) {
        const before = held.get(entry.id)
        // The same delivery, found twice: its reply was late, and meanwhile it was looked for.
        if (before?.entry.deliveries === entry.deliveries) continue
        // Delivered anew to this very consumer: an earlier run that goes on has lost its lease.
        if (before?.state === "running" || before?.state === "queued") giveUp(before)
        const run = new Held(entry, since, slots)
        held.set(entry.id, run)
        queue.push(run)
        queued++
        heldSize += entry.size
      }
      if (starvedSince !== noLimit) alarm.by(starvedSince + starvation)
      updateRoom()
    },
    start: startNext,
    room,
    batch,
    isBusy: () => queued >= manyQueued,
    hasRoom,
    // The latch may open in the midst of a batch that is being taken in: reading goes on when that is over.
    awaitRoom: Effect.suspend(() =>
      roomLatch.isOpen() ? Effect.void : Effect.andThen(roomLatch.await, Effect.yieldNow)
    ),
    holds: held.has,
    heldIds: held.ids,
    spare: () => options.maxHeldSize - heldSize,
    running: () => running,
    written: (entry) => {
      const run = held.get(entry.id)
      // A later delivery of it may have come meanwhile, and is written itself.
      const isLatest = run?.entry === entry
      if (isLatest) held.delete(entry.id)
      unwritten--
      heldSize -= entry.size
      updateRoom()
      return isLatest && run.dropped
    },
    renewed: (ids, since) => {
      for (const id of ids) {
        const run = held.get(id)
        if (run !== undefined && run.since < since) run.since = since
      }
      if (queued > 0) startNext()
    },
    isStale: (id, now) => {
      const run = held.get(id)
      return run !== undefined && now - run.since > options.lease
    },
    lose: (ids) => {
      const news = forget(ids)
      // Not before all that wait are given up: the end of one run starts the next.
      for (const id of ids) {
        const run = held.get(id)
        if (run?.state !== "running" || run.stop === "lease") continue
        news.push(id)
        interrupt(run, "lease")
      }
      updateRoom()
      return news
    },
    drop: (ids) => {
      const news = forget(ids)
      for (const id of ids) {
        const run = held.get(id)
        if (run?.state !== "running" || run.dropped || run.stop === "lease") continue
        news.push(id)
        run.dropped = true
      }
      updateRoom()
      return news
    },
    stopStarting: () => {
      starting = false
      for (const run of queue.slice(head)) {
        if (run.state !== "queued") continue
        giveUp(run)
        held.delete(run.entry.id)
      }
      queue = []
      head = 0
    },
    awaitQuiet: quietLatch.await,
    interruptRunning: () => {
      for (const run of runs()) if (run.stop === undefined) interrupt(run, "shutdown")
    },
    watch: alarm.run
  }
}
