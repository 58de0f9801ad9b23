/**
 * The errors of lanes, exported by `Lanes`.
 *
 * @since 0.2.0
 */
import * as Schema from "effect/Schema"

/**
 * No lane has the id: no action holds it or waits in it, and it is not paused or halted. Or there are so many lanes that it was not
 * found among the first 100,000.
 *
 * @since 0.2.0
 * @category errors
 */
export class LaneNotFound extends Schema.TaggedError<LaneNotFound>()("LaneNotFound", {
  service: Schema.String,
  /** The id that was looked for. */
  id: Schema.String
}) {
  override get message(): string {
    return `There is no lane ${JSON.stringify(this.id)} in ${
      JSON.stringify(this.service)
    }: nothing holds it or waits in ` +
      "it, and it is not stopped. List the lanes again, or name it by its key"
  }
}
