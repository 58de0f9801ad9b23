/** Pauses by operators hold for all workers of a service. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Inspector from "../../src/Inspector.ts"
import * as Worker from "../../src/Worker.ts"
import { entriesOf, eventually, onBoth, Place, send } from "../support/layers.ts"
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
