/**
 * Gathers the decisions of one consumer and writes them, a whole batch in one call.
 *
 * While a call is on its way the next batch gathers, so the batches grow with the
 * load and no timer is needed. A call that failed is sent again: the script
 * settles only what is still ours.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as DomainAction from "../DomainAction.ts"
import type { Redis } from "../Redis.ts"
import { RedisError } from "../Redis.ts"
import type { Settlement } from "../Settlement.ts"
import type { WorkerError } from "../WorkerError.ts"
import type { EncodeOptions } from "./encodeSettlement.ts"
import { Decision, encodeSettlement } from "./encodeSettlement.ts"
import { isBefore } from "./entry.ts"
import * as Json from "./json.ts"
import type { Names } from "./names.ts"
import { failureOf, type RedisFailure } from "./redisFailure.ts"
import {
  decodeStatuses,
  settle,
  type SettleEntry,
  type SettleParams,
  type SettleStatus,
  type SettleTarget,
  targetOf
} from "./scripts/settle.ts"
import type { Telemetry } from "./telemetry.ts"
import { type Trouble, untilPassed } from "./trouble.ts"

/** What became of a decision: written, or why not. */
export type Written = "settled" | "lost" | "gone" | "undeliverable"

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

/** Characters of answers and notes in one call: V8's longest string, and with it ioredis's command, is not far above. */
const maxBatchSize = 1 << 23

/** Redis takes no `proto-max-bulk-len` below it, in bytes: a smaller answer is none that the server cannot take. */
const refusable = 1 << 20

/** Failures of a call while the server answers others, after which it is not the server that is in trouble. */
const patience = 3

/** One call. A class and no literal, see `entry.ts`. */
class Batch implements SettleParams {
  readonly target: SettleTarget
  readonly firstId: string
  readonly lastId: string
  /** In the order in which the script counts them. */
  readonly decisions: ReadonlyArray<Decision>
  readonly acknowledged: ReadonlyArray<string>
  readonly entries: ReadonlyArray<SettleEntry>
  constructor(
    target: SettleTarget,
    firstId: string,
    lastId: string,
    decisions: ReadonlyArray<Decision>,
    acknowledged: ReadonlyArray<string>,
    entries: ReadonlyArray<SettleEntry>
  ) {
    this.target = target
    this.firstId = firstId
    this.lastId = lastId
    this.decisions = decisions
    this.acknowledged = acknowledged
    this.entries = entries
  }
}

/**
 * A result that is no JSON (a `bigint`, a cycle), or that no client takes, cannot be answered: its effects are done, and it is
 * never run again.
 */
const encodeOrBury = (decision: Decision, options: EncodeOptions): SettleEntry | undefined => {
  const bury = (message: string): SettleEntry | undefined => {
    const { action, attempt, cause, entry, span } = decision
    const settlement: Settlement = {
      _tag: "DeadLetter",
      reason: "unencodable",
      error: { error_type: "UnencodableResult", error_code: "UNENCODABLE_RESULT", message, details: null },
      answer: expects(action)
    }
    return encodeSettlement(new Decision(entry, action, attempt, settlement, span, cause), options)
  }
  try {
    const entry = encodeSettlement(decision, options)
    return entry?.push !== undefined && !entry.dead && Json.isLarger(entry.push.payload, options.payloadLimit)
      ? bury(`The answer is larger than the limit of ${options.payloadLimit} bytes (WORKER_PAYLOAD_LIMIT)`)
      : entry
  } catch (error) {
    return bury(`The result is no JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** Characters that an entry adds to a call, near enough. */
const sizeOf = ({ notes, push }: SettleEntry): number => {
  let size = push?.payload.length ?? 0
  if (notes !== undefined) { for (const note of notes) size += note.length }
  return size
}

const expects = (action: Decision["action"]): boolean =>
  action !== undefined && DomainAction.expects(action) === "response"

/** The first of the decisions: as many as fit into one call. */
const batchOf = (target: SettleTarget, decisions: ReadonlyArray<Decision>, options: EncodeOptions): Batch => {
  let size = 0
  const plain: Array<Decision> = []
  const special: Array<Decision> = []
  const entries: Array<SettleEntry> = []
  let firstId = decisions[0]?.entry.id ?? "-"
  let lastId = firstId
  for (const decision of decisions) {
    if (size >= maxBatchSize) break
    const id = decision.entry.id
    if (isBefore(lastId, id)) lastId = id
    else if (isBefore(id, firstId)) firstId = id
    const entry = encodeOrBury(decision, options)
    if (entry === undefined) {
      plain.push(decision)
    } else {
      special.push(decision)
      entries.push(entry)
      size += sizeOf(entry)
    }
  }
  return new Batch(
    target,
    firstId,
    lastId,
    special.length === 0 ? plain : plain.concat(special),
    plain.map((decision) => decision.entry.id),
    entries
  )
}

/** An answer that cannot be pushed: the entry is buried with the answer in it. */
const withoutPush = (entry: SettleEntry, why: string): SettleEntry => ({
  ...entry,
  push: undefined,
  dead: entry.wait === undefined,
  notes: [
    ...entry.notes ?? [],
    ...(entry.dead ? [] : ["reason", "undeliverable"]),
    "undeliverable",
    why,
    ...(entry.push === undefined ? [] : ["answer", entry.push.payload])
  ]
})

const longNote = 4_096

/** The server takes no long value, neither in a list nor in a dead letter. */
const withoutLongNotes = (entry: SettleEntry): SettleEntry => {
  const notes = entry.notes ?? []
  return {
    ...entry,
    notes: notes.flatMap((name, index) => {
      const value = notes[index + 1]
      return index % 2 === 1 || value === undefined || value.length > longNote ? [] : [name, value]
    })
  }
}

/** Whether it is large enough, of characters of up to three bytes, that a server may not take it. */
const isRefusable = (entry: SettleEntry): boolean => sizeOf(entry) * 3 >= refusable

/** What a server says, or does, that cannot take a command for its size; and what it says in other trouble, too. */
const mayBeRefused = (kind: RedisFailure): boolean => kind === "Connection" || kind === "Other"

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
      if (status === undefined) written(decision, "settled")
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

  type Write = (decisions: ReadonlyArray<Decision>, encode?: EncodeOptions) => Effect.Effect<void, WorkerError>
  const write: Write = Effect.fnUntraced(
    function*(decisions, encode = options.encode) {
      let left = decisions
      let failures = 0
      while (left.length > 0) {
        const batch = batchOf(target, left, encode)
        const span = options.telemetry.settling(batch.decisions)
        const result = yield* Effect.result(evaluate(batch))
        options.telemetry.settled(span, result._tag === "Failure")
        if (result._tag === "Success") {
          const { again, error, incomplete } = conclude(batch, decodeStatuses(result.success))
          left = batch.decisions.length === left.length ? again : again.concat(left.slice(batch.decisions.length))
          failures = 0
          if (incomplete.length > 0) yield* write(incomplete, withNotes)
          if (error !== undefined) yield* trouble.failed(doing, error)
          else if (trouble.failing()) yield* trouble.passed(doing)
          continue
        }
        const kind = failureOf(result.failure)
        if (kind === "NoGroup") {
          // The server forgot the group: nothing of this is ours any more.
          yield* options.restoreGroup
          for (const decision of left) written(decision, "lost")
          return
        }
        if (kind === "NoPermission" && batch.entries.some((entry) => entry.push !== undefined)) {
          return yield* writeApart(left)
        }
        yield* trouble.failed(doing, result.failure)
        // What the server cannot take would be sent for ever, and all that is decided later would wait behind it.
        if (!mayBeRefused(kind) || !batch.entries.some(isRefusable)) continue
        if (yield* serverAnswers) failures++
        if (failures >= patience) return yield* writeApart(left)
      }
    }
  )

  const serverAnswers = Effect.isSuccess(redis.send("PING"))

  /**
   * One list that may not be written, or one answer that the server cannot take, fails a whole call before it starts: each
   * entry is settled in a call of its own.
   */
  const writeApart = (decisions: ReadonlyArray<Decision>) => Effect.forEach(decisions, writeAlone, { discard: true })

  const writeAlone = Effect.fnUntraced(function*(decision: Decision) {
    const batch = batchOf(target, [decision], withNotes)
    const entry = batch.entries[0]
    if (entry === undefined) return yield* write([decision])
    for (let failures = 0; failures < patience;) {
      const result = yield* Effect.result(evaluate(batch))
      if (result._tag === "Success") {
        const { again, error } = conclude(batch, decodeStatuses(result.success))
        if (error !== undefined) yield* trouble.failed(doing, error)
        else if (trouble.failing()) yield* trouble.passed(doing)
        return yield* write(again)
      }
      const kind = failureOf(result.failure)
      if (kind === "NoGroup") return yield* write([decision])
      if (kind === "NoPermission" && entry.push !== undefined) {
        return yield* bury(decision, batch, withoutPush(entry, "NOPERM this user may not write the answer list"))
      }
      yield* trouble.failed(doing, result.failure)
      if (isRefusable(entry) && mayBeRefused(kind) && (yield* serverAnswers)) failures++
    }
    const why = `The server takes no value of this size: ${sizeOf(entry)} characters (proto-max-bulk-len)`
    yield* bury(decision, batch, withoutLongNotes(withoutPush(entry, why)))
  })

  const bury = (decision: Decision, { firstId, lastId }: Batch, buried: SettleEntry) =>
    Effect.map(
      untilPassed(trouble, doing, evaluate(new Batch(target, firstId, lastId, [decision], [], [buried]))),
      () => written(decision, "undeliverable")
    )

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
