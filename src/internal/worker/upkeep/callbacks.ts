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
import { array, strings } from "../../redis/reply.ts"
import { explain } from "../../redis/streamIds.ts"
import { maxArguments, pages, scriptWords } from "../../scripts/bounds.ts"
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

/** Lists of one call: the script takes the stream and its limit as well. */
const listsAtOnce = maxArguments - scriptWords - 2

/** What calls of the script did together. */
interface Moved {
  readonly count: number
  readonly refused: ReadonlyArray<string>
  /** Callbacks are left that may be moved at once. */
  readonly more: boolean
}

const nothing: Moved = { count: 0, refused: [], more: false }

const decode = (reply: unknown): Moved => {
  const [count, refused, left] = array(reply)
  return { count: Number(count), refused: strings(refused), more: Number(left) === 1 }
}

export const callbacks: MakePart = (host) => {
  const { gate, names: { stream }, redis, trouble } = host
  const lists = readLists(host)
  if (lists.length === 0) return undefined
  const move = (some: ReadonlyArray<string>): Effect.Effect<Moved, RedisError> =>
    redis.eval(moveCallbacks.script)({ stream, lists: some, limit: batch }).pipe(
      Effect.map(decode),
      Effect.mapError((error) => explain(stream, error))
    )
  let mayAsk = true
  /** Whether any of the lists has something. A user who may not run `EXISTS` runs the script each time instead. */
  const something = (some: ReadonlyArray<string>): Effect.Effect<boolean, RedisError> =>
    mayAsk
      ? redis.send<number>("EXISTS", ...some).pipe(
        Effect.map((count) => count > 0),
        Effect.catchIf((error) => failureOf(error) === "NoPermission", () =>
          Effect.sync(() => {
            mayAsk = false
            return true
          }))
      )
      : Effect.succeed(true)
  const parts = pages(lists, listsAtOnce)
  const look = Effect.map(
    Effect.forEach(
      parts,
      (some) => Effect.flatMap(something(some), (found) => found ? move(some) : Effect.succeed(nothing))
    ),
    (moved): Moved => ({
      count: moved.reduce((sum, { count }) => sum + count, 0),
      refused: moved.flatMap(({ refused }) => refused),
      more: moved.some(({ more }) => more)
    })
  )
  let refused = ""
  // A worker that starts has not seen a callback recently.
  let empty = patience
  const once = Effect.gen(function*() {
    yield* gate.await
    const { count, more, refused: wrong } = yield* trouble.around(`moving callbacks to ${stream}`, look)
    const names = wrong.join(", ")
    if (names !== refused && names !== "") {
      yield* Effect.logWarning(
        `Callbacks are not read from keys that are not lists: ${names}. Delete or rename these keys`
      )
    }
    refused = names
    empty = count > 0 ? 0 : empty + 1
    if (!more) yield* Effect.sleep(Duration.millis(empty < patience ? poll : idlePoll))
  })
  return { takes: Effect.forever(once) }
}
