/** Decides what a schedule fires at a time. Pure: the same input always gives the same plan. */
import { createHash } from "node:crypto"
import type { Recurrence } from "./recurrence.ts"
import type { Spec, State } from "./spec.ts"

/** The most slots that are caught up or filled in at once. */
export const maxSlots = 1_000

/** A slot that was not fired for so long is missed, in milliseconds. */
export const missedAfter = 60_000

/**
 * A clock that was set back by up to so much lets a schedule wait until the clock is where it was, in milliseconds: no slot fires
 * again. If it was set back by more, the schedule begins again from the new time.
 */
export const patience = 600_000

export interface Plan {
  /** The slots to fire now, in order. */
  readonly fire: ReadonlyArray<number>
  /** How many slots are skipped; at most {@link maxSlots} are counted. */
  readonly skipped: number
  /** The slot after those; `undefined` if there is none. */
  readonly next: number | undefined
}

/** A time up to `jitter` that depends on the slot alone. */
export const jitterOf = (name: string, slot: number, jitter: number): number =>
  jitter === 0 ? 0 : createHash("sha1").update(`${name}\0${slot}`).digest().readUInt32BE(0) % (jitter + 1)

/**
 * When a slot fires: later than its time by its jitter, the same for everyone who asks. No slot waits for longer than to the slot
 * after it, so that jitter never makes a slot a missed one.
 */
export const dueAt = (name: string, { jitter }: Spec, recurrence: Recurrence, slot: number): number => {
  if (jitter === 0) return slot
  const next = recurrence.next(slot)
  return slot + jitterOf(name, slot, next === undefined ? jitter : Math.min(jitter, next - slot - 1))
}

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
  while (slots.length > 0 && dueAt(name, spec, recurrence, slots[0]!) > now) slots.shift()
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
    ? dueAt(name, spec, recurrence, latest) + missedAfter > now ? [latest] : []
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
  state: State,
  now: number
): number | undefined =>
  before !== undefined && state.slot !== undefined && recursAlike(before, after)
    ? state.slot
    : firstUnfired(recurrence, state, now)

const recursAlike = (a: Spec, b: Spec): boolean =>
  JSON.stringify([a.rule, a.from, a.until]) === JSON.stringify([b.rule, b.from, b.until])

/** The first slot after now that has not fired, unless a clock that was far ahead has fired it. */
export const firstUnfired = (recurrence: Recurrence, { last }: State, now: number): number | undefined =>
  recurrence.next(last !== undefined && last > now && last - now <= patience ? last : now)

/**
 * The right next slot where the stored one was computed by a clock that was ahead; otherwise the stored one. That clock may
 * also have been past the last slot of all.
 */
export const repairedSlot = (recurrence: Recurrence, state: State, now: number): number | undefined => {
  const first = recurrence.next(now)
  if (first === undefined) return state.slot
  if (state.slot === undefined) return firstUnfired(recurrence, state, now)
  const second = recurrence.next(first) ?? first
  return state.slot > second && state.slot - now > patience ? firstUnfired(recurrence, state, now) : state.slot
}
