import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as DomainAction from "../../src/DomainAction.ts"
import { RetryLater } from "../../src/HandlerError.ts"
import { actionStream, callbackList, deadLetterStream, namesOf, responseList } from "../../src/internal/redis/names.ts"
import { decodeRecord } from "../../src/internal/wire/entry.ts"
import * as entry from "../../src/internal/wire/entry.ts"
import { Decision } from "../../src/internal/worker/decision.ts"
import { encodeSettlement } from "../../src/internal/worker/encodeSettlement.ts"
import { unanswered } from "../../src/internal/worker/settleBatch.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import { RedisError } from "../../src/Redis.ts"
import type { Settlement } from "../../src/Settlement.ts"

const naming = QueueNaming.make({ prefix: "nooble4", environment: "dev" })
const responses = responseList(naming, "client", "user.create", "1")
const callbacks = callbackList(naming, "client", "client.created", "1")
const stream = actionStream(naming, "client")

const options = {
  service: "user",
  accepts: naming.accepts,
  responseTimeToLive: 60_000,
  payloadLimit: 1_000_000,
  now: () => Date.UTC(2025, 5, 29, 4, 3),
  uuid: () => "00000099-0000-4000-8000-000000000099"
}

const actionOf = (list: string | null, callback: string | null = null): DomainAction.DomainAction =>
  DomainAction.make({
    action_id: "00000001-0000-4000-8000-000000000001",
    action_type: "user.create",
    timestamp: "2025-06-29T04:03:00.123456Z",
    data: {},
    correlation_id: "00000002-0000-4000-8000-000000000002",
    callback_queue_name: list,
    callback_action_type: callback
  })

const record = { attempts: 1, outcomes: 2, unknownSince: 0, first: "" }

const encode = (
  settlement: Settlement,
  action: DomainAction.DomainAction | undefined = actionOf(null),
  change: Partial<Decision> = {}
) =>
  encodeSettlement({
    entry: entry.make("5-1", ["data", "{}"], 3, record),
    action,
    attempt: 2,
    settlement,
    span: undefined,
    cause: undefined,
    ...change
  }, options)

/** Field and value pairs as an object. */
const notesOf = (encoded: ReturnType<typeof encode>): Readonly<Record<string, string>> => {
  const notes = encoded?.notes ?? []
  return Object.fromEntries(
    Array.from({ length: notes.length / 2 }, (_, index) => [notes[index * 2]!, notes[index * 2 + 1]!])
  )
}

const json = (text: string | undefined): unknown => JSON.parse(text ?? "null")

const error = { error_type: "EmailTaken", error_code: "TAKEN", message: "taken", details: { email: "a" } }

const reply: Settlement = { _tag: "Reply", data: { userId: "1" } }
const reject: Settlement = { _tag: "Reject", error }
const callback: Settlement = { _tag: "Callback", actionType: "client.created", data: { userId: "1" } }
const dead = (answer: boolean): Settlement => ({ _tag: "DeadLetter", reason: "exhausted", error, answer })

describe("encodeSettlement", () => {
  it("makes nothing special of the acknowledgement of a first delivery", () => {
    const first = entry.make("5-1", ["data", "{}"])
    assert.strictEqual(encode({ _tag: "Ack", expired: false }, undefined, { entry: first }), undefined)
    assert.strictEqual(encode({ _tag: "Ack", expired: true }, undefined, { entry: first }), undefined)
  })

  it("names the delivery that an acknowledgement is about where it is not the first", () => {
    assert.deepInclude(encode({ _tag: "Ack", expired: false }), {
      id: "5-1",
      deliveries: 3,
      dead: false,
      push: undefined,
      wait: undefined
    })
  })

  it("pushes a response with the result, and gives its list a time to live", () => {
    const encoded = encode(reply, actionOf(responses))
    assert.deepInclude(encoded?.push, { kind: "list", key: responses, timeToLive: 60_000 })
    assert.deepInclude(json(encoded?.push?.payload), {
      action_id: "00000099-0000-4000-8000-000000000099",
      correlation_id: "00000002-0000-4000-8000-000000000002",
      timestamp: "2025-06-29T04:03:00.000Z",
      success: true,
      data: { userId: "1" },
      error: null
    })
    assert.isFalse(encoded?.dead)
  })

  it("pushes an error response", () => {
    const encoded = encode(reject, actionOf(responses))
    assert.deepInclude(json(encoded?.push?.payload), { success: false, data: null, error })
    assert.isFalse(encoded?.dead)
  })

  it("pushes a callback as a new action, and lets its list live on for 30 days at least", () => {
    const encoded = encode(callback, actionOf(callbacks, "client.created"))
    assert.deepInclude(encoded?.push, { kind: "list", key: callbacks, timeToLive: 30 * 86_400_000, atLeast: true })
    assert.deepInclude(json(encoded?.push?.payload), {
      action_type: "client.created",
      origin_service: "user",
      data: { userId: "1" },
      callback_queue_name: null
    })
  })

  it("appends a callback to the stream of a service that asks for that", () => {
    const encoded = encode(callback, actionOf(stream, "client.created"))
    assert.deepInclude(encoded?.push, { kind: "stream", key: stream, timeToLive: 0 })
  })

  it("never appends an error response to a stream, where it would be no action", () => {
    for (const settlement of [reject, dead(true)]) {
      const encoded = encode(settlement, actionOf(stream, "client.created"))
      assert.strictEqual(encoded?.push, undefined)
      assert.isTrue(encoded?.dead)
      assert.deepInclude(json(notesOf(encoded)["answer"]), { success: false })
    }
  })

  it("lets a client name any list of its own for either kind of answer", () => {
    assert.strictEqual(encode(reply, actionOf(callbacks))?.push?.key, callbacks)
    assert.strictEqual(encode(callback, actionOf(responses, "client.created"))?.push?.key, responses)
  })

  it("brings the expiry of a list of callbacks never forward, since those of others may wait there", () => {
    const longest = { timeToLive: 30 * 86_400_000, atLeast: true }
    assert.deepInclude(encode(reply, actionOf(callbacks))?.push, longest)
    assert.deepInclude(encode(callback, actionOf(callbacks, "client.created"))?.push, longest)
    assert.deepInclude(encode(callback, actionOf(responses, "client.created"))?.push, longest)
    assert.deepInclude(encode(reply, actionOf(responses))?.push, { timeToLive: 60_000, atLeast: false })
  })

  it("keeps an answer in a dead letter where the message names what may not be written", () => {
    const lists = [
      stream,
      "secret",
      deadLetterStream(naming, "user"),
      namesOf(naming, "user").lease,
      "nooble4:prod:client:responses:a:1"
    ]
    for (const list of lists) {
      for (const settlement of [reply, reject]) {
        const encoded = encode(settlement, actionOf(list))
        assert.strictEqual(encoded?.push, undefined, list)
        assert.isTrue(encoded?.dead, list)
        assert.strictEqual(notesOf(encoded)["reason"], "undeliverable")
        assert.deepInclude(json(notesOf(encoded)["answer"]), { success: settlement === reply }, list)
      }
    }
  })

  it("writes into a dead letter what happened, before all else", () => {
    assert.deepStrictEqual(notesOf(encode(dead(false))), {
      action_id: "00000001-0000-4000-8000-000000000001",
      action_type: "user.create",
      attempts: "2",
      deliveries: "3",
      hops: "0",
      reason: "exhausted",
      error_type: "EmailTaken",
      error_code: "TAKEN",
      message: "taken"
    })
  })

  it("writes into the dead letter of what is no action that it knows nothing of it", () => {
    const malformed: Settlement = {
      _tag: "DeadLetter",
      reason: "malformed",
      error: { error_type: "Malformed", error_code: null, message: "no", details: null },
      answer: false
    }
    const encoded = encodeSettlement({
      entry: entry.make("5-1", []),
      action: undefined,
      attempt: 1,
      settlement: malformed,
      span: undefined,
      cause: undefined
    }, options)
    assert.deepInclude(notesOf(encoded), { action_id: "", action_type: "", attempts: "0", error_code: "" })
    assert.strictEqual(encoded?.push, undefined)
  })

  for (
    const [what, cause, error_type, message] of [
      ["an error with a tag", new RedisError({ cause: new Error("READONLY no") }), "RedisError", "READONLY no"],
      ["any other error", new TypeError("not a function"), "TypeError", "not a function"],
      ["a text", "the ledger is closed", "RetryLater", "the ledger is closed"],
      ["what says nothing", { secret: 1 }, "RetryLater", "The handler asked for another attempt"]
    ] as const
  ) {
    it(`notes in the dead letter what is behind RetryLater, and tells no caller: ${what}`, () => {
      const encoded = encode(dead(true), actionOf(responses), { cause: new RetryLater({ cause }) })
      assert.deepInclude(notesOf(encoded), { error_type, message, error_code: "TAKEN" })
      assert.deepInclude(json(encoded?.push?.payload), { error })
    })
  }

  it("sends the error response of a dead letter where one is due", () => {
    const encoded = encode(dead(true), actionOf(responses))
    assert.isTrue(encoded?.dead)
    assert.strictEqual(encoded?.push?.key, responses)
    assert.deepInclude(json(encoded?.push?.payload), { success: false, error })
    assert.strictEqual(notesOf(encoded)["answer"], undefined)
    assert.strictEqual(encode(dead(false), actionOf(responses))?.push, undefined)
  })

  it("counts a retry as a failed attempt and an outcome, and waits whole milliseconds", () => {
    const encoded = encode({ _tag: "Retry", delay: Duration.millis(10.2), error, answer: false })
    assert.strictEqual(encoded?.wait?.delay, 11)
    assert.deepStrictEqual(decodeRecord(encoded?.wait?.record ?? ""), {
      ...record,
      attempts: 2,
      outcomes: 3,
      lastError: { type: "EmailTaken", message: "taken" }
    })
    assert.isFalse(encoded?.dead)
    assert.strictEqual(encoded?.push, undefined)
  })

  it("answers a failed attempt where each one is answered, and keeps silent where the list may not be written", () => {
    const retry: Settlement = { _tag: "Retry", delay: Duration.millis(10), error, answer: true }
    assert.strictEqual(encode(retry, actionOf(responses))?.push?.key, responses)
    const refused = encode(retry, actionOf("secret"))
    assert.strictEqual(refused?.push, undefined)
    assert.isFalse(refused?.dead)
    assert.strictEqual(refused?.wait?.delay, 10)
  })

  it("counts an outcome and no attempt when an entry is given back", () => {
    const encoded = encode({ _tag: "Release" })
    assert.strictEqual(encoded?.wait?.delay, 0)
    assert.deepStrictEqual(decodeRecord(encoded?.wait?.record ?? ""), { ...record, outcomes: 3 })
  })

  it("forgets since when a type was unknown once it was run", () => {
    const yielded = { entry: entry.make("5-1", ["data", "{}"], 4, { ...record, unknownSince: 17 }) }
    for (
      const settlement of [{ _tag: "Retry", delay: Duration.millis(10), error, answer: false }, {
        _tag: "Release"
      }] as const
    ) {
      const encoded = encode(settlement, undefined, yielded)
      assert.strictEqual(decodeRecord(encoded?.wait?.record ?? "").unknownSince, 0)
    }
  })

  it("records since when a type is unknown", () => {
    const encoded = encode({ _tag: "Yield", delay: Duration.millis(250), since: DateTime.makeUnsafe(17) })
    assert.strictEqual(encoded?.wait?.delay, 250)
    assert.deepStrictEqual(decodeRecord(encoded?.wait?.record ?? ""), { ...record, outcomes: 3, unknownSince: 17 })
  })
})

describe("a failure action that the server does not take", () => {
  const target = {
    stream: "s",
    parkedEntries: "pe",
    parkedDue: "pd",
    lanesHeld: "lh",
    lanesWaiting: "lw",
    lanesSequence: "ls",
    lanesRules: "lr",
    lanesRates: "lt",
    lanesStopped: "lp",
    retryDue: "d",
    retryRecords: "r",
    deadLetters: "x",
    group: "g",
    consumer: "c",
    waitingConsumer: "w",
    retain: false
  }
  const given = new Decision(
    entry.make("5-1", ["data", "{}"]),
    actionOf(callbacks, "client.created"),
    2,
    {
      _tag: "DeadLetter",
      reason: "exhausted",
      error,
      answer: false,
      failureAction: { actionType: "client.failed", payload: "include" }
    },
    undefined,
    undefined
  )
  const refused = new RedisError({ cause: new Error("ERR Protocol error: invalid bulk length") })

  it("is sent without the payload and the details, which may be what is too much", () => {
    const [encoded] = unanswered(target, given, options, refused, true).entries
    assert.isTrue(encoded?.dead)
    assert.deepInclude(json(encoded?.push?.payload), {
      action_type: "client.failed",
      data: { ...error, details: null, payload_omitted: true }
    })
  })

  it("is left out where that is refused, too, and its letter is kept", () => {
    const [encoded] = unanswered(target, given, options, refused, false).entries
    assert.isTrue(encoded?.dead)
    assert.strictEqual(encoded?.push, undefined)
    assert.deepInclude(notesOf(encoded), { reason: "exhausted", error_type: "EmailTaken" })
    assert.include(notesOf(encoded)["undeliverable"], "invalid bulk length")
  })
})
