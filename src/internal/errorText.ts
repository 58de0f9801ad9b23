/**
 * What of an error is told in an answer or a dead letter: a string of bounded length, whatever its class made of `message`.
 */
import * as Predicate from "effect/Predicate"

/** Characters; what is longer is cut, and ends with an ellipsis. */
const longest = 8_192

/** A text that goes out: `undefined` for what is no string, and for an empty one. */
export const bounded = (text: unknown): string | undefined => {
  if (typeof text !== "string" || text === "") return undefined
  return text.length > longest ? `${text.slice(0, longest)}…` : text
}

/** The message of an error; `undefined` when it has none that can be told. */
export const messageOf = (error: unknown): string | undefined =>
  Predicate.isError(error) ? bounded(error.message) : undefined
