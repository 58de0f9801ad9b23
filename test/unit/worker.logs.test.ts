/**
 * What the log lines of handlers carry.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { RetryLater } from "../../src/HandlerError.ts"
import * as Worker from "../../src/Worker.ts"
import { eventually, inMemory, Place, send } from "../support/layers.ts"
import { actionOf } from "../support/messages.ts"

inMemory("a log line of a handler", (test) => {
  const handlers = {
    "user.create": () => Effect.andThen(Effect.log("creating"), Effect.fail(new RetryLater()))
  }

  /** Lets two attempts of an action be made, and gives its id and what their lines bear. */
  const annotations = Effect.fnUntraced(function*(around: Readonly<Record<string, unknown>>) {
    const { logs, names, pass } = yield* Place
    const text = actionOf("user.create", 1, { data: {} })
    const { action_id, correlation_id, trace_id } = JSON.parse(text) as Readonly<Record<string, string>>
    yield* send("XADD", names.stream, "*", "data", text)
    yield* Effect.annotateLogs(Worker.start(handlers), around)
    const lines = Effect.sync(() => logs.filter((line) => line.text === "creating"))
    for (const count of [1, 2]) {
      yield* eventually(`attempt ${count} is made`, Effect.map(lines, ({ length }) => length >= count))
      yield* pass("1 minute")
    }
    return {
      ids: { service: "user", action_id, correlation_id, trace_id },
      borne: (yield* lines).slice(0, 2).map((line) => line.annotations)
    }
  })

  test("carries the service, and the ids, type and attempt of its action", () =>
    Effect.gen(function*() {
      const { borne, ids } = yield* annotations({})
      assert.deepStrictEqual(borne, [
        { ...ids, action_type: "user.create", attempt: 1 },
        { ...ids, action_type: "user.create", attempt: 2 }
      ])
    }))

  test("carries the annotations of its worker as well", () =>
    Effect.gen(function*() {
      const { borne, ids } = yield* annotations({ pod: "a", attempt: "of the pod" })
      assert.deepStrictEqual(borne[0], { pod: "a", ...ids, action_type: "user.create", attempt: 1 })
    }))
})
