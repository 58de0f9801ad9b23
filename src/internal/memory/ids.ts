/**
 * Ids of stream entries: two unsigned 64-bit numbers, compared numerically.
 *
 * A part is a JavaScript number while it is exact and a bigint beyond, so that
 * everyday ids stay cheap and the extremes stay right. Both kinds compare with
 * each other; a value has one form only, so that `===` works within a part.
 */
import { ReplyError } from "./replyError.ts"

export type Part = number | bigint

export interface EntryId {
  readonly ms: Part
  readonly seq: Part
}

const MAX_PART = 18446744073709551615n

export const zero: EntryId = { ms: 0, seq: 0 }

export const max: EntryId = { ms: MAX_PART, seq: MAX_PART }

const part = (value: bigint): Part => value <= 9007199254740991n ? Number(value) : value

const plus = (value: Part, delta: 1 | -1): Part =>
  typeof value === "number" && value < 9007199254740991 ? value + delta : part(BigInt(value) + BigInt(delta))

export const compare = (a: EntryId, b: EntryId): number =>
  a.ms < b.ms ? -1 : a.ms > b.ms ? 1 : a.seq < b.seq ? -1 : a.seq > b.seq ? 1 : 0

export const isZero = (id: EntryId): boolean => id.ms === 0 && id.seq === 0

export const isMax = (id: EntryId): boolean => id.ms === MAX_PART && id.seq === MAX_PART

export const format = (id: EntryId): string => `${id.ms}-${id.seq}`

/** The id that follows, `undefined` after the last one. */
export const next = (id: EntryId): EntryId | undefined =>
  id.seq !== MAX_PART
    ? { ms: id.ms, seq: plus(id.seq, 1) }
    : id.ms === MAX_PART
    ? undefined
    : { ms: plus(id.ms, 1), seq: 0 }

/** The id before, `undefined` before the first one. */
export const previous = (id: EntryId): EntryId | undefined =>
  id.seq !== 0
    ? { ms: id.ms, seq: plus(id.seq, -1) }
    : id.ms === 0
    ? undefined
    : { ms: plus(id.ms, -1), seq: MAX_PART }

const parsePart = (text: string): Part | undefined => {
  if (!/^\s*\+?\d+$/.test(text)) return undefined
  if (text.length < 16) return Number(text)
  const value = BigInt(text)
  return value > MAX_PART ? undefined : part(value)
}

export const invalid = (): ReplyError => new ReplyError("ERR Invalid stream ID specified as stream command argument")

/** `ms` or `ms-seq`; the missing sequence is given. `undefined` when it is neither. */
export const tryParse = (text: string, missingSeq: Part): EntryId | undefined => {
  if (text.length > 127) return undefined
  const dash = text.indexOf("-")
  const ms = parsePart(dash === -1 ? text : text.slice(0, dash))
  if (ms === undefined) return undefined
  if (dash === -1) return { ms, seq: missingSeq }
  const seq = parsePart(text.slice(dash + 1))
  return seq === undefined ? undefined : { ms, seq }
}

/** As {@link tryParse}, or the error that the server replies with. `-` and `+` are refused. */
export const parseStrict = (text: string, missingSeq: Part = 0): EntryId => {
  const id = tryParse(text, missingSeq)
  if (id === undefined) throw invalid()
  return id
}

/** As {@link parseStrict}, with `-` for the least and `+` for the greatest id. */
export const parse = (text: string, missingSeq: Part = 0): EntryId =>
  text === "-" ? zero : text === "+" ? max : parseStrict(text, missingSeq)

/** The lower end of a range, inclusive; `(` excludes the id it precedes. */
export const parseStart = (text: string): EntryId => {
  if (!isExclusive(text)) return parse(text)
  const id = next(parseStrict(text.slice(1)))
  if (id === undefined) throw new ReplyError("ERR invalid start ID for the interval")
  return id
}

/** The upper end of a range, inclusive; `(` excludes the id it precedes. */
export const parseEnd = (text: string): EntryId => {
  if (!isExclusive(text)) return parse(text, MAX_PART)
  const id = previous(parseStrict(text.slice(1), MAX_PART))
  if (id === undefined) throw new ReplyError("ERR invalid end ID for the interval")
  return id
}

const isExclusive = (text: string): boolean => text.length > 1 && text.charCodeAt(0) === 40

/** The id that the server generates at `now`: later than `last`, also when the clock went back. */
export const generate = (last: EntryId, now: number): EntryId | undefined =>
  now > last.ms ? { ms: now, seq: 0 } : next(last)
