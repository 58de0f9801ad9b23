/**
 * The nodes of a cluster, and which of them owns a slot. The table of slots is asked for at the start, after a redirection,
 * after a lost connection, and now and then.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { slotCount } from "../redis/slot.ts"
import { addressOf, type Endpoint } from "./clusterEndpoint.ts"
import { type Held, makeNode, type Node, type NodeOptions } from "./clusterNode.ts"
import { ask, askOnce, type Row } from "./clusterTable.ts"
import { rest } from "./timer.ts"

export interface Nodes {
  readonly owner: (slot: number) => Node | undefined
  /** A node that is up, for commands without a key. */
  readonly some: () => Node
  /** The node that others call by this address. */
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

export interface NodesOptions extends NodeOptions {
  readonly seeds: ReadonlyArray<Endpoint>
  readonly translate: (endpoint: Endpoint) => Endpoint
}

const shuffled = <A>(all: ReadonlyArray<A>): ReadonlyArray<A> =>
  all.map((one) => [Math.random(), one] as const).sort(([a], [b]) => a - b).map(([, one]) => one)

const isReady = (node: Node): boolean => node.opened()?.client().status === "ready"

/** The nodes as the latest table has them. */
const makeMap = (options: NodesOptions, scope: Scope.Scope) => {
  const { seeds, translate } = options
  const held = new Map<string, Held>()
  const slots: Array<Held | undefined> = Array.from({ length: slotCount }, () => undefined)
  let masters: ReadonlyArray<Held> = []
  /** Every node that was heard of last: whom to ask when no connection is open. */
  let known: ReadonlyArray<Endpoint> = seeds

  const at = (endpoint: Endpoint): Held => {
    const address = addressOf(endpoint)
    const found = held.get(address)
    if (found !== undefined) return found
    const made = makeNode(options, scope, endpoint)
    held.set(address, made)
    return made
  }

  return {
    at,
    masters: () => masters,
    known: () => known,
    owner: (slot: number) => slots[slot],
    apply: Effect.fnUntraced(function*(rows: ReadonlyArray<Row>) {
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
    }),
    moved: (slot: number, endpoint: Endpoint): Held => {
      const node = at(endpoint)
      node.missing = 0
      slots[slot] = node
      if (!masters.includes(node)) masters = [...masters, node]
      return node
    }
  }
}

type NodeMap = ReturnType<typeof makeMap>

/** Asks nodes for the table, one after another, until one has it: those with an open connection first. */
const refresh = (options: NodesOptions, map: NodeMap) =>
  Effect.gen(function*() {
    for (const node of shuffled(map.masters())) {
      const lasting = node.opened()
      if (lasting === undefined || !isReady(node)) continue
      const rows = yield* Effect.result(ask(node, lasting))
      if (Result.isSuccess(rows) && rows.success.length > 0) return yield* map.apply(rows.success)
    }
    const asked = new Set<string>()
    for (const endpoint of shuffled(map.known())) {
      const address = addressOf(endpoint)
      if (asked.has(address)) continue
      asked.add(address)
      const rows = yield* Effect.result(askOnce(options, map.at(endpoint)))
      if (Result.isSuccess(rows) && rows.success.length > 0) return yield* map.apply(rows.success)
    }
  })

/** Runs an effect in the background, again if it was asked for while it ran, and never twice at once. */
const makeDoubt = (
  options: NodesOptions,
  scope: Scope.Scope,
  effect: Effect.Effect<void>
): () => void => {
  const run = Effect.runForkWith(options.context)
  let running = false
  let again = false
  const doubt = (): void => {
    again = true
    if (running) return
    running = true
    again = false
    run(
      effect.pipe(
        Effect.andThen(rest(shortest)),
        Effect.onExit(() =>
          Effect.sync(() => {
            running = false
            if (again) doubt()
          })
        ),
        Effect.forkIn(scope)
      )
    )
  }
  return doubt
}

/** The first table. */
const begin = Effect.fnUntraced(function*(options: NodesOptions, map: NodeMap) {
  const failures: Array<readonly [Endpoint, unknown]> = []
  for (const seed of options.seeds) {
    const rows = yield* Effect.result(askOnce(options, map.at(seed)))
    if (Result.isFailure(rows)) failures.push([seed, rows.failure.cause])
    else if (rows.success.length > 0) return yield* map.apply(rows.success)
    else failures.push([seed, new Error("the cluster has no slots yet")])
  }
  return yield* Effect.fail({ failures })
})

/** Opens the first table. It fails with what each of the first nodes said. */
export const makeNodes = Effect.fnUntraced(function*(options: NodesOptions) {
  const scope = yield* Effect.scope
  const map = makeMap(options, scope)
  const doubt = makeDoubt(options, scope, refresh(options, map))
  yield* begin(options, map)
  yield* Effect.forkScoped(
    Effect.forever(Effect.andThen(rest(interval), Effect.sync(doubt)), { disableYield: true })
  )

  const nodes: Nodes = {
    owner: map.owner,
    some: () => {
      const masters = map.masters()
      return masters.find(isReady) ?? masters[Math.floor(Math.random() * masters.length)] ?? map.at(options.seeds[0]!)
    },
    at: (endpoint) => map.at(options.translate(endpoint)),
    master: (address) => map.masters().find((node) => node.address === address),
    masters: map.masters,
    moved: (slot, endpoint) => {
      const node = map.moved(slot, options.translate(endpoint))
      doubt()
      return node
    },
    doubt
  }
  return nodes
})
