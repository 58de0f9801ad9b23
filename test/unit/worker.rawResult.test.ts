/**
 * What a handler without a contract gives back arrives as `JSON.stringify` writes it, or as an error: never as something else.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as DomainAction from "../../src/DomainAction.ts"
import { Rejected } from "../../src/HandlerError.ts"
import * as Worker from "../../src/Worker.ts"
import { inMemory } from "../support/layers.ts"
import {
  answersOf,
  deadLetters,
  effects,
  leftovers,
  nothingLeft,
  quick,
  sendAction,
  settled
} from "../support/world.ts"

/** As the models of Mongoose and Sequelize are: fields of their own, and a method that says which of them are shown. */
class User {
  readonly email = "ana@example.com"
  readonly passwordHash = "secret"
  toJSON(): object {
    return { email: this.email }
  }
}

class Decimal {
  readonly digits: ReadonlyArray<number>
  constructor(text: string) {
    this.digits = text.split("").map(Number)
  }
  toJSON(): string {
    return this.digits.join("")
  }
}

class Point {
  readonly x = 1
  get twice(): number {
    return 2 * this.x
  }
}

/** Values that hold themselves twice at each level: a walk without an end would look at all of them. */
const double: Record<string, unknown> = { n: Number.NaN }
double["left"] = double
double["right"] = double

const good: ReadonlyArray<readonly [what: string, result: object]> = [
  ["a plain object", { userId: "1", tags: ["a", null], nested: { yes: true, no: undefined } }],
  ["an object without a prototype", Object.assign(Object.create(null), { userId: "1" }) as object],
  ["a model whose toJSON hides fields", new User()],
  ["a model inside of a list", { users: [new User()] }],
  ["an object whose own toJSON gives another", { secret: 1, toJSON: () => ({ shown: 2 }) }],
  ["a class without a toJSON", new Point()],
  ["a date and a decimal inside of an object", { at: new Date(0), total: new Decimal("12") }],
  ["a map, of which JSON writes nothing", { map: new Map([["a", 1]]) }],
  ["boxed values", { n: new Number(1), s: new String("a"), b: new Boolean(false) }],
  ["functions and symbols, which JSON leaves out", { f: () => 1, s: Symbol("s"), list: [() => 1] }]
]

const notAnObject = (written: string) => `The result is not a JSON object: JSON writes ${written} for it`

const holdsNoNumber = "The result holds a number that is not finite, or an invalid date: JSON writes null for it"

const bad: ReadonlyArray<readonly [what: string, result: object, message: string]> = [
  ["a date", new Date(0), notAnObject("a string")],
  ["a decimal", new Decimal("12"), notAnObject("a string")],
  ["a list", [{ userId: "1" }], notAnObject("an array")],
  ["a boxed text", new String("text"), notAnObject("a string")],
  ["an own toJSON that gives a text", { toJSON: () => "text" }, notAnObject("a string")],
  ["a toJSON that gives nothing", { toJSON: () => undefined }, notAnObject("nothing")],
  ["a toJSON that gives null", { toJSON: () => null }, notAnObject("null")],
  ["NaN", { total: Number.NaN }, holdsNoNumber],
  ["an infinite number in a list", { list: [{ total: Number.NEGATIVE_INFINITY }] }, holdsNoNumber],
  ["NaN that a toJSON gives", { toJSON: () => ({ total: Number.NaN }) }, holdsNoNumber],
  ["a boxed NaN", { total: new Number(Number.NaN) }, holdsNoNumber],
  ["an invalid date", { at: new Date("no date") }, holdsNoNumber],
  ["NaN beside a bigint", { id: 2n ** 60n, total: Number.NaN }, holdsNoNumber],
  ["an invalid date that a toJSON gives beside a bigint", {
    toJSON: () => ({ id: 2n ** 60n, at: new Date("no date") })
  }, holdsNoNumber],
  ["a list with a bigint", [2n ** 60n], notAnObject("an array")],
  ["a toJSON that gives a bigint", { toJSON: () => 2n ** 60n }, notAnObject("a number")]
]

inMemory("a result without a contract", (test) => {
  for (const [what, result] of good) {
    for (const expectation of ["response", "callback"] as const) {
      test(`arrives as JSON.stringify writes it: ${what}; answer expected: ${expectation}`, () =>
        Effect.gen(function*() {
          yield* Worker.start({ "user.create": () => Effect.succeed(result) }, quick)
          const sent = yield* sendAction("", { expectation })
          yield* settled
          const [answer] = yield* answersOf(sent)
          assert.deepStrictEqual((answer as { readonly data: unknown }).data, JSON.parse(JSON.stringify(result)))
          assert.deepStrictEqual(yield* deadLetters, [])
        }))
    }
  }

  for (const [what, result, message] of bad) {
    for (const expectation of ["response", "callback"] as const) {
      test(`is unencodable where that is not an object, or says null for a number: ${what}; expected: ${expectation}`, () =>
        Effect.gen(function*() {
          yield* Worker.start({ "user.create": () => Effect.succeed(result) }, quick)
          const sent = yield* sendAction("", { expectation })
          yield* settled
          assert.deepStrictEqual(yield* effects(sent), [
            ...(expectation === "response" ? ["error UNENCODABLE_RESULT"] : []),
            "dead unencodable UNENCODABLE_RESULT"
          ])
          assert.strictEqual((yield* deadLetters)[0]?.notes["message"], message)
          assert.deepStrictEqual(yield* leftovers, nothingLeft)
        }))
    }
  }

  test("comes to an end where it holds itself", () =>
    Effect.gen(function*() {
      yield* Worker.start({ "user.create": () => Effect.succeed(double) }, quick)
      const sent = yield* sendAction("", { expectation: "response" })
      yield* settled
      assert.deepStrictEqual(yield* effects(sent), ["error UNENCODABLE_RESULT", "dead unencodable UNENCODABLE_RESULT"])
    }))
})

inMemory("the details of a refusal", (test) => {
  const details: ReadonlyArray<readonly [what: string, details: unknown, json: { readonly [key: string]: unknown }]> = [
    ["a model", new User(), { email: "ana@example.com" }],
    ["what writes itself as a text", new Decimal("12"), { value: "12" }],
    ["a date", new Date(0), { value: "1970-01-01T00:00:00.000Z" }],
    ["a list", [1], { value: [1] }]
  ]
  for (const [what, given, json] of details) {
    test(`are an object that every client reads: ${what}`, () =>
      Effect.gen(function*() {
        // SAFETY: what a handler in JavaScript could give.
        const refusal = new Rejected({ message: "no", details: given as { readonly [key: string]: unknown } })
        yield* Worker.start({ "user.create": () => Effect.fail(refusal) }, quick)
        const sent = yield* sendAction("", { expectation: "response" })
        yield* settled
        const [answer] = yield* answersOf(sent)
        const response = DomainAction.parseResponse(JSON.stringify(answer))
        assert.deepStrictEqual(response._tag === "Success" && response.success.error?.details, json)
      }))
  }
})
