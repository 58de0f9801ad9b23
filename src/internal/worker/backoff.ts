/**
 * The delay before an attempt, from any `Schedule` and the number of failures alone.
 *
 * Attempts of one action run in different processes, so a schedule is replayed from
 * its start each time; its elapsed time is the sum of the delays so far.
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

/** Replays more than this many steps for nobody: beyond them the delay stays what it was. */
const maxSteps = 1_000

const replay = Effect.fnUntraced(function*(schedule: RetrySchedule, attempts: number) {
  const step = yield* Schedule.toStep(schedule)
  let now = 0
  let delay = Duration.zero
  for (let attempt = 1; attempt <= Math.min(attempts, maxSteps); attempt++) {
    const next = yield* Pull.catchDone(step(now, attempt), () => Effect.undefined)
    // A schedule that is done keeps its last delay: how many attempts there are is not for it to say.
    if (next === undefined) break
    delay = next[1]
    now += Duration.toMillis(delay)
  }
  return Duration.toMillis(delay)
})

/** Milliseconds to wait after the given number of failed attempts. */
export const delayAfter = (
  schedule: RetrySchedule,
  context: Context.Context<never>
): (attempts: number) => number => {
  const run = Effect.runSyncExitWith(context)
  return (attempts) => {
    const exit = run(replay(schedule, attempts))
    // A schedule that waits for something, or fails, cannot tell a delay: the default does.
    if (Exit.isSuccess(exit) && Number.isFinite(exit.value)) return exit.value
    return schedule === defaultSchedule ? 1_000 : delayAfter(defaultSchedule, context)(attempts)
  }
}
