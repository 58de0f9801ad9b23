/**
 * Gathers the decisions of one consumer and writes them, a whole batch in one call.
 *
 * While a call is on its way the next batch gathers, so the batches grow with the
 * load and no timer is needed. A call that failed is sent again: the script
 * settles only what is still ours. What a server that takes other calls refuses
 * again and again is buried, so that nothing waits behind it for ever.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { Redis } from "../../Redis.ts"
import { RedisError } from "../../Redis.ts"
import type { WorkerError } from "../../WorkerError.ts"
import { failureOf, type RedisFailure } from "../redis/failure.ts"
import type { Names } from "../redis/names.ts"
import type { Trouble } from "../redis/trouble.ts"
import { decodeStatuses, settle, type SettleEntry, type SettleStatus, targetOf } from "../scripts/settle.ts"
import type { Decision, Written } from "./decision.ts"
import type { EncodeOptions } from "./encodeSettlement.ts"
import { Batch, batchOf, unanswered, withEntry, withoutPush } from "./settleBatch.ts"
import type { Telemetry } from "./telemetry.ts"

export interface Settler {
  readonly offer: (decision: Decision) => void
  /** Writes until interrupted. */
  readonly run: Effect.Effect<never, WorkerError>
  /** Waits until everything offered so far is written. */
  readonly flushed: Effect.Effect<void>
  readonly unwritten: () => number
}

export interface SettlerOptions {
  readonly redis: Redis["Service"]
  readonly names: Names
  readonly consumer: string
  readonly retain: boolean
  readonly encode: EncodeOptions
  readonly trouble: Trouble
  readonly telemetry: Pick<Telemetry, "settling" | "settled">
  readonly onWritten: (decision: Decision, written: Written) => void
  /** The group is missing: makes it anew. */
  readonly restoreGroup: Effect.Effect<void, WorkerError>
}

/** Lua's `unpack` takes about 8,000 values; a batch stays far below, and does not hold up the server. */
const maxBatch = 500

/**
 * How often in a row a call must fail, and one without entries pass, before the fault is seen in what it writes.
 */
const patience = 3

/**
 * Characters below which a connection that ends is not blamed on the size of a call: the least limit that a server can be
 * given is a mebibyte, and a proxy may have a lower one.
 */
const largeSize = 64 * 1024

/**
 * Whether a failure may be the fault of what a call writes. A server that is full, that loads or has become a replica refuses
 * them all; whatever it says without a word for the kind may be about this one. A server ends the connection of a call that is
 * larger than it takes, as any network does of any call.
 */
const mayBeAboutContent = (error: RedisError, { size }: Batch): boolean => {
  const kind = failureOf(error)
  return kind === "Other" || (kind === "Connection" && size >= largeSize)
}

/**
 * Whether a server refuses a call for the list that an answer goes to: it names the list, and a sender named that. The user
 * may not write to it, or in a cluster it is on another node.
 */
const isAboutTarget = (kind: RedisFailure): boolean => kind === "NoPermission" || kind === "Cluster"

/** What became of a decision that the script carried out. */
const settledAs = (entry: SettleEntry | undefined): Written => entry?.undelivered === true ? "undeliverable" : "settled"

/** What a call writes is refused, though Redis takes others. */
class Refused {
  readonly error: RedisError
  /** The call came through: the answer can stand in the dead letter. */
  readonly keep: boolean
  constructor(error: RedisError, keep: boolean) {
    this.error = error
    this.keep = keep
  }
}

export const make = (options: SettlerOptions): Settler => {
  const { consumer, names, redis, trouble } = options
  const evaluate = redis.eval(settle.script)
  const work = Latch.makeUnsafe(false)
  const idle = Latch.makeUnsafe(true)
  let waiting: Array<Decision> = []
  let inFlight = 0

  const offer = (decision: Decision): void => {
    if (waiting.push(decision) > 1) return
    idle.closeUnsafe()
    work.openUnsafe()
  }

  const written = (decision: Decision, outcome: Written): void => {
    inFlight--
    options.onWritten(decision, outcome)
  }

  const target = targetOf(names, consumer, options.retain)
  const withNotes: EncodeOptions = { ...options.encode, withNotes: true }

  /** Takes the statuses of a call; returns what has to be tried again. */
  const conclude = (batch: Batch, statuses: ReadonlyMap<number, SettleStatus>) => {
    const again: Array<Decision> = []
    const incomplete: Array<Decision> = []
    let error: RedisError | undefined
    batch.decisions.forEach((decision, index) => {
      const status = statuses.get(index)
      if (status === undefined) written(decision, settledAs(batch.entries[index - batch.acknowledged.length]))
      else if (status === "incomplete") incomplete.push(decision)
      else if (typeof status === "string") written(decision, status)
      else {
        again.push(decision)
        error ??= new RedisError({ cause: new Error(status.error) })
      }
    })
    return { again, incomplete, error }
  }

  const doing = `settling in ${names.stream} as ${consumer}`

  const nothing = new Batch(target, "0-0", "0-0", [], [], [], 0)

  /** Whether a failure is about what the call writes: one that writes nothing is taken. */
  const isAboutContent = (error: RedisError, batch: Batch): Effect.Effect<boolean> =>
    mayBeAboutContent(error, batch)
      ? Effect.map(Effect.result(evaluate(nothing)), (result) => result._tag === "Success")
      : Effect.succeed(false)

  type Write = (decisions: ReadonlyArray<Decision>, encode?: EncodeOptions) => Effect.Effect<void, WorkerError>
  const write: Write = Effect.fnUntraced(
    function*(decisions, encode = options.encode) {
      let left = decisions
      let refusals = 0
      while (left.length > 0) {
        const batch = batchOf(target, left, encode)
        const rest = left.slice(batch.decisions.length)
        const span = options.telemetry.settling(batch.decisions)
        const result = yield* Effect.result(evaluate(batch))
        options.telemetry.settled(span, result._tag === "Failure")
        if (result._tag === "Success") {
          const { again, error, incomplete } = conclude(batch, decodeStatuses(result.success))
          left = again.concat(rest)
          if (incomplete.length > 0) yield* write(incomplete, withNotes)
          if (error === undefined) {
            refusals = 0
            if (trouble.failing()) yield* trouble.passed(doing)
            continue
          }
          yield* trouble.failed(doing, error)
          refusals = mayBeAboutContent(error, batch) ? refusals + 1 : 0
          if (refusals >= patience) {
            yield* writeApart(again, batch.decisions.length === 1 ? new Refused(error, true) : undefined)
            left = rest
            refusals = 0
          }
          continue
        }
        const kind = failureOf(result.failure)
        if (kind === "NoGroup") {
          // The server forgot the group: nothing of this is ours any more.
          yield* options.restoreGroup
          for (const decision of left) written(decision, "ended")
          // Nothing is left to write, and the next call may be long in coming.
          if (trouble.failing()) yield* trouble.passed(doing)
          return
        }
        if (isAboutTarget(kind) && batch.entries.some((entry) => entry.push !== undefined)) {
          return yield* writeApart(left)
        }
        yield* trouble.failed(doing, result.failure)
        refusals = (yield* isAboutContent(result.failure, batch)) ? refusals + 1 : 0
        if (refusals >= patience) {
          yield* writeApart(
            batch.decisions,
            batch.decisions.length === 1 ? new Refused(result.failure, false) : undefined
          )
          left = rest
          refusals = 0
        }
      }
    }
  )

  /** One entry that is refused fails a whole call, each time: each is settled in a call of its own. */
  const writeApart = Effect.fnUntraced(function*(decisions: ReadonlyArray<Decision>, refused?: Refused) {
    for (const next of decisions) {
      const batch = batchOf(target, [next], withNotes)
      const decision = batch.decisions[0] ?? next
      written(decision, yield* writeAlone(decision, batch, refused))
      if (trouble.failing()) yield* trouble.passed(doing)
    }
  })

  /**
   * What is refused alone as well is given up: the answer is kept in the dead letter if the server takes it there. If not, the
   * letter says so, and the caller, if that goes.
   */
  const writeAlone = Effect.fnUntraced(function*(decision: Decision, batch: Batch, known?: Refused) {
    const givesUp = batch.entries.some(({ notes, push }) => push !== undefined || notes?.includes("answer"))
    const whole = known !== undefined && givesUp ? known : yield* attempt(batch, givesUp)
    if (!(whole instanceof Refused)) return whole === "settled" ? settledAs(batch.entries[0]) : whole
    const { error, keep } = whole
    const second = yield* keep
      ? attempt(withEntry(batch, (entry) => withoutPush(entry, error)), true)
      : attempt(unanswered(target, decision, withNotes, error, true), true)
    if (second === "settled") return keep ? "undeliverable" : "unwritable"
    if (!(second instanceof Refused)) return second
    const last = yield* attempt(unanswered(target, decision, withNotes, error, false), false)
    return last === "settled" || last instanceof Refused ? "unwritable" : last
  })

  /** Sends the call for one entry until it is through, or until it is plain that what it writes is refused. */
  const attempt = Effect.fnUntraced(function*(batch: Batch, mayBeRefused: boolean) {
    let refusals = 0
    while (true) {
      const result = yield* Effect.result(evaluate(batch))
      let error: RedisError
      if (result._tag === "Success") {
        const status = decodeStatuses(result.success).get(0)
        // With its notes no answer is incomplete.
        if (typeof status !== "object") return status === undefined || status === "incomplete" ? "settled" : status
        error = new RedisError({ cause: new Error(status.error) })
      } else {
        error = result.failure
      }
      const kind = failureOf(error)
      if (kind === "NoGroup") {
        yield* options.restoreGroup
        return "ended"
      }
      if (isAboutTarget(kind) && mayBeRefused) return new Refused(error, true)
      yield* trouble.failed(doing, error)
      const isRefusal = mayBeRefused && (yield* isAboutContent(error, batch))
      refusals = isRefusal ? refusals + 1 : 0
      if (refusals >= patience) return new Refused(error, result._tag === "Success")
    }
  })

  // `forever` would wait a turn of the event loop before each round, and the reader's next read would leave first.
  const run = Effect.forever(
    Effect.suspend(() => {
      if (waiting.length === 0) {
        work.closeUnsafe()
        // The first decision of a batch opens the latch while the others are still being made: they go in one call.
        return Effect.andThen(work.await, Effect.yieldNow)
      }
      const decisions = waiting.length <= maxBatch ? waiting : waiting.slice(0, maxBatch)
      waiting = waiting.length <= maxBatch ? [] : waiting.slice(maxBatch)
      inFlight += decisions.length
      return Effect.map(write(decisions), () => {
        if (waiting.length === 0) idle.openUnsafe()
      })
    }),
    { disableYield: true }
  )

  return {
    offer,
    run,
    flushed: idle.await,
    unwritten: () => waiting.length + inFlight
  }
}
