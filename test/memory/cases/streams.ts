/** Streams as such: adding, reading, deleting, trimming. */
import * as Effect from "effect/Effect"
import { streamEntries } from "../../../src/internal/redis/reply.ts"
import {
  type Case,
  cases,
  expect,
  expectEntries,
  keys,
  refuse,
  same,
  send
} from "../../../src/testing/conformance/case.ts"
import { filled, notGreater } from "../../../src/testing/conformance/streamSetup.ts"

export const streamCases: ReadonlyArray<Case> = cases("streams", (test) => {
  test("XREAD reads what comes after an id, of several streams", () =>
    Effect.gen(function*() {
      const [a, b] = yield* keys("a", "b")
      for (const stream of [a, b]) for (const n of [1, 2, 3]) yield* send("XADD", stream, `${n}-0`, "n", n)
      const reply = yield* send("XREAD", "COUNT", 1, "STREAMS", a, "1-0")
      same("one of one stream", streamEntries(reply), [["2-0", ["n", "2"]]])
      yield* expectEntries(
        [[a, [["3-0", ["n", "3"]]]], [b, [["2-0", ["n", "2"]], ["3-0", ["n", "3"]]]]],
        "XREAD",
        "STREAMS",
        a,
        b,
        "2-0",
        "1-0"
      )
      yield* expect(null, "XREAD", "STREAMS", a, "3-0")
      yield* expect(null, "XREAD", "STREAMS", a, "$")
      yield* refuse(
        // Newer servers write the rest in other words.
        /^ERR Unbalanced .*list of streams/,
        "XREAD",
        "STREAMS",
        a,
        b,
        "0"
      )
    }))

  test("XSETID sets the last id", () =>
    Effect.gen(function*() {
      const stream = yield* filled("stream", 2)
      yield* expect("OK", "XSETID", stream, "9-0")
      yield* refuse(notGreater, "XADD", stream, "9-0", "a", 1)
      yield* refuse(
        "ERR The ID specified in XSETID is smaller than the target stream top item",
        "XSETID",
        stream,
        "1-0"
      )
    }))
})
