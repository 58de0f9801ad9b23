/** The inspector shows what is in Redis for a service, and changes only what does not run. */
import { assert } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import { RetryLater } from "../../src/HandlerError.ts"
import * as Inspector from "../../src/Inspector.ts"
import * as Worker from "../../src/Worker.ts"
import { entriesOf, eventually, onBoth, pendingOf, Place, send } from "../support/layers.ts"

const Charge = Action.make("user.charge", { payload: { card: Schema.Redacted(Schema.String), cents: Schema.Int } })
const Greet = Action.make("user.greet", { payload: { name: Schema.String } })
const Actions = ActionGroup.make(Charge, Greet)

const inspecting = Inspector.make()

const client = ActionClient.make()

/** A worker that does what the name says. */
const start = (options: Worker.WorkerOptions = {}) =>
  Effect.gen(function*() {
    const ran: Array<string> = []
    const go = yield* Deferred.make<void>()
    const worker = yield* Worker.start(
      Actions.handlers({
        "user.charge": () => Effect.sync(() => void ran.push("charge")),
        "user.greet": ({ name }) => {
          ran.push(name)
          if (name === "held") return Deferred.await(go)
          return name === "fails"
            ? Effect.fail(new RetryLater({ after: "1 hour", cause: new Error("the provider is down") }))
            : Effect.void
        }
      }),
      { block: "200 millis", shutdownGrace: 0, ...options }
    )
    return { go, ran, worker }
  })

onBoth("An inspector", (test) => {
  test("lists actions in each state, with why they wait", () =>
    Effect.gen(function*() {
      const inspector = yield* inspecting
      const { send } = yield* client
      const { go, ran, worker } = yield* start({ concurrency: 2, readAhead: 0 })
      yield* send(Greet, { name: "fails" })
      yield* send(Greet, { name: "held" })
      yield* eventually("one waits", Effect.map(inspector.overview("user"), ({ retrying }) => retrying === 1))
      yield* eventually("one runs", Effect.map(inspector.overview("user"), ({ running }) => running === 1))
      yield* worker.pause
      yield* send(Greet, { name: "later" }, { delay: "1 hour" })

      const [running] = (yield* inspector.list("user", "running")).entries
      assert.strictEqual(running?.actionType, "user.greet")
      assert.match(running?.consumer ?? "", /^user-worker-/)
      const [retrying] = (yield* inspector.list("user", "retrying", { payload: true })).entries
      assert.deepStrictEqual(retrying?.lastError, { type: "Error", message: "the provider is down" })
      assert.strictEqual(retrying?.attempts, 1)
      assert.include(retrying?.payload?.text ?? "", "fails")
      const [scheduled] = (yield* inspector.list("user", "scheduled")).entries
      assert.strictEqual(scheduled?.actionType, "user.greet")
      assert.isUndefined(scheduled?.payload)
      const overview = yield* inspector.overview("user")
      assert.deepStrictEqual(
        [overview.length, overview.pending, overview.scheduled, overview.deadLetters],
        [2, 2, 1, 0]
      )
      assert.sameMembers([...ran], ["fails", "held"])
      yield* Deferred.succeed(go, undefined)
    }))

  test("pages through what waits, and returns every entry once", () =>
    Effect.gen(function*() {
      const inspector = yield* inspecting
      const { sendMany } = yield* client
      yield* sendMany(Greet, Array.from({ length: 45 }, (_, i) => ({ name: `n${i}` })))
      const seen: Array<string> = []
      let cursor: string | undefined
      do {
        const page: Inspector.Page<Inspector.WaitingEntry> = yield* inspector.list("user", "waiting", {
          limit: 10,
          cursor
        })
        for (const { entryId } of page.entries) seen.push(entryId)
        cursor = page.cursor
      } while (cursor !== undefined)
      const { names } = yield* Place
      assert.deepStrictEqual(seen, (yield* entriesOf(names.stream)).map(([id]) => id))
    }))

  test("pages through parked actions that are due at the same time", () =>
    Effect.gen(function*() {
      const inspector = yield* inspecting
      const { names } = yield* Place
      yield* send("HSET", names.features, "parked", "1", "unique", "1")
      const { sendMany } = yield* client
      yield* sendMany(Greet, Array.from({ length: 25 }, (_, i) => ({ name: `n${i}` })), { delay: "1 hour" })
      const first = yield* inspector.list("user", "scheduled", { limit: 20 })
      const second = yield* inspector.list("user", "scheduled", { limit: 20, cursor: first.cursor })
      assert.strictEqual(second.cursor, undefined)
      assert.strictEqual(new Set([...first.entries, ...second.entries].map(({ parkingId }) => parkingId)).size, 25)
    }))

  test("hides redacted fields of payloads, and withholds a payload that does not fit", () =>
    Effect.gen(function*() {
      const inspector = yield* Inspector.make({ contracts: Actions })
      const { send: sendAction } = yield* client
      const { names } = yield* Place
      yield* sendAction(Charge, { card: Redacted.make("4111"), cents: 5 })
      const [row] = yield* entriesOf(names.stream)
      const text = row?.[1][1] ?? ""
      yield* send("XADD", names.stream, "*", "data", text.replace("\"cents\":5", "\"cents\":\"five\""))
      const [good, bad] = (yield* inspector.list("user", "waiting", { payload: true })).entries
      assert.deepStrictEqual(good?.verdict, { fits: true, issue: undefined })
      assert.notInclude(JSON.stringify(good), "4111")
      assert.include(good?.payload?.text ?? "", "\"cents\":5")
      assert.strictEqual(bad?.verdict?.fits, false)
      assert.notInclude(JSON.stringify(bad), "4111")
      assert.isString(bad?.payload?.withheld)
    }))

  test("cancels what is parked, waits or retries, and says of what runs that it runs", () =>
    Effect.gen(function*() {
      const inspector = yield* inspecting
      const { send } = yield* client
      const { names } = yield* Place
      const { go, worker } = yield* start({ concurrency: 2, readAhead: 0 })
      const parked = yield* send(Greet, { name: "later" }, { delay: "1 hour" })
      const failing = yield* send(Greet, { name: "fails" })
      const held = yield* send(Greet, { name: "held" })
      yield* eventually("one waits", Effect.map(inspector.overview("user"), ({ retrying }) => retrying === 1))
      yield* eventually("one runs", Effect.map(inspector.overview("user"), ({ running }) => running === 1))
      assert.strictEqual((yield* inspector.find(failing)).entry?.state, "retrying")
      assert.strictEqual((yield* inspector.find({ service: "user", actionId: held.actionId })).entry?.state, "running")
      assert.strictEqual((yield* inspector.cancel(parked)).from, "scheduled")
      assert.strictEqual((yield* inspector.cancel(failing)).from, "retrying")
      assert.strictEqual((yield* Effect.flip(inspector.cancel(held)))._tag, "Running")
      assert.strictEqual((yield* Effect.flip(inspector.cancel(parked)))._tag, "ActionNotFound")
      yield* Deferred.succeed(go, undefined)
      yield* eventually("all ended", Effect.map(pendingOf(names), (rows) => rows.length === 0))
      assert.strictEqual((yield* Effect.flip(inspector.cancel(held)))._tag, "ActionNotFound")
      yield* worker.drain
      const waiting = yield* send(Greet, { name: "never" })
      assert.strictEqual((yield* inspector.cancel(waiting)).from, "waiting")
      assert.deepStrictEqual(yield* entriesOf(names.stream), [])
    }))

  test("makes a retry due at once, and buries what waits so that it can be replayed", () =>
    Effect.gen(function*() {
      const inspector = yield* inspecting
      const { send } = yield* client
      const { ran } = yield* start()
      const failing = yield* send(Greet, { name: "fails" })
      yield* eventually("it waits", Effect.map(inspector.overview("user"), ({ retrying }) => retrying === 1))
      yield* inspector.retryNow(failing)
      yield* eventually("it ran again", Effect.sync(() => ran.length === 2))
      yield* eventually("it waits again", Effect.map(inspector.overview("user"), ({ running }) => running === 0))
      const letter = yield* inspector.bury(failing, { reason: "wrong customer" })
      const { entries: [dead] } = yield* inspector.list("user", "dead")
      assert.deepStrictEqual(
        [dead?.letter.id, dead?.letter.errorType, dead?.letter.message, dead?.letter.attempts],
        [letter, "Buried", "wrong customer", 2]
      )
      assert.strictEqual((yield* inspector.find(failing)).entry?.state, "dead")
      yield* inspector.replay("user", letter)
      yield* eventually("it ran again", Effect.sync(() => ran.length === 3))
    }))

  test("removes everything that matches, and nothing in a dry run", () =>
    Effect.gen(function*() {
      const inspector = yield* inspecting
      const { sendMany } = yield* client
      const { names } = yield* Place
      yield* sendMany(Greet, Array.from({ length: 450 }, () => ({ name: "a" })))
      yield* sendMany(Charge, [{ card: Redacted.make("1"), cents: 1 }])
      const filter = { state: "waiting", actionType: "user.greet" } as const
      assert.deepStrictEqual(
        yield* inspector.purge("user", filter, { dryRun: true }),
        { looked: 451, matched: 450, removed: 0, left: 0, complete: true }
      )
      assert.strictEqual((yield* inspector.purge("user", filter)).removed, 450)
      assert.strictEqual((yield* entriesOf(names.stream)).length, 1)
    }))

  test("suggests the names that are most like a service that does not exist", () =>
    Effect.gen(function*() {
      const inspector = yield* Inspector.make({ services: ["user", "payment", "mail"] })
      const error = yield* Effect.flip(inspector.overview("paymnt"))
      assert.strictEqual(error._tag, "ServiceNotFound")
      assert.include(error.message, "Did you mean \"payment\"?")
      assert.strictEqual((yield* Effect.flip(inspector.pause("paymnt")))._tag, "ServiceNotFound")
    }))

  test("refuses the receipt of another environment", () =>
    Effect.gen(function*() {
      const inspector = yield* inspecting
      const { send } = yield* client
      const receipt = yield* send(Greet, { name: "a" })
      const other = { ...receipt, stream: "nooble4:other:user:streams:main" }
      assert.strictEqual((yield* Effect.flip(inspector.cancel(other)))._tag, "OtherEnvironment")
    }))
})
