/**
 * A delivery: one action on its way to a handler, with what the stream knows of it.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { DomainAction } from "./DomainAction.ts"

/**
 * What a handler is told beside the payload.
 *
 * **Details**
 *
 * `attempt` counts failures of the handler; `deliveries` is Redis's own count and
 * also grows when a process dies with the entry in its hands. The two are never
 * mixed: attempts exhaust an action, deliveries reveal one that kills its workers.
 *
 * @category models
 * @since 0.1.0
 */
export interface Delivery {
  /** The envelope as it came, unknown keys included. */
  readonly action: DomainAction
  /** The id of the stream entry (`<milliseconds>-<sequence>`). */
  readonly entryId: string
  /** Which attempt of the handler this is; the first is 1. */
  readonly attempt: number
  /** How often Redis has delivered the entry, this delivery included. */
  readonly deliveries: number
  /** The name of the consumer that runs it. */
  readonly consumer: string
  /** Time left until the deadline of the request by the server's clock; `Duration.infinity` without a deadline. */
  readonly remaining: Effect.Effect<Duration.Duration>
}
