/** A request whose answer arrives in a list of its own, read on a connection of its own. */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { type Limits, parseResponse } from "../../DomainAction.ts"
import type { Redis, RedisError } from "../../Redis.ts"
import { type Answer, Unreadable } from "./answer.ts"

export interface AskAloneOptions {
  readonly redis: Redis["Service"]
  /** How long one read waits, in milliseconds. */
  readonly block: number
  readonly limits: Limits
}

/** The maximum number of such requests at once, because each holds a connection. */
const maxAlone = 64

/** Sends once a connection is free, and waits without a limit of its own. */
export const make = ({ block, limits, redis }: AskAloneOptions) => {
  const permits = Semaphore.makeUnsafe(maxAlone)
  return <E, R>(
    list: string,
    sending: Effect.Effect<string, E, R>
  ): Effect.Effect<Answer, E | RedisError, R> =>
    permits.withPermit(Effect.scoped(Effect.gen(function*() {
      const connection = yield* redis.reserve
      yield* sending
      while (true) {
        const reply = yield* connection.send<[string, string] | null>("BRPOP", list, String(block / 1000))
        if (reply === null) continue
        const parsed = parseResponse(reply[1], limits)
        // Only the requested service knows this list, so anything it pushes is the answer.
        return parsed._tag === "Success" ? parsed.success : new Unreadable(parsed.failure.text)
      }
    })))
}
