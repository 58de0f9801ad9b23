/** Receipts as text, and ids of actions from text. */
import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as ActionId from "../../src/ActionId.ts"
import * as Receipt from "../../src/Receipt.ts"

const actionId = "3f0c1b9e-6f0a-4d8e-9a53-2b1f6f0a77aa"

const Digits = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1e15 }))
const Id = Schema.String.check(Schema.isUUID())
const Common = { service: Schema.NonEmptyString, stream: Schema.NonEmptyString, id: Id }
const Samples = Schema.Union([
  Schema.Struct({ ...Common, state: Schema.tag("Sent"), time: Digits, sequence: Digits }),
  Schema.Struct({ ...Common, state: Schema.tag("Scheduled"), time: Digits }),
  Schema.Struct({ ...Common, state: Schema.tag("Waiting") }),
  Schema.Struct({ ...Common, state: Schema.tag("Duplicate"), first: Id, time: Schema.NullOr(Digits) })
])

const receiptOf = (sample: typeof Samples.Type): Receipt.Receipt => {
  const common = { service: sample.service, stream: sample.stream, actionId: sample.id.toLowerCase() }
  switch (sample.state) {
    case "Sent":
      return { _tag: "Sent", ...common, entryId: `${sample.time}-${sample.sequence}` }
    case "Scheduled":
      return { _tag: "Scheduled", ...common, at: DateTime.makeUnsafe(sample.time) }
    case "Waiting":
      return { _tag: "Waiting", ...common }
    case "Duplicate": {
      const first = sample.first.toLowerCase()
      return {
        _tag: "Duplicate",
        ...common,
        first: sample.time === null ? { actionId: first } : { actionId: first, entryId: `${sample.time}-0` }
      }
    }
  }
}

/** Half of a pair of surrogates cannot be written as UTF-8, and no name has one. */
const isWritable = (text: string): boolean => text.isWellFormed()

describe("The text of a receipt", () => {
  it.prop("is one word that becomes the same receipt again", [Samples], ([sample]) => {
    if (!isWritable(sample.service) || !isWritable(sample.stream)) return
    const receipt = receiptOf(sample)
    const text = Receipt.toText(receipt)
    assert.notMatch(text, /\s/)
    assert.deepStrictEqual(Receipt.parse(text), Result.succeed(receipt))
  })

  it("shows service, stream, action id and state", () => {
    const common = { actionId, service: "user", stream: "app:dev:user:streams:main" }
    const start = `user/app:dev:user:streams:main/${actionId}`
    assert.strictEqual(Receipt.toText({ _tag: "Sent", ...common, entryId: "1-0" }), `${start}/sent/1-0`)
    assert.strictEqual(Receipt.toText({ _tag: "Waiting", ...common }), `${start}/waiting`)
    assert.strictEqual(
      Receipt.toText({ _tag: "Scheduled", ...common, at: DateTime.makeUnsafe(1_000) }),
      `${start}/scheduled/1000`
    )
    assert.strictEqual(
      Receipt.toText({ _tag: "Duplicate", ...common, first: { actionId, entryId: "1-0" } }),
      `${start}/duplicate/${actionId}/1-0`
    )
  })

  for (
    const [what, text] of [
      ["nothing", ""],
      ["another text", "hello"],
      ["an id alone", actionId],
      ["an entry id that is none", `user/stream/${actionId}/sent/1`],
      ["an entry id with a command in it", `user/stream/${actionId}/sent/1-0 FLUSHALL`],
      ["a time that is none", `user/stream/${actionId}/scheduled/soon`],
      ["a time beyond the last date", `user/stream/${actionId}/scheduled/9999999999999999`],
      ["an unknown state", `user/stream/${actionId}/lost`],
      ["more than a receipt has", `user/stream/${actionId}/sent/1-0/more`],
      ["an escape that is none", `user/%zz/${actionId}/waiting`],
      ["an id that is no UUID", "user/stream/1/waiting"],
      ["a text that is too long", `user/${"s".repeat(5_000)}/${actionId}/waiting`]
    ] as const
  ) {
    it(`is refused with a typed error when it is ${what}`, () => {
      const parsed = Receipt.parse(text)
      assert.isTrue(Result.isFailure(parsed))
      if (Result.isSuccess(parsed)) return
      assert.instanceOf(parsed.failure, Receipt.InvalidReceipt)
      assert.isBelow(parsed.failure.message.length, 300)
    })
  }
})

describe("The id of an action", () => {
  // The UUID of version 5 of "order 1042", calculated with Python's uuid module.
  it("is the UUID of version 5 of a text, in a namespace of the action type", () => {
    assert.deepStrictEqual(
      ActionId.from("payment.charge", "order 1042"),
      Result.succeed("089d5d1e-b489-5eb0-b979-05185a6454d3")
    )
    assert.notDeepEqual(ActionId.from("payment.charge", "1"), ActionId.from("payment.refund", "1"))
    assert.notDeepEqual(ActionId.from("payment.charge", "1"), ActionId.from("payment.charge", "2"))
  })

  it("stays the UUID that was given, in lower case", () => {
    assert.deepStrictEqual(ActionId.from("payment.charge", actionId.toUpperCase()), Result.succeed(actionId))
  })

  for (
    const [what, text] of [
      ["empty", ""],
      ["longer than 200 characters", "x".repeat(201)],
      ["holds a line break", "a\nb"],
      ["holds a character that turns the direction of text", "a\u202eb"],
      ["holds half of a pair of surrogates", "a\ud800"]
    ] as const
  ) {
    it(`is refused when its text is ${what}`.replace("is holds", "holds"), () => {
      assert.isTrue(Result.isFailure(ActionId.from("payment.charge", text)))
    })
  }

  it("that is derived is the same for the same parent and name, and another for each other", () => {
    const parents = [actionId, "00000000-0000-4000-8000-000000000001", "order 1"]
    const ids = parents.flatMap((parent) => ["charge", "mail"].map((name) => ActionId.derive(parent, name)))
    assert.strictEqual(new Set(ids).size, 6)
    assert.strictEqual(ActionId.derive(actionId.toUpperCase(), "charge"), ids[0])
    assert.match(ids[0]!, /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  })
})
