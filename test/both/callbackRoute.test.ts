/**
 * Where a callback goes: to the service that its type names, which has a worker for it; and what of it stays.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as DomainAction from "../../src/DomainAction.ts"
import { actionStream, callbackInbox } from "../../src/internal/redis/names.ts"
import { QueueNaming } from "../../src/QueueNaming.ts"
import * as Worker from "../../src/Worker.ts"
import { entriesOf, eventually, onBoth, Place, send } from "../support/layers.ts"
import { quick, sendAction, settled } from "../support/world.ts"

const days = 86_400_000

const SendMail = Action.make("mail.send", { payload: { to: Schema.String }, success: { mailId: Schema.String } })
const MailSent = Action.make("order.mail_sent", { payload: { mailId: Schema.String } })

/** Where the action that was sent last wants its answer. */
const answerList = Effect.gen(function*() {
  const naming = yield* QueueNaming
  const [, fields] = (yield* entriesOf(actionStream(naming, "mail"))).at(-1) ?? []
  const action = DomainAction.parse(fields?.[1] ?? "")
  assert.strictEqual(action._tag, "Success")
  return action._tag === "Success" ? action.success.callback_queue_name : null
})

onBoth("a callback", (test) => {
  test("of another service's type is handled by a worker of that service, for every caller", () =>
    Effect.gen(function*() {
      const got: Array<string> = []
      yield* Worker.start(
        ActionGroup.make(SendMail).handlers({ "mail.send": ({ to }) => Effect.succeed({ mailId: `to ${to}` }) }),
        { ...quick, service: "mail" }
      )
      yield* Worker.start(
        ActionGroup.make(MailSent).handlers({
          "order.mail_sent": ({ mailId }) => Effect.sync(() => void got.push(mailId))
        }),
        { ...quick, service: "order" }
      )
      const client = yield* ActionClient.ActionClient
      // The client's own service is `user`, which has no worker.
      yield* client.sendWithCallback(SendMail, { to: "a" }, { callback: MailSent })
      yield* client.sendWithCallback(SendMail, { to: "b" }, { callback: { action: MailSent } })
      yield* client.sendWithCallback(SendMail, { to: "c" }, { callback: { action: MailSent, to: "stream" } })
      yield* eventually("all are handled", Effect.sync(() => got.length === 3))
      assert.sameMembers(got, ["to a", "to b", "to c"])
    }).pipe(Effect.provide(ActionClient.layer)))

  test("goes to the service that the caller names", () =>
    Effect.gen(function*() {
      const naming = yield* QueueNaming
      const client = yield* ActionClient.ActionClient
      const payload = { to: "a" }
      yield* client.sendWithCallback(SendMail, payload, { callback: { action: MailSent, service: "ops" } })
      assert.strictEqual(yield* answerList, callbackInbox(naming, "ops", "order.mail_sent"))
      yield* client.sendWithCallback(SendMail, payload, {
        callback: { action: MailSent, service: "ops", to: "stream" }
      })
      assert.strictEqual(yield* answerList, actionStream(naming, "ops"))
      // `service` of the call is where the action goes, not where its callback goes.
      yield* client.sendWithCallback(SendMail, payload, { callback: MailSent, service: "mail" })
      assert.strictEqual(yield* answerList, callbackInbox(naming, "order", "order.mail_sent"))
    }).pipe(Effect.provide(ActionClient.layer)))

  test("to a service that would break the name is refused, and nothing is sent", () =>
    Effect.gen(function*() {
      const naming = yield* QueueNaming
      const client = yield* ActionClient.ActionClient
      const call = client.sendWithCallback(SendMail, { to: "a" }, {
        callback: { action: MailSent, service: "order:streams" }
      })
      const exit = yield* Effect.exit(Effect.flip(call))
      assert.isTrue(Exit.isSuccess(exit))
      assert.instanceOf(Exit.isSuccess(exit) ? exit.value : undefined, ActionClient.InvalidOption)
      assert.deepStrictEqual(yield* entriesOf(actionStream(naming, "mail")), [])
    }).pipe(Effect.provide(ActionClient.layer)))

  test("gives its list 30 days more, and a forged request cannot make it expire sooner", () =>
    Effect.gen(function*() {
      const naming = yield* QueueNaming
      const { names } = yield* Place
      const list = callbackInbox(naming, "client", "client.created")
      const ttl = send<number>("PTTL", list)
      yield* send("LPUSH", list, "waits")
      yield* send("PEXPIRE", list, 1 * days)
      const callback = { expectation: "callback", list } as const
      yield* Worker.start({ "user.create": () => Effect.succeed({}) }, { ...quick, responseTimeToLive: "1 second" })
      yield* sendAction("", callback)
      yield* settled
      assert.isAbove(yield* ttl, 29 * days)
      yield* send("PEXPIRE", list, 60 * days)
      // A request, whose answer would let a response list live for a second.
      yield* sendAction("", { expectation: "response", list })
      yield* sendAction("", callback)
      yield* settled
      assert.isAbove(yield* ttl, 59 * days)
      yield* send("PERSIST", list)
      yield* sendAction("", { expectation: "response", list })
      yield* sendAction("", callback)
      yield* settled
      assert.strictEqual(yield* ttl, -1)
      assert.strictEqual(yield* send("LLEN", list), 6)
      assert.strictEqual(yield* send("XLEN", names.deadLetters), 0)
    }))
})
