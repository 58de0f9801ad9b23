/** What a program does with the lanes of a service at run time. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { LaneLimits, LaneListOptions, Lanes, LaneTarget } from "../../Lanes.ts"
import type { QueueNamingShape } from "../../QueueNaming.ts"
import type { Redis } from "../../Redis.ts"
import { check, text, time, wholeNumber } from "../base/options.ts"
import { keyRow, laneRows } from "../contract/lane.ts"
import type { Names } from "../redis/names.ts"
import { array } from "../redis/reply.ts"
import { serviceNames } from "../redis/serviceNames.ts"
import { maxEntries } from "../scripts/bounds.ts"
import { overrideRule, pauseLane, resumeLane } from "../scripts/laneCalls.ts"
import { findLane, maxLanesListed, readLanes, readNames } from "../scripts/laneReads.ts"
import { LaneNotFound } from "./errors.ts"
import { idDigits, laneOf, nameOf, statusOf, summaryOf } from "./status.ts"

const rows = {
  limit: wholeNumber(1, maxLanesListed),
  cursor: text(/^\d{1,16}(\.\d{1,16}){0,2}$/, "the cursor of a page of the same list"),
  id: text(new RegExp(`^[0-9a-f]{${idDigits}}$`), "the id of the status of a lane"),
  pause: time("1 milli", "366 days", { example: "1 minute" })
} as const

/** Lanes that are looked at to find one by its id. */
const maxLooked = 100_000

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

/** The name of a lane for scripts. */
export const resolve = Effect.fnUntraced(function*(redis: Redis["Service"], names: Names, target: LaneTarget) {
  if (!("id" in target)) {
    yield* Effect.fromResult(check("key", keyRow, target.key))
    yield* Effect.fromResult(
      check(target.name === undefined ? "type" : "name", laneRows.name, target.name ?? target.type)
    )
    return laneOf(target)
  }
  const id = yield* Effect.fromResult(check("id", rows.id, target.id))
  let cursor = ""
  for (let looked = 0; looked < maxLooked; looked += maxEntries) {
    const [lane, next] = array(yield* redis.eval(findLane.script)({ ...names, id, cursor, limit: maxEntries }))
    if (typeof lane === "string" && lane !== "") return lane
    cursor = String(next)
    if (cursor === "") break
  }
  return yield* new LaneNotFound({ service: names.service, id })
})

/** A page of lanes, with or without their keys. */
export const list = Effect.fnUntraced(
  function*(redis: Redis["Service"], names: Names, options: LaneListOptions, showsKeys: boolean) {
    const limit = yield* Effect.fromResult(check("limit", rows.limit, options.limit ?? maxLanesListed))
    const cursor = options.cursor === undefined
      ? ""
      : yield* Effect.fromResult(check("cursor", rows.cursor, options.cursor))
    const [now, next, found] = array(
      yield* redis.eval(readLanes.script)({ ...names, cursor, limit, stopped: options.stopped === true })
    )
    const lanes = array(found).map(statusOf(Number(now), showsKeys))
    return {
      lanes: options.stopped === true ? lanes.filter(({ state }) => state !== "open") : lanes,
      cursor: next === "" || next === undefined ? undefined : String(next)
    }
  }
)

export const summaries = (redis: Redis["Service"], names: Names) =>
  Effect.map(redis.eval(readNames.script)(names), (reply) => array(array(reply)[1]).map(summaryOf))

export const operations = (redis: Redis["Service"], names: Names): Lanes["Service"] => ({
  list: (options = {}) => list(redis, names, options, true),
  names: summaries(redis, names),
  pause: Effect.fnUntraced(function*(target, duration) {
    const millis = Math.ceil(Duration.toMillis(yield* Effect.fromResult(check("pause", rows.pause, duration))))
    yield* redis.eval(pauseLane.script)({ ...names, lane: yield* resolve(redis, names, target), millis })
  }),
  resume: Effect.fnUntraced(function*(target) {
    const lane = yield* resolve(redis, names, target)
    return Number(yield* redis.eval(resumeLane.script)({ ...names, lane })) === 1
  }),
  limit: Effect.fnUntraced(function*(ref, limits) {
    yield* Effect.fromResult(check(ref.name === undefined ? "type" : "name", laneRows.name, ref.name ?? ref.type))
    const rule = limits === undefined ? "" : yield* ruleOf(limits)
    yield* redis.eval(overrideRule.script)({ ...names, name: nameOf(ref), rule })
  })
})

export const make = (redis: Redis["Service"], naming: QueueNamingShape, service: string) =>
  Effect.map(serviceNames(naming, service), (names) => operations(redis, names))
