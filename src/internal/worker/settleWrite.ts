/**
 * Writes decisions until the server has taken them.
 *
 * A failed call is sent again, and the script settles only entries that are still ours. If the server repeatedly refuses one
 * call while it accepts others, its entries become dead letters, so that nothing waits behind them forever.
 */
import * as Effect from "effect/Effect"
import type { Redis, RedisError } from "../../Redis.ts"
import type { WorkerError } from "../../WorkerError.ts"
import { failureOf, type RedisFailure } from "../redis/failure.ts"
import type { Names } from "../redis/names.ts"
import { redisError } from "../redis/redisError.ts"
import type { Trouble } from "../redis/trouble.ts"
import {
  decodeLanes,
  decodeStatuses,
  settle,
  type SettleEntry,
  type SettleStatus,
  targetOf
} from "../scripts/settle.ts"
import type { Decision, Written } from "./decision.ts"
import type { EncodeOptions } from "./encodeSettlement.ts"
import { Batch, batchOf, keptAnswer, unanswered } from "./settleBatch.ts"
import type { Telemetry } from "./telemetry.ts"

export interface SettlerOptions {
  readonly redis: Redis["Service"]
  readonly names: Names
  readonly consumer: string
  readonly retain: boolean
  readonly encode: EncodeOptions
  readonly trouble: Trouble
  readonly telemetry: Pick<Telemetry, "settling" | "settled">
  readonly onWritten: (decision: Decision, written: Written) => void
  /** A lane has something to do later, or some of its actions were over. */
  readonly onLanes: (isDue: boolean, over: number) => void
  /** Creates the missing group again. */
  readonly restoreGroup: Effect.Effect<void, WorkerError>
}

/** How often a call must fail in a row, while a call without entries succeeds, before its content is blamed. */
const patience = 3

/**
 * The number of characters below which the size of a call is not blamed for a closed connection. The smallest limit
 * that a server can have is a mebibyte, and a proxy may have a lower one.
 */
const largeSize = 64 * 1024

/**
 * Whether the content of a call may have caused a failure. A server that is full, loading or a replica refuses every
 * call. An error without a known kind may concern this call. A server closes the connection of a call that is too
 * large, but a network problem closes connections too.
 */
const mayBeAboutContent = (error: RedisError, { size }: Batch): boolean => {
  const kind = failureOf(error)
  return kind === "Other" || (kind === "Connection" && size >= largeSize)
}

/**
 * Whether a server refuses a call because of the list that an answer goes to, which the sender chose. The user may not
 * write to that list, or, in a cluster, it is on another node.
 */
const isAboutTarget = (kind: RedisFailure): boolean => kind === "NoPermission" || kind === "Cluster"

/** Whether an entry is written with an answer that can be left out. */
const hasAnswer = ({ notes, push }: SettleEntry): boolean => push !== undefined || notes?.includes("answer") === true

/** Makes the function that writes a list of decisions. It ends when each of them is written. */
export const makeWrite = (options: SettlerOptions) => {
  const { consumer, names, onWritten: written, redis, trouble } = options
  const evaluate = redis.eval(settle.script)
  const target = targetOf(names, consumer, options.retain)
  const withNotes: EncodeOptions = { ...options.encode, withNotes: true }

  /** Processes the statuses of a call and returns the decisions to try again. */
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
        error ??= redisError(new Error(status.error))
      }
    })
    return { again, incomplete, error }
  }

  const doing = `settling in ${names.stream} as ${consumer}`

  const nothing = new Batch(target)

  /** Whether a failure is caused by the content of a call: a call without content succeeds. */
  const isAboutContent = (error: RedisError, batch: Batch): Effect.Effect<boolean> =>
    mayBeAboutContent(error, batch)
      ? Effect.map(Effect.result(evaluate(nothing)), (result) => result._tag === "Success")
      : Effect.succeed(false)

  type Write = (
    decisions: ReadonlyArray<Decision>,
    batchOf: (decisions: ReadonlyArray<Decision>) => Batch,
    /** The result of a settled entry, if it was not written as decided. */
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
      if (batch.leaving !== undefined && result._tag === "Success") {
        const { isDue, over } = decodeLanes(result.success)
        options.onLanes(isDue, over)
      }
      left = again.concat(rest)
      if (incomplete.length > 0) yield* write(incomplete, apart)
      if (error === undefined) {
        refusals = 0
        yield* trouble.passed(doing)
        continue
      }
      const kind = failureOf(error)
      if (kind === "NoGroup") {
        // The server lost the group, so none of these entries are ours any more.
        yield* options.restoreGroup
        for (const decision of left) written(decision, "ended")
        // Nothing is left to write, and the next call may be far off.
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
        // One refused entry fails the whole call, so each entry gets a call of its own.
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
   * An entry that is refused in its own call becomes a dead letter without its answer, with the reason. The letter
   * holds the answer if only the push was refused. Otherwise the caller is informed, unless that was already tried.
   */
  const giveUp = (decision: Decision, error: RedisError, keeps: boolean, before: Written | undefined) =>
    before === undefined && keeps
      ? write([decision], () => keptAnswer(target, decision, withNotes, error), "undeliverable")
      : write([decision], () => unanswered(target, decision, withNotes, error, before === undefined), "unwritable")

  return (decisions: ReadonlyArray<Decision>): Effect.Effect<void, WorkerError> => write(decisions, together)
}
