/** Commands on consumer groups and their pending lists. */
import * as Args from "./arguments.ts"
import type { Context, Handlers, Reply } from "./command.ts"
import * as Ids from "./ids.ts"
import * as Ordered from "./ordered.ts"
import { ReplyError } from "./replyError.ts"
import { ok } from "./status.ts"
import * as Store from "./store.ts"
import * as Stream from "./stream.ts"

interface Target {
  readonly stream: Stream.StreamValue
  readonly group: Stream.Group
}

const find = (context: Context, key: string, name: string): Target | undefined => {
  const stream = Store.get(context.store, key, "stream")
  const group = stream?.groups.get(name)
  return stream === undefined || group === undefined ? undefined : { stream, group }
}

const required = (context: Context, key: string, name: string): Target => {
  const target = find(context, key, name)
  if (target === undefined) throw new ReplyError(`NOGROUP No such key '${key}' or consumer group '${name}'`)
  return target
}

// XGROUP

interface GroupOptions {
  readonly makeStream: boolean
  readonly entriesRead: number | undefined
}

const groupOptions = (argv: ReadonlyArray<string>, mayMakeStream: boolean): GroupOptions => {
  let makeStream = false
  let entriesRead: number | undefined
  for (let i = 5; i < argv.length; i++) {
    const option = (argv[i] ?? "").toUpperCase()
    if (mayMakeStream && option === "MKSTREAM") makeStream = true
    else if (option === "ENTRIESREAD" && i + 1 < argv.length) {
      const value = Args.integer(argv[++i] ?? "")
      if (value < -1) throw new ReplyError("ERR value for ENTRIESREAD must be positive or -1")
      entriesRead = value === -1 ? undefined : value
    } else throw Args.subcommandError(argv)
  }
  return { makeStream, entriesRead }
}

const keyRequired = (): ReplyError =>
  new ReplyError(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM " +
      "option to create an empty stream automatically."
  )

const createGroup = (context: Context, argv: ReadonlyArray<string>): Reply => {
  const [, , key = "", name = "", idText = ""] = argv
  const { entriesRead, makeStream } = groupOptions(argv, true)
  let stream = Store.get(context.store, key, "stream")
  if (stream === undefined && !makeStream) throw keyRequired()
  const id = idText === "$" ? stream?.lastId ?? Ids.zero : Ids.parseStrict(idText)
  if (stream === undefined) {
    stream = Stream.make()
    Store.put(context.store, key, stream)
  }
  if (Stream.makeGroup(stream, name, id, entriesRead) === undefined) {
    throw new ReplyError("BUSYGROUP Consumer Group name already exists")
  }
  return ok
}

const existing = (context: Context, key: string, name: string): Target => {
  const stream = Store.get(context.store, key, "stream")
  if (stream === undefined) throw keyRequired()
  const group = stream.groups.get(name)
  if (group === undefined) throw new ReplyError(`NOGROUP No such consumer group '${name}' for key name '${key}'`)
  return { stream, group }
}

const setGroupId = (context: Context, argv: ReadonlyArray<string>): Reply => {
  const [, , key = "", name = "", idText = ""] = argv
  const { entriesRead } = groupOptions(argv, false)
  const { group, stream } = existing(context, key, name)
  group.lastId = idText === "$" ? stream.lastId : Ids.parse(idText)
  group.entriesRead = entriesRead
  return ok
}

const destroyGroup = (context: Context, [, , key = "", name = ""]: ReadonlyArray<string>): Reply => {
  const stream = Store.get(context.store, key, "stream")
  if (stream === undefined) throw keyRequired()
  if (!stream.groups.delete(name)) return 0
  // Readers of this group have to learn that it is gone.
  context.store.ready.add(key)
  return 1
}

const createConsumer = (context: Context, [, , key = "", name = "", consumer = ""]: ReadonlyArray<string>): Reply => {
  const { group } = existing(context, key, name)
  if (group.consumers.has(consumer)) return 0
  Stream.consumerOf(group, consumer, context.store.now)
  return 1
}

const deleteConsumer = (context: Context, [, , key = "", name = "", who = ""]: ReadonlyArray<string>): Reply => {
  const { group } = existing(context, key, name)
  const consumer = group.consumers.get(who)
  if (consumer === undefined) return 0
  const pending = Ordered.range(consumer.pending, Ids.zero, Ids.max, undefined)
  for (const cell of pending) Ordered.remove(group.pending, cell.text)
  group.consumers.delete(who)
  return pending.length
}

// XACK, XPENDING

const pendingRange = (context: Context, argv: ReadonlyArray<string>): Reply => {
  const [, key = "", name = ""] = argv
  if (argv.length < 6 || argv.length > 9) throw Args.syntaxError()
  let at = 3
  let minIdle = 0
  if (argv[3]?.toUpperCase() === "IDLE") {
    minIdle = Args.integer(argv[4] ?? "")
    if (argv.length < 8) throw Args.syntaxError()
    at = 5
  }
  const count = Math.max(Args.integer(argv[at + 2] ?? ""), 0)
  const start = Ids.parseStart(argv[at] ?? "")
  const end = Ids.parseEnd(argv[at + 1] ?? "")
  const who = argv[at + 3]
  const { group } = required(context, key, name)
  const from = who === undefined ? group.pending : group.consumers.get(who)?.pending
  if (from === undefined || count === 0) return []
  const now = context.store.now
  const out: Array<Reply> = []
  Ordered.walk(from, start, ({ id, value }) => {
    if (Ids.compare(id, end) > 0) return true
    const idle = now - value.deliveredAt
    if (minIdle !== 0 && idle < minIdle) return false
    out.push([value.text, value.consumer?.name ?? "", Math.max(idle, 0), value.deliveries])
    return out.length === count
  })
  return out
}

const pendingSummary = (group: Stream.Group): Reply => {
  const total = Ordered.size(group.pending)
  if (total === 0) return [0, null, null, null]
  const first = Ordered.first(group.pending)?.text ?? null
  const last = Ordered.last(group.pending)?.text ?? null
  const consumers = Args.sortedByName(group.consumers.values())
    .filter((consumer) => Ordered.size(consumer.pending) > 0)
    .map((consumer) => [consumer.name, String(Ordered.size(consumer.pending))])
  return [total, first, last, consumers]
}

// XCLAIM, XAUTOCLAIM

interface ClaimOptions {
  force: boolean
  justId: boolean
  deliveredAt: number
  retryCount: number | undefined
  lastId: Ids.EntryId
}

const claimOptions = (argv: ReadonlyArray<string>, from: number, now: number): ClaimOptions => {
  const options: ClaimOptions = {
    force: false,
    justId: false,
    deliveredAt: -1,
    retryCount: undefined,
    lastId: Ids.zero
  }
  const value = (i: number, name: string) => Args.integer(argv[i] ?? "", `Invalid ${name} option argument for XCLAIM`)
  for (let i = from; i < argv.length; i++) {
    const option = (argv[i] ?? "").toUpperCase()
    const more = i + 1 < argv.length
    if (option === "FORCE") options.force = true
    else if (option === "JUSTID") options.justId = true
    else if (option === "IDLE" && more) options.deliveredAt = now - value(++i, "IDLE")
    else if (option === "TIME" && more) options.deliveredAt = value(++i, "TIME")
    else if (option === "RETRYCOUNT" && more) options.retryCount = value(++i, "RETRYCOUNT")
    else if (option === "LASTID" && more) options.lastId = Ids.parseStrict(argv[++i] ?? "")
    else throw new ReplyError(`ERR Unrecognized XCLAIM option '${argv[i]}'`)
  }
  // a time that cannot be is now: clients may work it out from a clock of their own
  if (options.deliveredAt < 0 || options.deliveredAt > now) options.deliveredAt = now
  return options
}

const claim = (context: Context, argv: ReadonlyArray<string>): Reply => {
  const [, key = "", name = "", who = "", minIdleText = ""] = argv
  const { group, stream } = required(context, key, name)
  const minIdle = Math.max(Args.integer(minIdleText, "Invalid min-idle-time argument for XCLAIM"), 0)
  const now = context.store.now
  const ids: Array<Ids.EntryId> = []
  let at = 5
  for (; at < argv.length; at++) {
    const id = Ids.tryParse(argv[at] ?? "", 0)
    if (id === undefined) break
    ids.push(id)
  }
  const options = claimOptions(argv, at, now)
  if (Ids.compare(options.lastId, group.lastId) > 0) group.lastId = options.lastId
  const out: Array<Reply> = []
  for (const id of ids) {
    const text = Ids.format(id)
    const entry = Ordered.get(stream.entries, text)
    if (entry === undefined) {
      Stream.acknowledge(group, text)
      continue
    }
    const pending = Ordered.get(group.pending, text) ??
      (options.force ? { id, text, consumer: undefined, deliveredAt: now, deliveries: 1 } : undefined)
    if (pending === undefined) continue
    if (pending.consumer !== undefined && minIdle > 0 && now - pending.deliveredAt < minIdle) continue
    take(group, pending, who, now, options.deliveredAt, options.justId, options.retryCount)
    out.push(options.justId ? text : [text, entry.fields])
  }
  return out
}

const take = (
  group: Stream.Group,
  pending: Stream.Pending,
  who: string,
  now: number,
  deliveredAt: number,
  justId: boolean,
  retryCount: number | undefined
): void => {
  Stream.assign(group, pending, Stream.consumerOf(group, who, now))
  pending.deliveredAt = deliveredAt
  if (retryCount !== undefined && retryCount >= 0) pending.deliveries = retryCount
  else if (!justId) pending.deliveries++
}

const autoClaim = (context: Context, argv: ReadonlyArray<string>): Reply => {
  const [, key = "", name = "", who = "", minIdleText = "", startText = ""] = argv
  const minIdle = Math.max(Args.integer(minIdleText, "Invalid min-idle-time argument for XAUTOCLAIM"), 0)
  const start = Ids.parseStart(startText)
  let count = 100
  let justId = false
  for (let i = 6; i < argv.length; i++) {
    const option = (argv[i] ?? "").toUpperCase()
    if (option === "COUNT" && i + 1 < argv.length) {
      count = Args.integer(argv[++i] ?? "", "COUNT must be > 0")
      if (count < 1 || count >= 2 ** 59) throw new ReplyError("ERR COUNT must be > 0")
    } else if (option === "JUSTID") justId = true
    else throw Args.syntaxError()
  }
  const { group, stream } = required(context, key, name)
  const now = context.store.now
  // at most ten times COUNT entries are looked at in one call; the one behind them is the cursor
  const cells = Ordered.range(group.pending, start, Ids.max, count * 10 + 1)
  const claimed: Array<Reply> = []
  const deleted: Array<string> = []
  let looked = 0
  for (const { text, value: pending } of cells) {
    if (looked === count * 10 || claimed.length + deleted.length === count) break
    looked++
    const entry = Ordered.get(stream.entries, text)
    if (entry === undefined) {
      Stream.acknowledge(group, text)
      deleted.push(text)
      continue
    }
    if (minIdle > 0 && now - pending.deliveredAt < minIdle) continue
    take(group, pending, who, now, now, justId, undefined)
    claimed.push(justId ? text : [text, entry.fields])
  }
  return [cells[looked]?.text ?? "0-0", claimed, deleted]
}

export const streamGroups: Handlers = {
  "xgroup|create": createGroup,
  "xgroup|setid": setGroupId,
  "xgroup|destroy": destroyGroup,
  "xgroup|createconsumer": createConsumer,
  "xgroup|delconsumer": deleteConsumer,
  xack: (context, [, key = "", name = "", ...texts]) => {
    const target = find(context, key, name)
    if (target === undefined) return 0
    const ids = texts.map((text) => Ids.format(Ids.parseStrict(text)))
    return ids.filter((text) => Stream.acknowledge(target.group, text)).length
  },
  xpending: (context, argv) => {
    if (argv.length !== 3) return pendingRange(context, argv)
    return pendingSummary(required(context, argv[1] ?? "", argv[2] ?? "").group)
  },
  xclaim: claim,
  xautoclaim: autoClaim
}
