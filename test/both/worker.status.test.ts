/**
 * What a worker says of itself while it has much to do.
 */
import { assert } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as Health from "../../src/Health.ts"
import * as Worker from "../../src/Worker.ts"
import { entriesOf, eventually, inMemory, onBoth, Place, send } from "../support/layers.ts"
import { actionOf } from "../support/messages.ts"

onBoth("the status of a worker", (test) => {
  test("says full while it waits for room, though there is a little left", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const go = yield* Deferred.make<void>()
      for (let n = 0; n < 17; n++) {
        yield* send("XADD", names.stream, "*", "data", actionOf("user.create", n, { data: {} }))
      }
      const worker = yield* Worker.start({
        "user.create": () => Deferred.await(go)
      }, {
        concurrency: 10,
        readAhead: 10
      })
      const reader = Effect.map(worker.status, ({ consumers }) => consumers.find(({ reads }) => reads))
      // Three more would fit, and it reads when there is room for five.
      yield* eventually("all are held", Effect.map(reader, (status) => status?.held === 17))
      assert.strictEqual((yield* reader)?.full, true)
      yield* Deferred.succeed(go, undefined)
      yield* eventually("all are settled", Effect.map(entriesOf(names.stream), (rows) => rows.length === 0))
      assert.strictEqual((yield* reader)?.full, false)
    }))
})

inMemory("the status of a worker", (test) => {
  test("counts the actions of the service that are parked until their time", () =>
    Effect.gen(function*() {
      const { pass } = yield* Place
      const Create = Action.make("user.create")
      const worker = yield* Worker.start({ "user.create": () => Effect.void })
      const client = yield* ActionClient.make()
      for (const delay of ["1 minute", "1 hour"] as const) yield* client.send(Create, {}, { delay })
      yield* pass("15 seconds")
      assert.strictEqual((yield* worker.status).parked, 2)
      yield* pass("1 minute")
      assert.strictEqual((yield* worker.status).parked, 1)
    }))
})

inMemory("the health of a worker", (test) => {
  const ready = (worker: Worker.Worker["Service"]) =>
    Effect.map(
      Effect.provideService(Health.readiness(), Worker.Worker, worker),
      ({ problems, ready }) => ready ? "ready" : problems.join()
    )

  test("is good at once when it goes on reading after a pause", () =>
    Effect.gen(function*() {
      const { pass } = yield* Place
      const worker = yield* Worker.start({ "user.create": () => Effect.void })
      yield* pass("1 second")
      yield* worker.pause
      yield* pass("2 minutes")
      yield* worker.resume
      // The reader takes a few turns to open its connection.
      yield* pass("50 millis")
      yield* pass("50 millis")
      assert.strictEqual(yield* ready(worker), "ready")
    }))

  test("is good at once when it goes on reading after it was full", () =>
    Effect.gen(function*() {
      const { names, pass } = yield* Place
      for (let n = 0; n < 2; n++) {
        yield* send("XADD", names.stream, "*", "data", actionOf("user.create", n, { data: {} }))
      }
      const worker = yield* Worker.start({ "user.create": () => Effect.sleep("1 minute") }, {
        concurrency: 2,
        readAhead: 0
      })
      yield* pass("59 seconds")
      assert.strictEqual(yield* ready(worker), "ready")
      yield* pass("2 seconds")
      assert.deepStrictEqual(yield* entriesOf(names.stream), [])
      assert.strictEqual(yield* ready(worker), "ready")
    }))
})
