/** Sends the commands of the shared connections of a cluster: each to the node that owns its key. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Redis from "../../Redis.ts"
import { failureOf } from "../redis/failure.ts"
import { array } from "../redis/reply.ts"
import { slotOf } from "../redis/slot.ts"
import { endpointOf } from "./clusterEndpoint.ts"
import { slotOfCommand } from "./clusterKeys.ts"
import type { Node } from "./clusterNode.ts"
import type { Nodes } from "./clusterNodes.ts"
import { makePatience, placeOf, type Scripts, turnOf, withScript } from "./clusterTurns.ts"
import type { Send } from "./connection.ts"
import { ownError } from "./error.ts"

/**
 * What this adapter answers itself. `SCRIPT LOAD` has no key: the script is sent to the node that lacks it. A slot is
 * computed, so that no permission is needed.
 */
export const answerOf = (scripts: Scripts, command: string, args: ReadonlyArray<string>): unknown => {
  const [first = "", second] = args
  if (args.length !== 2 || second === undefined) return undefined
  switch (`${command} ${first}`.toUpperCase()) {
    case "SCRIPT LOAD":
      return scripts.load(second)
    case "CLUSTER KEYSLOT":
      return slotOf(second)
    default:
      return undefined
  }
}

export const uncovered = (slot: number): Redis.RedisError =>
  ownError(`CLUSTERDOWN Hash slot ${slot} is not served by any node`, "CLUSTERDOWN")

/** Notes what a failure says about the cluster. */
export const learn = (nodes: Nodes, error: Redis.RedisError): void => {
  if (failureOf(error) === "Connection") nodes.doubt()
}

const withNode = (address: string) => (list: unknown): string => String(list).replace(/^id=/gm, `id=${address}/`)

/** The connections of all masters. */
const allConnections = (nodes: Nodes): Effect.Effect<string, Redis.RedisError> =>
  Effect.map(
    Effect.forEach(nodes.masters(), ({ address, connection }) =>
      Effect.map(
        Effect.flatMap(connection, ({ send }) => send("CLIENT", "LIST")),
        withNode(address)
      )),
    (lists) => lists.join("")
  )

/**
 * A connection is known as `address/id` here, because each node counts its own. Commands about it go to its node. A node
 * that owns nothing any more serves none of our reads.
 */
const aboutConnection = (
  nodes: Nodes,
  command: string,
  args: ReadonlyArray<string>
): Effect.Effect<unknown, Redis.RedisError> | undefined => {
  const [verb = "", by = "", name = "", ...more] = args
  if (command.toUpperCase() !== "CLIENT") return undefined
  if (verb.toUpperCase() === "LIST" && args.length === 1) return allConnections(nodes)
  if (by.toUpperCase() !== "ID") return undefined
  const slash = name.lastIndexOf("/")
  if (slash < 0) return undefined
  const node = nodes.master(name.slice(0, slash))
  if (node === undefined) return Effect.succeed(verb.toUpperCase() === "LIST" ? "" : 0)
  return Effect.map(
    Effect.flatMap(node.connection, ({ send }) => send("CLIENT", verb, by, name.slice(slash + 1), ...more)),
    (reply): unknown => verb.toUpperCase() === "LIST" ? withNode(node.address)(reply) : reply
  )
}

const byAddress = (a: Node, b: Node): number => a.address < b.address ? -1 : 1

/**
 * `SCAN` visits all masters, one after another. Its cursor names the node, because each node has cursors of its own. A node
 * that failed over in between cannot go on with the cursor of another one.
 */
const scan = (nodes: Nodes, args: ReadonlyArray<string>): Effect.Effect<unknown, Redis.RedisError> => {
  const [cursor = "0", ...options] = args
  const masters = [...nodes.masters()].sort(byAddress)
  const slash = cursor.lastIndexOf("/")
  const place = slash < 0 ? 0 : masters.findIndex(({ address }) => address === cursor.slice(0, slash))
  const node = masters[place]
  if (node === undefined) {
    return Effect.fail(
      ownError("SLOTMOVED A node of this scan owns no slot any more: begin again", "SLOTMOVED", "SCAN")
    )
  }
  return Effect.map(
    Effect.flatMap(node.connection, ({ send }) => send("SCAN", cursor.slice(slash + 1), ...options)),
    (reply): unknown => {
      const [next, keys] = array(reply)
      const following = masters[place + 1]
      return [
        String(next) !== "0"
          ? `${node.address}/${String(next)}`
          : following === undefined
          ? "0"
          : `${following.address}/0`,
        keys
      ]
    }
  )
}

/** Commands without a key that mean one node, or all of them. */
const withoutKey = (
  nodes: Nodes,
  command: string,
  args: ReadonlyArray<string>
): Effect.Effect<unknown, Redis.RedisError> | undefined => {
  const sent = command.toUpperCase() === "SCAN" ? scan(nodes, args) : aboutConnection(nodes, command, args)
  return sent && Effect.tapError(sent, (error) => Effect.sync(() => learn(nodes, error)))
}

export const makeSend = (nodes: Nodes, scripts: Scripts): Send => {
  const toNode = (node: Node, command: string, args: ReadonlyArray<string>, asking = false) => {
    const lasting = node.opened()
    return lasting === undefined
      ? Effect.flatMap(
        node.connection,
        (opened) => withScript(scripts, asking ? opened.ask : opened.send, command, args)
      )
      : withScript(scripts, asking ? lasting.ask : lasting.send, command, args)
  }

  const follow = Effect.fnUntraced(
    function*(
      slot: number,
      from: Node | undefined,
      first: Redis.RedisError,
      command: string,
      args: ReadonlyArray<string>
    ) {
      const patience = makePatience()
      let error = first
      let node = from
      for (;;) {
        const turn = turnOf(error)
        if (turn === undefined || turn === "NOSCRIPT") {
          learn(nodes, error)
          return yield* error
        }
        if (turn === "CLUSTERDOWN") nodes.doubt()
        yield* patience(turn, error)
        const place = turn === "MOVED" || turn === "ASK"
          ? endpointOf(placeOf(error), node ?? nodes.some())
          : undefined
        node = place === undefined
          ? nodes.owner(slot)
          : turn === "MOVED"
          ? nodes.moved(slot, place)
          : nodes.at(place)
        const result: Result.Result<unknown, Redis.RedisError> = node === undefined
          ? Result.fail(uncovered(slot))
          : yield* Effect.result(toNode(node, command, args, turn === "ASK"))
        if (Result.isSuccess(result)) return result.success
        error = result.failure
      }
    }
  )

  const dispatch = (command: string, args: ReadonlyArray<string>): Effect.Effect<unknown, Redis.RedisError> => {
    const slot = slotOfCommand(command, args)
    if (slot !== undefined) {
      const node = nodes.owner(slot)
      return node === undefined
        ? follow(slot, undefined, uncovered(slot), command, args)
        : Effect.catch(toNode(node, command, args), (error) => follow(slot, node, error, command, args))
    }
    const answer = answerOf(scripts, command, args)
    if (answer !== undefined) return Effect.succeed(answer)
    return withoutKey(nodes, command, args) ??
      Effect.tapError(toNode(nodes.some(), command, args), (error) => Effect.sync(() => learn(nodes, error)))
  }

  // SAFETY: callers declare the type of the reply, as in Effect's own Redis layers.
  return <A>(command: string, ...args: ReadonlyArray<string>) =>
    Effect.suspend(() => dispatch(command, args)) as Effect.Effect<A, Redis.RedisError>
}
