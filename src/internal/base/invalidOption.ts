/**
 * The error of an invalid option, exported by the modules that have options.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * An invalid option in code: its name, the value found and the value expected. Nothing was sent to Redis.
 *
 * **Details**
 *
 * Values of environment variables fail with a `SettingsError` instead.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidOption extends Schema.TaggedError<InvalidOption>()("InvalidOption", {
  /** The name of the option, such as `claimIdle` or `pool.maxConnections`. */
  option: Schema.String,
  /** The contract that has the option; absent for the options of a service, a worker or a call. */
  contract: Schema.optionalKey(Schema.String),
  /** The value that was found, as text. */
  found: Schema.String,
  /** The values that are possible. */
  expected: Schema.String
}) {
  override get message(): string {
    const place = this.contract === undefined ? "" : ` of ${JSON.stringify(this.contract)}`
    return `The option "${this.option}"${place} is ${this.found}: expected ${this.expected}`
  }
}
