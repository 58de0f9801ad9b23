/**
 * Integers beyond 2^53 keep every digit wherever a message goes, or are refused by name.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { randomUUID } from "node:crypto"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as DeadLetter from "../../src/DeadLetter.ts"
import * as DomainAction from "../../src/DomainAction.ts"
import { Rejected } from "../../src/HandlerError.ts"
import { validationDetail } from "../../src/internal/contract/validationDetail.ts"
import * as Integers from "../../src/internal/wire/integers.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as TestWorker from "../../src/testing/TestWorker.ts"
import * as Worker from "../../src/Worker.ts"
import { entriesOf, eventually, fieldsOf, onBoth, Place, send } from "../support/layers.ts"
import { namingOf } from "../support/namings.ts"
import { describeInMemory } from "../support/place.ts"
import { codecOf } from "../support/typedCodec.ts"

const big = 9007199254740993n
const bigger = -(10n ** 30n)
const written = "{\"id\":9007199254740993,\"deep\":[{\"id\":-1000000000000000000000000000000}],\"small\":7}"
const read = { id: big, deep: [{ id: bigger }], small: 7 }

const textOf = (data: string, over: { readonly [key: string]: unknown } = {}) =>
  JSON.stringify({
    ...DomainAction.make({
      action_id: randomUUID(),
      action_type: "user.echo",
      timestamp: "2025-06-29T04:03:00Z",
      data: {}
    }),
    ...over
  }).replace("\"data\":{}", `"data":${data}`)

const parsed = (text: string): DomainAction.DomainAction => {
  const action = DomainAction.parse(text)
  if (Result.isFailure(action)) return assert.fail(action.failure.text)
  return action.success
}

// SAFETY: newer than TypeScript's library.
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => unknown }

const dataOf = (data: string) => parsed(textOf(data)).data

describeInMemory("an integer in a text", () => {
  it("beyond 2^53 is a bigint with every digit, however deep and however it is spaced", () => {
    assert.deepStrictEqual(dataOf(written), read)
    assert.deepStrictEqual(dataOf("{ \"a\" :\n9007199254740993\t, \"b\": [ -9007199254740993 ] }"), {
      a: big,
      b: [-big]
    })
    assert.deepStrictEqual(dataOf("{\"a\":9007199254740992}"), { a: 9007199254740992n })
    assert.deepStrictEqual(dataOf(`{"a":1${"0".repeat(400)}}`), { a: 10n ** 400n })
  })

  it("that a double holds stays a number, up to the last one", () => {
    assert.deepStrictEqual(dataOf("{\"a\":9007199254740991,\"b\":-9007199254740991,\"c\":0,\"d\":1751169780000000}"), {
      a: Number.MAX_SAFE_INTEGER,
      b: Number.MIN_SAFE_INTEGER,
      c: 0,
      d: 1751169780000000
    })
  })

  it("with a fraction or an exponent is a number, as in Python", () => {
    const text =
      "{\"big\":9007199254740993,\"a\":1e20,\"b\":1E+20,\"c\":9007199254740993.0,\"d\":0.12345678901234567891,\"e\":-1e300}"
    assert.deepStrictEqual(dataOf(text), {
      big,
      a: 1e20,
      b: 1e20,
      c: 9007199254740992,
      d: 0.12345678901234568,
      e: -1e300
    })
  })

  it("is not taken from strings and keys that look like one", () => {
    const digits = "9007199254740993"
    assert.deepStrictEqual(
      dataOf(`{"${digits}":"${digits}","a\\"b":"\\\\","c":"x: ${digits}, \\" ${digits} ","d":${digits}}`),
      {
        [digits]: digits,
        "a\"b": "\\",
        c: `x: ${digits}, " ${digits} `,
        d: big
      }
    )
  })

  it("goes to the key that it was written for, also one that is escaped", () => {
    assert.deepStrictEqual(dataOf("{\"\\u0061\\n\":{\"\\\"\":9007199254740993}}"), { "a\n": { "\"": big } })
  })

  it("of a key that is written twice does not replace the value that counts", () => {
    assert.deepStrictEqual(dataOf("{\"a\":9007199254740993,\"a\":1}"), { a: 1 })
    assert.deepStrictEqual(dataOf("{\"a\":{\"b\":9007199254740993},\"a\":[],\"c\":9007199254740993}"), {
      a: [],
      c: big
    })
    assert.deepStrictEqual(dataOf("{\"a\":1,\"a\":9007199254740993}"), { a: big })
  })

  it("is exact in notes, in the three configs and under keys that the format does not know", () => {
    for (const key of ["metadata", "execution_config", "query_config", "rag_config", "labels"]) {
      const text = textOf("{}", { [key]: { at: 0 } }).replace("\"at\":0", "\"at\":9007199254740993")
      assert.deepStrictEqual(parsed(text)[key], { at: big }, key)
      assert.strictEqual(DomainAction.encode(parsed(text)), text, key)
    }
    const text = textOf("{}", { version: 0 }).replace("\"version\":0", "\"version\":9007199254740993")
    assert.strictEqual(parsed(text)["version"], big)
  })

  it("of more digits than Python reads is refused, and so is not a cost", () => {
    const digits = "9".repeat(4300)
    assert.deepStrictEqual(dataOf(`{"a":${digits}}`), { a: BigInt(digits) })
    const result = DomainAction.parse(textOf(`{"a":-9${digits}}`))
    assert.isTrue(Result.isFailure(result))
    if (Result.isFailure(result)) {
      assert.deepStrictEqual(result.failure, {
        _tag: "NotJson",
        text: "data holds an integer of more than 4300 digits"
      })
    }
  })

  it("does not open a way to the prototype", () => {
    const result = DomainAction.parse(textOf("{\"__proto__\":{\"a\":9007199254740993}}"))
    assert.isTrue(Result.isFailure(result) && result.failure._tag === "ForbiddenKey")
  })

  const Tree = Schema.Json
  it.prop(
    "is found where a reviver with the source finds it",
    { tree: Tree, key: Schema.String, integer: Schema.BigInt },
    ({ integer, key, tree }) => {
      const value = { tree, [`x${key}`]: [integer * 10n ** 17n, { [`x${key}`]: big }], tail: tree }
      const text = Integers.stringify(value)
      // SAFETY: the third argument is newer than TypeScript's library.
      const revive = ((_: string, value: unknown, { source }: { source: string }) =>
        typeof value === "number" && /^-?\d+$/.test(source) && !Number.isSafeInteger(value)
          ? BigInt(source)
          : value) as (key: string, value: unknown) => unknown
      const restored: unknown = JSON.parse(text)
      if (Integers.holdsUnsafe(restored, true)) {
        assert.isTrue(Integers.restore(text, restored))
      }
      assert.deepStrictEqual(restored, JSON.parse(text, revive))
    },
    { arbitrary: { runs: 500 } }
  )
})

describeInMemory("a bigint in a message", () => {
  const action = (data: { readonly [key: string]: unknown }) =>
    DomainAction.make({ action_id: randomUUID(), action_type: "user.echo", timestamp: "x", data })

  it("is written as an integer, and read again as the same", () => {
    assert.include(DomainAction.encode(action(read)), `"data":${written}`)
    assert.deepStrictEqual(parsed(DomainAction.encode(action(read))).data, read)
  })

  it("is written as an integer where the program taught JSON.stringify to write a string", () => {
    const prototype: { toJSON?: () => string } = BigInt.prototype as never
    prototype.toJSON = () => "a string"
    try {
      assert.include(DomainAction.encode(action(read)), `"data":${written}`)
    } finally {
      delete prototype.toJSON
    }
  })

  it("is told from a number of that size, which is written with an exponent as in Python", () => {
    const data = { float: 1e20, least: 9007199254740992, list: [-1e20], integer: 10n ** 20n }
    const text = DomainAction.encode(action(data))
    assert.include(
      text,
      "{\"float\":1e+20,\"least\":9.007199254740992e+15,\"list\":[-1e+20],\"integer\":100000000000000000000}"
    )
    assert.deepStrictEqual(parsed(text).data, data)
  })

  it("is told from such a number under a key that the format does not know", () => {
    const text = DomainAction.encode({ ...action({}), labels: [1e20], version: -1e20 })
    assert.include(text, "\"labels\":[1e+20],\"version\":-1e+20")
  })

  it("does not make an object be looked into that says of itself what it is as JSON", () => {
    const circle: { self?: unknown; toJSON: () => unknown } = { toJSON: () => ({ at: 1e20 }) }
    circle.self = circle
    assert.include(DomainAction.encode(action({ circle })), "\"data\":{\"circle\":{\"at\":1e+20}}")
  })

  it("is told from a boxed number of that size", () => {
    const data = { n: new Number(1e20), least: [new Number(2 ** 53)] }
    assert.include(DomainAction.encode(action(data)), "{\"n\":1e+20,\"least\":[9.007199254740992e+15]}")
  })

  it("is written in both texts of an error", () => {
    const response = DomainAction.failure(parsed(textOf("{}")), {
      error_type: "Taken",
      message: "taken",
      details: { id: big }
    }, { actionId: randomUUID(), timestamp: "x" })
    const text = DomainAction.encodeResponse(response)
    assert.include(text, "\"details\":{\"id\":9007199254740993}")
    const back = DomainAction.parseResponse(text)
    assert.deepStrictEqual(Result.isSuccess(back) ? back.success.error?.details : back.failure, { id: big })
  })
})

// -----------------------------------------------------------------------------
// contracts
// -----------------------------------------------------------------------------

const Typed = Action.make("user.typed", {
  payload: { id: Action.BigInt, any: Schema.optionalKey(Action.Unknown) },
  success: { next: Action.BigInt }
})

const refusal = (payload: Schema.Struct.Fields, data: string) => {
  const codec = codecOf(Action.make("user.refuses", { payload }))
  // SAFETY: none of the schemas here needs a service.
  const decoding = codec.decodePayload(dataOf(data)) as Effect.Effect<unknown, Schema.SchemaError>
  return validationDetail(Effect.runSync(Effect.flip(decoding)))
}

describeInMemory("a contract", () => {
  for (
    const [name, schema, expected] of [
      ["Schema.Int", Schema.Int, "number"],
      ["Schema.Number", Schema.Number, "number"],
      ["Schema.Finite", Schema.Finite, "number"],
      ["Schema.BigInt", Schema.BigInt, "string"],
      ["a union", Schema.Union([Schema.String, Schema.Boolean]), "string | boolean"]
    ] as const
  ) {
    it(`refuses an integer beyond 2^53 for ${name}, says why, and does not show it`, () => {
      const { details, message } = refusal({ id: schema }, "{\"id\":9007199254740993}")
      assert.strictEqual(
        message,
        `id: Expected ${expected}, found a bigint (an integer beyond 2^53): declare it as Action.BigInt`
      )
      assert.notInclude(JSON.stringify(details), "9007199254740993")
    })
  }

  it("refuses one somewhere in Schema.Unknown, and says why", () => {
    assert.strictEqual(
      refusal({ any: Schema.Unknown }, "{\"any\":{\"list\":[{\"id\":9007199254740993}]}}").message,
      "any: Expected JSON value, found a bigint in it (an integer beyond 2^53): declare it as Action.Unknown"
    )
  })

  it("gives no such reason for another fault beside such an integer", () => {
    assert.strictEqual(
      refusal({ id: Action.BigInt, name: Schema.String }, "{\"id\":9007199254740993,\"name\":1}").message,
      "name: Expected string"
    )
  })

  it("reads Action.BigInt from any JSON integer, and from nothing else", () => {
    const codec = codecOf(Action.make("user.reads", { payload: { id: Action.BigInt } }))
    const decode = (data: string) => Effect.runSyncExit(codec.decodePayload(dataOf(data)))
    for (const [text, value] of [["0", 0n], ["-7", -7n], ["9007199254740993", big], ["1.0", 1n]] as const) {
      assert.deepStrictEqual(decode(`{"id":${text}}`), Effect.runSyncExit(Effect.succeed({ id: value })), text)
    }
    // Of a float beyond 2^53 the integer is not known.
    for (const text of ["1.5", "1e20", "\"7\"", "null", "true"]) {
      assert.strictEqual(decode(`{"id":${text}}`)._tag, "Failure", text)
    }
  })

  it("takes Action.BigInt where any schema may stand", () => {
    const codec = codecOf(Action.make("user.everywhere", {
      payload: {
        positive: Action.BigInt.check(Schema.isGreaterThanBigInt(0n)),
        absent: Schema.optionalKey(Schema.NullOr(Action.BigInt)),
        either: Schema.Union([Schema.String, Action.BigInt]),
        byName: Schema.Record(Schema.String, Action.BigInt)
      },
      success: Action.BigInt
    }))
    const payload = { positive: big, absent: null, either: bigger, byName: { a: 1n } }
    const encoded = Effect.runSync(codec.encodePayload(payload))
    const text = Integers.stringify(encoded)
    assert.strictEqual(
      text,
      `{"positive":${big},"absent":null,"either":${bigger},"byName":{"a":1}}`
    )
    assert.deepStrictEqual(Effect.runSync(codec.decodePayload(dataOf(text))), payload)
    assert.deepStrictEqual(Effect.runSync(codec.encodeSuccess(big)), { value: big } as never)
  })

  it("refuses for Action.Unknown what is not JSON", () => {
    const codec = codecOf(Action.make("user.any", { payload: { any: Action.Unknown } }))
    const circle: { self?: unknown } = {}
    circle.self = [circle, circle]
    for (const any of [undefined, Number.NaN, () => 1, new Map(), Symbol("x"), circle, [undefined]]) {
      assert.strictEqual(Effect.runSyncExit(codec.encodePayload({ any }))._tag, "Failure", typeof any)
    }
  })

  it("made with Action.closed refuses a key that it does not name, and names it only to the sender", () => {
    const payload = Action.closed({ id: Action.BigInt, at: Schema.optionalKey(Schema.DateTimeUtc) })
    const codec = codecOf(Action.make("user.closed", { payload }))
    assert.deepStrictEqual(Effect.runSync(codec.decodePayload({ id: 7 })), { id: 7n })
    const detail = validationDetail(Effect.runSync(Effect.flip(codec.decodePayload({ id: 7, hunter2: 1 }))))
    assert.strictEqual(detail.message, "*: Unexpected key")
    assert.deepStrictEqual(detail.details, { issues: [{ path: ["hunter2"], message: "Unexpected key" }], total: 1 })
    const wrong = validationDetail(Effect.runSync(Effect.flip(codec.decodePayload({ id: "7" }))))
    assert.include(wrong.message, "id: Expected an integer")
  })
})

// -----------------------------------------------------------------------------
// the whole way
// -----------------------------------------------------------------------------

const group = ActionGroup.make(Typed)

const typed = group.handlers({
  "user.typed": ({ any, id }) =>
    any === "reject"
      ? Effect.fail(new Rejected({ message: "no", details: { id } }))
      : Effect.succeed({ next: id + 1n })
})

describeInMemory("a worker in a test", () => {
  const Echo = Action.make("user.echo", { payload: Schema.Record(Schema.String, Action.Unknown) })
  const echo = { "user.echo": ({ data }: DomainAction.DomainAction) => Effect.succeed(data) }

  it.effect("without a contract answers what it was sent, digit for digit", () =>
    Effect.gen(function*() {
      const request = TestWorker.action(Echo, parsed(textOf(written)).data)
      const report = yield* TestWorker.deliver(echo, request)
      assert.deepStrictEqual(Option.getOrThrow(report.response).data, read)
    }))

  it.effect("without a contract sends a callback, digit for digit", () =>
    Effect.gen(function*() {
      const request = TestWorker.action(Echo, read, {
        expects: { callback: Action.make("asker.echoed", { payload: Schema.Record(Schema.String, Action.Unknown) }) }
      })
      const report = yield* TestWorker.deliver(echo, request)
      assert.deepStrictEqual(Option.getOrThrow(report.callback).data, read)
    }))

  const exact: ReadonlyArray<readonly [what: string, result: object, data: unknown]> = [
    ["beside a date", { id: big, at: new Date(0) }, { id: big, at: "1970-01-01T00:00:00.000Z" }],
    ["that a toJSON gives", { users: [{ toJSON: () => ({ id: big }) }] }, { users: [{ id: big }] }],
    ["of raw JSON", { id: rawJSON(String(big)), at: new Map() }, { id: big, at: {} }],
    ["beside numbers of that size", { id: big, n: new Number(1e20), m: 1e20, at: new Map() }, {
      id: big,
      n: 1e20,
      m: 1e20,
      at: {}
    }]
  ]
  for (const [what, result, data] of exact) {
    it.effect(`without a contract answers an integer beyond 2^53 digit for digit: ${what}`, () =>
      Effect.gen(function*() {
        const handlers = { "user.echo": () => Effect.succeed(result) }
        const report = yield* TestWorker.deliver(handlers, TestWorker.action(Echo, {}))
        assert.deepStrictEqual(Option.getOrThrow(report.response).data, data)
      }))
  }

  it.effect("without a contract answers an integer where the program taught JSON.stringify to write a string", () =>
    Effect.gen(function*() {
      const prototype: { toJSON?: () => string } = BigInt.prototype as never
      prototype.toJSON = () => "a string"
      const handlers = { "user.echo": () => Effect.succeed({ id: big, at: new Date(0) }) }
      const report = yield* Effect.ensuring(
        TestWorker.deliver(handlers, TestWorker.action(Echo, {})),
        Effect.sync(() => {
          delete prototype.toJSON
        })
      )
      assert.deepStrictEqual(Option.getOrThrow(report.response).data, { id: big, at: "1970-01-01T00:00:00.000Z" })
    }))

  const details: ReadonlyArray<readonly [what: string, given: unknown, details: unknown]> = [
    ["a toJSON gives one", { toJSON: () => big }, { value: big }],
    ["a toJSON gives a list of them", { toJSON: () => [big] }, { value: [big] }],
    ["they are a list of them", [big], { value: [big] }]
  ]
  for (const [what, given, json] of details) {
    it.effect(`answers a refusal with details that every client reads: ${what}`, () =>
      Effect.gen(function*() {
        const refusal = new Rejected({ message: "no", details: given as { readonly [key: string]: unknown } })
        const handlers = { "user.echo": () => Effect.fail(refusal) }
        const report = yield* TestWorker.deliver(handlers, TestWorker.action(Echo, {}))
        assert.deepStrictEqual(Option.getOrThrow(report.response).error?.details, json)
      }))
  }

  it.effect("with a contract reads and answers integers of any size", () =>
    Effect.gen(function*() {
      const report = yield* TestWorker.deliver(typed, TestWorker.action(Typed, { id: big }))
      assert.deepStrictEqual(Option.getOrThrow(report.response).data, { next: big + 1n })
    }))

  it.effect("answers a refusal with the integer in its details", () =>
    Effect.gen(function*() {
      const report = yield* TestWorker.deliver(typed, TestWorker.action(Typed, { id: big, any: "reject" }))
      assert.deepStrictEqual(Option.getOrThrow(report.response).error?.details, { id: big })
    }))
})

onBoth("integers beyond 2^53", (test) => {
  const Client = ActionClient.layer
  const app = Effect.gen(function*() {
    const context = yield* Layer.build(Client)
    return Effect.provide(context)
  })

  test("come back from a request with every digit", () =>
    Effect.gen(function*() {
      const provide = yield* app
      yield* Worker.start(typed)
      const { request } = yield* provide(ActionClient.ActionClient)
      const asking = yield* Effect.forkChild(request(Typed, { id: big, any: { list: [bigger, 1e20] } }))
      yield* eventually("it is answered", Effect.sync(() => asking.pollUnsafe() !== undefined))
      assert.deepStrictEqual(yield* Fiber.join(asking), { next: big + 1n })
    }))

  test("come back from a request with a list of its own", () =>
    Effect.gen(function*() {
      yield* Worker.start(typed)
      const { request } = yield* ActionClient.make({ inbox: "per-request" })
      const asking = yield* Effect.forkChild(request(Typed, { id: bigger }))
      yield* eventually("it is answered", Effect.sync(() => asking.pollUnsafe() !== undefined))
      assert.deepStrictEqual(yield* Fiber.join(asking), { next: bigger + 1n })
    }))

  test("are sent, kept as a dead letter, tried dry and replayed with every digit", () =>
    Effect.gen(function*() {
      const { environment, names } = yield* Place
      const provide = yield* app
      const { send: sendTo } = yield* provide(ActionClient.ActionClient)
      yield* sendTo(Typed, { id: big, any: { bigger } })
      const data = `"data":{"id":${big},"any":{"bigger":${bigger}}}`
      const [[, fields]] = (yield* entriesOf(names.stream)) as unknown as [[string, ReadonlyArray<string>]]
      assert.include(fieldsOf(fields)["data"], data)
      const worker = yield* Effect.forkChild(Effect.scoped(Effect.andThen(
        Worker.start({ "user.typed": () => Effect.fail(new Rejected({ message: "not yet" })) }),
        Effect.never
      )))
      yield* eventually(
        "it is a dead letter",
        Effect.map(entriesOf(names.deadLetters), (letters) => letters.length === 1)
      )
      yield* Fiber.interrupt(worker)
      const letters = yield* Effect.provide(
        DeadLetter.DeadLetter,
        DeadLetter.layerOptions({ service: "user" }).pipe(
          Layer.provide(QueueNaming.layerOf(namingOf(environment)))
        )
      )
      assert.deepStrictEqual(yield* letters.dryRun(group), { checked: 1, passing: 1, failing: [] })
      const rounding = ActionGroup.make(Action.make("user.typed", { payload: { id: Schema.Number } }))
      assert.strictEqual(
        (yield* letters.dryRun(rounding)).failing[0]?.issue,
        "id: Expected number, found a bigint (an integer beyond 2^53): declare it as Action.BigInt"
      )
      const [letter] = (yield* letters.list()).letters
      yield* letters.replay(letter?.id ?? "")
      const [[, again]] = (yield* entriesOf(names.stream)) as unknown as [[string, ReadonlyArray<string>]]
      assert.strictEqual(fieldsOf(again)["data"], fieldsOf(fields)["data"])
      assert.strictEqual(yield* send("XLEN", names.stream), 1)
    }))
})
