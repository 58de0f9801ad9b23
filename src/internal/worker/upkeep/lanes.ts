/**
 * Declares the rules of lanes, and releases places that no worker will give back: those of entries that others deleted or
 * acknowledged.
 *
 * A place is released when it was void in two looks at least a lease apart, so that a live owner has learnt of it.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Metrics from "../../../Metrics.ts"
import { LanesNeedOneGroup, WorkerError } from "../../../WorkerError.ts"
import { monotonicMillis } from "../../base/monotonic.ts"
import { failureOf } from "../../redis/failure.ts"
import { array } from "../../redis/reply.ts"
import { laneOf } from "../../schedules/spec.ts"
import { declareRule, decodeHealed, heal } from "../../scripts/laneCalls.ts"
import { readNames } from "../../scripts/laneReads.ts"
import { lanesOf } from "../adoption.ts"
import type { Host } from "../host.ts"
import type { MakePart } from "../part.ts"

/** Places that one call releases. */
const maxConfirmed = 200

/** Declares the rules of the worker's contracts. */
const declaring = Effect.fnUntraced(function*({ names, redis, routes }: Host) {
  const rules = new Map([...lanesOf({ routes }).values()].map(({ name, rule }) => [name, rule]))
  for (const [name, rule] of rules) {
    const before = yield* redis.eval(declareRule.script)({ ...names, name, rule })
    if (typeof before !== "string") continue
    yield* Effect.logWarning(
      `This worker limits the lane ${
        name.slice(2)
      } otherwise than a worker before it. Its own limits hold from now on: ` +
        "if workers of two versions run, give them the same limits"
    )
  }
})

/** Fails if other groups read the stream: they would run what waits for its turn here. */
export const needOneGroup = (host: Host): Effect.Effect<void, WorkerError> => {
  const { names, redis, trouble } = host
  const takesTurns = host.options.schedules.some(({ name, spec }) => laneOf(name, spec) !== undefined)
  if (lanesOf(host).size === 0 && !takesTurns) return Effect.void
  return trouble.around(
    `counting the groups of ${names.stream}`,
    redis.send<ReadonlyArray<unknown>>("XINFO", "GROUPS", names.stream),
    host.restoreGroup
  ).pipe(
    Effect.flatMap((groups) =>
      groups.length < 2 ? Effect.void : Effect.fail(
        new WorkerError({
          reason: new LanesNeedOneGroup({
            message:
              `The stream ${names.stream} has ${groups.length} groups, and contracts of this worker have lanes, or its ` +
              "schedules do not overlap: " +
              `remove the groups other than ${names.group} with XGROUP DESTROY, or the lanes and the option "overlap"`
          })
        })
      )
    )
  )
}

const healing = (host: Host): Effect.Effect<never, WorkerError> => {
  const { clock, names, redis, restoreGroup, telemetry, trouble, vitals } = host
  /** When each void place was first seen, in monotonic milliseconds. */
  let doubts = new Map<string, number>()
  let lanesAfter = ""
  let placesAfter = ""

  const look = Effect.fnUntraced(function*() {
    if (Number(yield* redis.send("EXISTS", names.lanesHeld, names.lanesWaiting)) === 0) {
      doubts.clear()
      return
    }
    const now = monotonicMillis(clock)
    const confirmed = [...doubts].filter(([, since]) => now - since >= vitals.lease).map(([place]) => place)
      .slice(0, maxConfirmed)
    const healed = decodeHealed(yield* redis.eval(heal.script)({ ...names, lanesAfter, placesAfter, confirmed }))
    lanesAfter = healed.lanesAfter
    placesAfter = healed.placesAfter
    for (const place of confirmed) doubts.delete(place)
    for (const place of healed.void) if (!doubts.has(place)) doubts.set(place, now)
    // Doubts that were not confirmed for long were resolved by others.
    for (const [place, since] of doubts) if (now - since > vitals.lease * 20) doubts.delete(place)
    if (healed.released > 0) {
      telemetry.count(Metrics.lanesHealed, healed.released)
      yield* Effect.logWarning(
        `Released ${healed.released} places of lanes whose actions were deleted or acknowledged by others: find out who ` +
          `changes ${names.stream}`
      )
    }
    if (healed.over > 0) telemetry.count(Metrics.parkedExpired, healed.over)
  })

  const once = Effect.catchIf(
    look(),
    // Readers make a missing stream or group again.
    (error) => failureOf(error) === "NoGroup",
    () => Effect.void
  )

  return Effect.forever(Effect.gen(function*() {
    const random = yield* Random.next
    yield* Effect.sleep(Duration.millis((vitals.lease / 4) * (0.75 + random / 2)))
    yield* host.gate.await
    yield* trouble.around(`looking after the lanes of ${names.service}`, once, restoreGroup)
  }))
}

/** The time between two samples. */
const interval = Duration.seconds(15)

/** Samples the lanes of the worker's contracts, by name. A failed sample is left out, as by the sampler of the group. */
const sampling = (host: Host): Effect.Effect<never> | undefined => {
  const { names, redis, telemetry, vitals } = host
  const own = new Set([...lanesOf(host).values()].map(({ name }) => name))
  if (own.size === 0) return undefined
  const sample = Effect.gen(function*() {
    const [stopped, rows] = array(yield* redis.eval(readNames.script)(names))
    const found: Array<{ readonly lane: string; readonly held: number; readonly waiting: number }> = []
    for (const row of array(rows)) {
      const [name, , , held, waiting] = array(row)
      if (!own.has(String(name))) continue
      const lane = String(name).slice(2)
      telemetry.measureLane(Metrics.lanesHeld, lane, Number(held))
      telemetry.measureLane(Metrics.lanesWaiting, lane, Number(waiting))
      found.push({ lane, held: Number(held), waiting: Number(waiting) })
    }
    telemetry.measure(Metrics.lanesStopped, Number(stopped))
    vitals.lanes = found
  })
  return Effect.forever(Effect.andThen(Effect.ignore(sample), Effect.sleep(interval)))
}

export const lanes: MakePart = (host) => {
  const keeps = sampling(host)
  return { starts: declaring(host), takes: healing(host), ...(keeps === undefined ? {} : { keeps }) }
}
