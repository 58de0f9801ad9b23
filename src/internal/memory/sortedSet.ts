/**
 * The shape of a sorted set: members by score, then by bytes, with a map from
 * member to score beside them.
 *
 * The members are kept in chunks of bounded length, so that neither a new first
 * member nor the loss of one moves all others.
 */
import { compareBytes } from "./arguments.ts"

export interface Member {
  readonly score: number
  readonly name: string
}

export interface SortedSet {
  readonly chunks: Array<Array<Member>>
  readonly scores: Map<string, number>
}

const chunkSize = 512

export const make = (): SortedSet => ({ chunks: [], scores: new Map() })

export const size = (self: SortedSet): number => self.scores.size

/** How many items come before the first one that is not below. Those below come first. */
const partition = <A>(items: ReadonlyArray<A>, below: (item: A) => boolean): number => {
  let low = 0
  let high = items.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const item = items[middle]
    if (item !== undefined && below(item)) low = middle + 1
    else high = middle
  }
  return low
}

const lastOf = (chunk: ReadonlyArray<Member>): Member | undefined => chunk[chunk.length - 1]

/** The chunk in which the first member that is not below lies, or after which it would come. */
const chunkFor = (self: SortedSet, below: (member: Member) => boolean): number =>
  partition(self.chunks, (chunk) => {
    const last = lastOf(chunk)
    return last !== undefined && below(last)
  })

const isBefore = (score: number, name: string) => (member: Member): boolean =>
  member.score < score || (member.score === score && compareBytes(member.name, name) < 0)

export const set = (self: SortedSet, name: string, score: number): void => {
  remove(self, name)
  self.scores.set(name, score)
  const before = isBefore(score, name)
  const index = Math.min(chunkFor(self, before), Math.max(self.chunks.length - 1, 0))
  const chunk = self.chunks[index]
  if (chunk === undefined) {
    self.chunks.push([{ score, name }])
    return
  }
  chunk.splice(partition(chunk, before), 0, { score, name })
  if (chunk.length <= chunkSize) return
  // one that only grows at its end stays full, others are halved
  const at = index === self.chunks.length - 1 ? chunkSize : chunk.length >>> 1
  self.chunks.splice(index + 1, 0, chunk.splice(at))
}

export const remove = (self: SortedSet, name: string): boolean => {
  const score = self.scores.get(name)
  if (score === undefined) return false
  self.scores.delete(name)
  const before = isBefore(score, name)
  const index = chunkFor(self, before)
  const chunk = self.chunks[index]
  if (chunk === undefined) return false
  chunk.splice(partition(chunk, before), 1)
  if (chunk.length === 0) self.chunks.splice(index, 1)
  return true
}

/** The index of the first member for which `below` is false; members below come first. */
export const search = (self: SortedSet, below: (member: Member) => boolean): number => {
  const index = chunkFor(self, below)
  let total = 0
  for (let i = 0; i < index; i++) total += self.chunks[i]?.length ?? 0
  const chunk = self.chunks[index]
  return chunk === undefined ? total : total + partition(chunk, below)
}

export const rank = (self: SortedSet, name: string): number | undefined => {
  const score = self.scores.get(name)
  return score === undefined ? undefined : search(self, isBefore(score, name))
}

/** The members from index `from` up to, not including, `to`. */
export const slice = (self: SortedSet, from: number, to: number): Array<Member> => {
  const out: Array<Member> = []
  let start = 0
  for (const chunk of self.chunks) {
    if (start >= to) break
    const end = start + chunk.length
    if (end > from) { for (const member of chunk.slice(Math.max(from - start, 0), to - start)) out.push(member) }
    start = end
  }
  return out
}

/** Removes the members from index `from` up to, not including, `to`, and returns them. */
export const removeRange = (self: SortedSet, from: number, to: number): Array<Member> => {
  const members = slice(self, from, to)
  for (const member of members) remove(self, member.name)
  return members
}
