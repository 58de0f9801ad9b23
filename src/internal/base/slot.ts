/**
 * The worker slot that a handler runs in, for the requests that the handler makes: a request to its own service waits
 * for a slot while the handler holds one.
 */
import * as Context from "effect/Context"

export interface Slot {
  /** The stream and the lane in which the handler has a place, with a NUL in between. */
  readonly lane: string | undefined
  /** A request to that stream begins. Returns whether {@link Slot.answered} must be called at its end. */
  asks(stream: string): boolean
  /** A request has ended, with an answer or without. */
  answered(): void
}

/** `undefined` outside of handlers. */
export const Slot: Context.Reference<Slot | undefined> = Context.Reference<Slot | undefined>(
  "effect-redis-workers/internal/Slot",
  { defaultValue: () => undefined }
)
