/**
 * A reserved connection of a cluster. It is bound to the node that owns the first key it is given, and runs its commands
 * without a key there. For the key of another node it is bound again.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Semaphore from "effect/Semaphore"
import type { Redis as Client } from "ioredis"
import type * as Redis from "../../Redis.ts"
import { open } from "./client.ts"
import { endpointOf } from "./clusterEndpoint.ts"
import { slotOfCommand } from "./clusterKeys.ts"
import type { Node } from "./clusterNode.ts"
import type { Nodes } from "./clusterNodes.ts"
import { answerOf, learn, uncovered } from "./clusterSend.ts"
import { makePatience, placeOf, type Scripts, turnOf, withScript } from "./clusterTurns.ts"
import { type Connection, makeConnection, type Send } from "./connection.ts"
import { codeOf, commandError, connectionError, ownError } from "./error.ts"
import { destroy } from "./watchdog.ts"

interface Bound {
  readonly node: Node
  readonly connection: Connection
}

export interface ReservedOptions {
  readonly nodes: Nodes
  readonly scripts: Scripts
  readonly name: string
  readonly within: number
  readonly limitOf: (command: string, args: ReadonlyArray<string>) => number | undefined
}

/**
 * A caller that asked for the id of its connection has to learn that it has another one now: its read fails as moved, and
 * the next connection that it reserves is bound to the right node.
 */
const slotMoved = (command: string): Redis.RedisError =>
  ownError("SLOTMOVED The slot of this connection moved to another node", "SLOTMOVED", command)

export const makeReserved = (options: ReservedOptions): Pick<Connection, "send" | "close"> => {
  const { nodes, scripts } = options
  const binding = Semaphore.makeUnsafe(1)
  let bound: Bound | undefined
  /** A connection to the node that a slot is moving to. */
  let asked: Bound | undefined
  let identified = false
  /** The slot that it was bound for. */
  let boundSlot: number | undefined
  let closed = false
  let opening: Client | undefined

  const connect = (node: Node): Effect.Effect<Bound, Redis.RedisError> =>
    Effect.suspend(() =>
      open({
        client: (onError) => opening = node.clients.make(options.name, {}, onError),
        within: options.within
      })
    ).pipe(
      Effect.onInterrupt(() => Effect.sync(() => opening !== undefined && destroy(opening))),
      Effect.mapError(({ cause }) => commandError(cause, "connect", 0)),
      Effect.flatMap((client) => {
        const connection = makeConnection(client, { limitOf: options.limitOf })
        return closed
          ? Effect.andThen(connection.close, Effect.fail(connectionError("Connection is closed.")))
          : Effect.succeed({ node, connection })
      })
    )

  const bindTo = (node: Node): Effect.Effect<Bound, Redis.RedisError> =>
    binding.withPermit(Effect.suspend(() => {
      if (bound?.node === node) return Effect.succeed(bound)
      const before = bound
      bound = undefined
      const next = Effect.map(connect(node), (made) => bound = made)
      return before === undefined ? next : Effect.andThen(before.connection.close, next)
    }))

  const askAt = (node: Node): Effect.Effect<Bound, Redis.RedisError> =>
    binding.withPermit(Effect.suspend(() => {
      if (asked?.node === node) return Effect.succeed(asked)
      const before = asked
      asked = undefined
      const next = Effect.map(connect(node), (made) => asked = made)
      return before === undefined ? next : Effect.andThen(before.connection.close, next)
    }))

  const keyed = Effect.fnUntraced(function*(slot: number, command: string, args: ReadonlyArray<string>) {
    const patience = makePatience()
    let node = nodes.owner(slot)
    // Another caller has it now, or the same one reads something else: the id belongs to the past.
    if (boundSlot !== undefined && boundSlot !== slot) identified = false
    boundSlot = slot
    let asking: Node | undefined
    for (;;) {
      let error = uncovered(slot)
      if (node !== undefined) {
        if (identified && bound !== undefined && bound.node !== node) return yield* slotMoved(command)
        const at = asking === undefined ? yield* bindTo(node) : yield* askAt(asking)
        const send = asking === undefined ? at.connection.send : at.connection.ask
        const result = yield* Effect.result(withScript(scripts, send, command, args))
        if (Result.isSuccess(result)) return result.success
        error = result.failure
      }
      const turn = turnOf(error)
      if (turn === undefined || turn === "NOSCRIPT") return yield* error
      if (turn === "CLUSTERDOWN") nodes.doubt()
      const wasAsking = asking
      asking = undefined
      const place = turn === "MOVED" || turn === "ASK"
        ? endpointOf(placeOf(error), wasAsking ?? node ?? nodes.some())
        : undefined
      if (turn === "MOVED" && place !== undefined) {
        node = nodes.moved(slot, place)
        if (identified) return yield* slotMoved(command)
      } else if (turn === "ASK" && place !== undefined) asking = nodes.at(place)
      else node = nodes.owner(slot)
      yield* patience(turn, error)
    }
  })

  const keyless = (command: string, args: ReadonlyArray<string>): Effect.Effect<unknown, Redis.RedisError> => {
    const answer = answerOf(scripts, command, args)
    if (answer !== undefined) {
      if (typeof answer !== "number") return Effect.succeed(answer)
      const node = nodes.owner(answer)
      boundSlot = answer
      return node === undefined || bound?.node === node ? Effect.succeed(answer) : Effect.as(bindTo(node), answer)
    }
    const sent = Effect.flatMap(
      bound === undefined ? bindTo(nodes.some()) : Effect.succeed(bound),
      ({ connection, node }) => Effect.map(connection.send(command, ...args), (reply) => ({ node, reply }))
    )
    const what = `${command} ${args[0] ?? ""}`.toUpperCase()
    return Effect.map(sent, ({ node, reply }): unknown => {
      if (what === "CLIENT ID") identified = true
      // Without a name, it cannot be found by its id any more.
      if (what === "CLIENT SETNAME" && args[1] === "") identified = false
      return what === "CLIENT ID" ? `${node.address}/${String(reply)}` : reply
    })
  }

  const dispatch = (command: string, args: ReadonlyArray<string>): Effect.Effect<unknown, Redis.RedisError> => {
    const slot = slotOfCommand(command, args)
    return Effect.tapError(
      slot === undefined ? keyless(command, args) : keyed(slot, command, args),
      (error) => Effect.sync(() => codeOf(error) === "SLOTMOVED" ? undefined : learn(nodes, error))
    )
  }

  // SAFETY: callers declare the type of the reply, as in Effect's own Redis layers.
  const send: Send = <A>(command: string, ...args: ReadonlyArray<string>) =>
    Effect.suspend(() => dispatch(command, args)) as Effect.Effect<A, Redis.RedisError>

  return {
    send,
    close: Effect.suspend(() => {
      closed = true
      if (opening !== undefined && bound === undefined) destroy(opening)
      return Effect.andThen(bound?.connection.close ?? Effect.void, asked?.connection.close ?? Effect.void)
    })
  }
}
