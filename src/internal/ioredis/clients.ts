/**
 * What all connections of one layer have in common, and how each of its clients is made.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Redis as Client, RedisOptions } from "ioredis"
import { makeClient } from "./client.ts"
import { makeServers } from "./connector.ts"
import { makeAsk } from "./credentials.ts"
import { clientOptions, type Resolved } from "./options.ts"
import { makeOutages, type Outage } from "./outages.ts"

/** What clients differ in besides their names. */
export interface Differing extends Pick<RedisOptions, "reconnectOnError" | "retryStrategy"> {
  /** Milliseconds before an attempt begins. */
  readonly pause?: () => number
}

export interface Clients {
  readonly resolved: Resolved
  /** What one connection that comes back tells of its losses. */
  readonly outage: () => Outage
  /** Runs an effect with the services of the layer, loggers among them. */
  readonly run: (effect: Effect.Effect<void>) => unknown
  readonly make: (name: string, differing: Differing, onError: (cause: unknown) => void) => Client
  /** The server that was found takes no writes, so another Sentinel is asked next. */
  readonly doubt: () => void
}

/** `started` tells whether the layer is built: a password that is refused before that fails it. */
export const makeClients = (
  resolved: Resolved,
  context: Context.Context<never>,
  started: () => boolean
): Clients => {
  const { credentials } = resolved
  const run = Effect.runForkWith(context)
  const ask = credentials && makeAsk(context, credentials)
  const warned = new Set<string>()
  const warn = (message: string): void => {
    // Each connection would say it again.
    if (warned.has(message)) return
    warned.add(message)
    run(Effect.logWarning(message))
  }
  const servers = makeServers(resolved, warn)
  return {
    resolved,
    run,
    outage: makeOutages(resolved.address, resolved.tls, run),
    doubt: servers.doubt,
    make: (name, { pause, ...differing }, onError) =>
      makeClient(
        { ...clientOptions(resolved, name), ...servers.options, ...differing },
        {
          ask,
          limit: resolved.connectTimeout,
          pause,
          keepAlive: resolved.keepAlive,
          patient: () => started() && resolved.patient,
          warn
        },
        onError
      )
  }
}
