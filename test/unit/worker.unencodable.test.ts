/**
 * Results that are no JSON, where no schema stands between the handler and the wire.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as Action from "../../src/Action.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as DomainAction from "../../src/DomainAction.ts"
import { Rejected } from "../../src/HandlerError.ts"
import * as Metrics from "../../src/Metrics.ts"
import * as Worker from "../../src/Worker.ts"
import { counted } from "../support/counted.ts"
import { eventually, inMemory, Place } from "../support/layers.ts"
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
} from "../support/world.ts"

const circle: { self?: unknown } = {}
circle.self = circle

const results: ReadonlyArray<readonly [what: string, result: object]> = [
  ["a bigint of more digits than are read", { n: 10n ** 4300n }],
  ["a circle", circle],
  ["something whose toJSON throws", {
    toJSON: () => {
      throw new Error("no")
    }
  }]
]

/** Its encoder throws. */
const Fragile = Schema.String.pipe(
  Schema.decodeTo(
    Schema.String,
    SchemaTransformation.transform({
      decode: (text: string) => text,
      encode: (): string => {
        throw new Error("no such format")
      }
    })
  )
)

inMemory("a worker whose success has an encoder that throws", (test) => {
  for (const expectation of expectations) {
    test(`never runs it again and goes on; answer expected: ${expectation}`, () =>
      Effect.gen(function*() {
        let runs = 0
        const group = ActionGroup.make(
          Action.make("user.create", { payload: { does: Schema.String }, success: { format: Fragile } })
        )
        const worker = yield* Worker.start(
          group.handlers({
            "user.create": () =>
              Effect.sync(() => {
                runs++
                return { format: "x" }
              })
          }),
          quick
        )
        const sent = yield* sendAction("", { expectation })
        yield* settled
        assert.strictEqual((yield* worker.status).state, "running")
        assert.strictEqual(runs, 1)
        assert.deepStrictEqual(yield* effects(sent), [
          ...(expectation === "response" ? ["error UNENCODABLE_RESULT"] : []),
          "dead unencodable UNENCODABLE_RESULT"
        ])
        assert.include((yield* deadLetters)[0]?.notes["message"], "no such format")
        assert.deepStrictEqual(yield* leftovers, nothingLeft)
      }))
  }
})

inMemory("a worker whose answer is larger than clients take", (test) => {
  for (const expectation of ["response", "callback"] as const) {
    test(`says so instead, and never runs it again; answer expected: ${expectation}`, () =>
      Effect.gen(function*() {
        let runs = 0
        yield* Worker.start({
          "user.create": ({ data }) =>
            Effect.sync(() => {
              runs++
              return { text: "x".repeat(Number(data["does"])) }
            })
        }, { ...quick, payloadLimit: 2_000 })
        const small = yield* sendAction("1000", { expectation })
        const large = yield* sendAction("2000", { expectation })
        yield* settled
        assert.strictEqual(runs, 2)
        assert.lengthOf(yield* answersOf(small), 1)
        assert.deepStrictEqual(yield* effects(large), [
          ...(expectation === "response" ? ["error UNENCODABLE_RESULT"] : []),
          "dead unencodable UNENCODABLE_RESULT"
        ])
        assert.include((yield* deadLetters)[0]?.notes["message"], "larger than the limit of 2000 bytes")
      }))
  }
})

/** Arrays in one another. */
const nested = (levels: number): unknown => levels === 0 ? 0 : [nested(levels - 1)]

inMemory("a worker whose answer is one that clients refuse", (test) => {
  const refused: ReadonlyArray<readonly [what: string, answer: object, message: string]> = [
    ["nested too deep", { tree: nested(63) }, "The answer is nested deeper than 64 levels"],
    ["with a key __proto__", JSON.parse("{\"a\":{\"__proto__\":1}}") as object, "The answer holds a key __proto__"]
  ]
  for (const [what, answer, message] of refused) {
    for (const expectation of ["response", "callback"] as const) {
      test(`says so instead: ${what}; answer expected: ${expectation}`, () =>
        Effect.gen(function*() {
          yield* Worker.start({ "user.create": () => Effect.succeed(answer) }, quick)
          const sent = yield* sendAction("", { expectation })
          yield* settled
          assert.deepStrictEqual(yield* effects(sent), [
            ...(expectation === "response" ? ["error UNENCODABLE_RESULT"] : []),
            "dead unencodable UNENCODABLE_RESULT"
          ])
          assert.strictEqual((yield* deadLetters)[0]?.notes["message"], message)
        }))
    }
  }

  test("answers with as many levels as a client reads", () =>
    Effect.gen(function*() {
      const tree = nested(62)
      yield* Worker.start({ "user.create": () => Effect.succeed({ tree }) }, quick)
      const sent = yield* sendAction("", { expectation: "response" })
      yield* settled
      const [answer] = yield* answersOf(sent)
      const parsed = DomainAction.parseResponse(JSON.stringify(answer))
      assert.deepStrictEqual(parsed._tag === "Success" ? parsed.success.data : parsed, { tree })
    }))

  test("counts and logs it as the dead letter that it is", () =>
    Effect.gen(function*() {
      const { logs } = yield* Place
      const all = Effect.all({
        letters: counted(Metrics.deadLetters, { service: "user", reason: "unencodable" }),
        ended: counted(Metrics.actions, { service: "user", action_type: "user.create", outcome: "dead_letter" }),
        replies: counted(Metrics.actions, { service: "user", action_type: "user.create", outcome: "reply" })
      })
      const before = yield* all
      yield* Worker.start({ "user.create": () => Effect.succeed({ tree: nested(63) }) }, quick)
      yield* sendAction("", { expectation: "response" })
      yield* settled
      yield* eventually("it is logged", Effect.sync(() => logs.some(({ text }) => text.startsWith("Dead letter"))))
      const after = yield* all
      assert.deepStrictEqual(
        {
          letters: after.letters - before.letters,
          ended: after.ended - before.ended,
          replies: after.replies - before.replies
        },
        { letters: 1, ended: 1, replies: 0 }
      )
      const line = logs.find(({ text }) => text.startsWith("Dead letter (unencodable)"))
      assert.strictEqual(line?.level, "Error")
    }))
})

inMemory("a worker whose handler fails with an error of an odd shape", (test) => {
  const odd: ReadonlyArray<readonly [what: string, error: unknown]> = [
    ["a message that is no string", Object.assign(new Error(), { message: { code: 1 } })],
    ["a tag that is no string", { _tag: 1, message: 2 }],
    ["a message of a million characters", new Error("x".repeat(1_000_000))],
    ["nothing at all", undefined]
  ]
  for (const [what, error] of odd) {
    for (const how of ["fails", "dies"] as const) {
      test(`answers with text of bounded length: ${what}, it ${how}`, () =>
        Effect.gen(function*() {
          yield* Worker.start({
            "user.create": () => how === "fails" ? Effect.fail(error) : Effect.die(error)
          }, { ...quick, maxAttempts: 1 })
          const sent = yield* sendAction("", { expectation: "response" })
          yield* settled
          const [answer] = yield* answersOf(sent)
          const parsed = DomainAction.parseResponse(JSON.stringify(answer))
          assert.strictEqual(parsed._tag, "Success")
          assert.isBelow(JSON.stringify(answer).length, 10_000)
          assert.deepStrictEqual(yield* effects(sent), [
            "error HANDLER_EXECUTION_ERROR",
            "dead exhausted HANDLER_EXECUTION_ERROR"
          ])
        }))
    }
  }
})

inMemory("a worker whose handler returns a value outside of JSON", (test) => {
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
