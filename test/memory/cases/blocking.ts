/** Commands that wait at the server: what wakes them, in which order, and what an interruption leaves behind. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { failureOf } from "../../../src/internal/redis/failure.ts"
import { streamEntries } from "../../../src/internal/redis/reply.ts"
import { Redis } from "../../../src/Redis.ts"
import {
  block,
  type Case,
  cases,
  errorOf,
  expect,
  failing,
  holds,
  key,
  keys,
  messageOf,
  same,
  send
} from "../../../src/testing/conformance/case.ts"
import { newGroup, reading } from "../../../src/testing/conformance/streamSetup.ts"

export const blockingCases: ReadonlyArray<Case> = cases("blocking", (test) => {
  test("pops that find something reply at once", () =>
    Effect.gen(function*() {
      const [a, b] = yield* keys("a", "b")
      yield* send("RPUSH", b, "1", "2", "3", "4", "5", "6")
      yield* expect([b, "1"], "BLPOP", a, b, 0)
      yield* expect([b, "6"], "BRPOP", a, b, 0)
      yield* expect([b, ["5", "4"]], "BLMPOP", 0, 2, a, b, "RIGHT", "COUNT", 2)
      yield* expect("2", "BLMOVE", b, a, "LEFT", "RIGHT", 0)
      yield* expect([a, "2"], "BLPOP", a, b, 0)
    }))

  test("an element that BLMOVE moves wakes the client that waits for it there", () =>
    Effect.gen(function*() {
      const [a, b] = yield* keys("a", "b")
      const mover = yield* block("BLMOVE", a, b, "LEFT", "RIGHT", 0)
      const popper = yield* block("BLPOP", b, 0)
      yield* send("RPUSH", a, "1")
      same("moved", yield* mover.reply, "1")
      same("popped", yield* popper.reply, [b, "1"])
      yield* expect(0, "EXISTS", a, b)
    }))

  test("an entry wakes one reader of a group, the one that waits longest, and every plain reader", () =>
    Effect.gen(function*() {
      const stream = yield* newGroup
      const first = yield* reading(stream, "a", 0)
      const second = yield* reading(stream, "b", 0)
      const plain = yield* block("XREAD", "BLOCK", 0, "STREAMS", stream, "$")
      yield* send("XADD", stream, "1-0", "n", 1)
      const entry = [["1-0", ["n", "1"]]]
      same("the first", streamEntries(yield* first.reply), entry)
      same("the plain reader", streamEntries(yield* plain.reply), entry)
      same("the second waits on", second.fiber.pollUnsafe(), undefined)
      yield* send("XADD", stream, "2-0", "n", 2)
      same("the second", streamEntries(yield* second.reply), [["2-0", ["n", "2"]]])
      const rows = yield* send<ReadonlyArray<ReadonlyArray<unknown>>>("XPENDING", stream, "g", "-", "+", 10)
      same("pending", rows.map(([id, consumer]) => [id, consumer]), [["1-0", "a"], ["2-0", "b"]])
    }))

  test("a group that is destroyed or whose stream is removed ends the read, as a missing group", () =>
    Effect.gen(function*() {
      const stream = yield* newGroup
      const words = /^(?:UNBLOCKED|NOGROUP) /
      const removed = yield* reading(stream, "a", 0)
      yield* send("DEL", stream)
      yield* failing("a read of a stream that is removed", words, "NoGroup", removed.reply)
      yield* newGroup
      const destroyed = yield* reading(stream, "a", 0)
      yield* send("XGROUP", "DESTROY", stream, "g")
      yield* failing("a read of a group that is destroyed", words, "NoGroup", destroyed.reply)
      yield* newGroup
      const replaced = yield* reading(stream, "a", 0)
      yield* send("SET", stream, "1")
      const kind = failureOf(yield* errorOf(replaced.reply))
      holds(`a read of a stream that became a text ends as ${kind}`, kind === "NoGroup" || kind === "WrongType")
    }))

  test("CLIENT UNBLOCK ends what waits, with nil or with an error", () =>
    Effect.gen(function*() {
      const list = yield* key("list")
      const first = yield* block("BLPOP", list, 0)
      yield* expect(1, "CLIENT", "UNBLOCK", first.id)
      same("reply", yield* first.reply, null)
      yield* expect(0, "CLIENT", "UNBLOCK", first.id)
      const second = yield* block("BLPOP", list, 0)
      yield* expect(1, "CLIENT", "UNBLOCK", second.id, "ERROR")
      yield* failing("what was unblocked", /^UNBLOCKED client unblocked via CLIENT UNBLOCK/, "NoGroup", second.reply)
    }))

  test("a wait for less than nothing is refused", () =>
    Effect.gen(function*() {
      const list = yield* key("list")
      const error = yield* errorOf(send("BLPOP", list, -1))
      same("words", messageOf(error), "ERR timeout is negative")
      const other = yield* errorOf(send("BLPOP", list, "soon"))
      same("words", messageOf(other), "ERR timeout is not a float or out of range")
    }))
})

export const interruptionCases: ReadonlyArray<Case> = cases("interruption", (test) => {
  test("the next reservation after an interruption works", () =>
    Effect.gen(function*() {
      const list = yield* key("list")
      for (let round = 0; round < 3; round++) {
        const waiting = yield* block("BLPOP", list, 0)
        yield* Fiber.interrupt(waiting.fiber)
        yield* waiting.release
        const next = yield* Effect.scoped(Effect.flatMap(Redis.use((redis) => redis.reserve), (c) => c.send("PING")))
        same("PING", next, "PONG")
      }
    }))

  test("a command on the shared connection that is interrupted leaves the others their replies", () =>
    Effect.gen(function*() {
      const list = yield* key("list")
      const fibers = yield* Effect.forEach(
        Array.from({ length: 20 }, (_, n) => n),
        (n) => Effect.forkChild(send("ECHO", n), { startImmediately: true })
      )
      for (const [n, fiber] of fibers.entries()) if (n % 3 === 0) yield* Fiber.interrupt(fiber)
      for (const [n, fiber] of fibers.entries()) {
        if (n % 3 !== 0) same(`the reply of command ${n}`, yield* Fiber.join(fiber), String(n))
      }
      yield* expect(0, "LLEN", list)
    }))
})
