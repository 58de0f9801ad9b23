/**
 * What JSON makes of a value that no schema has seen, found out before it is written: a class may write itself as anything,
 * and what JSON has no word for becomes `null` without an error.
 */
import * as Result from "effect/Result"
import * as Integers from "./integers.ts"
import { isJson, isJsonObject, type JsonObject } from "./json.ts"

/** Levels that are looked through: deeper values are written, so that a value that holds itself comes to an end. */
const maxLevels = 64

/** Whether JSON writes `null` for something that is not: a number that is not finite, or a date that is none. */
const becomesNull = (original: unknown, written: unknown): boolean => {
  if (written === null) return Object.prototype.toString.call(original) === "[object Date]"
  return (typeof written === "number" || Integers.isBoxedNumber(written)) && !Number.isFinite(Number(written))
}

/** A value as JSON has it. */
export interface Written {
  readonly value: unknown
  /** `null` stands in it for a number or a date. */
  readonly lossy: boolean
}

/** Fails with what a getter or a `toJSON` throws, or where JSON has no text for the value. */
export const writtenAs = (value: unknown): Result.Result<Written, unknown> =>
  Result.try(() => {
    // Most results are, and need no copy.
    if (isJson(value, maxLevels, true)) return { value, lossy: false }
    let lossy = false
    const text: string | undefined = JSON.stringify(value, function(this: JsonObject, key, written: unknown) {
      if (becomesNull(this[key], written)) lossy = true
      return Integers.exact(this[key], written)
    })
    return { value: text === undefined ? undefined : Integers.parse(text), lossy }
  })

const kindOf = (value: unknown): string =>
  value === undefined
    ? "nothing"
    : value === null
    ? "null"
    : Array.isArray(value)
    ? "an array"
    : `a ${typeof value === "bigint" ? "number" : typeof value}`

/** Why a value cannot be the `data` of an answer, as the end of a sentence about it; `undefined` where it can. */
export const faultOf = ({ lossy, value }: Written): string | undefined =>
  lossy
    ? "holds a number that is not finite, or an invalid date: JSON writes null for it"
    : isJsonObject(value)
    ? undefined
    : `is not a JSON object: JSON writes ${kindOf(value)} for it`

/** What JSON writes for an object, or `{ value }` where that is none. A value that JSON cannot write is left as it is. */
export const objectOf = (value: unknown): JsonObject => {
  const written = Result.getOrUndefined(writtenAs(value))
  const json = written === undefined ? value : written.value
  return isJsonObject(json) ? json : { value: json }
}
