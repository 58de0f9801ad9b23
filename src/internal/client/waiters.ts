/**
 * Requests that wait for their answer. They are found by correlation id, and one alarm for all of them ends each in
 * time.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { RedisError } from "../../Redis.ts"
import * as Alarm from "../base/alarm.ts"
import { monotonicMillis } from "../base/monotonic.ts"
import * as Table from "../base/table.ts"
import type { Answer } from "./answer.ts"

/** Resumes a waiting request. */
export interface Waiter {
  /** When it times out, in monotonic milliseconds. Set when it is added. */
  deadline?: number
  readonly answered: (answer: Answer) => void
  readonly failed: (error: RedisError) => void
  readonly timedOut: () => void
}

export interface Waiters {
  readonly size: () => number
  /** Removes and returns the request that waits for this answer. */
  readonly take: (id: string) => Waiter | undefined
  /** Waits for `millis` milliseconds from now on; `Infinity` means no limit. */
  readonly add: (id: string, waiter: Waiter, millis: number) => void
  readonly remove: (id: string) => void
  readonly failAll: (error: RedisError) => void
}

export const make: Effect.Effect<Waiters, never, Scope.Scope> = Effect.gen(function*() {
  const clock = yield* Clock.Clock
  const context = yield* Effect.context<never>()
  const waiting = Table.make<Waiter>()

  const alarm = Alarm.make(clock, (now) => {
    let next = Infinity
    for (const waiter of waiting.values()) {
      const { deadline = Infinity } = waiter
      if (deadline <= now) waiter.timedOut()
      else next = Math.min(next, deadline)
    }
    return next
  })

  // Requests still waiting when the client ends time out as usual, and after that nothing keeps the process alive.
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
      const waiter = waiting.get(id)
      if (waiter === undefined) return undefined
      waiting.delete(id)
      rest()
      return waiter
    },
    add: (id, waiter, millis) => {
      const deadline = monotonicMillis(clock) + millis
      // Requests made after the client ended time out as usual too.
      if (closed && waiting.size() === 0) timer = watch()
      waiter.deadline = deadline
      waiting.set(id, waiter)
      alarm.by(deadline)
    },
    remove: (id) => {
      waiting.delete(id)
      rest()
    },
    failAll: (error) => {
      for (const waiter of waiting.values()) waiter.failed(error)
    }
  }
})
