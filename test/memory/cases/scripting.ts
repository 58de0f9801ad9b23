/** Scripts as such; what those of the library do is in `scripts`. */
import * as Effect from "effect/Effect"
import { append, countReplacements } from "../../../src/internal/scripts/streams.ts"
import { Redis } from "../../../src/Redis.ts"
import { type Case, cases, expect, holds, key, refuse, send } from "../../../src/testing/conformance/case.ts"

const added = (stream: string, ...texts: ReadonlyArray<string>) =>
  Redis.use((redis) => redis.eval(append.script)({ stream, texts }))

export const scriptingCases: ReadonlyArray<Case> = cases("scripting", (test) => {
  test("SCRIPT LOAD gives a digest, which EVALSHA takes, in letters of any size", () =>
    Effect.gen(function*() {
      const stream = yield* key("stream")
      const digest = yield* send<string>("SCRIPT", "LOAD", countReplacements.lua)
      holds(`a digest: ${digest}`, /^[0-9a-f]{40}$/.test(digest))
      yield* expect([1, 0], "SCRIPT", "EXISTS", digest, "f".repeat(40))
      yield* expect([0], "EVALSHA", digest, 1, stream, "1-0")
      yield* expect([0], "EVALSHA", digest.toUpperCase(), 1, stream, "1-0")
    }))

  test("EVALSHA of a script that was not loaded fails with NOSCRIPT", () =>
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

  test("numbers of keys that cannot be are refused", () =>
    Effect.gen(function*() {
      const digest = yield* send<string>("SCRIPT", "LOAD", countReplacements.lua)
      yield* refuse(/Number of keys can't be greater than number of args/, "EVALSHA", digest, 5, "a")
      yield* refuse(/Number of keys can't be negative/, "EVALSHA", digest, -1)
      yield* refuse("ERR value is not an integer or out of range", "EVALSHA", digest, "x")
    }))
})
