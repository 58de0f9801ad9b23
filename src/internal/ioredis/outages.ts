/**
 * Logs outages: one line for the loss and one for the return, however many connections of a layer are affected, unless a
 * part of the process that met the outage first has logged it, and one for each reason that waiting does not remove.
 */
import * as Effect from "effect/Effect"
import { timeText } from "../base/timeText.ts"
import type { Outage as Shared } from "../redis/outage.ts"
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
  run: (effect: Effect.Effect<void>) => unknown,
  shared: Shared
): () => Outage => {
  const loss = (why: string) =>
    Effect.clockWith((clock) =>
      shared.failed(away, "Connection", clock.currentTimeMillisUnsafe()) === undefined
        ? Effect.void
        : Effect.logWarning(`Lost the Redis connection to ${address}: ${why}. Reconnecting`)
    )
  const back = Effect.clockWith((clock) => {
    const lasted = shared.passed(away, clock.currentTimeMillisUnsafe())
    return lasted === undefined
      ? Effect.void
      : Effect.logInfo(`Reconnected to Redis at ${address}, after ${timeText(lasted)}`)
  })
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
        run(loss(why))
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
        if (away.delete(own) && away.size === 0) run(back)
      },
      forget: () => {
        if (away.delete(own) && away.size === 0) shared.forget(away)
      }
    }
    return own
  }
}
