/**
 * The errors of operations on dead letters, exported by `DeadLetter`.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * The letter does not exist: it was replayed, discarded or dropped already, or the id is wrong.
 *
 * @since 0.1.0
 * @category errors
 */
export class DeadLetterNotFound extends Schema.TaggedError<DeadLetterNotFound>()("DeadLetterNotFound", {
  id: Schema.String
}) {
  override get message(): string {
    return `There is no dead letter ${this.id}: it was replayed, discarded or dropped before, or the id is wrong`
  }
}

/**
 * The letter was replayed too often. Replay it with `force`, or discard it.
 *
 * @since 0.1.0
 * @category errors
 */
export class TooManyHops extends Schema.TaggedError<TooManyHops>()("TooManyHops", {
  id: Schema.String,
  hops: Schema.Number,
  maxHops: Schema.Number
}) {
  override get message(): string {
    return `The dead letter ${this.id} was replayed ${this.hops} times, and ${this.maxHops} are allowed. ` +
      "Find out why it fails, then replay it with { force: true } or discard it"
  }
}

/**
 * The letter has no entry that can be replayed. The message says why.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotReplayable extends Schema.TaggedError<NotReplayable>()("NotReplayable", {
  id: Schema.String,
  message: Schema.String
}) {}

/**
 * The letter has no answer, or its list still cannot be written to. The message says which.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotDeliverable extends Schema.TaggedError<NotDeliverable>()("NotDeliverable", {
  id: Schema.String,
  message: Schema.String
}) {}
