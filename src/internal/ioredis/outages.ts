/**
 * What the log says when connections are lost and come back: one line for the loss, one for the return, whichever and however
 * many connections of a layer it concerns, and one for a reason that waiting does not remove.
 */
import * as Effect from "effect/Effect"
import { describe, isAway, startFailure } from "./error.ts"

export interface Outages {
  /** A connection is lost. */
  readonly lost: (connection: object, cause: unknown) => void
  /** An attempt to come back failed. */
  readonly failed: (connection: object, cause: unknown) => void
  readonly back: (connection: object) => void
  /** A connection is no longer wanted. */
  readonly forget: (connection: object) => void
}

export const makeOutages = (
  address: string,
  tls: boolean,
  run: (effect: Effect.Effect<void>) => unknown
): Outages => {
  const away = new Set<object>()
  let told: string | undefined
  return {
    lost: (connection, cause) => {
      if (away.has(connection)) return
      away.add(connection)
      if (away.size > 1) return
      told = undefined
      const why = cause === undefined ? "closed by the server" : describe(cause).message
      run(Effect.logWarning(`Redis connection to ${address} lost (${why}), reconnecting`))
    },
    failed: (connection, cause) => {
      if (!away.has(connection) || isAway(cause)) return
      const { detail, reason } = startFailure(cause, tls)
      const news = reason === "Other" ? detail : reason
      if (news === told) return
      told = news
      run(Effect.logWarning(`Redis connection to ${address} cannot come back: ${detail}`))
    },
    back: (connection) => {
      if (!away.delete(connection) || away.size > 0) return
      run(Effect.logInfo(`Redis connection to ${address} is back`))
    },
    forget: (connection) => void away.delete(connection)
  }
}
