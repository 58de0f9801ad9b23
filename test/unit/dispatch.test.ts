import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import type * as Scope from "effect/Scope"
import * as Action from "../../src/Action.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import type { Delivery } from "../../src/Delivery.ts"
import * as DomainAction from "../../src/DomainAction.ts"
import { Rejected, RetryLater } from "../../src/HandlerError.ts"
import type { Route } from "../../src/internal/contract/route.ts"
import * as entry from "../../src/internal/wire/entry.ts"
import {
  dispatch,
  type DispatchOptions,
  encodeSuccess,
  handle,
  outcomeOf,
  type Stop
} from "../../src/internal/worker/dispatch.ts"
import type { Outcome } from "../../src/internal/worker/settlementOf.ts"

// -----------------------------------------------------------------------------
// a group with one contract, and a handler without one
// -----------------------------------------------------------------------------

class EmailTaken extends Schema.TaggedError<EmailTaken>()("EmailTaken", { email: Schema.String }) {}
class Busy extends Schema.TaggedError<Busy>()("Busy", {}, Action.disposition("retryable")) {}

const Failed = Action.make("client.failed", {
  payload: {
    error_type: Schema.String,
    error_code: Schema.NullOr(Schema.String),
    message: Schema.String,
    details: Schema.Unknown
  }
})

const Create = Action.make("user.create", {
  payload: { email: Schema.String },
  success: { userId: Schema.String },
  error: Schema.Union([EmailTaken, Busy]),
  maxAttempts: 3,
  failureAction: Failed
})

type Result = Effect.Effect<{ readonly userId: string }, EmailTaken | Busy | RetryLater | Rejected>

const routesOf = (create: (payload: { readonly email: string }, delivery: Delivery) => Result) =>
  Effect.gen(function*() {
    const contracts = yield* ActionGroup.make(Create).handlers({ "user.create": create }).build
    const raw = yield* ActionGroup.fromRecord({ "user.raw": ({ data }) => Effect.succeed(data) }).build
    return new Map([...contracts, ...raw])
  })

const optionsOf = (change: Partial<DispatchOptions> = {}) =>
  Effect.map(routesOf(() => Effect.succeed({ userId: "1" })), (routes): DispatchOptions => ({
    routes,
    limits: DomainAction.defaultLimits,
    maxDeliveries: 10,
    errors: undefined,
    ...change
  }))

const now = 1_750_000_000_000

const actionOf = (change: Partial<DomainAction.Input> = {}): DomainAction.DomainAction =>
  DomainAction.make({
    action_id: "00000001-0000-4000-8000-000000000001",
    action_type: "user.create",
    timestamp: "2025-06-29T04:03:00.123456Z",
    data: { email: "a@b.c" },
    ...change
  })

/** An entry that was added a second ago. */
const entryOf = (
  change: Partial<DomainAction.Input> = {},
  delivered: { readonly deliveries?: number; readonly record?: Partial<entry.Entry["record"]> } = {}
): entry.Entry =>
  entry.make(`${now - 1_000}-0`, ["data", DomainAction.encode(actionOf(change))], delivered.deliveries ?? 1, {
    attempts: 0,
    outcomes: 0,
    unknownSince: 0,
    first: "",
    ...delivered.record
  })

const late = {
  callback_queue_name: "nooble4:dev:client:responses:user_create:1",
  metadata: { timeout_ms: 500 }
}

const dispatchEntry = (one: entry.Entry, options: DispatchOptions, at: number) =>
  dispatch(one, entry.decode(one, options.limits), options, at)

const decided = (one: entry.Entry, change: Partial<DispatchOptions> = {}) =>
  Effect.map(optionsOf(change), (options) => {
    const dispatched = dispatchEntry(one, options, now)
    return dispatched._tag === "Start" ? "Start" : dispatched.outcome._tag
  })

describe("dispatch", () => {
  describe("rows 2 to 5, from the top", () => {
    const malformed = entry.make("1-0", ["data", "{"], 99)
    const cases: ReadonlyArray<readonly [name: string, entry: entry.Entry, outcome: string]> = [
      ["an entry that is no action is malformed, however often it was delivered (2 before 3)", malformed, "Malformed"],
      ["an action that was delivered too often is poison", entryOf({}, { deliveries: 11 }), "Poison"],
      ["… also when nobody waits any more (3 before 4)", entryOf(late, { deliveries: 11 }), "Poison"],
      [
        "… also when no handler knows it (3 before 5)",
        entryOf({ action_type: "user.x" }, { deliveries: 11 }),
        "Poison"
      ],
      [
        "an action whose deliveries had outcomes is not poison",
        entryOf({}, { deliveries: 40, record: { outcomes: 30 } }),
        "Start"
      ],
      ["the last delivery allowed is run", entryOf({}, { deliveries: 10 }), "Start"],
      ["a request that nobody waits for any more is expired", entryOf(late), "Expired"],
      ["… also when no handler knows it (4 before 5)", entryOf({ ...late, action_type: "user.x" }), "Expired"],
      ["… also when its payload would be refused (4 before 6)", entryOf({ ...late, data: {} }), "Expired"],
      [
        "a request whose time is up this very moment is expired",
        entryOf({ ...late, metadata: { timeout_ms: 1_000 } }),
        "Expired"
      ],
      ["a request with time left is run", entryOf({ ...late, metadata: { timeout_ms: 1_001 } }), "Start"],
      ["a type without a handler is unknown", entryOf({ action_type: "user.x" }), "Unknown"],
      ["a type that is a name of every object is unknown", entryOf({ action_type: "user.constructor" }), "Unknown"]
    ]
    for (const [name, one, outcome] of cases) {
      it.effect(name, () => Effect.map(decided(one), (found) => assert.strictEqual(found, outcome)))
    }
  })

  it.effect("says when a type was first found unknown, which is now unless it is recorded", () =>
    Effect.gen(function*() {
      const options = yield* optionsOf()
      const since = (record: Partial<entry.Entry["record"]>) => {
        const dispatched = dispatchEntry(entryOf({ action_type: "user.x" }, { record }), options, now)
        return dispatched._tag === "Decided" && dispatched.outcome._tag === "Unknown"
          ? dispatched.outcome.since
          : undefined
      }
      assert.strictEqual(since({}), now)
      assert.strictEqual(since({ unknownSince: 17 }), 17)
    }))

  it.effect("gives the decision the attempts of the contract, and the answer to a failure", () =>
    Effect.gen(function*() {
      const options = yield* optionsOf()
      const { subject } = dispatchEntry(
        entryOf({ ...late, metadata: { timeout_ms: 5_000 } }, { record: { attempts: 1 } }),
        options,
        now
      )
      assert.deepInclude(subject, { attempt: 2, maxAttempts: 3, failureAction: "client.failed", deadline: now + 4_000 })
      const raw = dispatchEntry(entryOf({ action_type: "user.raw" }), options, now).subject
      assert.deepInclude(raw, { attempt: 1, maxAttempts: undefined, failureAction: undefined, deadline: undefined })
    }))
})

// -----------------------------------------------------------------------------
// what an exit means
// -----------------------------------------------------------------------------

const delivery: Delivery = {
  action: actionOf(),
  entryId: "1-0",
  fence: "",
  consumer: "me",
  scheduledFor: undefined,
  attempt: 1,
  deliveries: 1,
  remaining: Effect.succeed(Duration.infinity)
}

/** Decoding, handler and encoding, as the runner strings them together. */
const runRoute = (route: Route, action: DomainAction.DomainAction, to: Delivery) =>
  Effect.flatMap(handle(route, action, to), (success) => encodeSuccess(route, success))

type Word = "rejected" | "retryable"

/** Runs a handler of the contract and tells the outcome. */
const outcome = (
  handler: (payload: { readonly email: string }) => Result,
  options: {
    readonly data?: DomainAction.DomainAction["data"]
    readonly errors?: Action.DispositionOverrides
    readonly stop?: Stop
  } = {}
): Effect.Effect<Outcome, never, Scope.Scope> =>
  Effect.gen(function*() {
    const route = (yield* routesOf(handler)).get("user.create")!
    const action = actionOf(options.data === undefined ? {} : { data: options.data })
    const exit = yield* Effect.exit(runRoute(route, action, delivery))
    return outcomeOf(exit, options.stop, route, options.errors)
  })

const succeed = () => Effect.succeed({ userId: "1" })

describe("outcomeOf", () => {
  it.effect("is the encoded success", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* outcome(succeed), { _tag: "Succeeded", data: { userId: "1" } })
    }))

  it.effect("is the lost lease, whatever the exit (1 before all)", () =>
    Effect.gen(function*() {
      for (const handler of [succeed, () => Effect.fail(new Busy()), () => Effect.die("x"), () => Effect.interrupt]) {
        assert.deepStrictEqual(yield* outcome(handler, { stop: "lease" }), { _tag: "LeaseLost" })
      }
    }))

  it.effect("is the refusal of the payload, and the handler does not run (6)", () =>
    Effect.gen(function*() {
      let ran = false
      const found = yield* outcome(() => {
        ran = true
        return Effect.succeed({ userId: "1" })
      }, { data: { email: 1, other: true } })
      assert.strictEqual(found._tag, "Invalid")
      if (found._tag !== "Invalid") return
      assert.deepInclude(found.error, { error_type: "ValidationError", error_code: "VALIDATION_ERROR" })
      assert.include(JSON.stringify(found.error.details), "\"path\":[\"email\"]")
      assert.isFalse(ran)
    }))

  it.effect("is unencodable when the success is not what the contract says, and names no more than where (8)", () =>
    Effect.gen(function*() {
      // SAFETY: what a handler without types could give back.
      const found = yield* outcome(() => Effect.succeed({ userId: 1 as unknown as string }))
      assert.strictEqual(found._tag, "Unencodable")
      assert.match(found._tag === "Unencodable" ? found.message : "", /userId/)
    }))

  it.effect("is unencodable when a declared error is not what the contract says (8)", () =>
    Effect.gen(function*() {
      const broken = new EmailTaken({ email: "a" })
      Object.defineProperty(broken, "email", { value: 1 })
      assert.strictEqual((yield* outcome(() => Effect.fail(broken)))._tag, "Unencodable")
    }))

  it.effect("is unencodable when an encoder dies, at once or later: the work is done (8)", () =>
    Effect.gen(function*() {
      const dying = (before: Effect.Effect<void>) =>
        Schema.String.pipe(Schema.decodeTo(Schema.String, {
          decode: SchemaGetter.passthrough(),
          encode: SchemaGetter.transformEffect(() => Effect.andThen(before, Effect.die(new Error("broken encoder"))))
        }))
      class Odd
        extends Schema.TaggedError<Odd>()("Odd", { text: dying(Effect.void) }, Action.disposition("retryable"))
      {}
      const odd = (before: Effect.Effect<void>) =>
        Action.make("user.odd", { success: { text: dying(before) }, error: Odd })
      const cases = [
        [odd(Effect.void), Effect.succeed({ text: "a" })],
        [odd(Effect.yieldNow), Effect.succeed({ text: "a" })],
        [odd(Effect.void), Effect.fail(new Odd({ text: "a" }))]
      ] as const
      for (const [action, result] of cases) {
        const routes = yield* ActionGroup.make(action).handlers({ "user.odd": () => result }).build
        const route = routes.get("user.odd")!
        const exit = yield* Effect.exit(runRoute(route, actionOf({ action_type: "user.odd" }), delivery))
        const found = outcomeOf(exit, undefined, route, undefined)
        assert.strictEqual(found._tag, "Unencodable")
        assert.match(found._tag === "Unencodable" ? found.message : "", /cannot be encoded: broken encoder$/)
      }
    }))

  it.effect("describes a declared error by its message alone when its schema needs services or waits", () =>
    Effect.gen(function*() {
      const asking = (effect: Effect.Effect<string, never, Prefix>) =>
        Schema.String.pipe(Schema.decodeTo(Schema.String, {
          decode: SchemaGetter.passthrough(),
          encode: SchemaGetter.transformEffect(() => effect)
        }))
      for (const effect of [Prefix, Effect.promise(() => Promise.resolve("u"))]) {
        class Odd extends Schema.TaggedError<Odd>()("Odd", { text: asking(Effect.map(effect, String)) }) {}
        const Odder = Action.make("user.odd", { error: Odd })
        const routes = yield* ActionGroup.make(Odder).handlers({
          "user.odd": () => Effect.fail(new Odd({ text: "a" }))
        }).build
        const route = routes.get("user.odd")!
        const exit = yield* Effect.exit(runRoute(route, actionOf({ action_type: "user.odd" }), delivery))
        const found = outcomeOf(exit, undefined, route, undefined)
        assert.deepInclude(found._tag === "Failed" ? found.failure : {}, { disposition: "rejected" })
        assert.deepInclude(found._tag === "Failed" ? found.failure.detail : {}, { error_type: "Odd", details: null })
      }
    }).pipe(Effect.provideService(Prefix, "u")))

  it.effect("is the disposition of the error: its annotation, then the worker's word (9, 10)", () =>
    Effect.gen(function*() {
      const cases: ReadonlyArray<
        readonly [error: EmailTaken | Busy | RetryLater | Rejected, plain: Word, turned: Word]
      > = [
        [new EmailTaken({ email: "a" }), "rejected", "retryable"],
        [new Busy(), "retryable", "rejected"],
        [new RetryLater(), "retryable", "retryable"],
        [new RetryLater({ after: "1 second" }), "retryable", "retryable"],
        [new Rejected({ message: "no" }), "rejected", "rejected"]
      ]
      const errors = {
        EmailTaken: "retryable",
        Busy: "rejected",
        RetryLater: "rejected",
        Rejected: "retryable"
      } as const
      for (const [error, plain, turned] of cases) {
        for (const [expected, options] of [[plain, {}], [turned, { errors }]] as const) {
          const found = yield* outcome(() => Effect.fail(error), options)
          assert.strictEqual(found._tag === "Failed" && found.failure.disposition, expected, error._tag)
        }
      }
    }))

  it.effect("sends the caller a declared error as the contract encodes it", () =>
    Effect.gen(function*() {
      const found = yield* outcome(() => Effect.fail(new EmailTaken({ email: "a" })))
      assert.deepInclude(found._tag === "Failed" ? found.failure.detail : {}, {
        error_type: "EmailTaken",
        error_code: "ACTION_REJECTED",
        details: { _tag: "EmailTaken", email: "a" }
      })
    }))

  it.effect("keeps the time that RetryLater names", () =>
    Effect.gen(function*() {
      const found = yield* outcome(() => Effect.fail(new RetryLater({ after: "90 seconds" })))
      assert.strictEqual(found._tag === "Failed" && found.failure.after, 90_000)
    }))

  it.effect("is a failure to be run again for a defect and for a handler that throws", () =>
    Effect.gen(function*() {
      const handlers: ReadonlyArray<() => Result> = [
        () => Effect.die(new Error("broken")),
        () => {
          throw new Error("broken")
        }
      ]
      for (const handler of handlers) {
        const found = yield* outcome(handler)
        assert.deepInclude(found._tag === "Failed" ? found.failure : {}, { disposition: "retryable" })
        assert.strictEqual(found._tag === "Failed" && found.failure.detail.message, "broken")
      }
    }))

  it.effect("is what stopped an interrupted run: its time, or the shutdown (10, 12)", () =>
    Effect.gen(function*() {
      const interrupted = () => Effect.interrupt
      assert.strictEqual((yield* outcome(interrupted, { stop: "time" }))._tag, "TimedOut")
      assert.strictEqual((yield* outcome(interrupted, { stop: "shutdown" }))._tag, "Interrupted")
      // Given back at no attempt, it would run and interrupt itself for ever.
      assert.strictEqual((yield* outcome(interrupted))._tag, "Failed")
    }))

  it.effect("is what the handler made of it where it ended all the same, though it was to stop", () =>
    Effect.gen(function*() {
      for (const stop of ["time", "shutdown"] as const) {
        assert.strictEqual((yield* outcome(succeed, { stop }))._tag, "Succeeded")
        assert.strictEqual((yield* outcome(() => Effect.fail(new EmailTaken({ email: "a" })), { stop }))._tag, "Failed")
      }
    }))

  it.effect("takes a failure over an interruption that came with it, and a defect too", () =>
    Effect.gen(function*() {
      const route = (yield* routesOf(succeed)).get("user.create")!
      const both = (reason: Cause.Cause<unknown>) =>
        outcomeOf(Exit.failCause(Cause.combine(Cause.interrupt(), reason)), "shutdown", route, undefined)._tag
      assert.strictEqual(both(Cause.fail(new Busy())), "Failed")
      assert.strictEqual(both(Cause.die("x")), "Failed")
    }))

  it.effect("is a failure to be run again for an error of a handler without a contract, whatever it is", () =>
    Effect.gen(function*() {
      const routes = yield* ActionGroup.fromRecord({ "user.raw": ({ data }) => Effect.fail(data["error"]) }).build
      const route = routes.get("user.raw")!
      for (const error of ["text", null, 0, {}, { _tag: "EmailTaken", email: "a" }]) {
        const exit = yield* Effect.exit(
          runRoute(route, actionOf({ action_type: "user.raw", data: { error } }), delivery)
        )
        const found = outcomeOf(exit, undefined, route, { EmailTaken: "rejected" })
        assert.strictEqual(found._tag === "Failed" && found.failure.disposition, "retryable", JSON.stringify(error))
      }
    }))
})

// -----------------------------------------------------------------------------
// schemas that need more than a value
// -----------------------------------------------------------------------------

class Prefix extends Context.Service<Prefix, string>()("test/Prefix") {}

describe("a handler", () => {
  it.effect("closes what a handler opened before the outcome is known", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      const routes = yield* ActionGroup.make(Create).handlers({
        "user.create": () =>
          Effect.gen(function*() {
            yield* Effect.addFinalizer(() => Effect.sync(() => order.push("closed")))
            order.push("ran")
            return { userId: "1" }
          })
      }).build
      yield* runRoute(routes.get("user.create")!, actionOf(), delivery)
      order.push("over")
      assert.deepStrictEqual(order, ["ran", "closed", "over"])
    }))

  it.effect("runs a handler that needs services in the context of its worker", () =>
    Effect.gen(function*() {
      const routes = yield* ActionGroup.make(Create).handlers({
        "user.create": () => Effect.map(Prefix, (prefix) => ({ userId: `${prefix}1` }))
      }).build
      const exit = yield* Effect.exit(runRoute(routes.get("user.create")!, actionOf(), delivery))
      assert.deepStrictEqual(exit, Exit.succeed({ userId: "u1" }))
    }).pipe(Effect.provideService(Prefix, "u")))
})
