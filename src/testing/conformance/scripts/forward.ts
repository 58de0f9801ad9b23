import * as Effect from "effect/Effect"
import * as assert from "node:assert/strict"
import { forward } from "../../../internal/scripts/forward.ts"
import { type Case, cases, entriesOf, keys, send } from "../case.ts"
import { evaluate } from "./setup.ts"

export const forwardCases: ReadonlyArray<Case> = cases("scripts: forward", (test) => {
  test("forward appends an answer to a stream once, and with its trace", () =>
    Effect.gen(function*() {
      const [stream, guard] = yield* keys("stream", "guard")
      const params = {
        address: { kind: "stream", key: stream, timeToLive: 0, traceparent: "00-1-2-01" },
        payload: "{}",
        guard: { key: guard, id: "a" }
      } as const
      assert.equal(yield* evaluate(forward, params), "sent")
      assert.equal(yield* evaluate(forward, params), "known")
      const found = yield* entriesOf(stream)
      assert.deepEqual(found.map(([, fields]) => fields), [["data", "{}", "traceparent", "00-1-2-01"]])
      assert.equal(yield* send("GET", guard), `a ${found[0]![0]}`)
    }))

  test("forward pushes an answer to a list", () =>
    Effect.gen(function*() {
      const [list] = yield* keys("list")
      const params = {
        address: { kind: "list", key: list, timeToLive: 60_000 },
        payload: "1",
        guard: undefined
      } as const
      assert.equal(yield* evaluate(forward, params), "sent")
      assert.equal(yield* evaluate(forward, { ...params, payload: "2" }), "sent")
      assert.equal(yield* send("RPOP", list), "1")
      assert.equal(yield* send("RPOP", list), "2")
    }))

  test("forward says what a key of another type holds, and writes nothing", () =>
    Effect.gen(function*() {
      const [key, guard] = yield* keys("text", "guard")
      yield* send("SET", key, "x")
      const said = yield* evaluate(forward, {
        address: { kind: "stream", key, timeToLive: 0 },
        payload: "{}",
        guard: { key: guard, id: "a" }
      })
      assert.match(String(said), /WRONGTYPE/)
      assert.equal(yield* send("EXISTS", guard), 0)
    }))
})
