/** A worker with a schedule of one second, whose handler notes each slot and its entry in a list of the server. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Action from "../../src/Action.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import { Redis } from "../../src/Redis.ts"
import * as Schedules from "../../src/Schedules.ts"
import * as Worker from "../../src/Worker.ts"
import { AppLayer, say } from "../support/program.ts"

const Tick = Action.make("job.tick")

const handlers = Effect.map(Redis, (redis) =>
  ActionGroup.make(Tick).handlers({
    "job.tick": (_, { entryId, scheduledFor }) =>
      Effect.asVoid(Effect.orDie(
        redis.send(
          "RPUSH",
          `ticks:${process.env["SERVICE_NAME"]}`,
          `${scheduledFor === undefined ? "none" : DateTime.toEpochMillis(scheduledFor)} ${entryId}`
        )
      ))
  }))

const tick = Schedules.every("tick", { action: Tick, payload: {}, every: "1 second", missed: { all: "1 hour" } })

Effect.gen(function*() {
  yield* Worker.start(yield* handlers, { schedules: [tick], claimIdle: "2 seconds" })
  yield* say("started")
  return yield* Effect.never
}).pipe(Effect.scoped, Effect.provide(AppLayer), NodeRuntime.runMain)
