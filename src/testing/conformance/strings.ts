/** Texts, times to live, and keys of any type. */
import * as Effect from "effect/Effect"
import { type Case, cases, expect, key, Place, refuse, send } from "./case.ts"

export const stringCases: ReadonlyArray<Case> = cases("strings", (test) => {
  test("SET and GET keep a text; a key that is absent is nil", () =>
    Effect.gen(function*() {
      const a = yield* key("a")
      yield* expect(null, "GET", a)
      yield* expect("OK", "SET", a, "1")
      yield* expect("OK", "SET", a, "2")
      yield* expect("2", "GET", a)
      yield* expect("string", "TYPE", a)
    }))

  test("SET NX and XX look whether the key is there", () =>
    Effect.gen(function*() {
      const a = yield* key("a")
      yield* expect(null, "SET", a, "1", "XX")
      yield* expect("OK", "SET", a, "2", "NX")
      yield* expect(null, "SET", a, "3", "NX")
      yield* expect("OK", "SET", a, "4", "XX")
      yield* expect("4", "GET", a)
      yield* refuse("ERR syntax error", "SET", a, "1", "NX", "XX")
    }))
})

export const expiryCases: ReadonlyArray<Case> = cases("expiry", (test) => {
  test("a key is gone when its time is up, and a list created again has no time to live", () =>
    Effect.gen(function*() {
      const { key, pass } = yield* Place
      const [text, list, emptied, kept] = [key("text"), key("list"), key("emptied"), key("kept")]
      yield* expect("OK", "SET", text, "1", "PX", 200)
      for (const name of [list, emptied, kept]) yield* send("LPUSH", name, "1")
      yield* expect(1, "PEXPIRE", list, 200)
      yield* expect(1, "PEXPIRE", emptied, 200)
      yield* expect(0, "PEXPIRE", key("none"), 200)
      yield* expect(1, "PEXPIRE", kept, 200)
      yield* expect(1, "PEXPIRE", kept, 600_000)
      yield* send("RPOP", emptied)
      yield* send("LPUSH", emptied, "2")
      yield* pass("250 millis")
      yield* expect(null, "GET", text)
      yield* expect(0, "EXISTS", list)
      yield* expect(2, "EXISTS", emptied, kept)
    }))
})

const wrongType = "WRONGTYPE Operation against a key holding the wrong kind of value"

export const keyCases: ReadonlyArray<Case> = cases("keys", (test) => {
  test("EXISTS counts each mention, DEL each key once, and TYPE names the type of a key", () =>
    Effect.gen(function*() {
      const { key } = yield* Place
      yield* send("SET", key("string"), "1")
      yield* send("LPUSH", key("list"), "1")
      yield* send("HSET", key("hash"), "f", "1")
      yield* send("ZADD", key("zset"), 1, "m")
      yield* send("XADD", key("stream"), "1-1", "f", "1")
      for (const type of ["string", "list", "hash", "zset", "stream"]) yield* expect(type, "TYPE", key(type))
      yield* expect("none", "TYPE", key("none"))
      yield* expect(3, "EXISTS", key("list"), key("list"), key("hash"), key("none"))
      yield* expect(2, "DEL", key("list"), key("list"), key("hash"), key("none"))
    }))

  test("commands on a value of another type fail with WRONGTYPE", () =>
    Effect.gen(function*() {
      const { key } = yield* Place
      const [text, list] = [key("text"), key("list")]
      yield* send("SET", text, "1")
      yield* send("LPUSH", list, "1")
      yield* refuse(wrongType, "GET", list)
      yield* refuse(wrongType, "LPUSH", text, "1")
      yield* refuse(wrongType, "RPOP", text)
      yield* refuse(wrongType, "HGET", text, "f")
      yield* refuse(wrongType, "ZADD", text, 1, "m")
      yield* refuse(wrongType, "XADD", text, "*", "f", "1")
      yield* refuse(wrongType, "XRANGE", list, "-", "+")
      yield* expect("OK", "SET", list, "now a text")
    }))
})
