/** What a program does with the lanes of a service at run time. */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { LaneLimits, LaneRef, Lanes, LaneStatus } from "../../Lanes.ts"
import type { QueueNamingShape } from "../../QueueNaming.ts"
import type { Redis } from "../../Redis.ts"
import { InvalidOption } from "../base/invalidOption.ts"
import { check, time, wholeNumber } from "../base/options.ts"
import { laneRows } from "../contract/lane.ts"
import { namesOf } from "../redis/names.ts"
import { array, strings } from "../redis/reply.ts"
import { overrideRule, pauseLane, readLanes, resumeLane } from "../scripts/laneCalls.ts"

const rows = {
  limit: wholeNumber(1, 100),
  pause: time("1 milli", "366 days", { example: "1 minute" })
} as const

const nameOf = (ref: LaneRef | Omit<LaneRef, "key">): string =>
  ref.name === undefined ? `t:${ref.type ?? ""}` : `n:${ref.name}`

const laneOf = (ref: LaneRef): string => `${nameOf(ref)}\0${ref.key}`

const stateOf = (pause: string): Pick<LaneStatus, "state" | "until"> => {
  if (pause.startsWith("halted")) return { state: "halted", until: undefined }
  const until = Number(/^\d+/.exec(pause)?.[0] ?? 0)
  return until > 0
    ? { state: "paused", until: DateTime.makeUnsafe(until) }
    : { state: "open", until: undefined }
}

const statusOf = (row: unknown): LaneStatus => {
  const [lane, held, waiting, pause, places] = array(row)
  const [name = "", key = ""] = String(lane).split("\0")
  const own = name.slice(2)
  return {
    ...(name.startsWith("n:") ? { name: own, type: undefined } : { name: undefined, type: own }),
    key: key === "" ? undefined : key,
    held: Number(held),
    waiting: Number(waiting),
    holders: strings(places),
    ...stateOf(String(pause))
  }
}

/** An operator's rule: what is not given stays as the workers declare it. */
const ruleOf = Effect.fnUntraced(function*(limits: LaneLimits) {
  const of = Effect.fnUntraced(function*(option: string, kind: typeof laneRows.concurrency, value: number | undefined) {
    return value === undefined ? "-" : String(yield* Effect.fromResult(check(option, kind, value)))
  })
  const rate = Effect.fnUntraced(function*(option: string, given: LaneLimits["rate"]) {
    if (given === undefined) return ["-", "-"]
    const limit = yield* of(`${option}.limit`, laneRows["rate.limit"], given.limit)
    const per = yield* Effect.fromResult(check(`${option}.per`, laneRows["rate.per"], given.per))
    return [limit, String(Duration.toMillis(per))]
  })
  return [
    yield* of("concurrency", laneRows.concurrency, limits.concurrency),
    ...yield* rate("rate", limits.rate),
    "-",
    "-",
    yield* of("total.concurrency", laneRows.concurrency, limits.total?.concurrency),
    ...yield* rate("total.rate", limits.total?.rate)
  ].join(" ")
})

export const make = (redis: Redis["Service"], naming: QueueNamingShape, service: string) =>
  Effect.map(
    Effect.try({
      try: () => namesOf(naming, service),
      catch: (cause) =>
        new InvalidOption({
          option: "service",
          found: JSON.stringify(service),
          expected: `a service whose names the naming can make (${cause instanceof Error ? cause.message : cause})`
        })
    }),
    (names): Lanes["Service"] => ({
      list: Effect.fnUntraced(function*({ after = "", limit = 100 } = {}) {
        yield* Effect.fromResult(check("limit", rows.limit, limit))
        const [cursor, found] = array(yield* redis.eval(readLanes.script)({ ...names, after, limit }))
        return {
          lanes: array(found).map(statusOf),
          cursor: cursor === "" || cursor === undefined ? undefined : String(cursor)
        }
      }),
      pause: Effect.fnUntraced(function*(ref, duration) {
        const millis = Math.ceil(Duration.toMillis(yield* Effect.fromResult(check("pause", rows.pause, duration))))
        yield* redis.eval(pauseLane.script)({ ...names, lane: laneOf(ref), millis })
      }),
      resume: (ref) =>
        Effect.map(
          redis.eval(resumeLane.script)({ ...names, lane: laneOf(ref) }),
          (resumed) => Number(resumed) === 1
        ),
      limit: Effect.fnUntraced(function*(ref, limits) {
        const rule = limits === undefined ? "" : yield* ruleOf(limits)
        yield* redis.eval(overrideRule.script)({ ...names, name: nameOf(ref), rule })
      })
    })
  )
