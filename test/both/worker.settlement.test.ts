/**
 * Each row of the settlement table by what a running worker leaves behind, in memory and on a server.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { RetryLater } from "../../src/HandlerError.ts"
import * as Worker from "../../src/Worker.ts"
import { eventually, onBothFromZero, pendingOf, Place, send, type Test } from "../support/layers.ts"
import {
  answersOf,
  deadLetters,
  effects,
  type Expectation,
  expectations,
  leftovers,
  nothingLeft,
  quick,
  sendAction,
  settled,
  startWorker
} from "../support/world.ts"

interface Row {
  readonly row: string
  readonly does: string
  readonly type?: string
  readonly data?: { readonly [key: string]: unknown }
  readonly options?: Worker.WorkerOptions
  /** How often the handler runs. */
  readonly runs: number
  /** What is left behind: with no answer, with a response, with a callback. */
  readonly leaves: Readonly<Record<Expectation, ReadonlyArray<string>>>
}

const deadOr = (letter: string, answer: ReadonlyArray<string>): Row["leaves"] => ({
  none: [letter],
  response: answer,
  callback: [letter]
})

const created = (userId: string): Row["leaves"] => ({
  none: [],
  response: [`response {"userId":"${userId}"}`],
  callback: [`client.created {"userId":"${userId}"}`]
})

const exhausted = (code: string) => deadOr(`dead exhausted ${code}`, [`error ${code}`, `dead exhausted ${code}`])

const execution = "HANDLER_EXECUTION_ERROR"

const rows: ReadonlyArray<Row> = [
  {
    row: "5: a type without a handler is a dead letter once its time is up",
    does: "",
    type: "user.nobody",
    runs: 0,
    leaves: deadOr("dead unknown ACTION_NOT_IMPLEMENTED", [
      "error ACTION_NOT_IMPLEMENTED",
      "dead unknown ACTION_NOT_IMPLEMENTED"
    ])
  },
  {
    row: "6: a payload that the contract refuses",
    does: "",
    data: { does: 1 },
    runs: 0,
    leaves: deadOr("dead invalid VALIDATION_ERROR", ["error VALIDATION_ERROR"])
  },
  { row: "7: success", does: "ok", runs: 1, leaves: created("u1") },
  {
    row: "8: a success that its schema cannot encode is never run again",
    does: "wrong success",
    runs: 1,
    leaves: deadOr("dead unencodable UNENCODABLE_RESULT", [
      "error UNENCODABLE_RESULT",
      "dead unencodable UNENCODABLE_RESULT"
    ])
  },
  {
    row: "8: an error that its schema cannot encode is never run again",
    does: "wrong error",
    runs: 1,
    leaves: deadOr("dead unencodable UNENCODABLE_RESULT", [
      "error UNENCODABLE_RESULT",
      "dead unencodable UNENCODABLE_RESULT"
    ])
  },
  {
    row: "9: a declared error",
    does: "taken",
    runs: 1,
    leaves: deadOr("dead rejected ACTION_REJECTED", ["error ACTION_REJECTED"])
  },
  {
    row: "9: Rejected",
    does: "reject",
    runs: 1,
    leaves: deadOr("dead rejected NO_USER", ["error NO_USER"])
  },
  {
    row: "9: a declared error, with the failure action that the contract names",
    does: "taken",
    type: "user.import",
    runs: 1,
    leaves: {
      none: ["dead rejected ACTION_REJECTED"],
      response: ["error ACTION_REJECTED"],
      callback: [
        "client.import_failed " +
        JSON.stringify({
          error_type: "EmailTaken",
          error_code: "ACTION_REJECTED",
          message: "EmailTaken",
          details: { _tag: "EmailTaken", email: "a@b.c" }
        }),
        "dead rejected ACTION_REJECTED"
      ]
    }
  },
  {
    row: "9: an error that the contract would run again, where the worker says otherwise",
    does: "busy",
    options: { errors: { Busy: "rejected" } },
    runs: 1,
    leaves: deadOr("dead rejected ACTION_REJECTED", ["error ACTION_REJECTED"])
  },
  ...["later", "busy", "die", "throw"].map((does): Row => ({
    row: `10: a handler that does not succeed at once (${does}) is run again`,
    does: `${does} until 3`,
    runs: 3,
    leaves: created("u3")
  })),
  {
    row: "10: an error that the contract would refuse, where the worker says otherwise",
    does: "taken until 2",
    options: { errors: { EmailTaken: "retryable" } },
    runs: 2,
    leaves: created("u2")
  },
  {
    row: "10: a handler that takes too long is run again",
    does: "hang until 2",
    options: { handlerTimeout: "30 millis" },
    runs: 2,
    leaves: created("u2")
  },
  {
    row: "11: attempts used up by RetryLater",
    does: "later",
    options: { maxAttempts: 2 },
    runs: 2,
    leaves: exhausted(execution)
  },
  {
    row: "11: attempts used up by a declared error, which the caller gets",
    does: "busy",
    options: { maxAttempts: 2 },
    runs: 2,
    leaves: exhausted("ACTION_REJECTED")
  },
  {
    row: "11: attempts used up by a defect",
    does: "die",
    options: { maxAttempts: 3 },
    runs: 3,
    leaves: exhausted(execution)
  },
  {
    row: "11: attempts used up by a handler that takes too long",
    does: "hang",
    options: { maxAttempts: 2, handlerTimeout: "20 millis" },
    runs: 2,
    leaves: exhausted("HANDLER_TIMEOUT")
  },
  {
    row: "11: the contract's own attempts and time, whatever the worker says",
    does: "hang",
    type: "user.quick",
    options: { maxAttempts: 5, handlerTimeout: "1 hour" },
    runs: 1,
    leaves: exhausted("HANDLER_TIMEOUT")
  },
  {
    row: "11: attempts used up, with the failure action that the contract names",
    does: "die",
    type: "user.import",
    options: { maxAttempts: 1 },
    runs: 1,
    leaves: {
      none: [`dead exhausted ${execution}`],
      response: [`error ${execution}`, `dead exhausted ${execution}`],
      callback: [
        "client.import_failed " +
        JSON.stringify({
          error_type: "ProcessingError",
          error_code: execution,
          message: "no such table",
          details: null
        }),
        `dead exhausted ${execution}`
      ]
    }
  },
  {
    row: "10 and 11 as the Python worker has them: an error response at each attempt",
    does: "die",
    options: { maxAttempts: 2, errorReplies: "every-attempt", callbackErrors: "response" },
    runs: 2,
    leaves: {
      none: [`dead exhausted ${execution}`],
      response: [`error ${execution}`, `error ${execution}`, `dead exhausted ${execution}`],
      callback: [`error ${execution}`, `dead exhausted ${execution}`]
    }
  }
]

const rowCases = (test: Test): void => {
  for (const { data, does, leaves, options, row, runs, type } of rows) {
    for (const expectation of expectations) {
      test(`row ${row}; answer expected: ${expectation}`, () =>
        Effect.gen(function*() {
          const { seen } = yield* startWorker(options)
          const sent = yield* sendAction(does, {
            expectation,
            ...(type === undefined ? {} : { type }),
            ...(data === undefined ? {} : { data })
          })
          yield* settled
          assert.deepStrictEqual(yield* effects(sent), leaves[expectation])
          assert.strictEqual(seen.runs.length, runs)
          assert.deepStrictEqual(yield* leftovers, nothingLeft)
        }))
    }
  }
}

/** Makes a message look as if it had been delivered often, to a consumer that is dead now. */
const deliverOften = (id: string, deliveries: number) =>
  Effect.gen(function*() {
    const { names } = yield* Place
    yield* send("XGROUP", "CREATE", names.stream, names.group, "0", "MKSTREAM")
    yield* send("XREADGROUP", "GROUP", names.group, "dead", "STREAMS", names.stream, ">")
    yield* send(
      ...["XCLAIM", names.stream, names.group, "dead", 0, id, "IDLE", 3_600_000] as const,
      ...["RETRYCOUNT", deliveries, "JUSTID"] as const
    )
  })

const poisonCases = (test: Test): void => {
  for (const expectation of expectations) {
    test(`row 3: an entry that was delivered too often; answer expected: ${expectation}`, () =>
      Effect.gen(function*() {
        const sent = yield* sendAction("ok", { expectation })
        yield* deliverOften(sent.id, 10)
        const { seen } = yield* startWorker({ maxDeliveries: 10 })
        yield* settled
        const letter = "dead poison POISON_ACTION"
        assert.deepStrictEqual(
          yield* effects(sent),
          expectation === "response" ? ["error POISON_ACTION", letter] : [letter]
        )
        assert.deepStrictEqual(seen.runs, [])
        assert.strictEqual((yield* deadLetters)[0]?.notes["deliveries"], "11")
        assert.deepStrictEqual(yield* leftovers, nothingLeft)
      }))
  }

  test("row 3 begins after maxDeliveries: the last delivery is run, alone", () =>
    Effect.gen(function*() {
      const sent = yield* sendAction("ok", { expectation: "response" })
      yield* deliverOften(sent.id, 9)
      const { seen } = yield* startWorker({ maxDeliveries: 10 })
      yield* settled
      assert.deepStrictEqual(yield* effects(sent), ["response {\"userId\":\"u1\"}"])
      assert.deepStrictEqual(seen.deliveries.map(({ attempt, deliveries }) => [attempt, deliveries]), [[1, 10]])
    }))

  test("row 3 comes before row 4: poison is a dead letter also past the deadline", () =>
    Effect.gen(function*() {
      const place = yield* Place
      const sent = yield* sendAction("ok", { expectation: "response", metadata: { timeout_ms: 1 } })
      yield* deliverOften(sent.id, 10)
      yield* place.pass("5 millis")
      yield* startWorker({ maxDeliveries: 10 })
      yield* settled
      assert.deepStrictEqual(yield* effects(sent), ["error POISON_ACTION", "dead poison POISON_ACTION"])
    }))

  test("row 2 comes before row 3: an entry that is not an action is malformed however often it was delivered", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const id = yield* send<string>("XADD", names.stream, "*", "data", "{")
      yield* deliverOften(id, 10)
      yield* startWorker({ maxDeliveries: 10 })
      yield* settled
      assert.deepStrictEqual((yield* deadLetters).map(({ notes }) => notes["reason"]), ["malformed"])
    }))
}

const expiredCases = (test: Test): void => {
  const past = { timeout_ms: 1 }

  test("row 4: a request past its deadline is neither run nor answered", () =>
    Effect.gen(function*() {
      const place = yield* Place
      const sent = yield* sendAction("ok", { expectation: "response", metadata: past })
      yield* place.pass("5 millis")
      const { seen } = yield* startWorker()
      yield* settled
      assert.deepStrictEqual(yield* effects(sent), [])
      assert.deepStrictEqual(seen.runs, [])
      assert.deepStrictEqual(yield* leftovers, nothingLeft)
    }))

  for (const expectation of ["none", "callback"] as const) {
    test(`row 4 is for requests alone: others are run, however late; answer expected: ${expectation}`, () =>
      Effect.gen(function*() {
        const place = yield* Place
        const sent = yield* sendAction("ok", { expectation, metadata: past })
        yield* place.pass("5 millis")
        const { seen } = yield* startWorker()
        yield* settled
        assert.deepStrictEqual(yield* effects(sent), created("u1")[expectation])
        assert.deepStrictEqual(seen.runs, ["ok 1"])
      }))
  }

  test("row 4 comes before row 5: a late request of an unknown type does not wait", () =>
    Effect.gen(function*() {
      const place = yield* Place
      const sent = yield* sendAction("", { expectation: "response", metadata: past, type: "user.nobody" })
      yield* place.pass("5 millis")
      yield* startWorker({ unknownFor: "1 hour" })
      yield* settled
      assert.deepStrictEqual(yield* effects(sent), [])
    }))

  test("row 11: a retry that would come after the deadline is answered at once", () =>
    Effect.gen(function*() {
      const { worker } = yield* startWorker()
      yield* worker.drain
      const sent = yield* sendAction("later", { expectation: "response", metadata: { timeout_ms: 600_000 } })
      let runs = 0
      yield* Worker.start({
        "user.create": () => {
          runs++
          return Effect.fail(new RetryLater({ after: "10 minutes" }))
        }
      }, quick)
      yield* settled
      assert.deepStrictEqual(yield* effects(sent), [`error ${execution}`, `dead exhausted ${execution}`])
      assert.strictEqual(runs, 1)
    }))

  test("a handler is interrupted at the deadline of its request", () =>
    Effect.gen(function*() {
      const { kind } = yield* Place
      const { seen } = yield* startWorker()
      // Long enough that a busy machine starts the handler in time.
      const metadata = { timeout_ms: kind === "memory" ? 60 : 1_500 }
      const sent = yield* sendAction("hang", { expectation: "response", metadata })
      yield* settled
      assert.deepStrictEqual(yield* effects(sent), ["error HANDLER_TIMEOUT", "dead exhausted HANDLER_TIMEOUT"])
      assert.deepStrictEqual(seen.interrupted, ["hang"])
    }))
}

const leaseCases = (test: Test): void => {
  for (const expectation of expectations) {
    test(`row 1: a handler that lost its entry is interrupted and writes nothing; answer expected: ${expectation}`, () =>
      Effect.gen(function*() {
        const { names } = yield* Place
        const { seen, worker } = yield* startWorker({ claimIdle: "1 second" })
        const sent = yield* sendAction("hang", { expectation })
        yield* eventually("the handler runs", Effect.sync(() => seen.runs.length === 1))
        yield* send("XCLAIM", names.stream, names.group, "thief", 0, sent.id, "IDLE", 0)
        // The thief renews, or else the entry would come back.
        yield* eventually(
          "it is interrupted",
          Effect.map(
            send("XCLAIM", names.stream, names.group, "thief", 0, sent.id, "JUSTID"),
            () => seen.interrupted.length === 1
          )
        )
        assert.deepStrictEqual((yield* pendingOf(names)).map(([id, consumer]) => [id, consumer]), [[sent.id, "thief"]])
        assert.deepStrictEqual(yield* effects(sent), [])
        assert.strictEqual((yield* worker.status).state, "running")
      }))
  }

  test("row 1 comes before row 7: a success that comes after the loss is not sent", () =>
    Effect.gen(function*() {
      const { logs, names } = yield* Place
      let finish: (() => void) | undefined
      yield* Worker.start({
        "user.create": () =>
          Effect.callback<object>((resume) => {
            finish = () => resume(Effect.succeed({ userId: "late" }))
          })
      }, { ...quick, claimIdle: "1 hour" })
      const sent = yield* sendAction("ok", { expectation: "response" })
      yield* eventually("the handler runs", Effect.sync(() => finish !== undefined))
      yield* send("XCLAIM", names.stream, names.group, "thief", 0, sent.id, "IDLE", 0)
      finish?.()
      yield* eventually("it is refused", Effect.sync(() => logs.some((line) => line.text.startsWith("Not settled"))))
      assert.deepStrictEqual(yield* effects(sent), [])
      assert.deepStrictEqual((yield* pendingOf(names)).map(([id, consumer]) => [id, consumer]), [[sent.id, "thief"]])
    }))
}

const shutdownCases = (test: Test): void => {
  for (const expectation of expectations) {
    test(`row 12: what a shutdown interrupts is given back, at no attempt; answer expected: ${expectation}`, () =>
      Effect.gen(function*() {
        const { names } = yield* Place
        const first = yield* startWorker({ maxAttempts: 1 })
        const sent = yield* sendAction("hang", { expectation })
        yield* eventually("the handler runs", Effect.sync(() => first.seen.runs.length === 1))
        yield* first.worker.drain
        assert.deepStrictEqual(first.seen.interrupted, ["hang"])
        assert.deepStrictEqual(
          (yield* pendingOf(names)).map(([id, consumer]) => [id, consumer]),
          [[sent.id, names.waitingConsumer]]
        )
        assert.deepStrictEqual(yield* effects(sent), [])
        const second = yield* startWorker({ claimIdle: "1 hour" })
        yield* eventually("the next worker runs it", Effect.sync(() => second.seen.runs.length === 1))
        assert.deepStrictEqual(second.seen.deliveries.map(({ attempt, deliveries }) => [attempt, deliveries]), [[1, 2]])
      }))
  }

  test("row 12: what was read and not started is given back, too", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const { seen, worker } = yield* startWorker({ concurrency: 1, readAhead: 5 })
      const sent = yield* Effect.forEach(["hang", "ok", "ok"], (does) => sendAction(does))
      yield* eventually(
        "all are delivered",
        Effect.map(pendingOf(names), (rows) => rows.length === 3 && seen.runs.length === 1)
      )
      yield* worker.drain
      assert.deepStrictEqual(seen.runs, ["hang 1"])
      assert.deepStrictEqual(
        (yield* pendingOf(names)).map(([id, consumer]) => [id, consumer]),
        sent.map(({ id }) => [id, names.waitingConsumer])
      )
      assert.strictEqual(yield* send("ZCARD", names.retryDue), 3)
    }))
}

const unknownCases = (test: Test): void => {
  test("row 5: a type without a handler is left to a worker that has one", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      yield* startWorker({ unknownFor: "1 hour" })
      const sent = yield* sendAction("", { expectation: "response", type: "user.future" })
      yield* eventually(
        "it waits",
        Effect.map(pendingOf(names), (rows) => rows[0]?.[1] === names.waitingConsumer)
      )
      let attempt = 0
      yield* Worker.start({
        "user.future": (_, delivery) =>
          Effect.sync(() => {
            attempt = delivery.attempt
            return { from: "the future" }
          })
      }, { ...quick, unknownFor: "1 hour" })
      yield* settled
      assert.deepStrictEqual(yield* effects(sent), ["response {\"from\":\"the future\"}"])
      assert.strictEqual(attempt, 1)
      assert.deepStrictEqual(yield* leftovers, nothingLeft)
    }))
}

const answerCases = (test: Test): void => {
  test("a response carries what the request was sent with, and expires", () =>
    Effect.gen(function*() {
      yield* startWorker({ responseTimeToLive: "90 seconds" })
      const sent = yield* sendAction("ok", { expectation: "response" })
      yield* settled
      const [answer] = yield* answersOf(sent)
      const { correlation_id, session_id, task_id, tenant_id, trace_id } = sent.action
      assert.deepInclude(answer, {
        success: true,
        status_code: 200,
        action_type: "user.create.response",
        correlation_id,
        session_id,
        task_id,
        tenant_id,
        trace_id,
        error: null
      })
      const ttl = yield* send<number>("PTTL", sent.list)
      assert.isTrue(ttl > 60_000 && ttl <= 90_000, String(ttl))
    }))

  test("a callback carries what the action was sent with, and stays for 30 days until it is taken", () =>
    Effect.gen(function*() {
      yield* startWorker()
      const sent = yield* sendAction("ok", { expectation: "callback" })
      yield* settled
      const [answer] = yield* answersOf(sent)
      const { correlation_id, session_id, task_id, tenant_id, trace_id } = sent.action
      assert.deepInclude(answer, {
        action_type: "client.created",
        origin_service: "user",
        correlation_id,
        session_id,
        task_id,
        tenant_id,
        trace_id,
        callback_queue_name: null,
        callback_action_type: null
      })
      const ttl = yield* send<number>("PTTL", sent.list)
      const days = 86_400_000
      assert.isTrue(ttl > 29 * days && ttl <= 30 * days, String(ttl))
    }))

  test("a dead letter says what happened, and keeps the entry", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const { worker } = yield* startWorker({ maxAttempts: 2 })
      const sent = yield* sendAction("die")
      const [, fields] = (yield* send<ReadonlyArray<readonly [string, ReadonlyArray<string>]>>(
        "XRANGE",
        names.stream,
        sent.id,
        sent.id
      ))[0] ?? []
      yield* settled
      const [letter] = yield* deadLetters
      assert.deepInclude(letter?.notes, {
        reason: "exhausted",
        error_type: "ProcessingError",
        error_code: execution,
        message: "no such table",
        action_id: sent.action.action_id,
        action_type: "user.create",
        attempts: "2",
        deliveries: "2",
        entry_id: sent.id,
        group: names.group
      })
      assert.include((yield* worker.status).consumers.map(({ name }) => name), letter?.notes["consumer"])
      if (fields !== undefined) assert.deepStrictEqual(letter?.original, fields)
    }))
}

onBothFromZero("a worker", (test) => {
  rowCases(test)
  poisonCases(test)
  expiredCases(test)
  leaseCases(test)
  shutdownCases(test)
  unknownCases(test)
  answerCases(test)
})
