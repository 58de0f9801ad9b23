/** Answers for another slot that no worker could forward. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as DeadLetter from "../../src/DeadLetter.ts"
import * as DomainAction from "../../src/DomainAction.ts"
import { callbackInbox } from "../../src/internal/redis/names.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Worker from "../../src/Worker.ts"
import { eventually, onServer, Place, send } from "../support/layers.ts"

const uuid = "00000000-0000-4000-8000-000000000001"

onServer("DeadLetter redelivers", (test) => {
  test("an answer whose key in another slot held something else, once that is gone, and is done with the letter", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const naming = yield* QueueNaming.QueueNaming
      const deadLetters = yield* DeadLetter.make()
      const list = callbackInbox(naming, "shop", "shop.done")
      yield* Worker.start({ "user.create": () => Effect.succeed({ userId: "u1" }) })
      yield* send("SET", list, "in the way")
      const text = DomainAction.encode(DomainAction.make({
        action_id: uuid,
        action_type: "user.create",
        timestamp: "2025-06-29T04:03:00.123456Z",
        callback_queue_name: list,
        callback_action_type: "shop.done",
        data: {}
      }))
      yield* send("XADD", names.stream, "*", "data", text)
      yield* eventually("the letter is there", Effect.map(deadLetters.count(), (count) => count === 1))
      const { letters: [letter] } = yield* deadLetters.list({ reason: "undeliverable" })
      assert.deepInclude(letter, { reason: "undeliverable", hasAnswer: true, fields: 0 })
      assert.strictEqual((yield* Effect.flip(deadLetters.replay(letter!.id)))._tag, "NotReplayable")

      yield* send("DEL", list)
      assert.deepStrictEqual(yield* deadLetters.redeliver(letter!.id), { letter: undefined })
      yield* eventually("the answer is there", Effect.map(send<number>("LLEN", list), (count) => count === 1))
      const [answer] = yield* send<ReadonlyArray<string>>("LRANGE", list, 0, -1)
      assert.include(answer, "u1")
      assert.strictEqual(yield* deadLetters.count(), 0)
    }))

  test("nothing to an address that the naming does not accept", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const deadLetters = yield* DeadLetter.make()
      const address = JSON.stringify(["list", "elsewhere", 0, true, ""])
      const notes = { reason: "undeliverable", answer: "{}", address, entry_id: "1-1", fields: 0 }
      const id = yield* send<string>("XADD", names.deadLetters, "*", ...Object.entries(notes).flat())
      assert.strictEqual((yield* Effect.flip(deadLetters.redeliver(id)))._tag, "NotDeliverable")
      assert.strictEqual(yield* deadLetters.count(), 1)
    }))
})
