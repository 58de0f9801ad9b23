/** What a client learns of its connection and of the server. */
import * as Effect from "effect/Effect"
import { failureOf } from "../../internal/redis/failure.ts"
import { record } from "../../internal/redis/reply.ts"
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
  failing,
  holds,
  key,
  messageOf,
  refuse,
  same,
  send
} from "./case.ts"

/** A connection of the case's own, and its id at the server. */
const reserved = Effect.gen(function*() {
  const connection = yield* Redis.use((redis) => redis.reserve)
  return { connection, id: String(yield* connection.send("CLIENT", "ID")) }
})

export const connectionCases: ReadonlyArray<Case> = cases("connection", (test) => {
  test("TIME returns seconds and microseconds as text", () =>
    Effect.gen(function*() {
      const reply = yield* send<ReadonlyArray<unknown>>("TIME")
      same("length of the reply", reply.length, 2)
      holds("two texts of digits", reply.every((part) => typeof part === "string" && /^\d+$/.test(part)), reply)
      holds("microseconds below a million", Number(reply[1]) < 1_000_000, reply)
    }))

  test("texts are returned as they were sent: empty, large, any character", () =>
    Effect.gen(function*() {
      const a = yield* key("a")
      for (const text of ["", " ", "\0", "\r\n", "ß€😀", "\uFFFD", "\"'", "*1\r\n$1\r\n", "é".repeat(100_000)]) {
        yield* expect("OK", "SET", a, text)
        yield* expect(text, "GET", a)
      }
    }))

  test("keys may hold any character", () =>
    Effect.gen(function*() {
      const a = yield* key("ß€😀 \0\r\n*{}[]?")
      yield* expect("OK", "SET", a, "1")
      yield* expect("1", "GET", a)
    }))

  test("commands that are sent at once are answered each with its own reply, in their order", () =>
    Effect.gen(function*() {
      const a = yield* key("a")
      const replies = yield* Effect.all(Array.from({ length: 200 }, (_, n) => send("LPUSH", a, n)), {
        concurrency: "unbounded"
      })
      same("replies", replies, Array.from({ length: 200 }, (_, n) => n + 1))
      same("elements", yield* elementsOf(a), Array.from({ length: 200 }, (_, n) => String(199 - n)))
    }))

  test("an error reply fails its own command only", () =>
    Effect.gen(function*() {
      const a = yield* key("a")
      const [first, second, third] = yield* Effect.all([
        send("SET", a, "1"),
        errorOf(send("LPUSH", a, "2")),
        send("GET", a)
      ], { concurrency: "unbounded" })
      same("replies", [first, third], ["OK", "1"])
      same("the failure", failureOf(second), "WrongType")
    }))

  test("COMMAND INFO describes commands of the server, and is nil for others", () =>
    Effect.gen(function*() {
      const [known, unknown] = yield* send<ReadonlyArray<unknown>>("COMMAND", "INFO", "BLMPOP", "NOSUCHCOMMAND")
      holds("BLMPOP is described", Array.isArray(known))
      if (Array.isArray(known)) same("name and arity", known.slice(0, 2), ["blmpop", -5])
      same("a command that does not exist", unknown ?? null, null)
    }))

  test("CONFIG GET returns the settings that a start looks at", () =>
    Effect.gen(function*() {
      for (const name of ["maxmemory-policy", "appendonly", "save"]) {
        const reply = record(yield* send("CONFIG", "GET", name))
        holds(`a value of ${name}`, typeof reply.get(name) === "string")
      }
      const none = record(yield* send("CONFIG", "GET", "no-such-setting"))
      same("settings that do not exist", none.size, 0)
    }))

  test("CLIENT SETNAME names a connection in CLIENT LIST", () =>
    Effect.gen(function*() {
      const { connection, id } = yield* reserved
      same("CLIENT SETNAME", yield* connection.send("CLIENT", "SETNAME", "user-worker-0"), "OK")
      const line = yield* clientLine(id)
      holds(`the line of one client: ${line}`, line.split("\n").length === 1)
      holds("its id", line.split(" ").includes(`id=${id}`))
      holds("its name", line.split(" ").includes("name=user-worker-0"))
      yield* failing(
        "a name with a space",
        /^ERR Client names cannot contain spaces/,
        "Other",
        connection.send("CLIENT", "SETNAME", "a b")
      )
    }))

  test("reserved connections are different ones, and none is the shared one", () =>
    Effect.gen(function*() {
      const first = yield* reserved
      const second = yield* reserved
      const shared = String(yield* send("CLIENT", "ID"))
      same("different ids", new Set([first.id, second.id, shared]).size, 3)
      same("the same id each time", String(yield* first.connection.send("CLIENT", "ID")), first.id)
    }))

  test("CLIENT LIST is empty for a connection that is gone", () =>
    Effect.gen(function*() {
      const id = yield* Effect.scoped(Effect.gen(function*() {
        const { connection, id } = yield* reserved
        yield* errorOf(connection.send("GET"))
        return id
      }))
      // A connection on which a command failed is not handed out again.
      yield* eventually("the connection is closed", Effect.map(clientLine(id), (line) => line === ""))
    }))

  test("CLIENT KILL ends a connection by its id: what waits on it fails as a broken connection", () =>
    Effect.gen(function*() {
      const list = yield* key("list")
      const waiting = yield* block("BRPOP", list, 0)
      yield* expect(1, "CLIENT", "KILL", "ID", waiting.id)
      const error = yield* errorOf(waiting.reply)
      same(`"${messageOf(error)}" is classified as`, failureOf(error), "Connection")
      yield* eventually("the connection is closed", Effect.map(clientLine(waiting.id), (line) => line === ""))
      yield* expect(0, "CLIENT", "KILL", "ID", waiting.id)
      yield* expect(1, "LPUSH", list, "kept")
      same("what is left", yield* elementsOf(list), ["kept"])
    }))

  test("the shared client goes on after its connection was killed", () =>
    Effect.gen(function*() {
      const id = String(yield* send("CLIENT", "ID"))
      const { connection } = yield* reserved
      yield* connection.send("CLIENT", "KILL", "ID", id)
      yield* eventually(
        "it is connected again",
        Effect.map(Effect.result(send("CLIENT", "ID")), (result) =>
          result._tag === "Success" && String(result.success) !== id)
      )
    }))

  test("wrong numbers of arguments are refused", () =>
    Effect.gen(function*() {
      const a = yield* key("a")
      yield* refuse("ERR wrong number of arguments for 'get' command", "GET")
      yield* refuse("ERR wrong number of arguments for 'xgroup|create' command", "XGROUP", "CREATE", a)
      yield* refuse("ERR syntax error", "SET", a, "1", "NOPE")
    }))
})
