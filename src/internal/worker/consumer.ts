/**
 * One consumer of the group: a runner, the settler of its decisions, and a reader unless it is fed by claims alone.
 */
import * as Effect from "effect/Effect"
import type { Redis } from "../../Redis.ts"
import type { WorkerError } from "../../WorkerError.ts"
import type { Names } from "../redis/names.ts"
import { release } from "../scripts/lease.ts"
import type { Arrivals } from "./arrivals.ts"
import type { Decision, Written } from "./decision.ts"
import * as intake from "./intake.ts"
import type { Intake, IntakeOptions } from "./intake.ts"
import * as reader from "./reader.ts"
import * as runner from "./runner.ts"
import * as settler from "./settler.ts"

export interface Consumer {
  readonly name: string
  readonly runner: runner.Runner
  readonly settler: settler.Settler
  readonly reader: reader.Reader | undefined
  readonly intake: Intake
  /** Gives back what is pending under this consumer, by Redis's own list, and removes the consumer. */
  readonly release: Effect.Effect<number, WorkerError>
}

export interface ConsumerOptions {
  readonly name: string
  readonly redis: Redis["Service"]
  readonly names: Names
  readonly runner: Omit<runner.RunnerOptions, "decided" | "consumer">
  readonly settler: Omit<settler.SettlerOptions, "redis" | "names" | "consumer" | "onWritten">
  readonly reader:
    | Omit<reader.ReaderOptions, "redis" | "names" | "consumer" | "clock" | "runner" | "intake" | "arrivals">
    | undefined
  readonly arrivals: Arrivals
  readonly gate: IntakeOptions["gate"]
  readonly onGone: IntakeOptions["onGone"]
  readonly onWritten: (decision: Decision, written: Written, consumer: string) => void
}

/** Entries given back in one call. */
const releaseBatch = 200

export const make = (options: ConsumerOptions): Consumer => {
  const { name, names, redis } = options
  const shared = { redis, names, consumer: name }
  const ownRunner = runner.make({
    ...options.runner,
    consumer: name,
    decided: (decision) => ownSettler.offer(decision)
  })
  const ownSettler = settler.make({
    ...options.settler,
    ...shared,
    onWritten: (decision, written) => {
      const wasTold = ownRunner.written(decision.entry)
      options.onWritten(decision, written === "dropped" && wasTold ? "ended" : written, name)
    }
  })
  const ownIntake = intake.make({
    ...shared,
    runner: ownRunner,
    arrivals: options.arrivals,
    gate: options.gate,
    trouble: options.settler.trouble,
    maxDeliveries: options.runner.dispatch.maxDeliveries,
    clock: options.runner.clock,
    server: options.runner.server,
    payloadLimit: options.runner.dispatch.limits.maxBytes,
    onGone: options.onGone
  })
  const releaseSome = redis.eval(release.script)({
    stream: names.stream,
    retryDue: names.retryDue,
    retryRecords: names.retryRecords,
    group: names.group,
    consumer: name,
    waitingConsumer: names.waitingConsumer,
    limit: releaseBatch
  })
  return {
    name,
    runner: ownRunner,
    settler: ownSettler,
    intake: ownIntake,
    reader: options.reader === undefined
      ? undefined
      : reader.make({
        ...options.reader,
        ...shared,
        clock: options.runner.clock,
        runner: ownRunner,
        intake: ownIntake,
        arrivals: options.arrivals
      }),
    release: Effect.gen(function*() {
      let released = 0
      while (true) {
        const result = yield* Effect.result(releaseSome)
        // Without a server nothing can be given back: it stays pending, and others take it once its lease is over.
        if (result._tag === "Failure") return released
        const some = Number(result.success)
        if (some === 0) return released
        released += some
      }
    })
  }
}
