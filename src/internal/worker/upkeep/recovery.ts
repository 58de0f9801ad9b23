/**
 * Claims entries that other consumers left.
 *
 * Entries due for a retry and entries of dead consumers are claimed by scripts that check and count. No consumer holds
 * or renews an entry that waits, so a backoff survives the crash of every worker, and a million waiting entries cost a
 * worker nothing.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Metrics from "../../../Metrics.ts"
import type { RedisError } from "../../../Redis.ts"
import type { WorkerError } from "../../../WorkerError.ts"
import { monotonicMillis } from "../../base/monotonic.ts"
import { strings } from "../../redis/reply.ts"
import { decodeTake, takeDue, takeIdle } from "../../scripts/take.ts"
import { isLoss } from "../arrivals.ts"
import type { Consumer } from "../consumer.ts"
import type { Crew } from "../crew.ts"
import { budgetFor, fromTaken } from "../finder.ts"
import type { Host } from "../host.ts"
import type { MakePart } from "../part.ts"

/** An entry delivered this often without an outcome runs alone. */
const suspectAfter = 3

/** The longest delay until a due entry of another, dead process is noticed, in milliseconds. */
const duePoll = 1_000

/**
 * A worker that recently left an entry to others checks for due entries this much later than they do, in milliseconds.
 * Otherwise all would check at the same moment, and a worker that knows the type could be the last of many each time.
 */
const standBack = 100

/** Many workers may take turns at leaving an entry to others before it is one worker's turn again. */
const lately = Duration.toMillis("10 minutes")

/** Entries claimed in one call. */
const maxClaimed = 200

/** How long after a claim of large entries the next one leaves: several times what the server needs for one. */
const cutPause = Duration.millis(50)

/** Consumers that hold nothing and were idle for so long are removed. */
const removeAfter = Duration.toMillis("1 hour")

/** Claims repeatedly for the consumer with the most room, and waits while none has any. */
const claiming = (
  { gate }: Host,
  { readers }: Crew,
  claim: (consumer: Consumer, open: Effect.Effect<void>) => Effect.Effect<unknown, WorkerError>
): Effect.Effect<never, WorkerError> =>
  Effect.forever(Effect.suspend(() => {
    let best: Consumer | undefined
    for (const consumer of readers) {
      if (consumer.runner.room.free() > (best?.runner.room.free() ?? 0)) best = consumer
    }
    return best === undefined
      ? Effect.raceAll(readers.map(({ runner }) => runner.room.available))
      : claim(best, gate.await)
  }))

const parametersFor = ({ arrivals, names, options }: Host, { alone }: Crew, { name, runner: { room } }: Consumer) => ({
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
const claimBy = Effect.fnUntraced(function*(
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

/** Claims entries that are due for a retry. */
const claimingDue = (host: Host, crew: Crew): Effect.Effect<never, WorkerError> => {
  const { names, redis, signals } = host
  /** Milliseconds until the next look for due entries. */
  let nextDue = 0
  let yieldedAt = Number.NEGATIVE_INFINITY
  /** Whether the last look found no waiting entry at all. Then one plain command replaces the script. */
  let noneWaits = false

  const look = Effect.fnUntraced(function*(consumer: Consumer) {
    if (noneWaits && Number(yield* redis.send("EXISTS", names.retryDue)) === 0) {
      nextDue = duePoll
      return
    }
    const parameters = parametersFor(host, crew, consumer)
    const { rest, taken } = yield* claimBy(
      host,
      crew,
      consumer,
      parameters.limit,
      redis.eval(takeDue.script)(parameters)
    )
    const wait = Number(rest[0])
    noneWaits = wait < 0
    nextDue = taken.length >= parameters.limit ? 0 : wait < 0 ? duePoll : Math.min(wait, duePoll)
  })

  const claim = Effect.fnUntraced(function*(consumer: Consumer) {
    yield* look(consumer)
    const now = yield* Clock.currentTimeMillis
    if (signals.yielded) yieldedAt = now
    signals.yielded = false
    if (now - yieldedAt < lately) nextDue += standBack
  })

  return claiming(host, crew, (consumer, open) => {
    signals.due.closeUnsafe()
    return host.trouble.around(
      `taking due entries of ${names.stream}`,
      Effect.andThen(open, claim(consumer)),
      host.restoreGroup
    ).pipe(
      Effect.andThen(
        Effect.suspend(() => Effect.raceFirst(Effect.sleep(Duration.millis(Math.max(nextDue, 1))), signals.due.await))
      )
    )
  })
}

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
  takes: Effect.all([claimingDue(host, crew), claimingIdle(host, crew)], { concurrency: "unbounded", discard: true })
})
