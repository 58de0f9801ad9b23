/** examples/reminder.ts, in memory and on a server. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Processes from "../support/processes.ts"
import { layer as serverLayer, RedisServer } from "../support/redisServer.ts"

const expected = [
  "order 1 is placed, its reminder is Scheduled",
  "order 2 is placed, its reminder is Scheduled",
  "order 3 is placed, its reminder is Scheduled",
  "order 1 is placed, its reminder is Duplicate",
  "order 1 is paid, its reminder is cancelled",
  "order 3 has another second to pay",
  "order 2 is not paid yet",
  "order 3 is not paid yet",
  "order 2 is paid, after its reminder"
]

layer(serverLayer({ config: ["appendonly yes"] }), { excludeTestServices: true })(
  "the reminders of unpaid orders",
  (it) => {
    for (const where of ["in memory", "on a server"]) {
      it.effect(`are cancelled, postponed and sent ${where}`, () =>
        Effect.gen(function*() {
          const { url } = yield* RedisServer
          const env = { NO_COLOR: "1", REDIS_URL: where === "in memory" ? undefined : url }
          const program = yield* Processes.start("../../examples/reminder", { env })
          assert.deepStrictEqual(yield* program.ended(50_000), { status: 0, signal: null }, program.lines().join("\n"))
          assert.deepStrictEqual(program.lines().filter((line) => line.startsWith("order ")), expected)
        }), 120_000)
    }
  }
)
