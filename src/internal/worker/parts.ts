/** All tasks of a worker besides messages, one line for each part. */
import * as Context from "effect/Context"
import { eventLoop } from "./eventLoop.ts"
import type { MakePart } from "./part.ts"
import { observing } from "./settled.ts"
import { callbacks } from "./upkeep/callbacks.ts"
import { deadLetterBounds } from "./upkeep/deadLetterBounds.ts"
import { due } from "./upkeep/due.ts"
import { features } from "./upkeep/features.ts"
import { lanes } from "./upkeep/lanes.ts"
import { leases } from "./upkeep/leases.ts"
import { outbound } from "./upkeep/outbound.ts"
import { recovery } from "./upkeep/recovery.ts"
import { retention } from "./upkeep/retention.ts"
import { sampler } from "./upkeep/sampler.ts"
import { schedules } from "./upkeep/schedules.ts"
import { serverTime } from "./upkeep/serverTime.ts"
import { statistics } from "./upkeep/statistics.ts"

export const parts: ReadonlyArray<MakePart> = [
  features,
  leases,
  lanes,
  due,
  recovery,
  schedules,
  retention,
  deadLetterBounds,
  callbacks,
  outbound,
  sampler,
  eventLoop,
  serverTime,
  statistics,
  observing
]

/** The parts of workers that start in a context. Tests add their own. */
export const Parts: Context.Reference<ReadonlyArray<MakePart>> = Context.Reference<ReadonlyArray<MakePart>>(
  "effect-redis-workers/internal/Parts",
  { defaultValue: () => parts }
)
