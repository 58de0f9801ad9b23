import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import * as DomainAction from "../../src/DomainAction.ts"
import { Rejected, RetryLater } from "../../src/HandlerError.ts"
import * as Decide from "../../src/internal/worker/settlementOf.ts"
import type * as Settlement from "../../src/Settlement.ts"

// -----------------------------------------------------------------------------
// what the rows are made of
// -----------------------------------------------------------------------------

type Expectation = "none" | "response" | "callback"
const expectations = ["none", "response", "callback"] as const

const now = 1_750_000_000_000

const actionOf = (expectation: Expectation): DomainAction.DomainAction =>
  DomainAction.make({
    action_id: "00000001-0000-4000-8000-000000000001",
    action_type: "user.create",
    timestamp: "2025-06-29T04:03:00.123456Z",
    data: {},
    callback_queue_name: expectation === "none" ? null : "nooble4:dev:client:responses:user_create:1",
    callback_action_type: expectation === "callback" ? "client.created" : null
  })

const subjectOf = (expectation: Expectation, change: Partial<Decide.Subject> = {}): Decide.Subject => ({
  action: actionOf(expectation),
  attempt: 1,
  deadline: undefined,
  maxAttempts: undefined,
  failureAction: undefined,
  ...change
})

const standard: Decide.Policy = {
  maxAttempts: 5,
  unknownFor: 600_000,
  retryDelay: (attempts) => 1_000 * attempts,
  errorReplies: "final",
  callbackErrors: "dead-letter"
}

const refusal = { error_type: "EmailTaken", error_code: "ACTION_REJECTED", message: "taken", details: null }
const trouble = { error_type: "Busy", error_code: "HANDLER_EXECUTION_ERROR", message: "busy", details: null }
const invalid = { error_type: "ValidationError", error_code: "VALIDATION_ERROR", message: "email", details: {} }

const failed = (disposition: "rejected" | "retryable", after?: number): Decide.Outcome => ({
  _tag: "Failed",
  failure: { error: "e", disposition, detail: disposition === "rejected" ? refusal : trouble, after }
})

// -----------------------------------------------------------------------------
// settlements in short
// -----------------------------------------------------------------------------

/** The parts of a settlement that the table tells. */
const short = (settlement: Settlement.Settlement): string => {
  switch (settlement._tag) {
    case "Ack":
      return settlement.expired ? "Ack expired" : "Ack"
    case "Reply":
      return `Reply ${JSON.stringify(settlement.data)}`
    case "Callback":
      return `Callback ${settlement.actionType} ${JSON.stringify(settlement.data)}`
    case "Reject":
      return `Reject ${settlement.error.error_code}`
    case "Retry":
      return `Retry in ${Duration.toMillis(settlement.delay)}${settlement.answer ? " + error response" : ""}`
    case "DeadLetter":
      return `DeadLetter ${settlement.reason} ${settlement.error.error_code}${
        settlement.answer ? " + error response" : ""
      }${
        settlement.failureAction === undefined
          ? ""
          : ` + ${settlement.failureAction.actionType} with payload ${settlement.failureAction.payload}`
      }`
    case "Yield":
      return `Yield for ${Duration.toMillis(settlement.delay)} since ${settlement.since.epochMilliseconds}`
    default:
      return settlement._tag
  }
}

const decide = (
  outcome: Decide.Outcome,
  expectation: Expectation,
  change: Partial<Decide.Subject> = {},
  policy: Partial<Decide.Policy> = {}
): string => short(Decide.settlementOf(outcome, subjectOf(expectation, change), { ...standard, ...policy }, now))

interface Row {
  readonly row: string
  readonly outcome: Decide.Outcome
  readonly subject?: Partial<Decide.Subject>
  readonly policy?: Partial<Decide.Policy>
  /** No answer, response, callback. */
  readonly settlements: readonly [none: string, response: string, callback: string]
}

const same = (text: string): readonly [string, string, string] => [text, text, text]

const answeredOnResponse = (text: string): readonly [string, string, string] => [text, `${text} + error response`, text]

const unencodable: Decide.Outcome = { _tag: "Unencodable", message: "no" }
const succeeded: Decide.Outcome = { _tag: "Succeeded", data: { userId: "1" } }
const unknownSince = (age: number): Decide.Outcome => ({ _tag: "Unknown", since: now - age })
const failureAction = { failureAction: "client.failed" }
const failureLetter = (letter: string, payload = "none") =>
  `DeadLetter ${letter} + client.failed with payload ${payload}`
const python = { errorReplies: "every-attempt", callbackErrors: "response" } as const

const table: ReadonlyArray<Row> = [
  { row: "1: lease lost", outcome: { _tag: "LeaseLost" }, settlements: same("Lost") },
  {
    row: "2: malformed (it has no action, so that nobody is known to wait)",
    outcome: { _tag: "Malformed", message: "no" },
    subject: { action: undefined },
    settlements: same("DeadLetter malformed MALFORMED_ACTION")
  },
  {
    row: "3: poison",
    outcome: { _tag: "Poison" },
    settlements: answeredOnResponse("DeadLetter poison POISON_ACTION")
  },
  { row: "4: expired", outcome: { _tag: "Expired" }, settlements: same("Ack expired") },
  {
    row: "5: unknown, at first",
    outcome: unknownSince(0),
    settlements: same(`Yield for 250 since ${now}`)
  },
  {
    row: "5: unknown, after a while at ease",
    outcome: unknownSince(8_000),
    settlements: same(`Yield for 4000 since ${now - 8_000}`)
  },
  {
    row: "5: unknown, never waits longer than ten seconds",
    outcome: unknownSince(300_000),
    settlements: same(`Yield for 10000 since ${now - 300_000}`)
  },
  {
    row: "5: unknown, looks once more exactly when the time is up",
    outcome: unknownSince(599_900),
    settlements: same(`Yield for 100 since ${now - 599_900}`)
  },
  {
    row: "5: unknown for too long",
    outcome: unknownSince(600_000),
    settlements: answeredOnResponse("DeadLetter unknown ACTION_NOT_IMPLEMENTED")
  },
  {
    row: "6: payload refused",
    outcome: { _tag: "Invalid", error: invalid },
    settlements: [
      "DeadLetter invalid VALIDATION_ERROR",
      "Reject VALIDATION_ERROR",
      "DeadLetter invalid VALIDATION_ERROR"
    ]
  },
  {
    row: "6: payload refused, though there is a failure action",
    outcome: { _tag: "Invalid", error: invalid },
    subject: failureAction,
    settlements: [
      "DeadLetter invalid VALIDATION_ERROR",
      "Reject VALIDATION_ERROR",
      "DeadLetter invalid VALIDATION_ERROR"
    ]
  },
  {
    row: "7: success",
    outcome: succeeded,
    settlements: ["Ack", "Reply {\"userId\":\"1\"}", "Callback client.created {\"userId\":\"1\"}"]
  },
  {
    row: "7: success with nothing to say",
    outcome: { _tag: "Succeeded", data: null },
    settlements: ["Ack", "Reply null", "Callback client.created {}"]
  },
  {
    row: "8: unencodable",
    outcome: unencodable,
    settlements: answeredOnResponse("DeadLetter unencodable UNENCODABLE_RESULT")
  },
  {
    row: "9: rejected",
    outcome: failed("rejected"),
    settlements: [
      "DeadLetter rejected ACTION_REJECTED",
      "Reject ACTION_REJECTED",
      "DeadLetter rejected ACTION_REJECTED"
    ]
  },
  {
    row: "9: rejected, with a failure action",
    outcome: failed("rejected"),
    subject: failureAction,
    settlements: [
      "DeadLetter rejected ACTION_REJECTED",
      "Reject ACTION_REJECTED",
      failureLetter("rejected ACTION_REJECTED")
    ]
  },
  {
    row: "9: rejected, with a failure action that carries the payload",
    outcome: failed("rejected"),
    subject: { ...failureAction, failurePayload: "include" },
    settlements: [
      "DeadLetter rejected ACTION_REJECTED",
      "Reject ACTION_REJECTED",
      failureLetter("rejected ACTION_REJECTED", "include")
    ]
  },
  {
    row: "10: any other error",
    outcome: failed("retryable"),
    subject: { attempt: 2 },
    settlements: same("Retry in 2000")
  },
  {
    row: "10: an error that says when",
    outcome: failed("retryable", 42),
    settlements: same("Retry in 42")
  },
  {
    row: "10: timeout",
    outcome: { _tag: "TimedOut" },
    settlements: same("Retry in 1000")
  },
  {
    row: "10: due before the deadline",
    outcome: failed("retryable"),
    subject: { deadline: now + 1_001 },
    settlements: same("Retry in 1000")
  },
  {
    row: "11: attempts used up",
    outcome: failed("retryable"),
    subject: { attempt: 5 },
    settlements: answeredOnResponse("DeadLetter exhausted HANDLER_EXECUTION_ERROR")
  },
  {
    row: "11: attempts of the action used up, though the worker has more",
    outcome: failed("retryable"),
    subject: { attempt: 2, maxAttempts: 2 },
    settlements: answeredOnResponse("DeadLetter exhausted HANDLER_EXECUTION_ERROR")
  },
  {
    row: "11: attempts used up, though the error says when",
    outcome: failed("retryable", 0),
    subject: { attempt: 5 },
    settlements: answeredOnResponse("DeadLetter exhausted HANDLER_EXECUTION_ERROR")
  },
  {
    row: "11: timeout of the last attempt",
    outcome: { _tag: "TimedOut" },
    subject: { attempt: 5 },
    settlements: answeredOnResponse("DeadLetter exhausted HANDLER_TIMEOUT")
  },
  {
    row: "11: the next attempt would come at the deadline",
    outcome: failed("retryable"),
    subject: { deadline: now + 1_000 },
    settlements: answeredOnResponse("DeadLetter exhausted HANDLER_EXECUTION_ERROR")
  },
  {
    row: "11: the error asks for a time after the deadline",
    outcome: failed("retryable", 10_000),
    subject: { deadline: now + 5_000 },
    settlements: answeredOnResponse("DeadLetter exhausted HANDLER_EXECUTION_ERROR")
  },
  {
    row: "11: attempts used up, with a failure action",
    outcome: failed("retryable"),
    subject: { attempt: 5, ...failureAction },
    settlements: [
      "DeadLetter exhausted HANDLER_EXECUTION_ERROR",
      "DeadLetter exhausted HANDLER_EXECUTION_ERROR + error response",
      failureLetter("exhausted HANDLER_EXECUTION_ERROR")
    ]
  },
  { row: "12: interrupted by shutdown", outcome: { _tag: "Interrupted" }, settlements: same("Release") },
  { row: "13: its type is paused", outcome: { _tag: "Paused", pause: 3 }, settlements: same("Release") }
]

const pythonTable: ReadonlyArray<Row> = [
  { row: "1: lease lost", outcome: { _tag: "LeaseLost" }, settlements: same("Lost") },
  {
    row: "3: poison",
    outcome: { _tag: "Poison" },
    settlements: [
      "DeadLetter poison POISON_ACTION",
      "DeadLetter poison POISON_ACTION + error response",
      "DeadLetter poison POISON_ACTION + error response"
    ]
  },
  {
    row: "6: payload refused",
    outcome: { _tag: "Invalid", error: invalid },
    settlements: ["DeadLetter invalid VALIDATION_ERROR", "Reject VALIDATION_ERROR", "Reject VALIDATION_ERROR"]
  },
  {
    row: "9: rejected",
    outcome: failed("rejected"),
    settlements: ["DeadLetter rejected ACTION_REJECTED", "Reject ACTION_REJECTED", "Reject ACTION_REJECTED"]
  },
  {
    row: "9: rejected, with a failure action, which is what the caller asked for",
    outcome: failed("rejected"),
    subject: failureAction,
    settlements: [
      "DeadLetter rejected ACTION_REJECTED",
      "Reject ACTION_REJECTED",
      failureLetter("rejected ACTION_REJECTED")
    ]
  },
  {
    row: "10: any other error is answered each time, but a callback's",
    outcome: failed("retryable"),
    settlements: ["Retry in 1000", "Retry in 1000 + error response", "Retry in 1000"]
  },
  {
    row: "11: attempts used up",
    outcome: failed("retryable"),
    subject: { attempt: 5 },
    settlements: [
      "DeadLetter exhausted HANDLER_EXECUTION_ERROR",
      "DeadLetter exhausted HANDLER_EXECUTION_ERROR + error response",
      "DeadLetter exhausted HANDLER_EXECUTION_ERROR + error response"
    ]
  },
  { row: "12: interrupted by shutdown", outcome: { _tag: "Interrupted" }, settlements: same("Release") },
  { row: "13: its type is paused", outcome: { _tag: "Paused", pause: 3 }, settlements: same("Release") }
]

const check = ({ outcome, policy, settlements, subject }: Row, base: Partial<Decide.Policy> = {}) =>
  expectations.forEach((expectation, index) =>
    assert.strictEqual(decide(outcome, expectation, subject, { ...base, ...policy }), settlements[index], expectation)
  )

// -----------------------------------------------------------------------------
// anything at all
// -----------------------------------------------------------------------------

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

const AnyCase = {
  tag: Schema.Literals([
    "LeaseLost",
    "Malformed",
    "Poison",
    "Expired",
    "Unknown",
    "Invalid",
    "Succeeded",
    "Unencodable",
    "Rejected",
    "Failed",
    "TimedOut",
    "Interrupted"
  ]),
  expectation: Schema.Literals(expectations),
  attempt: between(1, 12),
  maxAttempts: between(1, 12),
  ownAttempts: Schema.NullOr(between(1, 12)),
  deadline: Schema.NullOr(between(-5_000, 5_000)),
  after: Schema.NullOr(between(0, 10_000)),
  delay: between(0, 10_000),
  age: between(-1_000, 700_000),
  failureAction: Schema.Boolean,
  python: Schema.Boolean
}

const Case = Schema.Struct(AnyCase)
type Case = typeof Case.Type

const outcomeOf = (given: Case): Decide.Outcome => {
  switch (given.tag) {
    case "Malformed":
      return { _tag: "Malformed", message: "no" }
    case "Unknown":
      return unknownSince(given.age)
    case "Invalid":
      return { _tag: "Invalid", error: invalid }
    case "Succeeded":
      return succeeded
    case "Unencodable":
      return unencodable
    case "Rejected":
      return failed("rejected", given.after ?? undefined)
    case "Failed":
      return failed("retryable", given.after ?? undefined)
    default:
      return { _tag: given.tag }
  }
}

const settlementOf = (given: Case): Settlement.Settlement =>
  Decide.settlementOf(
    outcomeOf(given),
    subjectOf(given.expectation, {
      attempt: given.attempt,
      maxAttempts: given.ownAttempts ?? undefined,
      deadline: given.deadline === null ? undefined : now + given.deadline,
      failureAction: given.failureAction ? "client.failed" : undefined
    }),
    { ...standard, maxAttempts: given.maxAttempts, retryDelay: () => given.delay, ...given.python ? python : {} },
    now
  )

const many = { arbitrary: { runs: 1000 } }

// -----------------------------------------------------------------------------

describe("Settlement", () => {
  describe("settlementOf", () => {
    for (const row of table) it(`follows row ${row.row}`, () => check(row))
  })

  describe("settlementOf as the Python worker does it", () => {
    for (const row of pythonTable) it(`follows row ${row.row}`, () => check(row, python))
  })

  describe("the order of the rows", () => {
    it("refuses a rejected error for good, though attempts are left (9 before 10)", () => {
      assert.strictEqual(decide(failed("rejected"), "response", { attempt: 1 }), "Reject ACTION_REJECTED")
    })

    it("refuses a rejected error after the deadline, too (9 before 11)", () => {
      const late = { attempt: 5, deadline: now - 1 }
      assert.strictEqual(decide(failed("rejected"), "response", late), "Reject ACTION_REJECTED")
      assert.strictEqual(decide(failed("rejected"), "none", late), "DeadLetter rejected ACTION_REJECTED")
    })

    it("sends a success that comes after the deadline (7 before 11)", () => {
      assert.strictEqual(
        decide(succeeded, "response", { deadline: now - 1, attempt: 5 }),
        "Reply {\"userId\":\"1\"}"
      )
    })

    it("never runs again what cannot be encoded, though attempts are left (8 before 10)", () => {
      assert.strictEqual(decide(unencodable, "none"), "DeadLetter unencodable UNENCODABLE_RESULT")
    })

    it("writes nothing for a lost lease, whatever else is true (1 before all)", () => {
      assert.strictEqual(decide({ _tag: "LeaseLost" }, "response", { attempt: 9, deadline: now - 1 }, python), "Lost")
    })

    it("gives back what a shutdown interrupted, though it was the last attempt (12 is no attempt)", () => {
      assert.strictEqual(decide({ _tag: "Interrupted" }, "response", { attempt: 5, deadline: now - 1 }), "Release")
    })
  })

  describe("the error that is written", () => {
    it("is the handler's own", () => {
      for (const outcome of [failed("rejected"), failed("retryable")]) {
        const settlement = Decide.settlementOf(outcome, subjectOf("none", { attempt: 5 }), standard, now)
        assert.strictEqual(settlement._tag, "DeadLetter")
        if (settlement._tag !== "DeadLetter" || outcome._tag !== "Failed") return
        assert.deepStrictEqual(settlement.error, outcome.failure.detail)
      }
    })

    it("names the type that no handler knows", () => {
      const settlement = Decide.settlementOf(unknownSince(600_000), subjectOf("response"), standard, now)
      assert.deepInclude(settlement, {
        _tag: "DeadLetter",
        error: {
          error_type: "NotImplemented",
          error_code: "ACTION_NOT_IMPLEMENTED",
          message: "No worker has a handler for user.create",
          details: null
        }
      })
    })

    it("is made of texts, whatever a handler fails with or dies of", () => {
      const odd = (properties: PropertyDescriptorMap) => Object.defineProperties(new Error(), properties)
      const thrower: PropertyDescriptor = {
        get: () => {
          throw new Error("no")
        }
      }
      const causes: ReadonlyArray<unknown> = [
        odd({ message: { value: { code: 1 } } }),
        odd({ message: { value: 7 }, _tag: { value: {} }, name: { value: [] } }),
        odd({ message: thrower, _tag: thrower }),
        odd({ message: { value: undefined } }),
        { message: { text: "thrown object" } },
        Object.create(null),
        1n,
        Symbol("s")
      ]
      for (const failure of causes.flatMap((cause) => [Decide.defect(cause), Decide.undeclared(cause)])) {
        assert.match(
          failure.detail.message,
          /^The handler (failed|died) with (an error without a message|an object without a message|a (bigint|symbol) instead of an error)$/
        )
        assert.strictEqual(failure.detail.error_type, "ProcessingError")
      }
    })

    it("is of bounded length", () => {
      const long = "x".repeat(1_000_000)
      const error = Object.assign(new Error(long), { _tag: long })
      for (
        const detail of [
          Decide.defect(error).detail,
          Decide.undeclared(error).detail,
          Decide.undeclared(new Rejected({ message: long, errorType: long, errorCode: long })).detail
        ]
      ) {
        for (const text of [detail.error_type, detail.error_code, detail.message]) {
          assert.isAtMost(text?.length ?? 0, 4_096)
        }
      }
    })

    it("is not cut in the middle of a character", () => {
      for (const start of ["", "x"]) {
        const { message } = Decide.defect(new Error(start + "\u{1F600}".repeat(10_000))).detail
        assert.isTrue(message.isWellFormed())
      }
    })

    it("is that of a refusal, made readable", () => {
      // SAFETY: what a handler without types could give.
      const odd = { message: { a: 1 }, errorType: 1, errorCode: [], details: "text" } as unknown as { message: string }
      assert.deepStrictEqual(Decide.undeclared(new Rejected(odd)).detail, {
        error_type: "Rejected",
        error_code: "ACTION_REJECTED",
        message: "The action was refused",
        details: { value: "text" }
      })
    })

    it("says what was wrong with a malformed entry", () => {
      const settlement = Decide.settlementOf(
        { _tag: "Malformed", message: "The entry has no field data" },
        subjectOf("none", { action: undefined }),
        standard,
        now
      )
      assert.strictEqual(settlement._tag === "DeadLetter" && settlement.error.message, "The entry has no field data")
    })
  })

  describe("any case", () => {
    it.prop("is settled", AnyCase, (given) => {
      const settlement = settlementOf(given)
      assert.include(
        ["Ack", "Reply", "Callback", "Reject", "Retry", "DeadLetter", "Release", "Yield", "Lost"],
        settlement._tag
      )
    }, many)

    it.prop("is never run again beyond its attempts", AnyCase, (given) => {
      if (settlementOf(given)._tag !== "Retry") return
      assert.isBelow(given.attempt, given.ownAttempts ?? given.maxAttempts)
    }, many)

    it.prop("is never run again at or after its deadline", AnyCase, (given) => {
      const settlement = settlementOf(given)
      if (settlement._tag !== "Retry" || given.deadline === null) return
      assert.isBelow(Duration.toMillis(settlement.delay), given.deadline)
    }, many)

    it.prop("is lost only with its lease", AnyCase, (given) => {
      assert.strictEqual(settlementOf(given)._tag === "Lost", given.tag === "LeaseLost")
    }, many)

    it.prop("is given back only when a shutdown interrupted it", AnyCase, (given) => {
      assert.strictEqual(settlementOf(given)._tag === "Release", given.tag === "Interrupted")
    }, many)

    it.prop("is answered only where an answer is expected", AnyCase, (given) => {
      const settlement = settlementOf(given)
      const answers = settlement._tag === "Reply" || settlement._tag === "Callback" || settlement._tag === "Reject" ||
        ("answer" in settlement && settlement.answer)
      if (answers) assert.notStrictEqual(given.expectation, "none")
    }, many)

    it.prop(
      "of a callback that is given up is a dead letter, unless an error response was asked for",
      AnyCase,
      (given) => {
        if (given.expectation !== "callback" || given.python) return
        assert.notInclude(["Reject"], settlementOf(given)._tag)
        if (settlementOf(given)._tag === "Callback") assert.strictEqual(given.tag, "Succeeded")
      },
      many
    )

    it.prop("with a success is never run again nor a dead letter", AnyCase, (given) => {
      if (given.tag !== "Succeeded") return
      assert.include(["Ack", "Reply", "Callback"], settlementOf(given)._tag)
    }, many)

    it.prop("that waits has a time to wait that is whole and not negative, or the one asked for", AnyCase, (given) => {
      const settlement = settlementOf(given)
      if (settlement._tag === "Retry") {
        assert.strictEqual(Duration.toMillis(settlement.delay), failedAfter(given) ?? given.delay)
      }
      if (settlement._tag !== "Yield") return
      const delay = Duration.toMillis(settlement.delay)
      assert.isTrue(Number.isInteger(delay) && delay > 0)
    }, many)

    it.prop("of an unknown type is a dead letter from its time on, and not before", AnyCase, (given) => {
      if (given.tag !== "Unknown") return
      const settlement = settlementOf(given)
      assert.strictEqual(settlement._tag, given.age >= standard.unknownFor ? "DeadLetter" : "Yield")
      if (settlement._tag !== "Yield") return
      assert.strictEqual(settlement.since.epochMilliseconds, now - given.age)
      assert.isAtMost(given.age + Duration.toMillis(settlement.delay), Math.max(standard.unknownFor, given.age + 250))
    }, many)
  })

  describe("defect", () => {
    it("is run again, and tells its message but not its stack", () => {
      const error = new Error("no such table")
      assert.deepStrictEqual(Decide.defect(error), {
        error,
        disposition: "retryable",
        detail: {
          error_type: "ProcessingError",
          error_code: "HANDLER_EXECUTION_ERROR",
          message: "no such table",
          details: null
        },
        after: undefined
      })
    })

    it("has a message whatever was thrown", () => {
      for (
        const [thrown, kind] of [
          [undefined, "undefined"],
          [null, "null"],
          ["", "a string instead of an error"],
          [1, "a number instead of an error"],
          [{}, "an object without a message"],
          [new Error(""), "an error without a message"]
        ] as const
      ) {
        assert.strictEqual(Decide.defect(thrown).detail.message, `The handler died with ${kind}`)
      }
    })
  })

  describe("undeclared", () => {
    it("takes Rejected for what it says", () => {
      const failure = Decide.undeclared(
        new Rejected({ message: "no such user", errorType: "NotFound", errorCode: "USER", details: { id: 1 } })
      )
      assert.strictEqual(failure.disposition, "rejected")
      assert.deepStrictEqual(failure.detail, {
        error_type: "NotFound",
        error_code: "USER",
        message: "no such user",
        details: { id: 1 }
      })
    })

    it("tells a handler that took too long from a caller whose time was over", () => {
      const messageAt = (deadline: number | undefined) => {
        const settlement = Decide.settlementOf(
          { _tag: "TimedOut" },
          subjectOf("none", { attempt: 5, deadline }),
          standard,
          now
        )
        return settlement._tag === "DeadLetter" ? settlement.error.message : settlement._tag
      }
      assert.strictEqual(messageAt(undefined), "The handler took longer than its handlerTimeout")
      assert.strictEqual(messageAt(now + 1), "The handler took longer than its handlerTimeout")
      assert.strictEqual(messageAt(now), "The deadline of the request passed before the handler ended")
    })

    it("takes the time of RetryLater", () => {
      const failure = Decide.undeclared(new RetryLater({ after: "90 seconds" }))
      assert.strictEqual(failure.disposition, "retryable")
      assert.strictEqual(failure.after, 90_000)
    })

    it("leaves the time to the schedule when RetryLater names none that comes", () => {
      assert.strictEqual(Decide.undeclared(new RetryLater()).after, undefined)
      assert.strictEqual(Decide.undeclared(new RetryLater({ after: "Infinity" })).after, undefined)
      assert.strictEqual(Decide.undeclared(new RetryLater({ after: -1 })).after, 0)
    })

    it("runs everything else again, under the name that it has", () => {
      class Busy extends Error {
        readonly _tag = "Busy"
      }
      const cases: ReadonlyArray<readonly [error: unknown, type: string, message: string]> = [
        [new Busy("later"), "Busy", "later"],
        [new Error("oh"), "ProcessingError", "oh"],
        [{ _tag: "Busy" }, "Busy", "The handler failed with Busy"],
        [{ _tag: 1 }, "ProcessingError", "The handler failed with an object without a message"],
        ["text", "ProcessingError", "text"],
        [null, "ProcessingError", "The handler failed with null"]
      ]
      for (const [error, type, message] of cases) {
        const failure = Decide.undeclared(error)
        assert.strictEqual(failure.disposition, "retryable")
        assert.strictEqual(failure.detail.error_type, type)
        assert.strictEqual(failure.detail.message, message)
      }
    })
  })
})

/** What a failure that is run again asked for itself; a timeout asks for nothing. */
const failedAfter = (given: Case): number | undefined => given.tag === "Failed" ? given.after ?? undefined : undefined
