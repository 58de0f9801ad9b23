/** From rows of the scripts to entries. */
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Inspector from "../../Inspector.ts"
import { dateOf } from "../base/dates.ts"
import { type Row as LetterRow } from "../deadLetter/reading.ts"
import { idOf, numberedAt, partsOf } from "../lanes/status.ts"
import { isHeld } from "../redis/pauses.ts"
import { array } from "../redis/reply.ts"
import { decodeRecord, millisOf } from "../wire/entry.ts"
import type { Desk } from "./desk.ts"
import { headOf, nothing, shownOf } from "./payloads.ts"

export interface Reading {
  readonly contracts: Desk["contracts"]
  readonly context: Context.Context<never>
  /** Whether payloads are shown. */
  readonly payload: boolean
}

const commonOf = Effect.fnUntraced(function*(
  { context, contracts, payload }: Reading,
  size: unknown,
  data: unknown,
  length: unknown
) {
  const text = String(data)
  const bytes = Number(length)
  const isWhole = Buffer.byteLength(text) >= bytes
  const shown = payload && bytes >= 0 ? yield* shownOf(contracts, context, text, isWhole) : nothing
  return { ...headOf(text), size: Number(size), ...shown } satisfies Inspector.EntryCommon
})

export const waitingFrom = Effect.fnUntraced(function*(reading: Reading, row: unknown) {
  const [id, size, data, length] = array(row)
  const entryId = String(id)
  return {
    state: "waiting",
    ...yield* commonOf(reading, size, data, length),
    entryId,
    addedAt: dateOf(millisOf(entryId))
  } satisfies Inspector.WaitingEntry
})

export const runningFrom = Effect.fnUntraced(function*(reading: Reading, row: unknown) {
  const [id, size, data, length, consumer, idle, deliveries, record] = array(row)
  const entryId = String(id)
  return {
    state: "running",
    ...yield* commonOf(reading, size, data, length),
    entryId,
    addedAt: dateOf(millisOf(entryId)),
    consumer: String(consumer),
    idle: Duration.millis(Number(idle)),
    deliveries: Number(deliveries),
    attempts: decodeRecord(String(record)).attempts
  } satisfies Inspector.RunningEntry
})

export const retryingFrom = Effect.fnUntraced(function*(reading: Reading, row: unknown) {
  const [id, size, data, length, , due, deliveries, text] = array(row)
  const entryId = String(id)
  const record = decodeRecord(String(text))
  return {
    state: "retrying",
    ...yield* commonOf(reading, size, data, length),
    entryId,
    addedAt: dateOf(millisOf(entryId)),
    deliveries: Number(deliveries),
    attempts: record.attempts,
    dueAt: isHeld(Number(due)) ? undefined : dateOf(Number(due)),
    lastError: record.lastError,
    unknownSince: record.unknownSince === 0 ? undefined : dateOf(record.unknownSince)
  } satisfies Inspector.RetryingEntry
})

export const scheduledFrom = Effect.fnUntraced(function*(reading: Reading, row: unknown) {
  const [id, size, data, length, due, expires] = array(row)
  return {
    state: "scheduled",
    ...yield* commonOf(reading, size, data, length),
    parkingId: String(id),
    dueAt: dateOf(Number(due)),
    expiresAt: expires === "" ? undefined : dateOf(Number(expires))
  } satisfies Inspector.ScheduledEntry
})

export const queuedFrom = Effect.fnUntraced(function*(reading: Reading, row: unknown) {
  const [id, size, data, length, number, expires, lane] = array(row)
  const { key, ...owner } = partsOf(String(lane))
  return {
    state: "queued",
    ...yield* commonOf(reading, size, data, length),
    parkingId: String(id),
    lane: { id: idOf(String(lane)), ...owner, key: reading.payload && key !== "" ? key : undefined },
    since: numberedAt(String(number)),
    expiresAt: expires === "" ? undefined : dateOf(Number(expires))
  } satisfies Inspector.QueuedEntry
})

export const deadFrom = Effect.fnUntraced(
  function*({ context, contracts, payload }: Reading, { data, letter }: LetterRow) {
    const shown = !payload || data._tag === "Absent"
      ? nothing
      : data._tag === "TooLarge"
      ? { payload: { text: "", truncated: true, redacted: false, withheld: "it is too large" }, verdict: undefined }
      : yield* shownOf(contracts, context, data.text, true)
    return {
      state: "dead",
      actionId: letter.actionId,
      actionType: letter.actionType,
      correlationId: undefined,
      traceId: undefined,
      size: letter.size,
      ...shown,
      letter
    } satisfies Inspector.DeadEntry
  }
)
