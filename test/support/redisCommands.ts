/**
 * Random command sequences for the differential test: seeded, over few keys and
 * few values, so that commands meet each other's effects.
 *
 * Time is moved by the commands themselves (XCLAIM IDLE, PEXPIREAT in the past),
 * in steps of a million milliseconds, so that real milliseconds do not matter.
 */

import { generator } from "../../src/internal/testing/generator.ts"

export type Command = ReadonlyArray<string>

class Source {
  readonly #next: () => number
  /** Long values fill the blocks that approximate trimming goes by. */
  readonly bigValues: boolean
  /** Do new entries take their ids from the clock? */
  readonly clockIds: boolean
  /** The keys that commands on any kind of key are about. */
  keys: ReadonlyArray<string> = allKeys
  /** The greatest explicit id so far. */
  lastMs = 0
  constructor(seed: number) {
    this.#next = generator(seed)
    this.bigValues = this.chance(0.15)
    this.clockIds = this.chance(0.15)
  }
  chance(probability: number): boolean {
    return this.#next() < probability
  }
  below(n: number): number {
    return Math.floor(this.#next() * n)
  }
  pick<A>(items: ReadonlyArray<A>): A {
    return items[this.below(items.length)]!
  }
  some<A>(least: number, most: number, make: () => A): Array<A> {
    return Array.from({ length: least + this.below(most - least + 1) }, make)
  }
  /** The words with a probability, else nothing. */
  maybe(probability: number, make: () => ReadonlyArray<string>): ReadonlyArray<string> {
    return this.chance(probability) ? make() : []
  }
}

const pools = {
  stream: ["s0", "s1"],
  list: ["l0", "l1"],
  zset: ["z0", "z1"],
  hash: ["h0"],
  set: ["e0"],
  string: ["v0", "v1"],
  /** A sorted set with one score: ranges by text mean nothing on others. */
  lex: ["x0"]
} as const

export const allKeys: ReadonlyArray<string> = Object.values(pools).flat()

const otherKeys = allKeys.filter((key) => key !== "x0")

type Pool = keyof typeof pools

const key = (r: Source, pool: Pool) =>
  r.chance(0.03) ? r.pick(otherKeys) : r.chance(0.7) ? pools[pool][0] : r.pick(pools[pool])
const value = (r: Source) =>
  r.chance(0.9)
    ? r.pick(["a", "b", "c", "d", "1", "2", "10", "-3", "", "é", "😀", "\uffff", "A", "a b"])
    : "x".repeat(40 + r.below(60))
const entryValue = (r: Source) => r.bigValues ? "y".repeat(200 + r.below(900)) : value(r)
const field = (r: Source) => r.pick(["f", "g", "data", "1"])
const integer = (r: Source) =>
  r.chance(0.94)
    ? r.pick(["0", "1", "-1", "2", "-2", "3", "5", "-5", "100"])
    : r.pick(["abc", "1.5", "", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "01", "+1", "-0"])
const count = (r: Source) => r.chance(0.95) ? r.pick(["1", "2", "3", "10"]) : r.pick(["0", "-1", "x", "1000"])
const counter = (r: Source) => r.chance(0.9) ? r.pick(["0", "1", "3", "5"]) : r.pick(["-1", "-2", "x"])
const side = (r: Source) => r.chance(0.97) ? r.pick(["LEFT", "RIGHT", "left"]) : "x"
const score = (r: Source) =>
  r.chance(0.96)
    ? r.pick(["0", "1", "2", "-1", "1.5", "3", "0.1", "1e3", "inf", "-inf", "1e-7", "123456789012345680", "0.3333"])
    : r.pick(["abc", "nan", "", "0x10", " 1", "1 ", "1e400", ".5", "5."])
const scoreLimit = (r: Source) => r.pick(["-inf", "+inf", "0", "1", "2", "(1", "(2", "1.5", "(0.1", "x", "(", "(-inf"])
const lexLimit = (r: Source) => r.pick(["-", "+", "[a", "(a", "[b", "(c", "[", "b", "[é", "(\uffff"])
const group = (r: Source) => r.chance(0.9) ? "g" : "k"
const consumer = (r: Source) => r.pick(["c1", "c2", "c3"])
const entryId = (r: Source) =>
  r.chance(0.97)
    ? `${1 + r.below(r.lastMs + 1)}-${r.chance(0.8) ? 0 : r.below(3)}`
    : r.pick([
      "0-0",
      "5",
      "abc",
      "-",
      "+",
      "18446744073709551615-5",
      "7-18446744073709551615",
      "1-1-1",
      "007-1",
      "-1-1"
    ])
const newId = (r: Source) => {
  if (r.clockIds && r.chance(0.8)) return "*"
  // after the last id of a millisecond the server's error depends on what failed before
  if (r.chance(0.05)) return entryId(r).replace("7-18446744073709551615", "7-18446744073709551614")
  if (r.chance(0.8)) r.lastMs++
  return r.chance(0.1) ? `${r.lastMs}-*` : `${r.lastMs}-${r.chance(0.8) ? 0 : r.below(3)}`
}
const rangeStart = (r: Source) =>
  r.chance(0.5) ? "-" : r.chance(0.3) ? `(${entryId(r)}` : r.pick([entryId(r), `${1 + r.below(r.lastMs + 1)}`])
const rangeEnd = (r: Source) =>
  r.chance(0.5) ? "+" : r.chance(0.3) ? `(${entryId(r)}` : r.pick([entryId(r), `${1 + r.below(r.lastMs + 1)}`])
const idle = (r: Source) => r.chance(0.97) ? r.pick(["0", "0", "500000", "1500000", "2500000"]) : r.pick(["-1", "x"])
const trimming = (r: Source): ReadonlyArray<string> => {
  const by = r.chance(0.5) ? ["MAXLEN"] : ["MINID"]
  const how = r.pick([[], ["="], ["~"], ["~"]])
  const what = by[0] === "MAXLEN"
    ? r.chance(0.9) ? r.pick(["1", "2", "3", "5", "8", "50", "150"]) : r.pick(["0", "-1", "x"])
    : entryId(r)
  const limit = r.maybe(how[0] === "~" ? 0.3 : 0.05, () => ["LIMIT", r.pick(["0", "1", "5", "100", "150", "-1"])])
  return [...by, ...how, what, ...limit]
}

type Make = (r: Source) => Command

type Weighted = readonly [weight: number, make: Make]

const families: Readonly<Record<string, ReadonlyArray<Weighted>>> = {
  streams: [
    [24, (r) => [
      "XADD",
      key(r, "stream"),
      ...r.maybe(0.05, () => ["NOMKSTREAM"]),
      ...r.maybe(0.15, () => trimming(r)),
      newId(r),
      ...r.some(1, 2, () => [field(r), entryValue(r)]).flat(),
      ...r.maybe(0.02, () => ["odd"])
    ]],
    [2, (r) => ["XLEN", key(r, "stream")]],
    [3, (r) => ["XRANGE", key(r, "stream"), rangeStart(r), rangeEnd(r), ...r.maybe(0.3, () => ["COUNT", count(r)])]],
    [2, (r) => ["XREVRANGE", key(r, "stream"), rangeEnd(r), rangeStart(r), ...r.maybe(0.3, () => ["COUNT", count(r)])]],
    [5, (r) => ["XDEL", key(r, "stream"), ...r.some(1, 3, () => entryId(r))]],
    [3, (r) => ["XTRIM", key(r, "stream"), ...trimming(r)]],
    [4, (r) => [
      "XGROUP",
      "CREATE",
      key(r, "stream"),
      group(r),
      r.pick(["0", "$", entryId(r)]),
      ...r.maybe(0.7, () => ["MKSTREAM"]),
      ...r.maybe(0.1, () => ["ENTRIESREAD", counter(r)])
    ]],
    [1, (r) => ["XGROUP", "DESTROY", key(r, "stream"), r.pick(["k", "k", "g"])]],
    [1, (r) => [
      "XGROUP",
      "SETID",
      key(r, "stream"),
      group(r),
      r.pick(["0", "$", entryId(r)]),
      ...r.maybe(0.2, () => ["ENTRIESREAD", counter(r)])
    ]],
    [1, (r) => ["XGROUP", "CREATECONSUMER", key(r, "stream"), group(r), consumer(r)]],
    [1, (r) => ["XGROUP", "DELCONSUMER", key(r, "stream"), group(r), consumer(r)]],
    [2, (r) => {
      const keys = r.some(1, 2, () => key(r, "stream"))
      return [
        "XREAD",
        ...r.maybe(0.4, () => ["COUNT", count(r)]),
        ...r.maybe(0.02, () => ["NOACK"]),
        "STREAMS",
        ...keys,
        ...keys.map(() => r.pick(["0", "$", entryId(r), ">"]))
      ]
    }],
    [14, (r) => {
      const keys = r.chance(0.9) ? [key(r, "stream")] : [...pools.stream]
      return [
        "XREADGROUP",
        "GROUP",
        group(r),
        consumer(r),
        ...r.maybe(0.5, () => ["COUNT", count(r)]),
        ...r.maybe(0.1, () => ["NOACK"]),
        "STREAMS",
        ...keys,
        ...keys.map(() => r.chance(0.75) ? ">" : r.pick(["0", entryId(r), "$"]))
      ]
    }],
    [7, (r) => ["XACK", key(r, "stream"), group(r), ...r.some(1, 4, () => entryId(r))]],
    [4, (r) => ["XPENDING", key(r, "stream"), group(r)]],
    [5, (r) => [
      "XPENDING",
      key(r, "stream"),
      group(r),
      ...r.maybe(0.3, () => ["IDLE", idle(r)]),
      rangeStart(r),
      rangeEnd(r),
      count(r),
      ...r.maybe(0.4, () => [consumer(r)])
    ]],
    [8, (r) => [
      "XCLAIM",
      key(r, "stream"),
      group(r),
      consumer(r),
      idle(r),
      ...r.some(1, 4, () => entryId(r)),
      ...r.maybe(0.5, () => ["IDLE", r.pick(["1000000", "2000000", "3000000", "0", "-5"])]),
      ...r.maybe(0.1, () => ["TIME", r.pick(["1000", "99999999999999"])]),
      ...r.maybe(0.2, () => ["RETRYCOUNT", r.pick(["0", "5", "-1", "x"])]),
      ...r.maybe(0.2, () => ["FORCE"]),
      ...r.maybe(0.3, () => ["JUSTID"]),
      ...r.maybe(0.05, () => ["LASTID", entryId(r)]),
      ...r.maybe(0.02, () => ["BOGUS"])
    ]],
    [6, (r) => [
      "XAUTOCLAIM",
      key(r, "stream"),
      group(r),
      consumer(r),
      idle(r),
      r.chance(0.7) ? "0" : rangeStart(r),
      ...r.maybe(0.5, () => ["COUNT", count(r)]),
      ...r.maybe(0.3, () => ["JUSTID"])
    ]],
    [2, (r) => ["XINFO", "STREAM", key(r, "stream"), ...r.maybe(0.3, () => ["FULL"])]],
    [3, (r) => ["XINFO", "GROUPS", key(r, "stream")]],
    [2, (r) => ["XINFO", "CONSUMERS", key(r, "stream"), group(r)]],
    [1, (r) => [
      "XSETID",
      key(r, "stream"),
      // set back, the clock could give the same id once more: to one side only
      r.clockIds ? "9999999999999-0" : entryId(r),
      ...r.maybe(0.3, () => ["ENTRIESADDED", counter(r)]),
      ...r.maybe(0.3, () => ["MAXDELETEDID", entryId(r)])
    ]]
  ],
  lists: [
    [6, (r) => [r.pick(["LPUSH", "RPUSH"]), key(r, "list"), ...r.some(1, 4, () => value(r))]],
    [1, (r) => [r.pick(["LPUSHX", "RPUSHX"]), key(r, "list"), ...r.some(1, 2, () => value(r))]],
    [3, (r) => [r.pick(["LPOP", "RPOP"]), key(r, "list"), ...r.maybe(0.4, () => [integer(r)])]],
    [1, (r) => ["LLEN", key(r, "list")]],
    [2, (r) => ["LRANGE", key(r, "list"), integer(r), integer(r)]],
    [1, (r) => ["LINDEX", key(r, "list"), integer(r)]],
    [1, (r) => ["LSET", key(r, "list"), integer(r), value(r)]],
    [1, (r) => ["LTRIM", key(r, "list"), integer(r), integer(r)]],
    [2, (r) => ["LREM", key(r, "list"), integer(r), value(r)]],
    [1, (r) => ["LINSERT", key(r, "list"), r.chance(0.95) ? r.pick(["BEFORE", "after"]) : "x", value(r), value(r)]],
    [1, (r) => [
      "LPOS",
      key(r, "list"),
      value(r),
      ...r.maybe(0.4, () => ["RANK", r.pick(["0", "1", "-1", "2", "-2", "x"])]),
      ...r.maybe(0.4, () => ["COUNT", integer(r)]),
      ...r.maybe(0.2, () => ["MAXLEN", integer(r)])
    ]],
    [2, (r) => [
      "LMOVE",
      key(r, "list"),
      key(r, "list"),
      side(r),
      r.pick(["LEFT", "RIGHT"])
    ]],
    [1, (r) => ["RPOPLPUSH", key(r, "list"), key(r, "list")]],
    [2, (r) => {
      const keys = r.some(1, 2, () => key(r, "list"))
      return [
        "LMPOP",
        r.chance(0.95) ? String(keys.length) : integer(r),
        ...keys,
        side(r),
        ...r.maybe(0.5, () => ["COUNT", count(r)])
      ]
    }]
  ],
  sortedSets: [
    [6, (r) => [
      "ZADD",
      key(r, "zset"),
      ...r.maybe(0.15, () => [r.pick(["NX", "XX"])]),
      ...r.maybe(0.15, () => [r.pick(["GT", "LT"])]),
      ...r.maybe(0.15, () => ["CH"]),
      ...r.maybe(0.1, () => ["INCR"]),
      ...r.some(1, 3, () => [score(r), value(r)]).flat()
    ]],
    [1, (r) => ["ZINCRBY", key(r, "zset"), score(r), value(r)]],
    [2, (r) => ["ZREM", key(r, "zset"), ...r.some(1, 2, () => value(r))]],
    [3, (r) => {
      const by = r.pick([undefined, undefined, "BYSCORE"])
      const limit = () => by === "BYSCORE" ? scoreLimit(r) : integer(r)
      return [
        "ZRANGE",
        key(r, "zset"),
        limit(),
        limit(),
        ...by === undefined ? [] : [by],
        ...r.maybe(0.3, () => ["REV"]),
        ...r.maybe(
          by === undefined ? 0.03 : 0.3,
          () => ["LIMIT", r.pick(["0", "1", "-1"]), r.pick(["-1", "0", "1", "2"])]
        ),
        ...r.maybe(0.4, () => ["WITHSCORES"])
      ]
    }],
    [2, (r) => ["ZADD", "x0", ...r.some(1, 3, () => ["0", value(r)]).flat()]],
    [0.5, (r) => ["ZREM", "x0", value(r)]],
    [2, (r) => [
      "ZRANGE",
      "x0",
      lexLimit(r),
      lexLimit(r),
      "BYLEX",
      ...r.maybe(0.3, () => ["REV"]),
      ...r.maybe(0.3, () => ["LIMIT", r.pick(["0", "1", "-1"]), r.pick(["-1", "0", "1", "2"])]),
      ...r.maybe(0.05, () => ["WITHSCORES"])
    ]],
    [2, (r) => [
      r.pick(["ZRANGEBYLEX", "ZREVRANGEBYLEX"]),
      r.chance(0.95) ? "x0" : r.pick(allKeys.filter((key) => !key.startsWith("z"))),
      lexLimit(r),
      lexLimit(r),
      ...r.maybe(0.3, () => ["LIMIT", r.pick(["0", "1", "-1"]), r.pick(["-1", "0", "1", "2"])]),
      ...r.maybe(0.05, () => ["WITHSCORES"])
    ]],
    [1, (r) => [r.pick(["ZLEXCOUNT", "ZLEXCOUNT", "ZREMRANGEBYLEX"]), "x0", lexLimit(r), lexLimit(r)]],
    [2, (r) => [
      r.pick(["ZRANGEBYSCORE", "ZREVRANGEBYSCORE"]),
      key(r, "zset"),
      scoreLimit(r),
      scoreLimit(r),
      ...r.maybe(0.3, () => ["WITHSCORES"]),
      ...r.maybe(0.3, () => ["LIMIT", r.pick(["0", "1", "-1"]), r.pick(["-1", "0", "1", "2"])])
    ]],
    [1, (r) => ["ZREVRANGE", key(r, "zset"), integer(r), integer(r), ...r.maybe(0.4, () => ["WITHSCORES"])]],
    [1, (r) => ["ZSCORE", key(r, "zset"), value(r)]],
    [1, (r) => ["ZMSCORE", key(r, "zset"), ...r.some(1, 2, () => value(r))]],
    [1, (r) => ["ZCARD", key(r, "zset")]],
    [1, (r) => ["ZCOUNT", key(r, "zset"), scoreLimit(r), scoreLimit(r)]],
    [1, (r) => [r.pick(["ZRANK", "ZREVRANK"]), key(r, "zset"), value(r)]],
    [1, (r) => ["ZREMRANGEBYSCORE", key(r, "zset"), scoreLimit(r), scoreLimit(r)]],
    [1, (r) => ["ZREMRANGEBYRANK", key(r, "zset"), integer(r), integer(r)]],
    [2, (r) => [r.pick(["ZPOPMIN", "ZPOPMAX"]), key(r, "zset"), ...r.maybe(0.4, () => [integer(r)])]]
  ],
  hashes: [
    [
      3,
      (
        r
      ) => [
        r.pick(["HSET", "HSET", "HMSET"]),
        key(r, "hash"),
        ...r.some(1, 2, () => [field(r), value(r)]).flat(),
        ...r.maybe(0.03, () => ["odd"])
      ]
    ],
    [1, (r) => ["HSETNX", key(r, "hash"), field(r), value(r)]],
    [1, (r) => ["HGET", key(r, "hash"), field(r)]],
    [1, (r) => ["HMGET", key(r, "hash"), field(r), field(r)]],
    [1, (r) => [r.pick(["HGETALL", "HKEYS", "HVALS", "HLEN"]), key(r, "hash")]],
    [1, (r) => ["HDEL", key(r, "hash"), ...r.some(1, 2, () => field(r))]],
    [1, (r) => [r.pick(["HEXISTS", "HSTRLEN"]), key(r, "hash"), field(r)]],
    [1, (r) => ["HINCRBY", key(r, "hash"), field(r), integer(r)]]
  ],
  sets: [
    [2, (r) => ["SADD", key(r, "set"), ...r.some(1, 3, () => value(r))]],
    [1, (r) => ["SREM", key(r, "set"), ...r.some(1, 2, () => value(r))]],
    [1, (r) => [r.pick(["SMEMBERS", "SCARD"]), key(r, "set")]],
    [1, (r) => [r.pick(["SISMEMBER", "SMISMEMBER"]), key(r, "set"), value(r)]]
  ],
  strings: [
    [4, (r) => [
      "SET",
      key(r, "string"),
      value(r),
      ...r.maybe(0.2, () => [r.pick(["NX", "XX"])]),
      ...r.maybe(0.2, () => ["GET"]),
      ...r.maybe(
        0.3,
        () =>
          r.pick([
            ["EX", "1000000"],
            ["PX", "5000000"],
            ["PXAT", "1"],
            ["EXAT", "4102444800"],
            ["KEEPTTL"],
            ["EX", "0"],
            [
              "PX",
              "x"
            ]
          ])
      )
    ]],
    [1, (r) => ["SETNX", key(r, "string"), value(r)]],
    [1, (r) => [r.pick(["SETEX", "PSETEX"]), key(r, "string"), r.pick(["5000000", "0", "-1", "x"]), value(r)]],
    [2, (r) => [r.pick(["GET", "GETDEL", "STRLEN", "GETEX"]), key(r, "string")]],
    [1, (r) => ["GETEX", key(r, "string"), ...r.pick([["PERSIST"], ["EX", "5000000"], ["PXAT", "1"], ["BOGUS"]])]],
    [1, (r) => ["GETSET", key(r, "string"), value(r)]],
    [1, (r) => ["MGET", ...r.some(1, 3, () => r.pick(allKeys))]],
    [
      1,
      (
        r
      ) => [
        r.pick(["MSET", "MSETNX"]),
        ...r.some(1, 2, () => [key(r, "string"), value(r)]).flat(),
        ...r.maybe(0.05, () => ["odd"])
      ]
    ],
    [1, (r) => ["APPEND", key(r, "string"), value(r)]],
    [2, (r) => [r.pick(["INCR", "DECR"]), key(r, "string")]],
    [1, (r) => [r.pick(["INCRBY", "DECRBY"]), key(r, "string"), integer(r)]]
  ],
  keys: [
    [1, (r) => [r.pick(["DEL", "UNLINK"]), ...r.some(1, 2, () => r.pick(r.keys))]],
    [1, (r) => [r.pick(["EXISTS", "TOUCH"]), ...r.some(1, 3, () => r.pick(r.keys))]],
    [1, (r) => ["TYPE", r.pick(r.keys)]],
    [2, (r) => {
      const when = r.pick(["5000000", "9000000", "4102444800000", "x", "9223372036854775807"])
      // against a time that a clock made, a comparison could go either way
      return r.chance(0.7)
        ? [r.pick(["EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"]), r.pick(r.keys), when]
        : [r.pick(["EXPIREAT", "PEXPIREAT"]), r.pick(r.keys), when, r.pick(["NX", "XX", "GT", "LT", "ZZ"])]
    }],
    [0.3, (r) => [r.pick(["PEXPIREAT", "EXPIRE", "PEXPIRE"]), r.pick(r.keys), r.pick(["-1", "0"])]],
    [1, (r) => [r.pick(["TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"]), r.pick(r.keys)]],
    [1, (r) => ["PERSIST", r.pick(r.keys)]],
    [0.5, (r) => {
      const pool = pools[r.pick(["stream", "list", "zset", "string"] as const)]
      return [r.pick(["RENAME", "RENAMENX"]), r.pick(pool), r.pick(pool)]
    }],
    [1, (r) => ["KEYS", r.pick(["*", "s*", "?0", "[a-l]*", "[^s]0", "\\s0", "*0", "[l-a]0", "s[0-1]", "x"])]],
    [0.1, (r) => [r.pick(["FLUSHALL", "FLUSHDB"])]]
  ],
  mistakes: [
    [0.3, () => ["NOPE", "a b", "c"]],
    [0.3, (r) => [r.pick(["XADD", "GET", "LPUSH", "XGROUP", "XINFO", "SCRIPT"])]],
    [0.2, (r) => ["XGROUP", r.pick(["CREATE", "NOPE", "DESTROY"]), "s0"]],
    [0.2, () => ["XINFO", "NOPE", "s0"]],
    [0.2, (r) => ["SCRIPT", "EXISTS", r.pick(["x", "ffffffffffffffffffffffffffffffffffffffff"])]],
    [0.2, () => ["EVALSHA", "ffffffffffffffffffffffffffffffffffffffff", "0"]],
    [0.2, (r) => [r.pick(["PING", "ECHO"]), ...r.some(0, 2, () => "hi")]]
  ]
}

const oneOf = (r: Source, weighted: ReadonlyArray<Weighted>): Command => {
  const total = weighted.reduce((sum, [weight]) => sum + weight, 0)
  let at = r.below(total * 1000) / 1000
  for (const [weight, make] of weighted) {
    if (at < weight) return make(r)
    at -= weight
  }
  return ["PING"]
}

/** What a sequence is about: commands of few families meet each other, commands of all do not. */
interface Theme {
  readonly families: ReadonlyArray<string>
  readonly keys: ReadonlyArray<string>
  readonly begin?: (r: Source) => ReadonlyArray<Command>
}

const streams: Theme = {
  families: ["streams"],
  keys: pools.stream,
  begin: (r) => [
    ["XGROUP", "CREATE", "s0", "g", "0", "MKSTREAM"],
    ["XGROUP", "CREATE", "s1", "g", "0", "MKSTREAM"],
    ...r.chance(0.1) ? [manyEntries(r)] : r.some(2, 8, (): Command => ["XADD", "s0", newId(r), "data", entryValue(r)])
  ]
}

const manyEntries = (r: Source): Command => {
  r.lastMs = 90 + r.below(300)
  return ["EVAL", addMany, "1", "s0", String(r.lastMs)]
}

const lists: Theme = {
  families: ["lists"],
  keys: pools.list,
  begin: (r) => [["RPUSH", "l0", ...r.some(3, 8, () => value(r))]]
}

const sortedSets: Theme = {
  families: ["sortedSets"],
  keys: [...pools.zset, ...pools.lex],
  begin: (r) => [["ZADD", "z0", ...r.some(3, 6, () => [score(r), value(r)]).flat()]]
}

const withKeys = (theme: Theme): Theme => ({
  ...theme,
  families: [...theme.families, ...theme.families, ...theme.families, "keys"]
})

const themes: ReadonlyArray<Theme> = [
  streams,
  streams,
  streams,
  streams,
  withKeys(streams),
  lists,
  withKeys(lists),
  sortedSets,
  withKeys(sortedSets),
  { families: ["strings", "strings", "keys"], keys: pools.string },
  { families: ["hashes", "hashes", "sets", "keys"], keys: [...pools.hash, ...pools.set] },
  { families: Object.keys(families), keys: allKeys }
]

/** Runs whatever it is given, from Lua. */
export const throughLua = "return redis.call(unpack(ARGV))"

/** Adds entries `1-0` to `n-0`: enough to fill several of the blocks that a stream is stored in. */
export const addMany = "for i = 1, ARGV[1] do redis.call('XADD', KEYS[1], i .. '-0', 'f', 'value ' .. i) end"

export const sequence = (seed: number, longest = 60): ReadonlyArray<Command> => {
  const r = new Source(seed)
  const theme = r.pick(themes)
  r.keys = theme.keys
  const beginning = r.chance(0.9) ? theme.begin?.(r) ?? [] : []
  return [
    ...beginning,
    ...r.some(1, longest - beginning.length, () => {
      const family = r.chance(0.01) ? "mistakes" : r.pick(theme.families)
      const command = oneOf(r, families[family] ?? [])
      return r.chance(0.05) ? ["EVAL", throughLua, "0", ...command] : command
    })
  ]
}
