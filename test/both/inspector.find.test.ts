/** Where the inspector looks for an action, and when it may say that an action is nowhere. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Inspector from "../../src/Inspector.ts"
import { onBoth, Place, send } from "../support/layers.ts"
import { actionOf } from "../support/messages.ts"

const idOf = (index: number): string => `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`

/** Adds actions, the first of which are delivered. Returns their action ids. */
const filled = Effect.fnUntraced(function*(count: number, delivered: number) {
  const { names } = yield* Place
  yield* send("XGROUP", "CREATE", names.stream, names.group, "0", "MKSTREAM")
  for (let i = 0; i < count; i++) {
    yield* send("XADD", names.stream, "*", "data", actionOf("user.a", i, { data: {} }))
  }
  const group = ["GROUP", names.group, "me", "COUNT", delivered, "STREAMS", names.stream, ">"]
  if (delivered > 0) yield* send("XREADGROUP", ...group)
  return (index: number) => ({ service: "user", actionId: idOf(index) })
})

onBoth("A search by action id", (test) => {
  test("finds a pending entry that is older than the entries that it looks at one by one", () =>
    Effect.gen(function*() {
      const target = yield* filled(30, 5)
      const inspector = yield* Inspector.make()
      const { complete, entry, looked } = yield* inspector.find(target(2), { limit: 10 })
      assert.strictEqual(entry?.state, "running")
      assert.isTrue(complete)
      assert.isAtLeast(looked, 10)
    }))

  test("says that it is not complete if older entries wait that it did not look at", () =>
    Effect.gen(function*() {
      const target = yield* filled(30, 5)
      const inspector = yield* Inspector.make()
      assert.strictEqual((yield* inspector.find(target(10))).entry?.state, "waiting")
      const found = yield* inspector.find(target(10), { limit: 10 })
      assert.deepStrictEqual([found.entry, found.complete], [undefined, false])
    }))

  test("is complete if everything older was delivered and the pending entries were looked at", () =>
    Effect.gen(function*() {
      const target = yield* filled(30, 30)
      const { names } = yield* Place
      const inspector = yield* Inspector.make()
      const pending = yield* send<ReadonlyArray<[string]>>("XPENDING", names.stream, names.group, "-", "+", 30)
      for (const [id] of pending.slice(0, 25)) yield* send("XACK", names.stream, names.group, id)
      const found = yield* inspector.find(target(99), { limit: 10 })
      assert.deepStrictEqual([found.entry, found.complete], [undefined, true])
    }))

  test("reports each step, with what was looked at so far", () =>
    Effect.gen(function*() {
      const target = yield* filled(900, 0)
      const inspector = yield* Inspector.make()
      const steps: Array<Inspector.Progress> = []
      const onProgress = (progress: Inspector.Progress) => Effect.sync(() => void steps.push(progress))
      yield* inspector.find(target(0), { onProgress })
      assert.deepStrictEqual(steps, [{ looked: 400, done: 0 }, { looked: 800, done: 0 }, { looked: 900, done: 1 }])
    }))

  test("tells an action from another whose payload names its id", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const target = yield* filled(1, 0)
      yield* send("XADD", names.stream, "*", "data", actionOf("user.b", 7, { data: { about: idOf(0) } }))
      const inspector = yield* Inspector.make()
      assert.strictEqual((yield* inspector.find(target(0))).entry?.actionType, "user.a")
    }))
})
