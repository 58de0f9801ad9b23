/**
 * The texts of an error that go into answers, dead letters and logs: strings, whatever the error holds, and bounded.
 */
import * as Cause from "effect/Cause"
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

type Key = "_tag" | "cause" | "constructor" | "errors" | "message" | "name" | "stack"

/** A property of what a handler failed with, which may be anything: its getter may throw, too. */
export const read = (u: unknown, key: Key): unknown => {
  try {
    return Predicate.hasProperty(u, key) ? u[key] : undefined
  } catch {
    return undefined
  }
}

/** A property that is a text with something in it. */
export const textAt = (u: unknown, key: Key): string | undefined => {
  const value = read(u, key)
  return typeof value === "string" && value !== "" ? bounded(value) : undefined
}

/** How many errors in one another are looked at: one may be its own cause. */
const maxOpened = 32

/** How many of the errors in an `AggregateError` are named. */
const maxErrors = 5

/** Messages that only say that something failed: what failed is in the cause, or in the errors that were gathered. */
const empty = /^(An error occurred in Effect\.\w+|All promises were rejected)$/

/** The message that an error brings itself, unless it is one that says nothing. */
const ownMessage = (error: unknown): string | undefined => {
  if (typeof error === "string") return error === "" ? undefined : bounded(error)
  const message = textAt(error, "message")
  return message === undefined || empty.test(message) ? undefined : message
}

/** What a wrapper holds: the cause, or the errors of an `AggregateError`. */
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
 * What an error says: a text says itself, any object says its `message`. An error without one says what its cause says,
 * and so does a wrapper whose message is always the same, such as that of `Effect.tryPromise`.
 */
export const messageOf = (error: unknown): string | undefined => find(error, ownMessage)

/** The name of a class, unless it is that of any error. */
const className = (name: string | undefined): string | undefined =>
  name === "Error" || name === "Object" || name === "UnknownError" || name === "AggregateError" ? undefined : name

const ownName = (error: unknown): string | undefined =>
  className(textAt(error, "_tag")) ??
    // The name of a plain object may be that of a customer.
    (typeof read(error, "stack") === "string"
      ? className(textAt(error, "name")) ?? className(textAt(read(error, "constructor"), "name"))
      : undefined)

/** What kind of error it is: its tag or the name of its class, for a wrapper those of its cause. */
export const nameOf = (error: unknown): string | undefined => find(error, ownName)
