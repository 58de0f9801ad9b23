import * as Effect from "effect/Effect"
import * as assert from "node:assert/strict"
import { maxBytes } from "../../../internal/scripts/bounds.ts"
import { append, countReplacements, moveCallbacks, trim } from "../../../internal/scripts/streams.ts"
import { type Case, cases, elementsOf, entriesOf, errorOf, keys, Place, send } from "../case.ts"
import { add, deliver, evaluate, group, read, stored } from "./setup.ts"

const trimmed = (options: { readonly limit?: number; readonly retain?: number } = {}) =>
  Effect.gen(function*() {
    const { names, pass } = yield* Place
    // An entry of this very millisecond is kept.
    yield* pass("2 millis")
    const reply = yield* evaluate(trim, {
      stream: names.stream,
      limit: options.limit ?? 10_000,
      retain: options.retain ?? 0
    })
    assert.ok(Array.isArray(reply))
    // SAFETY: the script replies with the number and an array.
    return { count: Number(reply[0]), groups: reply[1] as ReadonlyArray<unknown> }
  })

/** Entries large enough that a few fill a node of the stream: the server trims whole nodes. */
const large = (count: number) => add(...Array.from({ length: count }, (_, index) => ["data", `${index}`.repeat(3_000)]))

const lists = keys("a", "b")

export const streamCases: ReadonlyArray<Case> = cases("scripts: streams", (test) => {
  test("append adds messages in order and replies with their ids", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const ids = yield* evaluate(append, { stream: names.stream, texts: ["1", "ß€😀", ""] })
      const entries = yield* entriesOf(names.stream)
      assert.deepEqual(entries.map(([id]) => id), ids)
      assert.deepEqual(entries.map(([, fields]) => fields), [["data", "1"], ["data", "ß€😀"], ["data", ""]])
    }))

  test("append gives every message the traceparent", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const traceparent = "00-1-2-01"
      yield* evaluate(append, { stream: names.stream, texts: ["1", "2"], traceparent })
      assert.deepEqual((yield* entriesOf(names.stream)).map(([, fields]) => fields), [
        ["data", "1", "traceparent", traceparent],
        ["data", "2", "traceparent", traceparent]
      ])
    }))

  test("append adds a thousand messages in one call, and none at all", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const texts = Array.from({ length: 1_000 }, (_, index) => String(index))
      assert.deepEqual(yield* evaluate(append, { stream: names.stream, texts: [] }), [])
      const ids = yield* evaluate(append, { stream: names.stream, texts })
      // SAFETY: the script replies with ids; anything else has not a thousand members.
      assert.equal(new Set(ids as ReadonlyArray<string>).size, 1_000)
      assert.deepEqual(
        (yield* entriesOf(names.stream)).map(([, fields]) => fields),
        texts.map((text) => ["data", text])
      )
    }))

  test("moveCallbacks moves the oldest first, list after list", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const [a, b] = yield* lists
      yield* send("LPUSH", a, "1", "2", "3")
      yield* send("LPUSH", b, "4", "ß€😀")
      assert.deepEqual(yield* evaluate(moveCallbacks, { stream: names.stream, lists: [a, b], limit: 100 }), [5, [], 0])
      assert.deepEqual((yield* entriesOf(names.stream)).map(([, fields]) => fields), [
        ["data", "1"],
        ["data", "2"],
        ["data", "3"],
        ["data", "4"],
        ["data", "ß€😀"]
      ])
      assert.equal(yield* send("EXISTS", a, b), 0)
      assert.deepEqual(yield* evaluate(moveCallbacks, { stream: names.stream, lists: [a, b], limit: 100 }), [0, [], 0])
    }))

  test("moveCallbacks moves no more than its limit, over all lists", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const [a, b] = yield* lists
      yield* send("LPUSH", a, "1", "2")
      yield* send("LPUSH", b, "3", "4")
      assert.deepEqual(yield* evaluate(moveCallbacks, { stream: names.stream, lists: [a, b], limit: 3 }), [3, [], 1])
      assert.deepEqual(yield* elementsOf(b), ["4"])
      assert.deepEqual(yield* evaluate(moveCallbacks, { stream: names.stream, lists: [a, b], limit: 3 }), [1, [], 0])
      assert.deepEqual((yield* entriesOf(names.stream)).map(([, fields]) => fields[1]), ["1", "2", "3", "4"])
    }))

  test("moveCallbacks ends a call early when what it moves is large", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const [a, b] = yield* lists
      for (let n = 0; n < 3; n++) yield* send("LPUSH", a, String(n).repeat(maxBytes / 2))
      const params = { stream: names.stream, lists: [a, b], limit: 100 }
      assert.deepEqual(yield* evaluate(moveCallbacks, params), [2, [], 1])
      assert.equal((yield* elementsOf(a)).length, 1)
      assert.deepEqual(yield* evaluate(moveCallbacks, params), [1, [], 0])
    }))

  test("trim takes what every group is done with though its ids are ahead of the clock, but what is to be kept", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      for (let n = 1; n <= 300; n++) {
        yield* send("XADD", names.stream, `9999999999999-${n}`, "data", `${n}`.repeat(1_000))
      }
      yield* send("XGROUP", "CREATE", names.stream, names.group, "$")
      assert.equal((yield* trimmed({ retain: 1_000 })).count, 0)
      assert.ok((yield* trimmed()).count > 0)
    }))

  test("moveCallbacks leaves keys of another type alone, names them, and moves the rest", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const [a, b] = yield* lists
      yield* send("SET", a, "1")
      yield* send("LPUSH", b, "2")
      assert.deepEqual(yield* evaluate(moveCallbacks, { stream: names.stream, lists: [a, b], limit: 100 }), [1, [a], 0])
      assert.equal(yield* send("GET", a), "1")
    }))

  test("moveCallbacks loses nothing when the stream cannot be written", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const [a] = yield* lists
      yield* send("LPUSH", a, "1", "2")
      yield* send("SET", names.stream, "no stream")
      const moving = evaluate(moveCallbacks, { stream: names.stream, lists: [a], limit: 100 })
      assert.match(String((yield* errorOf(moving)).cause), /WRONGTYPE/)
      assert.deepEqual(yield* elementsOf(a), ["2", "1"])
    }))

  test("trim removes what the one group is done with", () =>
    Effect.gen(function*() {
      const names = yield* group
      const ids = yield* large(30)
      yield* read("me")
      yield* send("XACK", names.stream, names.group, ...ids)
      const { count, groups } = yield* trimmed()
      assert.deepEqual(groups, [names.group, 0, ids.at(-1)])
      const left = yield* stored
      assert.equal(count, 30 - left.length)
      assert.ok(count > 0 && left.length > 0, String(count))
      assert.deepEqual(left, ids.slice(count))
    }))

  test("trim removes nothing that is pending or was not delivered", () =>
    Effect.gen(function*() {
      const names = yield* group
      const ids = yield* large(20)
      yield* read("me")
      yield* send("XACK", names.stream, names.group, ...ids.slice(0, 3), ...ids.slice(4))
      const fresh = yield* large(20)
      const { groups } = yield* trimmed()
      assert.deepEqual(groups, [names.group, 1, ids[3]])
      const left = yield* stored
      assert.ok(left.includes(ids[3]!))
      assert.deepEqual(left.slice(-20), fresh)
    }))

  test("trim waits for the slowest of several groups", () =>
    Effect.gen(function*() {
      const names = yield* group
      const ids = yield* large(20)
      yield* read("me")
      yield* send("XACK", names.stream, names.group, ...ids)
      yield* send("XGROUP", "CREATE", names.stream, "audit", ids[9]!)
      yield* send("XGROUP", "CREATE", names.stream, "idle", "0")
      const before = yield* trimmed()
      assert.equal(before.count, 0)
      assert.deepEqual(
        new Set(Array.from({ length: 3 }, (_, index) => before.groups.slice(index * 3, index * 3 + 3))),
        new Set([[names.group, 0, ids.at(-1)], ["audit", 0, ids[9]], ["idle", 0, "0-0"]])
      )
      assert.deepEqual(yield* stored, ids)
      yield* send("XREADGROUP", "GROUP", "idle", "me", "STREAMS", names.stream, ">")
      yield* send("XACK", names.stream, "idle", ...ids)
      const after = yield* trimmed()
      assert.ok(after.count > 0)
      assert.deepEqual((yield* stored).slice(-11), ids.slice(9))
    }))

  test("trim removes nothing without a group", () =>
    Effect.gen(function*() {
      const ids = yield* large(20)
      assert.deepEqual(yield* trimmed(), { count: 0, groups: [] })
      assert.deepEqual(yield* stored, ids)
    }))

  test("trim keeps acknowledged entries for as long as they are to be retained", () =>
    Effect.gen(function*() {
      const names = yield* group
      const ids = yield* large(20)
      yield* read("me")
      yield* send("XACK", names.stream, names.group, ...ids)
      assert.equal((yield* trimmed({ retain: 60_000 })).count, 0)
      assert.deepEqual(yield* stored, ids)
    }))

  test("trim removes nothing that is to be retained for longer than the server's clock counts", () =>
    Effect.gen(function*() {
      const names = yield* group
      const ids = yield* large(20)
      yield* read("me")
      yield* send("XACK", names.stream, names.group, ...ids)
      const { count, groups } = yield* trimmed({ retain: 1e15 })
      assert.deepEqual([count, groups], [0, [names.group, 0, ids.at(-1)]])
      assert.deepEqual(yield* stored, ids)
    }))

  test("trim orders ids as numbers", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      for (const id of ["9-9", "9-10", "10-0"]) yield* send("XADD", names.stream, id, "data", "1".repeat(5_000))
      yield* send("XGROUP", "CREATE", names.stream, "a", "9-10")
      yield* send("XGROUP", "CREATE", names.stream, "b", "10-0")
      const { groups } = yield* trimmed()
      assert.deepEqual(groups, ["a", 0, "9-10", "b", 0, "10-0"])
      assert.deepEqual((yield* stored).slice(-2), ["9-10", "10-0"])
    }))

  test("trim works in parts", () =>
    Effect.gen(function*() {
      const names = yield* group
      const ids = yield* large(60)
      yield* read("me")
      yield* send("XACK", names.stream, names.group, ...ids)
      const { count } = yield* trimmed({ limit: 10 })
      assert.ok(count <= 10, String(count))
    }))

  test("countReplacements counts what the data of entries holds, and not their other fields", () =>
    Effect.gen(function*() {
      const names = yield* group
      const ids = yield* add(
        ["data", "a\uFFFDb\uFFFD"],
        ["data", "none"],
        ["other", "\uFFFD", "data", "\uFFFD", "data", "\uFFFD\uFFFD"],
        ["other", "\uFFFD"]
      )
      const [gone] = yield* deliver("me", 1)
      yield* send("XDEL", names.stream, gone!)
      assert.deepEqual(
        yield* evaluate(countReplacements, { stream: names.stream, ids: [...ids, gone!] }),
        [2, 0, 1, 0, 0]
      )
    }))
})
