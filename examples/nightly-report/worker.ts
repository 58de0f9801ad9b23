/**
 * Makes one report each night, however many of these processes run.
 *
 * `SERVICE_NAME=reports npm run example examples/nightly-report/worker.ts`. With `REPORT_CRON="* * * * * *"` each second
 * counts as a night.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as ActionGroup from "effect-redis-workers/ActionGroup"
import * as IoRedis from "effect-redis-workers/IoRedis"
import * as QueueNaming from "effect-redis-workers/QueueNaming"
import * as Settings from "effect-redis-workers/Settings"
import * as Worker from "effect-redis-workers/Worker"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { nightly, Report } from "./contracts.ts"

/** In a database this would be a table whose key is the day: a report that is made twice replaces itself. */
const reports = new Map<string, string>()

const handlers = ActionGroup.make(Report).handlers({
  "reports.daily": ({ region }, { scheduledFor }) =>
    Effect.gen(function*() {
      // The night that it is for, and not the time at which it runs. Only a report that a person sends has no slot.
      const slot = scheduledFor ?? (yield* DateTime.now)
      const night = DateTime.formatIsoZoned(DateTime.setZone(slot, DateTime.zoneMakeNamedUnsafe("Europe/Berlin")))
      reports.set(night, `${region}: all is well`)
      yield* Effect.log(`Made the report of ${night} for ${region}`)
    })
})

const AppLayer = Layer.mergeAll(IoRedis.layer, QueueNaming.layer).pipe(Layer.provideMerge(Settings.layer))

const program = Worker.run(handlers, { schedules: [nightly] }).pipe(Effect.provide(AppLayer))

NodeRuntime.runMain(program, { teardown: Worker.teardown })
