/**
 * Text for terminals. Whatever comes from Redis may be hostile: nothing in it may move the cursor, change colors, or
 * reorder what a person reads.
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"

/** Control characters, format characters (bidirectional ones included), halves of a pair and separators of lines. */
const unsafe = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

const named: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }

const hex = (character: string): string => {
  const code = character.codePointAt(0)!
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`
}

/** Text with everything escaped that a terminal would act on. */
export const safe = (text: string): string => text.replace(unsafe, (found) => named[found] ?? hex(found))

/** Escapes the same in JSON, which keeps its meaning: such characters occur only inside of strings. */
export const safeJson = (json: string): string =>
  json.replace(
    /[\u007f-\u009f\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (found) =>
      Array.from({ length: found.length }, (_, i) => `\\u${found.charCodeAt(i).toString(16).padStart(4, "0")}`)
        .join("")
  )

/** A value as plain JSON: times in ISO 8601, durations in milliseconds, `null` for what is absent. */
export const plain = (value: unknown): unknown => {
  if (value === undefined) return null
  if (DateTime.isDateTime(value)) return DateTime.formatIso(value)
  if (Duration.isDuration(value)) return Duration.toMillis(value)
  if (typeof value === "bigint") return String(value)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]))
}

/** One line of JSON. */
export const json = (value: unknown): string => safeJson(JSON.stringify(plain(value)))

const units = [["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]] as const

/** A duration of at most two units, such as `1 h 20 min`, `4 s` or `250 ms`. */
export const duration = (value: Duration.Duration): string => {
  const millis = Math.max(0, Duration.toMillis(value))
  if (millis === Number.POSITIVE_INFINITY) return "for ever"
  if (millis < 1_000) return `${Math.round(millis)} ms`
  const seconds = Math.floor(millis / 1_000)
  const first = units.findIndex(([, size]) => seconds >= size)
  return units.slice(first, first + 2)
    .map(([unit, size], i) => [Math.floor((i === 0 ? seconds : seconds % units[first]![1]) / size), unit] as const)
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(" ")
}

/** How long before or after `now` a time is: `4 s ago`, `in 2 min`. */
export const relative = (time: DateTime.DateTime | undefined, now: DateTime.DateTime): string => {
  if (time === undefined) return "-"
  const millis = DateTime.toEpochMillis(time) - DateTime.toEpochMillis(now)
  if (Math.abs(millis) < 1_000) return "now"
  const text = duration(Duration.millis(Math.abs(millis)))
  return millis < 0 ? `${text} ago` : `in ${text}`
}

/** A time to the second, in UTC. */
export const time = (value: DateTime.DateTime | undefined): string =>
  value === undefined ? "-" : DateTime.formatIso(value).replace("T", " ").replace(/\.\d+Z$/, "Z")

/** A count with its noun. */
export const count = (n: number, one: string, many = `${one}s`): string =>
  `${n.toLocaleString("en-US")} ${n === 1 ? one : many}`

/** A number, or a dash if it is not known. */
export const number = (n: number | undefined): string => n === undefined ? "-" : n.toLocaleString("en-US")

/** A text from Redis, or a dash. */
export const text = (value: string | undefined): string => value === undefined || value === "" ? "-" : safe(value)
