/** What a program does with the schedules of a service at run time. */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { QueueNamingShape } from "../../QueueNaming.ts"
import type { Redis } from "../../Redis.ts"
import type { ScheduleStatus } from "../../Schedules.ts"
import { uuid } from "../base/uuid.ts"
import { serviceNames } from "../redis/serviceNames.ts"
import { append } from "../scripts/streams.ts"
import { idOf, slotPages, textOf } from "./firing.ts"
import { firstUnfired, maxSlots, slotAfterChange, slotsBetween } from "./plan.ts"
import type { Recurrence } from "./recurrence.ts"
import { type Declared, fresh, recurrenceOf, type State, type Stored } from "./spec.ts"
import * as Store from "./store.ts"

interface Errors<NotFound, IsDeclared> {
  readonly notFound: (service: string, name: string) => NotFound
  readonly isDeclared: (service: string, name: string) => IsDeclared
}

const utc = (millis: number | undefined): DateTime.Utc | undefined =>
  millis === undefined ? undefined : DateTime.makeUnsafe(millis)

const recurrenceText = ({ rule }: Stored["spec"]): string =>
  "cron" in rule ? `${rule.cron} (${rule.timeZone})` : `every ${Duration.format(Duration.millis(rule.every))}`

/** Neither a schedule that is paused nor one that no worker declares is sent. */
const nextOf = ({ origin, state }: { readonly origin: Stored["origin"]; readonly state: State }): number | undefined =>
  state.paused === undefined && origin !== "orphaned" ? state.slot : undefined

const statusOf = ({ name, state }: Store.Found, { origin, spec, version }: Stored): ScheduleStatus => ({
  name,
  actionType: spec.actionType,
  origin,
  version,
  recurrence: recurrenceText(spec),
  next: utc(nextOf({ origin, state })),
  last: utc(state.last),
  paused: state.paused,
  fired: state.fired,
  skipped: state.skipped
})

/** A schedule that this version cannot read has no slots. */
const never: Recurrence = { next: () => undefined, lastUntil: () => undefined }

const recurrenceIn = (stored: Stored): Recurrence => {
  const recurrence = recurrenceOf(stored.spec)
  return recurrence._tag === "Success" ? recurrence.success : never
}

export const make = Effect.fnUntraced(function*<NotFound, IsDeclared>(
  redis: Redis["Service"],
  naming: QueueNamingShape,
  service: string,
  errors: Errors<NotFound, IsDeclared>
) {
  const names = yield* serviceNames(naming, service)
  const store = Store.make(redis, names)

  /** Changes the state of a schedule that there is. */
  const changeState = (name: string, decide: (found: Store.Found, stored: Stored) => State) =>
    store.change(name, (found) =>
      found.stored === undefined
        ? Effect.fail(errors.notFound(service, name))
        : Effect.succeed([{ stored: found.stored, state: decide(found, found.stored) }, undefined] as const))

  const find = Effect.fnUntraced(function*(name: string) {
    const [found] = yield* store.read([name])
    const stored = found?.stored
    if (found === undefined || stored === undefined) return yield* Effect.fail(errors.notFound(service, name))
    return { found, stored }
  })

  const send = (texts: ReadonlyArray<string>) => redis.eval(append.script)({ stream: names.stream, texts })

  return {
    upsert: ({ name, spec, version }: Declared) =>
      store.change(name, ({ now, state, stored }) => {
        if (stored?.origin === "declared") return Effect.fail(errors.isDeclared(service, name))
        const next: Stored = { version, origin: "runtime", renewed: now, spec }
        if (stored?.origin === "runtime" && stored.version === version) {
          return Effect.succeed(["keep", undefined] as const)
        }
        const slot = slotAfterChange(stored?.spec, spec, recurrenceIn(next), state, now)
        return Effect.succeed([{ stored: next, state: { ...fresh, ...state, slot } }, undefined] as const)
      }),

    remove: (name: string) =>
      store.change(name, ({ stored }): Effect.Effect<readonly ["remove", undefined], NotFound | IsDeclared> => {
        if (stored === undefined) return Effect.fail(errors.notFound(service, name))
        return stored.origin === "declared"
          ? Effect.fail(errors.isDeclared(service, name))
          : Effect.succeed(["remove", undefined] as const)
      }),

    list: Effect.gen(function*() {
      const found = yield* store.read([...yield* store.all].sort())
      return found.flatMap((next) => next.stored === undefined ? [] : [statusOf(next, next.stored)])
    }),

    next: Effect.fnUntraced(function*(name: string, count: number = 1) {
      const { found, stored } = yield* find(name)
      const recurrence = recurrenceIn(stored)
      const slots: Array<DateTime.Utc> = []
      let slot = nextOf({ origin: stored.origin, state: found.state })
      while (slot !== undefined && slots.length < Math.min(count, maxSlots)) {
        slots.push(DateTime.makeUnsafe(slot))
        slot = recurrence.next(slot)
      }
      return slots
    }),

    pause: (name: string, reason: string = "") =>
      changeState(name, ({ state }) => ({ ...state, paused: reason.slice(0, 200) })),

    resume: (name: string) =>
      changeState(name, ({ now, state }, stored) =>
        state.paused === undefined
          ? state
          : {
            ...state,
            paused: undefined,
            slot: firstUnfired(recurrenceIn(stored), state, now)
          }),

    trigger: Effect.fnUntraced(function*(name: string) {
      const { found, stored } = yield* find(name)
      const text = textOf(service, name, stored.spec, found.now, found.now, uuid())
      yield* send([text.text])
      return text.actionId
    }),

    backfill: Effect.fnUntraced(function*(
      name: string,
      { from, until }: { readonly from: DateTime.DateTime; readonly until: DateTime.DateTime }
    ) {
      const { found, stored } = yield* find(name)
      const slots = slotsBetween(recurrenceIn(stored), DateTime.toEpochMillis(from), DateTime.toEpochMillis(until))
      const sent: Array<string> = []
      for (const page of slotPages(service, name, stored.spec, slots)) {
        const texts = page.map((slot) => textOf(service, name, stored.spec, slot, found.now, idOf(service, name, slot)))
        yield* send(texts.map(({ text }) => text))
        for (const { actionId } of texts) sent.push(actionId)
      }
      return sent
    })
  }
})
