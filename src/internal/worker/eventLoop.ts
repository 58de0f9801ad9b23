/** Measures how late timers fire. A worker whose event loop is blocked cannot renew its leases. */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { monotonicMillis } from "../base/monotonic.ts"
import type { MakePart } from "./part.ts"

export interface EventLoop {
  /** The longest delay of the loop in the last `window`, in milliseconds. */
  readonly delay: () => number
  readonly run: Effect.Effect<never>
}

/** Milliseconds between two measurements. */
const interval = 500

/** How long a delay is reported after it was measured, in milliseconds. */
const window = 10_000

export const make = (clock: Clock.Clock): EventLoop => {
  // Monotonic, because setting the system clock is not a delay.
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
    // Set here, not when the next sleep starts, to include a block between the two.
    expected = now + interval
  }
  return {
    delay: () => {
      const now = current()
      // If the loop is late right now, the measurement that would record it has not run yet.
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
