/** A `RedisError` says what failed, wherever it is printed. */
import { assert } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { RedisError } from "../../src/Redis.ts"
import { onBoth, send } from "../support/layers.ts"

onBoth("a command that the server refuses", (test) => {
  test("fails with the words of the server as its message, and without a stack that leads nowhere", () =>
    Effect.gen(function*() {
      yield* send("SET", "a", "text")
      const error = yield* Effect.flip(send("LPUSH", "a", "b"))
      assert.instanceOf(error, RedisError)
      const said = "WRONGTYPE Operation against a key holding the wrong kind of value"
      assert.strictEqual(error.message, said)
      assert.strictEqual(error.stack, `RedisError: ${said}`)
      assert.include(Cause.pretty(Cause.fail(error)), `RedisError: ${said}`)
      assert.notInclude(Cause.pretty(Cause.fail(error)), "    at ")
    }))
})
