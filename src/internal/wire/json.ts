/** Checks of untrusted JSON before and after `JSON.parse`, so that the cost of a text is bounded by its size. */

import { endOfString } from "./scan.ts"

/** A JSON object, as `JSON.parse` returns it. */
export type JsonObject = { readonly [key: string]: unknown }

/** The number of levels that a reader accepts by default. */
export const maxDepth = 64

/** The highest limit of depth, because functions that walk a value recurse that deep. */
export const deepest = 1000

/** Distinguishes a JSON object from an array and from `null`. */
export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/**
 * Whether the UTF-8 of a text is larger than a limit. A code unit of UTF-16 takes one to three bytes, so most texts
 * need no count.
 */
export const isLarger = (text: string, maxBytes: number): boolean =>
  text.length > maxBytes || (text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes)

/**
 * Whether a text nests objects and arrays deeper than a limit. A flat object has depth 1.
 *
 * The number of opening brackets is an upper bound that `indexOf` finds in a few nanoseconds. Only if that exceeds the
 * limit are the characters walked, without recursion: `JSON.parse` of 400 KB of `[` takes a tenth of a second.
 */
export const isDeeper = (text: string, maxDepth: number): boolean => {
  let opened = 0
  for (let at = text.indexOf("{"); at !== -1 && opened <= maxDepth; at = text.indexOf("{", at + 1)) opened++
  for (let at = text.indexOf("["); at !== -1 && opened <= maxDepth; at = text.indexOf("[", at + 1)) opened++
  if (opened <= maxDepth) return false
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x22) i = endOfString(text, i + 1)
    else if (code === 0x7b || code === 0x5b) {
      if (++depth > maxDepth) return true
    } else if (code === 0x7d || code === 0x5d) depth--
  }
  return false
}

/**
 * Whether a value parsed from `text` may have a key `__proto__`, plain or with one of its letters written as `\u00..`.
 * A text without either needs no walk. The search omits the leading underscores: every key of the wire has some, and
 * checking each takes three times as long.
 */
export const mayHoldProto = (text: string): boolean => text.includes("proto__") || text.includes("\\u00")

/**
 * Whether an own key `__proto__` is anywhere in a parsed value. Recursion is bounded by the depth that the text was
 * checked for.
 */
export const holdsProto = (value: unknown): boolean => {
  if (Array.isArray(value)) return value.some(holdsProto)
  if (!isJsonObject(value)) return false
  if (Object.hasOwn(value, "__proto__")) return true
  for (const key in value) {
    const item = value[key]
    if (typeof item === "object" && item !== null && holdsProto(item)) return true
  }
  return false
}

/** Why every reader rejects a text of JSON, as the end of a sentence; `undefined` if they accept it. */
export const refusalOf = (text: string, maxBytes: number): string | undefined => {
  if (isLarger(text, maxBytes)) return `is larger than the limit of ${maxBytes} bytes (WORKER_PAYLOAD_LIMIT)`
  if (isDeeper(text, maxDepth)) return `is nested deeper than ${maxDepth} levels`
  return mayHoldProto(text) && holdsProto(JSON.parse(text)) ? "holds a key __proto__" : undefined
}

/**
 * Whether a value is already JSON, with `bigint` for integers. A cycle is deeper than any limit. With `isLenient`, keys
 * whose value is `undefined` or a symbol are allowed, because JSON leaves them out.
 */
export const isJson = (value: unknown, levels: number, isLenient: boolean): boolean => {
  switch (typeof value) {
    case "string":
    case "boolean":
    case "bigint":
      return true
    case "number":
      return Number.isFinite(value)
    case "object":
      break
    default:
      return isLenient && typeof value !== "function"
  }
  if (value === null) return true
  if (levels === 0) return false
  if (Array.isArray(value)) return !("toJSON" in value) && value.every((item) => isJson(item, levels - 1, isLenient))
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return false
  if ("toJSON" in value && typeof value.toJSON === "function") return false
  for (const key in value) {
    // SAFETY: `key` was just found in `value`.
    if (!isJson((value as JsonObject)[key], levels - 1, isLenient)) return false
  }
  return true
}

/** U+FFFD, which replaces bytes that are not UTF-8, or was written by the sender. */
const replacement = "\uFFFD"

export const hasReplacements = (text: string): boolean => text.includes(replacement)

/**
 * The number of U+FFFD in a text. Nothing is built from the text: for some hundred megabytes of that character, an
 * array of parts would exceed V8's limits and end the process.
 */
export const replacementsIn = (text: string): number => {
  let count = 0
  for (let at = text.indexOf(replacement); at !== -1; at = text.indexOf(replacement, at + 1)) count++
  return count
}
