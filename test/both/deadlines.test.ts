/**
 * Requests that nobody waits for any more are not run, whatever the clocks of those concerned say.
 */
import { assert } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as DomainAction from "../../src/DomainAction.ts"
import { RetryLater } from "../../src/HandlerError.ts"
import { actionStream } from "../../src/internal/redis/names.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Worker from "../../src/Worker.ts"
import { entriesOf, eventually, inMemory, onBoth, onServer, pendingOf, Place, type Test } from "../support/layers.ts"

const CreateUser = Action.make("user.create", {
  payload: { email: Schema.String },
  success: { userId: Schema.String, left: Schema.Number }
})
const Users = ActionGroup.make(CreateUser)

type Handler = (
  payload: { readonly email: string },
  delivery: { readonly attempt: number; readonly remaining: Effect.Effect<Duration.Duration> }
) => Effect.Effect<{ readonly userId: string; readonly left: number }, RetryLater>

/** A clock that is wrong; what it measures is right. */
const wrongBy = (millis: number) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.clockWith((clock) =>
    Effect.provideService(effect, Clock.Clock, {
      currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + millis,
      currentTimeMillis: Effect.map(clock.currentTimeMillis, (now) => now + millis),
      currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe() + BigInt(millis) * 1_000_000n,
      currentTimeNanos: Effect.map(clock.currentTimeNanos, (now) => now + BigInt(millis) * 1_000_000n),
      monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
      monotonicTimeNanos: clock.monotonicTimeNanos,
      sleep: (duration) => clock.sleep(duration)
    })
  )

/** Client and worker, each with its own idea of the time. */
const makeSides = Effect.fnUntraced(function*(clientBy: number, workerBy: number) {
  const { request } = yield* wrongBy(clientBy)(ActionClient.make())
  return {
    ask: (email: string, timeout: Duration.Input) => wrongBy(clientBy)(request(CreateUser, { email }, { timeout })),
    work: (handler: Handler, options: Worker.WorkerOptions = {}) =>
      wrongBy(workerBy)(Worker.start(Users.handlers({ "user.create": handler }), {
        block: "200 millis",
        shutdownGrace: 0,
        ...options
      }))
  }
})

const nothingLeft = Effect.gen(function*() {
  const { names } = yield* Place
  yield* eventually("all is settled", Effect.map(entriesOf(names.stream), (rows) => rows.length === 0))
  assert.deepStrictEqual(yield* pendingOf(names), [])
})

const cases = (test: Test, clientBy: number, workerBy: number): void => {
  test("a request that is answered in time is answered, and its handler sees the time left", () =>
    Effect.gen(function*() {
      const { ask, work } = yield* makeSides(clientBy, workerBy)
      yield* work(({ email }, { remaining }) =>
        Effect.map(remaining, (left) => ({ userId: email, left: Duration.toMillis(left) }))
      )
      const { left, userId } = yield* ask("a", "10 minutes")
      assert.strictEqual(userId, "a")
      // A clock that is wrong by an hour would show, a slow machine does not.
      assert.isAbove(left, 0)
      assert.isBelow(left, 20 * 60_000)
    }))

  test("a request past its deadline is not run", () =>
    Effect.gen(function*() {
      const place = yield* Place
      const { ask, work } = yield* makeSides(clientBy, workerBy)
      const sent = Effect.map(entriesOf(place.names.stream), (rows) => rows.length > 0)
      // On a slow machine the time may be over before it is sent: then it is asked again.
      const expire = Effect.gen(function*() {
        const asking = yield* Effect.forkChild(Effect.flip(ask("expired", "100 millis")))
        const isOver = Effect.sync(() => asking.pollUnsafe() !== undefined)
        yield* eventually("it is sent", Effect.zipWith(sent, isOver, (sent, over) => sent || over))
        yield* place.pass("150 millis")
        assert.instanceOf(yield* Fiber.join(asking), ActionClient.RequestTimeout)
      })
      yield* Effect.repeat(Effect.andThen(expire, sent), { until: (sent) => sent })
      const runs: Array<string> = []
      yield* work(({ email }) =>
        Effect.sync(() => {
          runs.push(email)
          return { userId: email, left: 0 }
        })
      )
      yield* ask("in time", "1 minute")
      assert.deepStrictEqual(runs, ["in time"])
      yield* nothingLeft
    }))

  test("a retry that would come too late is answered at once", () =>
    Effect.gen(function*() {
      const { ask, work } = yield* makeSides(clientBy, workerBy)
      let runs = 0
      yield* work(() => {
        runs++
        return Effect.fail(new RetryLater({ after: "10 minutes", cause: new Error("busy") }))
      })
      const error = yield* Effect.flip(ask("a", "5 minutes"))
      assert.instanceOf(error, ActionClient.RemoteFailure)
      assert.strictEqual(runs, 1)
      yield* nothingLeft
    }))

  test("a retry that comes in time is run", () =>
    Effect.gen(function*() {
      const place = yield* Place
      const { ask, work } = yield* makeSides(clientBy, workerBy)
      yield* work(({ email }, { attempt }) =>
        attempt === 1
          ? Effect.fail(new RetryLater({ after: "20 millis" }))
          : Effect.succeed({ userId: email, left: attempt })
      )
      const asking = yield* Effect.forkChild(ask("a", "1 minute"))
      yield* place.pass("30 millis")
      yield* eventually("it is answered", Effect.sync(() => asking.pollUnsafe() !== undefined))
      assert.deepStrictEqual(yield* Fiber.join(asking), { userId: "a", left: 2 })
    }))

  test("a handler is interrupted when the time of its request is over", () =>
    Effect.gen(function*() {
      const place = yield* Place
      const { ask, work } = yield* makeSides(clientBy, workerBy)
      const running = yield* Deferred.make<void>()
      const interrupted = yield* Deferred.make<Duration.Duration>()
      yield* work((_, { remaining }) =>
        Deferred.succeed(running, undefined).pipe(
          Effect.andThen(Effect.never),
          Effect.onInterrupt(() => Effect.flatMap(remaining, (left) => Deferred.succeed(interrupted, left)))
        )
      )
      const isRunning = Effect.sync(() => running.effect !== undefined)
      // On a slow machine the time may be over before the handler is reached: then it is asked again.
      const begin = Effect.gen(function*() {
        const asking = yield* Effect.forkChild(Effect.flip(ask("a", "1 second")))
        const isOver = Effect.sync(() => asking.pollUnsafe() !== undefined)
        yield* eventually("it runs", Effect.zipWith(isRunning, isOver, (running, over) => running || over))
        return { asking, begun: yield* isRunning }
      })
      const { asking } = yield* Effect.repeat(begin, { until: ({ begun }) => begun })
      yield* place.pass("1001 millis")
      yield* eventually("it is interrupted", Effect.sync(() => interrupted.effect !== undefined))
      assert.isAtMost(Duration.toMillis(yield* Deferred.await(interrupted)), 5)
      // Whichever came first at the caller: its own limit, or the answer that tells of it.
      assert.include(["RequestTimeout", "RemoteFailure"], (yield* Fiber.join(asking))._tag)
      yield* nothingLeft
    }))
}

onBoth("Deadlines", (test) => {
  cases(test, 0, 0)
})

const hour = Duration.toMillis("1 hour")

for (
  const { clientBy, what, workerBy } of [
    { what: "the client's clock an hour ahead", clientBy: hour, workerBy: 0 },
    { what: "the client's clock an hour behind", clientBy: -hour, workerBy: 0 },
    { what: "the worker's clock an hour ahead", clientBy: 0, workerBy: hour },
    { what: "the worker's clock an hour behind", clientBy: 0, workerBy: -hour },
    { what: "both clocks wrong", clientBy: hour, workerBy: -hour }
  ]
) {
  onServer(`Deadlines with ${what}`, (test) => {
    cases(test, clientBy, workerBy)
  })
}

inMemory("Deadlines to the millisecond", (test) => {
  test("the time left is what the caller gave, less what has passed", () =>
    Effect.gen(function*() {
      const place = yield* Place
      const { ask, work } = yield* makeSides(0, 0)
      const asking = yield* Effect.forkChild(ask("a", "1 minute"))
      yield* eventually("it is sent", Effect.map(entriesOf(place.names.stream), (rows) => rows.length === 1))
      const before = yield* Clock.currentTimeMillis
      yield* place.pass("10 seconds")
      yield* work(({ email }, { remaining }) =>
        Effect.map(remaining, (left) => ({ userId: email, left: Duration.toMillis(left) }))
      )
      const { left } = yield* Fiber.join(asking)
      const passed = (yield* Clock.currentTimeMillis) - before
      assert.isAtMost(Math.abs(left - (60_000 - passed)), 5)
    }))

  test("what waited for a connection is taken off the time that its handler has", () =>
    Effect.gen(function*() {
      const { names, pass } = yield* Place
      const { request } = yield* ActionClient.make({ inbox: "per-request" })
      const sent = Effect.map(entriesOf(names.stream), (rows) => rows.length)
      const asking = yield* Effect.forEach(
        Array.from({ length: 65 }),
        () => Effect.forkChild(request(CreateUser, { email: "a" }, { timeout: "30 seconds" }))
      )
      yield* eventually("as many are sent as may be at once", Effect.map(sent, (count) => count === 64))
      yield* pass("20 seconds")
      yield* Fiber.interrupt(asking[0]!)
      yield* eventually("the last is sent", Effect.map(sent, (count) => count === 65))
      const [, fields] = (yield* entriesOf(names.stream)).at(-1)!
      const { metadata } = Result.getOrThrow(DomainAction.parse(fields[1]!))
      assert.isAtMost(Number(metadata?.["timeout_ms"]), 10_000)
      assert.isAbove(Number(metadata?.["timeout_ms"]), 9_000)
      yield* Fiber.interruptAll(asking)
    }))

  test("what waits behind others in the worker is not run when its time is over", () =>
    Effect.gen(function*() {
      const place = yield* Place
      const { ask, work } = yield* makeSides(0, 0)
      const go = yield* Deferred.make<void>()
      const runs: Array<string> = []
      yield* work(({ email }) => {
        runs.push(email)
        return Effect.as(Deferred.await(go), { userId: email, left: 0 })
      }, { concurrency: 1, readAhead: 5 })
      const patient = yield* Effect.forkChild(ask("patient", "1 minute"))
      yield* eventually("it runs", Effect.sync(() => runs.length === 1))
      const hasty = yield* Effect.forkChild(Effect.flip(ask("hasty", "5 seconds")))
      yield* eventually("it is read", Effect.map(pendingOf(place.names), (rows) => rows.length === 2))
      yield* place.pass("6 seconds")
      assert.instanceOf(yield* Fiber.join(hasty), ActionClient.RequestTimeout)
      yield* Deferred.succeed(go, undefined)
      assert.deepStrictEqual(yield* Fiber.join(patient), { userId: "patient", left: 0 })
      yield* nothingLeft
      assert.deepStrictEqual(runs, ["patient"])
    }))

  test("what waits for its retry is answered when none is left in time", () =>
    Effect.gen(function*() {
      const place = yield* Place
      const { ask, work } = yield* makeSides(0, 0)
      const attempts: Array<number> = []
      yield* work((_, { attempt }) => {
        attempts.push(attempt)
        return Effect.fail(new RetryLater({ after: "3 seconds" }))
      })
      const asking = yield* Effect.forkChild(Effect.flip(ask("a", "5 seconds")))
      yield* eventually("it failed once", Effect.sync(() => attempts.length === 1))
      yield* place.pass("3100 millis")
      yield* eventually("it is answered", Effect.sync(() => asking.pollUnsafe() !== undefined))
      assert.instanceOf(yield* Fiber.join(asking), ActionClient.RemoteFailure)
      assert.deepStrictEqual(attempts, [1, 2])
    }))

  test("an action without a caller has all the time there is", () =>
    Effect.gen(function*() {
      const { work } = yield* makeSides(0, 0)
      const { send } = yield* ActionClient.make()
      const left = yield* Deferred.make<Duration.Duration>()
      yield* work((_, { remaining }) =>
        Effect.flatMap(remaining, (time) => Effect.as(Deferred.succeed(left, time), { userId: "", left: 0 }))
      )
      yield* send(CreateUser, { email: "a" })
      assert.isFalse(Duration.isFinite(yield* Deferred.await(left)))
    }))
})

inMemory("a request that a handler makes", (test) => {
  const Ask = Action.make("other.ask")

  /** The limit that the worker of `other` is told, once it is asked. */
  const told = Effect.gen(function*() {
    const entries = entriesOf(actionStream(yield* QueueNaming.QueueNaming, "other"))
    yield* eventually("the other is asked", Effect.map(entries, (rows) => rows.length > 0))
    return Result.getOrThrow(DomainAction.parse((yield* entries)[0]![1][1]!)).metadata?.["timeout_ms"]
  })

  const asking = Effect.fnUntraced(function*(
    options: Worker.WorkerOptions,
    nested: (request: ActionClient.ActionClient["Service"]["request"]) => Effect.Effect<unknown, unknown>
  ) {
    const { request, send } = yield* ActionClient.make()
    yield* Worker.start(
      Users.handlers({
        "user.create": ({ email: userId }) => Effect.as(Effect.orDie(nested(request)), { userId, left: 0 })
      }),
      { shutdownGrace: 0, ...options }
    )
    return { request, send }
  })

  test("waits no longer than the caller of its handler does", () =>
    Effect.gen(function*() {
      const { request } = yield* asking({}, (request) => request(Ask, {}))
      yield* Effect.forkChild(Effect.exit(request(CreateUser, { email: "a" }, { timeout: "5 seconds" })))
      const millis = Number(yield* told)
      assert.isAtMost(millis, 5_000)
      assert.isAbove(millis, 4_000)
    }))

  test("waits no longer than its handler may take", () =>
    Effect.gen(function*() {
      const { send } = yield* asking({ handlerTimeout: "2 seconds" }, (request) => request(Ask, {}))
      yield* send(CreateUser, { email: "a" })
      assert.strictEqual(yield* told, 2_000)
    }))

  test("waits as long as its call says", () =>
    Effect.gen(function*() {
      const { request } = yield* asking({}, (request) => request(Ask, {}, { timeout: "1 minute" }))
      yield* Effect.forkChild(Effect.exit(request(CreateUser, { email: "a" }, { timeout: "5 seconds" })))
      assert.strictEqual(yield* told, 60_000)
    }))

  test("waits as long as any other where its handler has no limit", () =>
    Effect.gen(function*() {
      const { send } = yield* asking({}, (request) => request(Ask, {}))
      yield* send(CreateUser, { email: "a" })
      assert.strictEqual(yield* told, 30_000)
    }))

  test("waits as long as any other when it is made by what outlives its handler", () =>
    Effect.gen(function*() {
      const { pass } = yield* Place
      const { request } = yield* asking({}, (request) =>
        Effect.forkDetach(Effect.andThen(Effect.sleep("1 minute"), request(Ask, {}))))
      yield* request(CreateUser, { email: "a" }, { timeout: "5 seconds" })
      yield* pass("1 minute")
      assert.strictEqual(yield* told, 30_000)
    }))
})
