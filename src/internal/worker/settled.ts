/**
 * The option `onSettled`: runs an effect of the user for every delivery whose settlement is written.
 *
 * It runs beside the worker, which does not wait for it except when it ends. Its failures are logged, at most one a
 * minute, and change nothing.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Settlement } from "../../Settlement.ts"
import { monotonicMillis } from "../base/monotonic.ts"
import { timeoutOption } from "../base/standstill.ts"
import type { Decision, Written } from "./decision.ts"
import type { Host } from "./host.ts"
import type { MakePart } from "./part.ts"

/** What became of an entry. The settlement that was decided, unless the server or another worker prevented it. */
export const settledAs = ({ settlement }: Decision, written: Written): Settlement => {
  switch (written) {
    case "settled":
      return settlement
    case "undeliverable":
    case "unwritable":
      return settlement._tag === "DeadLetter" || settlement._tag === "Retry" ? settlement : undeliverable
    default:
      return lost
  }
}

const lost: Settlement = { _tag: "Lost" }

const undeliverable: Settlement = {
  _tag: "DeadLetter",
  reason: "undeliverable",
  error: { error_type: "Undeliverable", error_code: null, message: "The answer could not be pushed", details: null },
  answer: false
}

/** Milliseconds between two log lines about failures. */
const logInterval = 60_000

/** How long observers may run after the worker has settled everything. */
const lastGrace = Duration.seconds(5)

export interface Observing {
  readonly notify: (decision: Decision, written: Written, consumer: string) => void
  /** Waits for the observers that run. */
  readonly ended: Effect.Effect<void>
}

export const make = (
  { clock, context, names, options: { onSettled } }: Pick<Host, "clock" | "context" | "names" | "options">
): Observing | undefined => {
  if (onSettled === undefined) return undefined
  const fork = Effect.runForkWith(context)
  const running = new Set<Fiber.Fiber<unknown>>()
  let logged = Number.NEGATIVE_INFINITY

  const failed = (cause: Cause.Cause<unknown>): Effect.Effect<void> => {
    const now = monotonicMillis(clock)
    if (now - logged < logInterval || Cause.hasInterruptsOnly(cause)) return Effect.void
    logged = now
    return Effect.annotateLogs(
      Effect.logWarning("The observer onSettled failed. The action is settled all the same", cause),
      { service: names.service }
    )
  }

  const notify: Observing["notify"] = (decision, written, consumer) => {
    const { action, attempt, cause, entry: { deliveries, id: entryId } } = decision
    const delivery = { action, entryId, attempt, deliveries, consumer, cause }
    const fiber = fork(
      Effect.catchCause(
        Effect.suspend((): Effect.Effect<unknown, unknown> => {
          const effect = onSettled(settledAs(decision, written), delivery)
          return Effect.isEffect(effect) ? effect : Effect.void
        }),
        failed
      )
    )
    if (fiber.pollUnsafe() !== undefined) return
    running.add(fiber)
    fiber.addObserver(() => running.delete(fiber))
  }

  const ended = Effect.suspend(() => {
    const left = [...running]
    if (left.length === 0) return Effect.void
    return Effect.flatMap(
      timeoutOption(Fiber.awaitAll(left), lastGrace, clock, Effect.void),
      (all) =>
        all._tag === "Some" ? Effect.void : Effect.andThen(
          Effect.logWarning(
            `Observers of ${names.service} (onSettled) did not end within 5 s of the last settlement and are interrupted`
          ),
          // Not waited for: one of them may be uninterruptible.
          Effect.sync(() => left.forEach((fiber) => fiber.interruptUnsafe()))
        )
    )
  })

  return { notify, ended }
}

/** When the worker ends, everything is settled, and the observers that still run get a last moment. */
export const observing: MakePart = ({ observing }) =>
  observing && { keeps: Effect.onInterrupt(Effect.never, () => observing.ended) }
