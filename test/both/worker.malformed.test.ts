/**
 * Entries that are no actions, and answers that must not go where the message says: nothing is lost, nothing loops, and
 * the worker goes on.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { countReplacements } from "../../src/internal/scripts/streams.ts"
import * as Metrics from "../../src/Metrics.ts"
import { Redis } from "../../src/Redis.ts"
import * as Worker from "../../src/Worker.ts"
import { hostile } from "../fixtures/index.ts"
import { counted } from "../support/counted.ts"
import { digest, digests } from "../support/digests.ts"
import { entriesOf, eventually, type LogLine, onBoth, onServer, Place, send, type Test } from "../support/layers.ts"
import { RedisServer } from "../support/redisServer.ts"
import {
  deadLetters,
  effects,
  leftovers,
  nothingLeft,
  quick,
  sendAction,
  settled,
  startWorker
} from "../support/world.ts"

const text = hostile.filter(({ reason }) => reason !== "NotUtf8")
const binary = hostile.filter(({ reason }) => reason === "NotUtf8")

const tenMegabytes = `{"data":"${"x".repeat(10 * 1024 * 1024)}"}`
const deep = `{"action_id":"00000010-0000-4000-8000-000000000010","data":${"[".repeat(200_000)}${"]".repeat(200_000)}}`

/** Log lines about an entry. */
const linesAbout = (id: string) =>
  Effect.map(Place, ({ logs }) => logs.filter(({ annotations }) => annotations["entry_id"] === id))

const malformedCases = (test: Test): void => {
  const wrong: ReadonlyArray<readonly [what: string, fields: ReadonlyArray<string>]> = [
    ...text.map(({ bytes, name }) => [`data that is ${name}`, ["data", bytes.toString()]] as const),
    ["no data", ["payload", "{}", "other", ""]],
    ["an empty field name and value", ["", ""]],
    ["data of 10 MB", ["data", tenMegabytes]],
    ["data nested 200,000 deep", ["data", deep]],
    ["data in capitals", ["DATA", "{}"]],
    ["data twice, the first one broken", ["data", "{", "data", "{}"]]
  ]

  test("each malformed entry is logged once, kept as it is in a dead letter, and acknowledged", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const { seen, worker } = yield* startWorker()
      const ids = yield* Effect.forEach(wrong, ([, fields]) => send<string>("XADD", names.stream, "*", ...fields))
      const sent = yield* sendAction("ok", { expectation: "response" })
      yield* settled
      const letters = yield* deadLetters
      assert.strictEqual(letters.length, wrong.length)
      for (const [index, [what, fields]] of wrong.entries()) {
        const letter = letters.find(({ notes }) => notes["entry_id"] === ids[index])
        if (letter === undefined) return assert.fail(what)
        assert.strictEqual(letter.original.length, fields.length, what)
        // Not `deepStrictEqual`: it would print ten megabytes, and throw the print away.
        assert.isTrue(fields.every((field, at) => letter.original[at] === field), what)
        assert.deepInclude(letter.notes, { reason: "malformed", error_code: "MALFORMED_ACTION", attempts: "0" }, what)
        const lines = yield* linesAbout(ids[index]!)
        assert.deepStrictEqual(lines.map(({ level }) => level), ["Warn"], what)
        assert.match(lines[0]!.text, /^Dead letter \(malformed\): /, what)
        assert.isBelow(lines[0]!.text.length, 200, what)
      }
      assert.deepStrictEqual(seen.runs, ["ok 1"])
      assert.deepStrictEqual(yield* leftovers, nothingLeft)
      assert.strictEqual((yield* worker.status).state, "running")
      assert.include(yield* effects(sent), "response {\"userId\":\"u1\"}")
    }))

  test("a payload at the limits is an action, and one byte or level more is not", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const { seen } = yield* startWorker({ payloadLimit: 10_000, depthLimit: 5 })
      const action = (data: string, bytes = 0) => {
        const json = `{"action_id":"00000010-0000-4000-8000-000000000010","action_type":"user.create",` +
          `"timestamp":"2025-06-29T04:03:00Z","data":${data}}`
        return json + " ".repeat(Math.max(0, bytes - Buffer.byteLength(json)))
      }
      const nested = (levels: number) => `{"does":"ok","more":${"[".repeat(levels)}${"]".repeat(levels)}}`
      const messages = [
        action("{\"does\":\"ok\",\"ä\":\"€\"}", 10_000),
        action("{\"does\":\"ok\",\"ä\":\"€\"}", 10_001),
        action(nested(3)),
        action(nested(4))
      ]
      const ids = yield* Effect.forEach(messages, (data) => send<string>("XADD", names.stream, "*", "data", data))
      yield* settled
      assert.deepStrictEqual(seen.runs, ["ok 1", "ok 1"])
      const letters = yield* deadLetters
      assert.deepStrictEqual(letters.map(({ notes }) => notes["entry_id"]), [ids[1], ids[3]])
      assert.deepStrictEqual(letters.map(({ notes }) => notes["message"]), [
        "data is larger than 10000 bytes",
        "data is nested deeper than 5 levels"
      ])
    }))

  test("what is over the limit is not looked at for bytes that are no UTF-8, here or at the server", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const redis = yield* Redis
      let looked = 0
      const { seen } = yield* Effect.provideService(startWorker({ payloadLimit: 10_000 }), Redis, {
        ...redis,
        eval: (script) => {
          const run = redis.eval(script)
          if ((script as unknown) !== countReplacements.script) return run
          return (...params) => Effect.andThen(Effect.sync(() => looked++), run(...params))
        }
      })
      yield* send("XADD", names.stream, "*", "data", "\uFFFD".repeat(10_001))
      yield* settled
      assert.strictEqual(looked, 0)
      yield* send("XADD", names.stream, "*", "data", "\uFFFD".repeat(3_000))
      yield* settled
      assert.strictEqual(looked, 1)
      const letters = yield* deadLetters
      assert.strictEqual(letters[0]?.notes["message"], "data is larger than 10000 bytes")
      assert.strictEqual(letters.length, 2)
      assert.deepStrictEqual(seen.runs, [])
    }))

  test("a thousand entries that are no actions hold up nothing", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const { seen } = yield* startWorker()
      yield* Effect.forEach(
        Array.from({ length: 1_000 }, (_, index) => index),
        (index) => send("XADD", names.stream, "*", "data", `{${index}`),
        { concurrency: 100, discard: true }
      )
      yield* sendAction("ok")
      yield* settled
      assert.deepStrictEqual(seen.runs, ["ok 1"])
      assert.strictEqual(yield* send("XLEN", names.deadLetters), 1_000)
      assert.deepStrictEqual(yield* leftovers, nothingLeft)
    }))
}

/** Lists that a message may name, and no worker may write. */
const forbidden = (environment: string): ReadonlyArray<readonly [what: string, key: string]> => {
  const root = `nooble4:${environment}`
  return [
    ["a key of nobody", `stolen-${environment}`],
    ["another environment", `nooble4:${environment}x:client:responses:user_create:1`],
    ["another prefix", `other:${environment}:client:responses:user_create:1`],
    ["a dead-letter stream", `${root}:user:streams:dead`],
    ["retries", `${root}:user:retries:user-group:due`],
    ["a lease", `${root}:user:retries:user-group:lease`],
    ["a name with a line break", `${root}:client:responses:a\nb`],
    ["a name with a blank", `${root}:client:responses:a b`],
    ["a name that is too long", `${root}:client:responses:${"x".repeat(1_100)}`]
  ]
}

const answerCases = (test: Test): void => {
  test("a list whose name the naming refuses is never written, and the answer is in the dead letter", () =>
    Effect.gen(function*() {
      const { environment, names } = yield* Place
      yield* startWorker()
      const places = forbidden(environment)
      const existing = `stolen-${environment}-2`
      yield* send("RPUSH", existing, "mine")
      const lists = [...places.map(([, key]) => key), existing]
      const sent = yield* Effect.forEach(lists, (list) => sendAction("ok", { expectation: "response", list }))
      yield* settled
      const letters = yield* deadLetters
      assert.strictEqual(letters.length, lists.length)
      for (const [index, one] of sent.entries()) {
        const letter = letters.find(({ notes }) => notes["entry_id"] === one.id)
        assert.strictEqual(letter?.notes["reason"], "undeliverable", lists[index])
        const answer: unknown = JSON.parse(letter?.notes["answer"] ?? "null")
        assert.deepInclude(answer, { success: true, data: { userId: "u1" } }, lists[index])
        assert.deepInclude(answer, { correlation_id: one.action.correlation_id }, lists[index])
      }
      assert.deepStrictEqual(yield* send("LRANGE", existing, 0, -1), ["mine"])
      assert.strictEqual(yield* send("PTTL", existing), -1)
      const written = yield* send<number>(
        "EXISTS",
        ...places.map(([, key]) => key).filter((key) => key !== names.deadLetters && key !== names.lease)
      )
      assert.strictEqual(written, 0)
      assert.strictEqual(yield* send("TYPE", names.lease), "string")
      assert.strictEqual(yield* send("TYPE", names.deadLetters), "stream")
      assert.deepStrictEqual(yield* leftovers, nothingLeft)
    }))

  test("an action stream may be named for callbacks and for nothing else", () =>
    Effect.gen(function*() {
      const { environment } = yield* Place
      yield* startWorker()
      const list = `nooble4:${environment}:client:streams:main`
      yield* sendAction("ok", { expectation: "response", list })
      yield* settled
      assert.strictEqual(yield* send("EXISTS", list), 0)
      yield* sendAction("ok", { expectation: "callback", list })
      yield* settled
      const [entry] = yield* entriesOf(list)
      assert.deepInclude(JSON.parse(entry?.[1][1] ?? "null"), { action_type: "client.created", origin_service: "user" })
      assert.deepStrictEqual((yield* deadLetters).map(({ notes }) => notes["reason"]), ["undeliverable"])
    }))

  test("a list whose name the naming refuses is counted and logged as an answer that could not be pushed", () =>
    Effect.gen(function*() {
      const { environment, logs } = yield* Place
      const all = Effect.all({
        answers: counted(Metrics.undeliverable, { service: "user" }),
        undeliverable: counted(Metrics.deadLetters, { service: "user", reason: "undeliverable" }),
        exhausted: counted(Metrics.deadLetters, { service: "user", reason: "exhausted" })
      })
      const before = yield* all
      yield* startWorker({ maxAttempts: 1 })
      const list = `stolen-${environment}`
      yield* sendAction("ok", { expectation: "response", list })
      yield* sendAction("die", { expectation: "response", list })
      yield* settled
      const isTold = ({ text }: LogLine) => /could not be pushed|^Dead letter/.test(text)
      yield* eventually("both are logged", Effect.sync(() => logs.filter(isTold).length === 2))
      const after = yield* all
      assert.deepStrictEqual({
        answers: after.answers - before.answers,
        undeliverable: after.undeliverable - before.undeliverable,
        exhausted: after.exhausted - before.exhausted
      }, { answers: 2, undeliverable: 1, exhausted: 1 })
      assert.deepStrictEqual(
        logs.filter(isTold).map(({ level, text }) => `${level} ${text.replace(/:.*/s, "")}`).toSorted(),
        ["Warn Dead letter (exhausted)", "Warn The answer could not be pushed and is kept in the dead letter"]
      )
    }))

  for (const expectation of ["response", "callback"] as const) {
    test(`a key that is not a list is never written nor expired, and the answer is in the dead letter: ${expectation}`, () =>
      Effect.gen(function*() {
        const { environment } = yield* Place
        yield* startWorker({ callbackErrors: "response" })
        const list = `nooble4:${environment}:client:${expectation}s:user_create:1`
        yield* send("SET", list, "precious")
        const good = yield* sendAction("ok", { expectation, list })
        const bad = yield* sendAction("taken", { expectation, list })
        yield* settled
        assert.strictEqual(yield* send("GET", list), "precious")
        assert.strictEqual(yield* send("PTTL", list), -1)
        const letters = yield* deadLetters
        const answers = [good, bad].map(({ id }) => {
          const letter = letters.find(({ notes }) => notes["entry_id"] === id)
          assert.strictEqual(letter?.notes["undeliverable"], "WRONGTYPE the answer list holds a string")
          return JSON.parse(letter?.notes["answer"] ?? "null") as unknown
        })
        assert.deepInclude(
          answers[0],
          expectation === "response" ? { success: true } : { action_type: "client.created" }
        )
        assert.deepInclude(answers[1], { success: false })
        assert.deepStrictEqual(yield* leftovers, nothingLeft)
      }))
  }

  test("a dead letter keeps its reason when its error response cannot be delivered", () =>
    Effect.gen(function*() {
      const { environment } = yield* Place
      yield* startWorker({ maxAttempts: 1 })
      const list = `nooble4:${environment}:client:responses:user_create:1`
      yield* send("SET", list, "precious")
      yield* sendAction("die", { expectation: "response", list })
      yield* sendAction("die", { expectation: "response", list: "not mine" })
      yield* settled
      const letters = yield* deadLetters
      assert.deepStrictEqual(letters.map(({ notes }) => notes["reason"]), ["exhausted", "exhausted"])
      for (const { notes } of letters) {
        assert.deepInclude(JSON.parse(notes["answer"] ?? "null"), { success: false })
        assert.notStrictEqual(notes["undeliverable"], undefined)
      }
      assert.strictEqual(yield* send("GET", list), "precious")
    }))
}

onBoth("a worker that gets what it should not", (test) => {
  malformedCases(test)
  answerCases(test)
})

onServer("a worker that gets bytes that are no text", (test) => {
  test("keeps them byte for byte in dead letters, and runs no handler", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const { cli } = yield* RedisServer
      const { seen } = yield* startWorker()
      for (const { bytes } of binary) yield* cli("XADD", names.stream, "*", "data", bytes)
      const sent = yield* sendAction("ok", { expectation: "response" })
      yield* settled
      const letters = yield* digests(names.deadLetters)
      assert.deepStrictEqual(
        new Set(letters.map((letter) => letter.at(-1))),
        new Set(binary.map(({ bytes }) => digest(bytes)))
      )
      assert.deepStrictEqual(
        new Set((yield* deadLetters).map(({ notes }) => notes["message"])),
        new Set([
          "The entry is not valid UTF-8"
        ])
      )
      assert.deepStrictEqual(seen.runs, ["ok 1"])
      assert.include(yield* effects(sent), "response {\"userId\":\"u1\"}")
      assert.deepStrictEqual(yield* leftovers, nothingLeft)
    }))

  test("distinguishes them from a text that contains the replacement character", () =>
    Effect.gen(function*() {
      const runs: Array<unknown> = []
      yield* Worker.start({
        "user.create": ({ data }) =>
          Effect.sync(() => {
            runs.push(data["does"])
          })
      }, quick)
      yield* sendAction("a \uFFFD b")
      yield* settled
      assert.deepStrictEqual(runs, ["a \uFFFD b"])
      assert.deepStrictEqual(yield* deadLetters, [])
    }))

  test("finds them also in what another consumer left behind", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const { cli } = yield* RedisServer
      yield* send("XGROUP", "CREATE", names.stream, names.group, "0", "MKSTREAM")
      for (const { bytes } of binary) yield* cli("XADD", names.stream, "*", "data", bytes)
      yield* send("XREADGROUP", "GROUP", names.group, "dead", "STREAMS", names.stream, ">")
      const { seen } = yield* startWorker({ claimIdle: "100 millis" })
      yield* settled
      assert.deepStrictEqual(seen.runs, [])
      assert.strictEqual((yield* deadLetters).length, binary.length)
    }))

  test("keeps such bytes in other fields, and runs the action", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const { cli } = yield* RedisServer
      const { seen } = yield* startWorker({ maxAttempts: 1 })
      const noText = Buffer.from([0xff, 0xfe, 0x00])
      const data = (does: string) =>
        `{"action_id":"00000010-0000-4000-8000-000000000010","action_type":"user.create",` +
        `"timestamp":"2025-06-29T04:03:00Z","data":{"does":"${does}"}}`
      yield* cli("XADD", names.stream, "*", "note", noText, "data", data("die"))
      yield* cli("XADD", names.stream, "*", "note", noText, "data", data("ok"))
      yield* settled
      assert.deepStrictEqual(seen.runs, ["die 1", "ok 1"])
      const [letter] = yield* digests(names.deadLetters)
      assert.deepStrictEqual(letter?.slice(-4), [digest("note"), digest(noText), digest("data"), digest(data("die"))])
    }))
})
