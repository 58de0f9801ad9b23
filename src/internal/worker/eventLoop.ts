/**
 * How late timers fire: a worker whose event loop is blocked cannot renew its leases.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { monotonicMillis } from "../base/monotonic.ts"
import type { MakePart } from "./part.ts"

export interface EventLoop {
  /** Milliseconds that the loop was late by, at most, in the last `window`. */
  readonly delay: () => number
  readonly run: Effect.Effect<never>
}

/** Milliseconds between two looks. */
const interval = 500

/** A delay is told for so many milliseconds after it was seen. */
const window = 10_000

export const make = (clock: Clock.Clock): EventLoop => {
  // A clock that somebody sets is no delay.
  const current = (): number => Math.round(monotonicMillis(clock))
  let expected = current() + interval
  let worst = 0
  let seen = 0
  const look = (): void => {
    const now = current()
    const late = Math.max(0, now - expected)
    if (late >= worst || now - seen > window) {
      worst = late
      seen = now
    }
    // Here and not when the next sleep starts: a loop that stands still in between is late as well.
    expected = now + interval
  }
  return {
    delay: () => {
      const now = current()
      // While the loop is late right now, the look that would record it has not happened yet.
      const late = Math.max(0, now - expected)
      return now - seen > window ? late : Math.max(late, worst)
    },
    run: Effect.suspend(() => {
      expected = current() + interval
      return Effect.forever(Effect.andThen(Effect.sleep(interval), Effect.sync(look)))
    })
  }
}

export const eventLoop: MakePart = ({ clock, vitals }) => {
  const loop = make(clock)
  vitals.eventLoopDelay = loop.delay
  return { keeps: loop.run }
}
