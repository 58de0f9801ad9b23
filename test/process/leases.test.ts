/**
 * Who owns an entry: what dead consumers left is taken once, what a live one holds is never taken, and one that was
 * silent for too long writes nothing.
 */
import { assert, describe, it, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import type * as DomainAction from "../../src/DomainAction.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import { Redis } from "../../src/Redis.ts"
import * as RedisMemory from "../../src/RedisMemory.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import { actionOf, bound, idsOf, numbered, type Pending, service, started } from "../support/jobs.ts"
import * as Server from "../support/redisServer.ts"
import { until } from "../support/until.ts"

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

  it.effect("of an entry that was deleted ends, and the loss is told", () =>
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
      yield* other.line(/1 pending entries of .* were deleted by others: they are lost/)
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
        yield* frozen.line(/1 entries were taken over by another consumer/)
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

  it.effect("that ran out is no lease to settle with: the second answer is not sent", () =>
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
      yield* hasty.line(/has claimIdle 300000 ms, this one 100 ms: the longer one holds/, started)
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

// -----------------------------------------------------------------------------
// in this process
// -----------------------------------------------------------------------------

const Memory = Layer.merge(QueueNaming.layer, RedisMemory.layer).pipe(
  Layer.provideMerge(Settings.layerOf({ serviceName: "job", environment: "test" }))
)

const stream = "nooble4:test:job:streams:main"
const inbox = "nooble4:test:client:responses:job_hold:1"

const command = <A = unknown>(name: string, ...args: ReadonlyArray<string>) =>
  Effect.flatMap(Redis, (redis) => redis.send<A>(name, ...args))

const send = (id: string, number = 1, list?: string) =>
  command<string>("XADD", stream, "*", "data", actionOf("job.hold", number, { data: { id }, list }))

const pending = command<ReadonlyArray<Pending>>("XPENDING", stream, "job-group", "-", "+", "100")

/** What a process leaves that read entries and died: no more than Redis's own list. */
const crashed = Effect.andThen(
  Effect.ignore(command("XGROUP", "CREATE", stream, "job-group", "0", "MKSTREAM")),
  command("XREADGROUP", "GROUP", "job-group", "dead", "COUNT", "100", "STREAMS", stream, ">")
)

/** Another process takes an entry over. */
const takeOver = (id: string) => command("XCLAIM", stream, "job-group", "other", "0", id)

const held = Effect.gen(function*() {
  const runs = yield* Queue.unbounded<string>()
  const go = yield* Deferred.make<void>()
  const events: Array<string> = []
  return {
    runs,
    go,
    events,
    handlers: {
      "job.hold": (
        { data }: DomainAction.DomainAction,
        { attempt, deliveries }: { readonly attempt: number; readonly deliveries: number }
      ) =>
        Queue.offer(runs, `${String(data["id"])} attempt=${attempt} deliveries=${deliveries}`).pipe(
          Effect.andThen(Deferred.await(go)),
          Effect.onExit((exit) =>
            Effect.sync(() => {
              events.push(`${String(data["id"])} ${Exit.isSuccess(exit) ? "done" : "interrupted"}`)
            })
          )
        )
    }
  }
})

const logged = Effect.gen(function*() {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => {
    lines.push(String(message))
  })
  return { lines, layer: Logger.layer([logger]) }
})

const onMemory = <A, E>(
  effect: Effect.Effect<A, E, Redis | QueueNaming.QueueNaming | Settings.Settings | Scope.Scope>
) => effect.pipe(Effect.scoped, Effect.provide(Memory))

describe("Under TestClock, a lease", () => {
  it.effect("of a dead consumer holds for its time, and then each entry has one new owner", () =>
    onMemory(Effect.gen(function*() {
      const { go, handlers, runs } = yield* held
      for (let i = 0; i < 10; i++) yield* send(`a${i}`, i)
      yield* crashed
      for (let i = 0; i < 3; i++) yield* Worker.start(handlers)
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(yield* Queue.size(runs), 0)
      // The sweep comes every quarter of the lease, give or take.
      yield* TestClock.adjust("25 seconds")
      assert.sameMembers(
        yield* Queue.takeN(runs, 10),
        Array.from({ length: 10 }, (_, i) => `a${i} attempt=1 deliveries=2`)
      )
      yield* TestClock.adjust("3 minutes")
      assert.strictEqual(yield* Queue.size(runs), 0)
      assert.strictEqual((yield* pending).every((row) => row[3] === 2), true)
      yield* Deferred.succeed(go, undefined)
      yield* until("all is settled", Effect.map(pending, (rows) => rows.length === 0))
    })))

  it.effect("is kept by whoever renews it, beside other workers", () =>
    onMemory(Effect.gen(function*() {
      const { go, handlers, runs } = yield* held
      yield* Worker.start(handlers)
      yield* send("a")
      yield* Queue.take(runs)
      const [before] = yield* pending
      yield* Worker.start(handlers)
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual(yield* Queue.size(runs), 0)
      const [after] = yield* pending
      assert.strictEqual(after![1], before![1])
      assert.strictEqual(after![3], 1)
      yield* Deferred.succeed(go, undefined)
      yield* until("it is settled", Effect.map(pending, (rows) => rows.length === 0))
    })))

  it.effect("is kept for what was read ahead and has not started, too", () =>
    onMemory(Effect.gen(function*() {
      const { go, handlers, runs } = yield* held
      yield* Worker.start(handlers, { concurrency: 1, readAhead: 5 })
      for (let i = 0; i < 6; i++) yield* send(`a${i}`, i)
      assert.strictEqual(yield* Queue.take(runs), "a0 attempt=1 deliveries=1")
      yield* until("all are read", Effect.map(pending, (rows) => rows.length === 6))
      yield* Worker.start(handlers)
      yield* TestClock.adjust("3 minutes")
      assert.strictEqual(yield* Queue.size(runs), 0)
      yield* Deferred.succeed(go, undefined)
      assert.deepStrictEqual(
        yield* Queue.takeN(runs, 5),
        Array.from({ length: 5 }, (_, i) => `a${i + 1} attempt=1 deliveries=1`)
      )
    })))

  for (
    const [what, options] of [
      ["is paused", {}],
      ["has no room", { concurrency: 1, readAhead: 0 }]
    ] as const
  ) {
    it.effect(`is the long one of a worker that ${what}, beside one with a shorter lease`, () =>
      onMemory(Effect.gen(function*() {
        const { go, handlers, runs } = yield* held
        const patient = yield* Worker.start(handlers, { claimIdle: "10 minutes", ...options })
        yield* send("a")
        yield* Queue.take(runs)
        if (what === "is paused") yield* patient.pause
        yield* Worker.start(handlers, { claimIdle: "1 minute" })
        for (let minutes = 0; minutes < 60; minutes++) yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* Queue.size(runs), 0)
        yield* Deferred.succeed(go, undefined)
        yield* until("it is settled", Effect.map(pending, (rows) => rows.length === 0))
      })))
  }

  it.effect("is kept by whoever renews it, also when a longer one that held for all is forgotten", () =>
    onMemory(Effect.gen(function*() {
      const { go, handlers, runs } = yield* held
      const patient = yield* Worker.start(handlers, { claimIdle: "10 minutes" })
      yield* Worker.start(handlers, { claimIdle: "30 seconds" })
      yield* patient.drain
      yield* send("a")
      yield* Queue.take(runs)
      yield* Worker.start(handlers, { claimIdle: "5 seconds" })
      // In short steps, so that each renewal is through before the next is due.
      for (let seconds = 0; seconds < 2_400; seconds += 2) yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* Queue.size(runs), 0)
      yield* Deferred.succeed(go, undefined)
      yield* until("it is settled", Effect.map(pending, (rows) => rows.length === 0))
    })))

  it.effect("that another took over ends the handler at the next renewal, and nothing is written", () =>
    onMemory(Effect.gen(function*() {
      const { events, go, handlers, runs } = yield* held
      const worker = yield* Worker.start(handlers)
      const id = yield* send("a", 1, inbox)
      yield* Queue.take(runs)
      yield* takeOver(id)
      yield* TestClock.adjust("19 seconds")
      assert.deepStrictEqual(events, [])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(events, ["a interrupted"])
      assert.deepStrictEqual((yield* pending).map((row) => row[1]), ["other"])
      assert.strictEqual(yield* command("EXISTS", inbox), 0)
      // It goes on working.
      yield* Deferred.succeed(go, undefined)
      yield* send("b", 2)
      assert.strictEqual(yield* Queue.take(runs), "b attempt=1 deliveries=1")
      assert.strictEqual((yield* worker.status).state, "running")
    })))

  it.effect("that another took over is no lease to settle with", () =>
    onMemory(Effect.gen(function*() {
      const { events, go, handlers, runs } = yield* held
      const { layer, lines } = yield* logged
      yield* Effect.gen(function*() {
        yield* Worker.start(handlers)
        const id = yield* send("a", 1, inbox)
        yield* Queue.take(runs)
        yield* takeOver(id)
        yield* Deferred.succeed(go, undefined)
        yield* until("it has ended", Effect.sync(() => events.length === 1))
        yield* until("it is refused", Effect.sync(() => lines.some((line) => line.includes("another consumer owns"))))
        assert.deepStrictEqual(events, ["a done"])
        assert.deepStrictEqual((yield* pending).map((row) => row[1]), ["other"])
        assert.strictEqual(yield* command("EXISTS", inbox), 0)
        assert.strictEqual(yield* command("XLEN", stream), 1)
      }).pipe(Effect.provide(layer))
    })))

  it.effect("of a deleted entry is cleaned, and the loss is told", () =>
    onMemory(Effect.gen(function*() {
      const { go, handlers, runs } = yield* held
      const { layer, lines } = yield* logged
      yield* Effect.gen(function*() {
        yield* send("a", 1)
        const gone = yield* send("b", 2)
        yield* crashed
        yield* command("XDEL", stream, gone)
        yield* Worker.start(handlers)
        yield* TestClock.adjust("90 seconds")
        assert.strictEqual(yield* Queue.take(runs), "a attempt=1 deliveries=2")
        assert.lengthOf(yield* pending, 1)
        assert.isTrue(lines.some((line) => line.includes("1 pending entries") && line.includes("they are lost")))
        yield* Deferred.succeed(go, undefined)
      }).pipe(Effect.provide(layer))
    })))

  it.effect("is the longest of all live workers, and shrinks when the patient ones are gone", () =>
    onMemory(Effect.gen(function*() {
      const { go, handlers, runs } = yield* held
      const { layer, lines } = yield* logged
      yield* Deferred.succeed(go, undefined)
      yield* Effect.gen(function*() {
        yield* send("a")
        yield* crashed
        const patient = yield* Worker.start(handlers, { claimIdle: "2 minutes" })
        const hasty = yield* Worker.start(handlers, { claimIdle: "5 seconds" })
        assert.strictEqual((yield* hasty.status).lease, 120_000)
        assert.isTrue(lines.some((line) => line.includes("has claimIdle 120000 ms, this one 5000 ms")))
        yield* TestClock.adjust("119 seconds")
        assert.strictEqual(yield* Queue.size(runs), 0)
        yield* TestClock.adjust("40 seconds")
        assert.strictEqual(yield* Queue.take(runs), "a attempt=1 deliveries=2")

        // It might only be partitioned: it is waited for three times as long.
        yield* patient.drain
        yield* TestClock.adjust("7 minutes")
        assert.strictEqual((yield* hasty.status).lease, 5_000)
        yield* hasty.drain
        yield* send("b", 2)
        yield* crashed
        yield* Worker.start(handlers, { claimIdle: "5 seconds" })
        yield* TestClock.adjust("12 seconds")
        assert.strictEqual(yield* Queue.take(runs), "b attempt=1 deliveries=2")
      }).pipe(Effect.scoped, Effect.provide(layer))
    })))
})
