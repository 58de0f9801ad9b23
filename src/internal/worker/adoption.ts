/**
 * Gives every delivery of a contract with a lane a place before it runs.
 *
 * Actions that were sent through their lane have one. Other entries came from senders that know no lanes, or their group was created again
 * after they were settled: they take a free place, or move behind their lane.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { RedisError } from "../../Redis.ts"
import { exitOf } from "../base/exit.ts"
import { Configured } from "../contract/codec.ts"
import { keyless, laneFor, type LaneRule, laneRule } from "../contract/lane.ts"
import { array, strings } from "../redis/reply.ts"
import { pages } from "../scripts/bounds.ts"
import { adopt, type Adopted } from "../scripts/laneCalls.ts"
import { deadlineOf, decode, type Entry, withLane } from "../wire/entry.ts"
import type { Host } from "./host.ts"

type Entries = ReadonlyArray<Entry>

/** Entries that one call looks at. */
const atOnce = 200

/** A type in JSON may be written with escapes. */
const escapedType = /"action_type"\s*:\s*"[^"]*\\/

/** The lanes of the contracts that a worker handles, by action type. */
export const lanesOf = ({ routes }: Pick<Host, "routes">): ReadonlyMap<string, LaneRule> => {
  const lanes = new Map<string, LaneRule>()
  for (const [type, { action }] of routes) {
    const rule = action === undefined ? undefined : laneRule(action)
    if (rule !== undefined) lanes.set(type, rule)
  }
  return lanes
}

/** `undefined` if no contract has a lane: then nothing is looked at. */
export const make = (
  host: Host,
  consumer: string
): ((entries: Entries) => Effect.Effect<Entries, RedisError>) | undefined => {
  const { context, names, options, redis, routes, server } = host
  const lanes = lanesOf(host)
  if (lanes.size === 0) return undefined
  const quoted = [...lanes.keys()].map((type) => `"${type}"`)
  const limits = { maxBytes: options.payloadLimit, maxDepth: options.depthLimit }
  const runAdopt = redis.eval(adopt.script)

  const mayHaveLane = ({ data, superseded }: Entry): boolean =>
    data !== undefined && !superseded && (quoted.some((type) => data.includes(type)) || escapedType.test(data))

  /** Where an entry without a place belongs; `undefined` if no handler of a contract with a lane would run. */
  const placeOf = Effect.fnUntraced(function*(entry: Entry) {
    const decoded = decode(entry, limits)
    if (Result.isFailure(decoded)) return undefined
    const action = decoded.success
    const lane = lanes.get(action.action_type)
    const route = routes.get(action.action_type)
    if (lane === undefined || route === undefined) return undefined
    const decoding = route.decodePayload(action)
    const payload = exitOf(decoding) ?? (yield* Effect.exit(Effect.provideContext(decoding, context)))
    // The handler never gets it.
    if (Exit.isFailure(payload)) return undefined
    const found = laneFor(
      action.action_type,
      lane,
      payload.value instanceof Configured ? payload.value.payload : payload.value
    )
    const deadline = Number.isFinite(entry.expires) ? entry.expires : deadlineOf(entry, action, server.now())
    return {
      id: entry.id,
      deliveries: entry.deliveries,
      lane: Result.isSuccess(found) ? found.success : keyless(lane),
      rule: lane.rule,
      expires: deadline === undefined ? "" : String(Math.floor(deadline))
    } satisfies Adopted
  })

  /** Entries by id whose lane says that they have a place, and that have none. */
  const withoutPlace = Effect.fnUntraced(function*(entries: Entries) {
    const missing: Array<Entry> = []
    for (const some of pages(entries, atOnce)) {
      const scores = array(
        yield* redis.send("ZMSCORE", names.lanesHeld, ...some.map(({ id, lane }) => `${lane}\0${id}`))
      )
      some.forEach((entry, index) => {
        if (scores[index] === null || scores[index] === undefined) missing.push(entry)
      })
    }
    return missing
  })

  const adoptAll = Effect.fnUntraced(function*(entries: Entries, doubtful: Entries) {
    const wanted: Array<Adopted> = []
    for (const entry of doubtful) {
      const place = yield* placeOf(entry)
      if (place !== undefined) wanted.push(place)
    }
    const adopted = new Map<string, string | undefined>()
    for (const some of pages(wanted, atOnce)) {
      const replies = strings(
        yield* runAdopt({ ...names, consumer, retain: options.retain !== undefined, adopted: some })
      )
      some.forEach(({ id, lane }, index) => adopted.set(id, replies[index] === "held" ? lane : undefined))
    }
    // A moved entry comes again when its lane lets it in.
    return entries.flatMap((entry) => {
      if (!adopted.has(entry.id)) return [entry]
      const lane = adopted.get(entry.id)
      return lane === undefined ? [] : [withLane(entry, lane)]
    })
  })

  return Effect.fnUntraced(function*(entries: Entries) {
    const placed: Array<Entry> = []
    const doubtful: Array<Entry> = []
    for (const entry of entries) {
      if (entry.lane !== undefined) placed.push(entry)
      else if (mayHaveLane(entry)) doubtful.push(entry)
    }
    if (placed.length > 0) doubtful.push(...(yield* withoutPlace(placed)))
    return doubtful.length === 0 ? entries : yield* adoptAll(entries, doubtful)
  })
}
