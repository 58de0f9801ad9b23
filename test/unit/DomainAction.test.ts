import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as DomainAction from "../../src/DomainAction.ts"
import { stringify } from "../../src/internal/wire/integers.ts"
import { holdsProto } from "../../src/internal/wire/json.ts"
import { timestampOf } from "../../src/internal/wire/timestamp.ts"
import { golden, goldens, hostile } from "../fixtures/index.ts"

const id = (n: number) => `${n.toString(16).padStart(8, "0")}-0000-4000-8000-${n.toString(16).padStart(12, "0")}`

const actionKeys = [
  "action_id",
  "action_type",
  "timestamp",
  "tenant_id",
  "session_id",
  "task_id",
  "agent_id",
  "user_id",
  "origin_service",
  "correlation_id",
  "trace_id",
  "callback_queue_name",
  "callback_action_type",
  "execution_config",
  "query_config",
  "rag_config",
  "data",
  "metadata"
] as const

const responseKeys = [
  "action_id",
  "action_type",
  "status_code",
  "success",
  "timestamp",
  "data",
  "error",
  "correlation_id",
  "trace_id",
  "task_id",
  "tenant_id",
  "session_id"
] as const

const accepted = <A>(result: Result.Result<A, DomainAction.MalformedReason>): A => {
  if (Result.isFailure(result)) return assert.fail(`refused: ${result.failure.text}`)
  return result.success
}

const refused = <A>(result: Result.Result<A, DomainAction.MalformedReason>): DomainAction.MalformedReason => {
  if (Result.isSuccess(result)) return assert.fail("accepted")
  return result.failure
}

const request = () => accepted(DomainAction.parse(golden("python/action-request.json")))

const least = {
  action_id: id(16),
  action_type: "user.create",
  timestamp: "2025-06-29T04:03:00.123456Z",
  data: {}
}

const decodeAction = Schema.decodeUnknownResult(DomainAction.DomainAction)
const encodeAction = Schema.encodeUnknownResult(DomainAction.DomainAction)
const decodeResponse = Schema.decodeUnknownResult(DomainAction.DomainActionResponse)
const encodeResponse = Schema.encodeUnknownResult(DomainAction.DomainActionResponse)

describe("DomainAction", () => {
  describe("actions that Python services write", () => {
    for (const [name, text] of [...goldens("python", "action"), ...goldens("python", "old-action")]) {
      it(`${name} is accepted by parse as by the schema`, () => {
        const action = accepted(DomainAction.parse(text))
        assert.deepStrictEqual(Result.getOrThrow(decodeAction(JSON.parse(text))), action)
      })

      it(`${name} goes out again with every value that came in, and null for what did not`, () => {
        const written = JSON.parse(text)
        const passedOn = JSON.parse(DomainAction.encode(accepted(DomainAction.parse(text))))
        const nulls = Object.fromEntries(actionKeys.map((key) => [key, null]))
        assert.deepStrictEqual(passedOn, { ...nulls, ...written })
      })

      it(`${name} is encoded alike by the schema`, () => {
        const action = accepted(DomainAction.parse(text))
        assert.deepStrictEqual(
          Result.getOrThrow(encodeAction(action)),
          JSON.parse(DomainAction.encode(action))
        )
      })
    }

    for (const name of ["action-send.json", "action-request.json", "action-callback.json", "action-extra-keys.json"]) {
      it(`${name} is passed on as the same text`, () => {
        const text = golden(`python/${name}`)
        // Python writes a float of whole value with `.0`; no golden message holds one at the top of its precision.
        assert.strictEqual(DomainAction.encode(accepted(DomainAction.parse(text))), text)
      })
    }

    it("keeps a timestamp as it was written, in each of the forms", () => {
      const timestampOf = (name: string) => accepted(DomainAction.parse(golden(`python/${name}`))).timestamp
      assert.strictEqual(timestampOf("action-request.json"), "2025-06-29T04:03:00.123456Z")
      assert.strictEqual(timestampOf("action-request-isoformat.json"), "2025-06-29T04:03:00.123456+00:00")
      assert.strictEqual(timestampOf("action-request-str.json"), "2025-06-29 04:03:00.123456+00:00")
    })

    it("reads absent ids of old messages as null", () => {
      const action = accepted(DomainAction.parse(golden("python/old-action-least.json")))
      for (const key of actionKeys) {
        if (!(key in least)) assert.isNull(action[key], key)
      }
    })

    it("keeps unknown keys, `constructor` among them", () => {
      const action = accepted(DomainAction.parse(golden("python/action-extra-keys.json")))
      assert.strictEqual(action["schema_version"], 3)
      assert.deepStrictEqual(action["labels"], ["a", { b: null }])
      assert.strictEqual(Object.getOwnPropertyDescriptor(action, "constructor")?.value, "an ordinary key")
    })
  })

  describe("answers that Python services write", () => {
    for (const [name, text] of [...goldens("python", "response"), ...goldens("python", "older-response")]) {
      it(`${name} is accepted by parseResponse as by the schema`, () => {
        const response = accepted(DomainAction.parseResponse(text))
        assert.deepStrictEqual(Result.getOrThrow(decodeResponse(JSON.parse(text))), response)
      })

      it(`${name} is encoded alike by the schema`, () => {
        const response = accepted(DomainAction.parseResponse(text))
        assert.deepStrictEqual(
          Result.getOrThrow(encodeResponse(response)),
          JSON.parse(DomainAction.encodeResponse(response))
        )
      })

      it(`${name} keeps every value that came in`, () => {
        const written = JSON.parse(text)
        const passedOn = JSON.parse(DomainAction.encodeResponse(accepted(DomainAction.parseResponse(text))))
        for (const key of Object.keys(written)) assert.deepStrictEqual(passedOn[key], written[key], key)
      })
    }

    it("normalises an older success", () => {
      const response = accepted(DomainAction.parseResponse(golden("python/older-response-success.json")))
      assert.deepInclude(response, {
        success: true,
        status_code: 200,
        action_type: "user.create.response",
        error: null
      })
      assert.deepStrictEqual(response.data, { resultado: "éxito" })
      assert.isNull(response.task_id)
    })

    it("normalises an older failure", () => {
      const response = accepted(DomainAction.parseResponse(golden("python/older-response-failure.json")))
      assert.deepInclude(response, { success: false, status_code: 404, data: null })
      assert.strictEqual(response.error?.error_type, "NotFound")
    })

    it("gives a newer answer the status that fits it", () => {
      const of = (name: string) => accepted(DomainAction.parseResponse(golden(`python/${name}`)))
      assert.deepInclude(of("response-success.json"), { success: true, status_code: 200, action_type: null })
      assert.deepInclude(of("response-failure.json"), { success: false, status_code: 500 })
    })

    it("lets `success` decide where both forms speak", () => {
      const both = { ...JSON.parse(golden("python/response-success.json")), status_code: 500 }
      assert.isTrue(accepted(DomainAction.parseResponse(JSON.stringify(both))).success)
    })

    it("reads an older answer with an error as a failure whatever its status", () => {
      const both = { ...JSON.parse(golden("python/older-response-failure.json")), status_code: 200 }
      assert.isFalse(accepted(DomainAction.parseResponse(JSON.stringify(both))).success)
    })

    it("refuses an answer that says neither success nor a status", () => {
      const { success: _, ...rest } = JSON.parse(golden("python/response-success.json"))
      assert.strictEqual(
        refused(DomainAction.parseResponse(JSON.stringify(rest))).text,
        "success: expected a boolean, or status_code in its place"
      )
      assert.isTrue(Result.isFailure(decodeResponse(rest)))
    })

    it("keeps unknown keys of an answer and of its error", () => {
      const written = JSON.parse(golden("python/response-failure.json"))
      const response = accepted(
        DomainAction.parseResponse(JSON.stringify({ ...written, took: 3, error: { ...written.error, hint: "x" } }))
      )
      assert.strictEqual(response["took"], 3)
      assert.strictEqual(response.error?.["hint"], "x")
    })
  })

  describe("messages that are none", () => {
    for (const { bytes, name, reason } of hostile.filter((message) => message.reason !== "NotUtf8")) {
      it(`${name}: refused as ${reason}`, () => {
        assert.strictEqual(refused(DomainAction.parse(bytes.toString()))._tag, reason)
      })
    }

    for (const { bytes, name } of hostile.filter((message) => message.reason === "NotUtf8")) {
      it(`${name}: the text asks for a look at the bytes`, () => {
        assert.include(bytes.toString(), "\uFFFD")
        assert.notDeepEqual(Buffer.from(bytes.toString()), bytes)
      })
    }

    it("pollute no prototype", () => {
      for (const { bytes } of hostile) {
        DomainAction.parse(bytes.toString())
        DomainAction.parseResponse(bytes.toString())
      }
      assert.isFalse("polluted" in {})
    })

    it("are told in a sentence that repeats nothing of the payload", () => {
      const secret = "hunter2"
      const texts = [
        secret,
        `{"${secret}": `,
        JSON.stringify({ ...least, action_type: secret }),
        JSON.stringify({ ...least, tenant_id: secret }),
        JSON.stringify({ ...least, data: secret }),
        `{"data": {"${secret}": {"__proto__": "${secret}"}}}`
      ]
      for (const text of texts) assert.notInclude(refused(DomainAction.parse(text)).text, secret)
    })

    it("name the key that is wrong and what is expected there", () => {
      const reason = refused(DomainAction.parse(JSON.stringify({ ...least, tenant_id: "acme" })))
      assert.deepStrictEqual(reason, { _tag: "NotAnAction", text: "tenant_id: expected a UUID or null" })
    })

    it("may speak of __proto__ in a value", () => {
      const action = accepted(
        DomainAction.parse(JSON.stringify({ ...least, data: { text: "about __proto__ and \u0000" } }))
      )
      assert.deepStrictEqual(action.data, { text: "about __proto__ and \u0000" })
    })
  })

  describe("limits", () => {
    const limits = { maxBytes: 1000, maxDepth: 5 }
    const ofBytes = (bytes: number, letter: string) => {
      const empty = Buffer.byteLength(JSON.stringify({ ...least, data: { text: "" } }))
      const letters = Math.floor((bytes - empty) / Buffer.byteLength(letter))
      const text = letter.repeat(letters) + "x".repeat(bytes - empty - letters * Buffer.byteLength(letter))
      return JSON.stringify({ ...least, data: { text } })
    }

    for (const letter of ["a", "ñ", "€", "🦊"]) {
      it(`count bytes of UTF-8, not characters: ${letter}`, () => {
        assert.strictEqual(Buffer.byteLength(ofBytes(1000, letter)), 1000)
        accepted(DomainAction.parse(ofBytes(1000, letter), limits))
        assert.deepStrictEqual(
          refused(DomainAction.parse(ofBytes(1001, letter), limits)),
          { _tag: "TooLarge", text: "data is larger than 1000 bytes" }
        )
      })
    }

    const ofDepth = (depth: number) => {
      // Envelope and payload are two levels.
      const inner = "[".repeat(depth - 2) + "]".repeat(depth - 2)
      return JSON.stringify(least).replace("{}", `{"a":${inner === "" ? "1" : inner}}`)
    }

    it("accept the deepest level and refuse the next", () => {
      accepted(DomainAction.parse(ofDepth(5), limits))
      assert.deepStrictEqual(
        refused(DomainAction.parse(ofDepth(6), limits)),
        { _tag: "TooDeep", text: "data is nested deeper than 5 levels" }
      )
    })

    it("do not take many objects side by side for depth", () => {
      const data = { items: Array.from({ length: 20 }, () => ({ a: {} })) }
      accepted(DomainAction.parse(JSON.stringify({ ...least, data }), limits))
    })

    it("do not take brackets in strings for depth", () => {
      const data = { "[[[[[[[[": "{{{{{{\\\"[[[[[[[[", "\\": "[[[[\\" }
      accepted(DomainAction.parse(JSON.stringify({ ...least, data }), limits))
    })

    it("refuse 400 KB of brackets without parsing them", () => {
      assert.strictEqual(refused(DomainAction.parse("[".repeat(400_000)))._tag, "TooDeep")
      assert.strictEqual(
        refused(DomainAction.parse(JSON.stringify(least).replace("{}", `{"a":`.repeat(80_000))))._tag,
        "TooDeep"
      )
    })

    it("refuse 10 MB with the defaults", () => {
      assert.strictEqual(refused(DomainAction.parse(ofBytes(10 * 1024 * 1024, "x")))._tag, "TooLarge")
    })

    it("bound the depth at 1000 whatever is asked for", () => {
      const wide = { maxBytes: 10_000_000, maxDepth: Number.POSITIVE_INFINITY }
      const proto = JSON.stringify(least).replace("{}", `{"a":${"[".repeat(900)}{"__proto__":1}${"]".repeat(900)}}`)
      assert.strictEqual(refused(DomainAction.parse(proto, wide))._tag, "ForbiddenKey")
      assert.strictEqual(refused(DomainAction.parse(ofDepth(1001), wide))._tag, "TooDeep")
    })
  })

  describe("parse and the schema", () => {
    const anything = Schema.Union([Schema.Json, Schema.Literals(["", "x", "a.b", id(1), id(1).toUpperCase()])])

    it.prop(
      "agree on every JSON: a valid action with one key changed or absent",
      { action: DomainAction.DomainAction, key: Schema.Literals(actionKeys), value: anything, absent: Schema.Boolean },
      ({ absent, action, key, value }) => {
        const { [key]: _, ...rest } = action
        // Not `JSON.stringify`, which writes a number beyond 2^53 as an integer.
        const text = stringify(absent ? rest : { ...rest, [key]: value })
        const json: unknown = JSON.parse(text)
        if (holdsProto(json)) return
        const parsed = DomainAction.parse(text, { maxBytes: 1e9, maxDepth: 1000 })
        const decoded = decodeAction(json)
        assert.strictEqual(Result.isSuccess(parsed), Result.isSuccess(decoded), text)
        if (Result.isSuccess(parsed)) assert.deepStrictEqual(parsed.success, Result.getOrThrow(decoded))
      },
      { arbitrary: { runs: 1000 } }
    )

    it.prop(
      "agree on every answer: a valid one with one key changed or absent",
      {
        response: Schema.toType(DomainAction.DomainActionResponse),
        key: Schema.Literals(responseKeys),
        value: anything,
        absent: Schema.Boolean
      },
      ({ absent, key, response, value }) => {
        const { [key]: _, ...rest } = response
        // Not `JSON.stringify`, which writes a number beyond 2^53 as an integer.
        const text = stringify(absent ? rest : { ...rest, [key]: value })
        const json: unknown = JSON.parse(text)
        if (holdsProto(json)) return
        const parsed = DomainAction.parseResponse(text, { maxBytes: 1e9, maxDepth: 1000 })
        const decoded = decodeResponse(json)
        assert.strictEqual(Result.isSuccess(parsed), Result.isSuccess(decoded), text)
        if (Result.isSuccess(parsed)) assert.deepStrictEqual(parsed.success, Result.getOrThrow(decoded))
      },
      { arbitrary: { runs: 1000 } }
    )

    it.prop("give back what was encoded", { action: DomainAction.DomainAction }, ({ action }) => {
      const json: unknown = JSON.parse(JSON.stringify(action))
      if (holdsProto(json)) return
      const text = DomainAction.encode(action)
      assert.deepStrictEqual(JSON.parse(text), json)
      assert.deepStrictEqual(accepted(DomainAction.parse(text, { maxBytes: 1e9, maxDepth: 1000 })), json)
    })
  })

  describe("messages that this library writes", () => {
    const options = { actionId: id(48), timestamp: timestampOf(Date.UTC(2025, 5, 29, 4, 3, 0, 123)) }

    const send = DomainAction.make({
      action_id: id(48),
      action_type: "user.create",
      timestamp: options.timestamp,
      tenant_id: id(1),
      session_id: id(2),
      task_id: id(3),
      agent_id: id(4),
      trace_id: id(8),
      correlation_id: id(7),
      callback_queue_name: `nooble4:dev:orchestrator:responses:inbox:${id(9)}`,
      origin_service: "orchestrator",
      metadata: { timeout_ms: 30000 },
      data: { email: "añá@example.com" }
    })

    const invalid = {
      error_type: "ValidationError",
      error_code: "VALIDATION_ERROR",
      message: "email: expected a string",
      details: { issues: [{ path: ["email"], message: "expected a string" }] }
    }

    const ours: ReadonlyArray<readonly [name: string, text: string, keys: ReadonlyArray<string>]> = [
      ["action-request.json", DomainAction.encode(send), actionKeys],
      [
        "action-callback.json",
        DomainAction.encode(
          DomainAction.callback(
            accepted(DomainAction.parse(golden("python/action-callback.json"))),
            { vectors: [[0.25, -1]] },
            { ...options, originService: "embedding" }
          )
        ),
        actionKeys
      ],
      [
        "response-success.json",
        DomainAction.encodeResponse(DomainAction.response(request(), { user_id: id(5) }, options)),
        responseKeys
      ],
      [
        "response-failure.json",
        DomainAction.encodeResponse(DomainAction.failure(request(), invalid, options)),
        responseKeys
      ]
    ]

    for (const [name, text, keys] of ours) {
      it(`${name} is the golden text, with every key in the order of the wire`, () => {
        assert.strictEqual(text, golden(`ours/${name}`).trimEnd())
        assert.deepStrictEqual(Object.keys(JSON.parse(text)), [...keys])
      })
    }

    it("are all there are", () => {
      assert.deepStrictEqual(goldens("ours").map(([name]) => name), ours.map(([name]) => name).sort())
    })

    it("are in the order that Python writes an action in", () => {
      assert.deepStrictEqual(Object.keys(JSON.parse(golden("python/action-send.json"))), [...actionKeys])
    })

    it("answer a request with its ids and an id of their own", () => {
      const action = request()
      const response = DomainAction.response(action, null, options)
      for (const key of ["correlation_id", "trace_id", "task_id", "tenant_id", "session_id"] as const) {
        assert.strictEqual(response[key], action[key], key)
      }
      assert.deepInclude(response, {
        action_id: options.actionId,
        action_type: "user.create.response",
        status_code: 200,
        success: true,
        error: null
      })
    })

    it("call back with the ids of the action and no callback of their own", () => {
      const action = { ...accepted(DomainAction.parse(golden("python/action-callback.json"))), user_id: id(5) }
      const callback = DomainAction.callback(action, { done: true }, { ...options, originService: "embedding" })
      for (
        const key of [
          "correlation_id",
          "trace_id",
          "task_id",
          "tenant_id",
          "session_id",
          "agent_id",
          "user_id"
        ] as const
      ) assert.strictEqual(callback[key], action[key], key)
      assert.deepInclude(callback, {
        action_type: "embedding.result",
        origin_service: "embedding",
        callback_queue_name: null,
        callback_action_type: null
      })
      assert.isTrue(Result.isSuccess(DomainAction.check(callback)))
    })

    for (
      const [error, status] of [
        [{ error_type: "ValidationError", error_code: "VALIDATION_ERROR", message: "" }, 422],
        [{ error_type: "NotImplemented", error_code: "ACTION_NOT_IMPLEMENTED", message: "" }, 501],
        [{ error_type: "NotFound", message: "" }, 404],
        [{ error_type: "ProcessingError", error_code: "HANDLER_EXECUTION_ERROR", message: "" }, 500]
      ] as const
    ) {
      it(`tell an error ${error.error_type} with status ${status}`, () => {
        const response = DomainAction.failure(request(), error, options)
        assert.deepInclude(response, { success: false, status_code: status, data: null })
        assert.deepStrictEqual(response.error, { error_code: null, details: null, ...error })
      })
    }

    it("tell an error with the status that the caller gives", () => {
      const error = { error_type: "EmailTaken", message: "taken" }
      assert.strictEqual(DomainAction.failure(request(), error, { ...options, statusCode: 409 }).status_code, 409)
    })

    it("write every key even of an action built by hand in another order", () => {
      const { action_id, ...rest } = send
      assert.strictEqual(DomainAction.encode({ ...rest, action_id }), DomainAction.encode(send))
    })

    it("never take over a prototype from an own key __proto__", () => {
      const forged: DomainAction.DomainAction = { ...send, ...JSON.parse(`{"__proto__": {"polluted": true}}`) }
      const copy = DomainAction.make(forged)
      assert.strictEqual(Object.getPrototypeOf(copy), Object.prototype)
    })

    it("throw where a value is no JSON", () => {
      const circle: { self?: unknown } = {}
      circle.self = circle
      assert.throws(() => DomainAction.encode({ ...send, data: circle }), TypeError)
    })
  })

  describe("expects", () => {
    const cases = [
      [{ callback_queue_name: null, callback_action_type: null }, "none"],
      [{ callback_queue_name: "", callback_action_type: null }, "none"],
      [{ callback_queue_name: null, callback_action_type: "a.b" }, "none"],
      [{ callback_queue_name: "list", callback_action_type: null }, "response"],
      [{ callback_queue_name: "list", callback_action_type: "a.b" }, "callback"]
    ] as const
    for (const [keys, what] of cases) {
      it(`tells ${what} for ${JSON.stringify(keys)}`, () => {
        assert.strictEqual(DomainAction.expects({ ...request(), ...keys }), what)
      })
    }
  })
})
