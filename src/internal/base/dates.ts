/** Dates from times by the server's clock. */
import * as DateTime from "effect/DateTime"

/** The last millisecond that a date can be. The id of an entry may be far beyond it. */
const lastDate = 8.64e15

export const dateOf = (millis: number): DateTime.Utc => DateTime.makeUnsafe(Math.min(millis, lastDate))
