/** Claims entries that dead consumers left. The script checks and counts. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Metrics from "../../../Metrics.ts"
import type { WorkerError } from "../../../WorkerError.ts"
import { strings } from "../../redis/reply.ts"
import { takeIdle } from "../../scripts/take.ts"
import type { Consumer } from "../consumer.ts"
import type { Crew } from "../crew.ts"
import type { Host } from "../host.ts"
import type { MakePart } from "../part.ts"
import { claimBy, hasRoom, parametersFor, roomiest } from "./claim.ts"

/** How long after a claim of large entries the next one leaves: several times what the server needs for one. */
const cutPause = Duration.millis(50)

/** Consumers that hold nothing and were idle for so long are removed. */
const removeAfter = Duration.toMillis("1 hour")

/** Claims repeatedly for the consumer with the most room, and waits while none has any. */
const claiming = (
  { gate }: Host,
  crew: Crew,
  claim: (consumer: Consumer, open: Effect.Effect<void>) => Effect.Effect<unknown, WorkerError>
): Effect.Effect<never, WorkerError> =>
  Effect.forever(Effect.suspend(() => {
    const best = roomiest(crew)
    return best === undefined ? hasRoom(crew) : claim(best, gate.await)
  }))

/** Claims entries that were not renewed for as long as the lease. */
const claimingIdle = (host: Host, crew: Crew): Effect.Effect<never, WorkerError> => {
  const { names, options, redis, telemetry, vitals } = host
  const { alone, everyone } = crew
  const own = everyone.map(({ name }) => name)
  let cursor = "-"
  /** Whether the last claim left entries that can be claimed soon. */
  let more = false
  /** Whether the last claim ended because of the bytes that one call takes. */
  let isCut = false
  /** Whether it saw entries that may be run only alone. */
  let suspected = false

  const claim = Effect.fnUntraced(function*(consumer: Consumer) {
    const parameters = parametersFor(host, crew, consumer)
    const { claimIdle } = options
    const { rest, suspects, taken } = yield* claimBy(
      host,
      crew,
      consumer,
      parameters.limit,
      redis.eval(takeIdle.script)({ ...parameters, claimIdle, removeAfter, cursor, own })
    )
    if (taken.length > 0) telemetry.count(Metrics.claims, taken.length)
    cursor = String(rest[0] ?? "-")
    const removed = strings(rest[1])
    if (removed.length > 0) {
      yield* Effect.logInfo(`Removed ${removed.length} consumers whose processes ended an hour ago or longer`)
    }
    suspected = suspects > 0
    isCut = Number(rest[2]) === 1
    more = taken.length >= parameters.limit || suspected || cursor !== "-"
    // A reply that was lost on its way left entries pending here that nothing runs.
    for (const next of everyone) yield* next.intake.find(Math.floor(vitals.lease / 2))
  })

  return claiming(
    host,
    crew,
    (consumer, open) =>
      host.trouble.around(`claiming in ${names.stream}`, Effect.andThen(open, claim(consumer)), host.restoreGroup).pipe(
        Effect.andThen(Random.next),
        Effect.flatMap((random) => {
          // Jittered, so that the workers of a group do not claim at the same time.
          const wait = Effect.sleep(
            isCut
              ? cutPause
              : Duration.millis(more ? Math.min(vitals.lease / 4, 1_000) : (vitals.lease / 4) * (0.75 + random / 2))
          )
          // A crash may leave thousands of suspects, so the next one is claimed as soon as the previous one is done.
          return suspected ? Effect.raceFirst(wait, alone.runner.room.available) : wait
        })
      )
  )
}

export const recovery: MakePart = (host, crew) => ({
  takes: claimingIdle(host, crew)
})
