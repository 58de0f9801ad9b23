/** Pauses by operators hold for all workers of a service. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Inspector from "../../src/Inspector.ts"
import * as Worker from "../../src/Worker.ts"
import { entriesOf, eventually, onBoth, pendingOf, Place, send } from "../support/layers.ts"
import { actionOf } from "../support/messages.ts"

const add = Effect.fnUntraced(function*(type: string, number: number) {
  const { names } = yield* Place
  yield* send("XADD", names.stream, "*", "data", actionOf(type, number, { data: {} }))
})

const start = Effect.gen(function*() {
  const ran: Array<string> = []
  const handler = ({ action_type }: { readonly action_type: string }, { attempt }: { readonly attempt: number }) =>
    Effect.sync(() => void ran.push(`${action_type} ${attempt}`))
  const worker = yield* Worker.start({ "user.a": handler, "user.b": handler }, {
    block: "200 millis",
    shutdownGrace: 0
  })
  return { ran, worker }
})

onBoth("A pause by an operator", (test) => {
  test("keeps every worker of the service from taking entries until it is resumed, and workers know of it", () =>
    Effect.gen(function*() {
      const { names, pass } = yield* Place
      const inspector = yield* Inspector.make()
      const { ran, worker } = yield* start
      yield* inspector.pause("user", { reason: "provider is down" })
      yield* eventually("it knows", Effect.map(worker.status, ({ pauses }) => pauses[0]?.reason === "provider is down"))
      const late = yield* start
      assert.strictEqual((yield* late.worker.status).pauses.length, 1)
      yield* pass("100 millis")
      yield* add("user.a", 1)
      yield* pass("2 seconds")
      assert.deepStrictEqual([...ran, ...late.ran], [])
      assert.strictEqual((yield* entriesOf(names.stream)).length, 1)
      assert.isTrue(yield* inspector.resume("user"))
      assert.isFalse(yield* inspector.resume("user"))
      yield* eventually("it ran", Effect.sync(() => ran.length + late.ran.length === 1))
    }))

  test("of a type leaves other types alone, and costs no attempt", () =>
    Effect.gen(function*() {
      const { pass } = yield* Place
      const inspector = yield* Inspector.make()
      const { ran, worker } = yield* start
      yield* inspector.pause("user", { actionType: "user.a", for: "1 hour" })
      yield* eventually("it knows", Effect.map(worker.status, ({ pauses }) => pauses[0]?.actionType === "user.a"))
      yield* add("user.a", 1)
      yield* add("user.b", 2)
      yield* eventually("the other type ran", Effect.sync(() => ran.length === 1))
      yield* pass("3 seconds")
      assert.deepStrictEqual(ran, ["user.b 1"])
      yield* inspector.resume("user", { actionType: "user.a" })
      yield* eventually("it ran", Effect.sync(() => ran.length === 2))
      assert.strictEqual(ran[1], "user.a 1")
    }))

  test("of a type delivers what waits for its end once, whatever the number of workers and of other pauses", () =>
    Effect.gen(function*() {
      const { names, pass } = yield* Place
      const inspector = yield* Inspector.make()
      const one = yield* start
      const other = yield* start
      yield* inspector.pause("user", { actionType: "user.a" })
      yield* inspector.pause("user", { actionType: "user.b", for: "4 seconds" })
      for (const { worker } of [one, other]) {
        yield* eventually("it knows", Effect.map(worker.status, ({ pauses }) => pauses.length === 2))
      }
      for (let i = 0; i < 5; i++) yield* add("user.a", i)
      yield* add("user.b", 5)
      yield* eventually(
        "the type whose pause has ended ran",
        Effect.sync(() => one.ran.length + other.ran.length === 1)
      )
      yield* pass("3 seconds")
      const pending = yield* pendingOf(names)
      assert.deepStrictEqual(
        pending.map(([, consumer, , deliveries]) => [consumer, deliveries]),
        Array.from({ length: 5 }, () => [names.waitingConsumer, 1])
      )
      const { entries } = yield* inspector.list("user", "retrying")
      assert.deepStrictEqual(
        entries.map(({ actionType, dueAt }) => [actionType, dueAt]),
        Array.from({ length: 5 }, () => ["user.a", undefined])
      )
      assert.isUndefined((yield* inspector.overview("user")).nextRetry)
      const refused = yield* Effect.flip(inspector.retryNow({ service: "user", entryId: pending[0]![0] }))
      assert.include(refused.message, "held because its type is paused")
      yield* inspector.resume("user", { actionType: "user.a" })
      yield* eventually("all ran", Effect.sync(() => one.ran.length + other.ran.length === 6))
      assert.sameMembers([...one.ran, ...other.ran], ["user.b 1", ...Array.from({ length: 5 }, () => "user.a 1")])
    }))

  test("that has ended is forgotten by Redis, and workers count those that stand", () =>
    Effect.gen(function*() {
      const { names, pass } = yield* Place
      const inspector = yield* Inspector.make()
      const { worker } = yield* start
      yield* inspector.pause("user", { actionType: "user.a", for: "4 seconds" })
      yield* inspector.pause("user", { actionType: "user.b" })
      yield* eventually("it knows", Effect.map(worker.status, ({ pauses }) => pauses.length === 2))
      yield* eventually(
        "it is forgotten",
        Effect.map(send<ReadonlyArray<string>>("HKEYS", names.paused), (fields) => fields.join(" ") === "user.b")
      )
      yield* pass("100 millis")
      assert.deepStrictEqual((yield* worker.status).pauses.map(({ actionType }) => actionType), ["user.b"])
    }))

  test("ends by itself after its time", () =>
    Effect.gen(function*() {
      const inspector = yield* Inspector.make()
      const { ran, worker } = yield* start
      yield* inspector.pause("user", { for: "2 seconds" })
      yield* eventually("it knows", Effect.map(worker.status, ({ pauses }) => pauses.length === 1))
      yield* add("user.a", 1)
      yield* eventually("it ran", Effect.sync(() => ran.length === 1))
      assert.deepStrictEqual(yield* inspector.pauses("user"), [])
    }))
})
