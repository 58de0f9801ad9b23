/** Lanes with their holders, their queues and what stops them, and the verbs of an operator. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Inspector from "../../Inspector.ts"
import { check } from "../base/options.ts"
import * as Lanes from "../lanes/manage.ts"
import type { Names } from "../redis/names.ts"
import { array } from "../redis/reply.ts"
import { listQueued } from "../scripts/laneReads.ts"
import type { Desk } from "./desk.ts"
import { listRows } from "./options.ts"
import { headBytes, shownBytes } from "./payloads.ts"
import { queuedFrom, type Reading } from "./rows.ts"

type Service = Inspector.Inspector["Service"]

/** A page of what waits in a lane; empty: in all. */
export const queuedIn = Effect.fnUntraced(function*(
  { redis }: Desk,
  names: Names,
  asked: { readonly lane: string; readonly cursor: number; readonly limit: number; readonly reading: Reading }
) {
  const head = asked.reading.payload ? shownBytes : headBytes
  const [rows, cursor] = array(yield* redis.eval(listQueued.script)({ ...names, ...asked, head }))
  return {
    entries: yield* Effect.forEach(array(rows), (row) => queuedFrom(asked.reading, row)),
    cursor: String(cursor)
  }
})

export const make = (desk: Desk, context: Context.Context<never>) => {
  const { redis } = desk

  const laneNames: Service["laneNames"] = (service) =>
    desk.on(service, "list lanes", (names) => Lanes.summaries(redis, names))

  const lanes: Service["lanes"] = (service, options = {}) =>
    desk.on(service, "list lanes", (names) => Lanes.list(redis, names, options, options.keys === true))

  const queued: Service["queued"] = Effect.fnUntraced(function*(service, lane, options = {}) {
    const limit = yield* Effect.fromResult(check("limit", listRows.limit, options.limit ?? listRows.limit.fallback))
    const cursor = Number(yield* Effect.fromResult(check("cursor", listRows.position, options.cursor ?? "0")))
    const reading = { contracts: desk.contracts, context, payload: options.payload === true }
    return yield* desk.on(
      service,
      "list lanes",
      Effect.fnUntraced(function*(names) {
        const found = yield* Lanes.resolve(redis, names, lane)
        const page = yield* queuedIn(desk, names, { lane: found, cursor, limit, reading })
        return { entries: page.entries, cursor: page.cursor === "" ? undefined : page.cursor }
      })
    )
  })

  const pauseLane: Service["pauseLane"] = (service, lane, duration) =>
    desk.on(service, "pause lanes", (names) => Lanes.operations(redis, names).pause(lane, duration))

  const resumeLane: Service["resumeLane"] = (service, lane) =>
    desk.on(service, "resume lanes", (names) => Lanes.operations(redis, names).resume(lane))

  const limitLane: Service["limitLane"] = (service, lane, limits) =>
    desk.on(service, "limit lanes", (names) => Lanes.operations(redis, names).limit(lane, limits))

  return { laneNames, lanes, queued, pauseLane, resumeLane, limitLane }
}
