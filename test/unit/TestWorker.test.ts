import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import { RetryLater } from "../../src/HandlerError.ts"
import * as RecordedClient from "../../src/testing/RecordedClient.ts"
import * as TestWorker from "../../src/testing/TestWorker.ts"

class EmailTaken extends Schema.TaggedError<EmailTaken>()("EmailTaken", { email: Schema.String }) {}

const CreateUser = Action.make("user.create", {
  payload: { email: Schema.String, age: Schema.optionalKey(Schema.Int) },
  success: { userId: Schema.String },
  error: EmailTaken
})
const UserCreated = Action.make("signup.user_created", { payload: { userId: Schema.String } })
const Users = ActionGroup.make(CreateUser)

const ok = Users.handlers({ "user.create": ({ email }) => Effect.succeed({ userId: `id of ${email}` }) })

describe("TestWorker.deliver", () => {
  it.effect("returns settlement, answer, attempts and spans of an action that succeeds", () =>
    Effect.gen(function*() {
      const report = yield* TestWorker.deliver(ok, TestWorker.action(CreateUser, { email: "a" }))
      assert.strictEqual(report.settlement._tag, "Reply")
      assert.strictEqual(report.attempts, 1)
      assert.deepStrictEqual(Option.getOrThrow(report.response).data, { userId: "id of a" })
      assert.isTrue(Option.isNone(report.deadLetter))
      assert.include(report.spans.map((span) => span.name), "process user.create")
    }))

  it.effect("lets the backoff of a retry pass at once", () =>
    Effect.gen(function*() {
      const handlers = Users.handlers({
        "user.create": (_, { attempt }) =>
          attempt < 3 ? Effect.fail(new RetryLater({ after: "10 minutes" })) : Effect.succeed({ userId: "u" })
      })
      const report = yield* TestWorker.deliver(handlers, TestWorker.action(CreateUser, { email: "a" }))
      assert.deepStrictEqual(report.settlements.map(({ _tag }) => _tag), ["Retry", "Retry", "Reply"])
      assert.strictEqual(report.attempts, 3)
      assert.isAtLeast(Duration.toMinutes(report.elapsed), 20)
    }))

  it.effect("shows the dead letter of an action that is given up", () =>
    Effect.gen(function*() {
      const handlers = Users.handlers({ "user.create": () => Effect.die(new Error("a bug")) })
      const report = yield* TestWorker.deliver(
        handlers,
        TestWorker.action(CreateUser, { email: "a" }, { expects: "none" }),
        { maxAttempts: 2, retry: Schedule.spaced("1 minute") }
      )
      const letter = Option.getOrThrow(report.deadLetter)
      assert.strictEqual(letter.reason, "exhausted")
      assert.strictEqual(letter.message, "a bug")
      assert.strictEqual(report.attempts, 2)
    }))

  it.effect("shows the callback of an action that asks for one", () =>
    Effect.gen(function*() {
      const report = yield* TestWorker.deliver(
        ok,
        TestWorker.action(CreateUser, { email: "a" }, { expects: { callback: UserCreated } })
      )
      const callback = Option.getOrThrow(report.callback)
      assert.strictEqual(callback.action_type, "signup.user_created")
      assert.deepStrictEqual(callback.data, { userId: "id of a" })
    }))

  it.effect("says that a handler did not end within the limit", () =>
    Effect.gen(function*() {
      const handlers = Users.handlers({ "user.create": () => Effect.never })
      const error = yield* Effect.flip(
        TestWorker.deliver(handlers, TestWorker.action(CreateUser, { email: "a" }), { within: "1 minute" })
      )
      assert.strictEqual(error._tag, "NotSettled")
    }))

  it.effect("lets a handler that sleeps for an hour end at once", () =>
    Effect.gen(function*() {
      const handlers = Users.handlers({
        "user.create": () => Effect.as(Effect.sleep("50 minutes"), { userId: "u" })
      })
      const report = yield* TestWorker.deliver(handlers, TestWorker.action(CreateUser, { email: "a" }))
      assert.strictEqual(report.settlement._tag, "Reply")
    }))

  it.effect("gives handlers what the test provides", () => {
    class Ids extends Context.Service<Ids, { readonly next: Effect.Effect<string> }>()("test/Ids") {}
    const handlers = Users.handlers({
      "user.create": () => Effect.map(Ids.use((ids) => ids.next), (userId) => ({ userId }))
    })
    return Effect.gen(function*() {
      const report = yield* TestWorker.deliver(handlers, TestWorker.action(CreateUser, { email: "a" }))
      assert.deepStrictEqual(Option.getOrThrow(report.response).data, { userId: "7" })
    }).pipe(Effect.provideService(Ids, { next: Effect.succeed("7") }))
  })

  it.effect("takes actions drawn from the contract, the same for the same seed", () =>
    Effect.gen(function*() {
      const actions = yield* TestWorker.actions(CreateUser, { count: 5, seed: 1 })
      assert.deepStrictEqual(actions, yield* TestWorker.actions(CreateUser, { count: 5, seed: 1 }))
      for (const action of actions) {
        const report = yield* TestWorker.deliver(ok, action)
        assert.strictEqual(report.settlement._tag, "Reply")
      }
    }))
})

describe("TestWorker.assertIdempotent", () => {
  it.effect("passes a handler that does the same twice", () =>
    TestWorker.assertIdempotent(ok, TestWorker.action(CreateUser, { email: "a" })))

  it.effect("fails for a handler that answers differently the second time", () =>
    Effect.gen(function*() {
      const known = yield* Ref.make(new Set<string>())
      const handlers = Users.handlers({
        "user.create": Effect.fnUntraced(function*({ email }) {
          const emails = yield* Ref.get(known)
          if (emails.has(email)) return yield* new EmailTaken({ email })
          emails.add(email)
          return { userId: "u" }
        })
      })
      const error = yield* Effect.flip(
        TestWorker.assertIdempotent(handlers, TestWorker.action(CreateUser, { email: "a" }))
      )
      assert.strictEqual(error._tag, "NotIdempotent")
      assert.propertyVal(error, "what", "settlement")
    }))

  it.effect("fails for a handler whose effect adds up", () =>
    Effect.gen(function*() {
      const count = yield* Ref.make(0)
      const handlers = Users.handlers({
        "user.create": () => Effect.as(Ref.update(count, (n) => n + 1), { userId: "u" })
      })
      const error = yield* Effect.flip(
        TestWorker.assertIdempotent(handlers, TestWorker.action(CreateUser, { email: "a" }), { state: Ref.get(count) })
      )
      assert.propertyVal(error, "what", "state")
      assert.propertyVal(error, "first", 1)
      assert.propertyVal(error, "second", 2)
    }))
})

describe("RecordedClient", () => {
  it.live("keeps what was sent, and answers requests by the handlers of others", () =>
    Effect.gen(function*() {
      const client = yield* ActionClient.ActionClient
      const recorded = yield* RecordedClient.RecordedClient
      assert.deepStrictEqual(yield* client.request(CreateUser, { email: "a" }), { userId: "id of a" })
      yield* client.sendMany(UserCreated, [{ userId: "1" }, { userId: "2" }])
      assert.deepStrictEqual((yield* recorded.sentOf("user.create")).map(({ data }) => data), [{ email: "a" }])
      assert.deepStrictEqual((yield* recorded.sentOf("signup.user_created")).map(({ data }) => data), [
        { userId: "1" },
        { userId: "2" }
      ])
      yield* recorded.forget
      assert.deepStrictEqual(yield* recorded.sent, [])
    }).pipe(Effect.provide(RecordedClient.layer({ others: ok }))))
})
