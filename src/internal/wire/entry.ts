/** A stream entry as it was read, and the pure step from an entry to an action. */
import * as Result from "effect/Result"
import * as DomainAction from "../../DomainAction.ts"

/**
 * The field that tells a worker how many times an entry was replayed from the dead letters. It is the last field of its
 * entry.
 */
export const replaysField = "replays"

/**
 * The field with the time by the server's clock, in milliseconds, after which an action that has not started is dropped. It is
 * before `replays`.
 */
export const expiresField = "expires"

/** The field with the lane of an action. It is a hint: a place is what counts. */
export const laneField = "lane"

/** The field of an action that a newer one of its lane replaced while a caller waits for its answer. */
export const supersededField = "superseded"

/** The record of an entry that had an outcome before. */
export interface RetryRecord {
  /** The number of failures of its handler. */
  readonly attempts: number
  /** The number of runs that ended with any outcome. Further deliveries ended with the death of a process. */
  readonly outcomes: number
  /** When its type was first found unknown, in milliseconds by the server's clock; 0 means never. */
  readonly unknownSince: number
  /** The trace context of the first attempt; empty without tracing. */
  readonly first: string
  /** When it was first read, in milliseconds by the server's clock, if its id is ahead of that clock. */
  readonly readAt?: number
  /** Why it waits, if its handler failed. Absent in records of workers before 0.2. */
  readonly lastError?: LastError
}

/** A failure in a record: a name without spaces, and a message. Both are bounded. */
export interface LastError {
  readonly type: string
  readonly message: string
}

export const noRecord: RetryRecord = { attempts: 0, outcomes: 0, unknownSince: 0, first: "" }

/** Characters of the last error in a record. */
const maxErrorType = 80
const maxErrorMessage = 300

/** A record has one line. */
const oneLine = (text: string, most: number): string =>
  // oxlint-disable-next-line no-control-regex -- those are what is replaced
  text.slice(0, most).replaceAll(/[\u0000-\u001f\u007f]+/g, " ")

/** The error as a record keeps it. */
const errorText = ({ message, type }: LastError): string =>
  ` ${oneLine(type, maxErrorType).replaceAll(" ", "_") || "Error"} ${oneLine(message, maxErrorMessage)}`

/** The last error is the last part, so that records without one, and workers that do not know it, read the others. */
export const encodeRecord = (record: RetryRecord): string =>
  `${record.attempts} ${record.outcomes} ${record.unknownSince} ${record.first}` +
  (record.lastError === undefined
    ? record.readAt === undefined ? "" : ` ${record.readAt}`
    : ` ${record.readAt ?? 0}${errorText(record.lastError)}`)

export const decodeRecord = (text: string): RetryRecord => {
  if (text === "") return noRecord
  const [attempts, outcomes, unknownSince, first = "", readAt, type, ...message] = text.split(" ")
  return {
    attempts: Number(attempts) || 0,
    outcomes: Number(outcomes) || 0,
    unknownSince: Number(unknownSince) || 0,
    first,
    ...(Number(readAt) > 0 ? { readAt: Number(readAt) } : {}),
    ...(type === undefined ? {} : { lastError: { type, message: message.join(" ") } })
  }
}

/**
 * One delivery of an entry.
 *
 * A class instead of a literal, like every object that lives from a read to its settlement. Once objects of one literal
 * outlive a collection, V8 allocates all of them in the old generation, where each keeps its content until the next
 * full collection. That cost a third of the throughput (`node --trace-pretenuring-statistics` shows it). Instances of
 * classes are not affected.
 */
export class Entry {
  readonly id: string
  /** The field `data`; `undefined` if the entry has none. */
  readonly data: string | undefined
  /** The field `traceparent`, if the sender traces. */
  readonly traceparent: string | undefined
  /** How many times it was replayed from the dead letters. */
  readonly replays: number
  /** When it is over unless it has started, by the server's clock; `Infinity` if never. */
  readonly expires: number
  /** The lane in which it has a place. */
  readonly lane: string | undefined
  /** Whether a newer action of its lane replaced it. */
  readonly superseded: boolean
  /** The number of characters of all its fields, an approximation of its memory. */
  readonly size: number
  /** Redis's own count, this delivery included. */
  readonly deliveries: number
  /** The record of earlier runs. */
  readonly record: RetryRecord
  /** Whether bytes that are not UTF-8 were replaced when it was read. */
  readonly broken: boolean
  constructor(
    id: string,
    data: string | undefined,
    traceparent: string | undefined,
    replays: number,
    expires: number,
    lane: string | undefined,
    superseded: boolean,
    size: number,
    deliveries: number,
    record: RetryRecord,
    broken: boolean
  ) {
    this.id = id
    this.data = data
    this.traceparent = traceparent
    this.replays = replays
    this.expires = expires
    this.lane = lane
    this.superseded = superseded
    this.size = size
    this.deliveries = deliveries
    this.record = record
    this.broken = broken
  }
}

const replaysPattern = /^\d{1,9}$/
const timePattern = /^\d{1,15}$/
// oxlint-disable-next-line no-control-regex -- a NUL stands between the name and the key of a lane
const lanePattern = /^[tn]:[\w.-]{1,200}\0[^\u0000-\u001f\u007f]{1,200}$/

export const make = (
  id: string,
  fields: ReadonlyArray<unknown>,
  deliveries = 1,
  record: RetryRecord = noRecord
): Entry => {
  let data: string | undefined
  let traceparent: string | undefined
  let replays = 0
  let expires = Infinity
  let lane: string | undefined
  let superseded = false
  let size = 0
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i]
    const value = String(fields[i + 1])
    size += String(name).length + value.length
    if (name === "data") data ??= value
    else if (name === "traceparent") traceparent ??= value
    else if (name === replaysField && i + 2 >= fields.length && replaysPattern.test(value)) replays = Number(value)
    else if (name === expiresField && timePattern.test(value)) expires = Number(value)
    else if (name === laneField && lanePattern.test(value)) lane ??= value
    else if (name === supersededField) superseded = true
  }
  return new Entry(id, data, traceparent, replays, expires, lane, superseded, size, deliveries, record, false)
}

/** The same delivery, with the knowledge whether its bytes are UTF-8. */
export const withBroken = (entry: Entry, broken: boolean): Entry => {
  const { data, deliveries, expires, id, lane, record, replays, size, superseded, traceparent } = entry
  return new Entry(id, data, traceparent, replays, expires, lane, superseded, size, deliveries, record, broken)
}

/**
 * A delivery of an entry that cannot be fetched, because its reply is lost each time. It has no data, but is not
 * malformed.
 */
export const unread = (id: string, deliveries: number, record: RetryRecord, replays: string): Entry =>
  new Entry(
    id,
    undefined,
    undefined,
    replaysPattern.test(replays) ? Number(replays) : 0,
    Infinity,
    undefined,
    false,
    0,
    deliveries,
    record,
    true
  )

/** The same delivery, with the record of earlier runs. */
export const withRecord = (entry: Entry, record: RetryRecord): Entry => {
  const { broken, data, deliveries, expires, id, lane, replays, size, superseded, traceparent } = entry
  return new Entry(id, data, traceparent, replays, expires, lane, superseded, size, deliveries, record, broken)
}

/** The same delivery, with a place in a lane. */
export const withLane = (entry: Entry, lane: string): Entry => {
  const { broken, data, deliveries, expires, id, record, replays, size, superseded, traceparent } = entry
  return new Entry(id, data, traceparent, replays, expires, lane, superseded, size, deliveries, record, broken)
}

/**
 * The time in an id. It is the server's time when the entry was added, unless the sender set the id or the clock was
 * set back.
 */
export const millisOf = (id: string): number => {
  let millis = 0
  for (let i = 0; i < id.length; i++) {
    const digit = id.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) break
    millis = millis * 10 + digit
  }
  return millis
}

/** Orders entry ids as Redis does: by time, then by sequence, both as numbers. */
export const isBefore = (a: string, b: string): boolean => {
  const left = a.indexOf("-")
  const right = b.indexOf("-")
  // Numbers without leading zeros: the shorter one is smaller.
  if (left !== right) return left < right
  if (a.length === b.length) return a < b
  const time = a.slice(0, left)
  return b.startsWith(time) ? a.length < b.length : time < b.slice(0, right)
}

/** `Entry → DomainAction`, or a sentence that says why not. It never includes a part of the payload. */
export const decode = (
  entry: Entry,
  limits: DomainAction.Limits
): Result.Result<DomainAction.DomainAction, string> => {
  if (entry.data === undefined) return entry.broken ? notRead : noData
  if (entry.broken) return notUtf8
  const parsed = DomainAction.parse(entry.data, limits)
  // SAFETY: a success holds no failure, so the type of the failure does not matter; a new result would cost an object.
  return Result.isFailure(parsed)
    ? Result.fail(parsed.failure.text)
    : parsed as Result.Result<DomainAction.DomainAction, never>
}

const noData = Result.fail("The entry has no field \"data\"")
/** What {@link decode} says of an {@link unread} entry. */
export const notRead = Result.fail("The entry was not read")
const notUtf8 = Result.fail("The entry is not valid UTF-8")

/** When an entry was added, by the server's clock: at most the time when it was first read, and at most now. */
export const addedAt = ({ id, record }: Entry, now: number): number => Math.min(millisOf(id), record.readAt ?? now, now)

/**
 * The time by the server's clock after which no caller waits for the answer: when the entry was added, plus the
 * `timeout_ms` of its sender. The clocks of sender and worker do not matter.
 */
export const deadlineOf = (entry: Entry, action: DomainAction.DomainAction, now: number): number | undefined => {
  if (action.metadata === null || DomainAction.expects(action) !== "response") return undefined
  const timeout = action.metadata["timeout_ms"]
  return typeof timeout === "number" && timeout > 0 ? addedAt(entry, now) + timeout : undefined
}
