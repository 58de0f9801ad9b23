/**
 * Handlers that send requests to their own service, and hold the slots that these need.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as Worker from "../../src/Worker.ts"
import { entriesOf, eventually, inMemory, onBoth, pendingOf, Place } from "../support/layers.ts"

const Parent = Action.make("user.parent", { payload: { children: Schema.Int }, success: { sum: Schema.Int } })
const Child = Action.make("user.child", { success: { one: Schema.Int } })
const Family = ActionGroup.make(Parent, Child)

const family = Effect.gen(function*() {
  const client = yield* ActionClient.make()
  const seen = { parents: 0, children: 0 }
  const handlers = Family.handlers({
    "user.parent": ({ children }) =>
      Effect.suspend(() => {
        seen.parents++
        return Effect.forEach(
          Array.from({ length: children }),
          () => Effect.orDie(client.request(Child, {}, { timeout: "20 seconds" })),
          { concurrency: "unbounded" }
        )
      }).pipe(
        // Time for its worker to read on.
        Effect.delay("30 millis"),
        Effect.map((all) => ({ sum: all.reduce((sum, { one }) => sum + one, 0) }))
      ),
    "user.child": () => Effect.sync(() => ({ one: ++seen.children && 1 }))
  })
  const start = (options: Worker.WorkerOptions) =>
    Worker.start(handlers, { block: "50 millis", shutdownGrace: 0, maxAttempts: 1, ...options })
  const ask = (children: number) => Effect.forkChild(client.request(Parent, { children }, { timeout: "30 seconds" }))
  return { ask, seen, start }
})

const warnings = Effect.map(
  Place,
  ({ logs }) => logs.filter((line) => line.level === "Warn" && line.text.includes("answer from its own service"))
)

onBoth("A handler that asks its own service", (test) => {
  test("is answered by an idle worker, though its own has read the request ahead", () =>
    Effect.gen(function*() {
      const { kind, names } = yield* Place
      const { ask, seen, start } = yield* family
      yield* start({ concurrency: 1, readAhead: 5 })
      const asking = yield* ask(1)
      yield* eventually("it has asked", Effect.map(entriesOf(names.stream), (rows) => rows.length === 2))
      yield* start({ concurrency: 1 })
      assert.deepStrictEqual(yield* joined(asking), { sum: 1 })
      assert.deepStrictEqual(seen, { parents: 1, children: 1 })
      // On a server the request may come between two reads of the first worker, and then the second one reads it.
      if (kind === "memory") assert.lengthOf(yield* warnings, 1)
      else assert.isAtMost((yield* warnings).length, 1)
    }))

  test("is answered when several of them fill all slots of one of two workers", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const { ask, seen, start } = yield* family
      yield* start({ concurrency: 3, readAhead: 10 })
      const asking = yield* Effect.forEach([1, 2, 2], ask)
      yield* eventually("they have asked", Effect.map(entriesOf(names.stream), (rows) => rows.length === 8))
      yield* start({ concurrency: 1 })
      assert.deepStrictEqual(yield* Effect.forEach(asking, joined), [{ sum: 1 }, { sum: 2 }, { sum: 2 }])
      assert.deepStrictEqual(seen, { parents: 3, children: 5 })
    }))

  test("takes one slot however many it asks at once, and is answered by the other", () =>
    Effect.gen(function*() {
      const { ask, seen, start } = yield* family
      yield* start({ concurrency: 2, readAhead: 2 })
      assert.deepStrictEqual(yield* joined(yield* ask(5)), { sum: 5 })
      assert.deepStrictEqual(seen, { parents: 1, children: 5 })
      assert.lengthOf(yield* warnings, 0)
    }))
})

const joined = <A, E>(fiber: Fiber.Fiber<A, E>) =>
  Effect.andThen(
    eventually("it is answered", Effect.sync(() => fiber.pollUnsafe() !== undefined)),
    Fiber.join(fiber)
  )

inMemory("A worker whose handlers all ask their own service", (test) => {
  test("warns once, and works on when their time is over", () =>
    Effect.gen(function*() {
      const { pass } = yield* Place
      const { ask, seen, start } = yield* family
      yield* start({ concurrency: 2, readAhead: 4 })
      const asking = yield* Effect.forEach([1, 1], ask)
      yield* pass("1 second")
      assert.deepStrictEqual(seen, { parents: 2, children: 0 })
      const [warning, ...others] = yield* warnings
      assert.include(warning?.text, "raise the concurrency")
      assert.deepStrictEqual(others, [])
      yield* pass("31 seconds")
      yield* Effect.forEach(asking, Fiber.await)
      assert.deepStrictEqual(yield* joined(yield* ask(0)), { sum: 0 })
      const { names } = yield* Place
      yield* eventually("all is settled", Effect.map(pendingOf(names), (rows) => rows.length === 0))
      assert.lengthOf(yield* warnings, 1)
    }))
})
