/** Streams as such: adding, reading, deleting, trimming. */
import * as Effect from "effect/Effect"
import { record } from "../../internal/redis/reply.ts"
import { type Case, cases, entriesOf, expect, holds, key, refuse, same, send, serverTime } from "./case.ts"
import { filled, notGreater } from "./streamSetup.ts"

const invalidId = "ERR Invalid stream ID specified as stream command argument"

const ids = (stream: string) => Effect.map(entriesOf(stream), (rows) => rows.map(([id]) => id))

/** Field and value pairs so long that a few of them fill a node of the stream. */
const large = (n: number) => ["data", String(n % 10).repeat(1_500)]

export const streamCases: ReadonlyArray<Case> = cases("streams", (test) => {
  test("XADD with * gives ids by the server's clock, each greater than the one before", () =>
    Effect.gen(function*() {
      const stream = yield* key("stream")
      const before = yield* serverTime
      const added: Array<string> = []
      for (let n = 0; n < 50; n++) added.push(yield* send<string>("XADD", stream, "*", "n", n))
      const after = yield* serverTime
      for (const id of added) {
        const ms = Number(id.split("-")[0])
        holds(`${id} within ${before} and ${after}`, /^\d+-\d+$/.test(id) && ms >= before && ms <= after)
      }
      same("ids in the stream, in order", yield* ids(stream), added)
      same("ids that differ", new Set(added).size, 50)
    }))

  test("XADD keeps fields in their order, also repeated and empty ones", () =>
    Effect.gen(function*() {
      const stream = yield* key("stream")
      const fields = ["b", "1", "a", "2", "b", "", "", "ß€😀"]
      yield* expect("5-1", "XADD", stream, "5-1", ...fields)
      yield* expect([["5-1", fields]], "XRANGE", stream, "-", "+")
    }))

  test("XADD takes ids that are whole, or only their milliseconds, and refuses the rest", () =>
    Effect.gen(function*() {
      const stream = yield* key("stream")
      yield* expect("5-0", "XADD", stream, "5", "a", 1)
      yield* expect("5-1", "XADD", stream, "5-*", "a", 1)
      yield* expect("7-0", "XADD", stream, "7-*", "a", 1)
      yield* refuse(notGreater, "XADD", stream, "7-0", "a", 1)
      yield* refuse(notGreater, "XADD", stream, "6-9", "a", 1)
      yield* refuse("ERR The ID specified in XADD must be greater than 0-0", "XADD", stream, "0-0", "a", 1)
      yield* refuse(invalidId, "XADD", stream, "abc", "a", 1)
      yield* refuse(invalidId, "XADD", stream, "1-1-1", "a", 1)
      yield* refuse("ERR wrong number of arguments for 'xadd' command", "XADD", stream, "*", "a")
      yield* expect(3, "XLEN", stream)
    }))

  test("XADD orders ids as numbers", () =>
    Effect.gen(function*() {
      const stream = yield* key("stream")
      for (const id of ["9-9", "9-10", "10-0", "9007199254740993-0", "9007199254740993-1"]) {
        yield* expect(id, "XADD", stream, id, "a", 1)
      }
      yield* refuse(notGreater, "XADD", stream, "9007199254740992-5", "a", 1)
      yield* expect([["9-10", ["a", "1"]], ["10-0", ["a", "1"]]], "XRANGE", stream, "9-10", "10")
    }))

  test("XADD after the id of a clock that was ahead goes on from there", () =>
    Effect.gen(function*() {
      const stream = yield* key("stream")
      const ahead = (yield* serverTime) + 3_600_000
      yield* send("XADD", stream, `${ahead}-5`, "a", 1)
      yield* expect(`${ahead}-6`, "XADD", stream, "*", "a", 1)
    }))

  test("XADD NOMKSTREAM makes no stream", () =>
    Effect.gen(function*() {
      const stream = yield* key("stream")
      yield* expect(null, "XADD", stream, "NOMKSTREAM", "*", "a", 1)
      yield* expect(0, "EXISTS", stream)
    }))

  test("XADD MAXLEN keeps that many", () =>
    Effect.gen(function*() {
      const stream = yield* filled("stream", 5)
      yield* send("XADD", stream, "MAXLEN", "=", 3, "6-0", "n", 6)
      same("ids", yield* ids(stream), ["4-0", "5-0", "6-0"])
    }))

  test("XLEN counts entries, and is 0 without a stream", () =>
    Effect.gen(function*() {
      yield* expect(4, "XLEN", yield* filled("stream", 4))
      yield* expect(0, "XLEN", yield* key("none"))
    }))

  test("XRANGE reads from and to an id, without it after (, and so many as COUNT says", () =>
    Effect.gen(function*() {
      const stream = yield* filled("stream", 5)
      const row = (n: number) => [`${n}-0`, ["n", String(n)]]
      yield* expect([row(2), row(3)], "XRANGE", stream, "2-0", "3-0")
      yield* expect([row(2), row(3)], "XRANGE", stream, "2", "3")
      yield* expect([row(3), row(4)], "XRANGE", stream, "(2-0", "(5-0")
      yield* expect([row(1), row(2)], "XRANGE", stream, "-", "+", "COUNT", 2)
      yield* expect([row(5), row(4)], "XREVRANGE", stream, "+", "-", "COUNT", 2)
      yield* expect([row(4), row(3)], "XREVRANGE", stream, "(5-0", "3-0")
      yield* expect([], "XRANGE", stream, "4-1", "4-9")
      yield* expect([], "XRANGE", yield* key("none"), "-", "+")
      yield* refuse(invalidId, "XRANGE", stream, "x", "+")
    }))

  test("XDEL counts what was there; an empty stream stays, with its last id", () =>
    Effect.gen(function*() {
      const stream = yield* filled("stream", 3)
      yield* expect(2, "XDEL", stream, "1-0", "3-0", "9-0")
      same("ids", yield* ids(stream), ["2-0"])
      yield* expect(1, "XDEL", stream, "2-0")
      yield* expect(1, "EXISTS", stream)
      yield* refuse(notGreater, "XADD", stream, "3-0", "a", 1)
      yield* expect(0, "XDEL", yield* key("none"), "1-0")
      yield* refuse(invalidId, "XDEL", stream, "x")
    }))

  test("XTRIM MINID removes what is before an id, MAXLEN all but so many", () =>
    Effect.gen(function*() {
      const stream = yield* filled("stream", 9)
      yield* expect(3, "XTRIM", stream, "MINID", "=", "4-0")
      yield* expect(0, "XTRIM", stream, "MINID", "4-0")
      same("ids", yield* ids(stream), ["4-0", "5-0", "6-0", "7-0", "8-0", "9-0"])
      yield* expect(4, "XTRIM", stream, "MAXLEN", 2)
      same("ids", yield* ids(stream), ["8-0", "9-0"])
      yield* expect(0, "XTRIM", yield* key("none"), "MAXLEN", 2)
    }))

  test("XTRIM with ~ removes whole nodes only, and no more than LIMIT", () =>
    Effect.gen(function*() {
      const small = yield* filled("small", 50)
      yield* expect(0, "XTRIM", small, "MINID", "~", "40-0")
      const stream = yield* key("stream")
      for (let n = 1; n <= 60; n++) yield* send("XADD", stream, `${n}-0`, ...large(n))
      const some = yield* send<number>("XTRIM", stream, "MINID", "~", "50-0", "LIMIT", 10)
      holds(`${some} of at most 10`, some > 0 && some <= 10)
      const rest = yield* send<number>("XTRIM", stream, "MINID", "~", "50-0", "LIMIT", 1_000)
      const left = yield* ids(stream)
      holds(`the node of 50-0 is left: ${left[0]}`, Number(left[0]?.split("-")[0]) <= 50 && left.includes("50-0"))
      holds(`more than half is gone: ${rest}`, rest > 20)
      same("together", some + rest + left.length, 60)
    }))

  test("XTRIM refuses what makes no sense", () =>
    Effect.gen(function*() {
      const stream = yield* filled("stream", 1)
      yield* refuse("ERR syntax error, XTRIM must be called with a trimming strategy", "XTRIM", stream, "LIMIT", 0)
      yield* refuse(
        "ERR syntax error, LIMIT cannot be used without the special ~ option",
        "XTRIM",
        stream,
        "MAXLEN",
        1,
        "LIMIT",
        1
      )
      yield* refuse(invalidId, "XTRIM", stream, "MINID", "x")
    }))

  test("XINFO STREAM reports length, last id and the entries at the ends", () =>
    Effect.gen(function*() {
      const stream = yield* filled("stream", 3)
      yield* send("XDEL", stream, "2-0")
      const reply = record(yield* send("XINFO", "STREAM", stream))
      const value = (name: string) => reply.get(name)
      same("values", ["length", "last-generated-id", "max-deleted-entry-id", "entries-added", "groups"].map(value), [
        2,
        "3-0",
        "2-0",
        3,
        0
      ])
      same("ends", [value("first-entry"), value("last-entry")], [["1-0", ["n", "1"]], ["3-0", ["n", "3"]]])
      yield* refuse("ERR no such key", "XINFO", "STREAM", yield* key("none"))
    }))
})
