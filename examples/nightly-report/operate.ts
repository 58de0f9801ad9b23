/**
 * Shows the schedule while workers run, and sends the reports of past nights again.
 *
 * `SERVICE_NAME=reports npm run example examples/nightly-report/operate.ts`. Add two times to send the nights between them
 * again: `… operate.ts 2026-01-01T00:00:00Z 2026-02-01T00:00:00Z`.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as IoRedis from "effect-redis-workers/IoRedis"
import * as QueueNaming from "effect-redis-workers/QueueNaming"
import * as Schedules from "effect-redis-workers/Schedules"
import * as Settings from "effect-redis-workers/Settings"
import * as Console from "effect/Console"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { nightly } from "./contracts.ts"

const AppLayer = Schedules.layer.pipe(
  Layer.provide(Layer.mergeAll(IoRedis.layer, QueueNaming.layer)),
  Layer.provide(Settings.layer)
)

const program = Effect.gen(function*() {
  const schedules = yield* Schedules.Schedules
  for (const { fired, name, origin, recurrence } of yield* schedules.list) {
    yield* Console.log(`${name} (${origin}): ${recurrence}, sent ${fired} times`)
  }
  for (const slot of yield* schedules.next(nightly.name, 3)) yield* Console.log(`next: ${DateTime.formatIso(slot)}`)

  const [from, until] = process.argv.slice(2).map((text) => DateTime.makeUnsafe(text))
  if (from !== undefined && until !== undefined) {
    const sent = yield* schedules.backfill(nightly.name, { from, until })
    yield* Console.log(`sent ${sent.length} again`)
  }
})

NodeRuntime.runMain(program.pipe(Effect.provide(AppLayer)))
