/**
 * From what the scripts reply about dead letters to typed values, and from a filter to what a script is asked for.
 */
import type * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import type { Filter, Letter, Reason } from "../../DeadLetter.ts"
import type { Redis, RedisError } from "../../Redis.ts"
import { dateOf } from "../base/dates.ts"
import { InvalidOption } from "../base/invalidOption.ts"
import { check, wholeMillis } from "../base/options.ts"
import { array } from "../redis/reply.ts"
import { maxBytes, maxLetters } from "../scripts/bounds.ts"
import { knownReasons, scanLetters, type ScanParams, surveyLetters } from "../scripts/deadLetter.ts"
import { millisOf } from "../wire/entry.ts"
import { replacementsIn } from "../wire/json.ts"
import { filterRows } from "./options.ts"

// -----------------------------------------------------------------------------
// replies
// -----------------------------------------------------------------------------

export type Notes = ReadonlyMap<string, string>

/** What a scan reports about the field `data` of an entry. */
export type RowData =
  | { readonly _tag: "Absent" }
  | { readonly _tag: "TooLarge"; readonly bytes: number }
  | { readonly _tag: "Text"; readonly text: string; readonly broken: boolean }

export interface Row {
  readonly letter: Letter
  readonly data: RowData
}

export const isReason = (text: string | undefined): text is Reason =>
  text === "other" || knownReasons.some((reason) => reason === text)

export const notesFrom = (flat: unknown): Notes => {
  const notes = new Map<string, string>()
  const values = array(flat)
  for (let i = 0; i + 1 < values.length; i += 2) {
    const name = String(values[i])
    if (!notes.has(name)) notes.set(name, String(values[i + 1]))
  }
  return notes
}

/** An empty note means that there is none. */
const said = (text: string | undefined): string | undefined => text === "" ? undefined : text

const numeric = (text: string | undefined): number => Number(text) || 0

/** Whether bytes that are not UTF-8 were replaced on the way. The text then has more U+FFFD than the server counts. */
export const isBroken = (text: string, counted: unknown): boolean => replacementsIn(text) > Number(counted)

/** Its id, unless that is ahead of the clock by which the worker noted the time. */
const writtenAt = (id: string, notes: Notes): DateTime.Utc => {
  const noted = numeric(notes.get("time"))
  return dateOf(noted > 0 ? Math.min(millisOf(id), noted) : millisOf(id))
}

export const letterFrom = (id: string, size: number, notes: Notes): Letter => {
  const reason = notes.get("reason")
  return {
    id,
    time: writtenAt(id, notes),
    reason: isReason(reason) ? reason : "other",
    actionId: said(notes.get("action_id")),
    actionType: said(notes.get("action_type")),
    errorType: said(notes.get("error_type")),
    errorCode: said(notes.get("error_code")),
    message: notes.get("message") ?? notes.get("undeliverable") ?? "",
    attempts: numeric(notes.get("attempts")),
    deliveries: numeric(notes.get("deliveries")),
    hops: numeric(notes.get("hops")),
    entryId: notes.get("entry_id"),
    group: notes.get("group"),
    consumer: notes.get("consumer"),
    fields: numeric(notes.get("fields")),
    hasAnswer: notes.has("answer"),
    size
  }
}

const dataFrom = (reply: unknown): RowData => {
  const [kind, text, counted] = array(reply)
  switch (kind) {
    case "d": {
      const value = String(text)
      return { _tag: "Text", text: value, broken: isBroken(value, counted) }
    }
    case "l":
      return { _tag: "TooLarge", bytes: Number(text) }
    default:
      return { _tag: "Absent" }
  }
}

// -----------------------------------------------------------------------------
// filters
// -----------------------------------------------------------------------------

/** Names of a kind in a filter: all of them are arguments of one call. */
const maxNames = 1_000

const listOf = (names: string | ReadonlyArray<string> | undefined): ReadonlyArray<string> =>
  names === undefined ? [] : typeof names === "string" ? [names] : names

const age = (option: "olderThan" | "newerThan", filter: Filter): Effect.Effect<number | undefined, InvalidOption> => {
  const input = filter[option]
  if (input === undefined) return Effect.undefined
  return Effect.map(Effect.fromResult(check(option, filterRows[option], input)), wholeMillis)
}

/**
 * A scan with fixed bounds, so that it ends: letters added later are not included. `undefined` if no letter can match.
 */
export const scanOf = Effect.fnUntraced(function*(
  redis: Redis["Service"],
  deadLetters: string,
  filter: Filter,
  order: "oldest" | "newest" = "oldest"
) {
  const newerThan = yield* age("newerThan", filter)
  const olderThan = yield* age("olderThan", filter)
  // A filter that lists nothing takes nothing, though an empty list stands for any in the scripts.
  for (const option of ["reason", "actionType", "errorType"] as const) {
    const names = listOf(filter[option])
    if (filter[option] !== undefined && names.length === 0) return undefined
    if (names.length > maxNames) {
      return yield* new InvalidOption({ option, found: `${names.length} names`, expected: `at most ${maxNames} names` })
    }
  }
  const [time, , , last] = array(yield* redis.eval(surveyLetters.script)({ deadLetters }))
  if (typeof last !== "string" || last === "") return undefined
  const now = Number(time)
  const youngest = newerThan === undefined ? 0 : now - newerThan
  const oldest = olderThan === undefined ? Number.POSITIVE_INFINITY : now - olderThan
  if (oldest < 0) return undefined
  return {
    deadLetters,
    reverse: order === "newest",
    from: youngest > 0 ? String(Math.ceil(youngest)) : "-",
    to: oldest < millisOf(last) ? String(Math.floor(oldest)) : last,
    reasons: listOf(filter.reason),
    actionTypes: listOf(filter.actionType),
    errorTypes: listOf(filter.errorType),
    scanLimit: maxLetters,
    limit: maxLetters,
    budget: maxBytes,
    dataLimit: -1,
    /** By the server's clock: no letter is newer, whatever its id says. */
    now
  } satisfies Scan
})

export interface Scan extends ScanParams {
  readonly now: number
}

/** The rest of a scan, after the letter where it stopped. */
export const after = (params: ScanParams, last: string): ScanParams =>
  params.reverse ? { ...params, to: `(${last}` } : { ...params, from: `(${last}` }

// -----------------------------------------------------------------------------
// scans
// -----------------------------------------------------------------------------

export interface Scanned {
  readonly rows: ReadonlyArray<Row>
  /** The id to continue after; empty when all were inspected. */
  readonly last: string
}

export const scanOnce = (redis: Redis["Service"], params: ScanParams): Effect.Effect<Scanned, RedisError> =>
  Effect.map(redis.eval(scanLetters.script)(params), (reply) => {
    const [letters, last] = array(reply)
    return {
      rows: array(letters).map((row) => {
        const [id, size, notes, data] = array(row)
        return { letter: letterFrom(String(id), Number(size), notesFrom(notes)), data: dataFrom(data) }
      }),
      last: String(last)
    }
  })

/** Scans all matching letters, one call at a time, until `visit` says that it is enough. */
export const eachScan = Effect.fnUntraced(function*<E, R>(
  redis: Redis["Service"],
  params: ScanParams,
  visit: (rows: ReadonlyArray<Row>) => Effect.Effect<boolean, E, R>
) {
  let rest = params
  while (true) {
    const { last, rows } = yield* scanOnce(redis, rest)
    if (rows.length > 0 && !(yield* visit(rows))) return
    if (last === "") return
    rest = after(rest, last)
  }
})
