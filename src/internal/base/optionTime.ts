/** Times in options, with invalid times told apart from valid ones. */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

/**
 * Milliseconds. An invalid time is `NaN`, and a negative number stays negative, where Effect would return zero for
 * both.
 */
export const exactMillis = (input: Duration.Input): number => {
  if (typeof input === "number" && !(input >= 0)) return input
  return Option.match(Duration.fromInput(input), { onNone: () => Number.NaN, onSome: Duration.toMillis })
}

/** Whole milliseconds, since the server accepts only those; see {@link exactMillis}. */
export const millis = (input: Duration.Input): number => {
  const exact = exactMillis(input)
  // Rounding up would turn half a millisecond below zero into zero.
  return exact > 0 ? Math.ceil(exact) : exact
}
