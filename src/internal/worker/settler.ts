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
import { Batch, batchOf, keptAnswer, unanswered } from "./settleBatch.ts"
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

/** Decisions that are taken together. Fewer go in one call where they need many arguments or bytes: `batchOf` counts them. */
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

/** Whether an entry is written with an answer, which may be left out. */
const hasAnswer = ({ notes, push }: SettleEntry): boolean => push !== undefined || notes?.includes("answer") === true

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
  const conclude = (batch: Batch, statuses: ReadonlyMap<number, SettleStatus>, as: Written | undefined) => {
    const again: Array<Decision> = []
    const incomplete: Array<Decision> = []
    let error: RedisError | undefined
    batch.decisions.forEach((decision, index) => {
      const status = statuses.get(index)
      if (status === undefined) {
        const entry = batch.entries[index - batch.acknowledged.length]
        written(decision, as ?? (entry?.undelivered === true ? "undeliverable" : "settled"))
      } else if (status === "incomplete") {
        incomplete.push(decision)
      } else if (typeof status === "string") {
        written(decision, status)
      } else {
        again.push(decision)
        error ??= new RedisError({ cause: new Error(status.error) })
      }
    })
    return { again, incomplete, error }
  }

  const doing = `settling in ${names.stream} as ${consumer}`

  const nothing = new Batch(target)

  /** Whether a failure is about what the call writes: one that writes nothing is taken. */
  const isAboutContent = (error: RedisError, batch: Batch): Effect.Effect<boolean> =>
    mayBeAboutContent(error, batch)
      ? Effect.map(Effect.result(evaluate(nothing)), (result) => result._tag === "Success")
      : Effect.succeed(false)

  type Write = (
    decisions: ReadonlyArray<Decision>,
    batchOf: (decisions: ReadonlyArray<Decision>) => Batch,
    /** What has become of an entry that is settled, where it is not written as it was decided. */
    as?: Written
  ) => Effect.Effect<void, WorkerError>
  const write: Write = Effect.fnUntraced(function*(decisions, batchOf, as) {
    let left = decisions
    let refusals = 0
    while (left.length > 0) {
      const batch = batchOf(left)
      const rest = left.slice(batch.decisions.length)
      const span = options.telemetry.settling(batch.decisions)
      const result = yield* Effect.result(evaluate(batch))
      options.telemetry.settled(span, result._tag === "Failure")
      const { again, error, incomplete } = result._tag === "Success"
        ? conclude(batch, decodeStatuses(result.success), as)
        : { again: batch.decisions, error: result.failure, incomplete: [] }
      left = again.concat(rest)
      if (incomplete.length > 0) yield* write(incomplete, apart)
      if (error === undefined) {
        refusals = 0
        yield* trouble.passed(doing)
        continue
      }
      const kind = failureOf(error)
      if (kind === "NoGroup") {
        // The server forgot the group: nothing of this is ours any more.
        yield* options.restoreGroup
        for (const decision of left) written(decision, "ended")
        // Nothing is left to write, and the next call may be long in coming.
        return yield* trouble.passed(doing)
      }
      const isForTarget = isAboutTarget(kind) && batch.entries.some(({ push }) => push !== undefined)
      if (!isForTarget) {
        yield* trouble.failed(doing, error)
        const isRefusal = result._tag === "Success"
          ? mayBeAboutContent(error, batch)
          : yield* isAboutContent(error, batch)
        refusals = isRefusal ? refusals + 1 : 0
        if (refusals < patience) continue
      }
      refusals = 0
      if (batch.decisions.length > 1) {
        // One entry that is refused fails a whole call, each time: each is settled in a call of its own.
        for (const decision of again) yield* write([decision], apart)
        left = rest
      } else if (batch.entries.some(hasAnswer)) {
        for (const decision of again) yield* giveUp(decision, error, isForTarget || result._tag === "Success", as)
        left = rest
      }
    }
  })

  const together = (decisions: ReadonlyArray<Decision>): Batch => batchOf(target, decisions, options.encode)
  const apart = (decisions: ReadonlyArray<Decision>): Batch => batchOf(target, decisions, withNotes)

  /**
   * What is refused alone as well is buried without its answer, and the letter says why. It holds the answer where only the
   * push was refused; else the caller is told, unless that was tried.
   */
  const giveUp = (decision: Decision, error: RedisError, keeps: boolean, before: Written | undefined) =>
    before === undefined && keeps
      ? write([decision], () => keptAnswer(target, decision, withNotes, error), "undeliverable")
      : write([decision], () => unanswered(target, decision, withNotes, error, before === undefined), "unwritable")

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
      return Effect.map(write(decisions, together), () => {
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
