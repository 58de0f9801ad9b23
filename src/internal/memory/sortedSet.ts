/**
 * The shape of a sorted set: members by score, then by bytes, in an array, with
 * a map from member to score beside it.
 */
import { compareBytes } from "./arguments.ts"

export interface Member {
  readonly score: number
  readonly name: string
}

export interface SortedSet {
  readonly members: Array<Member>
  readonly scores: Map<string, number>
}

export const make = (): SortedSet => ({ members: [], scores: new Map() })

const compare = (a: Member, score: number, name: string): number =>
  a.score < score ? -1 : a.score > score ? 1 : compareBytes(a.name, name)

const position = (self: SortedSet, score: number, name: string): number => {
  let low = 0
  let high = self.members.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const member = self.members[middle]
    if (member !== undefined && compare(member, score, name) < 0) low = middle + 1
    else high = middle
  }
  return low
}

export const set = (self: SortedSet, name: string, score: number): void => {
  remove(self, name)
  self.scores.set(name, score)
  const at = position(self, score, name)
  if (at === self.members.length) self.members.push({ score, name })
  else self.members.splice(at, 0, { score, name })
}

export const remove = (self: SortedSet, name: string): boolean => {
  const score = self.scores.get(name)
  if (score === undefined) return false
  self.scores.delete(name)
  self.members.splice(position(self, score, name), 1)
  return true
}

export const rank = (self: SortedSet, name: string): number | undefined => {
  const score = self.scores.get(name)
  return score === undefined ? undefined : position(self, score, name)
}

/** The index of the first member for which `below` is false; members below come first. */
export const search = (self: SortedSet, below: (member: Member) => boolean): number => {
  let low = 0
  let high = self.members.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const member = self.members[middle]
    if (member !== undefined && below(member)) low = middle + 1
    else high = middle
  }
  return low
}

/** Removes the members from `from` up to, not including, `to`. */
export const removeRange = (self: SortedSet, from: number, to: number): Array<Member> => {
  const removed = self.members.splice(from, Math.max(to - from, 0))
  for (const member of removed) self.scores.delete(member.name)
  return removed
}
