/** What workers have counted: outcomes and durations of handlers, by action type and interval. */
import * as Clock from "effect/Clock"
import type * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Inspector from "../../Inspector.ts"
import type { RedisError } from "../../Redis.ts"
import { dateOf } from "../base/dates.ts"
import { percentile, sizeOf } from "../base/histogram.ts"
import { check } from "../base/options.ts"
import { failureOf } from "../redis/failure.ts"
import { array, strings } from "../redis/reply.ts"
import * as serverClock from "../redis/serverClock.ts"
import {
  addText,
  beginOf,
  columnCount,
  durationsAt,
  keyAt,
  minute,
  type outcomes,
  type Period,
  quarter
} from "../redis/statistics.ts"
import { maxEntries } from "../scripts/bounds.ts"
import { readStatistics } from "../scripts/statistics.ts"
import type { Desk } from "./desk.ts"
import { statisticsRows } from "./options.ts"

/** Columns by type, see `redis/statistics.ts`. */
type Counts = Map<string, Array<number>>

interface Interval {
  /** In milliseconds by the server's clock. */
  readonly time: number
  readonly counts: Counts
}

const noCounts = (): Array<number> => Array.from({ length: columnCount }, () => 0)

const add = (counts: Counts, type: string, text: string): void => {
  const own = counts.get(type) ?? noCounts()
  counts.set(type, own)
  addText(own, text)
}

/** Reads the periods that begin at these times, in as many calls as they need. */
const read = Effect.fnUntraced(function*(
  { naming, redis }: Desk,
  service: string,
  period: Period,
  times: ReadonlyArray<number>
): Effect.fn.Return<ReadonlyArray<Interval>, RedisError> {
  const intervals: Array<Interval> = []
  while (intervals.length < times.length) {
    const next = times.slice(intervals.length, intervals.length + maxEntries)
    const periods = next.map((time) => keyAt(naming, service, period, time))
    array(yield* redis.eval(readStatistics.script)({ periods })).forEach((reply, index) => {
      const counts: Counts = new Map()
      const flat = strings(reply)
      for (let i = 0; i + 1 < flat.length; i += 2) add(counts, flat[i]!, flat[i + 1]!)
      intervals.push({ time: next[index]!, counts })
    })
  }
  return intervals
})

const outcomesOf = (columns: ReadonlyArray<number>): Inspector.Outcomes => {
  const [succeeded = 0, expired = 0, rejected = 0, retried = 0, deadLetters = 0, released = 0] = columns
  return { succeeded, expired, rejected, retried, deadLetters, released } satisfies Record<
    typeof outcomes[number],
    number
  >
}

const latencyOf = (columns: ReadonlyArray<number>): Inspector.Latency | undefined => {
  const durations = columns.slice(durationsAt)
  const count = sizeOf(durations)
  if (count === 0) return undefined
  const at = (part: number) => Duration.millis(Math.round(percentile(durations, part) * 1_000) / 1_000)
  return { count, p50: at(0.5), p95: at(0.95), p99: at(0.99) }
}

const numbersOf = (columns: ReadonlyArray<number>): Omit<Inspector.StatisticsPoint, "time"> => ({
  outcomes: outcomesOf(columns),
  latency: latencyOf(columns)
})

const byType = (intervals: ReadonlyArray<Interval>): ReadonlyArray<Inspector.TypeStatistics> => {
  const types = [...new Set(intervals.flatMap(({ counts }) => [...counts.keys()]))].sort()
  return types.map((actionType) => {
    const total = noCounts()
    const points: Array<Inspector.StatisticsPoint> = []
    for (const { counts, time } of intervals) {
      const columns = counts.get(actionType)
      if (columns === undefined) continue
      columns.forEach((count, column) => {
        total[column]! += count
      })
      points.push({ time: dateOf(time), ...numbersOf(columns) })
    }
    return { actionType, total: numbersOf(total), points }
  })
}

/** How long after the end of a minute its counts are expected, in milliseconds: workers add them every 5 seconds. */
const late = 6_000

/** The last minute that is whole and counted. `undefined` if nothing was counted in the last quarter of an hour. */
export const rates = (desk: Desk, service: string, asOf: DateTime.Utc): Effect.Effect<
  Inspector.Rates | undefined,
  RedisError
> =>
  Effect.gen(function*() {
    const now = asOf.epochMilliseconds
    const [last] = yield* read(desk, service, minute, [beginOf(minute, now - late) - minute.length])
    const columns = noCounts()
    for (const own of last?.counts.values() ?? []) own.forEach((count, column) => (columns[column]! += count))
    if (last === undefined || last.counts.size === 0) {
      const quarters = yield* read(desk, service, quarter, [now - quarter.length, now])
      if (quarters.every(({ counts }) => counts.size === 0)) return undefined
    }
    const { deadLetters, expired, rejected, retried, succeeded } = outcomesOf(columns)
    return { ended: succeeded + expired + rejected + deadLetters, retried, deadLetters }
  }).pipe(
    // The other numbers are worth more than this one.
    Effect.catchIf((error) => failureOf(error) === "NoPermission", () => Effect.undefined)
  )

export const make = (desk: Desk): Inspector.Inspector["Service"]["statistics"] =>
  Effect.fnUntraced(function*(service, options = {}) {
    const last = Duration.toMillis(
      yield* Effect.fromResult(check("last", statisticsRows.last, options.last ?? statisticsRows.last.fallback))
    )
    const given = options.until === undefined
      ? Infinity
      : (yield* Effect.fromResult(check("until", statisticsRows.until, options.until))).epochMilliseconds
    return yield* desk.on(service, "read statistics", (names) =>
      Effect.gen(function*() {
        const server = serverClock.make(desk.redis, yield* Clock.Clock, names.stream)
        yield* server.sample
        const now = server.now()
        const until = Math.min(now, given)
        const period = until - last >= now - minute.kept ? minute : quarter
        const from = beginOf(period, until - last)
        const times: Array<number> = []
        for (let time = from; time < given && time <= now; time += period.length) times.push(time)
        return {
          service,
          asOf: dateOf(now),
          from: dateOf(from),
          until: dateOf(until),
          interval: Duration.millis(period.length),
          types: byType(yield* read(desk, service, period, times))
        }
      }))
  })
