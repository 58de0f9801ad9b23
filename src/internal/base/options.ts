/**
 * What options and settings take: how a value is checked, how it is written in messages, and what is expected.
 *
 * The row of each option is next to the code that uses it. Environment variables, options in code, error messages and the
 * tables of the docs all read the same row.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import { InvalidOption } from "./invalidOption.ts"
import { withOwnStack } from "./withoutStack.ts"

/** The values that an option takes. */
export interface Kind<A> {
  /** Completes "expected …". */
  readonly expected: string
  /** The checked value; `undefined` when it is invalid. */
  readonly decode: (value: unknown) => A | undefined
  /** A value as messages show it, with its unit. */
  readonly show: (value: unknown) => string
  /** Text of an environment variable → the value as it would be given in code; `undefined` when it cannot be read. */
  readonly fromText: (text: string) => unknown
}

export type Decoded<K> = K extends Kind<infer A> ? A : never

/** An option with the value that it has when nothing is given. */
export interface Row<A, B = A> extends Kind<A> {
  readonly fallback: B
}

/** A kind with its default. */
export const row = <A, const B extends A | undefined>(kind: Kind<A>, fallback: B): Row<A, A | B> => ({
  ...kind,
  fallback
})

/** Characters of a value that a message shows. */
const shown = 80

const show = (value: unknown): string => {
  switch (typeof value) {
    case "string": {
      const text = JSON.stringify(value)
      return text.length > shown ? `${text.slice(0, shown)}… (${text.length} characters)` : text
    }
    case "object":
      if (value === null) return "null"
      if (Duration.isDuration(value)) return Duration.format(value)
      return Array.isArray(value) ? "an array" : "an object"
    case "function":
      return "a function"
    default:
      return String(value)
  }
}

const asIs = (text: string): unknown => text

// -----------------------------------------------------------------------------
// numbers
// -----------------------------------------------------------------------------

/** `Infinity` is possible where there is no upper bound to name and "no limit" has a meaning. */
interface NumberOptions {
  readonly orInfinity?: boolean
}

const range = (from: number, to: number | undefined): string => `from ${from}${to === undefined ? "" : ` to ${to}`}`

/** A whole number; the text of a variable has digits alone. */
export const wholeNumber = (from: number, to?: number, options: NumberOptions = {}): Kind<number> => ({
  expected: `a whole number ${range(from, to)}${options.orInfinity === true ? ", or Infinity" : ""}`,
  decode: (value) => {
    if (typeof value !== "number") return undefined
    if (options.orInfinity === true && value === Number.POSITIVE_INFINITY) return value
    return Number.isSafeInteger(value) && value >= from && value <= (to ?? Number.MAX_SAFE_INTEGER) ? value : undefined
  },
  show,
  fromText: (text) => /^\d+$/.test(text.trim()) ? Number(text) : undefined
})

/** Any number above zero, `Infinity` included. */
export const positiveNumber: Kind<number> = {
  expected: "a number above 0",
  decode: (value) => typeof value === "number" && value > 0 ? value : undefined,
  show,
  fromText: Number
}

const byteUnits: Readonly<Record<string, number>> = { B: 1, kB: 1e3, KiB: 2 ** 10, MB: 1e6, MiB: 2 ** 20 }

const sizeText = (text: string): unknown => {
  const match = /^\s*(\d+)\s*(B|kB|KiB|MB|MiB)?\s*$/.exec(text)
  return match === null ? undefined : Number(match[1]) * byteUnits[match[2] ?? "B"]!
}

/** A number of bytes; a variable may have a unit. */
export const bytes = (from: number, to: number): Kind<number> => ({
  ...wholeNumber(from, to),
  expected: `a number of bytes from ${from} to ${to}, or in a variable a size such as "512 KiB"`,
  fromText: sizeText
})

// -----------------------------------------------------------------------------
// times
// -----------------------------------------------------------------------------

/** As `Duration.format` writes them, and with it the messages; Effect itself reads only `"10 millis"`. */
const timeUnits: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

const timeText = (text: string): unknown => {
  const trimmed = text.trim()
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/.exec(trimmed)
  return match === null ? trimmed : Duration.millis(Number(match[1]) * timeUnits[match[2] ?? "s"]!)
}

const showTime = (value: unknown): string =>
  typeof value === "number" && !Number.isNaN(value) ? `${value} ms` : show(value)

interface TimeOptions extends NumberOptions {
  /** Shown in messages. */
  readonly example?: string
}

const timeKeys = new Set([
  "weeks",
  "days",
  "hours",
  "minutes",
  "seconds",
  "milliseconds",
  "microseconds",
  "nanoseconds"
])

/** Values that Effect takes for zero, which turns off some options: `NaN`, times below zero, keys that it does not know. */
const isZeroByMistake = (value: unknown): boolean => {
  if (typeof value === "number") return !(value >= 0)
  if (typeof value !== "object" || value === null || Duration.isDuration(value)) return false
  if (Array.isArray(value)) return value.some(Number.isNaN)
  const parts = Object.entries(value)
  return parts.length === 0 ||
    !parts.every(([key, part]) =>
      timeKeys.has(key) && (part === undefined || (typeof part === "number" && !Number.isNaN(part)))
    )
}

/** The time of a `Duration.Input`; `undefined` for anything else, for `NaN` and for times below zero. */
const timeOf = (value: unknown): Duration.Duration | undefined => {
  if (isZeroByMistake(value)) return undefined
  // SAFETY: `fromInput` answers none for anything but a `Duration.Input`.
  const decoded = Option.getOrUndefined(Duration.fromInput(value as Duration.Input))
  return decoded === undefined || Duration.toMillis(decoded) < 0 ? undefined : decoded
}

/** A time; bounds are included, and a bare number in a variable is in seconds. */
export const time = (
  from: Duration.Input,
  to?: Duration.Input,
  { example = "30 seconds", orInfinity = to === undefined }: TimeOptions = {}
): Kind<Duration.Duration> => {
  const least = Duration.toMillis(from)
  // Whole milliseconds, since timers and the server take no others.
  const most = to === undefined ? Number.MAX_SAFE_INTEGER : Duration.toMillis(to)
  const upTo = to === undefined ? "" : ` to ${Duration.format(Duration.fromInputUnsafe(to))}`
  const first = least === 0 ? "0" : Duration.format(Duration.millis(least))
  return {
    expected: `a time from ${first}${upTo}, such as "${example}"${orInfinity ? ", or Infinity" : ""}`,
    decode: (value) => {
      const decoded = timeOf(value)
      if (decoded === undefined) return undefined
      const millis = Duration.toMillis(decoded)
      if (millis === Number.POSITIVE_INFINITY) return orInfinity ? decoded : undefined
      return millis >= least && millis <= most ? decoded : undefined
    },
    show: showTime,
    fromText: timeText
  }
}

/** A time of more than zero. */
export const positiveTime = (example: string): Kind<Duration.Duration> => ({
  expected: `a time above 0, such as "${example}"`,
  decode: (value) => {
    const decoded = timeOf(value)
    return decoded !== undefined && Duration.toMillis(decoded) > 0 ? decoded : undefined
  },
  show: showTime,
  fromText: timeText
})

/** Milliseconds, rounded up. */
export const wholeMillis = (duration: Duration.Duration): number => Math.ceil(Duration.toMillis(duration))

// -----------------------------------------------------------------------------
// others
// -----------------------------------------------------------------------------

const flagText = (text: string): unknown => {
  const lower = text.trim().toLowerCase()
  if (lower === "true" || lower === "1" || lower === "yes" || lower === "on") return true
  return lower === "false" || lower === "0" || lower === "no" || lower === "off" ? false : undefined
}

export const flag: Kind<boolean> = {
  expected: "true or false",
  decode: (value) => typeof value === "boolean" ? value : undefined,
  show,
  fromText: flagText
}

/** Text that fits a pattern. */
export const text = (pattern: RegExp, expected: string): Kind<string> => ({
  expected,
  decode: (value) => typeof value === "string" && pattern.test(value) ? value : undefined,
  show,
  fromText: asIs
})

export const oneOf = <const Values extends ReadonlyArray<string>>(...values: Values): Kind<Values[number]> => ({
  expected: values.map((value) => `"${value}"`).join(" or "),
  decode: (value) => values.find((known) => known === value),
  show,
  fromText: asIs
})

export const schedule: Kind<Schedule.Schedule<unknown, number>> = {
  expected: "a schedule, such as Schedule.exponential(\"1 second\")",
  // SAFETY: the types of a schedule's input and output cannot be seen in it; the option's own type demands them.
  decode: (value) => Schedule.isSchedule(value) ? value as Schedule.Schedule<unknown, number> : undefined,
  show,
  fromText: () => undefined
}

/** A function. */
export const callback = <F>(expected: string): Kind<F> => ({
  expected,
  // SAFETY: what a function takes and returns cannot be seen in it; the option's own type demands them.
  decode: (value) => typeof value === "function" ? value as F : undefined,
  show,
  fromText: () => undefined
})

// -----------------------------------------------------------------------------
// checks
// -----------------------------------------------------------------------------

/** The error of a value that its kind does not take. */
export const invalid = (option: string, kind: Kind<unknown>, found: unknown, contract?: string): InvalidOption =>
  withOwnStack(
    new InvalidOption({
      option,
      ...contract !== undefined && { contract },
      found: kind.show(found),
      expected: kind.expected
    })
  )

/** A value as its kind decodes it. */
export const check = <A>(option: string, kind: Kind<A>, value: unknown): Result.Result<A, InvalidOption> => {
  const decoded = kind.decode(value)
  return decoded === undefined ? Result.fail(invalid(option, kind, value)) : Result.succeed(decoded)
}

/** As {@link check}; nothing given is the default. */
export const checkRow = <A, B>(option: string, row: Row<A, B>, value: unknown): Result.Result<A | B, InvalidOption> =>
  value === undefined ? Result.succeed(row.fallback) : check(option, row, value)

/** A value as its kind decodes it; throws {@link InvalidOption}, for constructors outside of effects. */
export const checkUnsafe = <A>(option: string, kind: Kind<A>, value: unknown, contract?: string): A => {
  const decoded = kind.decode(value)
  if (decoded === undefined) throw invalid(option, kind, value, contract)
  return decoded
}
