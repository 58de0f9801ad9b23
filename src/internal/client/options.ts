/**
 * The values that the options of a client take.
 */
import * as DateTime from "effect/DateTime"
import { type Kind, oneOf, positiveTime, row, text, time, wholeNumber } from "../base/options.ts"

export const clientRows = {
  inbox: row(oneOf("shared", "per-request"), "shared"),
  // A call appends fewer where they are too many or too large for one: see `internal/scripts/bounds`.
  chunkSize: row(wholeNumber(1, 10_000), 500)
} as const

export const callRows = {
  /** Zero is refused: no caller would wait for the answer, and the action would run all the same. */
  timeout: positiveTime("5 seconds")
} as const

/** The longest time ahead: a typing error should not park an action for ever. */
const longest = "366 days"

const yearMillis = 366 * 86_400_000

/** A time at most a year ahead. One that is past is now. */
const at = (now: number): Kind<DateTime.DateTime> => ({
  expected: "a DateTime at most 366 days ahead, such as DateTime.makeUnsafe(\"2030-01-01T08:00:00Z\")",
  decode: (value) =>
    DateTime.isDateTime(value) && DateTime.toEpochMillis(value) <= now + yearMillis ? value : undefined,
  show: (value) =>
    DateTime.isDateTime(value)
      ? DateTime.formatIso(value)
      : value === null
      ? "null"
      : value instanceof Date
      ? "a Date"
      : `a value of type ${typeof value}`,
  fromText: () => undefined
})

export const laterRows = {
  at,
  key: text(/^[^]{1,1000}$/, "a text of 1 to 1,000 characters"),
  times: {
    delay: time(0, longest, { example: "10 minutes" }),
    expiresIn: time("1 milli", longest, { example: "1 hour" }),
    "unique.within": time("1 milli", longest, { example: "1 hour" }),
    "debounce.quiet": time("1 milli", longest, { example: "5 seconds" }),
    "debounce.maxWait": time("1 milli", longest, { example: "1 minute" })
  }
} as const
