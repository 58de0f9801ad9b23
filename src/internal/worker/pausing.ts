/**
 * What keeps a worker from taking entries: its own `pause`, or an operator's pause of the service. Actions of
 * paused types are taken once, and given back until the pause ends.
 */
import * as Latch from "effect/Latch"
import { decodePauses, everything, type StoredPause } from "../redis/pauses.ts"

export interface Pausing {
  /** Open unless this worker was paused by its own handle. */
  readonly own: Latch.Latch
  /** The pauses of operators that have not ended, as of the last look. */
  readonly stored: () => ReadonlyArray<StoredPause>
  /** The types that are paused, and the numbers of their pauses. */
  readonly types: () => ReadonlyMap<string, number>
  /** Pauses or resumes this worker alone. */
  readonly setOwn: (isPaused: boolean) => void
  /** Reads the hash of pauses, by the server's time. */
  readonly learn: (flat: ReadonlyArray<string>, now: number) => void
}

const none: ReadonlyMap<string, number> = new Map()

/** `gate` is open while entries may be taken, and `paused` is the opposite. */
export const make = (gate: Latch.Latch, paused: Latch.Latch): Pausing => {
  const own = Latch.makeUnsafe(true)
  let stored: ReadonlyArray<StoredPause> = []
  let types = none
  let isServicePaused = false

  const apply = (): void => {
    if (own.isOpen() && !isServicePaused) {
      paused.closeUnsafe()
      gate.openUnsafe()
    } else {
      gate.closeUnsafe()
      paused.openUnsafe()
    }
  }

  return {
    own,
    stored: () => stored,
    types: () => types,
    setOwn: (isPaused) => {
      if (isPaused) own.closeUnsafe()
      else own.openUnsafe()
      apply()
    },
    learn: (flat, now) => {
      if (flat.length === 0 && stored.length === 0) return
      stored = decodePauses(flat).filter(({ until }) => until > now)
      isServicePaused = stored.some(({ field }) => field === everything)
      types = new Map(stored.flatMap(({ field, number }) => field === everything ? [] : [[field, number]]))
      apply()
    }
  }
}
