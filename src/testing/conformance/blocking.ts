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
  elementsOf,
  errorOf,
  eventually,
  expect,
  holds,
  key,
  keys,
  Place,
  same,
  send
} from "./case.ts"
import { newGroup, reading } from "./streamSetup.ts"

const gone = (id: string) => eventually("the connection is closed", Effect.map(clientLine(id), (line) => line === ""))

export const blockingCases: ReadonlyArray<Case> = cases("blocking", (test) => {
  for (
    const [command, ...args] of [
      ["BRPOP", "a", "b", "0.05"],
      ["BLMPOP", "0.05", "1", "a", "RIGHT"]
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
        yield* send("LPUSH", key("a"), "1")
        same("what is pushed later", yield* elementsOf(key("a")), ["1"])
      }))
  }

  test("XREADGROUP BLOCK replies with nil when its time is up, and takes nothing after", () =>
    Effect.gen(function*() {
      const stream = yield* newGroup
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
      same("what is left", yield* elementsOf(b), ["2"])
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
      const first = yield* block("BRPOP", list, 0)
      const second = yield* block("BLMPOP", 0, 1, list, "LEFT")
      const third = yield* block("BRPOP", list, 0)
      yield* send("LPUSH", list, "1", "2", "3", "4")
      same("replies", [yield* first.reply, yield* second.reply, yield* third.reply], [
        [list, "1"],
        [list, ["4"]],
        [list, "2"]
      ])
      same("what is left", yield* elementsOf(list), ["3"])
    }))

  test("XREADGROUP of an id never waits", () =>
    Effect.gen(function*() {
      const stream = yield* newGroup
      const reply = yield* send("XREADGROUP", "GROUP", "g", "a", "BLOCK", 0, "STREAMS", stream, "0")
      same("entries", streamEntries(reply), [])
    }))

  test("a read that waits holds up no other connection", () =>
    Effect.gen(function*() {
      const [list, other] = yield* keys("list", "other")
      const waiting = yield* block("BRPOP", list, 0)
      yield* expect("OK", "SET", other, "1")
      const elsewhere = yield* Redis.use((redis) => redis.reserve)
      same("on another one", yield* elsewhere.send("GET", other), "1")
      same("still waiting", waiting.fiber.pollUnsafe(), undefined)
    }))

  test("commands behind one that waits on the same connection come after it", () =>
    Effect.gen(function*() {
      const list = yield* key("list")
      const waiting = yield* block("BRPOP", list, 0)
      const behind = yield* Effect.forkChild(waiting.connection.send("EXISTS", list), { startImmediately: true })
      const { pass } = yield* Place
      yield* pass("20 millis")
      same("still waiting", behind.pollUnsafe(), undefined)
      yield* send("LPUSH", list, "1", "2")
      same("what waited", yield* waiting.reply, [list, "1"])
      same("what was behind it", yield* Fiber.join(behind), 1)
    }))
})

export const interruptionCases: ReadonlyArray<Case> = cases("interruption", (test) => {
  test("a pop that is interrupted takes nothing any more once its connection is given back", () =>
    Effect.gen(function*() {
      const list = yield* key("list")
      const waiting = yield* block("BRPOP", list, 0)
      yield* Fiber.interrupt(waiting.fiber)
      yield* waiting.release
      yield* gone(waiting.id)
      yield* expect(1, "LPUSH", list, "1")
      same("what is left", yield* elementsOf(list), ["1"])
    }))

  test("a read that is interrupted leaves nothing pending", () =>
    Effect.gen(function*() {
      const stream = yield* newGroup
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
      const waiting = yield* block("BRPOP", list, 0)
      yield* waiting.release
      yield* gone(waiting.id)
      yield* expect(1, "LPUSH", list, "1")
      same("what is left", yield* elementsOf(list), ["1"])
    }))

  test("a waiting connection fails as broken when it is cut, and no other does", () =>
    Effect.gen(function*() {
      const list = yield* key("list")
      const [first, second] = [yield* block("BRPOP", list, 0), yield* block("BRPOP", list, 0)]
      yield* send("CLIENT", "KILL", "ID", first.id)
      same("the first", failureOf(yield* errorOf(first.reply)), "Connection")
      holds("the second waits", second.fiber.pollUnsafe() === undefined)
      yield* send("LPUSH", list, "1")
      same("the second", yield* second.reply, [list, "1"])
    }))
})
