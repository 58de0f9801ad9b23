import * as Effect from "effect/Effect"
import * as assert from "node:assert/strict"
import { type AddStatistics, addStatistics, maxFields, readStatistics } from "../../../internal/scripts/statistics.ts"
import { type Case, cases, failing, keys, same, send } from "../case.ts"
import { evaluate } from "./setup.ts"

type Rows = AddStatistics["rows"]

const places = keys("mark", "minute", "quarter")

const add = Effect.fnUntraced(function*(sequence: number, rows: Rows) {
  const [mark, minute, quarter] = yield* places
  return yield* evaluate(addStatistics, {
    mark,
    sequence,
    markExpiry: 30_000,
    minute,
    minuteExpiry: 10_000,
    quarter,
    quarterExpiry: 20_000,
    rows
  })
})

const read = Effect.gen(function*() {
  const [, minute, quarter] = yield* places
  return yield* evaluate(readStatistics, { periods: [minute, quarter] })
})

export const statisticsCases: ReadonlyArray<Case> = cases("scripts: statistics", (test) => {
  test("addStatistics adds to both periods, and keeps the order of names", () =>
    Effect.gen(function*() {
      assert.equal(yield* add(1, [["user.a", "succeeded=2 20=2"], ["other", "expired=1"]]), 1)
      assert.equal(yield* add(2, [["user.a", "succeeded=4294967295 retried=1 19=1 20=1"]]), 1)
      const counts = ["user.a", "succeeded=4294967297 20=3 retried=1 19=1", "other", "expired=1"]
      same("counts", yield* read, [counts, counts])
    }))

  test("addStatistics adds a call once, although its reply was lost", () =>
    Effect.gen(function*() {
      const rows: Rows = [["user.a", "succeeded=2"]]
      assert.equal(yield* add(7, rows), 1)
      assert.equal(yield* add(7, rows), 0)
      same("counts", yield* read, [["user.a", "succeeded=2"], ["user.a", "succeeded=2"]])
    }))

  test("addStatistics lets all of its keys expire", () =>
    Effect.gen(function*() {
      const [mark, minute, quarter] = yield* places
      yield* add(1, [["user.a", "succeeded=2"]])
      for (const [key, most] of [[mark, 30_000], [minute, 10_000], [quarter, 20_000]] as const) {
        const left = Number(yield* send("PTTL", key))
        assert.ok(left > most - 5_000 && left <= most, `${key} expires in ${left} ms`)
      }
    }))

  test("addStatistics writes nothing if a key holds another type", () =>
    Effect.gen(function*() {
      const [mark, minute, quarter] = yield* places
      yield* send("SET", quarter, "1")
      yield* failing("a text for HGET", /^WRONGTYPE /, "WrongType", add(1, [["user.a", "succeeded=2"]]))
      assert.equal(yield* send("EXISTS", mark, minute), 0)
    }))

  test("readStatistics replies with periods in their order until the reply is full", () =>
    Effect.gen(function*() {
      const [mark, minute, quarter] = yield* places
      yield* send("HSET", minute, ...Array.from({ length: maxFields }, (_, i) => [`t${i}`, "succeeded=1"]).flat())
      yield* send("HSET", quarter, "user.a", "succeeded=2")
      const short = yield* evaluate(readStatistics, { periods: [mark, quarter, minute, quarter] })
      assert.ok(Array.isArray(short))
      same("periods", short.length, 3)
      same("first", short.slice(0, 2), [[], ["user.a", "succeeded=2"]])
    }))
})
