/** Declares the schedules of a worker, keeps them declared, and fires those that are due. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Metrics from "../../../Metrics.ts"
import type { RedisError } from "../../../Redis.ts"
import { InvalidOption } from "../../base/invalidOption.ts"
import { fireDue } from "../../schedules/firing.ts"
import { isTooFar, slotAfterChange } from "../../schedules/plan.ts"
import { type Declared, fresh, recurrenceOf, type State, type Stored } from "../../schedules/spec.ts"
import * as Store from "../../schedules/store.ts"
import type { Host } from "../host.ts"
import type { MakePart } from "../part.ts"

/** How often a worker declares its schedules again, and looks at the others. */
const interval = Duration.seconds(15)

/**
 * A declaration that was not renewed for so long is over, in milliseconds. With the interval it is a minute until another
 * version takes over.
 */
const staleAfter = 45_000

const isStale = ({ now, stored }: Store.Found): boolean => stored !== undefined && now - stored.renewed > staleAfter

/** A schedule of this worker in place of what is stored, with its next slot. */
const declare = (
  { spec, version }: Declared,
  { now, state, stored }: Store.Found
): { stored: Stored; state: State } => {
  const recurrence = recurrenceOf(spec)
  const before = stored?.origin === "orphaned" ? undefined : stored?.spec
  const slot = recurrence._tag === "Failure"
    ? undefined
    : slotAfterChange(before, spec, recurrence.success, state, now)
  return { stored: { version, origin: "declared", renewed: now, spec }, state: { ...fresh, ...state, slot } }
}

const conflict = (name: string) =>
  new InvalidOption({
    option: "schedules",
    found: `"${name}", which a program made at run time`,
    expected: "another name, or a name that Schedules.remove has removed first"
  })

const keeping = (host: Host, store: Store.Store) => {
  const { names, options: { schedules } } = host
  const own = new Map(schedules.map((schedule) => [schedule.name, schedule]))

  /** Writes an own schedule unless it is stored in this version, or another version is alive. */
  const declaring = (schedule: Declared, isStart: boolean) =>
    store.change(schedule.name, (found) => {
      const { stored } = found
      if (stored?.origin === "runtime") return Effect.succeed(["keep", "conflict"] as const)
      const isOurs = stored?.version === schedule.version && stored.origin === "declared"
      if (isOurs || (stored?.origin === "declared" && !isStart && !isStale(found))) {
        return Effect.succeed(["keep", "kept"] as const)
      }
      return Effect.succeed([declare(schedule, found), "declared"] as const)
    }).pipe(
      Effect.tap((result) =>
        result === "declared"
          ? Effect.logInfo(`The schedule ${schedule.name} of ${names.service} is declared`)
          : Effect.void
      )
    )

  /** A schedule that no worker declares fires no more. */
  const orphan = (name: string) =>
    store.change(name, (found) => {
      const { state, stored } = found
      if (stored?.origin !== "declared" || !isStale(found)) return Effect.succeed(["keep", false] as const)
      return Effect.succeed(
        [{ stored: { ...stored, origin: "orphaned" }, state: { ...state, slot: undefined } }, true] as const
      )
    }).pipe(
      Effect.tap((done) =>
        done
          ? Effect.logWarning(
            `No worker of ${names.service} declares the schedule ${name} any more, so it fires no more. ` +
              "Remove it with Schedules.remove if that was intended"
          )
          : Effect.void
      )
    )

  /** The clock of the server was ahead when the next slot was computed. */
  const repair = (name: string) =>
    store.change(name, ({ now, state, stored }) => {
      const recurrence = stored === undefined ? undefined : recurrenceOf(stored.spec)
      const isWrong = stored !== undefined && recurrence?._tag === "Success" && state.slot !== undefined &&
        isTooFar(recurrence.success, state.slot, now)
      return isWrong
        ? Effect.succeed([{ stored, state: { ...state, slot: recurrence.success.next(now) } }, undefined] as const)
        : Effect.succeed(["keep", undefined] as const)
    })

  const look = Effect.gen(function*() {
    if (own.size > 0) yield* store.renew([...own.values()].map(({ name, version }) => [name, version] as const))
    const found = yield* store.read([...new Set([...own.keys(), ...yield* store.all])])
    for (const next of found) {
      const { name, stored } = next
      const mine = own.get(name)
      if (mine !== undefined && stored?.version !== mine.version) yield* declaring(mine, false)
      else if (mine !== undefined && stored?.origin === "orphaned") yield* declaring(mine, false)
      else if (mine === undefined && stored?.origin === "declared" && isStale(next)) yield* orphan(name)
      yield* repair(name)
    }
  })

  return {
    start: Effect.gen(function*() {
      for (const schedule of own.values()) {
        if ((yield* declaring(schedule, true)) === "conflict") return conflict(schedule.name)
      }
      return undefined
    }),
    look,
    /** Whether this worker fires a schedule: one that was made at run time, or one that it declares in this version. */
    fires: (name: string, stored: Stored): boolean =>
      stored.origin === "runtime" ||
      (stored.origin === "declared" && own.get(name)?.version === stored.version)
  }
}

const firing = (host: Host, store: Store.Store, fires: (name: string, stored: Stored) => boolean) => {
  const { names, signals, telemetry } = host
  return Effect.gen(function*(): Effect.gen.Return<void, RedisError> {
    const due = signals.dueSchedules
    for (const found of yield* store.read(due)) {
      const { name, stored } = found
      if (stored === undefined || !fires(name, stored)) continue
      const { fired, late, skipped } = yield* fireDue(store, names.service, found, stored)
      if (skipped > 0) {
        telemetry.count(Metrics.schedulesSkipped, skipped)
        yield* Effect.logWarning(
          `The schedule ${name} of ${names.service} has skipped ${skipped} slots that were missed`
        )
      }
      if (fired > 0) {
        telemetry.count(Metrics.schedulesFired, fired)
        telemetry.measure(Metrics.scheduleDelay, late)
      }
    }
  })
}

export const schedules: MakePart = (host) => {
  const { names, redis, signals, trouble } = host
  const store = Store.make(redis, names)
  const { fires, look, start } = keeping(host, store)
  const fire = firing(host, store, fires)
  /** Nothing is asked where a service has no schedules. */
  const lookIfAny = Effect.flatMap(
    redis.send("EXISTS", names.scheduleSpecs),
    (count) => Number(count) === 0 && host.options.schedules.length === 0 ? Effect.void : look
  )
  return {
    starts: start,
    takes: Effect.forever(
      Effect.andThen(
        signals.schedules.await,
        Effect.suspend(() => {
          signals.schedules.closeUnsafe()
          return trouble.around(`firing the schedules of ${names.service}`, fire)
        })
      )
    ),
    keeps: Effect.forever(
      Effect.andThen(
        Effect.sleep(interval),
        trouble.around(`looking at the schedules of ${names.service}`, lookIfAny)
      )
    )
  }
}
