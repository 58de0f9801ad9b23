/** Commands that wait at the server: what wakes them, in which order, and what an interruption leaves behind. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { failureOf } from "../../internal/redis/failure.ts"
import { streamEntries } from "../../internal/redis/reply.ts"
import { Redis } from "../../Redis.ts"
import {
  block,
  type Case,
  cases,
  clientLine,
  errorOf,
  eventually,
  expect,
  failing,
  holds,
  key,
  keys,
  messageOf,
  Place,
  same,
  send
} from "./case.ts"

const grouped = Effect.fnUntraced(function*() {
  const stream = yield* key("stream")
  yield* send("XGROUP", "CREATE", stream, "g", "$", "MKSTREAM")
  return stream
})

const reading = (stream: string, consumer: string, milliseconds: number) =>
  block("XREADGROUP", "GROUP", "g", consumer, "BLOCK", milliseconds, "STREAMS", stream, ">")

const gone = (id: string) => eventually("the connection is closed", Effect.map(clientLine(id), (line) => line === ""))

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

  for (
    const [command, ...args] of [
      ["BLPOP", "a", "0.05"],
      ["BRPOP", "a", "b", "0.05"],
      ["BLMPOP", "0.05", "1", "a", "LEFT"],
      ["XREAD", "BLOCK", "50", "STREAMS", "a", "$"]
    ] as const
  ) {
    test(`${command} replies with nil when its time is up`, () =>
      Effect.gen(function*() {
        const { key, pass } = yield* Place
        const began = yield* Clock.currentTimeMillis
        const waiting = yield* block(command, ...args.map((text) => text === "a" || text === "b" ? key(text) : text))
        yield* pass("20 millis")
        const exit = waiting.fiber.pollUnsafe()
        // On a slow machine its time may be up by now.
        if ((yield* Clock.currentTimeMillis) - began < 50) same("still waiting", exit, undefined)
        yield* pass("80 millis")
        same("reply", yield* waiting.reply, null)
        yield* send("RPUSH", key("a"), "1")
        yield* expect(1, "LLEN", key("a"))
      }))
  }

  test("XREADGROUP BLOCK replies with nil when its time is up, and takes nothing after", () =>
    Effect.gen(function*() {
      const stream = yield* grouped()
      const waiting = yield* reading(stream, "a", 50)
      const { pass } = yield* Place
      yield* pass("100 millis")
      same("reply", yield* waiting.reply, null)
      yield* send("XADD", stream, "1-0", "n", 1)
      yield* expect([0, null, null, null], "XPENDING", stream, "g")
    }))

  test("a push wakes a pop, which takes the element", () =>
    Effect.gen(function*() {
      const [a, b] = yield* keys("a", "b")
      const waiting = yield* block("BRPOP", a, b, 0)
      yield* expect(2, "LPUSH", b, "1", "2")
      same("reply", yield* waiting.reply, [b, "1"])
      yield* expect(["2"], "LRANGE", b, 0, -1)
    }))

  test("a push of many wakes a pop of many with all of them", () =>
    Effect.gen(function*() {
      const list = yield* key("list")
      const waiting = yield* block("BLMPOP", 0, 1, list, "RIGHT", "COUNT", 100)
      yield* send("LPUSH", list, "1", "2", "3")
      same("reply", yield* waiting.reply, [list, ["1", "2", "3"]])
      yield* expect(0, "EXISTS", list)
    }))

  test("clients are served in the order in which they began to wait", () =>
    Effect.gen(function*() {
      const list = yield* key("list")
      const first = yield* block("BLPOP", list, 0)
      const second = yield* block("BRPOP", list, 0)
      const third = yield* block("BLPOP", list, 0)
      yield* send("RPUSH", list, "1", "2", "3", "4")
      same("replies", [yield* first.reply, yield* second.reply, yield* third.reply], [
        [list, "1"],
        [list, "4"],
        [list, "2"]
      ])
      yield* expect(["3"], "LRANGE", list, 0, -1)
    }))

  test("an element that BLMOVE moves wakes whoever waits for it there", () =>
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
      const stream = yield* grouped()
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
      const stream = yield* grouped()
      const words = /^(?:UNBLOCKED|NOGROUP) /
      const removed = yield* reading(stream, "a", 0)
      yield* send("DEL", stream)
      yield* failing("a read of a stream that is removed", words, "NoGroup", removed.reply)
      yield* grouped()
      const destroyed = yield* reading(stream, "a", 0)
      yield* send("XGROUP", "DESTROY", stream, "g")
      yield* failing("a read of a group that is destroyed", words, "NoGroup", destroyed.reply)
      yield* grouped()
      const replaced = yield* reading(stream, "a", 0)
      yield* send("SET", stream, "1")
      const kind = failureOf(yield* errorOf(replaced.reply))
      holds(`a read of a stream that became a text ends as ${kind}`, kind === "NoGroup" || kind === "WrongType")
    }))

  test("XREADGROUP of an id never waits", () =>
    Effect.gen(function*() {
      const stream = yield* grouped()
      const reply = yield* send("XREADGROUP", "GROUP", "g", "a", "BLOCK", 0, "STREAMS", stream, "0")
      same("entries", streamEntries(reply), [])
    }))

  test("a read that waits holds up no other connection", () =>
    Effect.gen(function*() {
      const [list, other] = yield* keys("list", "other")
      const waiting = yield* block("BLPOP", list, 0)
      yield* expect("OK", "SET", other, "1")
      const elsewhere = yield* Redis.use((redis) => redis.reserve)
      same("on another one", yield* elsewhere.send("GET", other), "1")
      same("still waiting", waiting.fiber.pollUnsafe(), undefined)
    }))

  test("commands behind one that waits on the same connection come after it", () =>
    Effect.gen(function*() {
      const list = yield* key("list")
      const waiting = yield* block("BLPOP", list, 0)
      const behind = yield* Effect.forkChild(waiting.connection.send("LLEN", list), { startImmediately: true })
      const { pass } = yield* Place
      yield* pass("20 millis")
      same("still waiting", behind.pollUnsafe(), undefined)
      yield* send("RPUSH", list, "1", "2", "3")
      same("what waited", yield* waiting.reply, [list, "1"])
      same("what was behind it", yield* Fiber.join(behind), 2)
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
  test("a pop that is interrupted takes nothing any more once its connection is given back", () =>
    Effect.gen(function*() {
      const list = yield* key("list")
      const waiting = yield* block("BLPOP", list, 0)
      yield* Fiber.interrupt(waiting.fiber)
      yield* waiting.release
      yield* gone(waiting.id)
      yield* expect(1, "RPUSH", list, "1")
      yield* expect(["1"], "LRANGE", list, 0, -1)
    }))

  test("a read that is interrupted leaves nothing pending", () =>
    Effect.gen(function*() {
      const stream = yield* grouped()
      const waiting = yield* reading(stream, "a", 0)
      yield* Fiber.interrupt(waiting.fiber)
      yield* waiting.release
      yield* gone(waiting.id)
      yield* send("XADD", stream, "1-0", "n", 1)
      yield* expect([0, null, null, null], "XPENDING", stream, "g")
      const reply = yield* send("XREADGROUP", "GROUP", "g", "b", "STREAMS", stream, ">")
      same("entries for the next", streamEntries(reply).length, 1)
    }))

  test("a scope that closes ends what waits on its connection", () =>
    Effect.gen(function*() {
      const list = yield* key("list")
      const waiting = yield* block("BLPOP", list, 0)
      yield* waiting.release
      yield* gone(waiting.id)
      yield* expect(1, "RPUSH", list, "1")
      yield* expect(1, "LLEN", list)
    }))

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

  test("a connection that waits is told as broken when it is cut, and only it", () =>
    Effect.gen(function*() {
      const list = yield* key("list")
      const [first, second] = [yield* block("BLPOP", list, 0), yield* block("BLPOP", list, 0)]
      yield* send("CLIENT", "KILL", "ID", first.id)
      same("the first", failureOf(yield* errorOf(first.reply)), "Connection")
      holds("the second waits", second.fiber.pollUnsafe() === undefined)
      yield* send("RPUSH", list, "1")
      same("the second", yield* second.reply, [list, "1"])
    }))
})
