/**
 * The error of an invalid option, exported by `ActionClient` and `DeadLetter`.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"

/**
 * An invalid option of a service or of a call: its name, the value found and the value expected.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidOption extends Data.TaggedError("InvalidOption")<{
  readonly option: string
  readonly found: unknown
  readonly expected: string
}> {
  override get message(): string {
    return `The option ${this.option} is ${this.found}: expected ${this.expected}`
  }
}
