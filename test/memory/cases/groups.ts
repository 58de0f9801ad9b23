/** Consumer groups and their pending lists. */
import * as Effect from "effect/Effect"
import { record } from "../../../src/internal/redis/reply.ts"
import {
  type Case,
  cases,
  expect,
  holds,
  key,
  Place,
  refuse,
  same,
  send
} from "../../../src/testing/conformance/case.ts"
import { age, grouped, noGroup, pending, read } from "../../../src/testing/conformance/streamSetup.ts"

export const groupCases: ReadonlyArray<Case> = cases("consumer groups", (test) => {
  test("a missing group is refused with NOGROUP by XAUTOCLAIM too", () =>
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
        yield* refuse(noGroup(name, group), "XAUTOCLAIM", name, group, "c", 0, "0")
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

  test("XGROUP SETID moves a group back and forth", () =>
    Effect.gen(function*() {
      const stream = yield* grouped(3)
      yield* read(stream, "a")
      yield* expect("OK", "XGROUP", "SETID", stream, "g", "1-0")
      same("read again", yield* read(stream, "b"), ["2-0", "3-0"])
      same("pending", yield* pending(stream), [["1-0", "a", 1], ["2-0", "b", 1], ["3-0", "b", 1]])
      yield* expect("OK", "XGROUP", "SETID", stream, "g", "$")
      same("nothing", yield* read(stream, "b"), [])
    }))

  test("XGROUP DESTROY removes a group with what was pending", () =>
    Effect.gen(function*() {
      const stream = yield* grouped(1)
      yield* read(stream, "a")
      yield* expect(1, "XGROUP", "DESTROY", stream, "g")
      yield* expect(0, "XGROUP", "DESTROY", stream, "g")
      yield* send("XGROUP", "CREATE", stream, "g", "0")
      same("pending", yield* pending(stream), [])
      same("read again", yield* read(stream, "a"), ["1-0"])
    }))

  test("XGROUP CREATECONSUMER and DELCONSUMER report what they did", () =>
    Effect.gen(function*() {
      const stream = yield* grouped(3)
      yield* expect(1, "XGROUP", "CREATECONSUMER", stream, "g", "a")
      yield* expect(0, "XGROUP", "CREATECONSUMER", stream, "g", "a")
      yield* read(stream, "a", 2)
      yield* read(stream, "b")
      yield* expect(2, "XGROUP", "DELCONSUMER", stream, "g", "a")
      yield* expect(0, "XGROUP", "DELCONSUMER", stream, "g", "a")
      same("pending", yield* pending(stream), [["3-0", "b", 1]])
      yield* refuse(
        `NOGROUP No such consumer group 'other' for key name '${stream}'`,
        "XGROUP",
        "DELCONSUMER",
        stream,
        "other",
        "a"
      )
    }))

  test("XINFO CONSUMERS lists a consumer that was created and has read nothing", () =>
    Effect.gen(function*() {
      const stream = yield* grouped(3)
      yield* read(stream, "b", 2)
      yield* send("XGROUP", "CREATECONSUMER", stream, "g", "a")
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
  test("XAUTOCLAIM takes idle entries, and reports the deleted ones and where to go on", () =>
    Effect.gen(function*() {
      const stream = yield* grouped(5)
      yield* read(stream, "a")
      for (const id of ["1-0", "2-0", "4-0", "5-0"]) yield* age(stream, "a", id, 100_000)
      yield* send("XDEL", stream, "2-0")
      const auto = (...args: ReadonlyArray<string | number>) =>
        ["XAUTOCLAIM", stream, "g", "b", 60_000, ...args] as const
      yield* expect(["3-0", [["1-0", ["n", "1"]]], ["2-0"]], ...auto("0", "COUNT", 2))
      yield* expect(["0-0", ["4-0", "5-0"], []], ...auto("3-0", "COUNT", 2, "JUSTID"))
      same("pending", yield* pending(stream), [["1-0", "b", 2], ["3-0", "a", 1], ["4-0", "b", 1], ["5-0", "b", 1]])
      yield* expect(["0-0", [], []], ...auto("0"))
      yield* refuse("ERR COUNT must be > 0", ...auto("0", "COUNT", 0))
    }))
})
