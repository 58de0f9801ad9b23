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
import { decodeStatuses, settle, type SettleEntry, type SettleStatus } from "./scripts/settle.ts"
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

interface Batch {
  readonly decisions: ReadonlyArray<Decision>
  readonly acknowledged: ReadonlyArray<string>
  readonly entries: ReadonlyArray<SettleEntry>
  readonly firstId: string
  readonly lastId: string
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

const batchOf = (decisions: ReadonlyArray<Decision>, options: EncodeOptions): Batch => {
  const plain: Array<Decision> = []
  const special: Array<Decision> = []
  const entries: Array<SettleEntry> = []
  let firstId = decisions[0]?.entry.id ?? "-"
  let lastId = firstId
  for (const decision of decisions) {
    const id = decision.entry.id
    if (isBefore(lastId, id)) lastId = id
    else if (isBefore(id, firstId)) firstId = id
    const entry = encodeOrBury(decision, options)
    if (entry === undefined) {
      plain.push(decision)
    } else {
      special.push(decision)
      entries.push(entry)
    }
  }
  return {
    decisions: special.length === 0 ? plain : plain.concat(special),
    acknowledged: plain.map((decision) => decision.entry.id),
    entries,
    firstId,
    lastId
  }
}

/** An answer that the user may not push: the entry is buried with the answer in it. */
const withoutPush = (entry: SettleEntry): SettleEntry =>
  entry.push === undefined ? entry : {
    ...entry,
    push: undefined,
    dead: entry.wait === undefined,
    notes: [
      ...entry.notes,
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

  const send = (batch: Batch, entries: ReadonlyArray<SettleEntry>): Effect.Effect<unknown, RedisError> =>
    evaluate({
      stream: names.stream,
      retryDue: names.retryDue,
      retryRecords: names.retryRecords,
      deadLetters: names.deadLetters,
      group: names.group,
      consumer,
      waitingConsumer: names.waitingConsumer,
      retain: options.retain,
      firstId: batch.firstId,
      lastId: batch.lastId,
      acknowledged: batch.acknowledged,
      entries
    })

  /** Takes the statuses of a call; returns what has to be tried again. */
  const conclude = (batch: Batch, statuses: ReadonlyMap<number, SettleStatus>) => {
    const again: Array<Decision> = []
    let error: RedisError | undefined
    batch.decisions.forEach((decision, index) => {
      const status = statuses.get(index)
      if (status === undefined) written(decision, "settled")
      else if (typeof status === "string") written(decision, status)
      else {
        again.push(decision)
        error ??= new RedisError({ cause: new Error(status.error) })
      }
    })
    return { again, error }
  }

  const doing = `settling in ${names.stream} as ${consumer}`

  const write: (decisions: ReadonlyArray<Decision>) => Effect.Effect<void, WorkerError> = Effect.fnUntraced(
    function*(decisions) {
      let left = decisions
      while (left.length > 0) {
        const batch = batchOf(left, options.encode)
        const span = options.telemetry.settling(left)
        const result = yield* Effect.result(send(batch, batch.entries))
        options.telemetry.settled(span, result._tag === "Failure")
        if (result._tag === "Success") {
          const { again, error } = conclude(batch, decodeStatuses(result.success))
          left = again
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
      const batch = batchOf([decision], options.encode)
      const entry = batch.entries[0]
      const result = yield* Effect.result(send(batch, batch.entries))
      if (result._tag === "Success") {
        const { again, error } = conclude(batch, decodeStatuses(result.success))
        if (error !== undefined) yield* trouble.failed(doing, error)
        yield* write(again)
      } else if (entry?.push !== undefined && failureOf(result.failure) === "NoPermission") {
        yield* untilPassed(trouble, doing, send(batch, [withoutPush(entry)]))
        written(decision, "undeliverable")
      } else {
        yield* write([decision])
      }
    }
  })

  const run = Effect.forever(Effect.suspend(() => {
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
  }))

  return {
    offer,
    run,
    flushed: idle.await,
    unwritten: () => waiting.length + inFlight
  }
}
