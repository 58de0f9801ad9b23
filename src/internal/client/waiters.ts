/**
 * Requests that wait for their answer: found by correlation id, and ended in time by one alarm for all of them.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { RedisError } from "../../Redis.ts"
import * as Alarm from "../base/alarm.ts"
import { monotonicMillis } from "../base/monotonic.ts"
import * as Table from "../base/table.ts"
import type { Answer } from "./answer.ts"

/** How a request that waits is resumed. */
export interface Waiter {
  readonly answered: (answer: Answer) => void
  readonly failed: (error: RedisError) => void
  readonly timedOut: () => void
}

export interface Waiters {
  readonly size: () => number
  /** Who waits for this answer, and waits no more. */
  readonly take: (id: string) => Waiter | undefined
  /** Waits for `millis` milliseconds from now on; `Infinity` for as long as it takes. */
  readonly add: (id: string, waiter: Waiter, millis: number) => void
  readonly remove: (id: string) => void
  readonly failAll: (error: RedisError) => void
}

/** A class and no literal, see `entry.ts`. */
class Waiting {
  readonly waiter: Waiter
  readonly deadline: number
  constructor(waiter: Waiter, deadline: number) {
    this.waiter = waiter
    this.deadline = deadline
  }
}

export const make: Effect.Effect<Waiters, never, Scope.Scope> = Effect.gen(function*() {
  const clock = yield* Clock.Clock
  const context = yield* Effect.context<never>()
  const waiting = Table.make<Waiting>()

  const alarm = Alarm.make(clock, (now) => {
    let next = Infinity
    for (const { deadline, waiter } of waiting.values()) {
      if (deadline <= now) waiter.timedOut()
      else next = Math.min(next, deadline)
    }
    return next
  })

  // Who still waits when the client ends is told in time, and then nothing keeps the process.
  const watch = () => Effect.runForkWith(context)(alarm.run)
  let timer = watch()
  let closed = false
  const rest = (): void => {
    if (closed && waiting.size() === 0) timer.interruptUnsafe()
  }
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      closed = true
      rest()
    })
  )

  return {
    size: waiting.size,
    take: (id) => {
      const found = waiting.get(id)
      if (found === undefined) return undefined
      waiting.delete(id)
      rest()
      return found.waiter
    },
    add: (id, waiter, millis) => {
      const deadline = monotonicMillis(clock) + millis
      // Whoever still asks a client that has ended is told in time as well.
      if (closed && waiting.size() === 0) timer = watch()
      waiting.set(id, new Waiting(waiter, deadline))
      alarm.by(deadline)
    },
    remove: (id) => {
      waiting.delete(id)
      rest()
    },
    failAll: (error) => {
      for (const { waiter } of waiting.values()) waiter.failed(error)
    }
  }
})
