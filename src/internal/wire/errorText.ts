/**
 * The texts of an error for answers, dead letters and logs: always strings, and limited in length, whatever the error
 * holds.
 */
import * as Cause from "effect/Cause"
import * as Predicate from "effect/Predicate"

/** The maximum number of characters of one text. */
const longest = 4_096

/** Shortens a text to the maximum, without cutting a character in two. */
export const bounded = (text: string): string => {
  if (text.length <= longest) return text
  const end = text.charCodeAt(longest - 2)
  const isHalf = end >= 0xd800 && end < 0xdc00
  return `${text.slice(0, isHalf ? longest - 2 : longest - 1)}…`
}

/**
 * Returns a text, or `otherwise`. The types promise a text, but JavaScript handlers and casts can break that promise.
 */
export const textOr = (value: unknown, otherwise: string): string =>
  typeof value === "string" ? bounded(value) : otherwise

type Key = "_tag" | "cause" | "constructor" | "errors" | "message" | "name" | "stack"

/** Reads a property of a handler's error, which may be any value with a getter that throws. */
export const read = (u: unknown, key: Key): unknown => {
  try {
    return Predicate.hasProperty(u, key) ? u[key] : undefined
  } catch {
    return undefined
  }
}

/** Reads a property that is a text and not empty. */
export const textAt = (u: unknown, key: Key): string | undefined => {
  const value = read(u, key)
  return typeof value === "string" && value !== "" ? bounded(value) : undefined
}

/** How many nested errors are inspected: an error may be its own cause. */
const maxOpened = 32

/** How many errors of an `AggregateError` are named. */
const maxErrors = 5

/** Messages that only say that something failed. The cause, or the collected errors, say what failed. */
const empty = /^(An error occurred in Effect\.\w+|All promises were rejected)$/

/** The message of the error itself, unless it is one of the empty messages. */
const ownMessage = (error: unknown): string | undefined => {
  if (typeof error === "string") return error === "" ? undefined : bounded(error)
  const message = textAt(error, "message")
  return message === undefined || empty.test(message) ? undefined : message
}

/** The errors inside a wrapper: its cause, or the errors of an `AggregateError`. */
const heldBy = (error: unknown): ReadonlyArray<unknown> => {
  if (isCause(error)) return error.reasons.length === 0 ? [] : [Cause.squash(error)]
  const errors = read(error, "errors")
  return [read(error, "cause"), ...(Array.isArray(errors) ? errors.slice(0, maxErrors) : [])]
}

const isCause = (u: unknown): u is Cause.Cause<unknown> => {
  try {
    return Cause.isCause(u)
  } catch {
    return false
  }
}

const find = (
  error: unknown,
  look: (error: unknown) => string | undefined,
  opened: Set<unknown> = new Set()
): string | undefined => {
  const own = look(error)
  if (own !== undefined || !Predicate.isObjectKeyword(error) || opened.has(error) || opened.size === maxOpened) {
    return own
  }
  opened.add(error)
  const found = new Set<string>()
  for (const next of heldBy(error)) {
    const text = find(next, look, opened)
    if (text !== undefined) found.add(text)
  }
  return found.size === 0 ? undefined : bounded([...found].join("; "))
}

/**
 * The message of an error: a text itself, or the `message` of an object. An error without one, and a wrapper whose
 * message is always the same (such as that of `Effect.tryPromise`), has the message of its cause.
 */
export const messageOf = (error: unknown): string | undefined => find(error, ownMessage)

/** The name of a class, unless it is as general as `Error`. */
const className = (name: string | undefined): string | undefined =>
  name === "Error" || name === "Object" || name === "UnknownError" || name === "AggregateError" ? undefined : name

const ownName = (error: unknown): string | undefined =>
  className(textAt(error, "_tag")) ??
    // The name of a plain object may be a customer's name.
    (typeof read(error, "stack") === "string"
      ? className(textAt(error, "name")) ?? className(textAt(read(error, "constructor"), "name"))
      : undefined)

/** The kind of an error: its tag or the name of its class, and for a wrapper those of its cause. */
export const nameOf = (error: unknown): string | undefined => find(error, ownName)
