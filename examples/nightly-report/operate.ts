/**
 * Looks at the schedule while workers run, and sends what was forgotten.
 *
 * `SERVICE_NAME=reports node examples/nightly-report/operate.ts`, or with two times to send the nights between them again:
 * `node examples/nightly-report/operate.ts 2026-01-01T00:00:00Z 2026-02-01T00:00:00Z`.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Schedules from "../../src/Schedules.ts"
import * as Settings from "../../src/Settings.ts"
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
