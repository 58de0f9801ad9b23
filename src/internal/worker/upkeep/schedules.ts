/** Declares the schedules of a worker, keeps them declared, and fires those that are due. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Metrics from "../../../Metrics.ts"
import type { RedisError } from "../../../Redis.ts"
import { InvalidOption } from "../../base/invalidOption.ts"
import { fireDue } from "../../schedules/firing.ts"
import { repairedSlot, slotAfterChange } from "../../schedules/plan.ts"
import { Renewals } from "../../schedules/renewals.ts"
import { type Declared, fresh, recurrenceOf, type State, type Stored } from "../../schedules/spec.ts"
import * as Store from "../../schedules/store.ts"
import type { Host } from "../host.ts"
import type { MakePart } from "../part.ts"

/** How often a worker declares its schedules again, and looks at the others. */
const interval = Duration.seconds(10)

/** Schedules of others that one look examines. The next look goes on behind them. */
const maxOthers = 100

/** A schedule of this worker in place of what is stored, with its next slot. */
const declare = (
  { spec, version }: Declared,
  { now, state, stored }: Store.Found,
  isStart: boolean
): { stored: Stored; state: State } => {
  const recurrence = recurrenceOf(spec)
  // What comes back catches nothing up. A worker that runs was only unable to renew it, for example while the server was full.
  const isBack = stored?.origin === "orphaned" && isStart
  const slot = recurrence._tag === "Failure"
    ? undefined
    : slotAfterChange(isBack ? undefined : stored?.spec, spec, recurrence.success, state, now)
  return { stored: { version, origin: "declared", renewed: now, spec }, state: { ...fresh, ...state, slot } }
}

/** The next slot of what is stored, if it is another than the stored one. */
const repairOf = ({ now, state, stored }: Store.Found): { stored: Stored; state: State } | undefined => {
  if (stored === undefined || stored.origin === "orphaned") return undefined
  const recurrence = recurrenceOf(stored.spec)
  if (recurrence._tag === "Failure") return undefined
  const slot = repairedSlot(recurrence.success, state, now)
  return slot === state.slot ? undefined : { stored, state: { ...state, slot } }
}

const conflict = (name: string) =>
  new InvalidOption({
    option: "schedules",
    found: `"${name}", which a program made at run time`,
    expected: "another name, or a name that Schedules.remove has removed first"
  })

const keeping = (host: Host, store: Store.Store) => {
  const { names, options: { schedules }, vitals } = host
  const own = new Map(schedules.map((schedule) => [schedule.name, schedule]))
  const renewals = new Renewals()
  /** The name at which the last look ended. */
  let cursor = ""

  /** Whether this worker fires a schedule: one that was made at run time, or one that it declares in this version. */
  const fires = (name: string, stored: Stored): boolean =>
    stored.origin === "runtime" || (stored.origin === "declared" && own.get(name)?.version === stored.version)

  /** Writes an own schedule unless it is stored in this version, or another version is alive. */
  const declaring = (schedule: Declared, isStart: boolean) =>
    store.change(schedule.name, (found) => {
      const { stored } = found
      if (stored?.origin === "runtime") return Effect.succeed(["keep", "conflict"] as const)
      const isAlive = stored?.origin === "declared" &&
        (stored.version === schedule.version || (!isStart && !renewals.isOver(schedule.name, stored)))
      return Effect.succeed(
        isAlive ? ["keep", "kept"] as const : [declare(schedule, found, isStart), "declared"] as const
      )
    }).pipe(
      Effect.tap((result) =>
        result === "declared"
          ? Effect.logInfo(`The schedule ${schedule.name} of ${names.service} is declared`)
          : Effect.void
      )
    )

  /** A schedule that no worker declares fires no more. */
  const orphan = (name: string) =>
    store.change(name, ({ state, stored }) =>
      Effect.succeed(
        stored?.origin === "declared" && renewals.isOver(name, stored)
          ? [{ stored: { ...stored, origin: "orphaned" }, state }, true] as const
          : ["keep", false] as const
      )).pipe(
        Effect.tap((done) =>
          done
            ? Effect.logWarning(
              `No worker of ${names.service} declares the schedule ${name} any more, so it fires no more. ` +
                "Remove it with Schedules.remove if that was intended"
            )
            : Effect.void
        )
      )

  const repair = (name: string) =>
    store.change(name, (found) => {
      const repaired = repairOf(found)
      return Effect.succeed(repaired === undefined ? ["keep", undefined] as const : [repaired, undefined] as const)
    })

  const renew = Effect.suspend(() =>
    own.size === 0
      ? Effect.void
      : Effect.asVoid(store.renew([...own.values()].map(({ name, version }) => [name, version] as const)))
  )

  /** The own schedules, and some of the others: a service may have made many thousands at run time. */
  const examined = (all: ReadonlyArray<string>): ReadonlyArray<string> => {
    const others = all.filter((name) => !own.has(name)).sort()
    const after = others.filter((name) => name > cursor)
    const next = after.length === 0 ? others : after
    const some = next.slice(0, maxOthers)
    cursor = some.length === next.length ? "" : some.at(-1)!
    return [...own.keys(), ...some]
  }

  const examine = (found: Store.Found) => {
    const { name, stored } = found
    const mine = own.get(name)
    renewals.note(name, stored)
    if (mine !== undefined) vitals.schedules.set(name, stored !== undefined && fires(name, stored))
    if (mine !== undefined && (stored?.version !== mine.version || stored.origin === "orphaned")) {
      return declaring(mine, false)
    }
    if (mine === undefined && stored?.origin === "declared" && renewals.isOver(name, stored)) return orphan(name)
    return repairOf(found) === undefined ? Effect.void : repair(name)
  }

  return {
    start: Effect.gen(function*() {
      // Another version may be about to take over what this one declared before a restart.
      yield* renew
      for (const schedule of own.values()) {
        if ((yield* declaring(schedule, true)) === "conflict") return conflict(schedule.name)
        vitals.schedules.set(schedule.name, true)
      }
      return undefined
    }),
    look: Effect.gen(function*() {
      yield* renew
      for (const found of yield* store.read(examined(yield* store.all))) yield* examine(found)
      renewals.ended()
    }),
    fires
  }
}

const firing = (host: Host, store: Store.Store, fires: (name: string, stored: Stored) => boolean) => {
  const { names, signals, telemetry } = host
  return Effect.gen(function*(): Effect.gen.Return<void, RedisError> {
    const due = signals.dueSchedules
    for (const found of yield* store.read(due)) {
      const { name, stored } = found
      if (stored === undefined || !fires(name, stored)) continue
      const { fired, late, overlapped, skipped } = yield* fireDue(store, names.service, found, stored)
      if (skipped + overlapped > 0) telemetry.count(Metrics.schedulesSkipped, skipped + overlapped)
      if (skipped > 0) {
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
