/**
 * One timer for many deadlines.
 *
 * A timer for each would be started and taken back for nearly all of them. This one is left alone by whatever ends in time,
 * and finds out, when it fires, what is late and what still waits.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import { monotonicMillis } from "./monotonic.ts"

export interface Alarm {
  /** Something is to be looked at in time: in monotonic milliseconds, `Infinity` for never. */
  readonly by: (deadline: number) => void
  /** Looks when it is time; runs beside what it watches. */
  readonly run: Effect.Effect<never>
}

/** `look` ends what is late, and returns the earliest deadline of the rest; `Infinity` when nothing waits. */
export const make = (clock: Clock.Clock, look: (now: number) => number): Alarm => {
  let next = Infinity
  const earlier = Latch.makeUnsafe(false)

  const by = (deadline: number): void => {
    if (deadline >= next) return
    next = deadline
    earlier.openUnsafe()
  }

  return {
    by,
    run: Effect.forever(Effect.suspend(() => {
      earlier.closeUnsafe()
      if (next === Infinity) return earlier.await
      const now = monotonicMillis(clock)
      if (next > now) return Effect.raceFirst(Effect.sleep(Duration.millis(next - now)), earlier.await)
      next = Infinity
      by(look(now))
      return Effect.void
    }))
  }
}
