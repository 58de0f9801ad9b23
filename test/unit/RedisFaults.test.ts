import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { failureOf } from "../../src/internal/redis/failure.ts"
import { append } from "../../src/internal/scripts/streams.ts"
import { Redis, type RedisError } from "../../src/Redis.ts"
import * as RedisMemory from "../../src/RedisMemory.ts"
import * as RedisFaults from "../../src/testing/RedisFaults.ts"

const faulty = (options?: RedisFaults.Options) => RedisFaults.layer(options).pipe(Layer.provide(RedisMemory.layer))

const test = (
  name: string,
  body: () => Effect.Effect<void, unknown, Redis | RedisFaults.RedisFaults | Scope.Scope>,
  options?: RedisFaults.Options
) => it.effect(name, () => Effect.provide(Effect.scoped(Effect.suspend(body)), faulty(options)))

const send = (command: string, ...args: ReadonlyArray<string>) =>
  Effect.flatMap(Redis, (redis) => redis.send<unknown>(command, ...args))

const kindOf = <A, R>(effect: Effect.Effect<A, RedisError, R>) => Effect.map(Effect.flip(effect), failureOf)

describe("RedisFaults", () => {
  test("lets commands through when nothing was asked for", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* send("SET", "k", "v"), "OK")
      assert.strictEqual(yield* send("GET", "k"), "v")
      assert.deepStrictEqual(yield* RedisFaults.RedisFaults.use((faults) => faults.injected), [])
    }))

  test("fails a command before it is carried out", () =>
    Effect.gen(function*() {
      yield* RedisFaults.next(RedisFaults.fail)
      assert.strictEqual(yield* kindOf(send("INCR", "n")), "Connection")
      assert.strictEqual(yield* send("GET", "n"), null)
    }))

  test("drops the reply of a command that was carried out", () =>
    Effect.gen(function*() {
      yield* RedisFaults.next(RedisFaults.dropReply)
      assert.strictEqual(yield* kindOf(send("INCR", "n")), "Connection")
      assert.strictEqual(yield* send("GET", "n"), "1")
    }))

  test("answers with an error of the server", () =>
    Effect.gen(function*() {
      yield* RedisFaults.next(RedisFaults.refuse("OOM command not allowed"))
      assert.strictEqual(yield* kindOf(send("INCR", "n")), "OutOfMemory")
      assert.strictEqual(yield* send("GET", "n"), null)
    }))

  test("carries a command out late", () =>
    Effect.gen(function*() {
      yield* RedisFaults.next(RedisFaults.delayCommand("1 second"), "INCR")
      const fiber = yield* Effect.forkChild(send("INCR", "n"))
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(yield* send("GET", "n"), null)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Fiber.join(fiber), 1)
    }))

  test("lets a reply come late", () =>
    Effect.gen(function*() {
      yield* RedisFaults.next(RedisFaults.delayReply("1 second"), "INCR")
      const fiber = yield* Effect.forkChild(send("INCR", "n"))
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(yield* send("GET", "n"), "1")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Fiber.join(fiber), 1)
    }))

  test("never replies on a connection that is half open, until it is cut", () =>
    Effect.gen(function*() {
      yield* RedisFaults.next(RedisFaults.hang, "INCR")
      const fiber = yield* Effect.forkChild(Effect.flip(send("INCR", "n")))
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* send("GET", "n"), "1")
      assert.isUndefined(fiber.pollUnsafe())
      yield* RedisFaults.cut
      assert.strictEqual(failureOf(yield* Fiber.join(fiber)), "Connection")
    }))

  test("loses what else is under way on a connection that is dropped", () =>
    Effect.gen(function*() {
      yield* RedisFaults.next(RedisFaults.hang, "GET")
      const fiber = yield* Effect.forkChild(Effect.flip(send("GET", "n")))
      yield* Effect.yieldNow
      yield* RedisFaults.next(RedisFaults.dropReply, "INCR")
      yield* Effect.flip(send("INCR", "n"))
      assert.strictEqual(failureOf(yield* Fiber.join(fiber)), "Connection")
      assert.strictEqual(yield* send("GET", "n"), "1")
    }))

  test("repeats a command, so that an action is delivered twice", () =>
    Effect.gen(function*() {
      const redis = yield* Redis
      yield* RedisFaults.deliverTwice
      yield* send("XADD", "s", "*", "data", "one")
      yield* redis.eval(append.script)({ stream: "s", texts: ["two", "three"] })
      const entries = yield* redis.send<ReadonlyArray<[string, ReadonlyArray<string>]>>("XRANGE", "s", "-", "+")
      assert.deepStrictEqual(entries.map(([, fields]) => fields[1]), ["one", "one", "two", "three", "two", "three"])
    }))

  test("brings an answer twice, and the next one after it", () =>
    Effect.gen(function*() {
      yield* RedisFaults.answerTwice
      assert.strictEqual(yield* send("RPOP", "answers"), null)
      yield* send("LPUSH", "answers", "one", "two")
      assert.strictEqual(yield* send("RPOP", "answers"), "one")
      assert.strictEqual(yield* send("RPOP", "answers"), "one")
      assert.strictEqual(yield* send("RPOP", "answers"), "two")
      assert.strictEqual(yield* send("RPOP", "answers"), "two")
      assert.strictEqual(yield* send("RPOP", "answers"), null)
    }))

  test("brings an answer twice to a client that asks for more of them the next time", () =>
    Effect.gen(function*() {
      yield* RedisFaults.answerTwice
      const connection = yield* (yield* Redis).reserve
      const pop = (count: number) => connection.send("BLMPOP", "1", "1", "answers", "RIGHT", "COUNT", String(count))
      yield* send("LPUSH", "answers", "one")
      assert.deepStrictEqual(yield* pop(8), ["answers", ["one"]])
      assert.deepStrictEqual(yield* pop(10), ["answers", ["one"]])
      yield* send("LPUSH", "answers", "two")
      assert.deepStrictEqual(yield* pop(14), ["answers", ["two"]])
    }))

  test("forgets scripts, and a script runs all the same", () =>
    Effect.gen(function*() {
      const redis = yield* Redis
      const add = redis.eval(append.script)({ stream: "s", texts: ["one"] })
      yield* add
      const digest = yield* redis.send<string>("SCRIPT", "LOAD", append.lua)
      yield* RedisFaults.next(RedisFaults.forgetScripts, "SCRIPT")
      assert.deepStrictEqual(yield* redis.send("SCRIPT", "EXISTS", digest), [0])
      yield* RedisFaults.next(RedisFaults.forgetScripts, append)
      yield* add
      assert.strictEqual(yield* redis.send("XLEN", "s"), 2)
    }))

  test("restarts the server empty and loses every connection", () =>
    Effect.gen(function*() {
      const redis = yield* Redis
      yield* send("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
      const connection = yield* redis.reserve
      const reading = yield* Effect.forkChild(
        Effect.flip(connection.send("XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", "s", ">"))
      )
      yield* Effect.yieldNow
      yield* RedisFaults.next(RedisFaults.restartEmpty, "PING")
      assert.strictEqual(yield* kindOf(send("PING")), "Connection")
      assert.strictEqual(failureOf(yield* Fiber.join(reading)), "Connection")
      assert.strictEqual(yield* send("DBSIZE"), 0)
    }))

  test("cuts the network until it is restored", () =>
    Effect.gen(function*() {
      const redis = yield* Redis
      yield* RedisFaults.cut
      assert.strictEqual(yield* kindOf(send("PING")), "Connection")
      assert.strictEqual(yield* kindOf(redis.reserve), "Connection")
      yield* RedisFaults.restore
      assert.strictEqual(yield* send("PING"), "PONG")
    }))

  describe("reserved connections", () => {
    test("are lost for good with a fault, and not handed out again", () =>
      Effect.gen(function*() {
        const redis = yield* Redis
        const first = yield* Effect.scoped(Effect.gen(function*() {
          const connection = yield* redis.reserve
          const id = yield* connection.send("CLIENT", "ID")
          yield* RedisFaults.next(RedisFaults.dropReply, (command) => command.connection === "reserved")
          yield* Effect.flip(connection.send("INCR", "n"))
          assert.strictEqual(yield* kindOf(connection.send("PING")), "Connection")
          return id
        }))
        const second = yield* Effect.scoped(
          Effect.flatMap(redis.reserve, (connection) => connection.send("CLIENT", "ID"))
        )
        assert.notStrictEqual(first, second)
        assert.strictEqual(yield* send("GET", "n"), "1")
      }))

    test("run scripts through the same faults", () =>
      Effect.gen(function*() {
        const redis = yield* Redis
        const connection = yield* redis.reserve
        yield* RedisFaults.next(RedisFaults.dropReply, append)
        yield* Effect.flip(connection.eval(append.script)({ stream: "s", texts: ["one"] }))
        assert.strictEqual(yield* send("XLEN", "s"), 1)
      }))

    test("take an entry unseen when the reply of a blocked read is dropped", () =>
      Effect.gen(function*() {
        const redis = yield* Redis
        yield* send("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
        const connection = yield* redis.reserve
        yield* RedisFaults.next(RedisFaults.dropReply, RedisFaults.blockingReads)
        const reading = yield* Effect.forkChild(
          Effect.flip(connection.send("XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", "s", ">"))
        )
        yield* Effect.yieldNow
        yield* send("XADD", "s", "1-1", "data", "one")
        yield* Fiber.join(reading)
        assert.deepStrictEqual(yield* send("XPENDING", "s", "g", "-", "+", "10"), [["1-1", "c", 0, 1]])
      }))
  })

  describe("rules", () => {
    test("decide for as many matching commands as they are made for", () =>
      Effect.gen(function*() {
        yield* RedisFaults.next(RedisFaults.fail, "INCR", 2)
        assert.strictEqual(yield* send("PING"), "PONG")
        yield* Effect.flip(send("INCR", "n"))
        yield* Effect.flip(send("INCR", "n"))
        assert.strictEqual(yield* send("INCR", "n"), 1)
      }))

    test("go before the policy, which goes on after them", () =>
      Effect.gen(function*() {
        yield* RedisFaults.random({ fail: 1, match: "INCR" })
        yield* RedisFaults.next(RedisFaults.dropReply)
        yield* Effect.flip(send("INCR", "n"))
        yield* Effect.flip(send("INCR", "n"))
        assert.strictEqual(yield* send("GET", "n"), "1")
      }))

    test("are forgotten with clear", () =>
      Effect.gen(function*() {
        yield* RedisFaults.always(RedisFaults.fail)
        yield* RedisFaults.random({ fail: 1 })
        yield* RedisFaults.cut
        yield* RedisFaults.clear
        assert.strictEqual(yield* send("PING"), "PONG")
      }))
  })

  describe("seeds", () => {
    const policy: RedisFaults.Policy = { fail: 0.2, dropReply: 0.2, repeat: 0.1, forgetScripts: 0.1 }

    const outcomes = (seed: number) =>
      Effect.gen(function*() {
        for (let i = 0; i < 200; i++) yield* Effect.exit(send("INCR", "n"))
        const injected = yield* RedisFaults.RedisFaults.use((faults) => faults.injected)
        return {
          value: yield* send("GET", "n").pipe(Effect.retry({ times: 100 })),
          faults: injected.map(({ fault }) => fault._tag)
        }
      }).pipe(Effect.provide(faulty({ seed, policy })))

    it.effect("give the same faults again", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* outcomes(7), yield* outcomes(7))
        assert.notDeepEqual(yield* outcomes(7), yield* outcomes(8))
      }))

    it.effect("meet each kind about as often as asked", () =>
      Effect.gen(function*() {
        const { faults } = yield* outcomes(1)
        const share = (tag: string) => faults.filter((fault) => fault === tag).length / 200
        assert.closeTo(share("Fail"), 0.2, 0.1)
        assert.closeTo(share("DropReply"), 0.2, 0.1)
        assert.closeTo(share("Repeat"), 0.1, 0.08)
        assert.closeTo(share("ForgetScripts"), 0.1, 0.08)
      }))
  })
})
