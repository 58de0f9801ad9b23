/** A service with many parked actions that are due at once. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Trouble from "./troubleWorld.ts"
import { until } from "./until.ts"

const keysOf = (count: number) => Array.from({ length: count }, (_, index) => `key-${index}`)

/** A service whose workers have all ended, with so many parked actions that are due. */
export const withDue = Effect.fnUntraced(function*(count: number) {
  const world = yield* Trouble.make()
  const first = yield* world.startWorker()
  yield* first.stop
  const client = yield* world.startClient()
  const keys = keysOf(count)
  const receipts = yield* client.sendMany(Trouble.Do, keys.map((key) => ({ key })), { delay: "1 second" })
  assert.isTrue(receipts.every(({ _tag }) => _tag === "Scheduled"))
  const { names, server } = world
  assert.strictEqual(yield* server.cli("ZCARD", names.parkedDue), count)
  yield* until(
    "all are due",
    Effect.gen(function*() {
      const [seconds] = (yield* server.cli("TIME")) as [string]
      const due = yield* server.cli("ZCOUNT", names.parkedDue, "-inf", `${seconds}000`)
      return due === count
    })
  )
  return { client, keys, world }
})
