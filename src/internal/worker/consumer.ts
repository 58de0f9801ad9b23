/**
 * One consumer of the group: a runner, the settler of its decisions, and a reader, unless it gets only claimed entries.
 */
import * as Effect from "effect/Effect"
import * as Metrics from "../../Metrics.ts"
import type { WorkerError } from "../../WorkerError.ts"
import { uuid } from "../base/uuid.ts"
import { slotsOf } from "../redis/cluster.ts"
import { accepts } from "../redis/names.ts"
import { release } from "../scripts/lease.ts"
import { rerouteFor } from "../wire/outbound.ts"
import type { Decision, Written } from "./decision.ts"
import type { Host } from "./host.ts"
import * as intake from "./intake.ts"
import * as reader from "./reader.ts"
import * as runner from "./runner.ts"
import type { Policy, Subject } from "./settlementOf.ts"
import * as settler from "./settler.ts"

export interface Consumer {
  readonly name: string
  readonly runner: runner.Runner
  readonly settler: settler.Settler
  readonly reader: reader.Reader | undefined
  readonly intake: intake.Intake
  /** Releases everything pending under this consumer, according to Redis's own list, and removes the consumer. */
  readonly release: Effect.Effect<number, WorkerError>
}

export interface ConsumerOptions {
  readonly name: string
  readonly concurrency: number
  readonly readAhead: number
  readonly maxUnwritten: number
  /** Whether it reads new entries. */
  readonly reads: boolean
  readonly policyFor: (subject: Subject) => Policy
  readonly onStarved: () => void
  readonly onWritten: (decision: Decision, written: Written, consumer: string) => void
}

/** Entries released in one call. */
const releaseBatch = 200

const makeRunner = (host: Host, own: ConsumerOptions, decided: (decision: Decision) => void): runner.Runner => {
  const { clock, context, names, options, routes, server, signals, telemetry } = host
  return runner.make({
    ...own,
    maxHeldSize: options.memoryLimit,
    dispatch: {
      routes,
      limits: { maxBytes: options.payloadLimit, maxDepth: options.depthLimit },
      maxDeliveries: options.maxDeliveries,
      pausedTypes: host.pausing.types,
      errors: options.errors
    },
    handlerTimeout: options.handlerTimeout,
    // Its own lease, even while the group uses a longer one: that may be forgotten while this process is suspended.
    lease: options.claimIdle,
    onStale: () => {
      signals.renew.openUnsafe()
    },
    stream: names.stream,
    context,
    clock,
    server,
    decided,
    consumer: own.name,
    service: names.service,
    telemetry
  })
}

const makeSettler = (
  { clock, naming, names, options, redis, restoreGroup, signals, telemetry, trouble }: Host,
  consumer: string,
  onWritten: (decision: Decision, written: Written) => void
): settler.Settler => {
  let rerouted = false
  const reroute = rerouteFor(slotsOf(redis, names.stream), names.outbound, () => {
    rerouted = true
  })
  return settler.make({
    redis,
    names,
    consumer,
    retain: options.retain !== undefined,
    encode: {
      service: names.service,
      accepts: accepts(naming),
      responseTimeToLive: options.responseTimeToLive,
      payloadLimit: options.payloadLimit,
      now: () => clock.currentTimeMillisUnsafe(),
      uuid,
      reroute
    },
    trouble,
    telemetry,
    onWritten: reroute === undefined ? onWritten : (decision, written) => {
      // It is in the outbound stream now, so it can be forwarded at once.
      if (rerouted) signals.outbound.openUnsafe()
      rerouted = false
      onWritten(decision, written)
    },
    onLanes: (isDue, over) => {
      if (isDue) signals.due.openUnsafe()
      if (over > 0) telemetry.count(Metrics.parkedExpired, over)
    },
    restoreGroup
  })
}

const releasing = Effect.fnUntraced(function*({ names, redis }: Host, consumer: string) {
  const releaseSome = redis.eval(release.script)({ ...names, consumer, limit: releaseBatch })
  let released = 0
  while (true) {
    const result = yield* Effect.result(releaseSome)
    // Nothing can be released without a server. The entries stay pending, and others claim them once the lease is over.
    if (result._tag === "Failure") return released
    const some = Number(result.success)
    if (some === 0) return released
    released += some
  }
})

export const make = (host: Host, options: ConsumerOptions): Consumer => {
  const { name } = options
  const ownRunner = makeRunner(host, options, (decision) => ownSettler.offer(decision))
  const ownSettler = makeSettler(host, name, (decision, written) => {
    const wasTold = ownRunner.written(decision.entry)
    options.onWritten(decision, written === "dropped" && wasTold ? "ended" : written, name)
  })
  const ownIntake = intake.make(host, name, ownRunner)
  return {
    name,
    runner: ownRunner,
    settler: ownSettler,
    intake: ownIntake,
    reader: options.reads ? reader.make(host, name, ownRunner, ownIntake) : undefined,
    release: releasing(host, name)
  }
}
