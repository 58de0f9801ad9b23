/**
 * The key space: values by key, when they expire, and which of them woke up
 * since the last look.
 */
import { wrongType } from "./arguments.ts"
import type * as Deque from "./deque.ts"
import type * as SortedSet from "./sortedSet.ts"
import type { StreamValue } from "./stream.ts"

export type Value =
  | { readonly kind: "string"; value: string }
  | { readonly kind: "list"; readonly items: Deque.Deque }
  | { readonly kind: "hash"; readonly fields: Map<string, string> }
  | { readonly kind: "set"; readonly members: Set<string> }
  | { readonly kind: "zset"; readonly set: SortedSet.SortedSet }
  | StreamValue

export type Kind = Value["kind"]

export type ValueOf<K extends Kind> = Extract<Value, { readonly kind: K }>

export interface Store {
  readonly values: Map<string, Value>
  readonly expires: Map<string, number>
  /** Keys that clients may be waiting for, in the order in which they woke up. */
  ready: Set<string>
  /** Milliseconds since the epoch, fixed while a command or a script runs. */
  now: number
  /** At how many keys with a time to live the dead ones are swept next. */
  sweepAt: number
}

export const make = (): Store => ({
  values: new Map(),
  expires: new Map(),
  ready: new Set(),
  now: 0,
  sweepAt: 1024
})

const isExpired = (self: Store, key: string): boolean => {
  const at = self.expires.get(key)
  return at !== undefined && self.now > at
}

/** The value under a key, whatever it is. */
export const lookup = (self: Store, key: string): Value | undefined => {
  if (self.expires.size > 0 && isExpired(self, key)) remove(self, key)
  return self.values.get(key)
}

/** The value under a key, which has to be of one kind when it is there. */
export const get = <K extends Kind>(self: Store, key: string, kind: K): ValueOf<K> | undefined => {
  const value = lookup(self, key)
  if (value === undefined) return undefined
  if (value.kind !== kind) throw wrongType()
  // SAFETY: the kinds are equal, and a kind names one member of the union
  return value as ValueOf<K>
}

/** Puts a value under a key. Its time to live goes, unless `keepTtl`. */
export const put = (self: Store, key: string, value: Value, keepTtl = false): void => {
  const before = self.values.get(key)
  if (before === undefined || before.kind === "stream") self.ready.add(key)
  self.values.set(key, value)
  if (!keepTtl) self.expires.delete(key)
}

export const remove = (self: Store, key: string): boolean => {
  const value = self.values.get(key)
  if (value === undefined) return false
  // Readers of a group have to learn that the group is gone.
  if (value.kind === "stream") self.ready.add(key)
  self.expires.delete(key)
  return self.values.delete(key)
}

export const clear = (self: Store): void => {
  for (const key of self.values.keys()) remove(self, key)
}

export const setExpiry = (self: Store, key: string, at: number): void => {
  self.expires.set(key, at)
  if (self.expires.size >= self.sweepAt) {
    sweep(self)
    self.sweepAt = Math.max(1024, self.expires.size * 2)
  }
}

/** Removes all that has expired. Look-ups do it for one key; this is for commands that list keys. */
export const sweep = (self: Store): void => {
  for (const [key, at] of self.expires) if (self.now > at) remove(self, key)
}
