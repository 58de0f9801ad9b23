/**
 * Moves callbacks from this service's callback lists to its action stream, where a callback is an ordinary action with
 * retries and dead letters.
 *
 * Redis cannot wait for a list without taking an element, and a crash would lose that element. So the lists are polled.
 * One `EXISTS` covers all of them. The script that moves callbacks needs a command for each list, so it runs only when
 * there is something to move.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { RedisError } from "../../../Redis.ts"
import { failureOf } from "../../redis/failure.ts"
import { explain } from "../../redis/streamIds.ts"
import { moveCallbacks } from "../../scripts/streams.ts"
import { readLists } from "../callbackLists.ts"
import type { MakePart } from "../part.ts"

/**
 * The longest that a callback waits in its list while callbacks arrive, and after a while without any, in milliseconds.
 */
const poll = 100
const idlePoll = 250

/** The number of empty looks that count as a while. */
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
  /** Whether any list has an element. Without permission for `EXISTS`, the script runs each time instead. */
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
  // A worker that starts has not seen a callback recently.
  let empty = patience
  const once = Effect.gen(function*() {
    yield* gate.await
    const reply = yield* trouble.around(`moving callbacks to ${stream}`, look)
    const [moved, wrong] = Array.isArray(reply) ? reply : []
    const names = Array.isArray(wrong) ? wrong.join(", ") : ""
    if (names !== refused && names !== "") {
      yield* Effect.logWarning(`Callback lists that hold another type are left alone: ${names}`)
    }
    refused = names
    empty = Number(moved) > 0 ? 0 : empty + 1
    if (Number(moved) < batch) yield* Effect.sleep(Duration.millis(empty < patience ? poll : idlePoll))
  })
  return { takes: Effect.forever(once) }
}
