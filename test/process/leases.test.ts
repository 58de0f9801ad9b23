/**
 * Who owns an entry: what dead consumers left is taken once, what a live one holds is never taken, and one that was
 * silent for too long writes nothing.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { bound, idsOf, numbered, service, started } from "../support/jobs.ts"
import * as Server from "../support/redisServer.ts"
import { until } from "../support/until.ts"
import type { Pending } from "../support/view.ts"

// -----------------------------------------------------------------------------
// processes
// -----------------------------------------------------------------------------

const lease = { WORKER_CLAIM_IDLE: "1 second" }

const ownersOf = (rows: ReadonlyArray<Pending>) => new Set(rows.map((row) => row[1]))

layer(Server.layer(), { excludeTestServices: true, concurrent: true, timeout: 60_000 })("A lease", (it) => {
  it.effect("that a crashed process held is taken by the others, each entry once", () =>
    Effect.gen(function*() {
      const server = yield* Server.RedisServer
      const jobs = service(server)
      const crashing = yield* jobs.start(lease)
      yield* jobs.add("job.hold", numbered(0, 20))
      yield* crashing.linesOf(/@ started/, 20, started)
      const others = yield* Effect.all([jobs.start(lease), jobs.start(lease)])
      yield* jobs.reading(3)
      yield* crashing.signal("SIGKILL")
      const lines = () => others.flatMap((other) => other.lines())
      const count = (pattern: RegExp) => lines().filter((line) => pattern.test(line)).length
      yield* until("all are taken", Effect.sync(() => count(/@ started/) === 20), 20_000)
      yield* jobs.go
      yield* jobs.allDone
      assert.deepStrictEqual(idsOf(lines().filter((line) => line.startsWith("@ started"))), numbered(0, 20))
      assert.strictEqual(count(/@ started \S+ attempt=1 deliveries=2/), 20)
      assert.strictEqual(count(/@ ended/), 20)
    }), bound)

  it.effect("of an entry that was deleted ends, and the loss is reported", () =>
    Effect.gen(function*() {
      const server = yield* Server.RedisServer
      const jobs = service(server)
      const crashing = yield* jobs.start(lease)
      const ids = yield* jobs.add("job.hold", numbered(0, 3))
      yield* crashing.linesOf(/@ started/, 3, started)
      yield* crashing.signal("SIGKILL")
      yield* crashing.ended()
      yield* server.cli("XDEL", jobs.stream, ids[1]!)
      yield* jobs.go
      const other = yield* jobs.start(lease)
      yield* other.linesOf(/@ ended/, 2, started)
      yield* other.line(/1 pending entries of .* are lost: another program deleted them/)
      yield* jobs.allDone
      assert.deepStrictEqual(yield* jobs.pending, [])
      assert.deepStrictEqual(idsOf(other.lines().filter((line) => line.startsWith("@ ended"))), ["j000", "j002"])
    }), bound)

  it.effect(
    "is renewed as long as the handler runs, and its deliveries are not counted up",
    () =>
      Effect.gen(function*() {
        const server = yield* Server.RedisServer
        const jobs = service(server)
        const programs = yield* Effect.all([jobs.start(lease), jobs.start(lease)])
        yield* jobs.reading(2)
        yield* jobs.add("job.hold", ["a"])
        const starts = () => programs.reduce((sum, program) => sum + program.count(/@ started/), 0)
        yield* until("it started", Effect.sync(() => starts() === 1))
        // Six renewals are two leases: each sets the idle time back.
        let renewals = 0
        let before = 0
        yield* until(
          "it is renewed six times",
          Effect.map(jobs.pending, ([row]) => {
            assert.strictEqual(row![3], 1)
            if (row![2] < before) renewals++
            before = row![2]
            return renewals >= 6
          }),
          30_000
        )
        assert.strictEqual(starts(), 1)
        yield* jobs.go
        yield* jobs.allDone
        assert.strictEqual(starts(), 1)
      }),
    bound
  )

  it.effect(
    "that ran out while the process was frozen is another's: the first one's handler ends and writes nothing",
    () =>
      Effect.gen(function*() {
        const server = yield* Server.RedisServer
        const jobs = service(server)
        const list = `nooble4:dev:client:responses:job_hold:${jobs.name}`
        const frozen = yield* jobs.start(lease)
        yield* jobs.send("job.hold", "a", { list })
        yield* frozen.line(/@ started a/, started)
        const other = yield* jobs.start(lease)
        yield* jobs.reading(2)
        yield* frozen.signal("SIGSTOP")
        yield* other.line(/@ started a attempt=1 deliveries=2/, 20_000)
        yield* frozen.signal("SIGCONT")
        yield* frozen.line(/@ interrupted a/)
        yield* frozen.line(/1 entries of .* were taken over/)
        assert.strictEqual(yield* server.cli("EXISTS", list), 0)

        yield* jobs.go
        yield* other.line(/@ ended a/)
        yield* jobs.allDone
        assert.strictEqual(yield* server.cli("LLEN", list), 1)

        // It goes on working.
        yield* other.signal("SIGTERM")
        yield* other.ended()
        yield* jobs.add("job.quick", ["b"])
        yield* frozen.line(/@ quick b/)
      }),
    bound
  )

  it.effect("that ran out does not allow a settlement: the second answer is not sent", () =>
    Effect.gen(function*() {
      const server = yield* Server.RedisServer
      const jobs = service(server)
      const list = `nooble4:dev:client:responses:job_hold:${jobs.name}`
      const frozen = yield* jobs.start(lease)
      yield* jobs.send("job.stubborn", "a", { list })
      yield* frozen.line(/@ started a/, started)
      const other = yield* jobs.start(lease)
      yield* jobs.reading(2)
      yield* frozen.signal("SIGSTOP")
      yield* other.line(/@ started a/, 20_000)
      yield* jobs.go
      yield* other.line(/@ ended a/)
      yield* jobs.allDone
      yield* frozen.signal("SIGCONT")
      yield* frozen.line(/@ ended a/)
      // It settles in the order of its handlers: once a later action is settled, so is this one.
      yield* other.signal("SIGTERM")
      yield* other.ended()
      yield* jobs.add("job.quick", ["b"])
      yield* frozen.line(/@ quick b/)
      yield* jobs.allDone
      assert.strictEqual(yield* server.cli("LLEN", list), 1)
      assert.deepStrictEqual(yield* jobs.deadLetters, [])
    }), bound)

  it.effect("that ran out while the event loop was blocked is another's, too", () =>
    Effect.gen(function*() {
      const server = yield* Server.RedisServer
      const jobs = service(server)
      const blocked = yield* jobs.start(lease)
      yield* jobs.reading(1)
      yield* jobs.send("job.block", "a", { data: { ms: 8_000 } })
      yield* blocked.line(/@ blocking a/, started)
      const other = yield* jobs.start(lease)
      yield* other.line(/@ started a attempt=1 deliveries=2/, started)
      yield* blocked.line(/@ interrupted a/, 20_000)
      assert.strictEqual(yield* jobs.length, 1)
      yield* jobs.go
      yield* jobs.allDone
      assert.strictEqual(other.count(/@ ended a/), 1)
      assert.strictEqual(blocked.count(/@ ended/), 0)
      assert.isTrue(blocked.isRunning())
    }), bound)

  it.effect("is as long as the most patient worker wants it, and the others say so", () =>
    Effect.gen(function*() {
      const server = yield* Server.RedisServer
      const jobs = service(server)
      const patient = yield* jobs.start({ WORKER_CLAIM_IDLE: "5 minutes" })
      yield* jobs.reading(1)
      yield* jobs.add("job.hold", ["a"])
      yield* patient.line(/@ started a/, started)
      const hasty = yield* jobs.start({ WORKER_CLAIM_IDLE: "100 millis" })
      yield* hasty.line(/has claimIdle 300000 ms, and this one 100 ms: the longer one applies/, started)
      yield* jobs.reading(2)
      // A hundred times what the hasty one wanted, and it still works on what is new.
      yield* until("it is idle for 10 seconds", Effect.map(jobs.pending, ([row]) => row![2] > 10_000), 30_000)
      assert.strictEqual(hasty.count(/@ started/), 0)
      assert.strictEqual(ownersOf(yield* jobs.pending).size, 1)
      yield* jobs.go
      yield* jobs.allDone
      assert.strictEqual(patient.count(/@ ended a/), 1)
    }), bound)
})
