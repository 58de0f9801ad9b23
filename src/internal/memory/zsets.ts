/** Commands on sorted sets. */
import * as Args from "./arguments.ts"
import type { Context, Handlers, Reply } from "./command.ts"
import { ReplyError } from "./replyError.ts"
import * as SortedSet from "./sortedSet.ts"
import * as Store from "./store.ts"

const setOf = (context: Context, key: string): SortedSet.SortedSet | undefined =>
  Store.get(context.store, key, "zset")?.set

const forWriting = (context: Context, key: string): SortedSet.SortedSet => {
  const there = setOf(context, key)
  if (there !== undefined) return there
  const set = SortedSet.make()
  Store.put(context.store, key, { kind: "zset", set })
  return set
}

const dropWhenEmpty = (context: Context, key: string, set: SortedSet.SortedSet): void => {
  if (SortedSet.size(set) === 0) Store.remove(context.store, key)
}

const addFlags = new Set(["NX", "XX", "GT", "LT", "CH", "INCR"])

const add = (increment: boolean) => (context: Context, argv: ReadonlyArray<string>): Reply => {
  const key = argv[1] ?? ""
  const flags = new Set<string>(increment ? ["INCR"] : [])
  let at = 2
  while (addFlags.has(argv[at]?.toUpperCase() ?? "")) flags.add(argv[at++]?.toUpperCase() ?? "")
  const rest = argv.slice(at)
  if (rest.length === 0 || rest.length % 2 === 1) throw Args.syntaxError()
  if (flags.has("NX") && flags.has("XX")) {
    throw new ReplyError("ERR XX and NX options at the same time are not compatible")
  }
  if (["NX", "GT", "LT"].filter((flag) => flags.has(flag)).length > 1) {
    throw new ReplyError("ERR GT, LT, and/or NX options at the same time are not compatible")
  }
  if (flags.has("INCR") && rest.length > 2) {
    throw new ReplyError("ERR INCR option supports a single increment-element pair")
  }
  const pairs: Array<readonly [score: number, name: string]> = []
  for (let i = 0; i < rest.length; i += 2) pairs.push([Args.float(rest[i] ?? ""), rest[i + 1] ?? ""])
  return addPairs(context, key, flags, pairs)
}

const addPairs = (
  context: Context,
  key: string,
  flags: ReadonlySet<string>,
  pairs: ReadonlyArray<readonly [score: number, name: string]>
): Reply => {
  const increment = flags.has("INCR")
  if (setOf(context, key) === undefined && flags.has("XX")) return increment ? null : 0
  const set = forWriting(context, key)
  let added = 0
  let updated = 0
  let last: Reply = null
  for (const [given, name] of pairs) {
    const current = set.scores.get(name)
    if (current === undefined ? flags.has("XX") : flags.has("NX")) continue
    const score = increment ? given + (current ?? 0) : given
    if (Number.isNaN(score)) throw new ReplyError("ERR resulting score is not a number (NaN)")
    if (current === undefined) added++
    else {
      if ((flags.has("LT") && score >= current) || (flags.has("GT") && score <= current)) continue
      if (score !== current) updated++
    }
    if (score !== current) SortedSet.set(set, name, score)
    last = Args.formatDouble(score)
  }
  if (increment) return last
  return flags.has("CH") ? added + updated : added
}

const withScores = (members: ReadonlyArray<SortedSet.Member>, scores: boolean): Reply =>
  scores
    ? members.flatMap((member) => [member.name, Args.formatDouble(member.score)])
    : members.map((member) => member.name)

// Ranges

interface Bounds {
  readonly from: number
  readonly to: number
}

const rankBounds = (set: SortedSet.SortedSet, start: number, stop: number): Bounds => {
  const length = SortedSet.size(set)
  const from = start < 0 ? Math.max(length + start, 0) : start
  const last = stop < 0 ? length + stop : stop
  return from > last || from >= length ? { from: 0, to: 0 } : { from, to: Math.min(last + 1, length) }
}

interface Limit {
  readonly value: number
  readonly exclusive: boolean
}

const scoreLimit = (text: string): Limit => {
  const exclusive = text.startsWith("(")
  const number = (exclusive ? text.slice(1) : text).trimStart()
  // the server's parser takes nothing for zero, here only
  const value = number === "" ? 0 : Args.tryFloat(number)
  if (value === undefined) throw new ReplyError("ERR min or max is not a float")
  return { value, exclusive }
}

type Find = (set: SortedSet.SortedSet) => Bounds

const byScore = (minText: string, maxText: string): Find => {
  const min = scoreLimit(minText)
  const max = scoreLimit(maxText)
  return (set) => ({
    from: SortedSet.search(set, ({ score }) => min.exclusive ? score <= min.value : score < min.value),
    to: SortedSet.search(set, ({ score }) => max.exclusive ? score < max.value : score <= max.value)
  })
}

interface LexLimit {
  readonly kind: "-" | "+" | "(" | "["
  readonly text: string
}

const lexLimit = (text: string): LexLimit => {
  const kind = text[0]
  if ((kind === "-" || kind === "+") && text.length === 1) return { kind, text: "" }
  if (kind === "(" || kind === "[") return { kind, text: text.slice(1) }
  throw new ReplyError("ERR min or max not valid string range item")
}

/** Is the name before the limit, or, for an upper limit, not yet past it? */
const isBelow = (limit: LexLimit, upper: boolean) => ({ name }: SortedSet.Member): boolean => {
  if (limit.kind === "-") return false
  if (limit.kind === "+") return true
  const order = Args.compareBytes(name, limit.text)
  return order < 0 || (order === 0 && (limit.kind === "(") !== upper)
}

const byLex = (minText: string, maxText: string): Find => {
  const min = lexLimit(minText)
  const max = lexLimit(maxText)
  return (set) => ({ from: SortedSet.search(set, isBelow(min, false)), to: SortedSet.search(set, isBelow(max, true)) })
}

interface RangeOptions {
  by: "rank" | "score" | "lex"
  reverse: boolean
  scores: boolean
  offset: number
  count: number | undefined
}

const rangeOptions = (argv: ReadonlyArray<string>, start: RangeOptions, any: boolean): RangeOptions => {
  const options = { ...start }
  let limited = false
  for (let i = 4; i < argv.length; i++) {
    const option = (argv[i] ?? "").toUpperCase()
    if (option === "WITHSCORES") options.scores = true
    else if (option === "LIMIT" && i + 2 < argv.length) {
      options.offset = Args.integer(argv[i + 1] ?? "")
      options.count = Args.integer(argv[i + 2] ?? "")
      limited = true
      i += 2
    } else if (any && option === "REV") options.reverse = true
    else if (any && option === "BYSCORE") options.by = "score"
    else if (any && option === "BYLEX") options.by = "lex"
    else throw Args.syntaxError()
  }
  if (limited && options.count !== -1 && options.by === "rank") {
    throw new ReplyError(
      "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
    )
  }
  if (options.scores && options.by === "lex") {
    throw new ReplyError("ERR syntax error, WITHSCORES not supported in combination with BYLEX")
  }
  return options
}

const range = (by: RangeOptions["by"], reverse: boolean, any: boolean) =>
(
  context: Context,
  argv: ReadonlyArray<string>
): Reply => {
  const [, key = "", first = "", second = ""] = argv
  const options = rangeOptions(argv, { by, reverse, scores: false, offset: 0, count: undefined }, any)
  const [low, high] = options.reverse && options.by !== "rank" ? [second, first] : [first, second]
  if (options.by === "rank") {
    const start = Args.integer(low)
    const stop = Args.integer(high)
    const set = setOf(context, key)
    if (set === undefined) return []
    const { from, to } = rankBounds(set, start, stop)
    const length = SortedSet.size(set)
    const members = options.reverse
      ? SortedSet.slice(set, length - to, length - from).reverse()
      : SortedSet.slice(set, from, to)
    return withScores(members, options.scores)
  }
  const find = options.by === "score" ? byScore(low, high) : byLex(low, high)
  const set = setOf(context, key)
  if (set === undefined || options.offset < 0) return []
  const { from, to } = find(set)
  const count = options.count === undefined || options.count < 0 ? Infinity : options.count
  const members = options.reverse
    ? SortedSet.slice(set, Math.max(from, to - options.offset - count), Math.max(from, to - options.offset)).reverse()
    : SortedSet.slice(set, from + options.offset, Math.min(to, from + options.offset + count))
  return withScores(members, options.scores)
}

const countRange = (parse: (first: string, second: string) => Find) =>
(
  context: Context,
  [, key = "", first = "", second = ""]: ReadonlyArray<string>
): Reply => {
  const find = parse(first, second)
  const set = setOf(context, key)
  if (set === undefined) return 0
  const { from, to } = find(set)
  return Math.max(to - from, 0)
}

const removeRange = (parse: (first: string, second: string) => Find) =>
(
  context: Context,
  [, key = "", first = "", second = ""]: ReadonlyArray<string>
): Reply => {
  const find = parse(first, second)
  const set = setOf(context, key)
  if (set === undefined) return 0
  const { from, to } = find(set)
  const removed = SortedSet.removeRange(set, from, to).length
  dropWhenEmpty(context, key, set)
  return removed
}

const pop = (side: "min" | "max") => (context: Context, argv: ReadonlyArray<string>): Reply => {
  const [, key = "", countText] = argv
  if (argv.length > 3) throw Args.syntaxError()
  const message = "value is out of range, must be positive"
  const count = countText === undefined ? 1 : Args.integer(countText, message)
  if (count < 0) throw new ReplyError(`ERR ${message}`)
  const set = setOf(context, key)
  if (set === undefined) return []
  const length = SortedSet.size(set)
  const members = side === "min"
    ? SortedSet.removeRange(set, 0, Math.min(count, length))
    : SortedSet.removeRange(set, Math.max(length - count, 0), length).reverse()
  dropWhenEmpty(context, key, set)
  return withScores(members, true)
}

const rank = (reverse: boolean) => (context: Context, [, key = "", name = ""]: ReadonlyArray<string>): Reply => {
  const set = setOf(context, key)
  const at = set === undefined ? undefined : SortedSet.rank(set, name)
  if (set === undefined || at === undefined) return null
  return reverse ? SortedSet.size(set) - 1 - at : at
}

const score = (set: SortedSet.SortedSet | undefined, name: string): Reply => {
  const value = set?.scores.get(name)
  return value === undefined ? null : Args.formatDouble(value)
}

export const zsets: Handlers = {
  zadd: add(false),
  zincrby: add(true),
  zrem: (context, [, key = "", ...names]) => {
    const set = setOf(context, key)
    if (set === undefined) return 0
    const removed = names.filter((name) => SortedSet.remove(set, name)).length
    dropWhenEmpty(context, key, set)
    return removed
  },
  zrange: range("rank", false, true),
  zrevrange: range("rank", true, false),
  zrangebyscore: range("score", false, false),
  zrevrangebyscore: range("score", true, false),
  zrangebylex: range("lex", false, false),
  zrevrangebylex: range("lex", true, false),
  zscore: (context, [, key = "", name = ""]) => score(setOf(context, key), name),
  zmscore: (context, [, key = "", ...names]) => {
    const set = setOf(context, key)
    return names.map((name) => score(set, name))
  },
  zcard: (context, [, key = ""]) => {
    const set = setOf(context, key)
    return set === undefined ? 0 : SortedSet.size(set)
  },
  zcount: countRange(byScore),
  zlexcount: countRange(byLex),
  zrank: rank(false),
  zrevrank: rank(true),
  zremrangebyscore: removeRange(byScore),
  zremrangebylex: removeRange(byLex),
  zremrangebyrank: removeRange((startText, stopText) => {
    const start = Args.integer(startText)
    const stop = Args.integer(stopText)
    return (set) => rankBounds(set, start, stop)
  }),
  zpopmin: pop("min"),
  zpopmax: pop("max")
}
