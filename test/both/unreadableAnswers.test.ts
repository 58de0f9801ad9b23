/**
 * An answer that cannot be read ends its request at once, where it can be told whose it is.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as DomainAction from "../../src/DomainAction.ts"
import { correlationIdOf } from "../../src/internal/wire/envelope.ts"
import * as Worker from "../../src/Worker.ts"
import { golden } from "../fixtures/index.ts"
import { entriesOf, eventually, fieldsOf, onBoth, Place, send } from "../support/layers.ts"
import { describeInMemory } from "../support/place.ts"

const Score = Action.make("user.score", { success: { score: Schema.NullOr(Schema.Finite) } })

const other = "00000007-0000-4000-8000-000000000007"

/** The golden answer to another request, with data as Python's `json.dumps` writes it. */
const answerTo = (id: unknown, data: string): string =>
  golden("python/response-success-dumps.json").replace(other, String(id))
    .replace(/"data": \{[^}]*\}/, `"data": ${data}`)

const readable = (id: unknown) => answerTo(id, "{\"score\": 0.5}")

type Answer = (id: unknown) => string

const notFinite = /^The answer cannot be read: data is not JSON: it holds NaN or Infinity, which Python's json\.dumps/

const told: ReadonlyArray<readonly [what: string, answer: Answer, message: RegExp]> = [
  ["holds NaN", (id) => answerTo(id, "{\"score\": NaN}"), notFinite],
  ["holds -Infinity", (id) => answerTo(id, "{\"score\": [1, -Infinity]}"), notFinite],
  ["is cut off", (id) => answerTo(id, "{\"score\": 1}").slice(0, -20), /: data is not JSON$/],
  ["is cut off in a string", (id) => answerTo(id, "{\"score\": \"Na").slice(0, -2), /: data is not JSON$/],
  ["has a list as its data", (id) => answerTo(id, "[1]"), /: data: expected an object or null$/],
  ["says neither success nor status", (id) => readable(id).replace("\"success\": true", "\"ok\": true"), /: success: /],
  [
    "is larger than the limit",
    (id) => answerTo(id, `{"score": "${"x".repeat(5_000_000)}"}`),
    /larger than 4194304 bytes$/
  ],
  [
    "is nested too deep",
    (id) => answerTo(id, `{"score": ${"[".repeat(100)}${"]".repeat(100)}}`),
    /deeper than 64 levels$/
  ],
  ["holds a key __proto__", (id) => answerTo(id, "{\"__proto__\": 1}"), /: data holds a key __proto__$/],
  [
    "holds an integer of too many digits",
    (id) => answerTo(id, `{"score": ${"1".repeat(4301)}}`),
    /more than 4300 digits$/
  ],
  [
    "names its request only at its end, as this library does",
    (id) => `{"data": {"score": NaN, "correlation_id": "${other}"}, "error": null, "correlation_id" : "${String(id)}"}`,
    notFinite
  ]
]

/** Nobody can tell whose these are. */
const untold: ReadonlyArray<readonly [what: string, answer: Answer]> = [
  ["is not JSON at all", () => "None"],
  ["is a Python repr", (id) => `{'correlation_id': '${String(id)}'}`],
  ["names its request only in its data", (id) => `{"data": {"correlation_id": "${String(id)}", "score": NaN}}`],
  ["names its request only in a string", (id) => `{"data": "{\\"correlation_id\\":\\"${String(id)}\\"", "score": NaN}`],
  ["names another request", () => answerTo(other, "{\"score\": NaN}")]
]

onBoth("a request", (test) => {
  const ask = Effect.fnUntraced(function*(inbox: "shared" | "per-request", answers: ReadonlyArray<Answer>) {
    const { names } = yield* Place
    const { request } = yield* ActionClient.make(inbox === "shared" ? {} : { inbox })
    const asking = yield* Effect.forkChild(Effect.result(request(Score, {}, { timeout: "1 hour" })))
    yield* eventually("it is sent", Effect.map(entriesOf(names.stream), (entries) => entries.length === 1))
    const [[, fields]] = (yield* entriesOf(names.stream)) as unknown as [[string, ReadonlyArray<string>]]
    const action = JSON.parse(fieldsOf(fields)["data"] ?? "") as DomainAction.DomainAction
    for (const answer of answers) {
      yield* send("LPUSH", String(action.callback_queue_name), answer(action.correlation_id))
    }
    yield* eventually("it has ended", Effect.sync(() => asking.pollUnsafe() !== undefined))
    return yield* Fiber.join(asking)
  })

  const unreadable = (result: Result.Result<unknown, unknown>, message: RegExp) => {
    const error = Result.isFailure(result) ? result.failure : undefined
    assert.instanceOf(error, ActionClient.RemoteFailure)
    const { actionType, details, errorCode, errorType } = error
    assert.deepStrictEqual({ actionType, details, errorCode, errorType }, {
      actionType: "user.score",
      details: null,
      errorCode: "RESPONSE_DECODE_ERROR",
      errorType: "UnreadableAnswer"
    })
    assert.match(error.message, message)
  }

  for (const [what, answer, message] of told) {
    test(`fails at once with RESPONSE_DECODE_ERROR when its answer ${what}`, () =>
      Effect.gen(function*() {
        unreadable(yield* ask("shared", [answer]), message)
        const { logs } = yield* Place
        assert.deepStrictEqual(logs.filter(({ text }) => text.includes("cannot be read")), [])
      }))
  }

  for (const [what, answer] of untold) {
    test(`goes on waiting for its answer when something comes that ${what}`, () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* ask("shared", [answer, readable]), Result.succeed({ score: 0.5 }))
        const { logs } = yield* Place
        assert.lengthOf(logs.filter(({ text }) => text.includes("Dropped an answer that cannot be read")), 1)
      }))
  }

  for (const [what, answer, message] of [told[0]!, told[2]!, [...untold[0]!, /: data is not JSON$/] as const]) {
    test(`with a list of its own fails at once with RESPONSE_DECODE_ERROR when its answer ${what}`, () =>
      Effect.gen(function*() {
        unreadable(yield* ask("per-request", [answer]), message)
      }))
  }
})

describeInMemory("the correlation id of an answer that cannot be read", () => {
  it("is that of the outermost object, whatever its strings hold", () => {
    const id = "00000009-0000-4000-8000-000000000009"
    for (
      const text of [
        `{"correlation_id":"${id}"`,
        `{"a": "{\\"", "b": ["}"], "correlation_id"\n:\t"${id}", NaN`,
        `{"a\\\\": {"correlation_id": "${other}"}, "correlation_id": "${id}"`,
        `{"error": "correlation_id", "correlation_id": "${id}", "data": {"correlation_id": "${other}"}`
      ]
    ) assert.strictEqual(correlationIdOf(text), id, text)
  })

  it("is not made up", () => {
    for (
      const text of [
        "",
        "{",
        "\"",
        "{\"correlation_id\"",
        "{\"correlation_id\":",
        "{\"correlation_id\":\"",
        "{\"correlation_id\":null}",
        "{\"correlation_id\":\"x\"}",
        `{"correlation_id","${other}"}`,
        `"correlation_id":"${other}"`
      ]
    ) assert.isUndefined(correlationIdOf(text), text)
  })
})

onBoth("an action with NaN", (test) => {
  for (const literal of ["NaN", "Infinity", "-Infinity"]) {
    test(`is a dead letter that says so: ${literal}`, () =>
      Effect.gen(function*() {
        const { names } = yield* Place
        yield* Worker.start({ "user.touch": () => Effect.void })
        const text = golden("python/action-send.json").replace("\"user\":42", `"user":${literal}`)
        yield* send("XADD", names.stream, "*", "data", text)
        yield* eventually("it is kept", Effect.map(entriesOf(names.deadLetters), (letters) => letters.length === 1))
        const [[, fields]] = (yield* entriesOf(names.deadLetters)) as unknown as [[string, ReadonlyArray<string>]]
        assert.deepInclude(fieldsOf(fields), {
          reason: "malformed",
          data: text,
          message:
            "data is not JSON: it holds NaN or Infinity, which Python's json.dumps writes (model_dump_json writes null)"
        })
      }))
  }
})

describeInMemory("a text that is not JSON", () => {
  it("is not said to hold NaN where only a string or a key of it does", () => {
    for (const text of ["{\"a\":\"NaN\"", "{\"Infinity\":", "{nan}", "{\"a\":\"\\\"NaN"]) {
      const result = DomainAction.parse(text)
      assert.strictEqual(Result.isFailure(result) ? result.failure.text : "", "data is not JSON", text)
    }
  })
})
