/**
 * One timer for many deadlines.
 *
 * With a timer for each, nearly all would be started and canceled in vain. Tasks that end in time do not touch this
 * timer. When it fires, it finds out which tasks are late and which still wait.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import { monotonicMillis } from "./monotonic.ts"

export interface Alarm {
  /** Asks for a look no later than this time, in monotonic milliseconds; `Infinity` means never. */
  readonly by: (deadline: number) => void
  /** Looks when it is time. Run it concurrently with the tasks that it watches. */
  readonly run: Effect.Effect<never>
}

/** `look` ends late tasks and returns the earliest deadline of the rest; `Infinity` if nothing waits. */
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
