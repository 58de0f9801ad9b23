/** Scripts as such; what those of the library do is in `scripts`. */
import * as Effect from "effect/Effect"
import { append, moveCallbacks } from "../../internal/scripts/streams.ts"
import { Redis } from "../../Redis.ts"
import { type Case, cases, elementsOf, expect, failing, holds, key, keys, same, send } from "./case.ts"

const added = (stream: string, ...texts: ReadonlyArray<string>) =>
  Redis.use((redis) => redis.eval(append.script)({ stream, texts }))

export const scriptingCases: ReadonlyArray<Case> = cases("scripting", (test) => {
  test("EVAL runs a script on its keys and arguments", () =>
    Effect.gen(function*() {
      const stream = yield* key("stream")
      const reply = yield* added(stream, "ß€😀", "")
      const ids: ReadonlyArray<unknown> = Array.isArray(reply) ? reply : []
      same("ids", ids.length, 2)
      const rows = yield* send<ReadonlyArray<ReadonlyArray<unknown>>>("XRANGE", stream, "-", "+")
      same("entries", rows, ids.map((id, n) => [id, ["data", ["ß€😀", ""][n]]]))
    }))

  test("an error inside a script is the error of the call; what was written before stays", () =>
    Effect.gen(function*() {
      const [stream, a, b] = yield* keys("stream", "a", "b")
      yield* send("LPUSH", a, "1")
      yield* send("XGROUP", "CREATE", stream, "g", "0", "MKSTREAM")
      yield* send("XADD", stream, "18446744073709551615-18446744073709551614", "data", "0")
      const redis = yield* Redis
      yield* failing(
        "a script that cannot write",
        /^WRONGTYPE Operation against a key holding the wrong kind of value/,
        "WrongType",
        redis.eval(append.script)({ stream: a, texts: ["1"] })
      )
      const moving = redis.eval(moveCallbacks.script)({ stream, lists: [a, b], limit: 10 })
      same("one callback fits", yield* moving, [1, [], 0])
      yield* send("LPUSH", b, "2")
      yield* failing("a stream that is full", /exhausted the last possible ID/, "Other", moving)
      yield* expect(2, "XLEN", stream)
      same("what is left", yield* elementsOf(b), ["2"])
    }))

  test("several calls of one script at once each get their own reply", () =>
    Effect.gen(function*() {
      const stream = yield* key("stream")
      const ids = yield* Effect.all(Array.from({ length: 20 }, (_, n) => added(stream, String(n))), {
        concurrency: "unbounded"
      })
      same("ids that differ", new Set(ids.flat()).size, 20)
      yield* expect(20, "XLEN", stream)
    }))

  test("a script is one step: waiting clients see all of it or nothing", () =>
    Effect.gen(function*() {
      const stream = yield* key("stream")
      const lengths: Array<unknown> = []
      yield* Effect.all([
        added(stream, ...Array.from({ length: 50 }, String)),
        Effect.tap(send("XLEN", stream), (length) => Effect.sync(() => lengths.push(length))),
        added(stream, ...Array.from({ length: 50 }, String)),
        Effect.tap(send("XLEN", stream), (length) => Effect.sync(() => lengths.push(length)))
      ], { concurrency: "unbounded" })
      for (const length of lengths) holds("all or nothing", Number(length) % 50 === 0, length)
    }))
})
