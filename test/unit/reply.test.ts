import { assert, describe, it } from "@effect/vitest"
import * as reply from "../../src/internal/redis/reply.ts"

const fields = ["data", "{}", "traceparent", "00-1"]
const entry: reply.RawEntry = ["5-1", fields]
const object = { data: "{}", traceparent: "00-1" }

describe("reply", () => {
  describe("streamEntries", () => {
    const shapes: ReadonlyArray<readonly [client: string, reply: unknown]> = [
      ["nested, as RESP2 has it", [["s", [["5-1", fields]]]]],
      ["flat, as ioredis gives a map of RESP3", ["s", [["5-1", fields]]]],
      ["an object, as ioredis maps it", { s: [["5-1", fields]] }],
      ["a Map", new Map([["s", [["5-1", fields]]]])],
      ["objects with messages, as node-redis gives them", [{ name: "s", messages: [{ id: "5-1", message: object }] }]],
      ["a Map of fields", [["s", [["5-1", new Map(Object.entries(object))]]]]],
      ["an object without a prototype", [{
        name: "s",
        messages: [{ id: "5-1", message: Object.assign(Object.create(null), object) }]
      }]]
    ]

    for (const [client, value] of shapes) {
      it(`reads a reply that is ${client}`, () => {
        assert.deepStrictEqual(reply.streamEntries(value), [entry])
      })
    }

    it("reads nothing from a read that ended without an entry", () => {
      for (const value of [null, undefined, [], {}, new Map(), [["s", []]], ["s", []], "", 0]) {
        assert.deepStrictEqual(reply.streamEntries(value), [])
      }
    })

    it("keeps the order, and fields of one name", () => {
      const twice = [["s", [["1-1", ["data", "1", "data", "2"]], ["1-2", ["data", "3"]]]]]
      assert.deepStrictEqual(reply.streamEntries(twice), [["1-1", ["data", "1", "data", "2"]], ["1-2", ["data", "3"]]])
    })

    it("reads an entry that was deleted as one without fields", () => {
      assert.deepStrictEqual(reply.streamEntries([["s", [["1-1", null]]]]), [["1-1", []]])
    })
  })

  describe("entries", () => {
    it("reads what XRANGE and XCLAIM reply with, and leaves out what is gone", () => {
      assert.deepStrictEqual(reply.entries([["5-1", fields], null]), [entry])
      assert.deepStrictEqual(reply.entries([{ id: "5-1", message: object }, null]), [entry])
      assert.deepStrictEqual(reply.entries(null), [])
    })
  })

  describe("pendingIds", () => {
    it("gives the ids of one consumer", () => {
      const rows = [["1-1", "me", 5, 1], ["1-2", "you", 5, 1], ["1-3", "me", 5, 1]]
      assert.deepStrictEqual(reply.pendingIds(rows, "me"), ["1-1", "1-3"])
      assert.deepStrictEqual(reply.pendingIds([], "me"), [])
      assert.deepStrictEqual(reply.pendingIds(null, "me"), [])
    })
  })

  describe("strings", () => {
    it("gives an array of strings whatever came", () => {
      assert.deepStrictEqual(reply.strings(["a", 1, null]), ["a", "1", "null"])
      assert.deepStrictEqual(reply.strings(null), [])
      assert.deepStrictEqual(reply.strings("a"), [])
    })
  })

  describe("record", () => {
    it("looks up a flat reply, a Map and an object alike", () => {
      for (
        const value of [["name", "g", "lag", 3], new Map<string, unknown>([["name", "g"], ["lag", 3]]), {
          name: "g",
          lag: 3
        }]
      ) {
        const found = reply.record(value)
        assert.strictEqual(found.get("name"), "g")
        assert.strictEqual(found.get("lag"), 3)
        assert.strictEqual(found.size, 2)
      }
      assert.strictEqual(reply.record(null).size, 0)
    })
  })
})
