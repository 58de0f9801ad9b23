/**
 * Estimates how many items one read may ask for, so that its reply stays within a size. It learns from the sizes of
 * earlier items.
 */
export interface BatchSize {
  /** How many items fit into the given number of characters; below 1 if even one may not fit. */
  readonly affordable: (characters: number) => number
  /** Records that `count` items with `characters` in total arrived. */
  readonly learn: (count: number, characters: number) => void
}

/**
 * Limits how many items one take may ask for, so that its reply arrives: half as many after each lost reply, and a few
 * more after each that arrived.
 *
 * A server may close the connection of a client whose reply is large (`client-output-buffer-limit`). The items in the
 * reply are then taken, but not here. The server reports neither the limit nor the reason. If a reply was lost for
 * another reason, this costs a few smaller takes.
 */
export interface Portion {
  /** `Infinity` until a reply was lost. */
  readonly most: () => number
  readonly lost: (asked: number) => void
  readonly came: (asked: number) => void
}

/** A portion that no caller exceeds. */
const noLimitFrom = 1_000

export const makePortion = (): Portion => {
  let most = Number.POSITIVE_INFINITY
  return {
    most: () => most,
    lost: (asked) => {
      most = Math.max(1, Math.min(most, asked) >> 1)
    },
    came: (asked) => {
      // Slowly, because asking for too much costs a connection.
      if (asked >= most) most += Math.max(1, most >> 3)
      if (most > noLimitFrom) most = Number.POSITIVE_INFINITY
    }
  }
}

/** The assumed size of an item before any was seen, so that the first read of huge items is small. */
const sizeAtFirst = 1 << 19

export const make = (): BatchSize => {
  let average = sizeAtFirst
  return {
    affordable: (characters) => Math.floor(characters / average),
    // At once when sizes grow, slowly when they shrink.
    learn: (count, characters) => {
      if (count === 0) return
      const size = characters / count
      average = Math.max(1, size > average ? size : average + (size - average) / 4)
    }
  }
}
