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
import type { Names } from "./names.ts"
import { failureOf } from "./redisFailure.ts"
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

/**
 * Characters of arguments beyond which a call takes no further entry. A client makes one text of a call, which V8 and the
 * server limit to half a gigabyte; and while a large one is on its way nothing else is answered on its connection.
 */
const maxSize = 8 * 1024 * 1024

/** One call. A class and no literal, see `entry.ts`. */
class Batch implements SettleParams {
  readonly target: SettleTarget
  readonly firstId: string
  readonly lastId: string
  /** In the order in which the script counts them. */
  readonly decisions: ReadonlyArray<Decision>
  readonly acknowledged: ReadonlyArray<string>
  readonly entries: ReadonlyArray<SettleEntry>
  /** Characters of what is written: the ids do not count. */
  readonly size: number
  constructor(
    target: SettleTarget,
    firstId: string,
    lastId: string,
    decisions: ReadonlyArray<Decision>,
    acknowledged: ReadonlyArray<string>,
    entries: ReadonlyArray<SettleEntry>,
    size: number
  ) {
    this.target = target
    this.firstId = firstId
    this.lastId = lastId
    this.decisions = decisions
    this.acknowledged = acknowledged
    this.entries = entries
    this.size = size
  }
}

const sizeOf = ({ notes, push, wait }: SettleEntry): number => {
  let size = (push?.payload.length ?? 0) + (wait?.record.length ?? 0)
  if (notes !== undefined) { for (const note of notes) size += note.length }
  return size
}

/** A result that is no JSON (a `bigint`, a cycle) cannot be answered: its effects are done, and it is never run again. */
const encodeOrBury = (decision: Decision, options: EncodeOptions): SettleEntry | undefined => {
  try {
    return encodeSettlement(decision, options)
  } catch (error) {
    const { action, attempt, cause, entry, span } = decision
    const settlement: Settlement = {
      _tag: "DeadLetter",
      reason: "unencodable",
      error: {
        error_type: "UnencodableResult",
        error_code: "UNENCODABLE_RESULT",
        message: `The result is no JSON: ${error instanceof Error ? error.message : String(error)}`,
        details: null
      },
      answer: expects(action)
    }
    return encodeSettlement(new Decision(entry, action, attempt, settlement, span, cause), options)
  }
}

const expects = (action: Decision["action"]): boolean =>
  action !== undefined && DomainAction.expects(action) === "response"

/** The call for the first of the decisions: all of them, unless what they write is too much for one. */
const batchOf = (target: SettleTarget, decisions: ReadonlyArray<Decision>, options: EncodeOptions): Batch => {
  const plain: Array<Decision> = []
  const special: Array<Decision> = []
  const entries: Array<SettleEntry> = []
  let firstId = decisions[0]?.entry.id ?? "-"
  let lastId = firstId
  let size = 0
  for (const decision of decisions) {
    if (size >= maxSize) break
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
    entries,
    size
  )
}

/** An answer that the user may not push: the entry is buried with the answer in it. */
const withoutPush = (entry: SettleEntry): SettleEntry =>
  entry.push === undefined ? entry : {
    ...entry,
    push: undefined,
    dead: entry.wait === undefined,
    notes: [
      ...entry.notes ?? [],
      ...(entry.dead ? [] : ["reason", "undeliverable"]),
      "undeliverable",
      "NOPERM this user may not write the answer list",
      "answer",
      entry.push.payload
    ]
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
      while (left.length > 0) {
        const batch = batchOf(target, left, encode)
        const rest = left.slice(batch.decisions.length)
        const span = options.telemetry.settling(left)
        const result = yield* Effect.result(evaluate(batch))
        options.telemetry.settled(span, result._tag === "Failure")
        if (result._tag === "Success") {
          const { again, error, incomplete } = conclude(batch, decodeStatuses(result.success))
          left = again.concat(rest)
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
      }
    }
  )

  /** One list that may not be written fails a whole call before it starts: each entry is settled in a call of its own. */
  const writeApart = Effect.fnUntraced(function*(decisions: ReadonlyArray<Decision>) {
    for (const decision of decisions) {
      const batch = batchOf(target, [decision], withNotes)
      const entry = batch.entries[0]
      const result = yield* Effect.result(evaluate(batch))
      if (result._tag === "Success") {
        const { again, error } = conclude(batch, decodeStatuses(result.success))
        if (error !== undefined) yield* trouble.failed(doing, error)
        yield* write(again)
      } else if (entry?.push !== undefined && failureOf(result.failure) === "NoPermission") {
        const { firstId, lastId, size } = batch
        const buried = new Batch(target, firstId, lastId, [decision], [], [withoutPush(entry)], size)
        yield* untilPassed(trouble, doing, evaluate(buried))
        written(decision, "undeliverable")
      } else {
        yield* write([decision])
      }
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
