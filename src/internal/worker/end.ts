/** How a worker ends once it reads no more: drained, or abandoned after a failure. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { timeoutOption } from "../base/standstill.ts"
import type { Consumer } from "./consumer.ts"
import type { Crew } from "./crew.ts"
import type { Host } from "./host.ts"

export interface End {
  /** Finishes running handlers and releases the rest. */
  readonly drain: Effect.Effect<void>
  /**
   * Ends a failed worker. Handlers are interrupted. Decisions are written and other entries released as far as the
   * server allows, so that no entry counts a death that it did not cause; the rest stays pending. `unkept` ends when
   * the parts that keep entries have ended. Nothing is written after that.
   */
  readonly abandon: (unkept: Effect.Effect<void>) => Effect.Effect<void>
}

/** How long an interrupted handler may take to end, and a decision to be written. */
const lastGrace = Duration.seconds(5)

const limiting = ({ clock, names }: Host) => {
  let told = false
  const tellStandstill = Effect.suspend(() => {
    if (told) return Effect.void
    told = true
    return Effect.logWarning(
      `The clock stands still while the worker of ${names.stream} stops, so it waits no longer. ` +
        "Handlers that run are interrupted and given back. Move TestClock until the handlers have ended, see docs/testing.md"
    )
  })
  return <A, E>(effect: Effect.Effect<A, E>, limit: Duration.Duration) =>
    timeoutOption(effect, limit, clock, tellStandstill)
}

/** `leave` tells other workers of this process that this one takes no more actions. */
export const make = (host: Host, { everyone }: Crew, leave: () => void): End => {
  const { names, options } = host
  const within = limiting(host)
  const all = <A, E>(of: (consumer: Consumer) => Effect.Effect<A, E>) =>
    Effect.forEach(everyone, of, { concurrency: "unbounded" })
  const quiet = all(({ runner }) => runner.awaitQuiet)
  const flushed = all(({ settler }) => settler.flushed)
  const readersStopped = all(({ reader }) => reader?.stopped ?? Effect.void)
  const giveBack = within(all(({ release }) => release), lastGrace)

  const drain = Effect.gen(function*() {
    leave()
    for (const { runner } of everyone) runner.stopStarting()
    // Runs concurrently with the handlers' grace, so that a silent server does not prolong it.
    yield* Effect.all([
      within(readersStopped, lastGrace),
      within(quiet, Duration.millis(options.shutdownGrace))
    ], { concurrency: "unbounded", discard: true })
    for (const { runner } of everyone) runner.interruptRunning()
    const ended = yield* within(Effect.andThen(quiet, flushed), lastGrace)
    if (ended._tag === "None") {
      yield* Effect.logError(
        everyone.some(({ runner }) => runner.room.running > 0)
          ? `Handlers of ${names.stream} did not end when interrupted: others take their actions`
          : `What was decided in ${names.stream} could not be written in time: others run its actions again`
      )
    }
    const released = yield* giveBack
    const count = released._tag === "Some" ? released.value.reduce((sum, next) => sum + next, 0) : 0
    if (count > 0) yield* Effect.logInfo(`Gave back ${count} actions of ${names.stream}`)
  }).pipe(Effect.catchCause((cause) => Effect.logError("The drain did not end well", cause)))

  const abandon: End["abandon"] = (unkept) =>
    Effect.gen(function*() {
      leave()
      for (const { runner } of everyone) {
        runner.stopStarting()
        runner.interruptRunning()
      }
      yield* within(Effect.andThen(quiet, Effect.raceFirst(flushed, unkept)), lastGrace)
      yield* giveBack
    }).pipe(Effect.catchCause((cause) => Effect.logError("The end of a failed worker did not go well", cause)))

  return { drain, abandon }
}
