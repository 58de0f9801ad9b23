/** The reads that are one call: services, numbers, consumers, groups, schedules. */
import type * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Inspector from "../../Inspector.ts"
import { type Schedule, ScheduleDeclared, ScheduleNotFound, Schedules } from "../../Schedules.ts"
import { dateOf } from "../base/dates.ts"
import type { Names } from "../redis/names.ts"
import { decodePauses, everything, isHeld } from "../redis/pauses.ts"
import { array, strings } from "../redis/reply.ts"
import * as Managing from "../schedules/manage.ts"
import type { Declared } from "../schedules/spec.ts"
import { overview as overviewScript } from "../scripts/inspect.ts"
import { millisOf } from "../wire/entry.ts"
import { type Desk, marksOf } from "./desk.ts"
import { permitting } from "./errorsOf.ts"
import { scanServices } from "./scan.ts"
import { rates as ratesOf } from "./statistics.ts"

const timeOf = (value: unknown): DateTime.Utc | undefined => {
  const millis = Number(value)
  return value === "" || !Number.isFinite(millis) ? undefined : dateOf(millis)
}

const idTime = (id: unknown): DateTime.Utc | undefined => id === "" ? undefined : dateOf(millisOf(String(id)))

const orUndefined = (value: unknown): number | undefined => Number(value) < 0 ? undefined : Number(value)

/** The lease that applies while no worker has recorded one, in milliseconds. */
const usualLease = 60_000

export const pausesOf = (flat: ReadonlyArray<string>, now: number): ReadonlyArray<Inspector.Pause> =>
  decodePauses(flat).filter(({ until }) => until > now).map(({ field, reason, until }) => ({
    actionType: field === everything ? undefined : field,
    until: until === Infinity ? undefined : dateOf(until),
    reason
  }))

/** What one look at a service says. */
export const look = Effect.fnUntraced(function*({ redis }: Desk, names: Names) {
  const [
    now,
    length,
    dead,
    newest,
    retrying,
    nextRetry,
    scheduled,
    nextScheduled,
    schedules,
    lease,
    features,
    paused,
    groups,
    consumers,
    oldest,
    held
  ] = array(yield* redis.eval(overviewScript.script)(names))
  const longest = Number(lease) || usualLease
  const found: ReadonlyArray<Inspector.Group> = array(groups).map((row) => {
    const [name, consumers, pending, lag] = array(row)
    return {
      name: String(name),
      own: name === names.group,
      consumers: Number(consumers),
      pending: Number(pending),
      lag: orUndefined(lag)
    }
  })
  const own = found.find(({ own }) => own)
  const pending = own?.pending ?? 0
  return {
    service: names.service,
    stream: names.stream,
    group: names.group,
    asOf: dateOf(Number(now)),
    length: Number(length),
    lag: own?.lag,
    oldestWaiting: idTime(oldest),
    pending,
    running: pending - Number(held),
    retrying: Number(retrying),
    nextRetry: isHeld(Number(nextRetry)) ? undefined : timeOf(nextRetry),
    scheduled: Number(scheduled),
    nextScheduled: timeOf(nextScheduled),
    schedules: Number(schedules),
    deadLetters: Number(dead),
    newestDeadLetter: idTime(newest),
    consumers: array(consumers).map((row) => {
      const [name, pending, idle] = array(row)
      return {
        name: String(name),
        pending: Number(pending),
        idle: Duration.millis(Number(idle)),
        stale: Number(idle) > longest
      }
    }),
    groups: found,
    pauses: pausesOf(strings(paused), Number(now)),
    features: strings(features),
    lease: lease === "" ? undefined : Duration.millis(Number(lease))
  } satisfies Omit<Inspector.Overview, "rates">
})

export const make = (desk: Desk) => {
  const { naming, redis } = desk

  const overview: Inspector.Inspector["Service"]["overview"] = (service) =>
    desk.on(
      service,
      "look",
      (names) =>
        Effect.flatMap(look(desk, names), (found) =>
          Effect.map(ratesOf(desk, service, found.asOf), (rates) => ({ ...found, rates })))
    )

  const consumers: Inspector.Inspector["Service"]["consumers"] = (service) =>
    desk.on(service, "look", (names) => Effect.map(look(desk, names), ({ consumers }) => consumers))

  const pauses: Inspector.Inspector["Service"]["pauses"] = (service) =>
    desk.on(service, "look", (names) => Effect.map(look(desk, names), ({ pauses }) => pauses))

  const scheduling: Inspector.Inspector["Service"]["scheduling"] = (service) =>
    desk.on(service, "look at schedules", () =>
      Effect.map(
        Effect.orDie(Managing.make(redis, naming, service, {
          notFound: (service, schedule) => new ScheduleNotFound({ service, schedule }),
          isDeclared: (service, schedule) => new ScheduleDeclared({ service, schedule })
        })),
        // SAFETY: every schedule is made by `cron` or `every`, which return the whole of it.
        (managed) => Schedules.of({ ...managed, upsert: (schedule) => managed.upsert(schedule as Schedule & Declared) })
      ))

  const schedules: Inspector.Inspector["Service"]["schedules"] = (service) =>
    Effect.flatMap(scheduling(service), ({ list }) => permitting(service, "list schedules")(list))

  const trigger: Inspector.Inspector["Service"]["trigger"] = (service, name) =>
    Effect.flatMap(scheduling(service), ({ trigger }) => permitting(service, "trigger schedules")(trigger(name)))

  const services = Effect.fnUntraced(function*(options: { readonly scan?: boolean | undefined } = {}) {
    const scans = options.scan ?? desk.scan
    const scanned = scans ? yield* scanServices(redis, naming) : { services: [], complete: false }
    const found: Array<Inspector.ServiceFound> = []
    for (const service of [...new Set([...desk.services, ...scanned.services])].sort()) {
      const names = yield* Effect.option(desk.namesFor(service))
      if (names._tag === "None") continue
      if (Number(yield* redis.send("EXISTS", ...marksOf(names.value))) === 0) continue
      found.push({
        service,
        hasWorkers: Number(yield* redis.send("EXISTS", names.value.features)) > 0,
        length: Number(yield* redis.send("XLEN", names.value.stream)),
        deadLetters: Number(yield* redis.send("XLEN", names.value.deadLetters))
      })
    }
    return { services: found, complete: scanned.complete }
  })

  return {
    overview,
    consumers,
    pauses,
    scheduling,
    schedules,
    trigger,
    services: (options?: { readonly scan?: boolean | undefined }) => permitting("*", "list services")(services(options))
  }
}
