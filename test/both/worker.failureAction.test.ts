/**
 * An action whose contract names a failure action: when it is given up its caller is told, and nothing of it is lost.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as DeadLetter from "../../src/DeadLetter.ts"
import * as DomainAction from "../../src/DomainAction.ts"
import { Rejected } from "../../src/HandlerError.ts"
import { actionStream, callbackInbox } from "../../src/internal/redis/names.ts"
import * as Metrics from "../../src/Metrics.ts"
import { QueueNaming } from "../../src/QueueNaming.ts"
import * as Worker from "../../src/Worker.ts"
import { counted } from "../support/counted.ts"
import { entriesOf, eventually, onBoth, Place, send } from "../support/layers.ts"
import {
  answersOf,
  deadLetters,
  leftovers,
  nothingLeft,
  quick,
  sendAction,
  type Sent,
  settled
} from "../support/world.ts"

const Payload = Schema.Record(Schema.String, Schema.Unknown)

const Failed = Action.make("client.failed", {
  payload: {
    error_type: Schema.String,
    error_code: Schema.NullOr(Schema.String),
    message: Schema.String,
    details: Schema.Unknown,
    payload: Schema.optionalKey(Payload),
    payload_omitted: Schema.optionalKey(Schema.Boolean)
  }
})

const Create = Action.make("user.create", {
  payload: Payload,
  failureAction: { action: Failed, payload: "include" },
  maxAttempts: 1
})
const Import = Action.make("user.import", { payload: Payload, failureAction: Failed, maxAttempts: 1 })

const start = (fail: () => Effect.Effect<never, Rejected>, options: Worker.WorkerOptions = {}) =>
  Worker.start(
    ActionGroup.make(Create, Import).handlers({ "user.create": fail, "user.import": fail }),
    { ...quick, ...options }
  )

const die = () => Effect.die(new Error("no such table"))

const error = {
  error_type: "ProcessingError",
  error_code: "HANDLER_EXECUTION_ERROR",
  message: "no such table",
  details: null
}

/** What its caller was sent: one failure action. */
const toldOf = (sent: Pick<Sent, "list">) =>
  Effect.gen(function*() {
    const answers = yield* answersOf(sent)
    assert.lengthOf(answers, 1)
    const action = DomainAction.parse(JSON.stringify(answers[0]))
    if (action._tag === "Failure") return assert.fail(action.failure.text)
    assert.strictEqual(action.success.action_type, "client.failed")
    return action.success
  })

const nested = (levels: number): unknown => levels === 0 ? 0 : [nested(levels - 1)]

const circle: { self?: unknown } = {}
circle.self = circle

const reasons = Effect.map(deadLetters, (letters) => letters.map(({ notes }) => notes["reason"]))

onBoth("a failure action", (test) => {
  test("names the action that failed, and leaves its dead letter where it can be replayed", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const worker = yield* start(die)
      const sent = yield* sendAction("", { type: "user.import", expectation: "callback", data: { email: "a" } })
      yield* settled
      const told = yield* toldOf(sent)
      assert.deepStrictEqual(told.metadata, { failed_action_id: sent.action.action_id })
      assert.strictEqual(told.correlation_id, sent.action.correlation_id)
      assert.deepStrictEqual(told.data, error)
      const [letter] = yield* deadLetters
      assert.deepInclude(letter?.notes, { reason: "exhausted", action_id: sent.action.action_id })
      assert.deepStrictEqual(letter?.original, ["data", DomainAction.encode(sent.action)])
      assert.deepStrictEqual(yield* leftovers, nothingLeft)
      yield* worker.drain
      yield* Worker.start({ "user.import": () => Effect.succeed({ userId: "u1" }) }, quick)
      yield* Effect.gen(function*() {
        const deadLetter = yield* DeadLetter.DeadLetter
        const { letters } = yield* deadLetter.list()
        yield* deadLetter.replay(letters[0]!.id)
      }).pipe(Effect.provide(DeadLetter.layer))
      yield* eventually(
        "the replay has called back",
        Effect.map(answersOf(sent), (answers) => answers.length === 2)
      )
      assert.strictEqual(yield* send("XLEN", names.deadLetters), 0)
    }))

  test("carries the payload of the action where the contract asks for it", () =>
    Effect.gen(function*() {
      yield* start(die)
      const sent = yield* sendAction("", { expectation: "callback", data: { email: "a", extra: [1, null] } })
      yield* settled
      assert.deepStrictEqual((yield* toldOf(sent)).data, { ...error, payload: { email: "a", extra: [1, null] } })
      assert.deepStrictEqual(yield* reasons, ["exhausted"])
    }))

  const tooMuch: ReadonlyArray<readonly [what: string, data: Readonly<Record<string, unknown>>]> = [
    ["too large", { email: "x".repeat(1_000) }],
    ["too large once it is UTF-8", { email: "\u{1F600}".repeat(250) }],
    ["too deep", { tree: nested(62) }]
  ]
  for (const [what, data] of tooMuch) {
    test(`says that the payload is left out where it makes the action ${what}`, () =>
      Effect.gen(function*() {
        // The action itself fits into the limit: with this message its payload no longer does.
        const message = "x".repeat(1_000)
        yield* start(() => Effect.die(new Error(message)), { payloadLimit: 2_400 })
        const sent = yield* sendAction("", { expectation: "callback", data })
        yield* settled
        assert.deepStrictEqual((yield* toldOf(sent)).data, { ...error, message, payload_omitted: true })
        assert.deepStrictEqual(yield* reasons, ["exhausted"])
      }))
  }

  const details: ReadonlyArray<readonly [what: string, details: Readonly<Record<string, unknown>>]> = [
    ["too large", { text: "x".repeat(5_000) }],
    ["too deep", { tree: nested(70) }],
    ["an integer of more digits than are read", { n: 10n ** 4_300n }],
    ["a circle", circle]
  ]
  for (const [what, given] of details) {
    test(`leaves out the details of an error that are ${what}, and keeps the letter`, () =>
      Effect.gen(function*() {
        yield* start(() => Effect.fail(new Rejected({ message: "no", details: given })), { payloadLimit: 2_400 })
        const sent = yield* sendAction("", { expectation: "callback", data: { email: "a" } })
        yield* settled
        assert.deepInclude((yield* toldOf(sent)).data, { message: "no", details: null, payload_omitted: true })
        assert.deepStrictEqual(yield* reasons, ["rejected"])
      }))
  }

  test("carries integers of any size in the details of an error, digit for digit", () =>
    Effect.gen(function*() {
      const details = { small: 1n, id: 9007199254740993n }
      yield* start(() => Effect.fail(new Rejected({ message: "no", details })))
      const naming = yield* QueueNaming
      const stream = actionStream(naming, "client")
      yield* sendAction("", { type: "user.import", expectation: "callback", data: {}, list: stream })
      yield* settled
      const [entry] = yield* entriesOf(stream)
      assert.include(entry?.[1][1], "\"details\":{\"small\":1,\"id\":9007199254740993}")
    }))

  test("is appended to the stream of a caller that asked for that", () =>
    Effect.gen(function*() {
      const naming = yield* QueueNaming
      yield* start(die)
      const stream = actionStream(naming, "client")
      yield* sendAction("", { expectation: "callback", data: {}, list: stream })
      yield* settled
      const [entry] = yield* entriesOf(stream)
      const told = DomainAction.parse(entry?.[1][1] ?? "")
      assert.strictEqual(told._tag === "Success" && told.success.action_type, "client.failed")
      assert.deepStrictEqual(yield* reasons, ["exhausted"])
    }))

  for (const held of ["a key of another type", "a name that the naming does not accept"]) {
    test(`is kept in the dead letter, and delivered from there, where its list is ${held}`, () =>
      Effect.gen(function*() {
        const naming = yield* QueueNaming
        const { logs } = yield* Place
        const free = callbackInbox(naming, "client", "client.created")
        const list = held === "a key of another type" ? free : "secret"
        yield* send("SET", list, "held")
        yield* start(die)
        yield* sendAction("", { expectation: "callback", data: {}, list })
        yield* settled
        const [letter] = yield* deadLetters
        assert.strictEqual(letter?.notes["reason"], "exhausted")
        const answer = DomainAction.parse(letter?.notes["answer"] ?? "")
        assert.strictEqual(answer._tag === "Success" && answer.success.action_type, "client.failed")
        yield* eventually(
          "it is logged",
          Effect.sync(() =>
            logs.some((line) =>
              line.level === "Warn" &&
              line.text === "Dead letter (exhausted), client.failed could not be sent: no such table"
            )
          )
        )
        if (list !== free) return
        yield* send("DEL", list)
        yield* Effect.gen(function*() {
          const service = yield* DeadLetter.DeadLetter
          const { letters } = yield* service.list()
          yield* service.redeliver(letters[0]!.id)
        }).pipe(Effect.provide(DeadLetter.layer))
        yield* toldOf({ list })
        assert.deepStrictEqual(yield* reasons, ["exhausted"])
      }))
  }

  test("is logged at warning, and counted by itself", () =>
    Effect.gen(function*() {
      const { logs } = yield* Place
      const outcome = (outcome: string) =>
        counted(Metrics.actions, { service: "user", action_type: "user.create", outcome })
      const all = Effect.all({
        failures: outcome("failure_callback"),
        callbacks: outcome("callback"),
        deadLetters: outcome("dead_letter"),
        letters: counted(Metrics.deadLetters, { service: "user", reason: "exhausted" })
      })
      const before = yield* all
      yield* start(die)
      yield* sendAction("", { expectation: "callback", data: {} })
      yield* settled
      yield* eventually(
        "it is logged",
        Effect.sync(() =>
          logs.some((line) =>
            line.level === "Warn" && line.text === "Dead letter (exhausted), client.failed sent: no such table"
          )
        )
      )
      const after = yield* all
      assert.deepStrictEqual(
        Object.values(after).map((count, index) => count - (Object.values(before)[index] ?? 0)),
        [1, 0, 0, 1]
      )
    }))

  for (const expectation of ["none", "response"] as const) {
    test(`is not sent where no callback is expected, and the letter is kept; answer expected: ${expectation}`, () =>
      Effect.gen(function*() {
        yield* start(die)
        const sent = yield* sendAction("", { expectation, data: {} })
        yield* settled
        assert.lengthOf(yield* answersOf(sent), expectation === "none" ? 0 : 1)
        assert.deepStrictEqual(yield* reasons, ["exhausted"])
      }))
  }
})
