/**
 * The `Redis` service on a cluster.
 *
 * ioredis has a client for clusters. It is not used, because this module could keep none of its promises over it: that
 * client opens connections without asking for a new password and without a limit from the beginning of an attempt, sends
 * commands again after a lost connection, and retries a refusal on a random node. Here each node has connections as a
 * single server has, and only refusals are followed.
 */
import * as Effect from "effect/Effect"
import type { Redis as Client } from "ioredis"
import { randomBytes } from "node:crypto"
import * as Redis from "../../Redis.ts"
import * as clusters from "../redis/cluster.ts"
import * as neighbours from "../redis/neighbours.ts"
import { outageAt, share } from "../redis/outage.ts"
import { addressOf, type Endpoint } from "./clusterEndpoint.ts"
import { makeNodes, type Nodes } from "./clusterNodes.ts"
import type { ResolvedCluster } from "./clusterOptions.ts"
import { makeReserved } from "./clusterReserved.ts"
import { makeSend } from "./clusterSend.ts"
import { makeScripts } from "./clusterTurns.ts"
import { blockOf } from "./connection.ts"
import { commandError, startFailure } from "./error.ts"
import { openLasting } from "./lasting.ts"
import type { Resolved } from "./options.ts"
import { startError } from "./startError.ts"
import { later } from "./timer.ts"
import { destroy } from "./watchdog.ts"

/** How long to wait before a subscription that was refused after a reconnect is tried again, in milliseconds. */
const resubscribeDelay = 1_000

interface StartFailures {
  readonly failures: ReadonlyArray<readonly [Endpoint, unknown]>
}

/** A node that answered explains more than one that is away. */
const startErrorOf = (resolved: Resolved, { failures }: StartFailures) => {
  const explained = failures.map(([endpoint, cause]) => ({ endpoint, ...startFailure(cause, resolved.tls) }))
  const away = new Set(["Refused", "TimedOut", "UnknownHost"])
  const { endpoint, ...failure } = explained.find(({ reason }) => !away.has(reason)) ?? explained[0]!
  return startError(explained.length === 1 || !away.has(failure.reason) ? addressOf(endpoint) : resolved.address, {
    ...failure,
    detail: explained.length > 1 && away.has(failure.reason)
      ? `no node answered (${explained.map(({ detail, endpoint }) => `${addressOf(endpoint)}: ${detail}`).join("; ")})`
      : failure.detail
  })
}

/** Messages are published to all nodes, so any node will do, and another one after a loss. */
const makeSubscribe = (nodes: Nodes, name: string) =>
  Effect.fnUntraced(
    function*(channel: string, onMessage: (message: { readonly channel: string; readonly message: string }) => void) {
      let subscribed = false
      const { client } = yield* openLasting(nodes.some().clients, {
        name,
        onClient: (client) => {
          client.on("message", (from, message) => onMessage({ channel: from, message }))
          client.on("close", () => {
            nodes.doubt()
            // The certificate is checked for the name of the next node.
            const { host, port, tls } = nodes.some().clients.resolved.client
            Object.assign(client.options, { host, port, ...tls !== undefined && { tls } })
          })
          client.on("ready", () => {
            if (subscribed) client.subscribe(channel).catch(() => later(resubscribeDelay, () => destroy(client)))
          })
        }
      }).pipe(Effect.mapError(({ cause }) => commandError(cause, "connect", 0)))
      yield* Effect.tryPromise({
        try: () => client().subscribe(channel),
        catch: (cause) => commandError(cause, "SUBSCRIBE", 1)
      })
      subscribed = true
      return Effect.never
    }
  )

export const openCluster = Effect.fnUntraced(function*({ resolved, seeds, translate }: ResolvedCluster) {
  yield* Effect.forEach(resolved.warnings, (warning) => Effect.logWarning(warning))
  const instance = randomBytes(4).toString("hex")
  const nameOf = (role: string) => `effect-redis-workers:${role}:${resolved.name}:${instance}`
  const outage = outageAt(resolved.address)
  let started = false
  const nodes = yield* makeNodes({
    resolved,
    seeds,
    translate,
    name: nameOf("command"),
    context: yield* Effect.context<never>(),
    started: () => started,
    outage
  }).pipe(Effect.mapError((failures) => startErrorOf(resolved, failures)))
  // Opened now, so that a user without permissions, and a node that cannot be reached, are found out at the start.
  let latest = yield* Effect.mapError(
    nodes.some().connection,
    ({ cause }) => startErrorOf(resolved, { failures: [[nodes.some(), cause]] })
  )
  started = true
  const client = (): Client => {
    latest = nodes.some().opened() ?? latest
    return latest.client()
  }
  const scripts = makeScripts()

  let reserved = 0
  const connect = Effect.sync(() =>
    makeReserved({
      nodes,
      scripts,
      name: `${nameOf("blocking")}:${++reserved}`,
      within: resolved.connectTimeout,
      limitOf: (command, args) => {
        const block = blockOf(command, args)
        if (block === undefined) return resolved.replyTimeout
        return block > 0 ? block + resolved.blockGrace : undefined
      }
    })
  )

  const redis = yield* Redis.make({
    send: makeSend(nodes, scripts),
    connect,
    subscribe: makeSubscribe(nodes, nameOf("subscriber")),
    pool: resolved.pool
  })
  share(redis, outage)
  clusters.register(redis)
  neighbours.register(redis, {
    address: `cluster ${nodes.masters().map(({ address }) => address).sort()[0] ?? ""}`,
    maxConnections: resolved.pool.maxConnections
  })
  return { redis, client }
})
