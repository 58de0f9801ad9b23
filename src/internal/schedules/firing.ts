/** The actions of a schedule. */
import * as Effect from "effect/Effect"
import * as ActionId from "../../ActionId.ts"
import * as DomainAction from "../../DomainAction.ts"
import type { RedisError } from "../../Redis.ts"
import { uuid } from "../base/uuid.ts"
import { bytesOf, maxBytes, pages } from "../scripts/bounds.ts"
import { timestampOf } from "../wire/timestamp.ts"
import { planOf } from "./plan.ts"
import { laneOf, recurrenceOf, type Spec, type State, type Stored } from "./spec.ts"
import type { Found, Store } from "./store.ts"

/** Slots that one call fires. */
const maxFired = 100

/** The key of the metadata with the time of the slot. */
export const scheduledForKey = "scheduled_for"

/** The id of the action of a slot: always the same, so that a handler recognizes a slot that fires twice. */
export const idOf = (service: string, name: string, slot: number): string =>
  ActionId.derive(ActionId.derive(service, name), String(slot))

/** The action of a slot as text. */
export const textOf = (
  service: string,
  name: string,
  spec: Spec,
  slot: number,
  now: number,
  actionId: string
): { readonly actionId: string; readonly text: string } => ({
  actionId,
  text: DomainAction.encode(DomainAction.make({
    action_id: actionId,
    action_type: spec.actionType,
    timestamp: timestampOf(now),
    origin_service: service,
    trace_id: uuid(),
    data: spec.data,
    metadata: { schedule: name, [scheduledForKey]: new Date(slot).toISOString() }
  }))
})

/**
 * Splits slots into pages of one call each. The actions of a schedule are about equally large, so one of them tells how many fit,
 * and a thousand slots with a large payload are never in memory at once.
 */
export const slotPages = (
  service: string,
  name: string,
  spec: Spec,
  slots: ReadonlyArray<number>
): ReadonlyArray<ReadonlyArray<number>> => {
  const first = slots[0]
  if (first === undefined) return []
  const size = bytesOf(textOf(service, name, spec, first, first, idOf(service, name, first)).text)
  return pages(slots, Math.max(1, Math.min(maxFired, Math.floor(maxBytes / size))))
}

/** What a look at a due schedule did. */
export interface Fired {
  readonly fired: number
  /** Slots that were missed. */
  readonly skipped: number
  /** Slots that were skipped because the action of a slot before had not ended. */
  readonly overlapped: number
  /** How late the last slot was, in milliseconds. */
  readonly late: number
}

const nothing: Fired = { fired: 0, skipped: 0, overlapped: 0, late: 0 }

const after = (state: State, slot: number | undefined, fired: ReadonlyArray<number>, skipped: number): State => ({
  ...state,
  slot,
  last: fired.at(-1) ?? state.last,
  fired: state.fired + fired.length,
  skipped: state.skipped + skipped
})

/** Fires what is due of a schedule, in calls of at most {@link maxFired} slots. Another process may be faster. */
export const fireDue = (
  store: Store,
  service: string,
  found: Found,
  stored: Stored
): Effect.Effect<Fired, RedisError> => {
  const recurrence = recurrenceOf(stored.spec)
  if (recurrence._tag === "Failure" || found.state.paused !== undefined) return Effect.succeed(nothing)
  const plan = planOf(found.name, stored.spec, recurrence.success, found.state, found.now)
  if (plan.fire.length === 0 && plan.skipped === 0) return Effect.succeed(nothing)
  const lane = laneOf(found.name, stored.spec)
  // Whether a slot is skipped is decided for one after another.
  const all = plan.fire.length === 0
    ? [[]]
    : lane === undefined
    ? slotPages(service, found.name, stored.spec, plan.fire)
    : plan.fire.map((slot) => [slot])
  const step = (index: number, before: Found, done: Fired): Effect.Effect<Fired, RedisError> => {
    const slots = all[index]
    if (slots === undefined) return Effect.succeed(done)
    const next = all[index + 1]?.[0] ?? plan.next
    const skipped = index === 0 ? plan.skipped : 0
    const state = after(before.state, next, slots, skipped)
    const texts = slots.map((slot) =>
      textOf(service, found.name, stored.spec, slot, found.now, idOf(service, found.name, slot)).text
    )
    const ifSkipped = after(before.state, next, [], skipped + slots.length)
    const alone = lane === undefined || slots[0] === undefined
      ? undefined
      : { ...lane, id: idOf(service, found.name, slots[0]), ifSkipped }
    return Effect.flatMap(store.fire(before, stored, state, texts, alone), (ids) => {
      if (ids === undefined) return Effect.succeed(done)
      if (alone !== undefined && ids.length === 0) {
        return step(index + 1, store.moved(before, ifSkipped), {
          ...done,
          skipped: done.skipped + skipped,
          overlapped: done.overlapped + 1
        })
      }
      const late = slots.length === 0 ? done.late : found.now - slots.at(-1)!
      return step(index + 1, store.moved(before, state), {
        fired: done.fired + slots.length,
        skipped: done.skipped + skipped,
        overlapped: done.overlapped,
        late
      })
    })
  }
  return step(0, found, nothing)
}
