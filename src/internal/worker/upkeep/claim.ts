/** What claiming entries that are due and entries that others left have in common. */
import * as Effect from "effect/Effect"
import type { RedisError } from "../../../Redis.ts"
import { monotonicMillis } from "../../base/monotonic.ts"
import { decodeTake } from "../../scripts/take.ts"
import { isLoss } from "../arrivals.ts"
import type { Consumer } from "../consumer.ts"
import type { Crew } from "../crew.ts"
import { budgetFor, fromTaken } from "../finder.ts"
import type { Host } from "../host.ts"

/** An entry delivered this often without an outcome runs alone. */
const suspectAfter = 3

/** Entries claimed in one call. */
const maxClaimed = 200

/** The consumer with the most room; `undefined` while none has any. */
export const roomiest = ({ readers }: Crew): Consumer | undefined => {
  let best: Consumer | undefined
  for (const consumer of readers) {
    if (consumer.runner.room.free() > (best?.runner.room.free() ?? 0)) best = consumer
  }
  return best
}

/** Waits until a consumer has room. */
export const hasRoom = ({ readers }: Crew): Effect.Effect<void> =>
  Effect.raceAll(readers.map(({ runner }) => runner.room.available))

export const parametersFor = (
  { arrivals, names, options }: Host,
  { alone }: Crew,
  { name, runner: { room } }: Consumer
) => ({
  ...names,
  consumer: name,
  aloneConsumer: alone.runner.room.free() > 0 ? alone.name : "",
  // At least two deliveries make a suspect. With one, every retry would be a suspect.
  suspectAfter: Math.max(2, Math.min(suspectAfter, options.maxDeliveries)),
  // The room may have shrunk since it was checked, and Redis treats a negative limit as no limit.
  limit: Math.max(1, Math.min(room.free(), maxClaimed, arrivals.most())),
  budget: budgetFor(room)
})

/** Claims entries with a script and passes them to their consumers. */
export const claimBy = Effect.fnUntraced(function*(
  { arrivals, clock, onGone }: Host,
  { alone }: Crew,
  consumer: Consumer,
  asked: number,
  script: Effect.Effect<unknown, RedisError>
) {
  const since = monotonicMillis(clock)
  const claimed = decodeTake(
    // A claim whose reply is lost still took entries. The consumers look for them.
    yield* Effect.tapError(script, (error) =>
      Effect.sync(() => {
        if (!isLoss(error)) return
        arrivals.lost(asked)
        consumer.intake.missed()
        alone.intake.missed()
      }))
  )
  const { taken } = claimed
  arrivals.came(taken.length)
  yield* consumer.intake.accept(taken.filter((next) => next.consumer !== alone.name).map(fromTaken), since)
  yield* alone.intake.accept(taken.filter((next) => next.consumer === alone.name).map(fromTaken), since)
  if (claimed.lost.length > 0) yield* onGone(claimed.lost)
  return claimed
})
