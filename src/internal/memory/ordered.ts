/**
 * A sequence ordered by entry id: the shape of a stream and of a pending list.
 *
 * Appending is constant, deletion anywhere too (a cell is marked and swept
 * later), a range starts with a binary search. The first and the last cell are
 * always live.
 */
import * as Ids from "./ids.ts"

export interface Cell<A> {
  readonly id: Ids.EntryId
  readonly text: string
  readonly value: A
  live: boolean
}

export interface Ordered<A> {
  cells: Array<Cell<A>>
  /** Where the first live cell is. */
  head: number
  readonly index: Map<string, Cell<A>>
}

export const make = <A>(): Ordered<A> => ({ cells: [], head: 0, index: new Map() })

export const size = <A>(self: Ordered<A>): number => self.index.size

export const get = <A>(self: Ordered<A>, text: string): A | undefined => self.index.get(text)?.value

export const has = <A>(self: Ordered<A>, text: string): boolean => self.index.has(text)

export const first = <A>(self: Ordered<A>): Cell<A> | undefined => self.cells[self.head]

export const last = <A>(self: Ordered<A>): Cell<A> | undefined =>
  self.index.size === 0 ? undefined : self.cells[self.cells.length - 1]

/** Adds a value under an id that is not there yet. */
export const add = <A>(self: Ordered<A>, id: Ids.EntryId, text: string, value: A): void => {
  const cell: Cell<A> = { id, text, value, live: true }
  self.index.set(text, cell)
  const end = self.cells[self.cells.length - 1]
  if (end === undefined || Ids.compare(id, end.id) > 0) {
    self.cells.push(cell)
    return
  }
  const at = lowerBound(self, id)
  const there = self.cells[at]
  if (there !== undefined && !there.live && Ids.compare(there.id, id) === 0) self.cells[at] = cell
  else self.cells.splice(at, 0, cell)
  if (at < self.head) self.head = at
}

export const remove = <A>(self: Ordered<A>, text: string): A | undefined => {
  const cell = self.index.get(text)
  if (cell === undefined) return undefined
  self.index.delete(text)
  cell.live = false
  const cells = self.cells
  if (self.index.size === 0) {
    self.cells = []
    self.head = 0
    return cell.value
  }
  while (cells[self.head]?.live === false) self.head++
  while (cells[cells.length - 1]?.live === false) cells.pop()
  if (cells.length > 32 && cells.length > 2 * self.index.size) {
    self.cells = cells.filter((cell) => cell.live)
    self.head = 0
  }
  return cell.value
}

/** Where the first cell with an id not below the given one is, or would be. */
const lowerBound = <A>(self: Ordered<A>, id: Ids.EntryId): number => {
  let low = 0
  let high = self.cells.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const cell = self.cells[middle]
    if (cell !== undefined && Ids.compare(cell.id, id) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * The live cells from `start` to `end`, both included, at most `count` of them
 * (all when `undefined`). A copy: the sequence may change while it is walked.
 */
export const range = <A>(
  self: Ordered<A>,
  start: Ids.EntryId,
  end: Ids.EntryId,
  count: number | undefined
): Array<Cell<A>> => {
  const out: Array<Cell<A>> = []
  const limit = count ?? Infinity
  for (let i = Math.max(lowerBound(self, start), self.head); i < self.cells.length && out.length < limit; i++) {
    const cell = self.cells[i]
    if (cell === undefined || Ids.compare(cell.id, end) > 0) break
    if (cell.live) out.push(cell)
  }
  return out
}

/** As {@link range}, from the end to the start. */
export const rangeReverse = <A>(
  self: Ordered<A>,
  start: Ids.EntryId,
  end: Ids.EntryId,
  count: number | undefined
): Array<Cell<A>> => {
  const out: Array<Cell<A>> = []
  const limit = count ?? Infinity
  const from = lowerBound(self, end)
  for (let i = Math.min(from, self.cells.length - 1); i >= self.head && out.length < limit; i--) {
    const cell = self.cells[i]
    if (cell === undefined || Ids.compare(cell.id, start) < 0) break
    if (cell.live && Ids.compare(cell.id, end) <= 0) out.push(cell)
  }
  return out
}

/** Walks live cells from `start` on until `f` says stop. The sequence must not change meanwhile. */
export const walk = <A>(self: Ordered<A>, start: Ids.EntryId, f: (cell: Cell<A>) => boolean): void => {
  for (let i = Math.max(lowerBound(self, start), self.head); i < self.cells.length; i++) {
    const cell = self.cells[i]
    if (cell !== undefined && cell.live && f(cell)) return
  }
}
