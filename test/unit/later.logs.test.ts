/** What a worker says of parked actions. */
import { assert } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as Worker from "../../src/Worker.ts"
import { eventually, inMemory, Place } from "../support/layers.ts"

const Remind = Action.make("user.remind")

const start = Worker.start(ActionGroup.make(Remind).handlers({ "user.remind": () => Effect.void }), {
  block: "200 millis",
  shutdownGrace: 0
})

inMemory("A worker", (test) => {
  test("logs once how late a backlog of parked actions was, and how many were dropped", () =>
    Effect.gen(function*() {
      const { logs, pass } = yield* Place
      const scope = yield* Scope.make()
      yield* Scope.provide(start, scope)
      yield* Scope.close(scope, Exit.void)
      const { sendMany } = yield* ActionClient.make()
      const payloads = Array.from({ length: 250 }, () => ({}))
      yield* sendMany(Remind, payloads, { delay: "1 second" })
      yield* sendMany(Remind, payloads.slice(0, 7), { delay: "2 seconds", expiresIn: "5 seconds" })
      yield* pass("20 seconds")
      const worker = yield* start
      const said = (level: string) =>
        logs.filter((line) => line.level === level && line.text.includes("parked actions"))
      yield* eventually("both are logged", Effect.sync(() => said("Warn").length > 0 && said("Info").length > 0))
      yield* pass("5 seconds")
      assert.deepStrictEqual([...said("Warn"), ...said("Info")].map(({ text }) => text), [
        "250 parked actions of user were up to 19 s late: no worker of version 0.2 ran, or the server refused them",
        "Dropped 7 parked actions of user: they expired before they were due"
      ])
      const { lastDue, startedAt } = yield* worker.status
      assert.isAbove(DateTime.toEpochMillis(lastDue), DateTime.toEpochMillis(startedAt) + 3_000)
    }))
})
