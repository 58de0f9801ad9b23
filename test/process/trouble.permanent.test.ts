/**
 * Refusals that do not pass by themselves end a worker with the server's words; those that may are waited for, and shown.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as trouble from "../../src/internal/redis/trouble.ts"
import { RedisError } from "../../src/Redis.ts"
import { WorkerError } from "../../src/WorkerError.ts"
import { recording } from "../support/logs.ts"
import * as processes from "../support/processes.ts"
import * as redisServer from "../support/redisServer.ts"
import * as Trouble from "../support/troubleWorld.ts"
import { until } from "../support/until.ts"

const bound = 30_000

/** The error of a worker that does not start. */
const startError = Effect.fnUntraced(function*(world: Trouble.World) {
  const error = yield* Effect.flip(world.startWorker()).pipe(Effect.timeout("15 seconds"))
  assert.instanceOf(error, WorkerError)
  return error
})

describe("a server that cannot do what a worker needs", () => {
  it.live("ends the start of a worker when it is a node of a cluster", () =>
    Effect.gen(function*() {
      const world = yield* Trouble.make({ config: ["cluster-enabled yes"] })
      yield* world.server.cli("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
      yield* until(
        "the cluster is there",
        Effect.map(world.server.cli("CLUSTER", "INFO"), (info) => String(info).includes("cluster_state:ok"))
      )
      const error = yield* startError(world)
      assert.strictEqual(error.reason._tag, "Unsupported")
      assert.match(error.message, /CROSSSLOT Keys in request.*IoRedis\.layerCluster/)
    }), bound)

  for (const command of ["EVALSHA", "XCLAIM", "XPENDING", "XGROUP", "TIME", "HSET", "LPUSH"]) {
    it.live(`ends the start of a worker when it has no ${command}`, () =>
      Effect.gen(function*() {
        const world = yield* Trouble.make({ config: [`rename-command ${command} ""`] })
        const error = yield* startError(world)
        assert.strictEqual(error.reason._tag, "Unsupported")
        assert.match(error.message, /unknown (redis )?command.*allow it again/i)
      }), bound)
  }

  for (const command of ["XREADGROUP", "XLEN"]) {
    it.live(`ends a worker that has started when it has no ${command}`, () =>
      Effect.gen(function*() {
        const world = yield* Trouble.make({ config: [`rename-command ${command} ""`] })
        const { worker } = yield* world.startWorker()
        const error = yield* Effect.flip(worker.await).pipe(Effect.timeout("20 seconds"))
        assert.instanceOf(error, WorkerError)
        assert.strictEqual(error.reason._tag, "Unsupported")
        assert.match(error.message, /unknown (redis )?command/i)
      }), bound)
  }

  it.live("is used all the same when it lacks only what a worker can do without", () =>
    Effect.gen(function*() {
      const world = yield* Trouble.make({
        config: ["CONFIG", "CLIENT", "COMMAND", "INFO"].map((command) => `rename-command ${command} ""`)
      })
      const process = yield* world.startWorker()
      const client = yield* world.startClient()
      assert.strictEqual((yield* client.request(Trouble.Do, { key: "a" })).key, "a")
      assert.strictEqual((yield* process.worker.status).state, "running")
      assert.strictEqual((yield* process.worker.status).trouble.size, 0)
    }), bound)
})

describe("a server that refuses for a while", () => {
  it.live(
    "is named by the health of a worker that starts, which starts when it takes writes",
    () =>
      Effect.gen(function*() {
        const server = yield* redisServer.start({ config: ["replicaof 127.0.0.1 1"] })
        const port = yield* redisServer.freePort
        yield* processes.start("../../examples/observed/worker", {
          env: { SERVICE_NAME: "user", REDIS_URL: server.url, PORT: String(port), WORKER_BLOCK: "0.5" }
        })
        const ready = Effect.promise(() =>
          fetch(`http://127.0.0.1:${port}/health/ready`, { signal: AbortSignal.timeout(1_000) }).then(
            async (response) => `${response.status} ${await response.text()}`,
            () => ""
          )
        )
        yield* until(
          "the health says what is waited for",
          Effect.map(
            ready,
            (answer) =>
              /^503 .*The worker is starting.*Redis fails while starting the worker of .*: ReadOnly/.test(answer)
          ),
          20_000
        )
        yield* server.cli("REPLICAOF", "NO", "ONE")
        yield* until("it is ready", Effect.map(ready, (answer) => answer.startsWith("200 ")), 20_000)
      }),
    bound
  )

  it.effect("is warned of once a minute, with its words", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const refused = new RedisError({ cause: new Error("MISCONF Redis is configured to save RDB snapshots") })
      const waiting = yield* Effect.forkChild(
        trouble.make("user").around("starting", Effect.fail(refused)).pipe(
          Effect.provide(recording(lines))
        )
      )
      for (let second = 0; second < 200; second++) yield* TestClock.adjust("1 second")
      assert.lengthOf(lines, 4)
      assert.match(
        lines[0]!,
        /^Redis failed: MISCONF .* \(while starting\)\. This process tries again until it works$/
      )
      for (const line of lines.slice(1)) {
        assert.match(line, /^Redis still fails after \d+ (s|min): MISCONF Redis is configured/)
      }
      yield* Fiber.interrupt(waiting)
    }))
})
