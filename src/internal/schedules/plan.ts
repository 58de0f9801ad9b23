/** Decides what a schedule fires at a time. Pure: the same input always gives the same plan. */
import { createHash } from "node:crypto"
import type { Recurrence } from "./recurrence.ts"
import type { Spec, State } from "./spec.ts"

/** The most slots that are caught up or filled in at once. */
export const maxSlots = 1_000

/** A slot that was not fired for so long is missed, in milliseconds. */
export const missedAfter = 60_000

export interface Plan {
  /** The slots to fire now, in order. */
  readonly fire: ReadonlyArray<number>
  /** How many slots are skipped; at most {@link maxSlots} are counted. */
  readonly skipped: number
  /** The slot after those; `undefined` if there is none. */
  readonly next: number | undefined
}

/** How long after its slot a schedule fires, the same for everyone who asks. */
export const jitterOf = (name: string, slot: number, jitter: number): number =>
  jitter === 0 ? 0 : createHash("sha1").update(`${name}\0${slot}`).digest().readUInt32BE(0) % (jitter + 1)

/** Slots up to a time, the latest first, at most {@link maxSlots} of them and none before `from`. */
const backwards = (recurrence: Recurrence, from: number, until: number): Array<number> => {
  const slots: Array<number> = []
  let slot = recurrence.lastUntil(until)
  while (slot !== undefined && slot >= from && slots.length < maxSlots) {
    slots.push(slot)
    slot = recurrence.lastUntil(slot - 1)
  }
  return slots
}

/** Slots between two times, both included, in order; the latest where there are too many. */
export const slotsBetween = (recurrence: Recurrence, from: number, until: number): ReadonlyArray<number> =>
  backwards(recurrence, from, until).reverse()

/** The slots that are due at a time: with jitter, the last of them may have to wait. */
const dueSlots = (name: string, spec: Spec, recurrence: Recurrence, first: number, now: number): Array<number> => {
  const slots = backwards(recurrence, first, now)
  while (slots.length > 0 && slots[0]! + jitterOf(name, slots[0]!, spec.jitter) > now) slots.shift()
  return slots
}

export const planOf = (name: string, spec: Spec, recurrence: Recurrence, state: State, now: number): Plan => {
  if (state.slot === undefined) return { fire: [], skipped: 0, next: undefined }
  const due = dueSlots(name, spec, recurrence, state.slot, now)
  const latest = due[0]
  if (latest === undefined) return { fire: [], skipped: 0, next: state.slot }
  const { missed } = spec
  const fire = missed === "latest"
    ? [latest]
    : missed === "skip"
    ? latest + jitterOf(name, latest, spec.jitter) + missedAfter > now ? [latest] : []
    : due.filter((slot) => slot === latest || slot >= now - missed.all).reverse()
  return { fire, skipped: due.length - fire.length, next: recurrence.next(latest) }
}

/**
 * The next slot of a specification that replaces another. It keeps the slot where both recur alike, so that a slot that is due
 * is not lost when only the payload changes. Otherwise nothing before now is caught up.
 */
export const slotAfterChange = (
  before: Spec | undefined,
  after: Spec,
  recurrence: Recurrence,
  { slot }: State,
  now: number
): number | undefined =>
  before !== undefined && slot !== undefined && recursAlike(before, after) ? slot : recurrence.next(now)

const recursAlike = (a: Spec, b: Spec): boolean =>
  JSON.stringify([a.rule, a.from, a.until]) === JSON.stringify([b.rule, b.from, b.until])

/** Whether the next slot is so far away that it was computed by a clock that was ahead. */
export const isTooFar = (recurrence: Recurrence, slot: number, now: number): boolean => {
  const first = recurrence.next(now)
  const second = first === undefined ? undefined : recurrence.next(first)
  return second !== undefined && slot > second
}
