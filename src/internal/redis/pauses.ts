/**
 * Pauses as they are stored: in a hash, `*` or an action type → until when, a number, and why.
 *
 * An action of a paused type waits among the retries, beyond all times at which they can be due: in the range of scores that the
 * number of the pause stands for. When no pause has the number any more, it is due.
 */

/** The field of the whole service. */
export const everything = "*"

/** The width of the range of a number, in milliseconds. No time is beyond the first until the year 2286. */
export const heldWidth = 10_000_000_000_000

/** The numbers of pauses go from 1 to this. A score is exact up to 2^53. */
export const mostNumbers = 800

/** The delay of what waits for the end of a pause, in milliseconds. */
export const delayUntilEndOf = (number: number): number => number * heldWidth

/** Whether a due time is that of an action that waits for the end of a pause. */
export const isHeld = (due: number): boolean => due >= heldWidth

export interface StoredPause {
  readonly field: string
  readonly number: number
  /** Milliseconds by the server's clock; `Infinity` until it is ended. */
  readonly until: number
  readonly reason: string
}

/** The pauses in a flat list of fields and values. Lanes have fields with a NUL, and are paused by others. */
export const decodePauses = (flat: ReadonlyArray<string>): ReadonlyArray<StoredPause> => {
  const pauses: Array<StoredPause> = []
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const field = flat[i]!
    const value = flat[i + 1]!
    if (field.includes("\0")) continue
    const [until = "", number = "", ...reason] = value.split(" ")
    pauses.push({
      field,
      number: /^\d{1,3}$/.test(number) ? Number(number) : 1,
      until: /^\d{1,16}$/.test(until) ? Number(until) : Infinity,
      reason: reason.join(" ")
    })
  }
  return pauses
}
