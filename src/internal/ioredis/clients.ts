/** The common state of all connections of one layer, and the function that makes its clients. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Redis as Client, RedisOptions } from "ioredis"
import type { Outage as Shared } from "../redis/outage.ts"
import { makeClient } from "./client.ts"
import { makeServers } from "./connector.ts"
import { makeAsk } from "./credentials.ts"
import { clientOptions, type Resolved } from "./options.ts"
import { makeOutages, type Outage } from "./outages.ts"

/** The options in which clients differ, besides their names. */
export interface Differing extends Pick<RedisOptions, "reconnectOnError" | "retryStrategy"> {
  /** The pause before an attempt begins, in milliseconds. */
  readonly pause?: () => number
}

export interface Clients {
  readonly resolved: Resolved
  /** Makes the outage reports of one connection that reconnects. */
  readonly outage: () => Outage
  /** Runs an effect with the services of the layer, loggers among them. */
  readonly run: (effect: Effect.Effect<void>) => unknown
  readonly make: (name: string, differing: Differing, onError: (cause: unknown) => void) => Client
  /** The server found refuses writes, so another Sentinel is asked next. */
  readonly doubt: () => void
}

/** `started` returns whether the layer is built. A password that is refused before that fails the layer. */
export const makeClients = (
  resolved: Resolved,
  context: Context.Context<never>,
  started: () => boolean,
  shared: Shared
): Clients => {
  const { credentials } = resolved
  const run = Effect.runForkWith(context)
  const ask = credentials && makeAsk(context, credentials)
  const warned = new Set<string>()
  const warn = (message: string): void => {
    // Otherwise each connection would repeat it.
    if (warned.has(message)) return
    warned.add(message)
    run(Effect.logWarning(message))
  }
  const servers = makeServers(resolved, warn)
  return {
    resolved,
    run,
    outage: makeOutages(resolved.address, resolved.tls, run, shared),
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
