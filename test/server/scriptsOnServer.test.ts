/**
 * What only a real server can show of the scripts: bytes that are no text, and a server that is out of memory.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { LibraryScript } from "../../src/internal/scripts/script.ts"
import { decodeStatuses, settle, type SettleEntry, targetOf } from "../../src/internal/scripts/settle.ts"
import { countReplacements, moveCallbacks } from "../../src/internal/scripts/streams.ts"
import { takeDue } from "../../src/internal/scripts/take.ts"
import { Redis } from "../../src/Redis.ts"
import { digest, digests } from "../support/digests.ts"
import { entriesOf, fieldsOf, onServer, pendingOf, Place, send } from "../support/layers.ts"
import { RedisServer } from "../support/redisServer.ts"

const evaluate = <Params>(script: LibraryScript<Params>, params: Params) =>
  Effect.flatMap(Redis, (redis) => redis.eval(script.script)(params))

/** The names of this test's service, with its group made. */
const group = Effect.gen(function*() {
  const { names } = yield* Place
  yield* send("XGROUP", "CREATE", names.stream, names.group, "0", "MKSTREAM")
  return names
})

/** Delivers what is new. */
const read = (consumer: string) =>
  Effect.gen(function*() {
    const { names } = yield* Place
    yield* send("XREADGROUP", "GROUP", names.group, consumer, "STREAMS", names.stream, ">")
  })

/** Ids that are in the stream. */
const stored = Effect.gen(function*() {
  const { names } = yield* Place
  return (yield* entriesOf(names.stream)).map(([id]) => id)
})

/** Who owns what. */
const owners = Effect.gen(function*() {
  const { names } = yield* Place
  return (yield* pendingOf(names)).map(([id, consumer]) => [id, consumer] as const)
})

const settled = (entries: ReadonlyArray<SettleEntry>, acknowledged: ReadonlyArray<string> = []) =>
  Effect.gen(function*() {
    const { names } = yield* Place
    const reply = yield* evaluate(settle, {
      target: targetOf(names, "me", false),
      firstId: "-",
      lastId: "+",
      acknowledged,
      entries
    })
    return Object.fromEntries(decodeStatuses(reply))
  })

const dead = (id: string): SettleEntry => ({ id, push: undefined, wait: undefined, dead: true, notes: [] })

/** Every byte there is, in an order that is no UTF-8. */
const everyByte = Buffer.from(Array.from({ length: 256 }, (_, index) => (index * 7) % 256))

/** Runs an effect while the server has no memory to give. */
const withoutMemory = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    send("CONFIG", "SET", "maxmemory", "1"),
    () => effect,
    () => Effect.orDie(send("CONFIG", "SET", "maxmemory", "0"))
  )

onServer("scripts", (test) => {
  test("settle keeps every byte of an entry in its dead letter", () =>
    Effect.gen(function*() {
      const names = yield* group
      const { cli } = yield* RedisServer
      const fields = [everyByte, Buffer.from([0xff, 0x00, 0x0d, 0x0a]), Buffer.from("data"), everyByte]
      yield* cli("XADD", names.stream, "*", ...fields)
      yield* read("me")
      const [id] = yield* stored
      assert.deepStrictEqual(yield* settled([dead(id!)]), {})
      const [letter] = yield* digests(names.deadLetters)
      assert.deepStrictEqual(letter?.slice(-4), fields.map(digest))
      assert.deepStrictEqual(yield* owners, [])
    }))

  test("settle keeps every byte of an entry of more fields than a call takes", () =>
    Effect.gen(function*() {
      const names = yield* group
      const { cli } = yield* RedisServer
      const fields = Array.from(
        { length: 10_000 },
        (_, index) => Buffer.concat([everyByte, Buffer.from(String(index))])
      )
      yield* cli("XADD", names.stream, "*", ...fields)
      yield* read("me")
      const [id] = yield* stored
      assert.deepStrictEqual(yield* settled([dead(id!)]), {})
      const [letter] = yield* digests(names.deadLetters)
      const packed = Buffer.concat(
        fields.flatMap((field) => [Buffer.from(`${field.length}:`), field, Buffer.from(",")])
      )
      assert.deepStrictEqual(letter?.slice(-2), [digest("packed"), digest(packed)])
      assert.deepStrictEqual(yield* owners, [])
    }))

  test("settle keeps an entry of 10 MB in its dead letter", () =>
    Effect.gen(function*() {
      const names = yield* group
      const { cli } = yield* RedisServer
      const large = Buffer.alloc(10 * 1024 * 1024, everyByte)
      yield* cli("XADD", names.stream, "*", "data", large)
      yield* send("XREADGROUP", "GROUP", names.group, "me", "STREAMS", names.stream, ">")
      const [id] = yield* stored
      assert.deepStrictEqual(yield* settled([dead(id!)]), {})
      const [letter] = yield* digests(names.deadLetters)
      assert.deepStrictEqual(letter?.at(-1), digest(large))
    }))

  test("moveCallbacks moves every byte", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const { cli } = yield* RedisServer
      const list = `${names.stream}:list`
      yield* cli("LPUSH", list, everyByte)
      yield* evaluate(moveCallbacks, { stream: names.stream, lists: [list], limit: 10 })
      assert.deepStrictEqual(yield* digests(names.stream), [[digest("data"), digest(everyByte)]])
    }))

  test("countReplacements distinguishes invalid UTF-8 from the replacement character itself", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const { cli } = yield* RedisServer
      const samples = [
        Buffer.from("\uFFFD"),
        Buffer.from([0xff]),
        Buffer.from([0xff, 0xef, 0xbf, 0xbd]),
        // Cut off: a reader replaces three bytes by one character of three bytes.
        Buffer.from([0xf0, 0x9f, 0x98])
      ]
      for (const sample of samples) yield* cli("XADD", names.stream, "*", "data", sample)
      const ids = yield* stored
      assert.deepStrictEqual(yield* evaluate(countReplacements, { stream: names.stream, ids }), [1, 0, 1, 0])
    }))

  test("moveCallbacks brings callbacks in though the memory of the server is full", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const list = `${names.stream}:list`
      const move = evaluate(moveCallbacks, { stream: names.stream, lists: [list], limit: 10 })
      yield* move
      yield* send("LPUSH", list, "a", "b")
      assert.deepStrictEqual(yield* withoutMemory(move), [2, [], 0])
      assert.strictEqual((yield* stored).length, 2)
    }))

  test("takeDue puts a suspect off and takes the rest though the memory of the server is full", () =>
    Effect.gen(function*() {
      const names = yield* group
      for (let i = 0; i < 2; i++) yield* send("XADD", names.stream, "*", "data", i)
      yield* read(names.waitingConsumer)
      const [suspect, other] = yield* stored
      yield* send("XCLAIM", names.stream, names.group, names.waitingConsumer, 0, suspect!, "RETRYCOUNT", 5, "JUSTID")
      const take = evaluate(takeDue, {
        ...names,
        consumer: "me",
        aloneConsumer: "",
        suspectAfter: 3,
        limit: 10,
        budget: 1_000_000
      })
      // The script is known to the server before its memory is used up.
      yield* take
      yield* send("ZADD", names.retryDue, 1, suspect!, 2, other!)
      yield* withoutMemory(take)
      assert.deepStrictEqual(yield* owners, [[suspect!, names.waitingConsumer], [other!, "me"]])
    }))

  test("settle works off a server whose memory is full, answers and dead letters included", () =>
    Effect.gen(function*() {
      const names = yield* group
      for (let i = 0; i < 5; i++) yield* send("XADD", names.stream, "*", "data", i)
      yield* read("me")
      const [first, second, third, fourth, fifth] = yield* stored
      const list = `${names.stream}:list`
      const push = (payload: string) => ({ kind: "list", key: list, payload, timeToLive: 60_000 }) as const
      const entries: ReadonlyArray<SettleEntry> = [
        { ...dead(second!), dead: false, push: push("1") },
        { ...dead(third!), dead: false, wait: { delay: 1_000, record: "1 1 0 " } },
        dead(fourth!),
        { ...dead(fifth!), push: push("2") }
      ]
      // The script is known to the server before its memory is used up.
      yield* settled([])
      assert.deepStrictEqual(yield* withoutMemory(settled(entries, [first!])), {})
      assert.deepStrictEqual(yield* send("LRANGE", list, 0, -1), ["2", "1"])
      assert.deepStrictEqual(yield* owners, [[third!, names.waitingConsumer]])
      assert.deepStrictEqual(yield* stored, [third!])
      const letters = (yield* entriesOf(names.deadLetters)).map(([, fields]) => fieldsOf(fields)["entry_id"])
      assert.deepStrictEqual(letters, [fourth, fifth])
    }))
})
