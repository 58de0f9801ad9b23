/**
 * Computes the delay before an attempt from a `Schedule` and the number of failures.
 *
 * The attempts of one action run in different processes, so the schedule is replayed from its start each time. Its
 * elapsed time is the sum of the delays so far.
 */
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Pull from "effect/Pull"
import * as Schedule from "effect/Schedule"

export type RetrySchedule = Schedule.Schedule<unknown, number>

/** From 1 second, doubled each time, at most 5 minutes, jittered. */
export const defaultSchedule: RetrySchedule = Schedule.min([
  Schedule.exponential("1 second"),
  Schedule.spaced("5 minutes")
]).pipe(Schedule.jittered)

/** The maximum number of steps that are replayed. Beyond it, the delay no longer changes. */
const maxSteps = 1_000

const replay = Effect.fnUntraced(function*(schedule: RetrySchedule, attempts: number) {
  const step = yield* Schedule.toStep(schedule)
  let now = 0
  let delay = Duration.zero
  for (let attempt = 1; attempt <= Math.min(attempts, maxSteps); attempt++) {
    const next = yield* Pull.catchDone(step(now, attempt), () => Effect.undefined)
    // A schedule that is done keeps its last delay, because `maxAttempts` decides the number of attempts.
    if (next === undefined) break
    delay = next[1]
    now += Duration.toMillis(delay)
  }
  return Duration.toMillis(delay)
})

/** Returns the delay after the given number of failed attempts, in milliseconds. */
export const delayAfter = (
  schedule: RetrySchedule,
  context: Context.Context<never>
): (attempts: number) => number => {
  const run = Effect.runSyncExitWith(context)
  return (attempts) => {
    const exit = run(replay(schedule, attempts))
    // A schedule that waits or fails has no delay to offer, so the default applies.
    if (Exit.isSuccess(exit) && Number.isFinite(exit.value)) return exit.value
    return schedule === defaultSchedule ? 1_000 : delayAfter(defaultSchedule, context)(attempts)
  }
}
