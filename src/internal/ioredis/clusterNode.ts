/**
 * One node of a cluster. It has one connection of the same kind as a single server has: it is opened when the first command
 * is for that node, asks for the password at each attempt, reconnects, and never sends anything again.
 */
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { isIP } from "node:net"
import type * as Redis from "../../Redis.ts"
import type { Outage } from "../redis/outage.ts"
import { type Clients, makeClients } from "./clients.ts"
import { addressOf, type Endpoint } from "./clusterEndpoint.ts"
import { commandError, connectionError } from "./error.ts"
import { type Lasting, openLasting } from "./lasting.ts"
import type { Resolved } from "./options.ts"

export interface Node extends Endpoint {
  readonly address: string
  readonly clients: Clients
  /** The connection, opened first if need be. */
  readonly connection: Effect.Effect<Lasting, Redis.RedisError>
  /** The connection, if it is open. */
  readonly opened: () => Lasting | undefined
}

/** A node, and how to end its connection. */
export interface Held extends Node {
  readonly retire: Effect.Effect<void>
  /** How many tables in a row it was missing from. */
  missing: number
}

/** What the nodes of a layer have in common. */
export interface NodeOptions {
  readonly resolved: Resolved
  readonly name: string
  readonly context: Context.Context<never>
  readonly started: () => boolean
  /** What the layer has logged of an outage. */
  readonly outage: Outage
}

/** Options of a layer with those of one node. */
const resolvedAt = (resolved: Resolved, { host, port }: Endpoint): Resolved => {
  const { tls, ...client } = resolved.client
  return {
    ...resolved,
    address: addressOf({ host, port }),
    client: {
      ...client,
      host,
      port,
      ...tls !== undefined && { tls: { ...isIP(host) === 0 && { servername: host }, ...tls } }
    }
  }
}

/** A node whose connection lasts as long as the scope, or until it is retired. */
export const makeNode = (options: NodeOptions, scope: Scope.Scope, endpoint: Endpoint): Held => {
  const clients = makeClients(
    resolvedAt(options.resolved, endpoint),
    options.context,
    options.started,
    options.outage
  )
  let own: Scope.Closeable | undefined
  let lasting: Lasting | undefined
  let opening: Deferred.Deferred<Lasting, Redis.RedisError> | undefined

  // Several commands may be the first ones. All of them wait for the same attempt.
  const begin = Effect.suspend(() => {
    if (opening !== undefined) return Deferred.await(opening)
    const waiting = Deferred.makeUnsafe<Lasting, Redis.RedisError>()
    opening = waiting
    const fork = Scope.forkUnsafe(scope)
    own = fork
    const attempt = openLasting(clients, { name: options.name }).pipe(
      Effect.mapError(({ cause }) => commandError(cause, "connect", 0)),
      Scope.provide(fork),
      Effect.onExit((exit) => {
        opening = undefined
        if (Exit.isSuccess(exit)) lasting = exit.value
        Deferred.doneUnsafe(
          waiting,
          Exit.isSuccess(exit) || exit.cause.reasons.every(({ _tag }) => _tag === "Fail")
            ? exit
            : Exit.fail(connectionError("Connection is closed."))
        )
        return Exit.isSuccess(exit) ? Effect.void : Scope.close(fork, Exit.void)
      })
    )
    return Effect.andThen(Effect.forkIn(attempt, scope), Deferred.await(waiting))
  })

  return {
    ...endpoint,
    address: addressOf(endpoint),
    clients,
    missing: 0,
    opened: () => lasting,
    connection: Effect.suspend(() => lasting === undefined ? begin : Effect.succeed(lasting)),
    retire: Effect.suspend(() => {
      lasting = undefined
      return own === undefined ? Effect.void : Scope.close(own, Exit.void)
    })
  }
}
