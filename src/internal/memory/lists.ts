/** Commands on lists, those that block included. */
import * as Args from "./arguments.ts"
import type { Context, Handlers, Reply, Wait } from "./command.ts"
import * as Deque from "./deque.ts"
import { ReplyError } from "./replyError.ts"
import { ok } from "./status.ts"
import * as Store from "./store.ts"

type Side = "LEFT" | "RIGHT"

const itemsOf = (context: Context, key: string): Deque.Deque | undefined => Store.get(context.store, key, "list")?.items

const forWriting = (context: Context, key: string): Deque.Deque => {
  const there = itemsOf(context, key)
  if (there !== undefined) return there
  const items = Deque.make()
  Store.put(context.store, key, { kind: "list", items })
  return items
}

const pushOne = (items: Deque.Deque, side: Side, value: string): void =>
  side === "LEFT" ? Deque.pushLeft(items, value) : Deque.pushRight(items, value)

const popOne = (context: Context, key: string, items: Deque.Deque, side: Side): string => {
  const value = (side === "LEFT" ? Deque.popLeft(items) : Deque.popRight(items)) ?? ""
  if (items.length === 0) Store.remove(context.store, key)
  return value
}

const popMany = (context: Context, key: string, items: Deque.Deque, side: Side, count: number): Array<string> => {
  const out: Array<string> = []
  for (let left = Math.min(count, items.length); left > 0; left--) out.push(popOne(context, key, items, side))
  return out
}

const push = (side: Side, onlyExisting: boolean) => (context: Context, argv: ReadonlyArray<string>): Reply => {
  const key = argv[1] ?? ""
  if (onlyExisting && itemsOf(context, key) === undefined) return 0
  const items = forWriting(context, key)
  for (let i = 2; i < argv.length; i++) pushOne(items, side, argv[i] ?? "")
  return items.length
}

const outOfRange = "value is out of range, must be positive"

const pop = (side: Side) => (context: Context, argv: ReadonlyArray<string>): Reply => {
  const [command = "", key = "", countText] = argv
  if (argv.length > 3) throw Args.wrongArity(command)
  const count = countText === undefined ? undefined : Args.integer(countText, outOfRange)
  if (count !== undefined && count < 0) throw new ReplyError(`ERR ${outOfRange}`)
  const items = itemsOf(context, key)
  if (items === undefined) return null
  return count === undefined ? popOne(context, key, items, side) : popMany(context, key, items, side, count)
}

/** Start and stop as given, negative ones from the end, cut to what is there. */
const span = (length: number, startText: string, stopText: string): readonly [from: number, to: number] => {
  let start = Args.integer(startText)
  let stop = Args.integer(stopText)
  if (start < 0) start = Math.max(length + start, 0)
  if (stop < 0) stop = length + stop
  return start > stop || start >= length ? [0, 0] : [start, Math.min(stop + 1, length)]
}

const sideOf = (text: string | undefined): Side => {
  const side = text?.toUpperCase()
  if (side !== "LEFT" && side !== "RIGHT") throw Args.syntaxError()
  return side
}

const move = (context: Context, from: string, to: string, fromSide: Side, toSide: Side): Reply => {
  const items = itemsOf(context, from)
  if (items === undefined) return null
  itemsOf(context, to)
  const value = (fromSide === "LEFT" ? Deque.popLeft(items) : Deque.popRight(items)) ?? ""
  pushOne(forWriting(context, to), toSide, value)
  if (items.length === 0) Store.remove(context.store, from)
  return value
}

const remove = (context: Context, [, key = "", countText = "", value = ""]: ReadonlyArray<string>): Reply => {
  const count = Args.integer(countText)
  const items = itemsOf(context, key)
  if (items === undefined) return 0
  const all = Deque.toArray(items)
  const limit = count === 0 ? Infinity : Math.abs(count)
  const doomed = new Set<number>()
  for (let n = 0; n < all.length && doomed.size < limit; n++) {
    const i = count < 0 ? all.length - 1 - n : n
    if (all[i] === value) doomed.add(i)
  }
  if (doomed.size > 0) Deque.replace(items, all.filter((_, i) => !doomed.has(i)))
  if (items.length === 0) Store.remove(context.store, key)
  return doomed.size
}

const insert = (context: Context, argv: ReadonlyArray<string>): Reply => {
  const [, key = "", where = "", pivot = "", value = ""] = argv
  const side = where.toUpperCase()
  if (side !== "BEFORE" && side !== "AFTER") throw Args.syntaxError()
  const items = itemsOf(context, key)
  if (items === undefined) return 0
  const all = Deque.toArray(items)
  const at = all.indexOf(pivot)
  if (at === -1) return -1
  all.splice(side === "BEFORE" ? at : at + 1, 0, value)
  Deque.replace(items, all)
  return items.length
}

const positions = (context: Context, argv: ReadonlyArray<string>): Reply => {
  const [, key = "", value = ""] = argv
  let rank = 1
  let count: number | undefined
  let maxLength = 0
  for (let i = 3; i < argv.length; i += 2) {
    const option = (argv[i] ?? "").toUpperCase()
    const text = argv[i + 1]
    if (text === undefined) throw Args.syntaxError()
    if (option === "RANK") {
      rank = Args.integer(text)
      if (rank === 0) {
        throw new ReplyError(
          "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... " +
            "or use negative to start from the end of the list"
        )
      }
    } else if (option === "COUNT") count = notNegative(text, "COUNT can't be negative")
    else if (option === "MAXLEN") maxLength = notNegative(text, "MAXLEN can't be negative")
    else throw Args.syntaxError()
  }
  const items = itemsOf(context, key)
  const found: Array<number> = []
  if (items !== undefined) {
    const wanted = count === undefined ? 1 : count === 0 ? Infinity : count
    const limit = maxLength === 0 ? items.length : Math.min(maxLength, items.length)
    let skip = Math.abs(rank) - 1
    for (let n = 0; n < limit && found.length < wanted; n++) {
      const i = rank < 0 ? items.length - 1 - n : n
      if (Deque.get(items, i) === value && skip-- <= 0) found.push(i)
    }
  }
  return count === undefined ? found[0] ?? null : found
}

const notNegative = (text: string, message: string): number => {
  const value = Args.integer(text, message)
  if (value < 0) throw new ReplyError(`ERR ${message}`)
  return value
}

// Blocking

const listWait = (
  context: Context,
  keys: ReadonlyArray<string>,
  timeout: number,
  serve: (key: string, items: Deque.Deque) => Reply
): Wait => ({
  _tag: "Wait",
  keys,
  kind: "list",
  timeout,
  serve: (key) => {
    const items = itemsOf(context, key)
    return items === undefined ? undefined : serve(key, items)
  }
})

const firstList = (
  context: Context,
  keys: ReadonlyArray<string>,
  serve: (key: string, items: Deque.Deque) => Reply
): Reply => {
  for (const key of keys) {
    const items = itemsOf(context, key)
    if (items !== undefined) return serve(key, items)
  }
  return null
}

const popOrWait = (
  context: Context,
  keys: ReadonlyArray<string>,
  timeout: number,
  serve: (key: string, items: Deque.Deque) => Reply
): Reply | Wait => {
  const reply = firstList(context, keys, serve)
  return reply !== null || context.inScript ? reply : listWait(context, keys, timeout, serve)
}

const blockingPop = (side: Side) => (context: Context, argv: ReadonlyArray<string>): Reply | Wait => {
  const timeout = Args.timeout(argv[argv.length - 1] ?? "", "seconds")
  return popOrWait(context, argv.slice(1, -1), timeout, (key, items) => [key, popOne(context, key, items, side)])
}

const moveOrWait = (
  context: Context,
  from: string,
  to: string,
  fromSide: Side,
  toSide: Side,
  timeout: number
): Reply | Wait => {
  if (itemsOf(context, from) !== undefined || context.inScript) return move(context, from, to, fromSide, toSide)
  return listWait(context, [from], timeout, () => move(context, from, to, fromSide, toSide))
}

interface ManyPop {
  readonly keys: ReadonlyArray<string>
  readonly serve: (key: string, items: Deque.Deque) => Reply
}

const manyPop = (context: Context, argv: ReadonlyArray<string>, at: number): ManyPop => {
  const notPositive = "numkeys should be greater than 0"
  const numberOfKeys = Args.integer(argv[at] ?? "", notPositive)
  if (numberOfKeys < 1) throw new ReplyError(`ERR ${notPositive}`)
  const sideAt = at + numberOfKeys + 1
  if (sideAt >= argv.length) throw Args.syntaxError()
  const side = sideOf(argv[sideAt])
  let count: number | undefined
  for (let i = sideAt + 1; i < argv.length; i += 2) {
    const text = argv[i + 1]
    if (count !== undefined || argv[i]?.toUpperCase() !== "COUNT" || text === undefined) throw Args.syntaxError()
    count = Args.integer(text, "count should be greater than 0")
    if (count < 1) throw new ReplyError("ERR count should be greater than 0")
  }
  const limit = count ?? 1
  return {
    keys: argv.slice(at + 1, sideAt),
    serve: (key, items) => [key, popMany(context, key, items, side, limit)]
  }
}

export const lists: Handlers = {
  lpush: push("LEFT", false),
  rpush: push("RIGHT", false),
  lpushx: push("LEFT", true),
  rpushx: push("RIGHT", true),
  lpop: pop("LEFT"),
  rpop: pop("RIGHT"),
  llen: (context, [, key = ""]) => itemsOf(context, key)?.length ?? 0,
  lrange: (context, [, key = "", start = "", stop = ""]) => {
    span(0, start, stop)
    const items = itemsOf(context, key)
    return items === undefined ? [] : Deque.slice(items, ...span(items.length, start, stop))
  },
  lindex: (context, [, key = "", index = ""]) => {
    const items = itemsOf(context, key)
    if (items === undefined) return null
    const i = Args.integer(index)
    return Deque.get(items, i < 0 ? items.length + i : i) ?? null
  },
  lset: (context, [, key = "", index = "", value = ""]) => {
    const items = itemsOf(context, key)
    if (items === undefined) throw Args.noSuchKey()
    const given = Args.integer(index)
    const i = given < 0 ? items.length + given : given
    if (i < 0 || i >= items.length) throw new ReplyError("ERR index out of range")
    Deque.set(items, i, value)
    return ok
  },
  ltrim: (context, [, key = "", start = "", stop = ""]) => {
    span(0, start, stop)
    const items = itemsOf(context, key)
    if (items === undefined) return ok
    Deque.replace(items, Deque.slice(items, ...span(items.length, start, stop)))
    if (items.length === 0) Store.remove(context.store, key)
    return ok
  },
  lrem: remove,
  linsert: insert,
  lpos: positions,
  lmove: (context, [, from = "", to = "", fromSide, toSide]) =>
    move(context, from, to, sideOf(fromSide), sideOf(toSide)),
  rpoplpush: (context, [, from = "", to = ""]) => move(context, from, to, "RIGHT", "LEFT"),
  lmpop: (context, argv) => {
    const { keys, serve } = manyPop(context, argv, 1)
    return firstList(context, keys, serve)
  },
  blpop: blockingPop("LEFT"),
  brpop: blockingPop("RIGHT"),
  blmove: (context, [, from = "", to = "", fromText, toText, timeout = ""]) => {
    const fromSide = sideOf(fromText)
    const toSide = sideOf(toText)
    return moveOrWait(context, from, to, fromSide, toSide, Args.timeout(timeout, "seconds"))
  },
  brpoplpush: (context, [, from = "", to = "", timeout = ""]) =>
    moveOrWait(context, from, to, "RIGHT", "LEFT", Args.timeout(timeout, "seconds")),
  blmpop: (context, argv) => {
    const { keys, serve } = manyPop(context, argv, 2)
    return popOrWait(context, keys, Args.timeout(argv[1] ?? "", "seconds"), serve)
  }
}
