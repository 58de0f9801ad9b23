/**
 * Looks at the schedule while workers run, and sends what was forgotten.
 *
 * `SERVICE_NAME=reports node examples/nightly-report/operate.ts`, or with two times to send the nights between them again:
 * `node examples/nightly-report/operate.ts 2026-01-01T00:00:00Z 2026-02-01T00:00:00Z`.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, DateTime, Effect, Layer } from "effect"
import { QueueNamingLayer, RedisLayer, Schedules, SettingsLayer } from "effect-redis-workers"
import { nightly } from "./contracts.ts"

const AppLayer = Schedules.layer.pipe(
  Layer.provide(Layer.mergeAll(RedisLayer, QueueNamingLayer)),
  Layer.provide(SettingsLayer)
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
