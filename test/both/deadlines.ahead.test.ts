/**
 * Entries whose ids are ahead of the server's clock: an id of its own, or a clock that was set back. Deadlines begin when
 * such an entry was first read, whoever runs it later.
 */
import { assert } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as DeadLetter from "../../src/DeadLetter.ts"
import type { Delivery } from "../../src/Delivery.ts"
import { RetryLater } from "../../src/HandlerError.ts"
import * as Redis from "../../src/Redis.ts"
import * as Worker from "../../src/Worker.ts"
import { eventually, inMemory, onBoth, pendingOf, Place, send } from "../support/layers.ts"
import { actionOf } from "../support/messages.ts"

const tenMinutes = Duration.toMillis("10 minutes")

const serverTime = Effect.map(
  send<ReadonlyArray<string>>("TIME"),
  ([seconds, micros]) => Number(seconds) * 1000 + Math.floor(Number(micros) / 1000)
)

/** Puts the stream ahead of the clock: whatever comes next has an id that is later than this one. */
const setAhead = Effect.gen(function*() {
  const { names } = yield* Place
  const id = `${(yield* serverTime) + tenMinutes}-0`
  yield* send("XADD", names.stream, id, "data", actionOf("user.first", 0, { data: {} }))
})

const list = (name: string) =>
  Effect.map(Place, ({ environment }) => `nooble4:${environment}:client:responses:user_create:${name}`)

/** A request, as a client sends it. */
const ask = (name: string, timeout: number, id = "*") =>
  Effect.gen(function*() {
    const { names } = yield* Place
    const text = actionOf("user.create", 1, {
      data: { name },
      list: yield* list(name),
      metadata: { timeout_ms: timeout }
    })
    return yield* send<string>("XADD", names.stream, id, "data", text)
  })

const answered = (name: string) =>
  Effect.flatMap(list(name), (key) => Effect.map(send<number>("LLEN", key), (length) => length > 0))

const working = (
  handler: (name: string, delivery: Delivery) => Effect.Effect<unknown, RetryLater>,
  options: Worker.WorkerOptions = {}
) =>
  Effect.gen(function*() {
    const runs: Array<string> = []
    const worker = yield* Worker.start({
      "user.first": () => Effect.void,
      "user.create": ({ data }, delivery) =>
        Effect.suspend(() => {
          runs.push(String(data["name"]))
          return Effect.as(handler(String(data["name"]), delivery), { ok: true })
        })
    }, { block: "100 millis", shutdownGrace: 0, ...options })
    return { runs, worker }
  })

const allSettled = Effect.gen(function*() {
  const { names } = yield* Place
  yield* eventually("all is settled", Effect.map(pendingOf(names), (rows) => rows.length === 0))
})

onBoth("An entry whose id is ahead of the server's clock", (test) => {
  test("does not give its handler more time than its caller waits", () =>
    Effect.gen(function*() {
      yield* setAhead
      const left = yield* Deferred.make<number>()
      yield* working((_, { remaining }) =>
        Effect.flatMap(remaining, (time) => Deferred.succeed(left, Duration.toMillis(time)))
      )
      yield* ask("a", 30_000)
      const time = yield* Deferred.await(left)
      assert.isAtMost(time, 30_000)
      assert.isAbove(time, 0)
      yield* allSettled
    }))

  test("has its handler interrupted when the time of its caller is over", () =>
    Effect.gen(function*() {
      const { pass } = yield* Place
      yield* setAhead
      const interrupted = yield* Deferred.make<void>()
      yield* working(() => Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined)))
      yield* ask("a", 2_000)
      yield* eventually("it is answered", Effect.tap(answered("a"), () => pass("50 millis")))
      yield* Deferred.await(interrupted)
      yield* allSettled
    }))

  test("is not run when it waited behind others for longer than its caller does", () =>
    Effect.gen(function*() {
      const { names, pass } = yield* Place
      yield* setAhead
      const go = yield* Deferred.make<void>()
      const { runs } = yield* working(() => Deferred.await(go), { concurrency: 1, readAhead: 5 })
      yield* ask("patient", 60_000)
      yield* eventually("it runs", Effect.sync(() => runs.length === 1))
      yield* ask("hasty", 2_000)
      yield* eventually("it is read", Effect.map(pendingOf(names), (rows) => rows.length === 2))
      yield* pass("2100 millis")
      yield* Deferred.succeed(go, undefined)
      yield* allSettled
      assert.deepStrictEqual(runs, ["patient"])
    }))

  test("has no more time at a retry than was left of the first", () =>
    Effect.gen(function*() {
      yield* setAhead
      const times: Array<number> = []
      yield* working((_, { attempt, remaining }) =>
        Effect.flatMap(remaining, (time) => {
          times.push(Duration.toMillis(time))
          return attempt < 3 ? Effect.fail(new RetryLater({ after: "100 millis" })) : Effect.void
        })
      )
      yield* ask("a", 30_000)
      yield* eventually("it is answered", answered("a"))
      assert.lengthOf(times, 3)
      assert.isAtMost(times[0]!, 30_000)
      assert.isAtMost(times[1]!, times[0]! - 90)
      assert.isAtMost(times[2]!, times[1]! - 90)
      yield* allSettled
    }))

  test("does not make a dead letter newer than it is", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const before = yield* serverTime
      yield* send("XADD", names.deadLetters, `${before + tenMinutes}-0`, "data", "{}")
      yield* setAhead
      yield* working(() => Effect.fail(new RetryLater()), { maxAttempts: 1 })
      yield* ask("a", 30_000)
      const deadLetters = yield* DeadLetter.make()
      const found = deadLetters.list({ reason: "exhausted" })
      yield* eventually("it is given up", Effect.map(found, ({ letters }) => letters.length === 1))
      const [letter] = (yield* found).letters
      const { groups } = yield* deadLetters.summary({ reason: "exhausted" })
      const after = yield* serverTime
      for (const time of [letter!.time, groups[0]!.oldest, groups[0]!.newest]) {
        assert.isAtLeast(DateTime.toEpochMillis(time), before)
        assert.isAtMost(DateTime.toEpochMillis(time), after)
      }
    }))

  test("that was not recorded leaves nothing behind once it is settled", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      yield* setAhead
      yield* working(() => Effect.void)
      yield* ask("a", 30_000)
      yield* eventually("it is answered", answered("a"))
      yield* allSettled
      assert.strictEqual(yield* send("EXISTS", names.retryRecords, names.retryDue), 0)
    }))
})

inMemory("An entry whose id is ahead of the server's clock", (test) => {
  test("is not run by the process that takes it over once the time of its caller is over", () =>
    Effect.gen(function*() {
      const { names, pass } = yield* Place
      yield* setAhead
      // A process that is gone after it read.
      const first = yield* working(() => Effect.never, { claimIdle: "10 seconds" })
      const id = yield* ask("a", 30_000)
      yield* eventually("it runs", Effect.sync(() => first.runs.length === 1))
      yield* send("XCLAIM", names.stream, names.group, "dead", 0, id, "IDLE", 0, "JUSTID")
      yield* first.worker.pause
      yield* pass("31 seconds")
      const second = yield* working(() => Effect.void, { claimIdle: "10 seconds" })
      yield* pass("20 seconds")
      yield* allSettled
      assert.deepStrictEqual(second.runs, [])
      assert.isFalse(yield* answered("a"))
    }))
})

/** A server whose clock can be set; that of this process goes on as it was. */
const makeSettable = Effect.gen(function*() {
  const clock = yield* Clock.Clock
  const inner = yield* Redis.Redis
  let skew = 0
  const serverClock: Clock.Clock = Object.create(clock, {
    currentTimeMillisUnsafe: { value: () => clock.currentTimeMillisUnsafe() + skew },
    currentTimeMillis: { get: () => Effect.map(clock.currentTimeMillis, (now) => now + skew) },
    currentTimeNanosUnsafe: { value: () => clock.currentTimeNanosUnsafe() + BigInt(skew) * 1_000_000n },
    currentTimeNanos: { get: () => Effect.map(clock.currentTimeNanos, (now) => now + BigInt(skew) * 1_000_000n) }
  })
  const atServer = Effect.provideService(Clock.Clock, serverClock)
  const connection = (to: Redis.Connection): Redis.Connection => ({
    send: (command, ...args) => atServer(to.send(command, ...args)),
    eval: (script) => (...params) => atServer(to.eval(script)(...params))
  })
  const redis: Redis.Redis["Service"] = {
    ...connection(inner),
    reserve: Effect.map(inner.reserve, connection),
    subscribe: inner.subscribe
  }
  return {
    provide: Effect.provideService(Redis.Redis, redis),
    set: (by: number) =>
      Effect.sync(() => {
        skew = by
      })
  }
})

inMemory("A server whose clock is set", (test) => {
  for (const [way, by] of [["back", -tenMinutes], ["forward", tenMinutes]] as const) {
    test(`${way} leaves a new request the time that its caller waits, and a handler is interrupted then`, () =>
      Effect.gen(function*() {
        const { pass } = yield* Place
        const { provide, set } = yield* makeSettable
        yield* provide(Effect.gen(function*() {
          const times: Array<number> = []
          const interrupted: Array<string> = []
          yield* working((name, { remaining }) =>
            Effect.flatMap(remaining, (time) => {
              times.push(Duration.toMillis(time))
              return name === "before" ? Effect.void : Effect.never
            }).pipe(Effect.onInterrupt(() => Effect.sync(() => interrupted.push(name))))
          )
          yield* ask("before", 30_000)
          yield* eventually("it is answered", answered("before"))
          yield* set(by)
          // The worker looks at the server's clock every 30 seconds.
          yield* pass("31 seconds")
          yield* ask("after", 30_000)
          yield* eventually("it runs", Effect.sync(() => times.length === 2))
          assert.isAtMost(times[1]!, 30_000)
          assert.isAbove(times[1]!, 29_000)
          yield* pass("29 seconds")
          assert.deepStrictEqual(interrupted, [])
          yield* pass("2 seconds")
          assert.deepStrictEqual(interrupted, ["after"])
          yield* allSettled
        }))
      }))

    test(`${way} does not change the time that a handler has left`, () =>
      Effect.gen(function*() {
        const { pass } = yield* Place
        const { provide, set } = yield* makeSettable
        yield* provide(Effect.gen(function*() {
          const times: Array<number> = []
          yield* working((_, { attempt, remaining }) =>
            Effect.sync(() => times.push(0)).pipe(
              Effect.andThen(Effect.sleep("40 seconds")),
              Effect.andThen(remaining),
              Effect.map((time) => times.push(Duration.toMillis(time))),
              // Its caller waits for 19 seconds more: a retry in 30 comes too late, whatever the clock says now.
              Effect.andThen(attempt === 1 ? Effect.fail(new RetryLater({ after: "30 seconds" })) : Effect.void)
            )
          )
          yield* ask("a", 60_000)
          yield* eventually("it runs", Effect.sync(() => times.length === 1))
          yield* set(by)
          yield* pass("41 seconds")
          yield* eventually("it is answered", answered("a"))
          assert.lengthOf(times, 2)
          assert.isAtMost(times[1]!, 20_000)
          assert.isAbove(times[1]!, 19_000)
          yield* allSettled
        }))
      }))
  }
})
