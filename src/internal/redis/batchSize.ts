/**
 * How many things one read may ask for, so that what it brings stays within a size: by the size of those that came before.
 */
export interface BatchSize {
  /** How many fit into so many characters; less than 1 when not even one is known to. */
  readonly affordable: (characters: number) => number
  /** So many came, of so many characters together. */
  readonly learn: (count: number, characters: number) => void
}

/** What one is taken to cost before any was seen, so that the first read of huge ones is small. */
const sizeAtFirst = 1 << 19

export const make = (): BatchSize => {
  let average = sizeAtFirst
  return {
    affordable: (characters) => Math.floor(characters / average),
    // At once when they grow, slowly when they shrink.
    learn: (count, characters) => {
      if (count === 0) return
      const size = characters / count
      average = Math.max(1, size > average ? size : average + (size - average) / 4)
    }
  }
}
