/**
 * Takes everything that is due: parked actions, entries that wait for a retry, and schedules.
 *
 * No consumer holds or renews what waits, so it survives the crash of every worker, and a million waiting entries cost a worker
 * nothing. Parked actions enter the stream whatever the room: they may be for another worker.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { record } from "../../redis/reply.ts"
import { decodeDue, decodeTake, takeDue } from "../../scripts/take.ts"
import type { Consumer } from "../consumer.ts"
import type { Crew } from "../crew.ts"
import type { Host } from "../host.ts"
import type { MakePart } from "../part.ts"
import { claimBy, hasRoom, parametersFor, roomiest } from "./claim.ts"
import { noting } from "./promotions.ts"

/** The longest delay until something due that another process left is noticed, in milliseconds. */
const poll = 1_000

/**
 * A worker that recently left an entry to others checks for due entries this much later than they do, in milliseconds.
 * Otherwise all would check at the same moment, and a worker that knows the type could be the last of many each time.
 */
const standBack = 100

/** Many workers may take turns at leaving an entry to others before it is one worker's turn again. */
const lately = Duration.toMillis("10 minutes")

/** What the next look waits for. */
interface Next {
  /** Milliseconds. */
  readonly wait: number
  /** Retries are due, and no consumer had room. */
  readonly needsRoom: boolean
}

const nothing: Next = { wait: poll, needsRoom: false }

const looking = (host: Host, crew: Crew) => {
  const { gate, names, pausing, redis, signals } = host
  const note = noting(host)
  const keys = [names.retryDue, names.parkedDue, names.scheduleNext, names.paused]
  /** Whether nothing waited at the last look, or there was none. Then one plain command comes before the script. */
  let isIdle = true

  /** Takes retries for a consumer, and everything else. */
  const take = Effect.fnUntraced(function*(consumer: Consumer) {
    const parameters = parametersFor(host, crew, consumer)
    const { rest, taken } = yield* claimBy(
      host,
      crew,
      consumer,
      parameters.limit,
      redis.eval(takeDue.script)(parameters)
    )
    return { due: decodeDue(rest), isFull: taken.length >= parameters.limit }
  })

  /** No consumer has room: takes everything but retries. */
  const takeOthers = Effect.fnUntraced(function*() {
    const parameters = { ...parametersFor(host, crew, crew.everyone[0]!), limit: 0 }
    return { due: decodeDue(decodeTake(yield* redis.eval(takeDue.script)(parameters)).rest), isFull: false }
  })

  return Effect.fnUntraced(function*() {
    if (isIdle && Number(yield* redis.send("EXISTS", ...keys)) === 0) {
      pausing.learn([], 0)
      return nothing
    }
    // While the service is paused, what is parked enters the stream, and no entry is taken.
    const consumer = gate.isOpen() ? roomiest(crew) : undefined
    const { due, isFull } = yield* consumer === undefined ? takeOthers() : take(consumer)
    yield* note(due)
    pausing.learn(due.pauses, host.server.now())
    if (due.schedules.length > 0) {
      signals.dueSchedules = due.schedules
      signals.schedules.openUnsafe()
    }
    isIdle = due.nextRetry === undefined && due.nextOther === undefined && due.pauses.length === 0
    const retry = consumer === undefined ? undefined : due.nextRetry
    return {
      wait: isFull ? 0 : Math.min(retry ?? poll, due.nextOther ?? poll, poll),
      needsRoom: consumer === undefined && gate.isOpen() && due.nextRetry !== undefined
    }
  })
}

export const due: MakePart = (host, crew) => {
  const { names, pausing, redis, signals, vitals } = host
  const look = looking(host, crew)
  let yieldedAt = Number.NEGATIVE_INFINITY

  const takeAll = Effect.fnUntraced(function*() {
    yield* pausing.own.await
    signals.due.closeUnsafe()
    const next = yield* look()
    const now = yield* Clock.currentTimeMillis
    vitals.lastDue = now
    if (signals.yielded) yieldedAt = now
    signals.yielded = false
    return now - yieldedAt < lately ? { ...next, wait: next.wait + standBack } : next
  })

  let next = nothing
  const step = Effect.map(takeAll(), (found) => {
    next = found
  })

  return {
    // A worker that starts in a paused service takes nothing before it has learnt of the pause.
    starts: Effect.map(redis.send("HGETALL", names.paused), (reply) => {
      pausing.learn([...record(reply)].flat().map(String), host.server.now())
    }),
    takes: Effect.forever(
      Effect.andThen(
        host.trouble.around(`taking what is due in ${names.stream}`, step, host.restoreGroup),
        Effect.suspend(() => {
          const wait = Effect.raceFirst(Effect.sleep(Duration.millis(Math.max(next.wait, 1))), signals.due.await)
          return next.needsRoom ? Effect.raceFirst(wait, hasRoom(crew)) : wait
        })
      )
    )
  }
}
