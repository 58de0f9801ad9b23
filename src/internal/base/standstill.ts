/**
 * Waits with a limit on any clock. A `TestClock` that no test advances any more, for example while a scope closes,
 * would make the limit, and the test with it, last forever.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { monotonicMillis } from "./monotonic.ts"

/** The default clock. */
const live = Context.get(Context.empty(), Clock.Clock)

/** How long the other clock may stand still in real time before it is given up. */
const patience = Duration.seconds(2)

const realPatience = Effect.provideService(Effect.sleep(patience), Clock.Clock, live)

/** Ends when the clock has not advanced for a while of real time. */
const standstill = (clock: Clock.Clock): Effect.Effect<void> =>
  Effect.suspend(() => {
    const before = monotonicMillis(clock)
    return Effect.flatMap(
      realPatience,
      () => monotonicMillis(clock) === before ? Effect.void : standstill(clock)
    )
  })

/**
 * Like `Effect.timeoutOption` on that clock. If it is not the real clock, it also ends when that clock stands still,
 * and calls `told`.
 */
export const timeoutOption = <A, E>(
  effect: Effect.Effect<A, E>,
  limit: Duration.Duration,
  clock: Clock.Clock,
  told: Effect.Effect<void>
): Effect.Effect<Option.Option<A>, E> => {
  const limited = Effect.timeoutOption(effect, limit)
  return clock === live
    ? limited
    : Effect.raceFirst(limited, Effect.as(Effect.andThen(standstill(clock), told), Option.none()))
}
