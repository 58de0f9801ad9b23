/** Schedules of workers in several processes that are killed. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { bound, started } from "../support/jobs.ts"
import * as Processes from "../support/processes.ts"
import * as Server from "../support/redisServer.ts"
import { until } from "../support/until.ts"

const second = 1_000

it.live(
  "a schedule fires each slot once although each of three worker processes is killed in turn",
  () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      const service = Server.uniquePrefix()
      const start = Effect.tap(
        Processes.start("scheduled", { env: { REDIS_URL: server.url, SERVICE_NAME: service } }),
        (worker) => worker.line(/started/, started)
      )
      const ticks = Effect.map(
        server.cli("LRANGE", `ticks:${service}`, "0", "-1"),
        (rows) => (Array.isArray(rows) ? rows : []).map((row) => String(row).split(" "))
      )
      const slots = Effect.map(ticks, (rows) => new Set(rows.map(([slot]) => Number(slot))))
      /** So many more slots have fired. */
      const goOn = Effect.fnUntraced(function*(count: number) {
        const before = (yield* slots).size
        yield* until(`${count} more slots`, Effect.map(slots, (now) => now.size >= before + count), 30_000)
      })

      const workers = [yield* start, yield* start, yield* start]
      yield* goOn(2)
      for (const worker of workers) {
        yield* worker.signal("SIGKILL")
        yield* worker.ended()
        yield* start
        yield* goOn(2)
      }

      const rows = yield* ticks
      const fired = [...yield* slots].sort((a, b) => a - b)
      assert.isAtLeast(fired.length, 8)
      // A killed process may have run a slot without settling it: then the same entry runs again, but no other is made.
      for (const slot of fired) {
        const entries = new Set(rows.filter(([at]) => Number(at) === slot).map(([, entry]) => entry))
        assert.strictEqual(entries.size, 1, `entries of the slot ${slot}`)
      }
      for (let n = 1; n < fired.length; n++) {
        assert.strictEqual(fired[n]! - fired[n - 1]!, second, "no slot is left out")
      }
    }).pipe(Effect.scoped),
  bound
)
