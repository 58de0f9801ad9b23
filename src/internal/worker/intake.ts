/**
 * The door of a consumer: whatever hands it entries (a read, a claim, a look at its own pending list) goes through here.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Semaphore from "effect/Semaphore"
import type { Redis, RedisError } from "../../Redis.ts"
import type { WorkerError } from "../../WorkerError.ts"
import { monotonicMillis } from "../base/monotonic.ts"
import { failureOf } from "../redis/failure.ts"
import type { Names } from "../redis/names.ts"
import * as reply from "../redis/reply.ts"
import type { ServerClock } from "../redis/serverClock.ts"
import { type Trouble, untilPassed } from "../redis/trouble.ts"
import { decodeFirstRead, firstRead } from "../scripts/firstRead.ts"
import { countReplacements } from "../scripts/streams.ts"
import { decodePassedOver, decodeTake, passOver, putOff, type TakenEntry, takeOwn } from "../scripts/take.ts"
import * as entry from "../wire/entry.ts"
import { hasReplacements, replacementsIn } from "../wire/json.ts"
import { type Arrivals, isLoss } from "./arrivals.ts"
import type { Runner } from "./runner.ts"

export interface Intake {
  /**
   * Hands entries to the runner, those marked that are no UTF-8, which starts them when it is told to. `since` as for
   * {@link Runner.accept}.
   */
  readonly hold: (entries: ReadonlyArray<entry.Entry>, since: number) => Effect.Effect<void, RedisError>
  /** Hands entries to the runner and has them started. `since` as for {@link Runner.accept}. */
  readonly accept: (entries: ReadonlyArray<entry.Entry>, since: number) => Effect.Effect<void, RedisError>
  /**
   * Takes entries that are pending here and not held, idle for so many milliseconds: their delivery never arrived. What does
   * not arrive this time either is left to `finding`.
   */
  readonly takePending: (idle: number) => Effect.Effect<void, RedisError>
  /** The reply to a take for this consumer was lost. */
  readonly missed: () => void
  /** Looks for what was missed until interrupted, beside the reads. */
  readonly finding: Effect.Effect<never, WorkerError>
}

export interface IntakeOptions {
  readonly redis: Redis["Service"]
  readonly names: Names
  readonly consumer: string
  readonly runner: Runner
  readonly arrivals: Arrivals
  /** Open while entries may be taken. */
  readonly gate: Latch.Latch
  readonly trouble: Trouble
  /** Deliveries without an outcome, beyond which an entry is buried. */
  readonly maxDeliveries: number
  readonly clock: Clock.Clock
  readonly server: ServerClock
  /** Bytes of `data`, beyond which an entry is refused. */
  readonly payloadLimit: number
  /** Entries that were deleted from the stream while they were pending. */
  readonly onGone: (ids: ReadonlyArray<string>) => Effect.Effect<void>
}

/** Pending entries looked at in one call. */
const batch = 1_000

/**
 * Milliseconds that an id must be ahead of the server's clock, as it is followed here, before the server is asked when the
 * entry was first read. The clock is followed less exactly than that, and a deadline within it is of no matter.
 */
const aheadTolerance = 1_000

/** Ids asked about in one call. */
const maxAhead = 500

/** Deliveries that were found, of which is remembered that they were. */
const maxFound = 10_000

/**
 * Bytes of an entry, below which its reply was not lost because of its size: the server keeps so much for each client without
 * counting it.
 */
const smallest = 16 * 1024

export const fromTaken = (taken: TakenEntry): entry.Entry =>
  entry.make(taken.id, taken.fields, taken.deliveries, taken.record)

export const make = (options: IntakeOptions): Intake => {
  const { arrivals, consumer, names, redis, runner, server, trouble } = options
  const { group, retryDue, retryRecords, stream } = names

  /** What is over the limit is refused whatever its bytes are: neither this process nor the server has to look at them. */
  const isDoubtful = ({ data }: entry.Entry): boolean =>
    data !== undefined && data.length <= options.payloadLimit && hasReplacements(data)

  /** U+FFFD may be what was sent, or stand for bytes that are no UTF-8: only the server's bytes tell. */
  const markBroken = (entries: ReadonlyArray<entry.Entry>) =>
    entries.some(isDoubtful) ? compareWithServer(entries) : Effect.succeed(entries)

  const compareWithServer = Effect.fnUntraced(function*(entries: ReadonlyArray<entry.Entry>) {
    const doubtful = entries.filter(isDoubtful)
    const counts = yield* redis.eval(countReplacements.script)({
      stream: names.stream,
      ids: doubtful.map((next) => next.id)
    })
    const broken = new Set<string>()
    doubtful.forEach((next, index) => {
      if (Array.isArray(counts) && replacementsIn(next.data ?? "") !== Number(counts[index])) broken.add(next.id)
    })
    return entries.map((next) => broken.has(next.id) ? entry.withBroken(next, true) : next)
  })

  const isAhead = ({ id, record }: entry.Entry): boolean =>
    record.readAt === undefined && entry.millisOf(id) > server.now() + aheadTolerance

  /** Only a message with a timeout has a deadline, whatever its JSON says otherwise. */
  const mayHaveDeadline = ({ data }: entry.Entry): boolean => data?.includes("timeout_ms") === true

  /** Entries whose ids are ahead of the clock get the time at which they were first read. */
  const dated = Effect.fnUntraced(function*(entries: ReadonlyArray<entry.Entry>) {
    const ids = entries.filter((next) => isAhead(next) && mayHaveDeadline(next)).map((next) => next.id)
    const found = new Map<string, number>()
    for (let i = 0; i < ids.length; i += maxAhead) {
      const some = ids.slice(i, i + maxAhead)
      const { now, times } = decodeFirstRead(
        yield* redis.eval(firstRead.script)({
          stream: names.stream,
          retryRecords: names.retryRecords,
          group: names.group,
          consumer,
          ids: some
        })
      )
      some.forEach((id, index) => {
        const time = times[index]
        if (time !== undefined) found.set(id, time)
      })
      // It was the clock of the server that was set, and not the ids that are ahead.
      if (Math.abs(now - server.now()) > aheadTolerance) yield* server.sample
    }
    return entries.map((next) => {
      const readAt = found.get(next.id)
      return readAt === undefined ? next : entry.withRecord(next, { ...next.record, readAt })
    })
  })

  const dateIf = (
    some: boolean,
    entries: ReadonlyArray<entry.Entry>
  ): Effect.Effect<ReadonlyArray<entry.Entry>, RedisError> => some ? dated(entries) : Effect.succeed(entries)

  /** Deliveries that were found before their reply came. When it comes after all, they may have run and ended. */
  const found = new Map<string, number>()
  const findingAlone = Semaphore.makeUnsafe(1)

  const acceptFound = Effect.fnUntraced(function*(entries: ReadonlyArray<entry.Entry>, since: number) {
    runner.accept(yield* markBroken(yield* dateIf(entries.some(isAhead), entries)), since)
    runner.start()
    arrivals.forget(entries)
    for (const { deliveries, id } of entries) found.set(id, deliveries)
    for (const id of found.keys()) {
      if (found.size <= maxFound) break
      found.delete(id)
    }
  })

  const isNew = ({ deliveries, id }: entry.Entry): boolean => found.get(id) !== deliveries

  const holdMarked = (entries: ReadonlyArray<entry.Entry>, since: number) =>
    Effect.map(markBroken(entries), (marked) => runner.accept(marked, since))

  const hold: Intake["hold"] = (entries, since) => {
    const fresh = found.size === 0 ? entries : entries.filter(isNew)
    const last = fresh.at(-1)
    if (last === undefined) return Effect.void
    // What is read comes in the order of its ids: the last one tells for all.
    return isAhead(last) ? Effect.flatMap(dated(fresh), (next) => holdMarked(next, since)) : holdMarked(fresh, since)
  }

  /** The reply of this entry does not arrive: no field of it is asked for again. */
  const setAside = Effect.fnUntraced(function*(id: string, counts: boolean) {
    const since = monotonicMillis(options.clock)
    const passed = decodePassedOver(
      yield* redis.eval(passOver.script)({
        stream,
        retryDue,
        retryRecords,
        group,
        consumer,
        waitingConsumer: names.waitingConsumer,
        id,
        counts,
        maxDeliveries: options.maxDeliveries,
        smallest,
        delay: putOff
      })
    )
    if (passed === undefined) return arrivals.forget([{ id }])
    const { deliveries, record, replays, size, spent } = passed
    yield* Effect.logWarning(
      `An entry of ${size} bytes cannot be read: the connection ends each time that it is asked for. Raise the server's ` +
        "client-output-buffer-limit (normal), or the limit of a proxy. " +
        (spent
          ? `After ${deliveries} deliveries it becomes a dead letter`
          : `Delivery ${deliveries} of at most ${options.maxDeliveries} without an outcome; others are taken meanwhile`)
    ).pipe(Effect.annotateLogs({ stream, entry_id: id, consumer }))
    if (!spent) return
    arrivals.forget([{ id }])
    runner.accept([entry.unread(id, deliveries, record, replays)], since)
    runner.start()
  })

  const listPending = (idle: number): Effect.Effect<ReadonlyArray<string>, RedisError> =>
    Effect.map(
      redis.send("XPENDING", stream, group, "IDLE", String(idle), "-", "+", String(batch), consumer),
      (listed) => reply.pendingIds(listed, consumer).filter((id) => !runner.holds(id))
    )

  /** Those that nothing is known against come first, and together. */
  const choose = (ids: ReadonlyArray<string>): ReadonlyArray<string> => {
    const fresh = ids.filter((id) => !arrivals.isDoubtful(id))
    return fresh.length === 0 ? ids.slice(0, 1) : fresh.slice(0, Math.max(1, Math.min(runner.room(), arrivals.most())))
  }

  /** Open while something is pending here that did not arrive. */
  const missing = Latch.makeUnsafe(false)

  /** Returns the error when a reply was lost; what it held is still pending then. */
  const take = Effect.fnUntraced(function*(idle: number) {
    for (let round = 0;; round++) {
      const ids = yield* listPending(idle)
      if (ids.length === 0) return undefined
      if (round > 0 && runner.room() <= 0) {
        missing.openUnsafe()
        return undefined
      }
      const asked = choose(ids)
      const [first = ""] = asked
      if (asked.length === 1 && arrivals.isHopeless(first)) {
        // Whatever brought it here was counted.
        yield* setAside(first, false)
        continue
      }
      const since = monotonicMillis(options.clock)
      const result = yield* Effect.result(
        redis.eval(takeOwn.script)({
          stream,
          retryRecords,
          group,
          consumer,
          ids: asked,
          budget: Math.max(1, runner.spare())
        })
      )
      if (result._tag === "Failure") {
        if (!isLoss(result.failure)) return yield* result.failure
        arrivals.lost(asked.length)
        if (asked.length === 1 && arrivals.lostAlone(first)) yield* setAside(first, true)
        return result.failure
      }
      const { lost, taken } = decodeTake(result.success)
      arrivals.came(taken.length)
      if (lost.length > 0) yield* options.onGone(lost)
      yield* acceptFound(taken.map(fromTaken), since)
      // Settled since they were listed, or another's: no round may be like the one before.
      if (taken.length + lost.length === 0) return undefined
    }
  }, (effect) => findingAlone.withPermit(effect))

  const doing = `looking for what ${consumer} was sent and did not get`

  const find = Effect.flatMap(take(0), (lost) => lost === undefined ? Effect.void : Effect.fail(lost))

  const finding = Effect.forever(missing.await.pipe(
    Effect.andThen(options.gate.await),
    Effect.andThen(runner.awaitRoom),
    Effect.andThen(Effect.sync(() => missing.closeUnsafe())),
    Effect.andThen(untilPassed(
      trouble,
      doing,
      // Without the group nothing is pending, and the readers make it anew.
      Effect.catchIf(find, (error) => failureOf(error) === "NoGroup", () => Effect.void)
    ))
  ))

  return {
    hold,
    accept: (entries, since) =>
      dateIf(entries.some(isAhead), entries).pipe(
        Effect.flatMap((next) => hold(next, since)),
        Effect.map(() => {
          runner.start()
          arrivals.forget(entries)
        })
      ),
    takePending: (idle) =>
      Effect.map(take(idle), (lost) => {
        if (lost !== undefined) missing.openUnsafe()
      }),
    missed: () => {
      missing.openUnsafe()
    },
    finding
  }
}
