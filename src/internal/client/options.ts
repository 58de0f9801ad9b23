/**
 * The values that the options of a client take.
 */
import { oneOf, positiveTime, row, wholeNumber } from "../base/options.ts"

export const clientRows = {
  inbox: row(oneOf("shared", "per-request"), "shared"),
  // A call appends fewer where they are too many or too large for one: see `internal/scripts/bounds`.
  chunkSize: row(wholeNumber(1, 10_000), 500)
} as const

export const callRows = {
  /** Zero is refused: no caller would wait for the answer, and the action would run all the same. */
  timeout: positiveTime("5 seconds")
} as const
