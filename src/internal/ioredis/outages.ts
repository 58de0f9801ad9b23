/**
 * Logs outages: one line for the loss and one for the return, however many connections of a layer are affected, and one
 * for each reason that waiting does not remove.
 */
import * as Effect from "effect/Effect"
import { describe, isAway, startFailure } from "./error.ts"

/** The reports of one connection. */
export interface Outage {
  readonly lost: (cause: unknown) => void
  /** A reconnect attempt failed. */
  readonly failed: (cause: unknown) => void
  readonly back: () => void
  /** The connection is no longer wanted. */
  readonly forget: () => void
}

export const makeOutages = (
  address: string,
  tls: boolean,
  run: (effect: Effect.Effect<void>) => unknown
): () => Outage => {
  const away = new Set<Outage>()
  let told: string | undefined
  return () => {
    const own: Outage = {
      lost: (cause) => {
        if (away.has(own)) return
        away.add(own)
        if (away.size > 1) return
        told = undefined
        const why = cause === undefined ? "closed by the server" : describe(cause).message.replace(/\.$/, "")
        run(Effect.logWarning(`Lost the Redis connection to ${address}: ${why}. Reconnecting`))
      },
      failed: (cause) => {
        if (!away.has(own) || isAway(cause)) return
        const { advice, detail, reason } = startFailure(cause, tls)
        const news = reason === "Other" ? detail : reason
        if (news === told) return
        told = news
        run(
          Effect.logWarning(`Cannot reconnect to Redis at ${address}: ${detail}${advice === "" ? "" : ` (${advice})`}`)
        )
      },
      back: () => {
        if (away.delete(own) && away.size === 0) run(Effect.logInfo(`Reconnected to Redis at ${address}`))
      },
      forget: () => void away.delete(own)
    }
    return own
  }
}
