/**
 * Times in options: what is none is told from what is.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

/**
 * Milliseconds. What is no time comes out as `NaN`, and a negative number as itself, where Effect would make zero of them.
 */
export const exactMillis = (input: Duration.Input): number => {
  if (typeof input === "number" && !(input >= 0)) return input
  return Option.match(Duration.fromInput(input), { onNone: () => Number.NaN, onSome: Duration.toMillis })
}

/** Whole milliseconds, since the server takes no others; see {@link exactMillis}. */
export const millis = (input: Duration.Input): number => {
  const exact = exactMillis(input)
  // Half a millisecond below zero would be rounded up to none.
  return exact > 0 ? Math.ceil(exact) : exact
}

/** A time that a program gives in code. `what` begins the sentence that is thrown when it is not one. */
export const timeOf = (what: string, input: Duration.Input): Duration.Duration =>
  Option.getOrThrowWith(
    Duration.fromInput(input),
    () =>
      new TypeError(
        `${what} is ${typeof input === "string" ? JSON.stringify(input) : String(input)}: ` +
          "expected a time such as \"5 seconds\" or milliseconds as a number"
      )
  )
