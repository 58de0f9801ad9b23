/** The state and services that all parts of a worker share. */
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Metrics from "../../Metrics.ts"
import type { QueueNamingShape } from "../../QueueNaming.ts"
import type { Redis } from "../../Redis.ts"
import type { Values } from "../../Settings.ts"
import type { WorkerOptions, WorkerStatus } from "../../Worker.ts"
import type { WorkerError } from "../../WorkerError.ts"
import { laneRule, makeRegistry } from "../contract/lane.ts"
import type { Route } from "../contract/route.ts"
import { ensureGroup } from "../redis/group.ts"
import type { Names } from "../redis/names.ts"
import { outageOf } from "../redis/outage.ts"
import * as serverClock from "../redis/serverClock.ts"
import { serviceNames } from "../redis/serviceNames.ts"
import * as trouble from "../redis/trouble.ts"
import * as arrivals from "./arrivals.ts"
import * as counting from "./counting.ts"
import { type Options, resolve } from "./options.ts"
import * as pausing from "./pausing.ts"
import { goneWarning } from "./report.ts"
import * as serverChecks from "./serverChecks.ts"
import * as settled from "./settled.ts"
import * as telemetry from "./telemetry.ts"

export interface HostInput extends Pick<Host, "redis" | "naming" | "routes" | "context" | "clock"> {
  readonly settings: Values
  readonly options: WorkerOptions
}

export interface Host {
  readonly redis: Redis["Service"]
  readonly naming: QueueNamingShape
  readonly names: Names
  readonly routes: ReadonlyMap<string, Route>
  /** The context of handlers, without scope and parent span. */
  readonly context: Context.Context<never>
  readonly clock: Clock.Clock
  readonly server: serverClock.ServerClock
  readonly options: Options
  /** Where the name of the service comes from. */
  readonly serviceFrom: string
  /** Open while entries may be taken. */
  readonly gate: Latch.Latch
  /** Open while entries may not be taken. */
  readonly paused: Latch.Latch
  readonly pausing: pausing.Pausing
  readonly trouble: trouble.Trouble
  readonly telemetry: telemetry.Telemetry
  /** `undefined` without the option `onSettled`. */
  readonly observing: settled.Observing | undefined
  /** `undefined` if the option `statistics` is off. */
  readonly counting: counting.Counting | undefined
  readonly arrivals: arrivals.Arrivals
  /** Creates the missing group again. */
  readonly restoreGroup: Effect.Effect<void, WorkerError>
  /** Called for entries that were deleted from the stream while they were pending. */
  readonly onGone: (ids: ReadonlyArray<string>) => Effect.Effect<void>
  /** Called with the newest id of the stream. */
  readonly sawId: (newestId: string) => Effect.Effect<void>
  readonly signals: Signals
  readonly vitals: Vitals
}

/** Requests of one part to another. */
export interface Signals {
  /** An entry cannot start before its lease is renewed. */
  readonly renew: Latch.Latch
  /** A retry was written, and its due time may be the earliest. */
  readonly due: Latch.Latch
  /** An answer for another slot was written. */
  readonly outbound: Latch.Latch
  /** Schedules are due. */
  readonly schedules: Latch.Latch
  /** Their names, as they were last seen. */
  dueSchedules: ReadonlyArray<string>
  /** An entry was left to a worker that knows its type. */
  yielded: boolean
}

/** Facts that parts record for the status of the worker. Times are in milliseconds by the clock of this process. */
export interface Vitals {
  readonly startedAt: number
  /** When held entries were last renewed. */
  lastRenewed: number
  /** The lanes of the contracts by name, as the last sample found them. */
  lanes: WorkerStatus["lanes"]
  /** The parked actions of the service, as the last sample found them. */
  parked: number
  /** When what is due was last taken. */
  lastDue: number
  /** The lease that the group uses, in milliseconds. */
  lease: number
  /** When a read of each consumer was last sent or returned. */
  readonly lastReads: Map<string, number>
  eventLoopDelay: () => number
  /** The schedules that this worker declares, and whether their stored form is this worker's. */
  readonly schedules: Map<string, boolean>
}

const restoring = ({ names, redis, telemetry, trouble: troubles }: Pick<
  Host,
  "names" | "redis" | "telemetry" | "trouble"
>) =>
  troubles.around(`creating the group ${names.group}`, ensureGroup(redis, names)).pipe(
    Effect.flatMap((found) => {
      if (found === "found") return Effect.void
      telemetry.count(Metrics.groupsRestored, 1)
      return Effect.logWarning(
        `The group ${names.group} of ${names.stream} was missing and has been created again: all actions in the stream are ` +
          "delivered again. Find out who deleted it, or whether the server lost data"
      )
    })
  )

export const make = Effect.fnUntraced(function*({ clock, context, naming, redis, routes, ...input }: HostInput) {
  const options = yield* resolve(input.options, input.settings)
  const names = yield* serviceNames(naming, options.service)
  const contradiction = makeRegistry()
  for (const [type, { action }] of routes) {
    const lane = action === undefined ? undefined : laneRule(action)
    const wrong = lane === undefined ? undefined : contradiction(names.service, type, lane)
    if (wrong !== undefined) return yield* wrong
  }
  const shared = {
    redis,
    names,
    trouble: trouble.make(options.service, outageOf(redis)),
    telemetry: telemetry.make({ names, context, clock, types: new Set(routes.keys()) })
  }
  yield* Effect.addFinalizer(() => Effect.sync(shared.trouble.forget))
  const startedAt = clock.currentTimeMillisUnsafe()
  const gate = Latch.makeUnsafe(true)
  const paused = Latch.makeUnsafe(false)
  const host: Host = {
    ...shared,
    naming,
    routes,
    context,
    clock,
    counting: options.statistics ? counting.make(routes.keys()) : undefined,
    observing: settled.make({ clock, context, names, options }),
    server: serverClock.make(redis, clock, names.stream),
    options,
    serviceFrom: input.options.service === undefined ? "SERVICE_NAME" : "the option service",
    gate,
    paused,
    pausing: pausing.make(gate, paused),
    arrivals: arrivals.make(),
    restoreGroup: restoring(shared),
    onGone: (ids) =>
      Effect.suspend(() => {
        shared.telemetry.count(Metrics.entriesLost, ids.length)
        return goneWarning(names, ids)
      }),
    sawId: serverChecks.watchIds(names.stream),
    signals: {
      renew: Latch.makeUnsafe(false),
      due: Latch.makeUnsafe(false),
      outbound: Latch.makeUnsafe(false),
      schedules: Latch.makeUnsafe(false),
      dueSchedules: [],
      yielded: false
    },
    vitals: {
      startedAt,
      lastRenewed: startedAt,
      lanes: [],
      parked: 0,
      lastDue: startedAt,
      lease: options.claimIdle,
      lastReads: new Map(),
      eventLoopDelay: () => 0,
      schedules: new Map()
    }
  }
  return host
})
