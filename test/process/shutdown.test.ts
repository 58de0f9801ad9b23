/**
 * The end of a worker: what runs is finished or given back, and nothing is lost.
 */
import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { bound, idsOf, numbered, service, started } from "../support/jobs.ts"
import * as Server from "../support/redisServer.ts"
import { until } from "../support/until.ts"

// -----------------------------------------------------------------------------
// processes
// -----------------------------------------------------------------------------

layer(Server.layer(), { excludeTestServices: true, concurrent: true, timeout: 60_000 })("SIGTERM", (it) => {
  it.effect("lets 50 running handlers finish under a blocked read, and ends with 0", () =>
    Effect.gen(function*() {
      const server = yield* Server.RedisServer
      const jobs = service(server)
      const program = yield* jobs.start({ WORKER_BLOCK: "2 minutes" })
      yield* jobs.add("job.hold", numbered(0, 50))
      yield* program.linesOf(/@ started/, 50, started)
      yield* program.signal("SIGTERM")
      yield* jobs.readingEnded
      assert.isTrue(program.isRunning())
      yield* jobs.add("job.hold", ["late"])
      yield* jobs.go
      assert.deepStrictEqual(yield* program.ended(), { status: 0, signal: null })
      assert.deepStrictEqual(idsOf(program.lines().filter((line) => line.startsWith("@ ended"))), numbered(0, 50))
      assert.strictEqual(program.count(/@ (interrupted|started late)/), 0)
      assert.deepStrictEqual(yield* jobs.pending, [])
      assert.strictEqual(yield* jobs.length, 1)
      assert.deepStrictEqual(yield* jobs.consumers, [])

      const next = yield* jobs.start()
      yield* next.line(/@ ended late/, started)
      assert.strictEqual(next.count(/@ started/), 1)
    }), bound)

  it.effect("gives back what has not started, and the next worker handles it at once", () =>
    Effect.gen(function*() {
      const server = yield* Server.RedisServer
      const jobs = service(server)
      // All there before the first read: how much the later ones take hangs on what the first one brought.
      yield* jobs.add("job.hold", numbered(0, 50))
      const program = yield* jobs.start({ WORKER_CONCURRENCY: "20", WORKER_CLAIM_IDLE: "1 hour" })
      yield* program.linesOf(/@ started/, 20, started)
      // Up to forty ahead of twenty that run.
      yield* until("it reads ahead", Effect.map(jobs.pending, (rows) => rows.length === 50))
      yield* program.signal("SIGTERM")
      yield* jobs.readingEnded
      yield* jobs.go
      assert.deepStrictEqual(yield* program.ended(), { status: 0, signal: null })
      assert.strictEqual(program.count(/@ ended/), 20)
      assert.strictEqual(program.count(/@ started/), 20)
      const left = yield* jobs.pending
      assert.lengthOf(left, 30)
      assert.deepStrictEqual(new Set(left.map((row) => row[1])), new Set([jobs.waiting]))

      const next = yield* jobs.start({ WORKER_CLAIM_IDLE: "1 hour" })
      yield* next.linesOf(/@ ended/, 30, started)
      yield* jobs.allDone
      const all = [...program.lines(), ...next.lines()].filter((line) => line.startsWith("@ ended"))
      assert.deepStrictEqual(idsOf(all), numbered(0, 50))
      // A release costs no attempt.
      assert.strictEqual(next.count(/attempt=1 /), 30)
    }), bound)

  it.effect("interrupts what runs longer than the grace, gives it back, and ends with 0", () =>
    Effect.gen(function*() {
      const server = yield* Server.RedisServer
      const jobs = service(server)
      const program = yield* jobs.start({ WORKER_SHUTDOWN_GRACE: "100 millis", WORKER_CLAIM_IDLE: "1 hour" })
      yield* jobs.add("job.hold", numbered(0, 50))
      yield* program.linesOf(/@ started/, 50, started)
      yield* program.signal("SIGTERM")
      assert.deepStrictEqual(yield* program.ended(), { status: 0, signal: null })
      assert.strictEqual(program.count(/@ interrupted/), 50)
      assert.lengthOf(yield* jobs.pending, 50)

      yield* jobs.go
      const next = yield* jobs.start({ WORKER_CLAIM_IDLE: "1 hour" })
      yield* next.linesOf(/@ ended/, 50, started)
      assert.strictEqual(next.count(/@ started \S+ attempt=1 deliveries=2/), 50)
      yield* jobs.allDone
    }), bound)

  it.effect("gives back what cannot be interrupted, too", () =>
    Effect.gen(function*() {
      const server = yield* Server.RedisServer
      const jobs = service(server)
      const program = yield* jobs.start({ WORKER_SHUTDOWN_GRACE: "0", WORKER_CLAIM_IDLE: "1 hour" })
      yield* jobs.add("job.stubborn", ["a"])
      yield* program.line(/@ started a/, started)
      yield* program.signal("SIGTERM")
      assert.deepStrictEqual(yield* program.ended(20_000), { status: 0, signal: null })
      yield* program.line(/did not end within 5 s of their interruption/)
      assert.deepStrictEqual((yield* jobs.pending).map((row) => row[1]), [jobs.waiting])
      yield* jobs.go
      const next = yield* jobs.start({ WORKER_CLAIM_IDLE: "1 hour" })
      yield* next.line(/@ ended a/, started)
    }), bound)

  it.effect("loses nothing when it comes again, and again", () =>
    Effect.gen(function*() {
      const server = yield* Server.RedisServer
      const jobs = service(server)
      const program = yield* jobs.start({ WORKER_CONCURRENCY: "20", WORKER_BLOCK: "2 minutes" })
      yield* jobs.add("job.hold", numbered(0, 30))
      yield* program.linesOf(/@ started/, 20, started)
      yield* program.signal("SIGTERM")
      yield* program.signal("SIGTERM")
      yield* jobs.readingEnded
      yield* program.signal("SIGTERM")
      yield* program.signal("SIGINT")
      yield* jobs.go
      yield* program.signal("SIGTERM")
      assert.deepStrictEqual(yield* program.ended(), { status: 0, signal: null })
      assert.strictEqual(program.count(/@ interrupted/), 0)

      const next = yield* jobs.start()
      yield* next.linesOf(/@ ended/, 30 - program.count(/@ ended/), started)
      yield* jobs.allDone
      const all = [...program.lines(), ...next.lines()].filter((line) => line.startsWith("@ ended"))
      assert.deepStrictEqual(idsOf(all), numbered(0, 30))
    }), bound)

  it.effect("ends an idle worker with 0, and its consumers are gone", () =>
    Effect.gen(function*() {
      const server = yield* Server.RedisServer
      const jobs = service(server)
      const program = yield* jobs.start({ WORKER_BLOCK: "2 minutes", NUM_INTERNAL_WORKERS: "3" })
      yield* jobs.add("job.quick", ["a"])
      yield* program.line(/@ quick a/, started)
      yield* until("it is settled", Effect.map(jobs.length, (length) => length === 0))
      yield* program.signal("SIGINT")
      assert.deepStrictEqual(yield* program.ended(), { status: 0, signal: null })
      assert.deepStrictEqual(yield* jobs.consumers, [])
    }), bound)
})

describe("SIGTERM without a server", () => {
  it.live(
    "ends all the same, and what could not be settled is handled again after its lease",
    () =>
      Effect.gen(function*() {
        const server = yield* Server.start({ config: ["appendonly yes", "appendfsync always"] })
        const jobs = service(server)
        const program = yield* jobs.start({ WORKER_SHUTDOWN_GRACE: "100 millis", WORKER_CLAIM_IDLE: "1 second" })
        yield* jobs.add("job.hold", numbered(0, 5))
        yield* program.linesOf(/@ started/, 5, started)
        yield* server.stop
        yield* program.signal("SIGTERM")
        assert.deepStrictEqual(yield* program.ended(20_000), { status: 0, signal: null })
        yield* server.restart
        yield* jobs.go
        const next = yield* jobs.start({ WORKER_CLAIM_IDLE: "1 second" })
        yield* next.linesOf(/@ ended/, 5, started)
        yield* jobs.allDone
      }),
    60_000
  )
})
