/**
 * Identifies our blocking connections at the server, and ends those left behind.
 *
 * After a connection broke, the server may not have noticed. A read that still waits there is first in line, and the
 * entries that it takes are lost to us. It is ended by its id, and only if it carries our name, because a restarted
 * server counts ids from 1 again.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Connection, Redis, RedisError } from "../../Redis.ts"
import { isCluster } from "./cluster.ts"
import { failureOf, isTransient } from "./failure.ts"
import { farewell } from "./farewell.ts"

export interface OwnConnections {
  /**
   * Gives a connection its name and remembers its id. If it is `idle` when the scope ends, it loses the name and is
   * forgotten: the pool lends it to the next caller, and it must not be ended there.
   */
  readonly identify: (connection: Connection, idle: () => boolean) => Effect.Effect<void, never, Scope.Scope>
  /** Ends connections that still exist and are still ours. It fails while the server is unreachable. */
  readonly end: Effect.Effect<void, RedisError>
}

/** `key`: what the connections read. On a cluster, it decides which node they are at. */
export const make = (redis: Redis["Service"], name: string, key: string): OwnConnections => {
  const ids = new Set<string>()
  const endOne = (id: string): Effect.Effect<void, RedisError> =>
    redis.send("CLIENT", "LIST", "ID", id).pipe(
      Effect.flatMap((line) =>
        String(line).split(" ").includes(`name=${name}`) ? redis.send("CLIENT", "KILL", "ID", id) : Effect.void
      ),
      Effect.catchIf((error) => !isTransient(failureOf(error)), () => Effect.void),
      Effect.andThen(Effect.sync(() => ids.delete(id)))
    )
  const release = (connection: Connection, id: string) =>
    // The pool closes a connection whose command failed or was cut off.
    farewell(Effect.andThen(connection.send("CLIENT", "SETNAME", ""), Effect.sync(() => ids.delete(id))))
  return {
    identify: Effect.fnUntraced(
      function*(connection, idle) {
        if (isCluster(redis)) yield* connection.send("CLUSTER", "KEYSLOT", key)
        const id = String(yield* connection.send("CLIENT", "ID"))
        yield* connection.send("CLIENT", "SETNAME", name)
        ids.add(id)
        yield* Effect.addFinalizer(() => idle() ? release(connection, id) : Effect.void)
      },
      // A user without permission for CLIENT can still read. Only a connection left behind is then not ended early.
      (identified) => Effect.ignore(identified)
    ),
    end: Effect.suspend(() => Effect.forEach([...ids], endOne, { discard: true }))
  }
}
