/**
 * The shape of a list: a ring that grows, constant at both ends and by index.
 */

export interface Deque {
  ring: Array<string>
  start: number
  length: number
}

export const make = (): Deque => ({ ring: Array.from<string>({ length: 8 }).fill(""), start: 0, length: 0 })

const at = (self: Deque, index: number): number => (self.start + index) & (self.ring.length - 1)

export const get = (self: Deque, index: number): string | undefined =>
  index < 0 || index >= self.length ? undefined : self.ring[at(self, index)]

export const set = (self: Deque, index: number, value: string): void => {
  self.ring[at(self, index)] = value
}

const grow = (self: Deque): void => {
  if (self.length < self.ring.length) return
  const items = toArray(self)
  self.ring = items.concat(Array.from<string>({ length: items.length }).fill(""))
  self.start = 0
}

export const pushRight = (self: Deque, value: string): void => {
  grow(self)
  self.ring[at(self, self.length)] = value
  self.length++
}

export const pushLeft = (self: Deque, value: string): void => {
  grow(self)
  self.start = (self.start - 1) & (self.ring.length - 1)
  self.ring[self.start] = value
  self.length++
}

export const popLeft = (self: Deque): string | undefined => {
  if (self.length === 0) return undefined
  const value = self.ring[self.start]
  self.ring[self.start] = ""
  self.start = (self.start + 1) & (self.ring.length - 1)
  self.length--
  return value
}

export const popRight = (self: Deque): string | undefined => {
  if (self.length === 0) return undefined
  const index = at(self, self.length - 1)
  const value = self.ring[index]
  self.ring[index] = ""
  self.length--
  return value
}

/** The elements from `from` up to, not including, `to`. */
export const slice = (self: Deque, from: number, to: number): Array<string> => {
  const out: Array<string> = []
  for (let i = Math.max(from, 0); i < Math.min(to, self.length); i++) out.push(self.ring[at(self, i)] ?? "")
  return out
}

export const toArray = (self: Deque): Array<string> => slice(self, 0, self.length)

/** Puts other elements in place of all. */
export const replace = (self: Deque, items: ReadonlyArray<string>): void => {
  let capacity = 8
  while (capacity < items.length) capacity *= 2
  self.ring = items.concat(Array.from<string>({ length: capacity - items.length }).fill(""))
  self.start = 0
  self.length = items.length
}
