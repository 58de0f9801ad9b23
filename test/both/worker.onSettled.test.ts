/** The option `onSettled`: what an observer is told, and that nothing it does disturbs the worker. */
import { assert } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import { TestClock } from "effect/testing"
import { Rejected, RetryLater } from "../../src/HandlerError.ts"
import type { Settlement } from "../../src/Settlement.ts"
import * as Worker from "../../src/Worker.ts"
import { eventually, inMemory, onBoth, Place, send } from "../support/layers.ts"
import { recording } from "../support/logs.ts"
import { sendAction, settled } from "../support/world.ts"

interface Told {
  readonly settlement: Settlement
  readonly delivery: Worker.SettledDelivery
}

const collecting = () => {
  const told: Array<Told> = []
  const onSettled: NonNullable<Worker.WorkerOptions["onSettled"]> = (settlement, delivery) =>
    Effect.sync(() => told.push({ settlement, delivery }))
  return { told, onSettled }
}

const textOf = ({ delivery, settlement }: Told): string => `${settlement._tag} ${delivery.attempt}`

onBoth("An observer of settlements", (test) => {
  test("is told every settlement once it is written, with the delivery it is for", () =>
    Effect.gen(function*() {
      const place = yield* Place
      const { onSettled, told } = collecting()
      yield* Worker.start({
        "user.create": ({ data }, { attempt }) =>
          data["what"] === "later" && attempt < 3
            ? Effect.fail(new RetryLater({ after: "10 millis" }))
            : data["what"] === "no"
            ? Effect.fail(new Rejected({ message: "no" }))
            : Effect.succeed({})
      }, { onSettled, retry: Schedule.spaced("10 millis") })
      yield* sendAction("", { data: { what: "later" } })
      yield* eventually(
        "the action ends in its third attempt",
        Effect.map(place.pass("20 millis"), () => told.length === 3)
      )
      assert.deepStrictEqual(told.map(textOf), ["Retry 1", "Retry 2", "Ack 3"])
      const [first] = told
      assert.strictEqual(first!.delivery.action?.action_type, "user.create")
      assert.instanceOf(first!.delivery.cause, RetryLater)
      assert.match(first!.delivery.entryId, /^\d+-\d+$/)
      assert.strictEqual(first!.delivery.deliveries, 1)
      assert.include(first!.delivery.consumer, "user-worker-internal-0-")
      assert.strictEqual(told[2]!.delivery.cause, undefined)

      yield* sendAction("", { data: { what: "no" } })
      yield* eventually("the refusal is told", Effect.sync(() => told.length === 4))
      assert.deepInclude(told[3]!.settlement, { _tag: "DeadLetter", reason: "rejected" })
    }))

  test("may be a function without an effect", () =>
    Effect.gen(function*() {
      const tags: Array<string> = []
      yield* Worker.start({ "user.create": () => Effect.void }, { onSettled: ({ _tag }) => void tags.push(_tag) })
      yield* sendAction("")
      yield* eventually("the action is settled", Effect.sync(() => tags.length === 1))
      assert.deepStrictEqual(tags, ["Ack"])
    }))

  test("is told of a malformed entry, without an action", () =>
    Effect.gen(function*() {
      const { onSettled, told } = collecting()
      yield* Worker.start({ "user.create": () => Effect.void }, { onSettled })
      const { names } = yield* Place
      yield* send("XADD", names.stream, "*", "data", "not JSON")
      yield* eventually("the entry is settled", Effect.sync(() => told.length === 1))
      assert.deepInclude(told[0]!.settlement, { _tag: "DeadLetter", reason: "malformed" })
      assert.strictEqual(told[0]!.delivery.action, undefined)
    }))
})

inMemory("An observer that misbehaves", (test) => {
  const misdeeds: ReadonlyArray<readonly [string, NonNullable<Worker.WorkerOptions["onSettled"]>]> = [
    ["fails", () => Effect.fail("no database")],
    ["dies", () => Effect.die(new Error("a bug"))],
    ["throws", () => {
      throw new Error("a bug")
    }]
  ]
  for (const [what, onSettled] of misdeeds) {
    test(`and ${what} is logged once a minute, while its worker goes on`, () =>
      Effect.gen(function*() {
        const lines: Array<string> = []
        const complaints = () => lines.filter((line) => line.includes("The observer onSettled failed"))
        yield* Effect.gen(function*() {
          const worker = yield* Worker.start({ "user.create": () => Effect.void }, { onSettled })
          for (let count = 0; count < 3; count++) yield* sendAction("")
          yield* settled
          assert.strictEqual((yield* worker.status).state, "running")
          assert.lengthOf(complaints(), 1)
          yield* TestClock.adjust("1 minute")
          yield* sendAction("")
          yield* settled
          assert.lengthOf(complaints(), 2)
        }).pipe(Effect.scoped, Effect.provide(recording(lines)))
      }))
  }

  test("and never ends holds up neither the next actions nor, for more than 5 seconds, the end of the worker", () =>
    Effect.gen(function*() {
      let calls = 0
      let interrupted = 0
      const worker = yield* Worker.start({ "user.create": () => Effect.void }, {
        onSettled: () =>
          Effect.onInterrupt(
            Effect.suspend(() => {
              calls++
              return Effect.never
            }),
            () => Effect.sync(() => interrupted++)
          )
      })
      yield* sendAction("")
      yield* sendAction("")
      yield* settled
      assert.strictEqual(calls, 2)
      const drain = yield* Effect.forkChild(worker.drain)
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(drain.pollUnsafe(), undefined)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(drain)
      yield* eventually("the observers are interrupted", Effect.sync(() => interrupted === 2))
    }))

  test("and needs a moment has ended when the drain has", () =>
    Effect.gen(function*() {
      const begun = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      let done = false
      const worker = yield* Worker.start({ "user.create": () => Effect.void }, {
        onSettled: () =>
          Effect.andThen(
            Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(go)),
            Effect.sync(() => {
              done = true
            })
          )
      })
      yield* sendAction("")
      yield* Deferred.await(begun)
      const drain = yield* Effect.forkChild(worker.drain)
      yield* TestClock.adjust(Duration.seconds(1))
      assert.strictEqual(drain.pollUnsafe(), undefined)
      yield* Deferred.succeed(go, undefined)
      yield* Fiber.join(drain)
      assert.isTrue(done)
    }))
})
