/**
 * Results that are no JSON, where no schema stands between the handler and the wire.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Rejected } from "../../src/HandlerError.ts"
import * as Worker from "../../src/Worker.ts"
import { inMemory } from "../support/layers.ts"
import {
  answersOf,
  deadLetters,
  effects,
  expectations,
  leftovers,
  nothingLeft,
  quick,
  sendAction,
  settled
} from "./world.ts"

const circle: { self?: unknown } = {}
circle.self = circle

const results: ReadonlyArray<readonly [what: string, result: object]> = [
  ["a bigint", { n: 1n }],
  ["a circle", circle],
  ["something whose toJSON throws", {
    toJSON: () => {
      throw new Error("no")
    }
  }]
]

inMemory("a worker whose handler gives what is no JSON", (test) => {
  for (const [what, result] of results) {
    for (const expectation of expectations) {
      test(`never runs it again and goes on: ${what}; answer expected: ${expectation}`, () =>
        Effect.gen(function*() {
          let runs = 0
          const worker = yield* Worker.start({
            "user.create": ({ data }) =>
              Effect.sync(() => {
                runs++
                return data["does"] === "ok" ? {} : result
              })
          }, quick)
          const sent = yield* sendAction("bad", { expectation })
          yield* settled
          const next = yield* sendAction("ok", { expectation: "response" })
          yield* settled
          assert.strictEqual((yield* worker.status).state, "running")
          assert.strictEqual(runs, 2)
          assert.deepStrictEqual(
            yield* effects(sent),
            {
              none: [],
              response: ["error UNENCODABLE_RESULT", "dead unencodable UNENCODABLE_RESULT"],
              callback: ["dead unencodable UNENCODABLE_RESULT"]
            }[expectation]
          )
          assert.strictEqual((yield* answersOf(next)).length, 1)
          assert.deepStrictEqual(yield* leftovers, nothingLeft)
        }))
    }

    test(`keeps a refusal whose details are ${what}`, () =>
      Effect.gen(function*() {
        const worker = yield* Worker.start({
          "user.create": () => Effect.fail(new Rejected({ message: "no", errorCode: "NO", details: { ...result } }))
        }, quick)
        const plain = yield* sendAction("")
        yield* settled
        const [letter] = yield* deadLetters
        assert.deepInclude(letter?.notes, { reason: "rejected", message: "no" })
        const request = yield* sendAction("", { expectation: "response" })
        yield* settled
        assert.strictEqual((yield* worker.status).state, "running")
        assert.deepStrictEqual((yield* effects(request)).slice(0, 1), ["error UNENCODABLE_RESULT"])
        assert.deepStrictEqual(yield* answersOf(plain), [])
        assert.deepStrictEqual(yield* leftovers, nothingLeft)
      }))
  }
})
