/** Consumer groups and their pending lists. */
import * as Effect from "effect/Effect"
import { record, streamEntries } from "../../internal/redis/reply.ts"
import { type Case, cases, expect, expectEntries, holds, key, Place, refuse, same, send } from "./case.ts"
import { age, grouped, noGroup, pending, read } from "./streamSetup.ts"

const invalidId = "ERR Invalid stream ID specified as stream command argument"

const infoOf = (stream: string) =>
  Effect.map(send<ReadonlyArray<unknown>>("XINFO", "GROUPS", stream), (groups) => groups.map(record))

export const groupCases: ReadonlyArray<Case> = cases("consumer groups", (test) => {
  test("XGROUP CREATE makes a group, and the stream with MKSTREAM", () =>
    Effect.gen(function*() {
      const stream = yield* key("stream")
      yield* refuse(/^ERR The XGROUP subcommand requires the key to exist/, "XGROUP", "CREATE", stream, "g", "0")
      yield* expect("OK", "XGROUP", "CREATE", stream, "g", "0", "MKSTREAM")
      yield* expect("stream", "TYPE", stream)
      yield* expect(0, "XLEN", stream)
      yield* refuse("BUSYGROUP Consumer Group name already exists", "XGROUP", "CREATE", stream, "g", "0", "MKSTREAM")
      yield* expect("OK", "XGROUP", "CREATE", stream, "other", "$")
      yield* refuse(invalidId, "XGROUP", "CREATE", stream, "third", "x")
    }))

  test("a group reads from where it was created: 0 is all, $ only what comes", () =>
    Effect.gen(function*() {
      const stream = yield* key("stream")
      for (const n of [1, 2, 3]) yield* send("XADD", stream, `${n}-0`, "n", n)
      yield* send("XGROUP", "CREATE", stream, "all", "0")
      yield* send("XGROUP", "CREATE", stream, "some", "2-0")
      yield* send("XGROUP", "CREATE", stream, "none", "$")
      yield* send("XADD", stream, "4-0", "n", 4)
      for (const [group, expected] of [["all", 4], ["some", 2], ["none", 1]] as const) {
        const reply = yield* send("XREADGROUP", "GROUP", group, "c", "STREAMS", stream, ">")
        same(`entries of ${group}`, streamEntries(reply).length, expected)
      }
    }))

  test("XREADGROUP gives each new entry to one consumer, in order", () =>
    Effect.gen(function*() {
      const stream = yield* grouped(5)
      same("the first", yield* read(stream, "a", 2), ["1-0", "2-0"])
      same("the next", yield* read(stream, "b", 2), ["3-0", "4-0"])
      same("the rest", yield* read(stream, "a"), ["5-0"])
      yield* expect(null, "XREADGROUP", "GROUP", "g", "a", "STREAMS", stream, ">")
      same("pending", yield* pending(stream), [
        ["1-0", "a", 1],
        ["2-0", "a", 1],
        ["3-0", "b", 1],
        ["4-0", "b", 1],
        ["5-0", "a", 1]
      ])
    }))

  test("XREADGROUP replies with the stream, ids and fields", () =>
    Effect.gen(function*() {
      const stream = yield* grouped(1)
      yield* expectEntries([[stream, [["1-0", ["n", "1"]]]]], "XREADGROUP", "GROUP", "g", "a", "STREAMS", stream, ">")
    }))

  test("XREADGROUP of an id gives the consumer's own pending entries again, and counts the delivery", () =>
    Effect.gen(function*() {
      const stream = yield* grouped(4)
      yield* read(stream, "a", 3)
      yield* read(stream, "b")
      yield* send("XACK", stream, "g", "1-0")
      yield* send("XDEL", stream, "3-0")
      yield* expectEntries(
        [[stream, [["2-0", ["n", "2"]], ["3-0", null]]]],
        "XREADGROUP",
        "GROUP",
        "g",
        "a",
        "STREAMS",
        stream,
        "0"
      )
      same("pending", yield* pending(stream), [["2-0", "a", 2], ["3-0", "a", 1], ["4-0", "b", 1]])
      yield* expectEntries([[stream, []]], "XREADGROUP", "GROUP", "g", "c", "STREAMS", stream, "0")
    }))

  test("XREADGROUP NOACK leaves nothing pending", () =>
    Effect.gen(function*() {
      const stream = yield* grouped(1)
      const reply = yield* send("XREADGROUP", "GROUP", "g", "a", "NOACK", "STREAMS", stream, ">")
      same("entries", streamEntries(reply).length, 1)
      same("pending", yield* pending(stream), [])
    }))

  test("XACK acknowledges a pending entry of any owner, once", () =>
    Effect.gen(function*() {
      const stream = yield* grouped(3)
      yield* read(stream, "a", 2)
      yield* read(stream, "b")
      yield* expect(2, "XACK", stream, "g", "1-0", "3-0", "9-0")
      yield* expect(0, "XACK", stream, "g", "1-0")
      same("pending", yield* pending(stream), [["2-0", "a", 1]])
      yield* expect(3, "XLEN", stream)
      yield* refuse(invalidId, "XACK", stream, "g", "x")
    }))

  test("groups of one stream know nothing of each other", () =>
    Effect.gen(function*() {
      const stream = yield* grouped(2)
      yield* send("XGROUP", "CREATE", stream, "audit", "0")
      yield* read(stream, "a")
      yield* send("XACK", stream, "g", "1-0")
      const reply = yield* send("XREADGROUP", "GROUP", "audit", "a", "STREAMS", stream, ">")
      same("entries", streamEntries(reply).length, 2)
      yield* expect(0, "XACK", stream, "audit", "9-0")
      same("pending", yield* pending(stream), [["2-0", "a", 1]])
    }))

  test("XINFO GROUPS counts consumers, pending entries and lag", () =>
    Effect.gen(function*() {
      const stream = yield* grouped(5)
      yield* read(stream, "a", 2)
      yield* read(stream, "b", 1)
      yield* send("XACK", stream, "g", "1-0")
      const [info] = yield* infoOf(stream)
      same("info", Object.fromEntries(info ?? []), {
        name: "g",
        consumers: 2,
        pending: 2,
        "last-delivered-id": "3-0",
        "entries-read": 3,
        lag: 2
      })
    }))

  test("XINFO GROUPS knows no lag when entries were deleted ahead of the group", () =>
    Effect.gen(function*() {
      const stream = yield* grouped(5)
      yield* read(stream, "a", 1)
      yield* send("XDEL", stream, "4-0")
      const [info] = yield* infoOf(stream)
      same("lag", info?.get("lag"), null)
    }))

  test("a missing group is refused with NOGROUP by the commands that need it", () =>
    Effect.gen(function*() {
      const stream = yield* grouped(1)
      const none = yield* key("none")
      for (const [name, group] of [[none, "g"], [stream, "other"]] as const) {
        yield* refuse(
          `${noGroup(name, group)} in XREADGROUP with GROUP option`,
          "XREADGROUP",
          "GROUP",
          group,
          "c",
          "STREAMS",
          name,
          ">"
        )
        yield* refuse(noGroup(name, group), "XPENDING", name, group)
        yield* refuse(noGroup(name, group), "XPENDING", name, group, "-", "+", 1)
        yield* refuse(noGroup(name, group), "XCLAIM", name, group, "c", 0, "1-0")
        yield* expect(0, "XACK", name, group, "1-0")
      }
      yield* refuse(
        `NOGROUP No such consumer group 'other' for key name '${stream}'`,
        "XINFO",
        "CONSUMERS",
        stream,
        "other"
      )
      yield* refuse("ERR no such key", "XINFO", "GROUPS", none)
    }))

  test("XGROUP DELCONSUMER removes a consumer with what was pending, and counts it", () =>
    Effect.gen(function*() {
      const stream = yield* grouped(3)
      yield* read(stream, "a", 2)
      yield* expect(2, "XGROUP", "DELCONSUMER", stream, "g", "a")
      yield* expect(0, "XGROUP", "DELCONSUMER", stream, "g", "a")
      yield* expect([0, null, null, null], "XPENDING", stream, "g")
    }))

  test("XINFO CONSUMERS reports for each consumer the pending entries and the idle time", () =>
    Effect.gen(function*() {
      const stream = yield* grouped(3)
      yield* read(stream, "b", 2)
      yield* read(stream, "a", 1)
      yield* send("XACK", stream, "g", "3-0")
      const { pass } = yield* Place
      // More than is asked for below: a timer and a clock of whole milliseconds may differ by one.
      yield* pass("25 millis")
      const rows = (yield* send<ReadonlyArray<unknown>>("XINFO", "CONSUMERS", stream, "g")).map(record)
      same("names and pending", rows.map((row) => [row.get("name"), row.get("pending")]), [["a", 0], ["b", 2]])
      for (const row of rows) {
        const idle = Number(row.get("idle"))
        holds(`idle for ${idle} ms`, idle >= 20 && idle < 60_000)
      }
    }))
})

export const pendingCases: ReadonlyArray<Case> = cases("pending entries", (test) => {
  test("XPENDING summarizes how many are pending, from which id to which, and whose", () =>
    Effect.gen(function*() {
      const stream = yield* grouped(4)
      yield* expect([0, null, null, null], "XPENDING", stream, "g")
      yield* read(stream, "b", 1)
      yield* read(stream, "a", 2)
      yield* expect([3, "1-0", "3-0", [["a", "2"], ["b", "1"]]], "XPENDING", stream, "g")
    }))

  test("XPENDING lists a range, of one consumer, and so many", () =>
    Effect.gen(function*() {
      const stream = yield* grouped(6)
      yield* read(stream, "a", 3)
      yield* read(stream, "b", 3)
      const listed = (...args: ReadonlyArray<string | number>) =>
        Effect.map(
          send<ReadonlyArray<ReadonlyArray<unknown>>>("XPENDING", stream, "g", ...args),
          (rows) => rows.map(([id]) => id)
        )
      same("all", yield* listed("-", "+", 10), ["1-0", "2-0", "3-0", "4-0", "5-0", "6-0"])
      same("two", yield* listed("-", "+", 2), ["1-0", "2-0"])
      same("after an id", yield* listed("(2-0", "(6-0", 10), ["3-0", "4-0", "5-0"])
      same("of one id", yield* listed("4-0", "4-0", 1), ["4-0"])
      same("of one consumer", yield* listed("-", "+", 10, "b"), ["4-0", "5-0", "6-0"])
      same("of an unknown consumer", yield* listed("-", "+", 10, "x"), [])
      same("none", yield* listed("-", "+", 0), [])
      yield* refuse(invalidId, "XPENDING", stream, "g", "x", "+", 10)
      yield* refuse("ERR syntax error", "XPENDING", stream, "g", "-", "+")
    }))

  test("XPENDING IDLE leaves out what was idle for less", () =>
    Effect.gen(function*() {
      const stream = yield* grouped(3)
      yield* read(stream, "a")
      yield* age(stream, "a", "1-0", 100_000)
      yield* age(stream, "a", "2-0", 50_000)
      const rows = yield* send<ReadonlyArray<ReadonlyArray<unknown>>>(
        "XPENDING",
        stream,
        "g",
        "IDLE",
        60_000,
        "-",
        "+",
        10
      )
      same("ids", rows.map(([id]) => id), ["1-0"])
      const idle = Number(rows[0]?.[2])
      holds(`idle for ${idle} ms`, idle >= 100_000 && idle < 160_000)
    }))

  test("idle time begins with the delivery and goes on with the clock", () =>
    Effect.gen(function*() {
      const stream = yield* grouped(1)
      yield* read(stream, "a")
      const { pass } = yield* Place
      // More than is asked for below: a timer and a clock of whole milliseconds may differ by one.
      yield* pass("35 millis")
      const [row] = yield* send<ReadonlyArray<ReadonlyArray<unknown>>>("XPENDING", stream, "g", "-", "+", 1)
      const idle = Number(row?.[2])
      holds(`idle for ${idle} ms`, idle >= 30 && idle < 60_000)
    }))

  test("XCLAIM gives an entry to another consumer, counts the delivery and resets its idle time", () =>
    Effect.gen(function*() {
      const stream = yield* grouped(2)
      yield* read(stream, "a")
      yield* age(stream, "a", "1-0", 100_000)
      yield* expect([["1-0", ["n", "1"]]], "XCLAIM", stream, "g", "b", 60_000, "1-0", "2-0")
      same("pending", yield* pending(stream), [["1-0", "b", 2], ["2-0", "a", 1]])
      yield* expect([], "XPENDING", stream, "g", "IDLE", 60_000, "-", "+", 10)
      yield* expect([], "XCLAIM", stream, "g", "c", 60_000, "1-0")
    }))

  test("XCLAIM JUSTID replies with ids and counts no delivery", () =>
    Effect.gen(function*() {
      const stream = yield* grouped(2)
      yield* read(stream, "a")
      yield* expect(["1-0", "2-0"], "XCLAIM", stream, "g", "b", 0, "1-0", "2-0", "JUSTID")
      same("pending", yield* pending(stream), [["1-0", "b", 1], ["2-0", "b", 1]])
    }))

  test("XCLAIM sets idle time and deliveries with IDLE and RETRYCOUNT", () =>
    Effect.gen(function*() {
      const stream = yield* grouped(1)
      yield* read(stream, "a")
      yield* send("XCLAIM", stream, "g", "b", 0, "1-0", "IDLE", 70_000, "RETRYCOUNT", 7)
      same("pending", yield* pending(stream), [["1-0", "b", 7]])
      const rows = yield* send<ReadonlyArray<unknown>>("XPENDING", stream, "g", "IDLE", 70_000, "-", "+", 10)
      same("idle for so long", rows.length, 1)
    }))

  test("XCLAIM takes nothing that is not pending, unless it is forced", () =>
    Effect.gen(function*() {
      const stream = yield* grouped(2)
      yield* read(stream, "a", 1)
      yield* send("XACK", stream, "g", "1-0")
      yield* expect([], "XCLAIM", stream, "g", "b", 0, "1-0", "2-0")
      yield* expect([["2-0", ["n", "2"]]], "XCLAIM", stream, "g", "b", 0, "2-0", "FORCE")
      same("pending", yield* pending(stream), [["2-0", "b", 2]])
      yield* refuse("ERR Unrecognized XCLAIM option 'x'", "XCLAIM", stream, "g", "b", 0, "1-0", "x")
    }))

  test("XCLAIM forgets an entry that was deleted under the pending list", () =>
    Effect.gen(function*() {
      const stream = yield* grouped(2)
      yield* read(stream, "a")
      yield* send("XDEL", stream, "1-0")
      same("pending still", (yield* pending(stream)).length, 2)
      yield* expect([], "XCLAIM", stream, "g", "b", 0, "1-0")
      same("pending", yield* pending(stream), [["2-0", "a", 1]])
    }))
})
