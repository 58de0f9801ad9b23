/**
 * What a worker holds at once, wherever its entries come from.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { RetryLater } from "../../src/HandlerError.ts"
import * as Worker from "../../src/Worker.ts"
import { entriesOf, eventually, onBoth, Place, send } from "../support/layers.ts"
import { actionOf } from "../support/messages.ts"

const count = 12

/** Room for two entries and a bit: the third one goes beyond it, and then nothing more is taken. */
const options = { memoryLimit: 20_000, block: "200 millis", claimIdle: "400 millis" } as const
const most = 3

const addLarge = Effect.gen(function*() {
  const { names } = yield* Place
  for (let n = 0; n < count; n++) {
    yield* send("XADD", names.stream, "*", "data", actionOf("user.create", n, { data: { text: "x".repeat(8_000) } }))
  }
})

/** Counts how many run at once: all that is held starts. */
const makeCounter = () => {
  let running = 0
  const counter = { done: 0, most: 0 }
  const counted = Effect.suspend(() => {
    counter.most = Math.max(counter.most, ++running)
    return Effect.andThen(
      Effect.sleep("20 millis"),
      Effect.sync(() => {
        running--
        counter.done++
      })
    )
  })
  return { counter, counted }
}

onBoth("the memory of a worker", (test) => {
  test("bounds the retries that it takes at once", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const { counted, counter } = makeCounter()
      yield* addLarge
      yield* Worker.start({
        "user.create": (_, { attempt }) =>
          attempt === 1 ? Effect.fail(new RetryLater({ after: "500 millis" })) : counted
      }, options)
      yield* eventually("all are done", Effect.map(entriesOf(names.stream), (rows) => rows.length === 0))
      assert.strictEqual(counter.done, count)
      assert.isAtMost(counter.most, most)
    }))

  test("bounds what it takes over from others at once", () =>
    Effect.gen(function*() {
      const { names, pass } = yield* Place
      const { counted, counter } = makeCounter()
      yield* send("XGROUP", "CREATE", names.stream, names.group, "0", "MKSTREAM")
      yield* addLarge
      yield* send("XREADGROUP", "GROUP", names.group, "dead", "STREAMS", names.stream, ">")
      yield* pass("500 millis")
      yield* Worker.start({ "user.create": () => counted }, options)
      yield* eventually("all are done", Effect.map(entriesOf(names.stream), (rows) => rows.length === 0))
      assert.strictEqual(counter.done, count)
      assert.isAtMost(counter.most, most)
    }))
})
