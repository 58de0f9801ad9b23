/**
 * A delivery: one action on its way to a handler, with what the stream knows about it.
 *
 * @since 0.1.0
 */
import type * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { DomainAction } from "./DomainAction.ts"

/**
 * The second argument of a handler: the envelope and the facts about this delivery.
 *
 * **Details**
 *
 * `attempt` counts failures of the handler. `deliveries` is Redis's own count, which also grows when a process dies
 * while it holds the entry. Attempts exhaust an action; deliveries reveal an action that kills its workers.
 *
 * **Example** (A different step on the last attempt)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Action, ActionGroup } from "effect-redis-workers"
 *
 * const Notify = Action.make("mail.notify", { maxAttempts: 3 })
 *
 * const handlers = ActionGroup.make(Notify).handlers({
 *   "mail.notify": (_, delivery) => Effect.log(delivery.attempt < 3 ? "send a push message" : "send a letter")
 * })
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export interface Delivery {
  /** The envelope as received, unknown keys included. */
  readonly action: DomainAction
  /** The id of the stream entry (`<milliseconds>-<sequence>`). */
  readonly entryId: string
  /** The number of this attempt, counted from 1. */
  readonly attempt: number
  /** How many times Redis delivered the entry, this delivery included. */
  readonly deliveries: number
  /**
   * A text that grows with each delivery of the entry, and with each entry of its lane. A store that refuses a fence smaller than
   * the last it has seen, compared as texts, is safe even from a process that was frozen and goes on.
   */
  readonly fence: string
  /** The name of the consumer that runs the action. */
  readonly consumer: string
  /** The time of the slot, if a schedule sent the action: the time at which it should run, however late it is. */
  readonly scheduledFor: DateTime.Utc | undefined
  /** The time left until the deadline of the request, by the server's clock. `Duration.infinity` without a deadline. */
  readonly remaining: Effect.Effect<Duration.Duration>
}
