/**
 * The key space as plain data, for assertions.
 */
import * as DateTime from "effect/DateTime"
import { sortedByName } from "./arguments.ts"
import { fromBytes } from "./bytes.ts"
import * as Deque from "./deque.ts"
import * as Ids from "./ids.ts"
import * as Ordered from "./ordered.ts"
import * as SortedSet from "./sortedSet.ts"
import * as Store from "./store.ts"
import type * as Stream from "./stream.ts"

export interface DumpedPending {
  readonly id: string
  readonly consumer: string
  readonly deliveredAt: DateTime.Utc
  readonly deliveries: number
}

export interface DumpedConsumer {
  readonly name: string
  readonly seenAt: DateTime.Utc
  readonly pending: number
}

export interface DumpedGroup {
  readonly name: string
  readonly lastDeliveredId: string
  readonly entriesRead: number | null
  readonly consumers: ReadonlyArray<DumpedConsumer>
  readonly pending: ReadonlyArray<DumpedPending>
}

export interface DumpedEntry {
  readonly id: string
  readonly fields: ReadonlyArray<string>
}

export interface DumpedStream {
  readonly type: "stream"
  readonly entries: ReadonlyArray<DumpedEntry>
  readonly lastId: string
  readonly entriesAdded: number
  readonly maxDeletedId: string
  readonly groups: ReadonlyArray<DumpedGroup>
}

export type DumpedValue =
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "list"; readonly value: ReadonlyArray<string> }
  | { readonly type: "hash"; readonly value: Readonly<Record<string, string>> }
  | { readonly type: "set"; readonly value: ReadonlyArray<string> }
  | { readonly type: "zset"; readonly value: ReadonlyArray<readonly [member: string, score: number]> }
  | DumpedStream

/** A key's value, with when it expires (`null` for never). */
export type DumpedKey = DumpedValue & { readonly expiresAt: DateTime.Utc | null }

/** The latest time that a date can be, in milliseconds. A key may expire later. */
const latest = 8_640_000_000_000_000

const timeOf = (millis: number): DateTime.Utc => DateTime.makeUnsafe(Math.min(millis, latest))

const everything = <A>(ordered: Ordered.Ordered<A>): Array<Ordered.Cell<A>> =>
  Ordered.range(ordered, Ids.zero, Ids.max, undefined)

const dumpGroup = (group: Stream.Group): DumpedGroup => ({
  name: group.name,
  lastDeliveredId: Ids.format(group.lastId),
  entriesRead: group.entriesRead ?? null,
  consumers: sortedByName(group.consumers.values()).map((consumer) => ({
    name: consumer.name,
    seenAt: timeOf(consumer.seenAt),
    pending: Ordered.size(consumer.pending)
  })),
  pending: everything(group.pending).map(({ value }) => ({
    id: value.text,
    consumer: value.consumer?.name ?? "",
    deliveredAt: timeOf(value.deliveredAt),
    deliveries: value.deliveries
  }))
})

const dumpValue = (value: Store.Value): DumpedValue => {
  switch (value.kind) {
    case "string":
      return { type: "string", value: value.value }
    case "list":
      return { type: "list", value: Deque.toArray(value.items) }
    case "hash":
      return { type: "hash", value: Object.fromEntries(value.fields) }
    case "set":
      return { type: "set", value: [...value.members].sort() }
    case "zset":
      return { type: "zset", value: SortedSet.slice(value.set, 0, Infinity).map(({ name, score }) => [name, score]) }
    case "stream":
      return {
        type: "stream",
        entries: everything(value.entries).map(({ text, value }) => ({ id: text, fields: value.fields })),
        lastId: Ids.format(value.lastId),
        entriesAdded: value.entriesAdded,
        maxDeletedId: Ids.format(value.maxDeletedId),
        groups: sortedByName(value.groups.values()).map(dumpGroup)
      }
  }
}

/** The same data with text in place of bytes, names of fields included. */
const textOf = <A>(data: A): A => {
  const convert = (value: unknown): unknown =>
    typeof value === "string"
      ? fromBytes(value)
      : Array.isArray(value)
      ? value.map(convert)
      : typeof value === "object" && value !== null && !DateTime.isDateTime(value)
      ? Object.fromEntries(Object.entries(value).map(([name, item]) => [fromBytes(name), convert(item)]))
      : value
  // SAFETY: only the characters of strings change.
  return convert(data) as A
}

export const dump = (store: Store.Store): Record<string, DumpedKey> => {
  Store.sweep(store)
  const names = [...store.values.keys()].sort()
  return textOf(Object.fromEntries(names.flatMap((name) => {
    const value = store.values.get(name)
    if (value === undefined) return []
    const expires = store.expires.get(name)
    return [[name, { ...dumpValue(value), expiresAt: expires === undefined ? null : timeOf(expires) }]]
  })))
}
