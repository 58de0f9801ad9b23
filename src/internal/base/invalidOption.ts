/**
 * An option that is none. Exported by `ActionClient` and `DeadLetter`.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"

/**
 * An option of a service or of a call is invalid: its name, what was found, and what is expected there.
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
