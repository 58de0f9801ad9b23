/** examples/ as programs: started as a user starts them, judged by their output, status and what they leave behind. */
import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Processes from "../support/processes.ts"
import { layer as serverLayer, RedisServer } from "../support/redisServer.ts"

/** Programs start slowly on a machine that runs other tests as well. */
const timeout = 120_000
const within = 50_000

const start = (name: string, env: Processes.Options["env"] = {}) =>
  Processes.start(`../../examples/${name}`, { env: { NO_COLOR: "1", ...env } })

/** Runs a program to its end, which must be a good one. */
const runToEnd = Effect.fnUntraced(function*(name: string, env?: Processes.Options["env"]) {
  const program = yield* start(name, env)
  const ended = yield* program.ended(within)
  const output = program.lines().join("\n")
  assert.deepStrictEqual(ended, { status: 0, signal: null }, output)
  return output
})

const assertQuickstart = (output: string): void => {
  assert.match(output, /^ {2}send +user\.visit is action [0-9a-f-]{36};/m)
  assert.match(output, /^ {2}request +user\.create ana@example\.com → success: user-1$/m)
  assert.match(output, /^ {2}request +user\.create ana@example\.com → error: EmailTaken \(ana@example\.com\)$/m)
  assert.match(output, /^ {2}sendWithCallback +user\.create eva@example\.com → signup\.user_created: user-2$/m)
  assert.match(output, /^ {2}progress +█{20} 5000 of 5000$/m)
  assert.match(output, /^ {2}throughput +\d+ actions a second/m)
  assert.match(output, /^ {2}answers +1000 of 1000 requests$/m)
  const handled = [...output.matchAll(/^ {2}internal-\d +(\d+) handled$/gm)].map((match) => Number(match[1]))
  assert.strictEqual(handled.length, 4)
  assert.strictEqual(handled.reduce((sum, count) => sum + count, 0), 5000)
  assert(!output.includes("\r") && !output.includes("\u001b"), "a log has neither carriage returns nor escape codes")
}

describe("quickstart in memory", () => {
  it.live(
    "shows the three ways to call a service and several internal workers, and ends with status 0",
    () =>
      Effect.gen(function*() {
        const output = yield* runToEnd("quickstart")
        assert.match(output, /^effect-redis-workers, in memory$/m)
        assertQuickstart(output)
      }),
    timeout
  )
})

layer(serverLayer(), { excludeTestServices: true })("quickstart on a server", (it) => {
  it.effect("does the same, and leaves no key of its own and all others", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer
      yield* server.flush
      yield* server.cli("SET", "nooble4:dev:of:others", "kept")
      const output = yield* runToEnd("quickstart", { REDIS_URL: server.url })
      assert.match(output, /^effect-redis-workers, on the server/m)
      assertQuickstart(output)
      assert.deepStrictEqual(yield* server.cli("KEYS", "*"), ["nooble4:dev:of:others"])
    }), timeout)

  it.effect("leaves no key when it is interrupted", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer
      yield* server.flush
      const program = yield* start("quickstart", { REDIS_URL: server.url })
      yield* program.line(/sendWithCallback/, within)
      assert.isNotEmpty(yield* server.cli("KEYS", "quickstart-*"))
      yield* program.signal("SIGINT")
      assert.deepStrictEqual(yield* program.ended(within), { status: 130, signal: null })
      assert.deepStrictEqual(yield* server.cli("KEYS", "*"), [])
    }), timeout)

  it.effect("says what is wrong when no server listens there", () =>
    Effect.gen(function*() {
      const program = yield* start("quickstart", { REDIS_URL: "redis://127.0.0.1:1" })
      assert.deepStrictEqual(yield* program.ended(within), { status: 1, signal: null })
      assert.match(program.lines().join("\n"), /RedisStartError: Cannot connect to Redis at 127\.0\.0\.1:1/)
    }), timeout)
})

layer(serverLayer(), { excludeTestServices: true })("user-service", (it) => {
  it.effect(
    "answers requests, calls back, runs again what its database refused, and drains on SIGTERM",
    () =>
      Effect.gen(function*() {
        const server = yield* RedisServer
        const env = { REDIS_URL: server.url }
        const client = yield* start("user-service/client", env)
        const worker = yield* start("user-service/worker", env)
        const ended = yield* client.ended(within)
        const output = client.lines().join("\n")
        assert.deepStrictEqual(ended, { status: 0, signal: null }, output)
        assert.match(
          output,
          /^Ana <ana@example\.com> has signed up\nana@example\.com is taken\nimport: 1 created, taken: ana@example\.com$/m
        )
        yield* worker.line(/attempt 1 of \d+ failed: .*; next attempt in 100 ms/)
        yield* worker.signal("SIGTERM")
        assert.deepStrictEqual(yield* worker.ended(within), { status: 0, signal: null }, worker.lines().join("\n"))
        assert.strictEqual(yield* server.cli("XLEN", "nooble4:dev:user:streams:main"), 0)
        assert.strictEqual(yield* server.cli("EXISTS", "nooble4:dev:user:streams:dead"), 0)
      }),
    timeout
  )
})
