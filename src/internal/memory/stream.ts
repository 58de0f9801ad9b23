/**
 * The data of a stream: entries, groups, consumers, pending lists, and the
 * counters behind `lag` and `entries-read`.
 */
import { tryBigInt } from "./arguments.ts"
import type { Reply } from "./command.ts"
import * as Ids from "./ids.ts"
import * as Ordered from "./ordered.ts"

/**
 * The server keeps entries in blocks of at most 100 entries or 4096 bytes, and
 * approximate trimming removes whole blocks only.
 */
interface Block {
  live: number
  total: number
  bytes: number
  /** Field names of the first entry: entries with the same ones are stored shorter. */
  readonly names: ReadonlyArray<string>
  readonly firstId: Ids.EntryId
  lastId: Ids.EntryId
}

export interface Entry {
  readonly fields: ReadonlyArray<string>
  readonly block: Block
}

export interface Pending {
  readonly id: Ids.EntryId
  readonly text: string
  consumer: Consumer | undefined
  deliveredAt: number
  deliveries: number
}

export interface Consumer {
  readonly name: string
  seenAt: number
  readonly pending: Ordered.Ordered<Pending>
}

export interface Group {
  readonly name: string
  lastId: Ids.EntryId
  /** How many entries of the stream are at or before `lastId`; `undefined` when that is not known. */
  entriesRead: number | undefined
  readonly pending: Ordered.Ordered<Pending>
  readonly consumers: Map<string, Consumer>
}

export interface StreamValue {
  readonly kind: "stream"
  readonly entries: Ordered.Ordered<Entry>
  readonly groups: Map<string, Group>
  readonly blocks: Array<Block>
  lastId: Ids.EntryId
  firstId: Ids.EntryId
  maxDeletedId: Ids.EntryId
  entriesAdded: number
}

export const make = (): StreamValue => ({
  kind: "stream",
  entries: Ordered.make(),
  groups: new Map(),
  blocks: [],
  lastId: Ids.zero,
  firstId: Ids.zero,
  maxDeletedId: Ids.zero,
  entriesAdded: 0
})

export const length = (self: StreamValue): number => Ordered.size(self.entries)

/** The greatest id among the entries that are there. */
export const lastEntryId = (self: StreamValue): Ids.EntryId => Ordered.last(self.entries)?.id ?? Ids.zero

export const append = (self: StreamValue, id: Ids.EntryId, fields: ReadonlyArray<string>): string => {
  const block = blockFor(self, id, fields)
  const text = Ids.format(id)
  Ordered.add(self.entries, id, text, { fields, block })
  self.entriesAdded++
  self.lastId = id
  if (length(self) === 1) self.firstId = id
  return text
}

export const entryReply = (cell: Ordered.Cell<Entry>): Reply => [cell.text, cell.value.fields]

/** Removes an entry; `false` when it is not there. The caller corrects `firstId`. */
const removeEntry = (self: StreamValue, text: string): boolean => {
  const entry = Ordered.remove(self.entries, text)
  if (entry === undefined) return false
  if (--entry.block.live === 0) self.blocks.splice(self.blocks.indexOf(entry.block), 1)
  return true
}

export const deleteEntries = (self: StreamValue, ids: ReadonlyArray<Ids.EntryId>): number => {
  let deleted = 0
  let first = false
  for (const id of ids) {
    if (!removeEntry(self, Ids.format(id))) continue
    if (Ids.compare(id, self.firstId) === 0) first = true
    if (Ids.compare(id, self.maxDeletedId) > 0) self.maxDeletedId = id
    deleted++
  }
  if (deleted > 0) {
    if (length(self) === 0) self.firstId = Ids.zero
    else if (first) self.firstId = Ordered.first(self.entries)?.id ?? Ids.zero
  }
  return deleted
}

export type Trim =
  | { readonly by: "length"; readonly keep: number; readonly approximate: boolean; readonly limit: number }
  | { readonly by: "id"; readonly least: Ids.EntryId; readonly approximate: boolean; readonly limit: number }

export const trim = (self: StreamValue, options: Trim): number => {
  let deleted = 0
  while (true) {
    const block = self.blocks[0]
    if (block === undefined || (options.by === "length" && length(self) <= options.keep)) break
    if (options.limit > 0 && deleted + block.live > options.limit) break
    const whole = options.by === "length"
      ? length(self) - block.live >= options.keep
      : Ids.compare(block.lastId, options.least) < 0
    if (whole) {
      self.blocks.shift()
      deleted += removeWhile(self, (cell) => cell.value.block === block)
      continue
    }
    if (!options.approximate) {
      deleted += options.by === "length"
        ? removeWhile(self, () => length(self) > options.keep)
        : removeWhile(self, (cell) => Ids.compare(cell.id, options.least) < 0)
    }
    break
  }
  if (length(self) === 0) self.firstId = Ids.zero
  else if (deleted > 0) self.firstId = Ordered.first(self.entries)?.id ?? Ids.zero
  return deleted
}

/** Removes entries from the front. Their block stays, as in the server, when nothing is left in it. */
const removeWhile = (self: StreamValue, goesToo: (cell: Ordered.Cell<Entry>) => boolean): number => {
  let removed = 0
  let cell = Ordered.first(self.entries)
  while (cell !== undefined && goesToo(cell)) {
    Ordered.remove(self.entries, cell.text)
    cell.value.block.live--
    removed++
    cell = Ordered.first(self.entries)
  }
  return removed
}

// Groups

export const makeGroup = (
  self: StreamValue,
  name: string,
  lastId: Ids.EntryId,
  entriesRead: number | undefined
): Group | undefined => {
  if (self.groups.has(name)) return undefined
  const group: Group = { name, lastId, entriesRead, pending: Ordered.make(), consumers: new Map() }
  self.groups.set(name, group)
  return group
}

/** The consumer, made when it is not there yet, and seen now. */
export const consumerOf = (group: Group, name: string, now: number): Consumer => {
  const there = group.consumers.get(name)
  if (there !== undefined) {
    there.seenAt = now
    return there
  }
  const consumer: Consumer = { name, seenAt: now, pending: Ordered.make() }
  group.consumers.set(name, consumer)
  return consumer
}

export const assign = (group: Group, pending: Pending, consumer: Consumer): void => {
  if (pending.consumer === consumer) return
  if (pending.consumer !== undefined) Ordered.remove(pending.consumer.pending, pending.text)
  pending.consumer = consumer
  Ordered.add(consumer.pending, pending.id, pending.text, pending)
  if (!Ordered.has(group.pending, pending.text)) Ordered.add(group.pending, pending.id, pending.text, pending)
}

export const acknowledge = (group: Group, text: string): boolean => {
  const pending = Ordered.remove(group.pending, text)
  if (pending === undefined) return false
  if (pending.consumer !== undefined) Ordered.remove(pending.consumer.pending, text)
  return true
}

/**
 * Entries after `start` go to a consumer: the group moves on, and unless
 * `noAck` they become pending.
 */
export const deliver = (
  self: StreamValue,
  group: Group,
  consumer: Consumer,
  options: {
    readonly after: Ids.EntryId
    readonly count: number | undefined
    readonly noAck: boolean
    readonly now: number
  }
): Reply => {
  const start = Ids.next(options.after) ?? Ids.max
  const cells = Ordered.range(self.entries, start, Ids.max, options.count)
  return cells.map((cell) => {
    if (Ids.compare(cell.id, group.lastId) > 0) {
      if (group.entriesRead !== undefined && !hasDeletions(self, cell.id)) group.entriesRead++
      else if (self.entriesAdded > 0) group.entriesRead = distanceFromFirstEver(self, cell.id)
      group.lastId = cell.id
    }
    if (!options.noAck) {
      const pending = Ordered.get(group.pending, cell.text) ??
        { id: cell.id, text: cell.text, consumer: undefined, deliveredAt: 0, deliveries: 0 }
      pending.deliveredAt = options.now
      pending.deliveries = 1
      assign(group, pending, consumer)
    }
    return entryReply(cell)
  })
}

/** What is pending with a consumer after `start`, counted as another delivery. */
export const history = (
  self: StreamValue,
  consumer: Consumer,
  options: { readonly after: Ids.EntryId; readonly count: number | undefined; readonly now: number }
): Reply => {
  const start = Ids.next(options.after)
  // the server's own increment wraps around here
  const cells = Ordered.range(consumer.pending, start ?? Ids.zero, Ids.max, options.count)
  return cells.map((cell) => {
    const entry = Ordered.get(self.entries, cell.text)
    if (entry === undefined) return [cell.text, null]
    cell.value.deliveredAt = options.now
    cell.value.deliveries++
    return [cell.text, entry.fields]
  })
}

// Counters

/** May something have been deleted at or after `start`? Trimming does not count, as in the server. */
const hasDeletions = (self: StreamValue, start: Ids.EntryId): boolean =>
  length(self) > 0 && !Ids.isZero(self.maxDeletedId) && Ids.compare(self.firstId, self.maxDeletedId) <= 0 &&
  Ids.compare(start, self.maxDeletedId) <= 0

/** How many entries were ever added up to this id; `undefined` when that is unknown. */
const distanceFromFirstEver = (self: StreamValue, id: Ids.EntryId): number | undefined => {
  if (self.entriesAdded === 0) return 0
  if (length(self) === 0 && Ids.compare(id, self.lastId) < 1) return self.entriesAdded
  const toLast = Ids.compare(id, self.lastId)
  if (toLast === 0) return self.entriesAdded
  if (toLast > 0) return undefined
  if (Ids.isZero(self.maxDeletedId) || Ids.compare(self.maxDeletedId, self.firstId) < 0) {
    const toFirst = Ids.compare(id, self.firstId)
    if (toFirst < 0) return self.entriesAdded - length(self)
    if (toFirst === 0) return self.entriesAdded - length(self) + 1
  }
  return undefined
}

export const lag = (self: StreamValue, group: Group): number | null => {
  if (self.entriesAdded === 0) return 0
  if (group.entriesRead !== undefined && !hasDeletions(self, group.lastId)) return self.entriesAdded - group.entriesRead
  const read = distanceFromFirstEver(self, group.lastId)
  return read === undefined ? null : self.entriesAdded - read
}

// Blocks

const blockFor = (self: StreamValue, id: Ids.EntryId, fields: ReadonlyArray<string>): Block => {
  let block = self.blocks[self.blocks.length - 1]
  if (block === undefined || block.total >= 100 || block.bytes + sum(fields, (field) => field.length) >= 4096) {
    const names: Array<string> = []
    for (let i = 0; i < fields.length; i += 2) names.push(fields[i] ?? "")
    // header and end, then: live count, deleted count, number of names, names, terminator
    const bytes = 7 + 2 + 2 + packedInteger(names.length) + sum(names, packed) + 2
    block = { live: 0, total: 0, bytes, names, firstId: id, lastId: id }
    self.blocks.push(block)
  }
  block.bytes += entrySize(block, id, fields)
  block.live++
  block.total++
  block.lastId = id
  return block
}

const sum = (texts: ReadonlyArray<string>, size: (text: string) => number): number => {
  let total = 0
  for (const text of texts) total += size(text)
  return total
}

const sameNames = (block: Block, fields: ReadonlyArray<string>): boolean => {
  if (fields.length !== block.names.length * 2) return false
  for (let i = 0; i < block.names.length; i++) if (fields[i * 2] !== block.names[i]) return false
  return true
}

const entrySize = (block: Block, id: Ids.EntryId, fields: ReadonlyArray<string>): number => {
  const ids = packedDistance(id.ms, block.firstId.ms) + packedDistance(id.seq, block.firstId.seq)
  const same = sameNames(block, fields)
  let bytes = 2 + ids
  for (let i = same ? 1 : 0; i < fields.length; i += same ? 2 : 1) bytes += packed(fields[i] ?? "")
  if (!same) bytes += packedInteger(fields.length / 2)
  return bytes + packedInteger(same ? fields.length / 2 + 3 : fields.length + 4)
}

const packedDistance = (a: Ids.Part, b: Ids.Part): number =>
  typeof a === "number" && typeof b === "number" ? packedInteger(a - b) : packedInteger(Number(BigInt(a) - BigInt(b)))

/** The size of an element in a listpack: its encoding, and its length again for walking back. */
const packed = (text: string): number => {
  if (text.length <= 20) {
    const value = tryBigInt(text)
    if (value !== undefined) return packedInteger(Number(value))
  }
  const bytes = text.length
  const size = bytes < 64 ? bytes + 1 : bytes < 4096 ? bytes + 2 : bytes + 5
  return size + (size <= 127 ? 1 : size < 16384 ? 2 : size < 2097152 ? 3 : size < 268435456 ? 4 : 5)
}

const packedInteger = (value: number): number => {
  if (value >= 0 && value <= 127) return 2
  if (value >= -4096 && value <= 4095) return 3
  if (value >= -32768 && value <= 32767) return 4
  if (value >= -8388608 && value <= 8388607) return 5
  if (value >= -2147483648 && value <= 2147483647) return 6
  return 10
}
