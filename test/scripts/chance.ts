import { generator } from "../../src/internal/testing/generator.ts"

/** Random choices, the same for the same seed. */
export interface Chance {
  readonly below: (bound: number) => number
  /** One in so many. */
  readonly oneIn: (count: number) => boolean
  readonly pick: <A>(values: readonly [A, ...ReadonlyArray<A>]) => A
  /** Some of them, in their order. */
  readonly some: <A>(values: ReadonlyArray<A>) => ReadonlyArray<A>
  readonly times: <A>(most: number, make: () => A) => ReadonlyArray<A>
}

export const chanceOf = (seed: number): Chance => {
  const next = generator(seed)
  const below = (bound: number): number => Math.floor(next() * bound)
  return {
    below,
    oneIn: (count) => below(count) === 0,
    pick: (values) => values[below(values.length)] ?? values[0],
    some: (values) => values.filter(() => below(2) === 0),
    times: (most, make) => Array.from({ length: 1 + below(most) }, make)
  }
}
