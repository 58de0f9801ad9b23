/**
 * Brings callbacks in: moves them from this service's callback lists into its own action stream, where a callback is
 * an ordinary action with retries and dead letters.
 *
 * A list cannot be waited for without taking from it, and what is taken is lost in a
 * crash. So the lists are polled. One `EXISTS` covers all of them, and the script that
 * moves callbacks runs only when there is something to move: it needs a command for each list.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { RedisError } from "../../../Redis.ts"
import { failureOf } from "../../redis/failure.ts"
import { explain } from "../../redis/streamIds.ts"
import { moveCallbacks } from "../../scripts/streams.ts"
import { readLists } from "../callbackLists.ts"
import type { MakePart } from "../part.ts"

/** How long a callback waits in its list at most while callbacks come, and after a while without any, in milliseconds. */
const poll = 100
const idlePoll = 250

/** So many looks without a callback are a while. */
const patience = 50

/** Callbacks moved in one call. */
const batch = 200

export const callbacks: MakePart = (host) => {
  const { gate, names: { stream }, redis, trouble } = host
  const lists = readLists(host)
  if (lists.length === 0) return undefined
  const move = Effect.mapError(
    redis.eval(moveCallbacks.script)({ stream, lists, limit: batch }),
    (error) => explain(stream, error)
  )
  let mayAsk = true
  /** Whether any list has something. A user who may not run `EXISTS` runs the script each time instead. */
  const something: Effect.Effect<boolean, RedisError> = Effect.suspend(() =>
    mayAsk
      ? redis.send<number>("EXISTS", ...lists).pipe(
        Effect.map((count) => count > 0),
        Effect.catchIf((error) => failureOf(error) === "NoPermission", () =>
          Effect.sync(() => {
            mayAsk = false
            return true
          }))
      )
      : Effect.succeed(true)
  )
  const nothing: unknown = [0, []]
  const look = Effect.flatMap(something, (found) => found ? move : Effect.succeed(nothing))
  let refused = ""
  // A worker that starts has seen no callback lately.
  let empty = patience
  const once = Effect.gen(function*() {
    yield* gate.await
    const reply = yield* trouble.around(`moving callbacks to ${stream}`, look)
    const [moved, wrong] = Array.isArray(reply) ? reply : []
    const names = Array.isArray(wrong) ? wrong.join(", ") : ""
    if (names !== refused && names !== "") {
      yield* Effect.logWarning(
        `Callbacks are not read from keys that are not lists: ${names}. Delete or rename these keys`
      )
    }
    refused = names
    empty = Number(moved) > 0 ? 0 : empty + 1
    if (Number(moved) < batch) yield* Effect.sleep(Duration.millis(empty < patience ? poll : idlePoll))
  })
  return { takes: Effect.forever(once) }
}
