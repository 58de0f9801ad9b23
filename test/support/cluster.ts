/**
 * A real Redis Cluster for tests: three masters with a replica each, on free ports, gone afterwards whatever happens.
 *
 * It is made of `CLUSTER MEET`, `ADDSLOTSRANGE` and `REPLICATE`, as `redis-cli --cluster create` does, without its pauses.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { slotCount, slotOf } from "../../src/internal/redis/slot.ts"
import * as Server from "./redisServer.ts"
import { until } from "./until.ts"

export interface Options {
  /** Default 3. */
  readonly masters?: number
  /** A replica for each master. Default: true. */
  readonly replicas?: boolean
  /** More lines of the configuration of each node. */
  readonly config?: ReadonlyArray<string>
  readonly password?: string
  readonly tls?: boolean
}

export interface ClusterNode extends Server.Server {
  readonly id: string
}

export interface Cluster {
  readonly nodes: ReadonlyArray<ClusterNode>
  /** URLs of all nodes. */
  readonly urls: ReadonlyArray<string>
  /** The master that owns the slot of a key now, as the nodes that are up see it. */
  readonly ownerOf: (key: string) => Effect.Effect<ClusterNode, Server.ReplyError>
  /** A master that does not own the slot. */
  readonly otherThan: (key: string) => Effect.Effect<ClusterNode, Server.ReplyError>
  /** A replica that is up of the owner of the slot. */
  readonly replicaOf: (key: string) => Effect.Effect<ClusterNode, Server.ReplyError>
  /** Makes a replica of the owner the owner, in good order. */
  readonly failover: (key: string) => Effect.Effect<ClusterNode, Server.ReplyError>
  /** Begins to move a slot: keys that the owner lacks are asked for at the other node from now on. */
  readonly beginMove: (key: string) => Effect.Effect<Move, Server.ReplyError>
  /** Waits until each node that is up sees all slots served. */
  readonly settled: Effect.Effect<void, Server.ReplyError>
}

export interface Move {
  readonly slot: number
  readonly from: ClusterNode
  readonly to: ClusterNode
  /** Moves some of the keys, all by default. Returns how many. */
  readonly keys: (most?: number) => Effect.Effect<number, Server.ReplyError>
  /** The other node owns the slot from now on. */
  readonly end: Effect.Effect<void, Server.ReplyError>
}

const startNode = (
  options: Options
): Effect.Effect<ClusterNode, Server.RedisServerError | Server.ReplyError, Scope.Scope> =>
  Effect.gen(function*() {
    // A port and 10,000, the default of the bus, may be beyond the last one.
    const bus = yield* Server.freePort
    const server = yield* Server.start({
      password: options.password,
      tls: options.tls,
      config: [
        "cluster-enabled yes",
        `cluster-port ${bus}`,
        "cluster-node-timeout 1500",
        "repl-diskless-sync-delay 0",
        "cluster-replica-validity-factor 0",
        "cluster-allow-replica-migration no",
        ...options.password === undefined ? [] : [`masterauth ${options.password}`],
        ...options.config ?? []
      ]
    })
    return { ...server, id: String(yield* server.cli("CLUSTER", "MYID")), bus }
  })

type Rows = ReadonlyArray<readonly [number, number, ...ReadonlyArray<readonly [string, number, string]>]>

export const start = (
  options: Options = {}
): Effect.Effect<Cluster, Server.RedisServerError | Server.ReplyError, Scope.Scope> =>
  Effect.gen(function*() {
    const masters = options.masters ?? 3
    const count = options.replicas === false ? masters : 2 * masters
    const nodes = yield* Effect.forEach(Array.from({ length: count }), () => startNode(options), {
      concurrency: "unbounded"
    })
    const [first] = nodes
    const share = Math.ceil(slotCount / masters)
    for (const [index, node] of nodes.entries()) {
      yield* node.cli("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
      if (index < masters) {
        yield* node.cli(
          ...["CLUSTER", "ADDSLOTSRANGE", index * share, Math.min((index + 1) * share, slotCount) - 1] as const
        )
      }
      if (node !== first) {
        const bus = String(yield* first!.cli("CONFIG", "GET", "cluster-port")).split(",")[1]!
        yield* node.cli("CLUSTER", "MEET", first!.host, first!.port, bus)
      }
    }

    const info = (node: ClusterNode) => Effect.map(node.cli("CLUSTER", "INFO"), String)
    yield* Effect.forEach(
      nodes,
      (node) =>
        until(
          "each node knows all others",
          Effect.map(info(node), (text) => text.includes(`cluster_known_nodes:${count}`))
        ),
      { concurrency: "unbounded" }
    )
    for (const [index, node] of nodes.slice(masters).entries()) {
      yield* until(
        "a replica has a master",
        Effect.map(Effect.result(node.cli("CLUSTER", "REPLICATE", nodes[index]!.id)), ({ _tag }) => _tag === "Success")
      )
    }

    const isUp = (node: ClusterNode) =>
      Effect.map(Effect.result(Effect.timeout(node.cli("PING"), "500 millis")), ({ _tag }) => _tag === "Success")
    const up = Effect.filter(nodes, isUp, { concurrency: "unbounded" })
    // SAFETY: the reply of CLUSTER SLOTS.
    const slots = (node: ClusterNode) => node.cli("CLUSTER", "SLOTS") as Effect.Effect<Rows, Server.ReplyError>
    const rowOf = (key: string, node: ClusterNode) =>
      Effect.map(slots(node), (rows) => rows.find(([from, to]) => slotOf(key) >= from && slotOf(key) <= to))
    const nodeAt = (port: number | undefined) => nodes.find((node) => node.port === Number(port))

    const ownerNow = (key: string) =>
      Effect.gen(function*() {
        const alive = yield* up
        for (const node of alive) {
          const row = yield* rowOf(key, node)
          const owner = nodeAt(row?.[2]?.[1])
          // A node that was cut off may have an old table; the owner itself knows.
          if (owner === undefined || !alive.includes(owner)) continue
          const own = yield* rowOf(key, owner)
          if (own?.[2]?.[1] === owner.port) return owner
        }
        return undefined
      })

    // Between the death of a master and the election of its replica there is none.
    const ownerOf: Cluster["ownerOf"] = (key) =>
      Effect.gen(function*() {
        let owner: ClusterNode | undefined
        yield* until(
          `a node owns the slot of ${key}`,
          Effect.map(ownerNow(key), (found) => (owner = found) !== undefined)
        )
        return owner!
      })

    const replicaNow = (key: string) =>
      Effect.gen(function*() {
        const owner = yield* ownerOf(key)
        const row = yield* rowOf(key, owner)
        const [, , , ...replicas] = row ?? []
        // SAFETY: after the two ends of the range and the master, a row has its replicas.
        for (const [, port] of replicas as ReadonlyArray<readonly [string, number, string]>) {
          const replica = nodeAt(port)
          if (replica !== undefined && (yield* isUp(replica))) return replica
        }
        return undefined
      })

    // The owner lists a replica once it has heard of it.
    const replicaOf: Cluster["replicaOf"] = (key) =>
      Effect.gen(function*() {
        let replica: ClusterNode | undefined
        yield* until(
          `the owner of the slot of ${key} has a replica`,
          Effect.map(replicaNow(key), (found) => (replica = found) !== undefined)
        )
        return replica!
      })

    const settled = Effect.gen(function*() {
      for (const node of yield* up) {
        yield* until(
          `node ${node.port} sees all slots served`,
          Effect.map(Effect.result(info(node)), (text) =>
            text._tag === "Success" && text.success.includes("cluster_state:ok") &&
            text.success.includes(`cluster_slots_ok:${slotCount}`))
        )
      }
    })
    yield* settled
    for (const node of nodes.slice(masters)) {
      yield* until(
        "a replica is in step",
        Effect.map(node.cli("INFO", "replication"), (text) =>
          String(text).includes("master_link_status:up"))
      )
    }

    return {
      nodes,
      urls: nodes.map((node) =>
        options.tls === true ? node.tls!.url : node.url
      ),
      ownerOf,
      otherThan: (key) =>
        Effect.gen(function*() {
          const owner = yield* ownerOf(key)
          const rows = yield* slots(owner)
          return nodeAt(rows.find(([, , master]) => master![1] !== owner.port)?.[2]?.[1])!
        }),
      replicaOf,
      failover: (key) =>
        Effect.gen(function*() {
          const replica = yield* replicaOf(key)
          yield* until(
            "the replica is in step",
            Effect.map(replica.cli("INFO", "replication"), (text) => String(text).includes("master_link_status:up"))
          )
          yield* replica.cli("CLUSTER", "FAILOVER")
          yield* until("the replica is the owner", Effect.map(ownerOf(key), (owner) => owner === replica))
          return replica
        }),
      beginMove: (key) =>
        Effect.gen(function*() {
          const slot = slotOf(key)
          const from = yield* ownerOf(key)
          const rows = yield* slots(from)
          const to = nodeAt(rows.find(([, , master]) => master![1] !== from.port)?.[2]?.[1])!
          yield* to.cli("CLUSTER", "SETSLOT", slot, "IMPORTING", from.id)
          yield* from.cli("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id)
          const secret = options.password === undefined ? [] : ["AUTH", options.password]
          const move = (most: number) =>
            Effect.gen(function*() {
              let moved = 0
              while (moved < most) {
                const left = Math.min(10, most - moved)
                // SAFETY: the reply of GETKEYSINSLOT.
                const keys = (yield* from.cli("CLUSTER", "GETKEYSINSLOT", slot, left)) as ReadonlyArray<string>
                if (keys.length === 0) return moved
                yield* from.cli("MIGRATE", to.host, to.port, "", 0, 5000, ...secret, "KEYS", ...keys)
                moved += keys.length
              }
              return moved
            })
          return {
            slot,
            from,
            to,
            keys: (most = Infinity) => move(most),
            end: Effect.gen(function*() {
              // What came in between is moved before the slot is given away.
              yield* move(Infinity)
              yield* to.cli("CLUSTER", "SETSLOT", slot, "NODE", to.id)
              yield* from.cli("CLUSTER", "SETSLOT", slot, "NODE", to.id)
              yield* until("the other node is the owner", Effect.map(ownerOf(key), (owner) => owner === to))
            })
          }
        }),
      settled
    }
  })

/** One cluster that the tests of a file share. */
export class RedisCluster extends Context.Service<RedisCluster, Cluster>()("effect-redis-workers/test/RedisCluster") {}

export const layer = (
  options: Options = {}
): Layer.Layer<RedisCluster, Server.RedisServerError | Server.ReplyError> => Layer.effect(RedisCluster, start(options))
