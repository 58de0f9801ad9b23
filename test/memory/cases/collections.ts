/** Hashes, sorted sets, sets and lists: what the library keeps beside its streams. */
import * as Effect from "effect/Effect"
import {
  type Case,
  cases,
  expect,
  expectScores,
  key,
  keys,
  refuse,
  same,
  send
} from "../../../src/testing/conformance/case.ts"

export const hashCases: ReadonlyArray<Case> = cases("hashes", (test) => {
  test("HSET replies with the number of new fields, HGET with a field or nil", () =>
    Effect.gen(function*() {
      const [hash, none] = yield* keys("hash", "none")
      yield* expect(2, "HSET", hash, "a", "1", "b", "2")
      yield* expect(1, "HSET", hash, "a", "3", "c", "")
      yield* expect("3", "HGET", hash, "a")
      yield* expect("", "HGET", hash, "c")
      yield* expect(null, "HGET", hash, "x")
      yield* expect(null, "HGET", none, "x")
      yield* expect(3, "HLEN", hash)
      yield* expect(["3", null, "2"], "HMGET", hash, "a", "x", "b")
    }))

  test("HGETALL, HKEYS and HVALS return fields in the order in which they came", () =>
    Effect.gen(function*() {
      const [hash, none] = yield* keys("hash", "none")
      yield* send("HSET", hash, "b", "1", "a", "2")
      yield* send("HSET", hash, "b", "3")
      yield* expect(["b", "3", "a", "2"], "HGETALL", hash)
      yield* expect(["b", "a"], "HKEYS", hash)
      yield* expect(["3", "2"], "HVALS", hash)
      yield* expect([], "HGETALL", none)
    }))

  test("HINCRBY and HSETNX", () =>
    Effect.gen(function*() {
      const hash = yield* key("hash")
      yield* expect(5, "HINCRBY", hash, "n", 5)
      yield* expect(3, "HINCRBY", hash, "n", -2)
      yield* expect(0, "HSETNX", hash, "n", "9")
      yield* expect(1, "HSETNX", hash, "m", "word")
      yield* refuse("ERR hash value is not an integer", "HINCRBY", hash, "m", 1)
      yield* expect(1, "HEXISTS", hash, "m")
      yield* expect(0, "HEXISTS", hash, "x")
    }))
})

export const sortedSetCases: ReadonlyArray<Case> = cases("sorted sets", (test) => {
  test("ZRANK counts members in the order of their scores, and of their bytes where scores are equal", () =>
    Effect.gen(function*() {
      const set = yield* key("set")
      yield* expect(5, "ZADD", set, 2, "b", 1, "z", 2, "a", -1, "é", 2, "😀")
      yield* expect(["é", "z", "a", "b", "😀"], "ZRANGE", set, 0, -1)
      yield* expect(["😀", "b"], "ZRANGE", set, 0, 1, "REV")
      yield* expectScores(["é", "-1", "z", "1"], "ZRANGE", set, 0, 1, "WITHSCORES")
      yield* expect([], "ZRANGE", set, 5, 9)
      yield* expect(5, "ZCARD", set)
      yield* expect(2, "ZRANK", set, "a")
      yield* expect(null, "ZRANK", set, "x")
    }))

  test("ZRANGE BYSCORE takes limits that are left out, infinite, or cut by LIMIT", () =>
    Effect.gen(function*() {
      const [set, none] = yield* keys("set", "none")
      yield* send("ZADD", set, 1, "a", 2, "b", 3, "c", 4, "d")
      yield* expect(["a", "b"], "ZRANGE", set, "-inf", 2, "BYSCORE")
      yield* expect(["c", "d"], "ZRANGE", set, "(2", "+inf", "BYSCORE")
      yield* expect(["b"], "ZRANGE", set, "(1", "(3", "BYSCORE")
      yield* expect(["b", "c"], "ZRANGE", set, "-inf", "+inf", "BYSCORE", "LIMIT", 1, 2)
      yield* expect([], "ZRANGE", set, "-inf", "+inf", "BYSCORE", "LIMIT", 0, 0)
      yield* expect(["d", "c"], "ZRANGE", set, "+inf", 3, "BYSCORE", "REV")
      yield* expect(["a"], "ZRANGEBYSCORE", set, "-inf", "+inf", "LIMIT", 0, 1)
      yield* expect([], "ZRANGE", none, "-inf", 2, "BYSCORE")
      yield* expect(2, "ZCOUNT", set, "(1", 3)
    }))

  test("ZREM and ZREMRANGEBYSCORE count what was there; a set without members is gone", () =>
    Effect.gen(function*() {
      const set = yield* key("set")
      yield* send("ZADD", set, 1, "a", 2, "b", 3, "c")
      yield* expect(1, "ZREM", set, "a", "x")
      yield* expect(1, "ZREMRANGEBYSCORE", set, "-inf", 2)
      yield* expect(1, "EXISTS", set)
      yield* expect(1, "ZREM", set, "c")
      yield* expect(0, "EXISTS", set)
    }))

  test("ZPOPMIN and ZPOPMAX take from the ends", () =>
    Effect.gen(function*() {
      const set = yield* key("set")
      yield* send("ZADD", set, 1, "a", 2, "b", 3, "c")
      yield* expectScores(["a", "1"], "ZPOPMIN", set)
      yield* expectScores(["c", "3", "b", "2"], "ZPOPMAX", set, 5)
      yield* expectScores([], "ZPOPMIN", set)
    }))
})

export const lexCases: ReadonlyArray<Case> = cases("sorted sets by text", (test) => {
  test("members of one score are found, counted and removed by their bytes", () =>
    Effect.gen(function*() {
      const set = yield* key("set")
      yield* send("ZADD", set, 0, "a", 0, "b", 0, "é", 0, "z", 0, "ab")
      yield* expect(["a", "ab", "b", "z", "é"], "ZRANGEBYLEX", set, "-", "+")
      yield* expect(["ab", "b"], "ZRANGEBYLEX", set, "(a", "[b")
      yield* expect(["b"], "ZRANGEBYLEX", set, "[a", "+", "LIMIT", 2, 1)
      yield* expect(["z", "b"], "ZREVRANGEBYLEX", set, "(é", "(ab")
      yield* expect(["ab", "b"], "ZRANGE", set, "(a", "[b", "BYLEX")
      yield* expect(["b", "ab"], "ZRANGE", set, "[b", "(a", "BYLEX", "REV")
      yield* expect(3, "ZLEXCOUNT", set, "-", "[b")
      yield* expect(0, "ZLEXCOUNT", set, "(z", "(z")
      yield* expect(2, "ZREMRANGEBYLEX", set, "(a", "(z")
      yield* expect(["a", "z", "é"], "ZRANGE", set, 0, -1)
      yield* expect(3, "ZREMRANGEBYLEX", set, "-", "+")
      yield* expect(0, "EXISTS", set)
      yield* expect(0, "ZREMRANGEBYLEX", set, "-", "+")
      yield* refuse("ERR min or max not valid string range item", "ZLEXCOUNT", set, "a", "b")
      yield* refuse("ERR min or max not valid string range item", "ZREMRANGEBYLEX", set, "-", "b")
      yield* refuse("ERR syntax error", "ZRANGEBYLEX", set, "-", "+", "REV")
    }))
})

export const setCases: ReadonlyArray<Case> = cases("sets", (test) => {
  test("SADD and SREM count members; a set without members is gone", () =>
    Effect.gen(function*() {
      const set = yield* key("set")
      yield* expect(2, "SADD", set, "a", "b", "a")
      yield* expect(0, "SADD", set, "a")
      same("members", new Set(yield* send<ReadonlyArray<string>>("SMEMBERS", set)), new Set(["a", "b"]))
      yield* expect(1, "SISMEMBER", set, "a")
      yield* expect(2, "SCARD", set)
      yield* expect(2, "SREM", set, "a", "b", "c")
      yield* expect(0, "EXISTS", set)
    }))
})

export const listCases: ReadonlyArray<Case> = cases("lists", (test) => {
  test("LPUSH and RPUSH add at their ends and reply with the length", () =>
    Effect.gen(function*() {
      const list = yield* key("list")
      yield* expect(2, "LPUSH", list, "b", "a")
      yield* expect(3, "RPUSH", list, "c")
      yield* expect(["a", "b", "c"], "LRANGE", list, 0, -1)
      yield* expect(3, "LLEN", list)
    }))

  test("LPOP and RPOP take from their ends, one or many; an empty list is gone", () =>
    Effect.gen(function*() {
      const [list, none] = yield* keys("list", "none")
      yield* send("RPUSH", list, "a", "b", "c", "d", "e")
      yield* expect("a", "LPOP", list)
      yield* expect("e", "RPOP", list)
      yield* expect(["d"], "RPOP", list, 1)
      yield* expect([], "RPOP", list, 0)
      yield* expect(["c", "b"], "RPOP", list, 100)
      yield* expect(0, "EXISTS", list)
      yield* expect(null, "RPOP", none)
      yield* expect(null, "RPOP", none, 100)
      yield* refuse("ERR value is out of range, must be positive", "RPOP", list, -1)
    }))

  test("LRANGE and LINDEX count from either end", () =>
    Effect.gen(function*() {
      const [list, none] = yield* keys("list", "none")
      yield* send("RPUSH", list, "a", "b", "c")
      yield* expect(["b", "c"], "LRANGE", list, -2, -1)
      yield* expect(["a", "b", "c"], "LRANGE", list, -100, 100)
      yield* expect([], "LRANGE", list, 2, 1)
      yield* expect([], "LRANGE", none, 0, -1)
      yield* expect("c", "LINDEX", list, -1)
      yield* expect("b", "LINDEX", list, 1)
      yield* expect(null, "LINDEX", list, 3)
      yield* expect(null, "LINDEX", none, 0)
    }))

  test("LTRIM, LREM, LSET and LINSERT", () =>
    Effect.gen(function*() {
      const list = yield* key("list")
      yield* send("RPUSH", list, "a", "b", "a", "c", "a")
      yield* expect(1, "LREM", list, -1, "a")
      yield* expect("OK", "LSET", list, 1, "B")
      yield* expect(5, "LINSERT", list, "BEFORE", "B", "x")
      yield* expect(["a", "x", "B", "a", "c"], "LRANGE", list, 0, -1)
      yield* expect("OK", "LTRIM", list, 1, 2)
      yield* expect(["x", "B"], "LRANGE", list, 0, -1)
      yield* refuse("ERR index out of range", "LSET", list, 9, "x")
      yield* expect("OK", "LTRIM", list, 5, 9)
      yield* expect(0, "EXISTS", list)
    }))

  test("LMOVE moves an element from list to list", () =>
    Effect.gen(function*() {
      const [a, b, none] = yield* keys("a", "b", "none")
      yield* send("RPUSH", a, "1", "2")
      yield* expect("2", "LMOVE", a, b, "RIGHT", "LEFT")
      yield* expect("1", "LMOVE", a, b, "LEFT", "LEFT")
      yield* expect(["1", "2"], "LRANGE", b, 0, -1)
      yield* expect(0, "EXISTS", a)
      yield* expect(null, "LMOVE", none, b, "LEFT", "LEFT")
    }))

  test("LMPOP takes from the first list that has something", () =>
    Effect.gen(function*() {
      const [a, b] = yield* keys("a", "b")
      yield* expect(null, "LMPOP", 2, a, b, "LEFT")
      yield* send("RPUSH", b, "1", "2", "3")
      yield* expect([b, ["3", "2"]], "LMPOP", 2, a, b, "RIGHT", "COUNT", 2)
    }))
})
