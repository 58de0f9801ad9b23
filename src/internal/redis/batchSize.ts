/**
 * How many things one read may ask for, so that what it brings stays within a size: by the size of those that came before.
 */
export interface BatchSize {
  /** How many fit into so many characters; less than 1 when not even one is known to. */
  readonly affordable: (characters: number) => number
  /** So many came, of so many characters together. */
  readonly learn: (count: number, characters: number) => void
}

/**
 * How many things one take may ask for, so that its reply arrives: half as many after each one whose reply was lost, and a
 * few more after each that came.
 *
 * A server may end the connection of a client whose reply is large (`client-output-buffer-limit`), and what the reply held is
 * then taken and not here. Nobody says what the limit is, or that it was the reason. A reply that was lost for another reason
 * costs a few smaller takes.
 */
export interface Portion {
  /** `Infinity` until a reply was lost. */
  readonly most: () => number
  readonly lost: (asked: number) => void
  readonly came: (asked: number) => void
}

/** A portion beyond which nothing asks for more. */
const noLimitFrom = 1_000

export const makePortion = (): Portion => {
  let most = Number.POSITIVE_INFINITY
  return {
    most: () => most,
    lost: (asked) => {
      most = Math.max(1, Math.min(most, asked) >> 1)
    },
    came: (asked) => {
      // Slowly: too much costs a connection.
      if (asked >= most) most += Math.max(1, most >> 3)
      if (most > noLimitFrom) most = Number.POSITIVE_INFINITY
    }
  }
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
