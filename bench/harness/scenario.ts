/**
 * A scenario is a list of cases that are run in turn, and the rows of the table that their numbers go to.
 */
import type { Bench } from "./bench.ts"

/** Numbers by key of a row. */
export type Numbers = { readonly [key: string]: number }

export interface Case {
  readonly system: string
  readonly run: (bench: Bench) => Promise<Numbers>
}

export interface Row {
  readonly key: string
  readonly scenario: string
  readonly unit: string
}

export interface Scenario {
  /** What `--only` takes. */
  readonly name: string
  readonly rounds: number
  readonly rows: ReadonlyArray<Row>
  readonly cases: ReadonlyArray<Case>
}

/** How much is done: everything, or just enough to see that it works. */
export interface Size {
  readonly quick: boolean
  readonly effectMq: boolean
}

export const library = "this library"
export const handWritten = "hand-written ioredis loop"

/** A number for a full run, and one for a quick run. */
export const choose = (size: Size, full: number, quick: number): number => size.quick ? quick : full

export const thousands = (count: number): string => count.toLocaleString("en")
