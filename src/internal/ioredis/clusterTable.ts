/** Asks a node of a cluster which nodes own which slots. */
import * as Effect from "effect/Effect"
import type * as Redis from "../../Redis.ts"
import { array } from "../redis/reply.ts"
import { open, type OpenFailure } from "./client.ts"
import { type Endpoint, endpointOf } from "./clusterEndpoint.ts"
import type { Node, NodeOptions } from "./clusterNode.ts"
import { makeConnection } from "./connection.ts"
import { connectionError } from "./error.ts"
import type { Lasting } from "./lasting.ts"
import { rest } from "./timer.ts"
import { destroy } from "./watchdog.ts"

/** How long a node may take to send the table before the next one is asked, in milliseconds. */
const tableWithin = 1_500

/** Rows of `CLUSTER SLOTS`. */
export interface Row {
  readonly from: number
  readonly to: number
  readonly master: Endpoint
  readonly replicas: ReadonlyArray<Endpoint>
}

const readRows = (reply: unknown, asked: Endpoint): ReadonlyArray<Row> =>
  array(reply).flatMap((row) => {
    const [from, to, ...nodes] = array(row)
    const [master, ...replicas] = nodes.flatMap((node) => {
      const [host, port] = array(node)
      return endpointOf(`${typeof host === "string" ? host : ""}:${String(port)}`, asked) ?? []
    })
    return master === undefined ? [] : [{ from: Number(from), to: Number(to), master, replicas }]
  })

/** Asks over the connection of a node. */
export const ask = (
  node: Endpoint,
  { send }: Pick<Lasting, "send">
): Effect.Effect<ReadonlyArray<Row>, Redis.RedisError> =>
  Effect.raceFirst(
    Effect.map(send("CLUSTER", "SLOTS"), (reply) => readRows(reply, node)),
    Effect.andThen(rest(tableWithin), Effect.fail(connectionError("Connection is closed: no table of slots")))
  )

/** Asks over a connection of its own. */
export const askOnce = (
  { name, resolved, started }: NodeOptions,
  node: Node
): Effect.Effect<ReadonlyArray<Row>, OpenFailure> =>
  Effect.acquireUseRelease(
    open({
      client: (onError) => node.clients.make(name, {}, onError),
      within: started() ? Math.min(resolved.connectTimeout, tableWithin) : resolved.connectTimeout,
      patient: !started()
    }).pipe(Effect.interruptible),
    (client) =>
      Effect.mapError(ask(node, makeConnection(client, {})), (error): OpenFailure => ({ cause: error.cause })),
    (client) => Effect.sync(() => destroy(client))
  )
