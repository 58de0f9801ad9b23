/**
 * A server that lives and refuses, or forgets its scripts, for a whole worker and its callers.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Schema from "effect/Schema"
import { mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import * as Action from "../../src/Action.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as DomainAction from "../../src/DomainAction.ts"
import * as Metrics from "../../src/Metrics.ts"
import * as Redis from "../../src/Redis.ts"
import * as Worker from "../../src/Worker.ts"
import * as Trouble from "../support/troubleWorld.ts"
import { until } from "../support/until.ts"

describe("a server that refuses writes", () => {
  it.live("as a replica does holds work up and loses none of it", () =>
    Effect.gen(function*() {
      const { load, process, world } = yield* Trouble.working()
      // Of a master that is not there, so that its data stays what it is.
      yield* world.server.cli("REPLICAOF", "127.0.0.1", "1")
      yield* Trouble.troubledBy(process, "ReadOnly")
      yield* Trouble.endure(world, process)
      yield* world.server.cli("REPLICAOF", "NO", "ONE")
      yield* Trouble.worksAgain(world, process, load)
      assert.strictEqual(yield* world.counter(Metrics.groupsRestored), 0)
    }))

  it.live("because its memory is full: its actions are handled and answered, and senders get an error", () =>
    Effect.gen(function*() {
      const open = yield* Latch.make(true)
      const fails = (key: string) => key.startsWith("again") ? Effect.die(new Error("not now")) : Effect.void
      const { client, load, process, world } = yield* Trouble.working({
        handle: (key, { attempt }) => Effect.andThen(open.await, attempt === 1 ? fails(key) : Effect.void)
      })
      yield* load.stop
      yield* Trouble.nothingLost(world, load.accepted)
      yield* open.close
      const keysOf = (prefix: string, count: number) =>
        Array.from({ length: count }, (_, index) => `${prefix}-${index}`)
      const keys = [...keysOf("plain", 300), ...keysOf("again", 30)]
      const asked = yield* Effect.forkChild(Effect.forEach(
        keysOf("asked", 300),
        (key) => client.request(Trouble.Do, { key }, { timeout: "20 seconds" }),
        { concurrency: "unbounded" }
      ))
      yield* client.sendMany(Trouble.Do, keys.map((key) => ({ key })))
      yield* world.server.cli("XADD", world.names.stream, "*", "data", "no action")
      yield* until("all are sent", Effect.map(world.left, ({ entries }) => entries === 631))

      yield* world.server.cli("CONFIG", "SET", "maxmemory", "1")
      yield* open.open
      assert.strictEqual((yield* Fiber.join(asked)).length, 300)
      const full = yield* Trouble.startLoad(client, "full")
      yield* Trouble.nothingLost(world, keys)
      assert.strictEqual(yield* world.server.cli("XLEN", world.names.deadLetters), 1)
      yield* until("callers are told", Effect.sync(() => (full.failures.get("RedisError") ?? 0) >= 10))
      assert.strictEqual(full.accepted.size, 0)
      yield* Trouble.endure(world, process, 500)

      yield* world.server.cli("CONFIG", "SET", "maxmemory", "0")
      yield* Trouble.worksAgain(world, process, full)
      for (const [key, times] of world.handled) assert.strictEqual(times, 1, key)
    }))

  it.live("because its memory is full: a worker that starts frees it", () =>
    Effect.gen(function*() {
      const world = yield* Trouble.make()
      const first = yield* world.startWorker()
      yield* first.stop
      const client = yield* world.startClient()
      const keys = Array.from({ length: 300 }, (_, index) => `key-${index}`)
      yield* client.sendMany(Trouble.Do, keys.map((key) => ({ key })))
      yield* world.server.cli("CONFIG", "SET", "maxmemory", "1")
      yield* world.startWorker()
      yield* Trouble.nothingLost(world, keys)
    }))

  it.live("because it cannot save holds work up and loses none of it", () =>
    Effect.gen(function*() {
      const { load, process, world } = yield* Trouble.working({
        config: ["save 3600 1000000", "stop-writes-on-bgsave-error yes", "dbfilename dump.rdb"]
      })
      const saved = (status: string) =>
        Effect.andThen(
          world.server.cli("BGSAVE"),
          until(
            `a save ends with ${status}`,
            Effect.map(world.server.cli("INFO", "persistence"), (info) =>
              String(info).includes("rdb_bgsave_in_progress:0") &&
              String(info).includes(`rdb_last_bgsave_status:${status}`))
          )
        )
      const file = join(world.server.directory, "dump.rdb")
      // Nobody, root included, can put a file in the place of a directory.
      mkdirSync(file)
      yield* saved("err")
      yield* Trouble.troubledBy(process, "Misconfigured")
      yield* Trouble.endure(world, process)
      rmSync(file, { recursive: true })
      yield* saved("ok")
      yield* Trouble.worksAgain(world, process, load)
      assert.isAtLeast(load.failures.get("RedisError") ?? 0, 1)
    }))
})

describe("a server that does not take an answer", () => {
  const Make = Action.make("user.make", { payload: { size: Schema.Int }, success: { text: Schema.String } })

  it.live("for its size: its caller gets an error, the action is not run again, and later decisions are written", () =>
    Effect.gen(function*() {
      const world = yield* Trouble.make({ config: ["proto-max-bulk-len 1mb"] })
      const process = yield* world.connect()
      const runs: Array<number> = []
      const handlers = ActionGroup.make(Make).handlers({
        "user.make": ({ size }) =>
          Effect.sync(() => {
            runs.push(size)
            return { text: "x".repeat(size) }
          })
      })
      const worker = yield* Effect.provideContext(Worker.start(handlers, Trouble.quick), process.context)
      const client = yield* world.startClient()
      const ask = (size: number) => client.request(Make, { size }, { timeout: "20 seconds" })
      const large = yield* Effect.forkChild(Effect.flip(ask(2_000_000)))
      yield* until("the large one is run", Effect.sync(() => runs.includes(2_000_000)))
      const small = yield* Effect.forkChild(Effect.forEach([1, 2, 3], (size) => Effect.retry(ask(size), { times: 5 })))
      assert.deepInclude(yield* Fiber.join(large), { _tag: "RemoteFailure", errorCode: "UNDELIVERABLE_ANSWER" })
      assert.deepStrictEqual((yield* Fiber.join(small)).map(({ text }) => text), ["x", "xx", "xxx"])
      assert.deepStrictEqual(runs.filter((size) => size === 2_000_000).length, 1)
      yield* until("nothing is pending", Effect.map(world.pending, (pending) => pending === 0))
      const [[, letter]] = (yield* world.server.cli("XRANGE", world.names.deadLetters, "-", "+")) as [
        [string, ReadonlyArray<string>]
      ]
      assert.strictEqual(letter[letter.indexOf("reason") + 1], "undeliverable")
      assert.strictEqual((yield* worker.status).state, "running")
      assert.strictEqual((yield* worker.status).trouble.size, 0)
    }))
})

describe("a server that takes no more clients", () => {
  it.live("leaves some readers without a connection: the others go on, and nothing is said again and again", () =>
    Effect.gen(function*() {
      const world = yield* Trouble.make({ config: ["maxclients 5"] })
      // One for commands and four for the first readers: none is left for the others, nor for anybody else.
      const process = yield* world.startWorker({ consumers: 8 })
      const redis = Context.get(process.context, Redis.Redis)
      const add = (key: string) =>
        redis.send(
          "XADD",
          world.names.stream,
          "*",
          "data",
          DomainAction.encode(DomainAction.make({
            action_id: "00000000-0000-4000-8000-000000000001",
            action_type: "user.do",
            timestamp: "2025-06-29T04:03:00.123456Z",
            data: { key }
          }))
        )
      yield* Trouble.troubledBy(process, "Connection")
      for (let round = 0; round < 5; round++) {
        for (let index = 0; index < 10; index++) yield* add(`${round}-${index}`)
        yield* until("the others handle them", Effect.sync(() => world.handled.size === (round + 1) * 10))
        yield* Trouble.endure(world, process, 300)
      }
      assert.isAtMost(world.logged(/Redis (still )?fail/).length, 2)
      assert.isAtMost(world.logged(/Redis works again/).length, 2)

      yield* redis.send("CONFIG", "SET", "maxclients", "100")
      yield* Trouble.recovered(process)
      yield* Trouble.nothingLost(world, world.handled.keys())
    }))
})

describe("a server that forgets its scripts", () => {
  it.live("gets them again without any effect on callers", () =>
    Effect.gen(function*() {
      // Nobody gives up, however slow the machine is.
      const { load, process, world } = yield* Trouble.working({
        patience: Duration.minutes(1),
        redis: { replyTimeout: "1 minute", blockGrace: "1 minute" }
      })
      for (let round = 0; round < 10; round++) {
        yield* world.server.cli("SCRIPT", "FLUSH")
        yield* Trouble.handledMore(world)
      }
      yield* load.stop
      yield* Trouble.nothingLost(world, load.accepted)
      assert.deepStrictEqual([...load.failures], [])
      assert.strictEqual(load.accepted.size, 2 * load.attempts())
      assert.deepStrictEqual(world.logged(/^Warn Redis failed/), [])
      assert.strictEqual((yield* process.worker.status).state, "running")
    }))
})
