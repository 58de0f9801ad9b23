/** Scripts as such; what those of the library do is in `scripts`. */
import * as Effect from "effect/Effect"
import { append, countReplacements, moveCallbacks } from "../../internal/scripts/streams.ts"
import { Redis } from "../../Redis.ts"
import { type Case, cases, expect, failing, holds, key, keys, refuse, same, send } from "./case.ts"

const added = (stream: string, ...texts: ReadonlyArray<string>) =>
  Redis.use((redis) => redis.eval(append.script)({ stream, texts }))

export const scriptingCases: ReadonlyArray<Case> = cases("scripting", (test) => {
  test("EVAL runs a script on its keys and arguments", () =>
    Effect.gen(function*() {
      const stream = yield* key("stream")
      const reply = yield* send<ReadonlyArray<string>>("EVAL", append.lua, 1, stream, "", "ß€😀", "")
      same("ids", reply.length, 2)
      const rows = yield* send<ReadonlyArray<ReadonlyArray<unknown>>>("XRANGE", stream, "-", "+")
      same("entries", rows, [[reply[0], ["data", "ß€😀"]], [reply[1], ["data", ""]]])
    }))

  test("SCRIPT LOAD gives a digest, which EVALSHA takes, in letters of any size", () =>
    Effect.gen(function*() {
      const stream = yield* key("stream")
      const digest = yield* send<string>("SCRIPT", "LOAD", countReplacements.lua)
      holds(`a digest: ${digest}`, /^[0-9a-f]{40}$/.test(digest))
      yield* expect([1, 0], "SCRIPT", "EXISTS", digest, "f".repeat(40))
      yield* expect([0], "EVALSHA", digest, 1, stream, "1-0")
      yield* expect([0], "EVALSHA", digest.toUpperCase(), 1, stream, "1-0")
    }))

  test("EVALSHA of a script that nobody loaded fails with NOSCRIPT", () =>
    Effect.gen(function*() {
      yield* refuse(/^NOSCRIPT No matching script/, "EVALSHA", "f".repeat(40), 0)
    }))

  test("a script is loaded again after the server forgot it", () =>
    Effect.gen(function*() {
      const stream = yield* key("stream")
      const redis = yield* Redis
      const connection = yield* redis.reserve
      yield* added(stream, "1")
      yield* expect("OK", "SCRIPT", "FLUSH")
      const digest = yield* send<string>("SCRIPT", "LOAD", append.lua)
      yield* send("SCRIPT", "FLUSH")
      yield* expect([0], "SCRIPT", "EXISTS", digest)
      yield* added(stream, "2")
      yield* send("SCRIPT", "FLUSH")
      yield* connection.eval(append.script)({ stream, texts: ["3"] })
      yield* expect(3, "XLEN", stream)
    }))

  test("an error inside a script is the error of the call; what was written before stays", () =>
    Effect.gen(function*() {
      const [stream, a, b] = yield* keys("stream", "a", "b")
      yield* send("RPUSH", a, "1")
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
      same("one callback fits", yield* moving, [1, []])
      yield* send("RPUSH", b, "2")
      yield* failing("a stream that is full", /exhausted the last possible ID/, "Other", moving)
      yield* expect(2, "XLEN", stream)
      yield* expect(["2"], "LRANGE", b, 0, -1)
    }))

  test("numbers of keys that cannot be are refused", () =>
    Effect.gen(function*() {
      const digest = yield* send<string>("SCRIPT", "LOAD", countReplacements.lua)
      yield* refuse(/Number of keys can't be greater than number of args/, "EVALSHA", digest, 5, "a")
      yield* refuse(/Number of keys can't be negative/, "EVALSHA", digest, -1)
      yield* refuse("ERR value is not an integer or out of range", "EVALSHA", digest, "x")
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

  test("a script is one step: whoever waits sees all of it or nothing", () =>
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
