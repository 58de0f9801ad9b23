/**
 * Where an answer may be pushed: decided by the name in the message and by which names this environment accepts.
 */
import type { DomainAction } from "../../DomainAction.ts"
import type { Kind } from "../../QueueNaming.ts"

/** A list or stream to push an answer to. */
export interface PushTarget {
  readonly kind: "list" | "stream"
  readonly key: string
  readonly payload: string
  /** Milliseconds that a list lives on after the push; 0 leaves its expiry alone. */
  readonly timeToLive: number
  /** The expiry of the list is only ever put off, never brought forward. Default: false. */
  readonly atLeast?: boolean | undefined
  /** Trace context that goes beside an action in a stream. */
  readonly traceparent?: string | undefined
}

/** A class and no literal, see `entry.ts`. */
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

/** Milliseconds that a list of callbacks lives on after a push: who reads it may be away, but not for ever. */
export const callbackTimeToLive = 30 * 24 * 60 * 60 * 1000

export interface TargetOptions {
  readonly accepts: (name: string, kind: Kind) => boolean
  /** Milliseconds that a response list lives on after an answer. */
  readonly responseTimeToLive: number
}

/** Where an answer goes; `undefined` when the name in the message is not one that may be written. */
export const target = (
  action: DomainAction | undefined,
  payload: string,
  options: TargetOptions,
  kind: "action" | "response" = "action"
): PushTarget | undefined => {
  const key = action?.callback_queue_name
  if (action === undefined || key === null || key === undefined) return undefined
  if (action.callback_action_type === null) {
    // A client may name any list of its own, also one for all its answers.
    if (options.accepts(key, "response")) return new ListTarget(key, payload, options.responseTimeToLive, false)
    // Callbacks of others may wait in that one: a forged request must not make them expire sooner.
    return options.accepts(key, "callback") ? new ListTarget(key, payload, callbackTimeToLive, true) : undefined
  }
  if (options.accepts(key, "stream")) {
    // In an action stream a response would be a malformed entry of somebody else's.
    return kind === "action" ? { kind: "stream", key, payload, timeToLive: 0 } : undefined
  }
  return options.accepts(key, "callback") || options.accepts(key, "response")
    ? new ListTarget(key, payload, callbackTimeToLive, true)
    : undefined
}
