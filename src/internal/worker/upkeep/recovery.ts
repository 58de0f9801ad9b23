/**
 * Keeps what this process holds, and takes what others left.
 *
 * Running entries are renewed; entries due for a retry and entries of dead
 * consumers are taken, each by a script that checks and counts. Nobody holds or
 * renews an entry that waits, so a backoff survives the crash of every worker and
 * a million waiting entries cost a worker nothing.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Random from "effect/Random"
import type { Redis, RedisError } from "../../../Redis.ts"
import type { WorkerError } from "../../../WorkerError.ts"
import { monotonicMillis } from "../../base/monotonic.ts"
import type { Names } from "../../redis/names.ts"
import { strings } from "../../redis/reply.ts"
import type { Trouble } from "../../redis/trouble.ts"
import { decodeRenewal, holdLease, renew } from "../../scripts/lease.ts"
import { decodeTake, takeDue, takeIdle, type TakenEntry } from "../../scripts/take.ts"
import { type Arrivals, isLoss } from "../arrivals.ts"
import type { Consumer } from "../consumer.ts"
import { fromTaken } from "../intake.ts"

export interface RecoveryOptions {
  readonly redis: Redis["Service"]
  readonly names: Names
  /** The consumers that read; due and claimed entries go to the one with the most room. */
  readonly consumers: ReadonlyArray<Consumer>
  /** The consumer that runs one suspect at a time. */
  readonly alone: Consumer
  readonly arrivals: Arrivals
  /** Milliseconds; this worker's own wish, the group may hold a longer one. */
  readonly claimIdle: number
  /** Settled entries are kept in the stream. */
  readonly retain: boolean
  readonly clock: Clock.Clock
  readonly suspectAfter: number
  readonly gate: Latch.Latch
  readonly trouble: Trouble
  readonly restoreGroup: Effect.Effect<void, WorkerError>
  /** Entries that were deleted from the stream while they were pending. */
  readonly onGone: (ids: ReadonlyArray<string>) => Effect.Effect<void>
  readonly observe: (event: RecoveryEvent) => void
}

export type RecoveryEvent =
  | { readonly _tag: "Claimed"; readonly entries: number }
  | { readonly _tag: "LeaseLost"; readonly ids: ReadonlyArray<string>; readonly consumer: string }
  | { readonly _tag: "Dropped"; readonly ids: ReadonlyArray<string>; readonly consumer: string }
  | { readonly _tag: "Renewed" }

export interface Recovery {
  /** Records this worker's lease with the group; run before the first entry is read. */
  readonly holdLease: Effect.Effect<void, RedisError>
  /** Renews held entries until interrupted; goes on while the worker drains. */
  readonly renewing: Effect.Effect<never, WorkerError>
  /** Takes due and abandoned entries until interrupted. */
  readonly taking: Effect.Effect<never, WorkerError>
  /** Renews now: something may not start before. */
  readonly hurry: () => void
  /** A retry was just written: its due time may be the next one. */
  readonly wake: () => void
  /** An entry was just left to a worker that knows its type. */
  readonly yielded: () => void
  /** Milliseconds of the lease that holds. */
  readonly lease: () => number
}

/** The longest that a due entry of another, dead process waits to be noticed. */
const duePoll = 1_000

/**
 * Who left an entry to others lately comes so much later than they do for what is due. Else all would look at the same
 * moment, and a worker that knows the type be the last of many each time.
 */
const standBack = 100

/** Many workers may take turns at leaving an entry to others before it is one's turn again. */
const lately = Duration.toMillis("10 minutes")

/** Entries taken in one call. */
const maxTaken = 200

/** Ids renewed in one call. */
const maxRenewed = 500

/** Consumers that hold nothing and were idle for so long are removed. */
const removeAfter = Duration.toMillis("1 hour")

/** A lease is forgotten when nobody renewed it for so many times its length. */
const leaseLives = 3

export const goneWarning = (names: Names, ids: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.logError(`${ids.length} pending entries of ${names.stream} were deleted by others: they are lost`).pipe(
    Effect.annotateLogs({ stream: names.stream, entries: ids.slice(0, 20) })
  )

export const make = (options: RecoveryOptions): Recovery => {
  const { alone, arrivals, clock, consumers, names, redis, trouble } = options
  const everyone = [...consumers, alone]
  const own = everyone.map((consumer) => consumer.name)
  const wakeLatch = Latch.makeUnsafe(false)
  const hurryLatch = Latch.makeUnsafe(false)
  let lease = options.claimIdle
  let cursor = "-"

  // ---------------------------------------------------------------------------
  // leases
  // ---------------------------------------------------------------------------

  const hold = Effect.fnUntraced(function*() {
    const timeToLive = leaseLives * Math.max(options.claimIdle, 10_000)
    const held = Number(
      yield* redis.eval(holdLease.script)({ lease: names.lease, claimIdle: options.claimIdle, timeToLive })
    )
    if (held > options.claimIdle && lease !== held) {
      yield* Effect.logWarning(
        `Another worker of ${names.group} has claimIdle ${held} ms, this one ${options.claimIdle} ms: the longer one holds`
      )
    }
    lease = Math.max(options.claimIdle, held)
  })

  /** The last renewal took longer than the lease. */
  let wasSlow = false

  const renewConsumer = Effect.fnUntraced(function*(consumer: Consumer) {
    const { runner } = consumer
    const ids = runner.heldIds()
    for (let i = 0; i < ids.length; i += maxRenewed) {
      const some = ids.slice(i, i + maxRenewed)
      const sent = monotonicMillis(clock)
      const { ahead, dropped, ended, gone, lost, several } = decodeRenewal(
        yield* redis.eval(renew.script)({
          stream: names.stream,
          group: names.group,
          consumer: consumer.name,
          ids: some
        })
      )
      // What left the pending list may have been taken over and settled, if its lease was over. Where settled entries stay
      // in the stream, that holds for those that are still there, too.
      const stays = several || options.retain
      const wasTaken = (id: string): boolean => runner.isStale(id, sent)
      const takenAndKept = stays ? dropped.filter(wasTaken) : []
      const taken = runner.lose([...lost, ...ended.filter(wasTaken), ...takenAndKept])
      if (taken.length > 0) options.observe({ _tag: "LeaseLost", ids: taken, consumer: consumer.name })
      // Nothing can be settled of an entry that somebody deleted: its handler is ended like one that lost it.
      const deleted = runner.lose([...gone, ...ended])
      if (deleted.length > 0) yield* options.onGone(deleted)
      const unowned = runner.drop(dropped)
      if (unowned.length > 0) options.observe({ _tag: "Dropped", ids: unowned, consumer: consumer.name })
      // The group was made again and delivers these again: that was logged.
      runner.drop(ahead)
      // A reply that came late says little about now, and is asked for again. Of a server that always takes longer than the
      // lease nothing better can be had: it is believed the second time, or nothing would ever start.
      const received = monotonicMillis(clock)
      const isSlow = received - sent > options.claimIdle
      const missing = new Set([...lost, ...gone, ...ended, ...dropped, ...ahead])
      runner.renewed(
        missing.size === 0 ? some : some.filter((id) => !missing.has(id)),
        isSlow && wasSlow ? received : sent
      )
      wasSlow = isSlow
    }
  })

  const renewAll = Effect.suspend(() => {
    hurryLatch.closeUnsafe()
    return Effect.forEach(everyone, renewConsumer, { discard: true })
  }).pipe(
    Effect.tap(() => Effect.sync(() => options.observe({ _tag: "Renewed" }))),
    // Also while nothing is claimed, for a pause or for want of room: what runs here is taken by those with a shorter lease
    // as soon as ours is forgotten.
    Effect.andThen(Effect.suspend(hold))
  )

  const renewing = Effect.forever(
    Effect.andThen(
      // By its own lease, also while a longer one holds: that one is forgotten once nobody wants it any more.
      Effect.raceFirst(Effect.sleep(Duration.millis(options.claimIdle / 3)), hurryLatch.await),
      // Two more failures like the first, and the lease is lost: it is tried again as soon as it can be.
      trouble.around(`renewing in ${names.stream}`, renewAll, options.restoreGroup)
    )
  )

  // ---------------------------------------------------------------------------
  // taking
  // ---------------------------------------------------------------------------

  const roomiest = (): Consumer | undefined => {
    let best: Consumer | undefined
    for (const consumer of consumers) {
      if (consumer.runner.room() > (best?.runner.room() ?? 0)) best = consumer
    }
    return best
  }

  const parametersFor = (consumer: Consumer) => ({
    stream: names.stream,
    retryDue: names.retryDue,
    retryRecords: names.retryRecords,
    group: names.group,
    consumer: consumer.name,
    aloneConsumer: alone.runner.room() > 0 ? alone.name : "",
    suspectAfter: options.suspectAfter,
    // Room may have gone since it was looked for, and to a server a negative limit is none.
    limit: Math.max(1, Math.min(consumer.runner.room(), maxTaken, arrivals.most())),
    budget: Math.max(1, consumer.runner.spare())
  })

  /** A take whose reply is lost has taken all the same: the consumers look for what it brought them. */
  const noticed = <A>(consumer: Consumer, asked: number, take: Effect.Effect<A, RedisError>) =>
    Effect.tapError(take, (error) =>
      Effect.sync(() => {
        if (!isLoss(error)) return
        arrivals.lost(asked)
        consumer.intake.missed()
        alone.intake.missed()
      }))

  const handOut = (
    consumer: Consumer,
    taken: ReadonlyArray<TakenEntry>,
    since: number
  ): Effect.Effect<void, RedisError> =>
    Effect.andThen(
      consumer.intake.accept(taken.filter((next) => next.consumer !== alone.name).map(fromTaken), since),
      alone.intake.accept(taken.filter((next) => next.consumer === alone.name).map(fromTaken), since)
    )

  /** Milliseconds until due entries are looked for again. */
  let nextDue = 0
  let hasYielded = false
  let yieldedAt = Number.NEGATIVE_INFINITY
  /** Whether the last look found no entry that waits at all. Then one plain command replaces the script, see `look`. */
  let noneWaits = false

  const look = Effect.fnUntraced(function*(consumer: Consumer) {
    if (noneWaits && Number(yield* redis.send("EXISTS", names.retryDue)) === 0) {
      nextDue = duePoll
      return
    }
    const parameters = parametersFor(consumer)
    const since = monotonicMillis(clock)
    const { lost, rest, taken } = decodeTake(
      yield* noticed(
        consumer,
        parameters.limit,
        redis.eval(takeDue.script)({ ...parameters, waitingConsumer: names.waitingConsumer })
      )
    )
    arrivals.came(taken.length)
    yield* handOut(consumer, taken, since)
    if (lost.length > 0) yield* options.onGone(lost)
    const wait = Number(rest[0])
    noneWaits = wait < 0
    nextDue = taken.length >= parameters.limit ? 0 : wait < 0 ? duePoll : Math.min(wait, duePoll)
  })

  const takeDueOnce = Effect.fnUntraced(function*(consumer: Consumer) {
    yield* look(consumer)
    const now = yield* Clock.currentTimeMillis
    if (hasYielded) yieldedAt = now
    hasYielded = false
    if (now - yieldedAt < lately) nextDue += standBack
  })

  const takingDue = Effect.forever(Effect.suspend(() => {
    const consumer = roomiest()
    if (consumer === undefined) return Effect.raceAll(consumers.map((next) => next.runner.awaitRoom))
    wakeLatch.closeUnsafe()
    return trouble.around(
      `taking due entries of ${names.stream}`,
      Effect.andThen(options.gate.await, takeDueOnce(consumer)),
      options.restoreGroup
    ).pipe(
      Effect.andThen(
        Effect.suspend(() => Effect.raceFirst(Effect.sleep(Duration.millis(Math.max(nextDue, 1))), wakeLatch.await))
      )
    )
  }))

  /** Whether the last sweep left something that can be taken soon. */
  let more = false
  /** Whether it saw entries that may be taken only alone. */
  let suspected = false

  const takeIdleOnce = Effect.fnUntraced(function*(consumer: Consumer) {
    const parameters = parametersFor(consumer)
    const since = monotonicMillis(clock)
    const { lost, rest, suspects, taken } = decodeTake(
      yield* noticed(
        consumer,
        parameters.limit,
        redis.eval(takeIdle.script)({
          ...parameters,
          lease: names.lease,
          waitingConsumer: names.waitingConsumer,
          claimIdle: options.claimIdle,
          removeAfter,
          cursor,
          own
        })
      )
    )
    arrivals.came(taken.length)
    yield* handOut(consumer, taken, since)
    if (taken.length > 0) options.observe({ _tag: "Claimed", entries: taken.length })
    if (lost.length > 0) yield* options.onGone(lost)
    cursor = String(rest[0] ?? "-")
    const removed = strings(rest[1])
    if (removed.length > 0) yield* Effect.logInfo(`Removed ${removed.length} consumers that were gone for an hour`)
    suspected = suspects > 0
    more = taken.length >= parameters.limit || Number(rest[2]) === 1 || suspected || cursor !== "-"
    // A reply that was lost on its way left entries pending here that nothing runs.
    for (const next of everyone) yield* next.intake.takePending(Math.floor(lease / 2))
  })

  const sweeping = Effect.forever(Effect.suspend(() => {
    const consumer = roomiest()
    if (consumer === undefined) return Effect.raceAll(consumers.map((next) => next.runner.awaitRoom))
    return trouble.around(
      `claiming in ${names.stream}`,
      Effect.andThen(options.gate.await, takeIdleOnce(consumer)),
      options.restoreGroup
    ).pipe(
      Effect.andThen(Random.next),
      Effect.flatMap((random) => {
        // Jittered, so that the workers of a group do not sweep in step.
        const wait = Effect.sleep(
          Duration.millis(more ? Math.min(lease / 4, 1_000) : (lease / 4) * (0.75 + random / 2))
        )
        // A crash may leave thousands of suspects: the next one comes as soon as the one before is done.
        return suspected ? Effect.raceFirst(wait, alone.runner.awaitRoom) : wait
      })
    )
  }))

  return {
    holdLease: hold(),
    renewing,
    taking: Effect.as(
      Effect.all([takingDue, sweeping], { concurrency: "unbounded", discard: true }),
      undefined as never
    ),
    hurry: () => {
      hurryLatch.openUnsafe()
    },
    wake: () => {
      wakeLatch.openUnsafe()
    },
    yielded: () => {
      hasYielded = true
    },
    lease: () => lease
  }
}
