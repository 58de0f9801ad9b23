/** Texts, times to live, and keys of any type. */
import * as Effect from "effect/Effect"
import {
  type Case,
  cases,
  eventually,
  expect,
  holds,
  key,
  keys,
  Place,
  refuse,
  same,
  send,
  serverTime
} from "../../../src/testing/conformance/case.ts"

const wrongType = "WRONGTYPE Operation against a key holding the wrong kind of value"
const noInteger = "ERR value is not an integer or out of range"

const expiresWithin = (name: string, least: number, most: number) =>
  Effect.map(
    send("PTTL", name),
    (left) => holds(`a time to live within ${least} and ${most}`, Number(left) >= least && Number(left) <= most, left)
  )

export const stringCases: ReadonlyArray<Case> = cases("strings", (test) => {
  test("SET GET replies with the text before", () =>
    Effect.gen(function*() {
      const [a, list] = yield* keys("a", "list")
      yield* expect(null, "SET", a, "1", "GET")
      yield* expect("1", "SET", a, "2", "GET")
      yield* expect("2", "GETDEL", a)
      yield* expect(0, "EXISTS", a)
      yield* send("RPUSH", list, "1")
      yield* refuse(wrongType, "SET", list, "1", "GET")
    }))

  test("SET takes the place of a value of any type", () =>
    Effect.gen(function*() {
      const a = yield* key("a")
      yield* send("RPUSH", a, "1")
      yield* expect("OK", "SET", a, "2")
      yield* expect("2", "GET", a)
    }))

  test("INCR and INCRBY count in a text, and refuse a value that is not an integer", () =>
    Effect.gen(function*() {
      const [a, b] = yield* keys("a", "b")
      yield* expect(1, "INCR", a)
      yield* expect(-4, "INCRBY", a, -5)
      yield* expect(-5, "DECR", a)
      yield* expect("-5", "GET", a)
      yield* send("SET", b, "word")
      yield* refuse(noInteger, "INCR", b)
      yield* refuse(noInteger, "INCRBY", a, "1.5")
      yield* send("SET", b, "9223372036854775807")
      yield* refuse("ERR increment or decrement would overflow", "INCR", b)
    }))

  test("APPEND and STRLEN count bytes", () =>
    Effect.gen(function*() {
      const a = yield* key("a")
      yield* expect(2, "APPEND", a, "ß")
      yield* expect(9, "APPEND", a, "€😀")
      yield* expect(9, "STRLEN", a)
      yield* expect("ß€😀", "GET", a)
    }))

  test("MSET and MGET take many keys; one of another type reads as nil", () =>
    Effect.gen(function*() {
      const [a, b, c, list] = yield* keys("a", "b", "c", "list")
      yield* send("RPUSH", list, "1")
      yield* expect("OK", "MSET", a, "1", b, "2")
      yield* expect(["1", null, null, "2"], "MGET", a, c, list, b)
    }))

  test("commands on a value of another type fail with WRONGTYPE", () =>
    Effect.gen(function*() {
      const [text, list] = yield* keys("text", "list")
      yield* send("SET", text, "1")
      yield* send("RPUSH", list, "1")
      for (const command of ["GET", "INCR", "STRLEN"]) yield* refuse(wrongType, command, list)
      for (const command of ["LLEN", "LPOP", "HGETALL", "ZCARD", "SMEMBERS", "XLEN"]) {
        yield* refuse(wrongType, command, text)
      }
      yield* refuse(wrongType, "LPUSH", text, "1")
      yield* refuse(wrongType, "HSET", text, "a", "1")
      yield* refuse(wrongType, "ZADD", text, 1, "a")
      yield* refuse(wrongType, "XADD", text, "*", "a", "1")
      yield* refuse(wrongType, "XRANGE", text, "-", "+")
      yield* refuse(wrongType, "XGROUP", "CREATE", text, "g", "0", "MKSTREAM")
      yield* expect("1", "GET", text)
    }))

  test("SET NX PX GET gives the text that is there, or takes the key for a time", () =>
    Effect.gen(function*() {
      const a = yield* key("a")
      yield* expect(null, "SET", a, "1", "NX", "PX", 500_000, "GET")
      yield* expiresWithin(a, 400_000, 500_000)
      yield* expect("1", "SET", a, "2", "NX", "PX", 5, "GET")
      yield* expect("1", "GET", a)
      yield* expiresWithin(a, 400_000, 500_000)
      yield* expect("1", "GETDEL", a)
      yield* expect(null, "GETDEL", a)
    }))
})

export const expiryCases: ReadonlyArray<Case> = cases("expiry", (test) => {
  test("PEXPIRE gives a time to live, which PTTL and TTL report", () =>
    Effect.gen(function*() {
      const [a, none] = yield* keys("a", "none")
      yield* send("SET", a, "1")
      yield* expect(-1, "PTTL", a)
      yield* expect(-2, "PTTL", none)
      yield* expect(0, "PEXPIRE", none, 1000)
      yield* expect(1, "PEXPIRE", a, 90_000)
      yield* expiresWithin(a, 60_000, 90_000)
      yield* expect(1, "EXPIRE", a, 600)
      yield* expiresWithin(a, 570_000, 600_000)
      const seconds = Number(yield* send("TTL", a))
      holds(`seconds: ${seconds}`, seconds >= 570 && seconds <= 600)
      yield* expect(1, "PERSIST", a)
      yield* expect(0, "PERSIST", a)
      yield* expect(-1, "TTL", a)
    }))

  test("a key is gone when its time is up, whatever its type", () =>
    Effect.gen(function*() {
      const [text, list, stream, hash, set] = yield* keys("text", "list", "stream", "hash", "set")
      yield* send("SET", text, "1", "PX", 30)
      yield* send("RPUSH", list, "1")
      yield* send("XADD", stream, "1-1", "a", "1")
      yield* send("HSET", hash, "a", "1")
      yield* send("ZADD", set, 1, "a")
      for (const name of [list, stream, hash, set]) yield* expect(1, "PEXPIRE", name, 30)
      const { pass } = yield* Place
      yield* pass("40 millis")
      yield* eventually(
        "all are gone",
        Effect.map(send("EXISTS", text, list, stream, hash, set), (count) => count === 0)
      )
      yield* expect(null, "GET", text)
      yield* expect([], "XRANGE", stream, "-", "+")
      yield* expect(1, "RPUSH", list, "2")
      yield* expect(-1, "PTTL", list)
    }))

  test("a key is there until its time is up", () =>
    Effect.gen(function*() {
      const a = yield* key("a")
      yield* send("SET", a, "1", "PX", 60_000)
      const { pass } = yield* Place
      yield* pass("20 millis")
      yield* expect("1", "GET", a)
      yield* expiresWithin(a, 1, 59_990)
    }))

  test("a time in the past removes the key at once", () =>
    Effect.gen(function*() {
      const [a, b, c] = yield* keys("a", "b", "c")
      for (const name of [a, b, c]) yield* send("SET", name, "1")
      yield* expect(1, "PEXPIREAT", a, 1)
      yield* expect(1, "PEXPIRE", b, 0)
      yield* expect(1, "EXPIRE", c, -1)
      yield* expect(0, "EXISTS", a, b, c)
    }))

  test("PEXPIREAT takes a time by the server's clock, and PEXPIRETIME reports it", () =>
    Effect.gen(function*() {
      const a = yield* key("a")
      yield* send("SET", a, "1")
      const at = (yield* serverTime) + 50_000
      yield* expect(1, "PEXPIREAT", a, at)
      yield* expect(at, "PEXPIRETIME", a)
      yield* expiresWithin(a, 20_000, 50_000)
    }))

  test("SET drops the time to live, unless KEEPTTL is given; other writes keep it", () =>
    Effect.gen(function*() {
      const [a, list] = yield* keys("a", "list")
      yield* send("SET", a, "1", "EX", 100)
      yield* send("SET", a, "2", "KEEPTTL")
      yield* send("APPEND", a, "3")
      yield* expiresWithin(a, 70_000, 100_000)
      yield* send("SET", a, "3")
      yield* expect(-1, "PTTL", a)
      yield* send("RPUSH", list, "1")
      yield* send("PEXPIRE", list, 100_000)
      yield* send("LPUSH", list, "2")
      yield* send("RPOP", list)
      yield* expiresWithin(list, 70_000, 100_000)
    }))

  test("a list that was emptied and pushed to again has no time to live", () =>
    Effect.gen(function*() {
      const list = yield* key("list")
      yield* send("RPUSH", list, "1")
      yield* send("PEXPIRE", list, 100_000)
      yield* send("LPOP", list)
      yield* send("RPUSH", list, "2")
      yield* expect(-1, "PTTL", list)
    }))

  test("PEXPIRE NX, XX, GT and LT look at the time to live that is there", () =>
    Effect.gen(function*() {
      const a = yield* key("a")
      yield* send("SET", a, "1")
      yield* expect(0, "PEXPIRE", a, 50_000, "XX")
      yield* expect(0, "PEXPIRE", a, 50_000, "GT")
      yield* expect(1, "PEXPIRE", a, 50_000, "NX")
      yield* expect(0, "PEXPIRE", a, 90_000, "NX")
      yield* expect(0, "PEXPIRE", a, 10_000, "GT")
      yield* expect(1, "PEXPIRE", a, 90_000, "GT")
      yield* expect(0, "PEXPIRE", a, 95_000, "LT")
      yield* expiresWithin(a, 60_000, 90_000)
    }))

  test("times that are none are refused", () =>
    Effect.gen(function*() {
      const a = yield* key("a")
      yield* refuse("ERR invalid expire time in 'set' command", "SET", a, "1", "PX", 0)
      yield* refuse(noInteger, "SET", a, "1", "PX", "soon")
      yield* refuse("ERR syntax error", "SET", a, "1", "PX")
      yield* refuse(noInteger, "PEXPIRE", a, "1.5")
      yield* expect(0, "EXISTS", a)
    }))
})

type Page = readonly [cursor: string, keys: ReadonlyArray<string>]

export const keyCases: ReadonlyArray<Case> = cases("keys", (test) => {
  test("EXISTS counts each mention, DEL and UNLINK each key once", () =>
    Effect.gen(function*() {
      const [a, b, none] = yield* keys("a", "b", "none")
      yield* send("SET", a, "1")
      yield* send("RPUSH", b, "1")
      yield* expect(3, "EXISTS", a, b, none, a)
      yield* expect(1, "DEL", a, none, a)
      yield* expect(1, "UNLINK", b)
      yield* expect(0, "EXISTS", a, b)
    }))

  test("TYPE names the type of a key", () =>
    Effect.gen(function*() {
      const [none, text, list, hash, set, sorted, stream] = yield* keys(
        "none",
        "text",
        "list",
        "hash",
        "set",
        "sorted",
        "s"
      )
      yield* send("SET", text, "1")
      yield* send("LPUSH", list, "1")
      yield* send("HSET", hash, "a", "1")
      yield* send("SADD", set, "1")
      yield* send("ZADD", sorted, 1, "1")
      yield* send("XADD", stream, "*", "a", "1")
      yield* expect("none", "TYPE", none)
      yield* expect("string", "TYPE", text)
      yield* expect("list", "TYPE", list)
      yield* expect("hash", "TYPE", hash)
      yield* expect("set", "TYPE", set)
      yield* expect("zset", "TYPE", sorted)
      yield* expect("stream", "TYPE", stream)
    }))

  test("SCAN finds each key that is there all the time", () =>
    Effect.gen(function*() {
      const names = Array.from({ length: 100 }, (_, n) => `k${n}`)
      const all = yield* Effect.forEach(names, key)
      for (const name of all) yield* send("SET", name, "1")
      const found: Array<string> = []
      let cursor = "0"
      do {
        const pattern = `${(yield* key("k"))}*`
        const [next, page] = yield* send<Page>("SCAN", cursor, "MATCH", pattern, "COUNT", 10)
        cursor = next
        found.push(...page)
      } while (cursor !== "0")
      same("keys", [...new Set(found)].sort(), [...all].sort())
    }))

  test("RENAME moves a value with its time to live", () =>
    Effect.gen(function*() {
      const [a, b] = yield* keys("a", "b")
      yield* send("SET", a, "1", "PX", 90_000)
      yield* send("SET", b, "2")
      yield* expect("OK", "RENAME", a, b)
      yield* expect("1", "GET", b)
      yield* expiresWithin(b, 60_000, 90_000)
      yield* refuse("ERR no such key", "RENAME", a, b)
    }))
})
