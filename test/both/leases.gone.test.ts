/**
 * Entries that a worker holds and others take, settle, acknowledge or delete: nothing is started whose lease may be over,
 * and what happened is reported as what it was.
 */
import { assert, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as TestClock from "effect/testing/TestClock"
import { renew } from "../../src/internal/scripts/lease.ts"
import { takeOwn } from "../../src/internal/scripts/take.ts"
import * as Metrics from "../../src/Metrics.ts"
import * as RedisFaults from "../../src/testing/RedisFaults.ts"
import * as Worker from "../../src/Worker.ts"
import { counted } from "../support/counted.ts"
import { eventually, inMemory, onBoth, pendingOf, Place, send, type Services } from "../support/layers.ts"
import * as Model from "../support/modelWorld.ts"
import { describeInMemory } from "../support/place.ts"
import { sendAction } from "../support/world.ts"

/** Handlers that run until they are let go. */
const holding = Effect.gen(function*() {
  const go = yield* Deferred.make<void>()
  const runs: Array<string> = []
  const ends: Array<string> = []
  return {
    go: Deferred.succeed(go, undefined),
    runs,
    ends,
    handlers: {
      "user.create": ({ data }: { readonly data: { readonly [key: string]: unknown } }) => {
        const name = String(data["does"])
        runs.push(name)
        return Effect.onExit(Deferred.await(go), (exit) =>
          Effect.sync(() => {
            ends.push(`${name} ${Exit.isSuccess(exit) ? "done" : "interrupted"}`)
          }))
      }
    }
  }
})

/** A clock whose monotonic time can jump without a timer firing, as it does for a process that is frozen. */
const makeFreezer = Effect.map(Clock.Clock, (clock) => {
  let stood = 0n
  const frozen: Clock.Clock = Object.create(clock, {
    monotonicTimeNanosUnsafe: { value: () => clock.monotonicTimeNanosUnsafe() + stood }
  })
  return {
    freeze: (seconds: number) =>
      Effect.sync(() => {
        stood += BigInt(seconds) * 1_000_000_000n
      }),
    provide: Effect.provideService(Clock.Clock, frozen)
  }
})

const names = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => `a${from + index}`)

const allPending = (count: number) =>
  Effect.gen(function*() {
    const place = yield* Place
    yield* eventually(`${count} are pending`, Effect.map(pendingOf(place.names), (rows) => rows.length === count))
  })

const takeOver = (ids: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const place = yield* Place
    yield* send("XCLAIM", place.names.stream, place.names.group, "other", 0, ...ids)
  })

const hasLog = (part: string | RegExp) =>
  Effect.map(
    Place,
    ({ logs }) => logs.filter(({ text }) => typeof part === "string" ? text.includes(part) : part.test(text))
  )

// -----------------------------------------------------------------------------
// nothing is started whose lease may be over
// -----------------------------------------------------------------------------

const fiveAndSix = { concurrency: 5, readAhead: 6 }

inMemory("A worker that lost its entries", (test) => {
  test("starts none of those that waited when it interrupts those that ran", () =>
    Effect.gen(function*() {
      const { pass } = yield* Place
      const { ends, handlers, runs } = yield* holding
      yield* Worker.start(handlers, { ...fiveAndSix, shutdownGrace: 0 })
      const sent = yield* Effect.forEach(names(0, 11), (does) => sendAction(does))
      yield* allPending(11)
      yield* eventually("five run", Effect.sync(() => runs.length === 5))
      yield* takeOver(sent.map(({ id }) => id))
      yield* pass("21 seconds")
      assert.deepStrictEqual(ends, names(0, 5).map((name) => `${name} interrupted`))
      assert.deepStrictEqual(runs, names(0, 5))
      assert.lengthOf(yield* hasLog(/^11 entries of .* were taken over/), 1)
    }))

  test("keeps and starts those that it did not lose", () =>
    Effect.gen(function*() {
      const { pass } = yield* Place
      const { ends, handlers, runs } = yield* holding
      yield* Worker.start(handlers, { ...fiveAndSix, shutdownGrace: 0 })
      const sent = yield* Effect.forEach(names(0, 11), (does) => sendAction(does))
      yield* allPending(11)
      yield* eventually("five run", Effect.sync(() => runs.length === 5))
      // All that run, and of those that wait all but the last.
      yield* takeOver(sent.slice(0, 10).map(({ id }) => id))
      yield* pass("21 seconds")
      assert.deepStrictEqual(ends, names(0, 5).map((name) => `${name} interrupted`))
      assert.deepStrictEqual(runs, [...names(0, 5), "a10"])
    }))
})

inMemory("A process that was frozen for longer than its lease", (test) => {
  const frozen = Effect.gen(function*() {
    const held = yield* holding
    const { freeze, provide } = yield* makeFreezer
    yield* provide(Worker.start(held.handlers, { ...fiveAndSix, shutdownGrace: 0, claimIdle: "1 minute" }))
    const sent = yield* Effect.forEach(names(0, 11), (does) => sendAction(does))
    yield* allPending(11)
    yield* eventually("five run", Effect.sync(() => held.runs.length === 5))
    return { ...held, freeze, ids: sent.map(({ id }) => id) }
  })

  test("starts nothing that others settled meanwhile, though its handlers end before it renews", () =>
    Effect.gen(function*() {
      const place = yield* Place
      const { ends, freeze, go, ids, runs } = yield* frozen
      yield* freeze(61)
      yield* takeOver(ids)
      yield* send("XACK", place.names.stream, place.names.group, ...ids)
      yield* send("XDEL", place.names.stream, ...ids)
      const lost = yield* counted(Metrics.leasesLost, { service: "user" })
      const gone = yield* counted(Metrics.entriesLost, { service: "user" })
      yield* go
      yield* eventually("they ended", Effect.sync(() => ends.length === 5))
      yield* eventually(
        "it is logged",
        Effect.map(hasLog("were taken over"), (found) => found.length > 0)
      )
      yield* place.pass("1 minute")
      assert.deepStrictEqual(runs, names(0, 5))
      // Those whose handlers ended first were decided: the fence tells of them.
      assert.isAtLeast((yield* counted(Metrics.leasesLost, { service: "user" })) - lost, 6)
      assert.strictEqual((yield* counted(Metrics.entriesLost, { service: "user" })) - gone, 0)
    }))

  test("starts what is still its own as soon as its lease is renewed, without waiting for the next renewal", () =>
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      const { freeze, go, runs } = yield* frozen
      yield* freeze(61)
      const before = clock.currentTimeMillisUnsafe()
      yield* go
      yield* eventually("all have run", Effect.sync(() => runs.length === 11))
      assert.isBelow(clock.currentTimeMillisUnsafe() - before, 5_000)
      yield* allPending(0)
      assert.deepStrictEqual(runs, names(0, 11))
    }))
})

describeInMemory("A reply that comes later than the lease", () => {
  it.effect("starts no entry that another process has taken over", () =>
    Effect.scoped(Effect.gen(function*() {
      const world = yield* Model.makeWorld((job) => Effect.succeed(Model.resultOf(job)))
      const worker = { claimIdle: 1_000 }
      const first = yield* world.start("a", { worker })
      yield* world.until("a has started", () => Effect.sync(() => first.worker() !== undefined))
      yield* first.faults.always(RedisFaults.delayReply("2500 millis"), "XREADGROUP")
      yield* first.faults.always(RedisFaults.fail, takeOwn)
      yield* TestClock.adjust("5 seconds")
      yield* world.ask(world.admin, "k", "00000000-0000-4000-8000-000000000001")
      yield* world.until("a has read it", () => Effect.map(world.pending, (rows) => rows.length === 1))
      yield* world.start("b", { worker })
      yield* world.until("b has run it", () => Effect.map(world.pending, (rows) => rows.length === 0))
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(world.runs.map((run) => run.process), ["b"])
    })))

  it.effect("does not keep a worker from starting what waits when all replies are that late", () =>
    Effect.scoped(Effect.gen(function*() {
      const world = yield* Model.makeWorld((job) => Effect.delay(Effect.succeed(Model.resultOf(job)), "5 seconds"))
      const process = yield* world.start("a", { worker: { concurrency: 1, readAhead: 3 } })
      yield* world.until("it has started", () => Effect.sync(() => process.worker() !== undefined))
      yield* process.faults.always(RedisFaults.delayReply("4 seconds"), renew)
      for (const n of [1, 2, 3]) {
        yield* world.ask(world.admin, String(n), `00000000-0000-4000-8000-00000000000${n}`)
      }
      yield* world.until("all run", () => Effect.sync(() => new Set(world.runs.map((run) => run.key)).size === 3))
      yield* world.until("all are settled", () => Effect.map(world.pending, (rows) => rows.length === 0))
      assert.deepStrictEqual([...new Set(world.runs.map((run) => run.key))], ["1", "2", "3"])
    })))
})

// -----------------------------------------------------------------------------
// what happened is told as what it was
// -----------------------------------------------------------------------------

const takenOver = /were taken over|another consumer has/

onBoth("An entry that is held here", (test) => {
  /** One that runs and one that waits, and then what somebody does to them. */
  const disturbed = (
    act: (at: {
      readonly stream: string
      readonly group: string
      readonly consumer: string
      readonly ids: ReadonlyArray<string>
    }) => Effect.Effect<unknown, unknown, Services>
  ) =>
    Effect.gen(function*() {
      const place = yield* Place
      const { group, stream } = place.names
      const held = yield* holding
      const worker = yield* Worker.start(held.handlers, {
        concurrency: 1,
        readAhead: 1,
        claimIdle: "600 millis",
        block: "100 millis",
        shutdownGrace: 0
      })
      const sent = yield* Effect.forEach(["runs", "waits"], (does) => sendAction(does))
      yield* allPending(2)
      const before = {
        leases: yield* counted(Metrics.leasesLost, { service: "user" }),
        entries: yield* counted(Metrics.entriesLost, { service: "user" })
      }
      const [row] = yield* pendingOf(place.names)
      yield* act({ stream, group, consumer: row![1], ids: sent.map(({ id }) => id) })
      const change = Effect.gen(function*() {
        return {
          leases: (yield* counted(Metrics.leasesLost, { service: "user" })) - before.leases,
          entries: (yield* counted(Metrics.entriesLost, { service: "user" })) - before.entries
        }
      })
      return { ...held, worker, change }
    })

  const isLost = (entries: number) =>
    Effect.gen(function*() {
      yield* eventually(
        "the loss is logged",
        Effect.map(hasLog(`${entries} entries of`), (found) => found.some((line) => line.level === "Error"))
      )
      assert.lengthOf(yield* hasLog(takenOver), 0)
    })

  for (
    const [what, act] of [
      ["is acknowledged by others", ({ group, ids, stream }) => send("XACK", stream, group, ...ids)],
      [
        "loses its consumer to XGROUP DELCONSUMER",
        ({ consumer, group, stream }) => send("XGROUP", "DELCONSUMER", stream, group, consumer)
      ]
    ] as const satisfies ReadonlyArray<readonly [string, Parameters<typeof disturbed>[0]]>
  ) {
    test(`and ${what} is reported as lost: its handler goes on, and what waited is not started`, () =>
      Effect.gen(function*() {
        const { change, ends, go, runs } = yield* disturbed(act)
        yield* isLost(2)
        assert.deepStrictEqual(yield* change, { leases: 0, entries: 2 })
        assert.deepStrictEqual(ends, [])
        yield* go
        yield* eventually("it is refused", Effect.map(hasLog("Not settled"), (found) => found.length === 1))
        assert.deepStrictEqual(ends, ["runs done"])
        assert.deepStrictEqual(runs, ["runs"])
        assert.lengthOf(yield* hasLog(takenOver), 0)
        // It was counted before.
        assert.deepStrictEqual(yield* change, { leases: 0, entries: 2 })
      }))
  }

  test("and is acknowledged by others is reported as lost when its handler ends before any renewal", () =>
    Effect.gen(function*() {
      const { change, go, runs } = yield* disturbed(({ group, ids, stream }) => send("XACK", stream, group, ids[0]!))
      yield* go
      yield* eventually("both are over", Effect.sync(() => runs.length === 2))
      yield* eventually(
        "it is told",
        Effect.map(
          Place,
          ({ logs }) => logs.some((line) => line.text.includes("no longer pending") && line.level === "Error")
        )
      )
      assert.lengthOf(yield* hasLog(takenOver), 0)
      assert.deepStrictEqual(yield* change, { leases: 0, entries: 1 })
    }))

  test("and whose group is removed is delivered again, and neither lost nor taken over", () =>
    Effect.gen(function*() {
      const { change, ends, go, runs } = yield* disturbed(({ group, stream }) =>
        send("XGROUP", "DESTROY", stream, group)
      )
      yield* eventually("the group is made again", Effect.map(hasLog("was missing"), (found) => found.length > 0))
      yield* allPending(2)
      const { pass } = yield* Place
      yield* pass("1 second")
      assert.deepStrictEqual(yield* change, { leases: 0, entries: 0 })
      assert.lengthOf(yield* hasLog(takenOver), 0)
      yield* go
      yield* allPending(0)
      assert.include(runs, "waits")
      assert.include(ends, "runs done")
      assert.deepStrictEqual(yield* change, { leases: 0, entries: 0 })
    }))

  test("and is deleted with its stream is reported as deleted, and its handler is interrupted", () =>
    Effect.gen(function*() {
      const { change, ends, runs } = yield* disturbed(({ stream }) => send("DEL", stream))
      yield* eventually("it is interrupted", Effect.sync(() => ends.length === 1))
      yield* eventually("it is logged", Effect.map(hasLog("another program deleted them"), (found) => found.length > 0))
      assert.deepStrictEqual(ends, ["runs interrupted"])
      assert.deepStrictEqual(runs, ["runs"])
      assert.lengthOf(yield* hasLog(takenOver), 0)
      assert.deepStrictEqual(yield* change, { leases: 0, entries: 2 })
    }))

  test("and is taken over is reported as taken over, and its handler is interrupted", () =>
    Effect.gen(function*() {
      const { change, ends, runs } = yield* disturbed(({ ids }) => takeOver(ids))
      yield* eventually("it is interrupted", Effect.sync(() => ends.length === 1))
      assert.deepStrictEqual(runs, ["runs"])
      yield* eventually("it is logged", Effect.map(hasLog(takenOver), (found) => found.length > 0))
      assert.deepStrictEqual(yield* change, { leases: 2, entries: 0 })
    }))
})

inMemory("An entry of a stream that keeps settled entries", (test) => {
  test("is reported as taken over when it was settled by others after its lease", () =>
    Effect.gen(function*() {
      const place = yield* Place
      const { handlers, runs } = yield* holding
      const { freeze, provide } = yield* makeFreezer
      yield* provide(
        Worker.start(handlers, { shutdownGrace: 0, claimIdle: "1 minute", concurrency: 1, retain: "1 hour" })
      )
      const sent = yield* Effect.forEach(["a", "b"], (does) => sendAction(does))
      yield* allPending(2)
      const lost = yield* counted(Metrics.entriesLost, { service: "user" })
      yield* freeze(61)
      yield* takeOver(sent.map(({ id }) => id))
      yield* send("XACK", place.names.stream, place.names.group, ...sent.map(({ id }) => id))
      yield* place.pass("21 seconds")
      assert.lengthOf(yield* hasLog(/^2 entries of .* were taken over/), 1)
      assert.deepStrictEqual(runs, ["a"])
      assert.strictEqual((yield* counted(Metrics.entriesLost, { service: "user" })) - lost, 0)
    }))
})
