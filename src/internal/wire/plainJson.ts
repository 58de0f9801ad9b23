/**
 * Predicts what JSON makes of a value without a schema, before it is written: a `toJSON` may return anything, and
 * values that JSON cannot express become `null` without an error.
 */
import * as Result from "effect/Result"
import * as Integers from "./integers.ts"
import { isJson, isJsonObject, type JsonObject } from "./json.ts"

/**
 * The number of levels that are inspected. Deeper values are written instead, so that a value that contains itself
 * ends.
 */
const maxLevels = 64

/** Whether JSON writes `null` for a value other than `null`: a number that is not finite, or an invalid date. */
const becomesNull = (original: unknown, written: unknown): boolean => {
  if (written === null) return Object.prototype.toString.call(original) === "[object Date]"
  return (typeof written === "number" || Integers.isBoxedNumber(written)) && !Number.isFinite(Number(written))
}

/** A value as JSON writes it. */
export interface Written {
  readonly value: unknown
  /** Whether it has `null` instead of a number or a date. */
  readonly lossy: boolean
}

/** Fails with the error of a getter or a `toJSON`, or if JSON has no text for the value. */
export const writtenAs = (value: unknown): Result.Result<Written, unknown> =>
  Result.try(() => {
    // Most results are already JSON, and need no copy.
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

/** Why a value cannot be the `data` of an answer, as the end of a sentence; `undefined` if it can. */
export const faultOf = ({ lossy, value }: Written): string | undefined =>
  lossy
    ? "holds a number that is not finite, or an invalid date: JSON writes null for it"
    : isJsonObject(value)
    ? undefined
    : `is not a JSON object: JSON writes ${kindOf(value)} for it`

/**
 * The object that JSON writes, or `{ value }` if it is not an object. A value that JSON cannot write is returned
 * unchanged.
 */
export const objectOf = (value: unknown): JsonObject => {
  const written = Result.getOrUndefined(writtenAs(value))
  const json = written === undefined ? value : written.value
  return isJsonObject(json) ? json : { value: json }
}
