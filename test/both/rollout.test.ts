/**
 * Two releases of a service side by side: what only the new one knows is left to it, and nothing is lost on the way.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as Worker from "../../src/Worker.ts"
import { entriesOf, eventually, fieldsOf, inMemory, onBoth, pendingOf, Place, type Test } from "../support/layers.ts"

// -----------------------------------------------------------------------------
// releases
// -----------------------------------------------------------------------------

const CreateUser = Action.make("user.create", {
  payload: { email: Schema.String },
  success: { by: Schema.String }
})

/** The same action a release later: callers may say more. */
const CreateUserWithPlan = Action.make("user.create", {
  payload: { email: Schema.String, plan: Schema.optionalKey(Schema.String) },
  success: { by: Schema.String, plan: Schema.optionalKey(Schema.String) }
})
const MergeUsers = Action.make("user.merge", { payload: { n: Schema.Number }, success: { by: Schema.String } })

interface Ran {
  readonly by: string
  readonly what: string
}

const oldRelease = (by: string, ran: Array<Ran>) =>
  ActionGroup.make(CreateUser).handlers({
    "user.create": ({ email }) =>
      Effect.sync(() => {
        ran.push({ by, what: email })
        return { by }
      })
  })

const newRelease = (by: string, ran: Array<Ran>) =>
  ActionGroup.make(CreateUserWithPlan, MergeUsers).handlers({
    "user.create": ({ email, plan }) =>
      Effect.sync(() => {
        ran.push({ by, what: email })
        return plan === undefined ? { by } : { by, plan }
      }),
    "user.merge": ({ n }) =>
      Effect.sync(() => {
        ran.push({ by, what: `merge ${n}` })
        return { by }
      })
  })

const options = { block: "200 millis", shutdownGrace: "1 second" } satisfies Worker.WorkerOptions

const deadReasons = Effect.gen(function*() {
  const { names } = yield* Place
  return (yield* entriesOf(names.deadLetters)).map(([, fields]) => fieldsOf(fields)["reason"])
})

const allDone = Effect.gen(function*() {
  const { names } = yield* Place
  yield* eventually("all is settled", Effect.map(entriesOf(names.stream), (rows) => rows.length === 0))
  assert.deepStrictEqual(yield* pendingOf(names), [])
})

/** So many entries wait for a release that knows their type. */
const waiting = (count: number) =>
  Effect.flatMap(Place, ({ names }) =>
    eventually(
      `${count} wait`,
      Effect.map(
        pendingOf(names),
        (rows) => rows.filter(([, consumer]) => consumer === names.waitingConsumer).length === count
      )
    ))

/** Waits for the end of a fiber that needs time to pass. */
const ended = <A, E>(fiber: Fiber.Fiber<A, E>) =>
  Effect.andThen(eventually("it has ended", Effect.sync(() => fiber.pollUnsafe() !== undefined)), Fiber.join(fiber))

const numbers = Array.from({ length: 100 }, (_, n) => n)

// -----------------------------------------------------------------------------
// tests
// -----------------------------------------------------------------------------

const cases = (test: Test): void => {
  test("each action is run once, and those that are new by the new release alone", () =>
    Effect.gen(function*() {
      const ran: Array<Ran> = []
      for (const by of ["old 1", "old 2", "old 3"]) yield* Worker.start(oldRelease(by, ran), options)
      yield* Worker.start(newRelease("new", ran), options)
      const { sendMany } = yield* ActionClient.make()
      yield* sendMany(MergeUsers, numbers.map((n) => ({ n })))
      yield* sendMany(CreateUser, numbers.map((n) => ({ email: `${n}` })))
      yield* allDone
      const merged = ran.filter(({ what }) => what.startsWith("merge"))
      assert.deepStrictEqual(new Set(merged.map(({ by }) => by)), new Set(["new"]))
      assert.sameMembers(merged.map(({ what }) => what), numbers.map((n) => `merge ${n}`))
      assert.sameMembers(
        ran.filter(({ what }) => !what.startsWith("merge")).map(({ what }) => what),
        numbers.map(String)
      )
      assert.deepStrictEqual(yield* deadReasons, [])
    }))

  test("what is new waits for the new release, however often the old one looked at it", () =>
    Effect.gen(function*() {
      const place = yield* Place
      const ran: Array<Ran> = []
      // Each look is a delivery, and none of them counts against it.
      yield* Worker.start(oldRelease("old", ran), { ...options, maxDeliveries: 2 })
      const { request, sendMany } = yield* ActionClient.make()
      yield* sendMany(MergeUsers, [{ n: 1 }, { n: 2 }])
      const asking = yield* Effect.forkChild(request(MergeUsers, { n: 3 }))
      yield* waiting(3)
      yield* eventually(
        "it was looked at four times",
        Effect.map(pendingOf(place.names), (rows) => rows.every(([, , , deliveries]) => deliveries >= 4))
      )
      assert.deepStrictEqual(ran, [])
      yield* Worker.start(newRelease("new", ran), { ...options, maxDeliveries: 2 })
      assert.deepStrictEqual(yield* ended(asking), { by: "new" })
      yield* allDone
      assert.sameMembers(ran.map(({ what }) => what), ["merge 1", "merge 2", "merge 3"])
      assert.deepStrictEqual(yield* deadReasons, [])
    }))

  test("the old release reads what new callers say, and answers what they understand", () =>
    Effect.gen(function*() {
      const ran: Array<Ran> = []
      const { request } = yield* ActionClient.make()
      const old = yield* Worker.start(oldRelease("old", ran), options)
      assert.deepStrictEqual(yield* request(CreateUserWithPlan, { email: "a", plan: "gold" }), { by: "old" })
      yield* old.drain
      yield* Worker.start(newRelease("new", ran), options)
      assert.deepStrictEqual(yield* request(CreateUserWithPlan, { email: "b", plan: "gold" }), {
        by: "new",
        plan: "gold"
      })
      assert.deepStrictEqual(yield* request(CreateUser, { email: "c" }), { by: "new" })
    }))

  test("requests are all answered once while one release replaces the other", () =>
    Effect.gen(function*() {
      const ran: Array<Ran> = []
      const { request } = yield* ActionClient.make()
      const oldScope = yield* Scope.make()
      const olds = yield* Effect.forEach(["old 1", "old 2"], (by) =>
        Scope.provide(Worker.start(oldRelease(by, ran), { ...options, concurrency: 5, readAhead: 10 }), oldScope))
      let sent = 0
      let answered = 0
      let replaced = false
      const askOne = Effect.suspend(() =>
        request(CreateUser, { email: `${sent++}` })
      ).pipe(
        Effect.tap(() => Effect.sync(() => answered++))
      )
      const asking = yield* Effect.forkChild(Effect.forEach(
        Array.from({ length: 30 }),
        () => Effect.repeat(askOne, { until: ({ by }) => by === "new" && replaced }),
        { concurrency: "unbounded", discard: true }
      ))
      yield* eventually("some are answered", Effect.sync(() => answered >= 100))
      yield* Worker.start(newRelease("new", ran), options)
      yield* Scope.close(oldScope, Exit.void)
      for (const old of olds) assert.strictEqual((yield* old.status).state, "stopped")
      replaced = true
      yield* ended(asking)
      assert.strictEqual(answered, sent)
      assert.sameMembers(ran.map(({ what }) => what), Array.from({ length: sent }, (_, n) => `${n}`))
      yield* allDone
    }))
}

onBoth("A rollout", cases)

inMemory("A rollout, over time", (test) => {
  /** In steps, so that what waits for one thing after another goes on. */
  const passing = Effect.fnUntraced(function*(seconds: number) {
    const place = yield* Place
    for (let left = seconds; left > 0; left -= 0.5) yield* place.pass("500 millis")
  })

  test("takes as long as it takes within unknownFor, and no longer", () =>
    Effect.gen(function*() {
      const ran: Array<Ran> = []
      yield* Worker.start(oldRelease("old", ran), { ...options, unknownFor: "2 minutes" })
      const { request, send } = yield* ActionClient.make()
      yield* send(MergeUsers, { n: 1 })
      yield* waiting(1)
      yield* passing(110)
      assert.deepStrictEqual(yield* deadReasons, [])
      const { drain } = yield* Worker.start(newRelease("new", ran), { ...options, unknownFor: "2 minutes" })
      yield* passing(11)
      assert.deepStrictEqual(ran, [{ by: "new", what: "merge 1" }])

      // Rolled back: what was sent meanwhile is told to be unknown, in the end.
      yield* drain
      const asking = yield* Effect.forkChild(Effect.flip(request(MergeUsers, { n: 2 }, { timeout: "1 hour" })))
      yield* waiting(1)
      yield* passing(110)
      assert.deepStrictEqual(yield* deadReasons, [])
      yield* passing(25)
      const error = yield* Fiber.join(asking)
      assert.instanceOf(error, ActionClient.RemoteFailure)
      assert.strictEqual(error.errorCode, "ACTION_NOT_IMPLEMENTED")
      assert.deepStrictEqual(yield* deadReasons, ["unknown"])
      yield* allDone
    }))

  test("does not hold up what the old release knows, though a thousand others wait", () =>
    Effect.gen(function*() {
      const ran: Array<Ran> = []
      yield* Worker.start(oldRelease("old", ran), { ...options, concurrency: 10 })
      const { request, sendMany } = yield* ActionClient.make()
      yield* sendMany(MergeUsers, Array.from({ length: 1_000 }, (_, n) => ({ n })))
      yield* waiting(1_000)
      assert.deepStrictEqual(yield* request(CreateUser, { email: "a" }, { timeout: "30 seconds" }), { by: "old" })
      yield* Worker.start(newRelease("new", ran), options)
      yield* passing(30)
      assert.strictEqual(ran.filter(({ by }) => by === "new").length, 1_000)
    }))
})
