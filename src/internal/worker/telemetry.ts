/**
 * The metrics of a worker, and its spans if there is a tracer.
 *
 * Each metric is built once for its attributes and updated without an effect. Without a tracer in the context, no spans
 * are made and tracing costs nothing.
 */
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import type { DomainAction } from "../../DomainAction.ts"
import * as Metrics from "../../Metrics.ts"
import { isFinal, type Settlement } from "../../Settlement.ts"
import { attemptBoundaries, durationBoundaries } from "../base/boundaries.ts"
import { memo } from "../base/memo.ts"
import type { Names } from "../redis/names.ts"
import { addedAt, type Entry } from "../wire/entry.ts"
import * as traceparent from "../wire/traceparent.ts"
import type { Decision, Written } from "./decision.ts"
import type { Outcome, Subject } from "./settlementOf.ts"

export interface Telemetry {
  /** A handler is about to start. Returns its span if there is a tracer. */
  readonly started: (
    entry: Entry,
    action: DomainAction,
    subject: Subject,
    consumer: string,
    now: number
  ) => Tracer.Span | undefined
  /** A delivery has an outcome, after the given number of milliseconds; `undefined` if no handler ran. */
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
  /** Measures something of a lane: its type or name, never its key. */
  readonly measureLane: (metric: Metric.Gauge<number>, lane: string, value: number) => void
  readonly measure: (metric: Metric.Gauge<number> | Metric.Histogram<number>, value: number) => void
}

export interface TelemetryOptions {
  readonly names: Names
  readonly context: Context.Context<never>
  readonly clock: Clock.Clock
  /** The types that have handlers. Only these become attributes. */
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

/** A failure action is not a success, although a callback was sent, so it has an outcome of its own. */
const outcomeOf = (settlement: Settlement): string =>
  settlement._tag === "Ack" && settlement.expired
    ? "expired"
    : settlement._tag === "DeadLetter" && settlement.failureAction !== undefined
    ? "failure_callback"
    : outcomeNames[settlement._tag]

// `Metric.withAttributes` shares one base, which caches the key of its last attributes only, so alternating between
// series costs 0.8 µs for each update. A separate metric for each series costs 0.06.
const ownCounter = (base: Metric.Counter<number>, attributes: Metric.Metric.Attributes): Metric.Counter<number> =>
  Metric.counter(base.id, { description: base.description, incremental: true, attributes })

const ownHistogram = (
  base: Metric.Histogram<number>,
  boundaries: ReadonlyArray<number>,
  attributes: Metric.Metric.Attributes
): Metric.Histogram<number> => Metric.histogram(base.id, { description: base.description, boundaries, attributes })

export const make = (options: TelemetryOptions): Telemetry => {
  const { clock, context, names } = options
  const service = names.service
  const tracer = context.mapUnsafe.has(Tracer.TracerKey) ? Context.get(context, Tracer.Tracer) : undefined

  // ---------------------------------------------------------------------------
  // metrics
  // ---------------------------------------------------------------------------

  const metricsOfLabel = memo((action_type: string) => {
    const attributes = { service, action_type }
    return {
      outcome: memo((outcome: string) => ownCounter(Metrics.actions, { ...attributes, outcome })),
      duration: ownHistogram(Metrics.handlerDuration, durationBoundaries, attributes),
      delay: ownHistogram(Metrics.startDelay, durationBoundaries, attributes),
      attempts: ownHistogram(Metrics.attempts, attemptBoundaries, attributes)
    }
  })
  // Types without a handler share one series, since senders could invent any number of types.
  const metricsOf = (type: string | undefined) =>
    metricsOfLabel(type !== undefined && options.types.has(type) ? type : "unknown")
  const withService = memo((metric: Metric.Metric<number, unknown>) => Metric.withAttributes(metric, { service }))
  const withLane = memo((metric: Metric.Gauge<number>) =>
    memo((lane: string) => Metric.withAttributes(metric, { service, lane }))
  )
  const reasonCounter = memo((reason: string) => Metric.withAttributes(Metrics.deadLetters, { service, reason }))

  // ---------------------------------------------------------------------------
  // spans
  // ---------------------------------------------------------------------------

  const startSpan = (
    active: Tracer.Tracer,
    operation: "process" | "settle",
    what: string,
    kind: Tracer.SpanKind,
    parent: Tracer.AnySpan | undefined,
    linked: ReadonlyArray<Tracer.AnySpan | undefined>
  ): Tracer.Span => {
    const span = active.span({
      name: `${operation} ${what}`,
      parent: Option.fromUndefinedOr(parent),
      annotations: Context.empty(),
      links: linked.flatMap((span) => span === undefined ? [] : [{ span, attributes: {} }]),
      startTime: clock.currentTimeNanosUnsafe(),
      kind,
      root: parent === undefined,
      sampled: parent?.sampled ?? true
    })
    span.attribute("messaging.system", "redis")
    span.attribute("messaging.operation.type", operation)
    span.attribute("messaging.operation.name", operation)
    span.attribute("messaging.destination.name", names.stream)
    span.attribute("messaging.consumer.group.name", names.group)
    return span
  }

  return {
    started: (entry, action, subject, consumer, now) => {
      const metrics = metricsOf(action.action_type)
      if (entry.deliveries === 1 && subject.attempt === 1) {
        metrics.delay.updateUnsafe(now - addedAt(entry, now), context)
      }
      if (tracer === undefined) return undefined
      const sender = traceparent.senderOf(entry, action)
      // A redelivery starts a new trace that links to the first attempt. Otherwise a trace could grow without end.
      const first = entry.record.first === "" ? undefined : traceparent.parse(entry.record.first)
      const again = subject.attempt > 1 || entry.record.outcomes > 0 || entry.deliveries > 1
      const span = again
        ? startSpan(tracer, "process", action.action_type, "consumer", undefined, [first, sender])
        : startSpan(tracer, "process", action.action_type, "consumer", sender, [])
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
      if (tracer === undefined) return undefined
      const runs = decisions.map(({ span }) => span)
      if (runs.every((run) => run === undefined)) return undefined
      const span = startSpan(tracer, "settle", names.group, "client", undefined, runs)
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
      metrics.outcome(outcomeOf(settlement)).updateUnsafe(1, context)
      const isUndelivered = written === "undeliverable" || written === "unwritable"
      if (isUndelivered) withService(Metrics.undeliverable).updateUnsafe(1, context)
      // A dead letter that was decided anyway keeps its reason.
      if (settlement._tag === "DeadLetter") reasonCounter(settlement.reason).updateUnsafe(1, context)
      else if (isUndelivered && settlement._tag !== "Retry") reasonCounter("undeliverable").updateUnsafe(1, context)
      if (action !== undefined && isFinal(settlement)) metrics.attempts.updateUnsafe(attempt, context)
    },
    count: (counter, amount) => withService(counter).updateUnsafe(amount, context),
    measureLane: (metric, lane, value) => withLane(metric)(lane).updateUnsafe(value, context),
    measure: (metric, value) => withService(metric).updateUnsafe(value, context)
  }
}

/** Errors are reported by kind, because a message could contain data of the caller. */
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
