/**
 * The Lua VM of the memory server against Redis: each script runs on both, and the replies are equal to the byte.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { readFileSync, writeFileSync } from "node:fs"
import * as Machine from "../../src/internal/memory/lua/machine.ts"
import { ReplyError } from "../../src/internal/memory/replyError.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as Redis from "../../src/Redis.ts"
import * as RedisMemory from "../../src/RedisMemory.ts"
import { PassTime } from "../../src/testing/Conformance.ts"
import { evaluate, luaCases, repliesFile } from "../memory/cases/lua.ts"
import { luaScripts } from "../memory/luaScripts.ts"
import { describeInMemory, layerOnServer } from "../support/place.ts"
import * as RedisServer from "../support/redisServer.ts"

const OnServer = Layer.unwrap(Effect.map(RedisServer.RedisServer, ({ url }) => IoRedis.layerOptions({ url }))).pipe(
  Layer.provideMerge(RedisServer.layer())
)

const memoryClient = Effect.flatMap(RedisMemory.makeServer, (server) => RedisMemory.makeClient(server))

layerOnServer(OnServer, { excludeTestServices: true })("Lua in memory and on a server", (it) => {
  it.effect("the recorded replies are those of the server", () =>
    Effect.gen(function*() {
      const server = yield* Redis.Redis
      const asked = yield* Effect.forEach(Object.entries(luaScripts), ([name, scripts]) =>
        Effect.map(
          Effect.forEach(
            scripts,
            ([lua, ...args]) => Effect.andThen(server.send("DEL", "key"), evaluate(server, lua, args))
          ),
          (answers) => [name, answers] as const
        ))
      if (process.env["UPDATE_REPLIES"] !== undefined) {
        writeFileSync(repliesFile, `${JSON.stringify(Object.fromEntries(asked), null, 1)}\n`)
      }
      assert.deepStrictEqual(
        JSON.parse(JSON.stringify(Object.fromEntries(asked))),
        JSON.parse(readFileSync(repliesFile, "utf8"))
      )
    }))

  it.effect("a string of 4 MiB goes in, is cut and joined, and comes out the same", () =>
    Effect.gen(function*() {
      const text = "😀é\0x\uFEFF".repeat(400_000)
      const lua = "local s = ARGV[1] redis.call('SET', KEYS[1], s:sub(1, 6) .. s:sub(7)) " +
        "local t = redis.call('GET', KEYS[1]) return {#t, t == s and 1 or 0, redis.sha1hex(t), t:sub(-4), t}"
      const answers = [
        yield* evaluate(yield* Redis.Redis, lua, [text]),
        yield* evaluate(yield* memoryClient, lua, [text])
      ]
      assert.isTrue(JSON.stringify(answers[0]) === JSON.stringify(answers[1]))
      assert.isTrue(Array.isArray(answers[1]!.reply) && answers[1]!.reply.at(-1) === text)
    }))
})

describeInMemory("the Lua VM of RedisMemory", () => {
  for (const { name, run } of luaCases) {
    it.effect(`replies as the server does: ${name}`, () =>
      Effect.scoped(run).pipe(Effect.provideService(PassTime, TestClock.adjust), Effect.provide(RedisMemory.layer)))
  }

  it.effect("names the libraries that it lacks", () =>
    Effect.gen(function*() {
      const memory = yield* memoryClient
      for (const name of ["cmsgpack", "struct", "bit"]) {
        assert.match(
          (yield* evaluate(memory, `return ${name}.pack(1)`, [])).error ?? "",
          new RegExp(`RedisMemory has no library '${name}'`)
        )
      }
    }))

  for (const time of [0, 86_400_000, Date.UTC(2026, 10, 30, 20, 0, 0, 123)]) {
    it.effect(`a script's time is the host's clock at ${time}`, () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(time)
        const memory = yield* memoryClient
        const lua = "local t = redis.call('TIME') return tostring(t[1] * 1000 + math.floor(t[2] / 1000))"
        assert.deepStrictEqual(yield* evaluate(memory, lua, []), { reply: String(time) })
        yield* TestClock.adjust(1_500)
        assert.deepStrictEqual(yield* evaluate(memory, lua, []), { reply: String(time + 1_500) })
      }))
  }

  it("a defect of a command is thrown once more after a pcall that swallowed it", () => {
    const script = Machine.compile("local ok = pcall(redis.call, 'GET', 'key') return ok and 1 or 2")
    const run = (get: () => string) => Machine.run(script, "0".repeat(40), [], [], get)
    const defect = new TypeError("a defect")
    assert.throws(
      () =>
        run(() => {
          throw defect
        }),
      defect
    )
    assert.strictEqual(
      run(() => {
        throw new ReplyError("ERR an error reply")
      }),
      2
    )
    assert.strictEqual(run(() => "value"), 1)
    // A reply that no command gives fails in the bridge itself.
    assert.throws(() => run(() => undefined as never), TypeError)
  })

  it.effect("runs one after the other on several servers, each with its own keys", () =>
    Effect.gen(function*() {
      const [a, b] = [yield* memoryClient, yield* memoryClient]
      yield* evaluate(a, "return redis.call('SET', KEYS[1], 'a')", [])
      assert.deepStrictEqual(yield* evaluate(b, "return redis.call('GET', KEYS[1])", []), { reply: null })
      assert.deepStrictEqual(yield* evaluate(a, "return redis.call('GET', KEYS[1])", []), { reply: "a" })
    }))
})
