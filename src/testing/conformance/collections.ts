/** Hashes, sorted sets, sets and lists: what the library keeps beside its streams. */
import * as Effect from "effect/Effect"
import { type Case, cases, expect, expectScores, key, keys, refuse, send } from "./case.ts"

export const hashCases: ReadonlyArray<Case> = cases("hashes", (test) => {
  test("HSET counts new fields, HGET replies with a field or nil", () =>
    Effect.gen(function*() {
      const hash = yield* key("hash")
      yield* expect(2, "HSET", hash, "a", "1", "b", "2")
      yield* expect(1, "HSET", hash, "a", "3", "c", "")
      yield* expect("3", "HGET", hash, "a")
      yield* expect("", "HGET", hash, "c")
      yield* expect(null, "HGET", hash, "d")
    }))

  test("HDEL counts what was there; a hash without fields is gone", () =>
    Effect.gen(function*() {
      const [hash, none] = yield* keys("hash", "none")
      yield* send("HSET", hash, "a", "1", "b", "2")
      yield* expect(1, "HDEL", hash, "a", "x")
      yield* expect(1, "EXISTS", hash)
      yield* expect(1, "HDEL", hash, "b")
      yield* expect(0, "EXISTS", hash)
      yield* expect(0, "HDEL", none, "a")
    }))

  test("HEXISTS and HGETALL tell what a hash has", () =>
    Effect.gen(function*() {
      const [hash, none] = yield* keys("hash", "none")
      yield* send("HSET", hash, "a", "1", "b", "2")
      yield* expect(1, "HEXISTS", hash, "a")
      yield* expect(0, "HEXISTS", hash, "c")
      yield* expect(0, "HEXISTS", none, "a")
      yield* expect(["a", "1", "b", "2"], "HGETALL", hash)
      yield* expect([], "HGETALL", none)
    }))

  test("HKEYS replies with the names in a hash", () =>
    Effect.gen(function*() {
      const [hash, none] = yield* keys("hash", "none")
      yield* send("HSET", hash, "a", "1", "b", "2")
      yield* expect(["a", "b"], "HKEYS", hash)
      yield* expect([], "HKEYS", none)
    }))

  test("a name without a value is refused", () =>
    Effect.gen(function*() {
      yield* refuse("ERR wrong number of arguments for 'hset' command", "HSET", yield* key("hash"), "a", "1", "b")
    }))
})

export const sortedSetCases: ReadonlyArray<Case> = cases("sorted sets", (test) => {
  test("ZADD counts new members, moves old ones, and compares as NX, XX, GT and LT say", () =>
    Effect.gen(function*() {
      const set = yield* key("set")
      yield* expect(1, "ZADD", set, 5, "a")
      yield* expect(0, "ZADD", set, 6, "a")
      yield* expectScores(["6"], "ZSCORE", set, "a")
      yield* expect(0, "ZADD", set, "NX", 1, "a")
      yield* expect(0, "ZADD", set, "XX", 1, "b")
      yield* expect(1, "ZADD", set, "GT", "CH", 7, "a")
      yield* expect(0, "ZADD", set, "GT", "CH", 3, "a")
      yield* expect(1, "ZADD", set, "LT", "CH", 3, "a")
      yield* expectScores(["3"], "ZSCORE", set, "a")
      yield* expect(null, "ZSCORE", set, "b")
    }))

  test("members are in the order of their scores, and of their bytes where scores are equal", () =>
    Effect.gen(function*() {
      const set = yield* key("set")
      yield* send("ZADD", set, 2, "b", 1, "z", 1, "é", 1, "a", 1, "\u{1F600}", 1, "\uFFFF")
      const order = ["a", "z", "é", "\uFFFF", "\u{1F600}", "b"]
      yield* expect(order, "ZRANGE", set, 0, -1)
      yield* expect(order.slice(1, 3), "ZRANGE", set, "(0.5", 1, "BYSCORE", "LIMIT", 1, 2)
      yield* expect(["b"], "ZRANGE", set, "(1", "+inf", "BYSCORE")
      yield* expect(6, "ZCARD", set)
      yield* expect(2, "ZREM", set, "a", "z", "none")
      yield* expect(4, "ZREM", set, "b", "é", "\u{1F600}", "\uFFFF")
      yield* expect(0, "EXISTS", set)
    }))

  test("scores of milliseconds keep every digit", () =>
    Effect.gen(function*() {
      const set = yield* key("set")
      yield* send("ZADD", set, "1751169780123", "a", "9007199254740991", "b", "0.5", "c")
      yield* expectScores(["1751169780123"], "ZSCORE", set, "a")
      yield* expectScores(
        ["c", "0.5", "a", "1751169780123", "b", "9007199254740991"],
        "ZRANGE",
        set,
        0,
        -1,
        "WITHSCORES"
      )
    }))

  test("a value that is not a number is refused, and nothing of the command is done", () =>
    Effect.gen(function*() {
      const set = yield* key("set")
      yield* refuse("ERR value is not a valid float", "ZADD", set, 1, "a", "x", "b")
      yield* refuse("ERR min or max is not a float", "ZRANGE", set, "x", 2, "BYSCORE")
      yield* refuse("ERR syntax error", "ZADD", set, 1, "a", 2)
      yield* expect(0, "EXISTS", set)
    }))
})

export const listCases: ReadonlyArray<Case> = cases("lists", (test) => {
  test("LPUSH adds at the left, LPOP and RPOP take from their ends, and an empty list is gone", () =>
    Effect.gen(function*() {
      const list = yield* key("list")
      yield* expect(0, "LLEN", list)
      yield* expect(3, "LPUSH", list, "1", "2", "3")
      yield* expect(3, "LLEN", list)
      yield* expect("1", "LINDEX", list, -1)
      yield* expect("3", "LINDEX", list, 0)
      yield* expect(null, "LINDEX", list, 3)
      yield* expect("3", "LPOP", list)
      yield* expect("1", "RPOP", list)
      yield* expect("2", "RPOP", list)
      yield* expect(null, "RPOP", list)
      yield* expect(0, "EXISTS", list)
    }))
})
