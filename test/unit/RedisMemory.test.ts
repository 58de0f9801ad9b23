import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { Redis, type RedisError, script } from "../../src/Redis.ts"
import * as RedisMemory from "../../src/RedisMemory.ts"

const send = (command: string, ...args: ReadonlyArray<string>) =>
  Effect.flatMap(Redis, (redis) => redis.send<unknown>(command, ...args))

/** A command line, split at spaces. */
const run = (line: string) => {
  const [command = "", ...args] = line.split(" ")
  return send(command, ...args)
}

const message = (effect: Effect.Effect<unknown, RedisError, Redis>) =>
  Effect.map(Effect.flip(effect), (error) => error.cause instanceof Error ? error.cause.message : String(error.cause))

const test = (name: string, body: () => Effect.Effect<void, unknown, Redis | RedisMemory.RedisMemory | Scope.Scope>) =>
  it.effect(name, () => Effect.provide(Effect.scoped(Effect.suspend(body)), RedisMemory.layer))

/** A client on a connection of its own. */
const reserved = Effect.flatMap(Redis, (redis) => redis.reserve)

describe("RedisMemory", () => {
  describe("time", () => {
    test("gives entries the time of the Clock", () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(1000)
        assert.strictEqual(yield* run("XADD s * a 1"), "1000-0")
        assert.strictEqual(yield* run("XADD s * a 2"), "1000-1")
        yield* TestClock.adjust("5 millis")
        assert.strictEqual(yield* run("XADD s * a 3"), "1005-0")
        assert.deepStrictEqual(yield* run("TIME"), ["1", "5000"])
      }))

    test("expires keys when the Clock has passed their time", () =>
      Effect.gen(function*() {
        yield* run("SET k v PX 100")
        yield* TestClock.adjust("100 millis")
        assert.strictEqual(yield* run("PTTL k"), 0)
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* run("GET k"), null)
        assert.strictEqual(yield* run("DBSIZE"), 0)
      }))

    test("counts idle time of pending entries", () =>
      Effect.gen(function*() {
        yield* run("XGROUP CREATE s g 0 MKSTREAM")
        yield* run("XADD s 1-1 a 1")
        yield* run("XREADGROUP GROUP g c STREAMS s >")
        yield* TestClock.adjust("30 seconds")
        assert.deepStrictEqual(yield* run("XPENDING s g - + 10"), [["1-1", "c", 30000, 1]])
        assert.deepStrictEqual(yield* run("XAUTOCLAIM s g d 30001 0"), ["0-0", [], []])
        assert.deepStrictEqual(yield* run("XAUTOCLAIM s g d 30000 0"), ["0-0", [["1-1", ["a", "1"]]], []])
        assert.deepStrictEqual(yield* run("XPENDING s g - + 10"), [["1-1", "d", 0, 2]])
      }))
  })

  describe("blocking", () => {
    test("ends a blocking pop with null when its time is up", () =>
      Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(run("BLPOP q 1.5"))
        yield* TestClock.adjust("1499 millis")
        assert.strictEqual(fiber.pollUnsafe(), undefined)
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* Fiber.join(fiber), null)
        yield* run("RPUSH q a")
        assert.strictEqual(yield* run("LLEN q"), 1)
      }))

    test("serves blocked clients in the order in which they came", () =>
      Effect.gen(function*() {
        const order: Array<string> = []
        const wait = (name: string) =>
          Effect.scoped(Effect.gen(function*() {
            const connection = yield* reserved
            yield* connection.send("BLPOP", "q", "0")
            order.push(name)
          }))
        const fibers: Array<Fiber.Fiber<void, RedisError>> = []
        for (const name of ["one", "two", "three"]) {
          fibers.push(yield* Effect.forkChild(wait(name), { startImmediately: true }))
          yield* Effect.yieldNow
        }
        yield* TestClock.adjust("1 millis")
        yield* run("RPUSH q a b c")
        yield* Effect.forEach(fibers, Fiber.join)
        assert.deepStrictEqual(order, ["one", "two", "three"])
      }))

    test("keeps commands behind a blocked one waiting on the same connection", () =>
      Effect.gen(function*() {
        const connection = yield* reserved
        const blocked = yield* Effect.forkChild(connection.send("BLPOP", "q", "10"), { startImmediately: true })
        const behind = yield* Effect.forkChild(connection.send("PING"), { startImmediately: true })
        yield* TestClock.adjust("9 seconds")
        assert.strictEqual(behind.pollUnsafe(), undefined)
        assert.strictEqual(yield* run("PING"), "PONG")
        yield* TestClock.adjust("1 seconds")
        assert.strictEqual(yield* Fiber.join(blocked), null)
        assert.strictEqual(yield* Fiber.join(behind), "PONG")
      }))

    test("takes an interrupted reader off the server", () =>
      Effect.gen(function*() {
        yield* run("XGROUP CREATE s g 0 MKSTREAM")
        const reader = yield* Effect.forkChild(run("XREADGROUP GROUP g c BLOCK 0 STREAMS s >"), {
          startImmediately: true
        })
        yield* Fiber.interrupt(reader)
        yield* run("XADD s 1-1 a 1")
        assert.deepStrictEqual(yield* run("XPENDING s g"), [0, null, null, null])
      }))

    test("gives a new entry to one blocked reader of a group and to all plain readers", () =>
      Effect.gen(function*() {
        yield* run("XGROUP CREATE s g 0 MKSTREAM")
        const reader = (line: string) =>
          Effect.forkChild(
            Effect.scoped(Effect.gen(function*() {
              const connection = yield* reserved
              const [command = "", ...args] = line.split(" ")
              return yield* connection.send(command, ...args)
            })),
            { startImmediately: true }
          )
        const first = yield* reader("XREADGROUP GROUP g one BLOCK 1000 STREAMS s >")
        yield* TestClock.adjust("1 millis")
        const second = yield* reader("XREADGROUP GROUP g two BLOCK 1000 STREAMS s >")
        const plain = yield* reader("XREAD BLOCK 1000 STREAMS s $")
        yield* TestClock.adjust("1 millis")
        yield* run("XADD s 5-1 a 1")
        assert.deepStrictEqual(yield* Fiber.join(first), [["s", [["5-1", ["a", "1"]]]]])
        assert.deepStrictEqual(yield* Fiber.join(plain), [["s", [["5-1", ["a", "1"]]]]])
        yield* TestClock.adjust("1 seconds")
        assert.strictEqual(yield* Fiber.join(second), null)
      }))

    test("informs a blocked reader that its stream or its group has gone", () =>
      Effect.gen(function*() {
        const read = Effect.forkChild(message(run("XREADGROUP GROUP g c BLOCK 0 STREAMS s >")), {
          startImmediately: true
        })
        const other = yield* reserved
        yield* run("XGROUP CREATE s g $ MKSTREAM")
        const first = yield* read
        yield* other.send("DEL", "s")
        assert.strictEqual(yield* Fiber.join(first), "UNBLOCKED the stream key no longer exists")
        yield* run("XGROUP CREATE s g $ MKSTREAM")
        const second = yield* read
        yield* other.send("XGROUP", "DESTROY", "s", "g")
        assert.strictEqual(
          yield* Fiber.join(second),
          "NOGROUP the consumer group this client was blocked on no longer exists"
        )
        yield* run("XGROUP CREATE s g $ MKSTREAM")
        const third = yield* read
        const memory = yield* RedisMemory.RedisMemory
        yield* memory.flush
        assert.strictEqual(yield* Fiber.join(third), "UNBLOCKED the stream key no longer exists")
      }))

    test("moves an element on with BLMOVE to a client that waits behind it", () =>
      Effect.gen(function*() {
        const mover = yield* Effect.forkChild(
          Effect.scoped(Effect.flatMap(reserved, (c) => c.send("BLMOVE", "a", "b", "LEFT", "RIGHT", "0"))),
          { startImmediately: true }
        )
        const popper = yield* Effect.forkChild(
          Effect.scoped(Effect.flatMap(reserved, (c) => c.send("BLMPOP", "0", "1", "b", "LEFT", "COUNT", "5"))),
          { startImmediately: true }
        )
        yield* TestClock.adjust("1 millis")
        yield* run("RPUSH a x")
        assert.strictEqual(yield* Fiber.join(mover), "x")
        assert.deepStrictEqual(yield* Fiber.join(popper), ["b", ["x"]])
      }))

    test("ends a blocked command of another connection with CLIENT UNBLOCK and CLIENT KILL", () =>
      Effect.gen(function*() {
        const connection = yield* reserved
        const id = String(yield* connection.send("CLIENT", "ID"))
        const first = yield* Effect.forkChild(connection.send("BLPOP", "q", "0"), { startImmediately: true })
        assert.strictEqual(yield* run(`CLIENT UNBLOCK ${id}`), 1)
        assert.strictEqual(yield* Fiber.join(first), null)
        const second = yield* Effect.forkChild(message(connection.send("BLPOP", "q", "0")), { startImmediately: true })
        assert.strictEqual(yield* run(`CLIENT UNBLOCK ${id} ERROR`), 1)
        assert.strictEqual(yield* Fiber.join(second), "UNBLOCKED client unblocked via CLIENT UNBLOCK")
        const third = yield* Effect.forkChild(message(connection.send("BLPOP", "q", "0")), { startImmediately: true })
        assert.strictEqual(yield* run(`CLIENT KILL ID ${id}`), 1)
        assert.strictEqual(yield* Fiber.join(third), "Connection is closed.")
      }))
  })

  describe("errors", () => {
    const cases: ReadonlyArray<readonly [line: string, expected: string]> = [
      [
        "XREADGROUP GROUP g c STREAMS k >",
        "NOGROUP No such key 'k' or consumer group 'g' in XREADGROUP with GROUP option"
      ],
      ["XPENDING k g", "NOGROUP No such key 'k' or consumer group 'g'"],
      ["XGROUP CREATE there g 0", "BUSYGROUP Consumer Group name already exists"],
      ["XADD k abc a 1", "ERR Invalid stream ID specified as stream command argument"],
      ["XADD k 0-0 a 1", "ERR The ID specified in XADD must be greater than 0-0"],
      ["LPUSH there a", "WRONGTYPE Operation against a key holding the wrong kind of value"],
      ["EVALSHA ffffffffffffffffffffffffffffffffffffffff 0", "NOSCRIPT No matching script. Please use EVAL."],
      ["INCR word", "ERR value is not an integer or out of range"],
      ["NOPE a b", "ERR unknown command 'NOPE', with args beginning with: 'a' 'b' "],
      ["XGROUP NOPE", "ERR unknown subcommand 'NOPE'. Try XGROUP HELP."],
      ["GET", "ERR wrong number of arguments for 'get' command"],
      ["XGROUP CREATE s", "ERR wrong number of arguments for 'xgroup|create' command"],
      ["SET k v EX", "ERR syntax error"],
      ["SET k v PX 0", "ERR invalid expire time in 'set' command"]
    ]
    for (const [line, expected] of cases) {
      test(`${line} fails as the server does`, () =>
        Effect.gen(function*() {
          yield* run("XGROUP CREATE there g 0 MKSTREAM")
          yield* run("SET word hello")
          assert.strictEqual(yield* message(run(line)), expected)
        }))
    }
  })

  describe("scripts", () => {
    const lua = "return redis.call('INCRBY', KEYS[1], ARGV[1])"
    const increment = script((key: string, by: number) => [key, by], { lua, numberOfKeys: 1 }).withReturnType<number>()

    test("runs a script, again after SCRIPT FLUSH", () =>
      Effect.gen(function*() {
        const redis = yield* Redis
        assert.strictEqual(yield* redis.eval(increment)("n", 2), 2)
        yield* run("SCRIPT FLUSH")
        assert.strictEqual(yield* redis.eval(increment)("n", 3), 5)
      }))

    test("fails with the error that a command of the script raised", () =>
      Effect.gen(function*() {
        const redis = yield* Redis
        yield* run("SET n word")
        const text = yield* message(redis.eval(increment)("n", 1))
        assert.isTrue(text.startsWith("ERR value is not an integer or out of range script: "))
      }))

    test("gives numbers the way Lua does: without fraction, and lists up to their first nil", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* send("EVAL", "return {1.9, -1.9, false, {'a', 2.5}, nil, 3}", "0"), [
          1,
          -1,
          null,
          ["a", 2]
        ])
      }))

    test("never blocks inside a script", () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* send("EVAL", "return redis.call('BLMPOP', 0, 1, 'q', 'LEFT')", "0"), null)
      }))

    test("wakes a blocked client after the script, not during it", () =>
      Effect.gen(function*() {
        const redis = yield* Redis
        const push = script(() => [], {
          lua: "redis.call('RPUSH', 'q', 'a') redis.call('RPUSH', 'q', 'b') return redis.call('LLEN', 'q')",
          numberOfKeys: 0
        }).withReturnType<unknown>()
        const popper = yield* Effect.forkChild(
          Effect.scoped(Effect.flatMap(reserved, (c) => c.send("BLPOP", "q", "0"))),
          { startImmediately: true }
        )
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* redis.eval(push)(), 2)
        assert.deepStrictEqual(yield* Fiber.join(popper), ["q", "a"])
      }))
  })

  describe("sharing", () => {
    it.effect("several clients see one server", () =>
      Effect.gen(function*() {
        const server = yield* RedisMemory.makeServer
        const client = Layer.fresh(RedisMemory.layerServer(server))
        const one = yield* Effect.provide(run("CLIENT ID"), client)
        const two = yield* Effect.provide(Effect.andThen(run("SET k v"), run("CLIENT ID")), client)
        assert.notStrictEqual(one, two)
        assert.strictEqual(yield* Effect.provide(run("GET k"), client), "v")
      }))

    it.effect("each build of the layer has a server of its own", () =>
      Effect.gen(function*() {
        yield* Effect.provide(run("SET k v"), RedisMemory.layer)
        assert.strictEqual(yield* Effect.provide(run("GET k"), RedisMemory.layer), null)
      }))

    test("delivers published messages to subscribers", () =>
      Effect.gen(function*() {
        const redis = yield* Redis
        const queue = yield* redis.subscribe("news")
        assert.strictEqual(yield* run("PUBLISH news hello"), 1)
        assert.deepStrictEqual(yield* Queue.take(queue), { channel: "news", message: "hello" })
        assert.strictEqual(yield* run("PUBLISH other hello"), 0)
      }))

    test("dumps every key as plain data", () =>
      Effect.gen(function*() {
        yield* run("XGROUP CREATE s g 0 MKSTREAM")
        yield* run("XADD s 1-1 a 1")
        yield* run("XREADGROUP GROUP g c STREAMS s >")
        yield* run("SET k v PX 500")
        yield* run("ZADD z 2 b 1 a")
        const memory = yield* RedisMemory.RedisMemory
        assert.deepStrictEqual<unknown>(yield* memory.dump, {
          k: { type: "string", value: "v", expiresAt: DateTime.makeUnsafe(500) },
          s: {
            type: "stream",
            entries: [{ id: "1-1", fields: ["a", "1"] }],
            lastId: "1-1",
            entriesAdded: 1,
            maxDeletedId: "0-0",
            groups: [{
              name: "g",
              lastDeliveredId: "1-1",
              entriesRead: 1,
              consumers: [{ name: "c", seenAt: DateTime.makeUnsafe(0), pending: 1 }],
              pending: [{ id: "1-1", consumer: "c", deliveredAt: DateTime.makeUnsafe(0), deliveries: 1 }]
            }],
            expiresAt: null
          },
          z: { type: "zset", value: [["a", 1], ["b", 2]], expiresAt: null }
        })
        yield* memory.flush
        assert.deepStrictEqual(yield* memory.dump, {})
      }))
  })

  describe("the server itself", () => {
    test("describes the commands that it has, and no others", () =>
      Effect.gen(function*() {
        const infos = yield* send("COMMAND", "INFO", "XAUTOCLAIM", "XACKDEL", "xgroup|create")
        assert.isArray(infos)
        const [known, unknown, inner] = infos as ReadonlyArray<ReadonlyArray<unknown> | null>
        assert.deepStrictEqual(known?.slice(0, 3), ["xautoclaim", -6, ["write", "fast"]])
        assert.strictEqual(unknown, null)
        assert.strictEqual(inner?.[0], "xgroup|create")
      }))

    test("reports and accepts its configuration", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* run("CONFIG GET maxmemory-policy"), ["maxmemory-policy", "noeviction"])
        assert.deepStrictEqual(yield* run("CONFIG GET nothing"), [])
        yield* run("CONFIG SET maxmemory-policy allkeys-lru")
        assert.include(yield* run("INFO memory"), "maxmemory_policy:allkeys-lru\r\n")
        assert.include(yield* run("INFO"), "redis_version:7.0.15\r\n")
        assert.strictEqual(
          yield* message(run("CONFIG SET nope 1")),
          "ERR Unknown option or number of arguments for CONFIG SET - 'nope'"
        )
      }))

    test("shows a blocked client under its name", () =>
      Effect.gen(function*() {
        const connection = yield* reserved
        yield* connection.send("CLIENT", "SETNAME", "reader")
        const blocked = yield* Effect.forkChild(connection.send("BLPOP", "q", "0"), { startImmediately: true })
        assert.match(String(yield* run("CLIENT LIST")), /name=reader .*flags=b/)
        yield* Fiber.interrupt(blocked)
        assert.strictEqual(
          yield* message(send("CLIENT", "SETNAME", "two words")),
          "ERR Client names cannot contain spaces, newlines or special characters."
        )
      }))

    test("scans every key that stays, once, while others come and go", () =>
      Effect.gen(function*() {
        for (let i = 0; i < 200; i++) yield* run(`SET stay:${i} v`)
        const seen: Array<string> = []
        let cursor = "0"
        do {
          const [next, keys] = (yield* run(`SCAN ${cursor} MATCH stay:* COUNT 7`)) as [string, ReadonlyArray<string>]
          seen.push(...keys)
          cursor = next
          yield* run(`SET come:${cursor} v`)
          yield* run(`DEL come:${seen.length}`)
        } while (cursor !== "0")
        assert.strictEqual(seen.length, 200)
        assert.strictEqual(new Set(seen).size, 200)
      }))

    test("replaces halves of surrogate pairs, which have no bytes", () =>
      Effect.gen(function*() {
        yield* send("SET", "k", "a\ud800b")
        assert.strictEqual(yield* run("GET k"), "a\ufffdb")
      }))
  })
})
