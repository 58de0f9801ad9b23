/**
 * Times in options, as the server takes them.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

/**
 * Whole milliseconds. What is no time comes out as `NaN`, and a negative number as itself, where Effect would make zero of
 * them.
 */
export const millis = (input: Duration.Input): number => {
  if (typeof input === "number" && !(input >= 0)) return input
  return Option.match(Duration.fromInput(input), {
    onNone: () => Number.NaN,
    onSome: (duration) => Math.ceil(Duration.toMillis(duration))
  })
}
