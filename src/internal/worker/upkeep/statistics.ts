/**
 * Adds what this process has counted to the statistics in Redis, in one call every 5 seconds, if there is anything to
 * add. A process that dies loses what it counted since then.
 *
 * Statistics help and are never needed: a worker that cannot write them works, and says so once.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { RedisError } from "../../../Redis.ts"
import { monotonicMillis } from "../../base/monotonic.ts"
import { timeoutOption } from "../../base/standstill.ts"
import { uuid } from "../../base/uuid.ts"
import { failureOf, isTransient, saidBy } from "../../redis/failure.ts"
import { statisticsMark } from "../../redis/names.ts"
import { beginOf, expiryOf, keyAt, minute, quarter } from "../../redis/statistics.ts"
import { pages } from "../../scripts/bounds.ts"
import { type AddStatistics, addStatistics, maxTypes } from "../../scripts/statistics.ts"
import type { Counting } from "../counting.ts"
import type { Host } from "../host.ts"
import type { MakePart } from "../part.ts"

/** Milliseconds between two calls. */
const interval = 5_000

/** How long a call can be repeated without being counted twice, in milliseconds. */
const markExpiry = 3_600_000

/** Calls that wait for a server. The oldest are dropped beyond that: ten minutes of a server that takes nothing else. */
const maxUnsent = 120

/** How long the last call may take. */
const lastGrace = Duration.seconds(2)

const counted = ({ naming, names, server }: Host, counting: Counting) => {
  const mark = statisticsMark(naming, names.service, uuid())
  let sequence = 0
  let since = server.now()
  const unsent: Array<AddStatistics> = []

  /** Makes calls of what was counted since the last time. It belongs to the minute in which that was. */
  const take = (): void => {
    for (const rows of pages(counting.take(), maxTypes)) {
      unsent.push({
        mark,
        sequence: ++sequence,
        markExpiry,
        minute: keyAt(naming, names.service, minute, since),
        minuteExpiry: expiryOf(minute),
        quarter: keyAt(naming, names.service, quarter, since),
        quarterExpiry: expiryOf(quarter),
        rows
      })
    }
    if (unsent.length > maxUnsent) unsent.splice(0, unsent.length - maxUnsent)
    since = server.now()
  }
  return { unsent, take }
}

export const statistics: MakePart = (host) => {
  const { clock, counting, names, redis, server } = host
  if (counting === undefined) return undefined
  const { take, unsent } = counted(host, counting)
  let refused = false

  const sendAll = Effect.gen(function*() {
    for (let next = unsent[0]; next !== undefined; next = unsent[0]) {
      // A call whose reply was lost is sent again, and the script knows its number.
      yield* redis.eval(addStatistics.script)(next)
      unsent.shift()
      refused = false
    }
  })

  /** During an outage the calls wait, and other parts report it. */
  const failed = (error: RedisError): Effect.Effect<void> => {
    if (isTransient(failureOf(error))) return Effect.void
    unsent.length = 0
    if (refused) return Effect.void
    refused = true
    return Effect.logWarning(
      `The statistics of ${names.service} are not written: ${saidBy(error)}. The worker goes on without them. ` +
        "Grant the rights of docs/redis.acl, or set the worker's option statistics to false"
    )
  }

  const send = Effect.catch(sendAll, failed)

  // Each minute ends on time, so that what is counted belongs to one. The calls of many workers do not come together.
  const run = Effect.gen(function*() {
    let sendAt = monotonicMillis(clock) + interval * (yield* Random.next)
    while (true) {
      const untilSend = sendAt - monotonicMillis(clock)
      const now = server.now()
      yield* Effect.sleep(Duration.millis(Math.max(1, Math.min(untilSend, beginOf(minute, now) + minute.length - now))))
      take()
      if (monotonicMillis(clock) < sendAt) continue
      sendAt = monotonicMillis(clock) + interval
      yield* send
    }
  })

  const last = Effect.suspend(() => {
    take()
    return unsent.length === 0
      ? Effect.void
      : timeoutOption(Effect.interruptible(send), lastGrace, clock, Effect.void)
  })
  return { keeps: Effect.onInterrupt(run, () => last) }
}
