/**
 * The nodes of a cluster, and which of them owns a slot.
 *
 * Each node has one connection of the same kind as a single server has: it is opened when the first command is for that
 * node, asks for the password at each attempt, reconnects, and never sends anything again. The table of slots is asked for
 * at the start, after a redirection, after a lost connection, and now and then.
 */
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import { isIP } from "node:net"
import type * as Redis from "../../Redis.ts"
import type { Outage } from "../redis/outage.ts"
import { array } from "../redis/reply.ts"
import { slotCount } from "../redis/slot.ts"
import { open, type OpenFailure } from "./client.ts"
import { type Clients, makeClients } from "./clients.ts"
import { makeConnection } from "./connection.ts"
import { commandError, connectionError } from "./error.ts"
import { type Lasting, openLasting } from "./lasting.ts"
import type { Resolved } from "./options.ts"
import { later } from "./timer.ts"
import { destroy } from "./watchdog.ts"

/** Host and port. */
export interface Endpoint {
  readonly host: string
  readonly port: number
}

export const addressOf = ({ host, port }: Endpoint): string => `${host}:${port}`

/** `host:port`, where the host may be an IPv6 address, or missing: then it is that of the node that says so. */
export const endpointOf = (text: string, asked: Endpoint): Endpoint | undefined => {
  const colon = text.lastIndexOf(":")
  const port = Number(text.slice(colon + 1))
  if (colon < 0 || !Number.isInteger(port) || port < 1) return undefined
  const host = text.slice(0, colon)
  return host === "?" ? undefined : { host: host === "" ? asked.host : host, port }
}

export interface Node extends Endpoint {
  readonly address: string
  readonly clients: Clients
  /** The connection, opened first if need be. */
  readonly connection: Effect.Effect<Lasting, Redis.RedisError>
  /** The connection, if it is open. */
  readonly opened: () => Lasting | undefined
}

interface Held extends Node {
  readonly retire: Effect.Effect<void>
  /** How many tables in a row it was missing from. */
  missing: number
}

export interface Nodes {
  readonly owner: (slot: number) => Node | undefined
  /** A node that is up, for commands without a key. */
  readonly some: () => Node
  readonly at: (endpoint: Endpoint) => Node
  /** The node with this address, if it owns slots. */
  readonly master: (address: string) => Node | undefined
  readonly masters: () => ReadonlyArray<Node>
  /** A node said that another one owns the slot. */
  readonly moved: (slot: number, endpoint: Endpoint) => Node
  /** Has the table asked for again, soon. */
  readonly doubt: () => void
}

/** How often the table is asked for, and how soon after the last time at the earliest, in milliseconds. */
const interval = 5_000
const shortest = 100

/** How long a node may take to send the table before the next one is asked, in milliseconds. */
const tableWithin = 1_500

/** A pause in real time. */
export const rest = (millis: number): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const timer = later(millis, () => resume(Effect.void))
    return Effect.sync(() => clearTimeout(timer))
  })

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

/** Rows of `CLUSTER SLOTS`. */
interface Row {
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

export interface NodesOptions {
  readonly resolved: Resolved
  readonly seeds: ReadonlyArray<Endpoint>
  readonly translate: (endpoint: Endpoint) => Endpoint
  readonly name: string
  readonly context: Context.Context<never>
  readonly started: () => boolean
  /** What the layer has logged of an outage. */
  readonly outage: Outage
}

/** Opens the first table. The failure is that of the first node that said more than nothing. */
export const makeNodes = Effect.fnUntraced(function*(options: NodesOptions) {
  const { context, outage, resolved, seeds, started, translate } = options
  const scope = yield* Effect.scope
  const run = Effect.runForkWith(context)
  const held = new Map<string, Held>()
  const slots: Array<Held | undefined> = Array.from({ length: slotCount }, () => undefined)
  let masters: ReadonlyArray<Held> = []
  /** Every node that was heard of last: whom to ask when no connection is open. */
  let known: ReadonlyArray<Endpoint> = seeds

  const make = (endpoint: Endpoint): Held => {
    const clients = makeClients(resolvedAt(resolved, endpoint), context, started, outage)
    let own: Scope.Closeable | undefined
    let lasting: Lasting | undefined
    let opening: Deferred.Deferred<Lasting, Redis.RedisError> | undefined
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

  const at = (endpoint: Endpoint): Held => {
    const address = addressOf(endpoint)
    const found = held.get(address)
    if (found !== undefined) return found
    const made = make(endpoint)
    held.set(address, made)
    return made
  }

  const ask = (node: Endpoint, lasting: Pick<Lasting, "send">): Effect.Effect<ReadonlyArray<Row>, Redis.RedisError> =>
    Effect.raceFirst(
      Effect.map(lasting.send("CLUSTER", "SLOTS"), (reply) => readRows(reply, node)),
      Effect.andThen(rest(tableWithin), Effect.fail(connectionError("Connection is closed: no table of slots")))
    )

  /** Asks over a connection of its own. */
  const askOnce = (endpoint: Endpoint): Effect.Effect<ReadonlyArray<Row>, OpenFailure> => {
    const { clients } = at(endpoint)
    return Effect.acquireUseRelease(
      open({
        client: (onError) => clients.make(options.name, {}, onError),
        within: started() ? Math.min(resolved.connectTimeout, tableWithin) : resolved.connectTimeout,
        patient: !started()
      }).pipe(Effect.interruptible),
      (client) =>
        Effect.mapError(ask(endpoint, makeConnection(client, {})), (error): OpenFailure => ({ cause: error.cause })),
      (client) => Effect.sync(() => destroy(client))
    )
  }

  const apply = Effect.fnUntraced(function*(rows: ReadonlyArray<Row>) {
    const owners = new Map<string, Held>()
    slots.fill(undefined)
    for (const { from, master, to } of rows) {
      const node = at(translate(master))
      owners.set(node.address, node)
      slots.fill(node, from, to + 1)
    }
    masters = [...owners.values()]
    known = [...rows.flatMap(({ master, replicas }) => [master, ...replicas].map(translate)), ...seeds]
    for (const node of held.values()) {
      node.missing = owners.has(node.address) ? 0 : node.missing + 1
      // A table may be old. A node that is missing twice owns nothing any more, and may never answer again.
      if (node.missing < 2) continue
      held.delete(node.address)
      yield* node.retire
    }
  })

  const shuffled = <A>(all: ReadonlyArray<A>): ReadonlyArray<A> =>
    all.map((one) => [Math.random(), one] as const).sort(([a], [b]) => a - b).map(([, one]) => one)

  const refresh = Effect.gen(function*() {
    for (const node of shuffled(masters)) {
      const lasting = node.opened()
      if (lasting?.client().status !== "ready") continue
      const rows = yield* Effect.result(ask(node, lasting))
      if (Result.isSuccess(rows) && rows.success.length > 0) return yield* apply(rows.success)
    }
    const asked = new Set<string>()
    for (const endpoint of shuffled(known)) {
      const address = addressOf(endpoint)
      if (asked.has(address)) continue
      asked.add(address)
      const rows = yield* Effect.result(askOnce(endpoint))
      if (Result.isSuccess(rows) && rows.success.length > 0) return yield* apply(rows.success)
    }
  })

  let refreshing = false
  let doubted = false
  const doubt = (): void => {
    doubted = true
    if (refreshing) return
    refreshing = true
    doubted = false
    run(
      refresh.pipe(
        Effect.andThen(rest(shortest)),
        Effect.onExit(() =>
          Effect.sync(() => {
            refreshing = false
            if (doubted) doubt()
          })
        ),
        Effect.forkIn(scope)
      )
    )
  }

  const first = Effect.gen(function*() {
    const failures: Array<readonly [Endpoint, unknown]> = []
    for (const seed of seeds) {
      const rows = yield* Effect.result(askOnce(seed))
      if (Result.isFailure(rows)) failures.push([seed, rows.failure.cause])
      else if (rows.success.length > 0) return yield* apply(rows.success)
      else failures.push([seed, new Error("the cluster has no slots yet")])
    }
    return yield* Effect.fail({ failures })
  })
  yield* first
  yield* Effect.forkScoped(
    Effect.forever(Effect.andThen(rest(interval), Effect.sync(doubt)), { disableYield: true })
  )

  const nodes: Nodes = {
    owner: (slot) => slots[slot],
    some: () =>
      masters.find((node) => node.opened()?.client().status === "ready") ??
        masters[Math.floor(Math.random() * masters.length)] ?? at(seeds[0]!),
    at: (endpoint) => at(endpoint),
    master: (address) => masters.find((node) => node.address === address),
    masters: () => masters,
    moved: (slot, endpoint) => {
      const node = at(endpoint)
      node.missing = 0
      slots[slot] = node
      if (!masters.includes(node)) masters = [...masters, node]
      doubt()
      return node
    },
    doubt
  }
  return nodes
})
