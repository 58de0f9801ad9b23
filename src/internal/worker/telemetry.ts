/**
 * What a worker tells of itself: metrics, and spans where there is a tracer.
 *
 * Every metric is built once for its attributes and updated without an effect. Without
 * a tracer in the context no span is made, so that it costs nothing.
 */
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import type { DomainAction } from "../../DomainAction.ts"
import * as Metrics from "../../Metrics.ts"
import type { Outcome, Settlement, Subject } from "../../Settlement.ts"
import type { Names } from "../redis/names.ts"
import { addedAt, type Entry } from "../wire/entry.ts"
import * as traceparent from "../wire/traceparent.ts"
import type { Decision, Written } from "./decision.ts"

export interface Telemetry {
  /** A handler is about to start; returns its span where there is a tracer. */
  readonly started: (
    entry: Entry,
    action: DomainAction,
    subject: Subject,
    consumer: string,
    now: number
  ) => Tracer.Span | undefined
  /** A delivery has an outcome, after so many milliseconds; `undefined` when nothing was run. */
  readonly ended: (
    decision: Decision,
    outcome: Outcome,
    duration: number | undefined,
    span: Tracer.Span | undefined
  ) => void
  /** A batch of settlements is about to be written. */
  readonly settling: (decisions: ReadonlyArray<Decision>) => Tracer.Span | undefined
  readonly settled: (span: Tracer.Span | undefined, failed: boolean) => void
  readonly written: (decision: Decision, written: Written) => void
  readonly count: (counter: Metric.Counter<number>, amount: number) => void
  readonly measure: (gauge: Metric.Gauge<number>, value: number) => void
}

export interface TelemetryOptions {
  readonly names: Names
  readonly context: Context.Context<never>
  readonly clock: Clock.Clock
  /** The types that have handlers: the only ones that become an attribute. */
  readonly types: ReadonlySet<string>
}

const outcomeNames: { readonly [K in Settlement["_tag"]]: string } = {
  Ack: "ack",
  Reply: "reply",
  Callback: "callback",
  Reject: "reject",
  Retry: "retry",
  DeadLetter: "dead_letter",
  Release: "release",
  Yield: "yield",
  Lost: "lost"
}

/** A failure action is no success, though a callback was sent: it is counted by itself. */
const outcomeOf = (settlement: Settlement): string =>
  settlement._tag === "Ack" && settlement.expired
    ? "expired"
    : settlement._tag === "DeadLetter" && settlement.failureAction !== undefined
    ? "failure_callback"
    : outcomeNames[settlement._tag]

/** Settlements that end an action. */
const isFinal = (settlement: Settlement): boolean => {
  const { _tag } = settlement
  return _tag !== "Retry" && _tag !== "Release" && _tag !== "Yield" && _tag !== "Lost"
}

/** Metrics of one action type, with their attributes. */
interface TypeMetrics {
  readonly action_type: string
  readonly outcomes: Map<string, Metric.Counter<number>>
  readonly duration: Metric.Histogram<number>
  readonly delay: Metric.Histogram<number>
  readonly attempts: Metric.Histogram<number>
}

// `Metric.withAttributes` shares one base, which remembers the key of its last set of attributes only: several series in
// turn cost 0.8 µs an update. A metric of its own for each costs 0.06.
const ownCounter = (base: Metric.Counter<number>, attributes: Metric.Metric.Attributes): Metric.Counter<number> =>
  Metric.counter(base.id, { description: base.description, incremental: true, attributes })

const ownHistogram = (
  base: Metric.Histogram<number>,
  boundaries: ReadonlyArray<number>,
  attributes: Metric.Metric.Attributes
): Metric.Histogram<number> => Metric.histogram(base.id, { description: base.description, boundaries, attributes })

/** The series of a worker, each made when it is first needed. */
const seriesOf = ({ names: { service }, types }: TelemetryOptions) => {
  const byType = new Map<string, TypeMetrics>()
  const makeMetrics = (action_type: string): TypeMetrics => {
    const attributes = { service, action_type }
    const metrics: TypeMetrics = {
      outcomes: new Map(),
      duration: ownHistogram(Metrics.handlerDuration, Metrics.durationBoundaries, attributes),
      delay: ownHistogram(Metrics.startDelay, Metrics.durationBoundaries, attributes),
      attempts: ownHistogram(Metrics.attempts, Metrics.attemptBoundaries, attributes),
      action_type
    }
    byType.set(action_type, metrics)
    return metrics
  }
  // Types that have no handler share one series: a stranger could make up any number of them.
  const metricsOf = (type: string | undefined): TypeMetrics => {
    const known = type === undefined ? undefined : byType.get(type)
    if (known !== undefined) return known
    const action_type = type !== undefined && types.has(type) ? type : "unknown"
    return byType.get(action_type) ?? makeMetrics(action_type)
  }
  const outcomeCounter = (metrics: TypeMetrics, settlement: Settlement): Metric.Counter<number> => {
    const outcome = outcomeOf(settlement)
    let counter = metrics.outcomes.get(outcome)
    if (counter === undefined) {
      counter = ownCounter(Metrics.actions, { service, action_type: metrics.action_type, outcome })
      metrics.outcomes.set(outcome, counter)
    }
    return counter
  }
  const simple = new Map<Metric.Metric<number, unknown>, Metric.Metric<number, unknown>>()
  const withService = (metric: Metric.Metric<number, unknown>): Metric.Metric<number, unknown> => {
    let own = simple.get(metric)
    if (own === undefined) {
      own = Metric.withAttributes(metric, { service })
      simple.set(metric, own)
    }
    return own
  }
  const reasons = new Map<string, Metric.Counter<number>>()
  const reasonCounter = (reason: string): Metric.Counter<number> => {
    let counter = reasons.get(reason)
    if (counter === undefined) {
      counter = Metric.withAttributes(Metrics.deadLetters, { service, reason })
      reasons.set(reason, counter)
    }
    return counter
  }

  return { metricsOf, outcomeCounter, reasonCounter, withService }
}

/** Starts spans; `undefined` without a tracer. */
const spansOf = ({ clock, context }: TelemetryOptions) => {
  if (!context.mapUnsafe.has(Tracer.TracerKey)) return undefined
  const tracer = Context.get(context, Tracer.Tracer)
  return (
    name: string,
    kind: Tracer.SpanKind,
    parent: Tracer.AnySpan | undefined,
    links: Array<Tracer.SpanLink>
  ): Tracer.Span =>
    tracer.span({
      name,
      parent: Option.fromUndefinedOr(parent),
      annotations: Context.empty(),
      links,
      startTime: clock.currentTimeNanosUnsafe(),
      kind,
      root: parent === undefined,
      sampled: parent?.sampled ?? true
    })
}

export const make = (options: TelemetryOptions): Telemetry => {
  const { clock, context, names } = options
  const { metricsOf, outcomeCounter, reasonCounter, withService } = seriesOf(options)
  const startSpan = spansOf(options)

  return {
    started: (entry, action, subject, consumer, now) => {
      const metrics = metricsOf(action.action_type)
      if (entry.deliveries === 1 && subject.attempt === 1) {
        metrics.delay.updateUnsafe(now - addedAt(entry, now), context)
      }
      if (startSpan === undefined) return undefined
      const sender = traceparent.senderOf(entry, action)
      // A redelivery is a trace of its own that links to the first attempt: else a trace would grow without end.
      const first = entry.record.first === "" ? undefined : traceparent.parse(entry.record.first)
      const again = subject.attempt > 1 || entry.record.outcomes > 0 || entry.deliveries > 1
      const links = again
        ? [first, sender].flatMap((span) => span === undefined ? [] : [{ span, attributes: {} }])
        : []
      const span = startSpan(`process ${action.action_type}`, "consumer", again ? undefined : sender, links)
      span.attribute("messaging.system", "redis")
      span.attribute("messaging.operation.type", "process")
      span.attribute("messaging.operation.name", "process")
      span.attribute("messaging.destination.name", names.stream)
      span.attribute("messaging.consumer.group.name", names.group)
      span.attribute("messaging.client.id", consumer)
      span.attribute("messaging.message.id", action.action_id)
      span.attribute("messaging.redis.entry_id", entry.id)
      span.attribute("messaging.redis.action_type", action.action_type)
      span.attribute("messaging.redis.attempt", subject.attempt)
      span.attribute("messaging.redis.deliveries", entry.deliveries)
      if (action.correlation_id !== null) span.attribute("messaging.message.conversation_id", action.correlation_id)
      return span
    },
    ended: (decision, outcome, duration, span) => {
      if (duration !== undefined) metricsOf(decision.action?.action_type).duration.updateUnsafe(duration, context)
      if (span === undefined) return
      span.attribute("messaging.redis.settlement", outcomeNames[decision.settlement._tag])
      const error = errorTypeOf(outcome)
      if (error !== undefined) span.attribute("error.type", error)
      span.end(clock.currentTimeNanosUnsafe(), error === undefined ? Exit.void : Exit.fail(error))
    },
    settling: (decisions) => {
      if (startSpan === undefined) return undefined
      const links = decisions.flatMap(({ span }) => span === undefined ? [] : [{ span, attributes: {} }])
      if (links.length === 0) return undefined
      const span = startSpan(`settle ${names.group}`, "client", undefined, links)
      span.attribute("messaging.system", "redis")
      span.attribute("messaging.operation.type", "settle")
      span.attribute("messaging.operation.name", "settle")
      span.attribute("messaging.destination.name", names.stream)
      span.attribute("messaging.consumer.group.name", names.group)
      span.attribute("messaging.batch.message_count", decisions.length)
      return span
    },
    settled: (span, failed) => {
      span?.end(clock.currentTimeNanosUnsafe(), failed ? Exit.fail("RedisError") : Exit.void)
    },
    written: (decision, written) => {
      if (written === "lost" || written === "ended" || written === "dropped") {
        withService(Metrics.settlementsRefused).updateUnsafe(1, context)
        if (written !== "dropped") return
      }
      if (written === "gone" || written === "dropped") return withService(Metrics.entriesLost).updateUnsafe(1, context)
      const { action, attempt, settlement } = decision
      const metrics = metricsOf(action?.action_type)
      outcomeCounter(metrics, settlement).updateUnsafe(1, context)
      const isUndelivered = written === "undeliverable" || written === "unwritable"
      if (isUndelivered) withService(Metrics.undeliverable).updateUnsafe(1, context)
      // A letter that there was anyway keeps its reason.
      if (settlement._tag === "DeadLetter") reasonCounter(settlement.reason).updateUnsafe(1, context)
      else if (isUndelivered && settlement._tag !== "Retry") reasonCounter("undeliverable").updateUnsafe(1, context)
      if (action !== undefined && isFinal(settlement)) metrics.attempts.updateUnsafe(attempt, context)
    },
    count: (counter, amount) => withService(counter).updateUnsafe(amount, context),
    measure: (gauge, value) => withService(gauge).updateUnsafe(value, context)
  }
}

/** Errors are told by kind: a message could hold what the caller sent. */
const errorTypeOf = (outcome: Outcome): string | undefined => {
  switch (outcome._tag) {
    case "Succeeded":
      return undefined
    case "Failed":
      return outcome.failure.detail.error_type
    default:
      return outcome._tag
  }
}
