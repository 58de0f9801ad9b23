/** Actions that are due later, that may be over, and that were sent before. */
import { assert } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import { RetryLater } from "../../src/HandlerError.ts"
import type { Receipt } from "../../src/Receipt.ts"
import * as Worker from "../../src/Worker.ts"
import { entriesOf, eventually, onBoth, Place, send } from "../support/layers.ts"
import { entryIdOf } from "../support/receipts.ts"

const Remind = Action.make("user.remind", { payload: { to: Schema.String }, success: { sent: Schema.String } })
const Reminded = Action.make("user.reminded", { payload: { sent: Schema.String } })

const options = { block: "200 millis", shutdownGrace: 0 } satisfies Worker.WorkerOptions

/** A worker that notes whom it reminded. */
const start = Effect.fnUntraced(function*(change: Worker.WorkerOptions = {}) {
  const ran: Array<string> = []
  const worker = yield* Worker.start(
    ActionGroup.make(Remind, Reminded).handlers({
      "user.remind": ({ to }) =>
        Effect.sync(() => {
          ran.push(to)
          return { sent: to }
        }),
      "user.reminded": ({ sent }) =>
        Effect.sync(() => {
          ran.push(`reminded ${sent}`)
        })
    }),
    { ...options, ...change }
  )
  return { ran, worker }
})

/** The server's time in milliseconds. */
const serverTime = Effect.map(
  send<ReadonlyArray<string>>("TIME"),
  ([seconds, micros]) => Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000)
)

const atOf = (receipt: Receipt): number => {
  if (receipt._tag !== "Scheduled") return assert.fail(`The receipt is ${receipt._tag}, and not Scheduled`)
  return DateTime.toEpochMillis(receipt.at)
}

const parked = Effect.gen(function*() {
  const { names } = yield* Place
  const [entries, due] = yield* Effect.all([send("HLEN", names.parkedEntries), send("ZCARD", names.parkedDue)])
  assert.strictEqual(Number(entries), Number(due))
  return Number(entries)
})

const has = (ran: ReadonlyArray<string>, ...expected: ReadonlyArray<string>) =>
  eventually(
    `${expected.join(", ")} ran, and not ${ran.join(", ")}`,
    Effect.sync(() => ran.length >= expected.length)
  ).pipe(Effect.andThen(Effect.sync(() => assert.deepStrictEqual([...ran], [...expected]))))

onBoth("An action with a delay", (test, kind) => {
  test("is kept until it is due, and then runs once", () =>
    Effect.gen(function*() {
      const { names, pass } = yield* Place
      const { ran } = yield* start()
      const client = yield* ActionClient.make()
      const before = yield* serverTime
      const receipt = yield* client.send(Remind, { to: "ana" }, { delay: "1500 millis" })
      const at = atOf(receipt)
      assert.isAtLeast(at, before + 1_500)
      assert.isAtMost(at, (yield* serverTime) + 1_500)
      assert.lengthOf(yield* entriesOf(names.stream), 0)
      assert.strictEqual(yield* parked, 1)
      yield* pass("1 second")
      if ((yield* serverTime) < at) assert.lengthOf(ran, 0)
      yield* has(ran, "ana")
      assert.isAtLeast(yield* serverTime, at)
      assert.strictEqual(yield* parked, 0)
      yield* pass("3 seconds")
      assert.deepStrictEqual(ran, ["ana"])
    }))

  test("runs at the time of the option at, and at once if that is past", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const client = yield* ActionClient.make()
      const worker = yield* start()
      const now = yield* serverTime
      const at = DateTime.makeUnsafe(now + 700)
      assert.strictEqual(atOf(yield* client.send(Remind, { to: "soon" }, { at })), now + 700)
      const past = yield* client.send(Remind, { to: "past" }, { at: DateTime.makeUnsafe(now - 60_000) })
      assert.match(entryIdOf(past), /^\d+-\d+$/)
      yield* has(worker.ran, "past", "soon")
      assert.strictEqual(yield* parked, 0)
      yield* eventually("all is settled", Effect.map(entriesOf(names.stream), (rows) => rows.length === 0))
    }))

  test("is one of many, which keep their own ids and run together", () =>
    Effect.gen(function*() {
      const { ran } = yield* start()
      const client = yield* ActionClient.make({ chunkSize: 100 })
      const payloads = Array.from({ length: 250 }, (_, n) => ({ to: String(n) }))
      const receipts = yield* client.sendMany(Remind, payloads, {
        delay: "800 millis",
        actionIds: payloads.map(({ to }) => to)
      })
      assert.strictEqual(new Set(receipts.map(({ actionId }) => actionId)).size, 250)
      assert.isTrue(receipts.every(({ _tag }) => _tag === "Scheduled"))
      yield* eventually("all ran", Effect.sync(() => ran.length === 250))
      assert.sameMembers(ran, payloads.map(({ to }) => to))
    }))

  test("sends its answer as a callback", () =>
    Effect.gen(function*() {
      const { ran } = yield* start()
      const client = yield* ActionClient.make()
      yield* client.sendWithCallback(Remind, { to: "ana" }, { callback: Reminded, delay: "500 millis" })
      yield* has(ran, "ana", "reminded ana")
    }))

  test("that is parked already is a duplicate, and nothing is written", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      yield* start()
      const client = yield* ActionClient.make()
      const first = yield* client.send(Remind, { to: "a" }, { actionId: "order 1", delay: "1 hour" })
      const before = yield* send("HGETALL", names.parkedEntries)
      const second = yield* client.send(Remind, { to: "b" }, { actionId: "order 1", delay: "2 hours" })
      assert.deepInclude(second, { _tag: "Duplicate", first: { actionId: first.actionId } })
      assert.deepStrictEqual(yield* send("HGETALL", names.parkedEntries), before)
    }))

  test("is given another time, and runs then", () =>
    Effect.gen(function*() {
      const { ran } = yield* start()
      const client = yield* ActionClient.make()
      const receipt = yield* client.send(Remind, { to: "ana" }, { delay: "1 hour" })
      const now = yield* serverTime
      const later = yield* client.reschedule(receipt, { delay: "500 millis" })
      assert.isAtMost(atOf(later), now + 1_500)
      yield* has(ran, "ana")
      const gone = yield* Effect.flip(client.reschedule(receipt, { delay: "1 second" }))
      assert.strictEqual(gone._tag, "NotScheduled")
    }))

  test("is removed by its id, and never runs", () =>
    Effect.gen(function*() {
      const { pass } = yield* Place
      const { ran } = yield* start()
      const client = yield* ActionClient.make()
      const receipt = yield* client.send(Remind, { to: "ana" }, { delay: "500 millis" })
      yield* client.remove({ actionId: receipt.actionId.toUpperCase(), service: "user" })
      assert.strictEqual(yield* parked, 0)
      assert.strictEqual((yield* Effect.flip(client.remove(receipt)))._tag, "NotScheduled")
      yield* pass("1 second")
      yield* client.send(Remind, { to: "eva" })
      yield* has(ran, "eva")
    }))

  test("is refused while no worker understands it", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const client = yield* ActionClient.make()
      const error = yield* Effect.flip(client.send(Remind, { to: "ana" }, { delay: "1 second" }))
      assert.strictEqual(error._tag, "NotSupported")
      assert.include(error.message, "No worker of user supports \"parked\"")
      assert.strictEqual(Number(yield* send("EXISTS", names.parkedEntries, names.parkedDue)), 0)
      // A plain send needs nothing.
      assert.strictEqual((yield* client.send(Remind, { to: "ana" }))._tag, "Sent")
    }))

  test("enters the stream while all consumers are busy", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const Hang = Action.make("user.hang")
      yield* Worker.start(
        ActionGroup.make(Hang, Remind).handlers({
          "user.hang": () => Effect.never,
          "user.remind": ({ to }) => Effect.succeed({ sent: to })
        }),
        { ...options, concurrency: 1, readAhead: 0 }
      )
      const client = yield* ActionClient.make()
      yield* client.send(Hang, {})
      yield* eventually(
        "it runs",
        Effect.map(send("XPENDING", names.stream, names.group), (row) => Array.isArray(row) && Number(row[0]) === 1)
      )
      yield* client.send(Remind, { to: "ana" }, { delay: "300 millis" })
      yield* eventually("it is in the stream", Effect.map(entriesOf(names.stream), (rows) => rows.length === 2))
    }))

  test("that no longer fits its contract becomes a dead letter when it is due", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      yield* start()
      const client = yield* ActionClient.make()
      const Old = Action.make("user.remind", { payload: { address: Schema.String } })
      yield* client.send(Old, { address: "ana" }, { delay: "300 millis" })
      yield* eventually("it is a dead letter", Effect.map(entriesOf(names.deadLetters), (rows) => rows.length === 1))
    }))

  for (
    const [what, change, message] of [
      ["a negative delay", { delay: -1 }, /"delay" is -1 ms: expected a time from 0/],
      ["a delay that is not a number", { delay: Number.NaN }, /"delay" is NaN/],
      ["a delay of more than a year", { delay: "400 days" }, /"delay" is "400 days": expected a time from 0 to 366d/],
      [
        "an expiry before it is due",
        { delay: "1 hour", expiresIn: "1 minute" },
        /"expiresIn" is 1m, which is over before/
      ],
      ["a key without a character", { unique: { key: "", within: "1 hour" } }, /"unique.key" is ""/],
      ["two kinds of time", { delay: "1 hour", at: DateTime.makeUnsafe(0) }, /"at" is given together with "delay"/],
      ["a debounce with a delay", {
        delay: "1 hour",
        debounce: { key: "a", quiet: "1 second", maxWait: "1 second" }
      }, /"debounce" is given together with "delay"/],
      [
        "a time in another century",
        { at: DateTime.makeUnsafe("2999-01-01T00:00:00Z") },
        /"at" is 2999-01-01T00:00:00.000Z/
      ]
    ] satisfies ReadonlyArray<readonly [string, ActionClient.SendOptions, RegExp]>
  ) {
    test(`is refused with ${what}, before anything is sent`, () =>
      Effect.gen(function*() {
        const { names } = yield* Place
        const client = yield* ActionClient.make()
        const error = yield* Effect.flip(client.send(Remind, { to: "ana" }, change))
        assert.strictEqual(error._tag, "InvalidOption")
        assert.match(error._tag === "InvalidOption" ? error.message : "", message)
        assert.strictEqual(Number(yield* send("EXISTS", names.stream, names.parkedEntries)), 0)
      }))
  }

  test(
    kind === "memory" ? "is late by at most a second" : "is never early by the server's clock",
    () =>
      Effect.gen(function*() {
        const { names } = yield* Place
        const { ran } = yield* start()
        const client = yield* ActionClient.make()
        const at = atOf(yield* client.send(Remind, { to: "ana" }, { delay: "2 seconds" }))
        yield* has(ran, "ana")
        // The id of the entry is the server's time at which it went into the stream.
        const info = yield* send<ReadonlyArray<unknown>>("XINFO", "STREAM", names.stream)
        const entered = Number(String(info[info.indexOf("last-generated-id") + 1]).split("-")[0])
        assert.isAtLeast(entered, at)
        // Only the time of the test is exact: a machine may be slow.
        if (kind === "memory") assert.isAtMost(entered, at + 1_000)
      })
  )
})

onBoth("An action that expires", (test) => {
  test("is dropped when it has not started in time, and counted as expired", () =>
    Effect.gen(function*() {
      const { names, pass } = yield* Place
      const first = yield* start()
      yield* first.worker.pause
      const client = yield* ActionClient.make()
      yield* client.send(Remind, { to: "late" }, { expiresIn: "300 millis" })
      yield* client.send(Remind, { to: "parked" }, { delay: "200 millis", expiresIn: "300 millis" })
      yield* client.send(Remind, { to: "ana" }, { expiresIn: "1 hour" })
      yield* pass("500 millis")
      yield* first.worker.resume
      yield* has(first.ran, "ana")
      yield* eventually("all is settled", Effect.map(entriesOf(names.stream), (rows) => rows.length === 0))
      assert.strictEqual(yield* parked, 0)
      assert.lengthOf(yield* entriesOf(names.deadLetters), 0)
    }))

  test("runs again after a failure, though its time is over", () =>
    Effect.gen(function*() {
      const { pass } = yield* Place
      const attempts: Array<number> = []
      yield* Worker.start({
        "user.remind": (_, { attempt }) => {
          attempts.push(attempt)
          return attempt === 1 ? Effect.fail(new RetryLater({ after: "700 millis" })) : Effect.void
        }
      }, options)
      const client = yield* ActionClient.make()
      yield* client.send(Remind, { to: "ana" }, { expiresIn: "500 millis" })
      yield* eventually("it failed", Effect.sync(() => attempts.length === 1))
      yield* pass("700 millis")
      yield* eventually("it ran again", Effect.sync(() => attempts.length === 2))
    }))
})

onBoth("An action with a unique key", (test) => {
  test("is sent once within its time, and the receipt of another names the first", () =>
    Effect.gen(function*() {
      const { names, pass } = yield* Place
      yield* start()
      const client = yield* ActionClient.make()
      const unique = { key: "ana", within: "600 millis" } as const
      const first = yield* client.send(Remind, { to: "1" }, { unique })
      const second = yield* client.send(Remind, { to: "2" }, { unique })
      assert.deepInclude(second, {
        _tag: "Duplicate",
        first: { actionId: first.actionId, entryId: entryIdOf(first) }
      })
      const other = yield* client.send(Remind, { to: "3" }, { unique: { ...unique, key: "eva" } })
      assert.strictEqual(other._tag, "Sent")
      const otherType = yield* client.send(Reminded, { sent: "3" }, { unique })
      assert.strictEqual(otherType._tag, "Sent")
      yield* pass("700 millis")
      yield* eventually(
        "the key is free",
        Effect.map(
          client.send(Remind, { to: "4" }, { unique }),
          (receipt) => receipt._tag === "Sent"
        )
      )
      assert.strictEqual(Number(yield* send("EXISTS", names.parkedEntries)), 0)
    }))

  test("frees its key when it is removed before it is due", () =>
    Effect.gen(function*() {
      yield* start()
      const client = yield* ActionClient.make()
      const unique = { key: "ana", within: "1 hour" } as const
      const first = yield* client.send(Remind, { to: "1" }, { unique, delay: "1 hour" })
      assert.deepInclude(yield* client.send(Remind, { to: "2" }, { unique }), {
        _tag: "Duplicate",
        first: { actionId: first.actionId }
      })
      yield* client.remove(first)
      assert.strictEqual((yield* client.send(Remind, { to: "3" }, { unique }))._tag, "Sent")
    }))
})

onBoth("A debounced action", (test) => {
  test("runs once with the last payload, after things have been quiet", () =>
    Effect.gen(function*() {
      const { pass } = yield* Place
      const { ran } = yield* start()
      const client = yield* ActionClient.make()
      const debounce = { key: "ana", quiet: "700 millis", maxWait: "1 minute" } as const
      const times: Array<number> = []
      for (const to of ["1", "2", "3"]) {
        times.push(atOf(yield* client.send(Remind, { to }, { debounce })))
        yield* pass("100 millis")
      }
      assert.isAbove(times[2]!, times[0]!)
      yield* has(ran, "3")
      assert.strictEqual(yield* parked, 0)
    }))

  test("waits no longer than maxWait after the first", () =>
    Effect.gen(function*() {
      const { pass } = yield* Place
      yield* start()
      const client = yield* ActionClient.make()
      const debounce = { key: "ana", quiet: "20 seconds", maxWait: "30 seconds" } as const
      const first = yield* serverTime
      const one = atOf(yield* client.send(Remind, { to: "1" }, { debounce }))
      assert.isAtMost(one, (yield* serverTime) + 20_000)
      yield* pass("50 millis")
      const patient = { ...debounce, quiet: "1 hour" } as const
      const two = atOf(yield* client.send(Remind, { to: "2" }, { debounce: patient }))
      assert.isAtLeast(two, first + 30_000)
      assert.isAtMost(two, (yield* serverTime) + 30_000)
    }))
})
