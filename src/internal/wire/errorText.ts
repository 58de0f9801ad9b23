/**
 * The texts of an error that go into answers, dead letters and logs: strings, whatever the error holds, and bounded.
 */
import * as Predicate from "effect/Predicate"

/** Characters of one text. */
const longest = 4_096

/** A text that is not longer than one may be. No character is cut in two. */
export const bounded = (text: string): string => {
  if (text.length <= longest) return text
  const end = text.charCodeAt(longest - 2)
  const isHalf = end >= 0xd800 && end < 0xdc00
  return `${text.slice(0, isHalf ? longest - 2 : longest - 1)}…`
}

/** What should be a text: types promise it, handlers in JavaScript and casts do not keep it. */
export const textOr = (value: unknown, otherwise: string): string =>
  typeof value === "string" ? bounded(value) : otherwise

/** A property of what a handler failed with, which may be anything: its getter may throw, too. */
export const read = (u: unknown, key: "_tag" | "cause" | "message" | "name"): unknown => {
  try {
    return Predicate.hasProperty(u, key) ? u[key] : undefined
  } catch {
    return undefined
  }
}

/** A property that is a text with something in it. */
export const textAt = (u: unknown, key: "_tag" | "message" | "name"): string | undefined => {
  const value = read(u, key)
  return typeof value === "string" && value !== "" ? bounded(value) : undefined
}

/** The message of an error. */
export const messageOf = (error: unknown): string | undefined =>
  Predicate.isError(error) ? textAt(error, "message") : undefined
