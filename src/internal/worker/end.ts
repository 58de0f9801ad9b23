/** How a worker ends once it reads no more: drained, or abandoned after a failure. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { timeoutOption } from "../base/standstill.ts"
import type { Consumer } from "./consumer.ts"
import type { Crew } from "./crew.ts"
import type { Host } from "./host.ts"
import { drained, draining } from "./reading.ts"

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
      `The clock stands still while the worker of ${names.service} drains, so it waits no longer. ` +
        "Running handlers are interrupted and their actions given back. Move TestClock until the handlers have ended " +
        "(docs/testing.md)"
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
    yield* draining(
      host,
      everyone.reduce((sum, { runner }) => sum + runner.room.running, 0),
      options.shutdownGrace
    )
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
          ? `Handlers of ${names.service} did not end within 5 s of their interruption: other workers take their actions over. ` +
            "Keep uninterruptible parts of handlers short"
          : `Results of ${names.service} could not be written within 5 s: other workers run these actions again. ` +
            "Redis was out of reach while the worker drained"
      )
    }
    const released = yield* giveBack
    const count = released._tag === "Some" ? released.value.reduce((sum, next) => sum + next, 0) : 0
    if (ended._tag === "Some") yield* drained(host, count)
  }).pipe(
    Effect.catchCause((cause) =>
      Effect.logError(`A defect ended the drain: other workers take over the actions of ${names.service}`, cause)
    )
  )

  const abandon: End["abandon"] = (unkept) =>
    Effect.gen(function*() {
      leave()
      for (const { runner } of everyone) {
        runner.stopStarting()
        runner.interruptRunning()
      }
      yield* within(Effect.andThen(quiet, Effect.raceFirst(flushed, unkept)), lastGrace)
      yield* giveBack
    }).pipe(Effect.catchCause((cause) =>
      Effect.logError(`A defect ended the shutdown: other workers take over the actions of ${names.service}`, cause)
    ))

  return { drain, abandon }
}
