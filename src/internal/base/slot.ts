/**
 * The slot of a worker that a handler runs in, for the requests that it makes: one to its own service waits for a slot
 * while it holds one.
 */
import * as Context from "effect/Context"

export interface Slot {
  /** A request to that stream begins. Returns whether it is to be ended with {@link Slot.answered}. */
  asks(stream: string): boolean
  /** A request has ended, with an answer or without. */
  answered(): void
}

/** `undefined` outside of handlers. */
export const Slot: Context.Reference<Slot | undefined> = Context.Reference<Slot | undefined>(
  "effect-redis-workers/internal/Slot",
  { defaultValue: () => undefined }
)
