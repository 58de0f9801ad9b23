/** Finds entries that are pending under a consumer but never arrived, because the reply with them was lost. */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Semaphore from "effect/Semaphore"
import type { RedisError } from "../../Redis.ts"
import type { WorkerError } from "../../WorkerError.ts"
import { monotonicMillis } from "../base/monotonic.ts"
import { failureOf } from "../redis/failure.ts"
import * as reply from "../redis/reply.ts"
import { maxBytes, maxEntries } from "../scripts/bounds.ts"
import { decodePassedOver, passOver } from "../scripts/passOver.ts"
import { decodeTake, putOff, type TakenEntry, takeOwn } from "../scripts/take.ts"
import * as entry from "../wire/entry.ts"
import { isLoss } from "./arrivals.ts"
import type { Host } from "./host.ts"
import type { Room } from "./room.ts"
import type { Runner } from "./runner.ts"

export interface Finder {
  /**
   * Looks for entries that are pending here, not held, and idle for at least this many milliseconds: their delivery
   * never arrived. Entries that do not arrive this time either are left to `finding`.
   */
  readonly find: (idle: number) => Effect.Effect<void, RedisError>
  /** Called when the reply to a claim for this consumer was lost. */
  readonly missed: () => void
  /** Looks for missed entries until interrupted, concurrently with the reads. */
  readonly finding: Effect.Effect<never, WorkerError>
}

/**
 * The size of an entry, in bytes, below which its size cannot be the reason that a reply was lost: the server keeps
 * that much for each client without counting it.
 */
const smallest = 16 * 1024

/** Bytes of entries that one claim takes. */
export const budgetFor = (room: Room): number => Math.max(1, Math.min(room.spare(), maxBytes))

export const fromTaken = (taken: TakenEntry): entry.Entry =>
  entry.make(taken.id, taken.fields, taken.deliveries, taken.record)

/** The reply of this entry does not arrive, so none of its fields are asked for again. */
const setAside = Effect.fnUntraced(
  function*(host: Host, consumer: string, runner: Runner, id: string, counts: boolean) {
    const { arrivals, names, options: { maxDeliveries }, redis } = host
    const since = monotonicMillis(host.clock)
    const passed = decodePassedOver(
      yield* redis.eval(passOver.script)({ ...names, consumer, id, counts, maxDeliveries, smallest, delay: putOff })
    )
    if (passed === undefined) return arrivals.forget([{ id }])
    const { deliveries, record, replays, size, spent } = passed
    yield* Effect.logWarning(
      `An entry of ${size} bytes cannot be read: each attempt ends the connection. Raise the server's ` +
        "client-output-buffer-limit (normal), or the limit of a proxy. " +
        (spent
          ? `After ${deliveries} deliveries it becomes a dead letter`
          : `This was delivery ${deliveries} of at most ${maxDeliveries}. Other entries are handled meanwhile`)
    ).pipe(Effect.annotateLogs({ stream: names.stream, entry_id: id, consumer }))
    if (!spent) return
    arrivals.forget([{ id }])
    runner.accept([entry.unread(id, deliveries, record, replays)], since)
    runner.start()
  }
)

/** `accept` runs the entries found. */
export const make = (
  host: Host,
  consumer: string,
  runner: Runner,
  accept: (entries: ReadonlyArray<entry.Entry>, since: number) => Effect.Effect<void, RedisError>
): Finder => {
  const { arrivals, clock, gate, names, onGone, redis, trouble } = host
  const alone = Semaphore.makeUnsafe(1)

  /** A page of what is pending here and not held. Pages that are all held are skipped. */
  const listPending = (idle: number, from = "-"): Effect.Effect<ReadonlyArray<string>, RedisError> =>
    Effect.flatMap(
      redis.send("XPENDING", names.stream, names.group, "IDLE", String(idle), from, "+", String(maxEntries), consumer),
      (listed) => {
        const ids = reply.pendingIds(listed, consumer)
        const last = ids.at(-1)
        const missed = ids.filter((id) => !runner.holds(id))
        return missed.length > 0 || last === undefined || ids.length < maxEntries
          ? Effect.succeed(missed)
          : listPending(idle, `(${last}`)
      }
    )

  /** Entries without a suspicion come first, and together. */
  const choose = (ids: ReadonlyArray<string>): ReadonlyArray<string> => {
    const fresh = ids.filter((id) => !arrivals.isDoubtful(id))
    return fresh.length === 0
      ? ids.slice(0, 1)
      : fresh.slice(0, Math.max(1, Math.min(runner.room.free(), maxEntries, arrivals.most())))
  }

  /** Open while an entry is pending here that did not arrive. */
  const missing = Latch.makeUnsafe(false)

  /** Returns the error if a reply was lost. Its entries are still pending then. */
  const look = Effect.fnUntraced(function*(idle: number) {
    for (let round = 0;; round++) {
      const ids = yield* listPending(idle)
      if (ids.length === 0) return undefined
      if (round > 0 && runner.room.free() <= 0) {
        missing.openUnsafe()
        return undefined
      }
      const asked = choose(ids)
      const [first = ""] = asked
      if (asked.length === 1 && arrivals.isHopeless(first)) {
        // The delivery that brought it here was already counted.
        yield* setAside(host, consumer, runner, first, false)
        continue
      }
      const since = monotonicMillis(clock)
      const result = yield* Effect.result(
        redis.eval(takeOwn.script)({ ...names, consumer, ids: asked, budget: budgetFor(runner.room) })
      )
      if (result._tag === "Failure") {
        if (!isLoss(result.failure)) return yield* result.failure
        arrivals.lost(asked.length)
        if (asked.length === 1 && arrivals.lostAlone(first)) yield* setAside(host, consumer, runner, first, true)
        return result.failure
      }
      const { lost, taken } = decodeTake(result.success)
      arrivals.came(taken.length)
      if (lost.length > 0) yield* onGone(lost)
      yield* accept(taken.map(fromTaken), since)
      // They were settled since they were listed, or belong to another consumer. Stop instead of repeating the same
      // round.
      if (taken.length + lost.length === 0) return undefined
    }
  }, (effect) => alone.withPermit(effect))

  const doing = `looking for what ${consumer} was sent and did not get`

  const findAll = Effect.flatMap(look(0), (lost) => lost === undefined ? Effect.void : Effect.fail(lost))

  const finding = Effect.forever(missing.await.pipe(
    Effect.andThen(gate.await),
    Effect.andThen(runner.room.available),
    Effect.andThen(Effect.sync(() => missing.closeUnsafe())),
    Effect.andThen(trouble.around(
      doing,
      // Without the group, nothing is pending; the readers create it again.
      Effect.catchIf(findAll, (error) => failureOf(error) === "NoGroup", () => Effect.void)
    ))
  ))

  return {
    find: (idle) =>
      Effect.map(look(idle), (lost) => {
        if (lost !== undefined) missing.openUnsafe()
      }),
    missed: () => {
      missing.openUnsafe()
    },
    finding
  }
}
