/** Commands on streams as such: adding, reading, trimming. */
import * as Args from "./arguments.ts"
import type { Context, Handlers, Reply, Wait } from "./command.ts"
import * as Ids from "./ids.ts"
import * as Ordered from "./ordered.ts"
import { ReplyError } from "./replyError.ts"
import { ok } from "./status.ts"
import * as Store from "./store.ts"
import * as Stream from "./stream.ts"

const streamOf = (context: Context, key: string): Stream.StreamValue | undefined =>
  Store.get(context.store, key, "stream")

// XADD, XTRIM

interface WriteOptions {
  readonly trim: Stream.Trim | undefined
  readonly createStream: boolean
  /** Where the id is, for XADD. */
  readonly at: number
}

const writeOptions = (argv: ReadonlyArray<string>, isAdd: boolean): WriteOptions => {
  let strategy: { by: "length"; keep: number } | { by: "id"; least: Ids.EntryId } | undefined
  let approximate = false
  let limit: number | undefined
  let createStream = true
  let i = 2
  for (; i < argv.length; i++) {
    const text = argv[i] ?? ""
    const option = text.toUpperCase()
    const more = argv.length - 1 - i
    if (isAdd && text === "*") break
    if ((option === "MAXLEN" || option === "MINID") && more > 0) {
      if (strategy !== undefined) {
        throw new ReplyError("ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
      }
      approximate = false
      if (more >= 2 && (argv[i + 1] === "~" || argv[i + 1] === "=")) approximate = argv[++i] === "~"
      const value = argv[++i] ?? ""
      if (option === "MINID") strategy = { by: "id", least: Ids.parseStrict(value) }
      else {
        strategy = { by: "length", keep: Args.integer(value) }
        if (strategy.keep < 0) throw new ReplyError("ERR The MAXLEN argument must be >= 0.")
      }
    } else if (option === "LIMIT" && more > 0) {
      limit = Args.integer(argv[++i] ?? "")
      if (limit < 0) throw new ReplyError("ERR The LIMIT argument must be >= 0.")
    } else if (isAdd && option === "NOMKSTREAM") createStream = false
    else if (isAdd) {
      parseNewId(text)
      break
    } else throw Args.syntaxError()
  }
  if (limit !== undefined && limit > 0 && strategy === undefined) {
    throw new ReplyError("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
  }
  if (!isAdd && strategy === undefined) {
    throw new ReplyError("ERR syntax error, XTRIM must be called with a trimming strategy")
  }
  if (limit !== undefined && !approximate) {
    throw new ReplyError("ERR syntax error, LIMIT cannot be used without the special ~ option")
  }
  const trim = strategy === undefined
    ? undefined
    : { ...strategy, approximate, limit: approximate ? limit ?? 10000 : 0 }
  return { trim, createStream, at: i }
}

/** The id of a new entry as given: whole, only its milliseconds (`5-*`), or left to the server (`*`). */
const parseNewId = (text: string): { readonly id: Ids.EntryId; readonly wholly: boolean } | undefined => {
  if (text === "*") return undefined
  if (text.endsWith("-*")) {
    const milliseconds = text.slice(0, -2)
    if (milliseconds.includes("-")) throw Ids.invalid()
    return { id: Ids.parseStrict(milliseconds), wholly: false }
  }
  return { id: Ids.parseStrict(text), wholly: true }
}

const notGreater = "ERR The ID specified in XADD is equal or smaller than the target stream top item"

const newId = (stream: Stream.StreamValue, text: string, now: number): Ids.EntryId => {
  const given = parseNewId(text)
  const id = given === undefined
    ? Ids.generate(stream.lastId, now)
    : given.wholly || given.id.ms !== stream.lastId.ms
    ? given.id
    : Ids.next(stream.lastId)
  // `5-*` must not run over into the next millisecond
  const overrun = id !== undefined && given !== undefined && id.ms !== given.id.ms
  if (id === undefined || overrun || Ids.compare(id, stream.lastId) <= 0) throw new ReplyError(notGreater)
  return id
}

const add = (context: Context, argv: ReadonlyArray<string>): Reply => {
  const { at, createStream, trim } = writeOptions(argv, true)
  const [command = "", key = ""] = argv
  const idText = argv[at] ?? "*"
  const fields = argv.slice(at + 1)
  if (fields.length < 2 || fields.length % 2 === 1) throw Args.wrongArity(command)
  const given = parseNewId(idText)
  if (given?.wholly === true && Ids.isZero(given.id)) {
    throw new ReplyError("ERR The ID specified in XADD must be greater than 0-0")
  }
  let stream = streamOf(context, key)
  if (stream === undefined) {
    if (!createStream) return null
    stream = Stream.make()
    Store.put(context.store, key, stream)
  }
  if (Ids.isMax(stream.lastId)) {
    throw new ReplyError("ERR The stream has exhausted the last possible ID, unable to add more items")
  }
  const text = Stream.append(stream, newId(stream, idText, context.store.now), fields)
  if (trim !== undefined) Stream.trim(stream, trim)
  context.store.ready.add(key)
  return text
}

// XRANGE

const range = (reverse: boolean) => (context: Context, argv: ReadonlyArray<string>): Reply => {
  const [, key = "", first = "", second = ""] = argv
  const start = Ids.parseStart(reverse ? second : first)
  const end = Ids.parseEnd(reverse ? first : second)
  let count: number | undefined
  for (let i = 4; i < argv.length; i += 2) {
    const text = argv[i + 1]
    if (argv[i]?.toUpperCase() !== "COUNT" || text === undefined) throw Args.syntaxError()
    count = Math.max(Args.integer(text), 0)
  }
  const stream = streamOf(context, key)
  if (stream === undefined) return []
  if (count === 0) return null
  const cells = reverse
    ? Ordered.rangeReverse(stream.entries, start, end, count)
    : Ordered.range(stream.entries, start, end, count)
  return cells.map(Stream.entryReply)
}

// XREAD, XREADGROUP

interface ReadOptions {
  readonly timeout: number | undefined
  readonly count: number | undefined
  readonly noAck: boolean
  readonly group: { readonly name: string; readonly consumer: string } | undefined
  readonly keys: ReadonlyArray<string>
  readonly ids: ReadonlyArray<string>
}

const readOptions = (context: Context, argv: ReadonlyArray<string>): ReadOptions => {
  const command = argv[0] ?? ""
  const isGroup = command.length === 10
  let timeout: number | undefined
  let count = 0
  let noAck = false
  let group: ReadOptions["group"]
  let streams: ReadonlyArray<string> | undefined
  for (let i = 1; i < argv.length; i++) {
    const option = (argv[i] ?? "").toUpperCase()
    const more = argv.length - 1 - i
    if (option === "BLOCK" && more > 0) {
      if (context.inScript) {
        throw new ReplyError(`ERR ${command} command is not allowed with BLOCK option from scripts`)
      }
      timeout = Args.timeout(argv[++i] ?? "", "milliseconds")
    } else if (option === "COUNT" && more > 0) count = Math.max(Args.integer(argv[++i] ?? ""), 0)
    else if (option === "STREAMS" && more > 0) {
      streams = argv.slice(i + 1)
      if (streams.length % 2 === 1) {
        throw new ReplyError(
          "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified."
        )
      }
      break
    } else if (option === "GROUP" && more >= 2) {
      if (!isGroup) throw onlyGroup("GROUP")
      group = { name: argv[i + 1] ?? "", consumer: argv[i + 2] ?? "" }
      i += 2
    } else if (option === "NOACK") {
      if (!isGroup) throw onlyGroup("NOACK")
      noAck = true
    } else throw Args.syntaxError()
  }
  if (streams === undefined) throw Args.syntaxError()
  if (isGroup && group === undefined) throw new ReplyError("ERR Missing GROUP option for XREADGROUP")
  const half = streams.length / 2
  return {
    timeout,
    count: count === 0 ? undefined : count,
    noAck,
    group,
    keys: streams.slice(0, half),
    ids: streams.slice(half)
  }
}

const onlyGroup = (option: string): ReplyError =>
  new ReplyError(`ERR The ${option} option is only supported by XREADGROUP. You called XREAD instead.`)

/** Where each stream is read from; `undefined` is what the group has not seen yet (`>`). */
const startingPoints = (context: Context, options: ReadOptions): Array<Ids.EntryId | undefined> =>
  options.ids.map((text, i) => {
    const key = options.keys[i] ?? ""
    const stream = streamOf(context, key)
    if (options.group !== undefined && stream?.groups.has(options.group.name) !== true) {
      throw new ReplyError(
        `NOGROUP No such key '${key}' or consumer group '${options.group.name}' in XREADGROUP with GROUP option`
      )
    }
    if (text === "$") {
      if (options.group === undefined) return stream?.lastId ?? Ids.zero
      throw new ReplyError(
        "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by " +
          "specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set."
      )
    }
    if (text === ">") {
      if (options.group !== undefined) return undefined
      throw new ReplyError(
        "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
      )
    }
    return Ids.parseStrict(text)
  })

const read = (context: Context, argv: ReadonlyArray<string>): Reply | Wait => {
  const options = readOptions(context, argv)
  const points = startingPoints(context, options)
  const replies: Array<Reply> = []
  options.keys.forEach((key, i) => {
    const stream = streamOf(context, key)
    if (stream === undefined) return
    const entries = readNow(context, stream, options, points[i])
    if (entries !== undefined) replies.push([key, entries])
  })
  if (replies.length > 0) return replies
  if (options.timeout === undefined || context.inScript) return null
  return readWait(context, options, options.timeout, points)
}

const readNow = (
  context: Context,
  stream: Stream.StreamValue,
  options: ReadOptions,
  point: Ids.EntryId | undefined
): Reply | undefined => {
  const { count, group: reader, noAck } = options
  const now = context.store.now
  if (reader === undefined) return readPlain(stream, point ?? Ids.zero, count)
  const group = stream.groups.get(reader.name)
  if (group === undefined) return undefined
  if (point !== undefined && !Ids.isMax(point)) {
    const consumer = Stream.consumerOf(group, reader.consumer, now)
    return Stream.history(stream, consumer, { after: point, count, now })
  }
  if (Stream.length(stream) === 0 || Ids.compare(Stream.lastEntryId(stream), group.lastId) <= 0) return undefined
  const consumer = Stream.consumerOf(group, reader.consumer, now)
  return Stream.deliver(stream, group, consumer, { after: group.lastId, count, noAck, now })
}

const readPlain = (
  stream: Stream.StreamValue,
  after: Ids.EntryId,
  count: number | undefined
): Reply | undefined => {
  if (Stream.length(stream) === 0 || Ids.compare(Stream.lastEntryId(stream), after) <= 0) return undefined
  const start = Ids.next(after)
  return start === undefined ? [] : Ordered.range(stream.entries, start, Ids.max, count).map(Stream.entryReply)
}

const readWait = (
  context: Context,
  options: ReadOptions,
  timeout: number,
  points: ReadonlyArray<Ids.EntryId | undefined>
): Wait => {
  const { group: reader, keys, noAck } = options
  // a blocked reader without COUNT gets at most this much, as in the server
  const count = options.count ?? 1000
  return {
    _tag: "Wait",
    keys,
    kind: "stream",
    timeout,
    serve: (key) => {
      const stream = streamOf(context, key)
      if (stream === undefined) return undefined
      if (reader === undefined) {
        const after = points[keys.indexOf(key)] ?? Ids.zero
        if (Ids.compare(stream.lastId, after) <= 0) return undefined
        const start = Ids.next(after) ?? Ids.max
        return [[key, Ordered.range(stream.entries, start, Ids.max, count).map(Stream.entryReply)]]
      }
      const group = stream.groups.get(reader.name)
      if (group === undefined) {
        return new ReplyError("NOGROUP the consumer group this client was blocked on no longer exists")
      }
      if (Ids.compare(stream.lastId, group.lastId) <= 0) return undefined
      const now = context.store.now
      const consumer = Stream.consumerOf(group, reader.consumer, now)
      return [[key, Stream.deliver(stream, group, consumer, { after: group.lastId, count, noAck, now })]]
    },
    onGone: reader === undefined ? undefined : () => new ReplyError("UNBLOCKED the stream key no longer exists")
  }
}

const setId = (context: Context, argv: ReadonlyArray<string>): Reply => {
  const [, key = "", idText = ""] = argv
  const id = Ids.parseStrict(idText)
  let entriesAdded: number | undefined
  let maxDeletedId = Ids.zero
  for (let i = 3; i < argv.length; i += 2) {
    const option = (argv[i] ?? "").toUpperCase()
    const text = argv[i + 1]
    if (option === "ENTRIESADDED" && text !== undefined) {
      entriesAdded = Args.integer(text)
      if (entriesAdded < 0) throw new ReplyError("ERR entries_added must be positive")
    } else if (option === "MAXDELETEDID" && text !== undefined) {
      maxDeletedId = Ids.parseStrict(text)
      if (Ids.compare(id, maxDeletedId) < 0) {
        throw new ReplyError("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id")
      }
    } else throw Args.syntaxError()
  }
  const stream = streamOf(context, key)
  if (stream === undefined) throw Args.noSuchKey()
  if (Stream.length(stream) > 0) {
    if (Ids.compare(id, Stream.lastEntryId(stream)) < 0) {
      throw new ReplyError("ERR The ID specified in XSETID is smaller than the target stream top item")
    }
    if (entriesAdded !== undefined && Stream.length(stream) > entriesAdded) {
      throw new ReplyError("ERR The entries_added specified in XSETID is smaller than the target stream length")
    }
  }
  stream.lastId = id
  if (entriesAdded !== undefined) stream.entriesAdded = entriesAdded
  if (!Ids.isZero(maxDeletedId)) stream.maxDeletedId = maxDeletedId
  return ok
}

export const streamCommands: Handlers = {
  xadd: add,
  xlen: (context, [, key = ""]) => {
    const stream = streamOf(context, key)
    return stream === undefined ? 0 : Stream.length(stream)
  },
  xrange: range(false),
  xrevrange: range(true),
  xdel: (context, [, key = "", ...texts]) => {
    const stream = streamOf(context, key)
    return stream === undefined ? 0 : Stream.deleteEntries(stream, texts.map((text) => Ids.parseStrict(text)))
  },
  xtrim: (context, argv) => {
    const { trim } = writeOptions(argv, false)
    const stream = streamOf(context, argv[1] ?? "")
    return stream === undefined || trim === undefined ? 0 : Stream.trim(stream, trim)
  },
  xread: read,
  xreadgroup: read,
  xsetid: setId
}
