/**
 * Waits with a limit, on whatever clock. A `TestClock` that nobody moves any more, as while a scope closes, would make the
 * limit, and the test with it, last for ever.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { monotonicMillis } from "./monotonic.ts"

/** The clock where nobody has provided another. */
const live = Context.get(Context.empty(), Clock.Clock)

/** Real time without a move of the other clock, after which nobody is expected to move it. */
const patience = Duration.seconds(2)

const realPatience = Effect.provideService(Effect.sleep(patience), Clock.Clock, live)

/** Ends when the clock has not moved for a while of real time. */
const standstill = (clock: Clock.Clock): Effect.Effect<void> =>
  Effect.suspend(() => {
    const before = monotonicMillis(clock)
    return Effect.flatMap(
      realPatience,
      () => monotonicMillis(clock) === before ? Effect.void : standstill(clock)
    )
  })

/** As `Effect.timeoutOption` on that clock. Where it is not the real one, also ends when it stands still, and says so by `told`. */
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
