/**
 * Trouble that does not pass by itself, for a whole worker and its callers: permissions, passwords, keys of another type.
 * The worker ends with a typed error, and what it leaves is there for the next one.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Metrics from "../../src/Metrics.ts"
import { WorkerError, type WorkerErrorReason } from "../../src/WorkerError.ts"
import * as Trouble from "../support/troubleWorld.ts"
import { until } from "../support/until.ts"

const user = { username: "worker", password: "secret" }

/** Gives the user everything, without what is named. */
const allow = (world: Trouble.World, ...rules: ReadonlyArray<string>) =>
  world.server.cli("ACL", "SETUSER", "worker", "reset", "on", ">secret", "~*", "&*", "+@all", ...rules)

/** How the worker ended, at its start or later, and that it did so by itself. */
const endOf = (world: Trouble.World, redis?: typeof user) =>
  world.startWorker({}, redis).pipe(
    Effect.flatMap(({ worker }) => worker.await),
    Effect.flip,
    Effect.timeoutOrElse({ duration: "15 seconds", orElse: () => Effect.die(new Error("the worker goes on")) })
  )

const assertReason = (error: Error, reason: WorkerErrorReason["_tag"]) => {
  assert.instanceOf(error, WorkerError)
  assert.strictEqual(error.reason._tag, reason, error.message)
}

const send = Effect.fnUntraced(function*(world: Trouble.World, count = 20) {
  const client = yield* world.startClient()
  const keys = Array.from({ length: count }, (_, index) => `key-${index}`)
  yield* client.sendMany(Trouble.Do, keys.map((key) => ({ key })))
  return keys
})

describe("a user who may not", () => {
  for (
    const command of [
      "xreadgroup",
      "xgroup",
      "xpending",
      "xclaim",
      "xack",
      "xdel",
      "evalsha",
      "time",
      "zrange",
      "xtrim"
    ]
  ) {
    it.live(`run ${command.toUpperCase()}: the worker says so and ends`, () =>
      Effect.gen(function*() {
        const world = yield* Trouble.make()
        const keys = yield* send(world)
        yield* allow(world, `-${command}`)
        const error = yield* endOf(world, user)
        assertReason(error, "NoPermission")
        // Nothing had been done for which nothing could be written down.
        assert.strictEqual(world.handled.size, 0)
        assert.notInclude(error.message, "secret")
        yield* allow(world)
        yield* world.startWorker({}, user)
        yield* Trouble.nothingLost(world, keys)
      }))
  }

  it.live("write an answer list: the answer is kept in a dead letter, everything else goes on", () =>
    Effect.gen(function*() {
      const world = yield* Trouble.make()
      yield* world.server.cli("ACL", "SETUSER", "worker", "on", ">secret", "&*", "+@all", "~*:streams:*")
      for (const keys of ["retries:*", "callbacks:*", "parked:*", "schedules:*", "lanes:*", "paused", "features"]) {
        yield* world.server.cli("ACL", "SETUSER", "worker", `~*:${keys}`)
      }
      const process = yield* world.startWorker({}, user)
      const client = yield* world.startClient()
      const load = yield* Trouble.startLoad(client)
      yield* Trouble.handledMore(world)
      yield* load.stop
      yield* Trouble.nothingLost(world, load.accepted)

      assert.strictEqual(load.answered.size, 0)
      assert.deepStrictEqual([...load.failures.keys()], ["RequestTimeout"])
      assert.strictEqual((yield* process.worker.status).state, "running")
      const asked = [...world.handled.keys()].filter((key) => key.includes("-ask-"))
      assert.isAtLeast(asked.length, 1)
      assert.strictEqual(yield* world.counter(Metrics.undeliverable), asked.length)
      const letters = (yield* world.server.cli("XRANGE", world.names.deadLetters, "-", "+")) as ReadonlyArray<
        [string, ReadonlyArray<string>]
      >
      const kept = letters.map(([, fields]): string => JSON.parse(fields[fields.indexOf("answer") + 1]!).data.key)
      assert.deepStrictEqual(kept.toSorted(), asked.toSorted())
      for (const [key, times] of world.handled) assert.strictEqual(times, 1, key)
    }))

  for (const command of ["blmpop", "xadd"]) {
    it.live(`run ${command.toUpperCase()}: callers get an error at once`, () =>
      Effect.gen(function*() {
        const world = yield* Trouble.make()
        yield* world.startWorker()
        yield* allow(world, `-${command}`)
        const client = yield* world.startClient(user)
        const asking = client.request(Trouble.Do, { key: "key" }, { timeout: "5 minutes" })
        const results = yield* Effect.all(Array.from({ length: 50 }, () => Effect.flip(asking)), {
          concurrency: "unbounded"
        })
        for (const error of results) {
          assert.strictEqual(error._tag, "RedisError")
          assert.match(String("cause" in error ? error.cause : ""), /NOPERM/)
        }
      }))
  }
})

describe("a key that holds another type", () => {
  for (const key of ["stream", "deadLetters", "retryDue", "retryRecords", "lease"] as const) {
    it.live(`in the place of ${key}, before the start: the worker says so and ends`, () =>
      Effect.gen(function*() {
        const world = yield* Trouble.make()
        yield* key === "lease"
          ? world.server.cli("LPUSH", world.names[key], "something")
          : world.server.cli("SET", world.names[key], "something")
        const keys = key === "stream" ? [] : yield* send(world)
        assertReason(yield* endOf(world), "WrongType")
        assert.strictEqual(world.handled.size, 0)
        yield* world.server.cli("DEL", world.names[key])
        yield* world.startWorker()
        yield* Trouble.nothingLost(world, keys)
      }))
  }

  it.live("in the place of the stream, while it runs: worker and callers get an error", () =>
    Effect.gen(function*() {
      const { client, load, process, world } = yield* Trouble.working()
      yield* load.stop
      yield* world.server.cli("SET", world.names.stream, "something")
      assertReason(yield* Effect.flip(process.worker.await), "WrongType")
      assert.strictEqual((yield* process.worker.status).state, "failed")
      const error = yield* Effect.flip(client.request(Trouble.Do, { key: "k" }, { timeout: "5 minutes" }))
      assert.match(String("cause" in error ? error.cause : error), /WRONGTYPE/)
      assert.strictEqual(world.logged(/^Error The worker of user has failed: .*another type/).length, 1)

      yield* world.server.cli("DEL", world.names.stream)
      const next = yield* world.startWorker()
      const after = yield* Trouble.startLoad(client, "after")
      yield* Trouble.worksAgain(world, next, after)
    }))

  it.live("in the place of the dead letters, while it runs: nothing that should be in it is lost", () =>
    Effect.gen(function*() {
      const world = yield* Trouble.make()
      const process = yield* world.startWorker()
      yield* world.server.cli("SET", world.names.deadLetters, "something")
      yield* world.server.cli("XADD", world.names.stream, "*", "data", "no action")
      assertReason(yield* Effect.flip(process.worker.await), "WrongType")
      assert.strictEqual(yield* world.pending, 1)
      yield* world.server.cli("DEL", world.names.deadLetters)
      yield* world.startWorker()
      yield* Trouble.nothingLost(world, [])
      assert.strictEqual(yield* world.server.cli("XLEN", world.names.deadLetters), 1)
    }))
})

describe("credentials", () => {
  it.live("that are wrong at the start fail the start, and are not shown", () =>
    Effect.gen(function*() {
      const world = yield* Trouble.make({ password: "right" })
      for (const wrong of [{ password: "wrong-password" }, { username: "nobody", password: "wrong-password" }, {}]) {
        const error = yield* Effect.flip(world.startWorker({}, wrong))
        assert.strictEqual(error._tag, "RedisStartError")
        assert.strictEqual("reason" in error ? error.reason._tag : "", "WrongPassword")
        assert.notInclude(error.message, "wrong-password")
      }
    }))

  it.live("that are no longer valid: worker and callers get an error, and the next worker with new ones loses nothing", () =>
    Effect.gen(function*() {
      const world = yield* Trouble.make()
      yield* allow(world)
      const process = yield* world.startWorker({ consumers: 2 }, user)
      const load = yield* Trouble.startLoad(yield* world.startClient(user))
      yield* Trouble.handledMore(world)

      yield* world.server.cli("ACL", "SETUSER", "worker", "resetpass", ">changed")
      yield* world.server.cli("CLIENT", "KILL", "USER", "worker")
      assertReason(yield* Effect.flip(process.worker.await), "NotAuthenticated")
      const before = load.failures.get("RedisError") ?? 0
      yield* until("callers are told", Effect.sync(() => (load.failures.get("RedisError") ?? 0) >= before + 5))
      yield* load.stop
      // Its end waits for nothing that cannot come.
      yield* process.stop

      const changed = { ...user, password: "changed" }
      const next = yield* world.startWorker({}, changed)
      const after = yield* Trouble.startLoad(yield* world.startClient(changed), "after")
      yield* Trouble.worksAgain(world, next, after)
      yield* Trouble.nothingLost(world, load.accepted)
      assert.isFalse(world.logs.some((line) => line.includes("secret") || line.includes("changed")))
    }))

  it.live("of a user who is removed while the worker runs end the worker, with the reason", () =>
    Effect.gen(function*() {
      const world = yield* Trouble.make()
      yield* allow(world)
      const process = yield* world.startWorker({}, user)
      yield* world.server.cli("ACL", "DELUSER", "worker")
      assertReason(yield* Effect.flip(process.worker.await), "NotAuthenticated")
    }))
})

describe("a server that may lose what it was given", () => {
  const warned = Effect.fnUntraced(function*(config: ReadonlyArray<string>, redis?: typeof user) {
    const world = yield* Trouble.make({ config })
    yield* allow(world, "-config")
    yield* world.startWorker({}, redis)
    return world.logged(/^Warn /)
  })

  it.live("because it evicts keys is warned of at the start", () =>
    Effect.gen(function*() {
      const lines = yield* warned(["maxmemory-policy allkeys-lru", "appendonly yes"])
      assert.strictEqual(lines.length, 1)
      assert.match(lines[0]!, /evicts any key .*allkeys-lru.*noeviction/)
    }))

  it.live("because it keeps nothing on disk is warned of at the start", () =>
    Effect.gen(function*() {
      const lines = yield* warned(["save \"\"", "appendonly no"])
      assert.strictEqual(lines.length, 1)
      assert.match(lines[0]!, /keeps nothing on disk.*appendonly yes/)
    }))

  it.live("is not warned of when it does neither, nor when it may not be asked", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* warned(["appendonly yes"]), [])
      assert.deepStrictEqual(yield* warned(["save 60 1", "appendonly no"]), [])
      assert.deepStrictEqual(yield* warned(["save \"\"", "appendonly no"], user), [])
    }))
})
