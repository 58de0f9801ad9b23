/** Decides where an answer may be pushed, from the name in the message and the names that this environment accepts. */
import type { DomainAction } from "../../DomainAction.ts"
import type { Kind } from "../../QueueNaming.ts"

/** A list or stream to push an answer to. */
export interface PushTarget {
  readonly kind: "list" | "stream"
  readonly key: string
  readonly payload: string
  /** How long a list lives after the push, in milliseconds; 0 does not change its expiry. */
  readonly timeToLive: number
  /** The expiry of the list may only be extended, never shortened. Default: false. */
  readonly atLeast?: boolean | undefined
  /** The trace context that is added next to an action in a stream. */
  readonly traceparent?: string | undefined
}

/** A class instead of a literal, see `entry.ts`. */
class ListTarget implements PushTarget {
  readonly kind = "list"
  readonly key: string
  readonly payload: string
  readonly timeToLive: number
  readonly atLeast: boolean
  constructor(key: string, payload: string, timeToLive: number, atLeast: boolean) {
    this.key = key
    this.payload = payload
    this.timeToLive = timeToLive
    this.atLeast = atLeast
  }
}

/** How long a list of callbacks lives after a push, in milliseconds: its reader may be down, but not forever. */
export const callbackTimeToLive = 30 * 24 * 60 * 60 * 1000

export interface TargetOptions {
  readonly accepts: (name: string, kind: Kind) => boolean
  /** How long a response list lives after an answer, in milliseconds. */
  readonly responseTimeToLive: number
}

/** The target of an answer; `undefined` if the name in the message must not be written to. */
export const target = (
  action: DomainAction | undefined,
  payload: string,
  options: TargetOptions,
  kind: "action" | "response" = "action"
): PushTarget | undefined => {
  const key = action?.callback_queue_name
  if (action === undefined || key === null || key === undefined) return undefined
  if (action.callback_action_type === null) {
    // A client may name any list of its own, including one for all its answers.
    if (options.accepts(key, "response")) return new ListTarget(key, payload, options.responseTimeToLive, false)
    // Callbacks of other senders may wait in that list: a forged request must not make them expire sooner.
    return options.accepts(key, "callback") ? new ListTarget(key, payload, callbackTimeToLive, true) : undefined
  }
  if (options.accepts(key, "stream")) {
    // In an action stream, a response would be a malformed entry.
    return kind === "action" ? { kind: "stream", key, payload, timeToLive: 0 } : undefined
  }
  return options.accepts(key, "callback") || options.accepts(key, "response")
    ? new ListTarget(key, payload, callbackTimeToLive, true)
    : undefined
}
