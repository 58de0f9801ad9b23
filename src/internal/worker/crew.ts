/** The consumers of a worker: the readers, and one that runs suspected killers one at a time. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Metrics from "../../Metrics.ts"
import type { WorkerError } from "../../WorkerError.ts"
import { uuid } from "../base/uuid.ts"
import { consumer as nameOfConsumer } from "../redis/names.ts"
import * as consumer from "./consumer.ts"
import type { Decision, Written } from "./decision.ts"
import type { Host } from "./host.ts"
import { SettlementObserver } from "./observer.ts"
import type { Part } from "./part.ts"
import { policies } from "./policies.ts"
import { settlementLogger, starvedLogger } from "./report.ts"

export interface Crew {
  /** The consumers that read. Due and claimed entries go to the one with the most room. */
  readonly readers: ReadonlyArray<consumer.Consumer>
  /** The consumer that runs one suspect at a time. */
  readonly alone: consumer.Consumer
  readonly everyone: ReadonlyArray<consumer.Consumer>
}

const writtenObserver = ({ context, counting, names, observing, signals, telemetry }: Host) => {
  const log = settlementLogger(names, context)
  const observer = Context.get(context, SettlementObserver)
  return (decision: Decision, written: Written, name: string): void => {
    telemetry.written(decision, written)
    counting?.count(decision, written)
    log(decision, written, name)
    observer?.(decision, written)
    observing?.notify(decision, written, name)
    const { settlement } = decision
    if (settlement._tag === "Yield") signals.yielded = true
    else if (settlement._tag === "Retry" || (settlement._tag === "Release" && settlement.pause === undefined)) {
      signals.due.openUnsafe()
    }
  }
}

export const make = (host: Host): Crew => {
  const { clock, context, naming, names, options } = host
  const shared = { policyFor: policies(host), onWritten: writtenObserver(host) }
  const onStarved = starvedLogger(names, context, clock)
  const { concurrency, consumerSuffix: suffix, readAhead } = options
  const nameOf = (own: string) => nameOfConsumer(naming, names.service, own, uuid())
  const readers = Array.from({ length: options.consumers }, (_, index) =>
    consumer.make(host, {
      ...shared,
      name: nameOf(suffix === undefined ? `internal-${index}` : `${suffix}-${index}`),
      concurrency,
      readAhead,
      maxUnwritten: 2 * (concurrency + readAhead),
      reads: true,
      onStarved
    }))
  const alone = consumer.make(host, {
    ...shared,
    name: nameOf(suffix === undefined ? "alone" : `${suffix}-alone`),
    concurrency: 1,
    readAhead: 0,
    // It holds no other entry, not even one that is decided.
    maxUnwritten: 1,
    reads: false,
    // It holds no other entries back, and others run the actions that it requests.
    onStarved: () => {}
  })
  return { readers, alone, everyone: [...readers, alone] }
}

const together = (effects: ReadonlyArray<Effect.Effect<unknown, WorkerError>>): Effect.Effect<void, WorkerError> =>
  Effect.all(effects, { concurrency: "unbounded", discard: true })

/** Running messages, as one part among the others. */
export const messages = ({ everyone, readers }: Crew): Part => ({
  takes: together([
    ...readers.flatMap(({ reader }) => reader === undefined ? [] : [reader.run]),
    ...everyone.map(({ intake }) => intake.finding)
  ]),
  keeps: together(everyone.flatMap(({ runner, settler }) => [settler.run, runner.watch]))
})

/** Reports how many handlers run until the scope ends. */
export const registerInFlight = ({ context, names }: Host, { everyone }: Crew) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      Metric.registerUnsafe(Metric.withAttributes(Metrics.inFlight, { service: names.service }), context, {
        get: () => ({ value: everyone.reduce((sum, { runner }) => sum + runner.room.running, 0) }),
        update: () => {},
        modify: () => {}
      })
    ),
    (registration) => Effect.sync(registration.remove)
  )
