/** What the overview shows of all services. Users share it, so that many browsers cost as much as one. */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Inspector from "../../Inspector.ts"
import { asProblem, type Problem } from "./failures.ts"
import type * as models from "./models.ts"

export type Services = typeof models.Services.Type
type Glance = Services["services"][number]
type Hour = Pick<Glance, "trend" | "failing">
/** What is read less often than the numbers. */
type Slow = Hour & Pick<Glance, "halted">

/** A scan reads all keys, and services do not come often. */
const namesFor = Duration.seconds(30)
const numbersFor = Duration.seconds(1)
const slowFor = Duration.seconds(10)

/** Services that are read at once. */
const concurrency = 8
/** Types that are named as failing. */
const mostFailing = 3

const unknown: Hour = { trend: undefined, failing: [] }

const ended = ({ deadLetters, expired, rejected, succeeded }: Inspector.Outcomes): number =>
  succeeded + rejected + expired + deadLetters

/** Sums the types of a service, minute by minute. */
export const hourOf = ({ asOf, from, interval, types }: Inspector.Statistics): Hour => {
  if (types.length === 0) return unknown
  const step = Duration.toMillis(interval)
  const first = Math.floor(DateTime.toEpochMillis(from) / step)
  const length = Math.min(180, Math.floor(DateTime.toEpochMillis(asOf) / step) - first + 1)
  const trend = { ended: Array<number>(length).fill(0), failed: Array<number>(length).fill(0) }
  for (const { points } of types) {
    for (const { outcomes, time } of points) {
      const index = Math.floor(DateTime.toEpochMillis(time) / step) - first
      if (index < 0 || index >= length) continue
      trend.ended[index]! += ended(outcomes)
      trend.failed[index]! += outcomes.deadLetters
    }
  }
  const failing = types
    .map(({ actionType, total: { outcomes: { deadLetters, retried } } }) => ({ actionType, deadLetters, retried }))
    .filter(({ deadLetters, retried }) => deadLetters + retried > 0)
    .sort((a, b) => b.deadLetters - a.deadLetters || b.retried - a.retried)
    .slice(0, mostFailing)
  return { trend: { from: DateTime.makeUnsafe(first * step), interval, ...trend }, failing }
}

export interface Glances {
  /** The names of the services. */
  readonly names: Effect.Effect<ReadonlyArray<string>, Problem>
  readonly services: Effect.Effect<Services, Problem>
}

export const make = (inspector: Inspector.Inspector["Service"]): Effect.Effect<Glances> =>
  Effect.gen(function*() {
    const names = yield* inspector.services().pipe(
      Effect.map(({ services }) => services.map(({ service }) => service)),
      asProblem,
      Effect.cachedWithTTL((exit) => exit._tag === "Success" && exit.value.length > 0 ? namesFor : numbersFor)
    )
    const slow = new Map<string, Effect.Effect<Slow>>()

    /** Parts that the Redis user may not read are left out, and do not hide the numbers. */
    const slowly = (service: string): Effect.Effect<Slow> => {
      const found = slow.get(service)
      if (found !== undefined) return found
      const hour = inspector.statistics(service).pipe(Effect.map(hourOf), Effect.orElseSucceed(() => unknown))
      const halted = inspector.lanes(service, { stopped: true }).pipe(
        Effect.map(({ lanes }) => lanes.filter(({ state }) => state === "halted").length),
        Effect.orElseSucceed(() => 0)
      )
      const read = Effect.zipWith(hour, halted, (hour, halted) => ({ ...hour, halted }))
      return Effect.flatMap(Effect.cachedWithTTL(read, slowFor), (made) => {
        slow.set(service, made)
        return made
      })
    }

    const glance = (service: string) =>
      Effect.gen(function*() {
        const overview = yield* inspector.overview(service)
        return { ...overview, ...yield* slowly(service) } satisfies Glance
      })

    /** A service that cannot be read does not hide the others. */
    const services = yield* Effect.gen(function*() {
      const results = yield* Effect.forEach(
        yield* names,
        (service) =>
          Effect.match(glance(service), {
            onFailure: ({ message }) => ({ service, message }),
            onSuccess: (glance) => glance
          }),
        { concurrency }
      )
      return {
        services: results.filter((result) => "length" in result),
        failures: results.filter((result) => "message" in result)
      }
    }).pipe(Effect.cachedWithTTL(numbersFor))

    return { names, services }
  })
