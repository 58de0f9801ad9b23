/** XINFO: what streams, groups and consumers look like. */
import * as Args from "./arguments.ts"
import type { Context, Handlers, Reply } from "./command.ts"
import * as Ids from "./ids.ts"
import * as Ordered from "./ordered.ts"
import { ReplyError } from "./replyError.ts"
import * as Store from "./store.ts"
import * as Stream from "./stream.ts"

const groupInfo = (stream: Stream.StreamValue, group: Stream.Group): Reply => [
  "name",
  group.name,
  "consumers",
  group.consumers.size,
  "pending",
  Ordered.size(group.pending),
  "last-delivered-id",
  Ids.format(group.lastId),
  "entries-read",
  group.entriesRead ?? null,
  "lag",
  Stream.lag(stream, group)
]

const infoOfStream = (context: Context, argv: ReadonlyArray<string>): Reply => {
  const stream = Store.get(context.store, argv[2] ?? "", "stream")
  if (stream === undefined) throw Args.noSuchKey()
  const options = argv.slice(3)
  let count = 10
  if (options.length > 0) {
    if (options.length !== 1 && options.length !== 3) throw Args.subcommandError(argv)
    if (options[0]?.toUpperCase() !== "FULL") throw Args.subcommandError(argv)
    if (options.length === 3) {
      if (options[1]?.toUpperCase() !== "COUNT") throw Args.subcommandError(argv)
      count = Args.integer(options[2] ?? "")
      if (count < 0) count = 10
    }
  }
  const head: Array<Reply> = [
    "length",
    Stream.length(stream),
    "radix-tree-keys",
    stream.blocks.length,
    "radix-tree-nodes",
    // the shape of the server's tree, which nothing can depend on
    stream.blocks.length + 1,
    "last-generated-id",
    Ids.format(stream.lastId),
    "max-deleted-entry-id",
    Ids.format(stream.maxDeletedId),
    "entries-added",
    stream.entriesAdded,
    "recorded-first-entry-id",
    Ids.format(stream.firstId)
  ]
  if (options.length > 0) return head.concat(fullInfo(stream, count === 0 ? undefined : count))
  const first = Ordered.first(stream.entries)
  const last = Ordered.last(stream.entries)
  return head.concat([
    "groups",
    stream.groups.size,
    "first-entry",
    first === undefined ? null : Stream.entryReply(first),
    "last-entry",
    last === undefined ? null : Stream.entryReply(last)
  ])
}

const fullInfo = (stream: Stream.StreamValue, count: number | undefined): Array<Reply> => [
  "entries",
  Ordered.range(stream.entries, Ids.zero, Ids.max, count).map(Stream.entryReply),
  "groups",
  Args.sortedByName(stream.groups.values()).map((group) => [
    "name",
    group.name,
    "last-delivered-id",
    Ids.format(group.lastId),
    "entries-read",
    group.entriesRead ?? null,
    "lag",
    Stream.lag(stream, group),
    "pel-count",
    Ordered.size(group.pending),
    "pending",
    Ordered.range(group.pending, Ids.zero, Ids.max, count).map((
      { value }
    ) => [value.text, value.consumer?.name ?? "", value.deliveredAt, value.deliveries]),
    "consumers",
    Args.sortedByName(group.consumers.values()).map((consumer) => [
      "name",
      consumer.name,
      "seen-time",
      consumer.seenAt,
      "pel-count",
      Ordered.size(consumer.pending),
      "pending",
      Ordered.range(consumer.pending, Ids.zero, Ids.max, count).map((
        { value }
      ) => [value.text, value.deliveredAt, value.deliveries])
    ])
  ])
]

export const streamInfo: Handlers = {
  "xinfo|stream": infoOfStream,
  "xinfo|groups": (context, [, , key = ""]) => {
    const stream = Store.get(context.store, key, "stream")
    if (stream === undefined) throw Args.noSuchKey()
    return Args.sortedByName(stream.groups.values()).map((group) => groupInfo(stream, group))
  },
  "xinfo|consumers": (context, [, , key = "", name = ""]) => {
    const stream = Store.get(context.store, key, "stream")
    if (stream === undefined) throw Args.noSuchKey()
    const group = stream.groups.get(name)
    if (group === undefined) throw new ReplyError(`NOGROUP No such consumer group '${name}' for key name '${key}'`)
    return Args.sortedByName(group.consumers.values()).map((consumer) => [
      "name",
      consumer.name,
      "pending",
      Ordered.size(consumer.pending),
      "idle",
      Math.max(context.store.now - consumer.seenAt, 0)
    ])
  }
}
