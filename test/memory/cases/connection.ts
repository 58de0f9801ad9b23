/** What a client learns of its connection and of the server. */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { Redis } from "../../../src/Redis.ts"
import { type Case, cases, eventually, expect, holds, key, same, send } from "../../../src/testing/conformance/case.ts"

export const connectionCases: ReadonlyArray<Case> = cases("connection", (test) => {
  test("PING answers PONG, or what it was given", () =>
    Effect.gen(function*() {
      yield* expect("PONG", "PING")
      yield* expect("hello", "PING", "hello")
    }))

  test("names of commands may be written in small letters", () =>
    Effect.gen(function*() {
      const a = yield* key("a")
      yield* expect(1, "rpush", a, "1")
      yield* expect(["1"], "lrange", a, "0", "-1")
    }))

  test("INFO is text in sections", () =>
    Effect.gen(function*() {
      const text = String(yield* send("INFO", "server"))
      holds("it names the version", /^redis_version:\S+\r?$/m.test(text))
    }))
})

export const subscriptionCases: ReadonlyArray<Case> = cases("publish and subscribe", (test) => {
  test("a message reaches every subscriber of its channel, in order, and no other", () =>
    Effect.gen(function*() {
      const [channel, other] = [yield* key("channel"), yield* key("other")]
      const redis = yield* Redis
      const first = yield* redis.subscribe(channel)
      const second = yield* redis.subscribe(channel)
      const silent = yield* redis.subscribe(other)
      for (const text of ["1", "ß€😀", ""]) {
        yield* expect(2, "PUBLISH", channel, text)
      }
      for (const queue of [first, second]) {
        const messages = yield* Effect.orDie(Queue.takeN(queue, 3))
        same("messages", messages, ["1", "ß€😀", ""].map((message) => ({ channel, message })))
      }
      same("messages of the other channel", Queue.sizeUnsafe(silent), 0)
    }))

  test("a message without subscribers reaches none", () =>
    Effect.gen(function*() {
      yield* expect(0, "PUBLISH", yield* key("channel"), "1")
    }))

  test("a subscription ends with its scope", () =>
    Effect.gen(function*() {
      const channel = yield* key("channel")
      const redis = yield* Redis
      yield* Effect.scoped(redis.subscribe(channel))
      yield* eventually("nobody listens", Effect.map(send("PUBLISH", channel, "1"), (count) => count === 0))
    }))
})
