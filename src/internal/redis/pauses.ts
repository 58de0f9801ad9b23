/** Pauses as they are stored: in a hash, `*` or an action type → until when, and why. */

/** The field of the whole service. */
export const everything = "*"

export interface StoredPause {
  readonly field: string
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
    const space = value.indexOf(" ")
    const until = space < 0 ? value : value.slice(0, space)
    const number = /^\d{1,16}$/.test(until) ? Number(until) : Infinity
    pauses.push({ field, until: number, reason: space < 0 ? "" : value.slice(space + 1) })
  }
  return pauses
}
