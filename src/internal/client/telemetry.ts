/** The telemetry of client calls: a span for each call if there is a tracer, and metrics of requests. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import * as Tracer from "effect/Tracer"
import * as Metrics from "../../Metrics.ts"
import { memo } from "../base/memo.ts"
import * as traceparent from "../wire/traceparent.ts"

export interface Call {
  readonly operation: "send" | "request"
  readonly actionType: string
  readonly stream: string
  readonly actionId: string | undefined
  readonly count: number
}

/**
 * Runs a call with the `traceparent` to send. Without a tracer no span is made, and a trace context from elsewhere is
 * passed on.
 */
export const traced = <A, E, R>(
  call: Call,
  run: (traceparent: string | undefined) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, Exclude<R, Tracer.ParentSpan>> =>
  // SAFETY: `run` needs no parent span of its own, and `useSpan` removes nothing from `R` here.
  Effect.withFiber((fiber) => {
    if (fiber.cache.tracer === undefined) {
      const parent = Context.getOption(fiber.context, Tracer.ParentSpan)
      return run(parent._tag === "Some" ? traceparent.format(parent.value) : undefined)
    }
    return Effect.useSpan(`${call.operation} ${call.actionType}`, {
      kind: call.operation === "request" ? "client" : "producer",
      attributes: {
        "messaging.system": "redis",
        "messaging.operation.type": "send",
        "messaging.operation.name": call.operation,
        "messaging.destination.name": call.stream,
        "messaging.redis.action_type": call.actionType,
        ...(call.actionId === undefined ? {} : { "messaging.message.id": call.actionId }),
        ...(call.count === 1 ? {} : { "messaging.batch.message_count": call.count })
      }
    }, (span) =>
      Effect.onExit(run(traceparent.format(span)), (exit) =>
        Effect.sync(() => {
          const tag = errorTag(exit)
          if (tag !== undefined) span.attribute("error.type", tag)
        })))
  }) as Effect.Effect<A, E, Exclude<R, Tracer.ParentSpan>>

const errorTag = (exit: Exit.Exit<unknown, unknown>): string | undefined => {
  if (exit._tag === "Success") return undefined
  const error = exit.cause.reasons.find(Cause.isFailReason)?.error
  if (error === undefined) return Cause.hasInterruptsOnly(exit.cause) ? "Interrupted" : "Defect"
  return typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : "Error"
}

const outcomeOf = (exit: Exit.Exit<unknown, unknown>): string => {
  switch (errorTag(exit)) {
    case undefined:
      return "success"
    case "RequestTimeout":
      return "timeout"
    case "RemoteFailure":
      return "remote_failure"
    case "RedisError":
      return "redis_error"
    case "EncodeError":
      return "encode_error"
    case "Interrupted":
    case "Defect":
      return "interrupted"
    default:
      return "declared_error"
  }
}

export interface RequestMetrics {
  /** Counts and times a request, however it ends. */
  readonly measured: <A, E, R>(actionType: string, request: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** An answer arrived that no request waits for any more. */
  readonly unclaimed: () => void
}

export const requestMetrics = Effect.fnUntraced(function*(service: string, open: () => number) {
  const context = yield* Effect.context<never>()
  const clock = yield* Clock.Clock
  yield* Effect.acquireRelease(
    Effect.sync(() =>
      Metric.registerUnsafe(Metric.withAttributes(Metrics.requestsOpen, { service }), context, {
        get: () => ({ value: open() }),
        update: () => {},
        modify: () => {}
      })
    ),
    (registration) => Effect.sync(registration.remove)
  )
  // Contracts supply the types, so their number is limited by the program.
  const metricsOf = memo((action_type: string) => ({
    outcome: memo((outcome: string) => Metric.withAttributes(Metrics.requests, { service, action_type, outcome })),
    duration: Metric.withAttributes(Metrics.requestDuration, { service, action_type })
  }))
  const record = (actionType: string, started: number, exit: Exit.Exit<unknown, unknown>): void => {
    const { duration, outcome } = metricsOf(actionType)
    outcome(outcomeOf(exit)).updateUnsafe(1, context)
    duration.updateUnsafe(clock.currentTimeMillisUnsafe() - started, context)
  }
  const measured: RequestMetrics["measured"] = (actionType, request) =>
    Effect.suspend(() => {
      const started = clock.currentTimeMillisUnsafe()
      return Effect.onExit(request, (exit) => Effect.sync(() => record(actionType, started, exit)))
    })
  const unclaimed = Metric.withAttributes(Metrics.answersUnclaimed, { service })
  return { measured, unclaimed: () => unclaimed.updateUnsafe(1, context) }
})
