/** One log line for each settlement: usually at debug, higher if an operator should look. Never a payload. */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as LogLevel from "effect/LogLevel"
import * as References from "effect/References"
import { isRetryLater } from "../../HandlerError.ts"
import { monotonicMillis } from "../base/monotonic.ts"
import { timeText } from "../base/timeText.ts"
import type { Names } from "../redis/names.ts"
import { nameOf, read } from "../wire/errorText.ts"
import type { Decision, Written } from "./decision.ts"
import { reasonBehind } from "./encodeSettlement.ts"

type DeadLetter = Extract<Decision["settlement"], { readonly _tag: "DeadLetter" }>

/** The log lines of decisions that were not written, because other consumers have, or had, the entry. */
const notSettled: { readonly [K in Written]?: readonly [LogLevel.Severity, string] } = {
  lost: ["Warn", "Not settled: another consumer has taken the entry over"],
  ended: ["Warn", "Not settled: the entry is no longer pending. It was settled before, or the group was created again"],
  dropped: [
    "Error",
    "Not settled: the entry is no longer pending, and no consumer will get it again. Another program acknowledged it"
  ],
  gone: ["Error", "Not settled: another program deleted the entry"]
}

/** A plain `Error` that was thrown or that rejected a promise. It is more likely a bug than an expected failure. */
const isUnnamed = ({ error }: Extract<Decision["settlement"], { readonly _tag: "Retry" }>): boolean =>
  error.error_type === "ProcessingError" || error.error_type === "UnknownError"

const levelOf = ({ settlement }: Decision, written: Written): LogLevel.Severity => {
  if (written === "unwritable") return settlement._tag === "Retry" ? "Warn" : "Error"
  if (written === "undeliverable" && settlement._tag !== "DeadLetter") return "Warn"
  switch (settlement._tag) {
    case "DeadLetter":
      return settlement.reason === "poison" || settlement.reason === "unencodable" ? "Error" : "Warn"
    case "Retry":
      return isUnnamed(settlement) ? "Warn" : "Info"
    default:
      return "Debug"
  }
}

/** Whether a failure action informed the caller. */
const toldBy = ({ failureAction }: DeadLetter, written: Written): string =>
  failureAction === undefined
    ? ""
    : written === "settled"
    ? `, ${failureAction.actionType} sent`
    : `, ${failureAction.actionType} could not be sent`

/** Names that say nothing. */
const anyName = new Set(["Error", "RetryLater", "UnknownError"])

/** What a handler failed with, by its tag or class and what it says; for other outcomes what happened. */
const causeText = ({ cause }: Decision, error: DeadLetter["error"]): string => {
  const behind = reasonBehind(cause)
  const message = behind?.message ?? error.message
  const name = behind?.type ?? (cause === undefined || isRetryLater(cause) ? undefined : nameOf(cause))
  if (name === undefined || anyName.has(name) || message.startsWith(name)) return message
  return message === "" || message === `The handler failed with ${name}` ? name : `${name}: ${message}`
}

const textFor = (decision: Decision, written: Written): string => {
  const { action, attempt, maxAttempts, settlement } = decision
  if (written !== "settled" && settlement._tag === "Retry") {
    return "The answer of a failed attempt could not be pushed and is dropped. The next attempt answers again"
  }
  if (written === "unwritable") return "The server does not accept the answer, which is lost. The dead letter says why"
  // A dead letter that was decided anyway is logged as such. Its notes say that the caller was not informed.
  if (written === "undeliverable" && settlement._tag !== "DeadLetter") {
    return "The answer could not be pushed and is kept in the dead letter"
  }
  switch (settlement._tag) {
    case "DeadLetter":
      return `Dead letter (${settlement.reason})${toldBy(settlement, written)}: ${
        causeText(decision, settlement.error)
      }`
    case "Retry":
      return `attempt ${attempt}${maxAttempts === undefined ? "" : ` of ${maxAttempts}`} failed: ${
        causeText(decision, settlement.error)
      }; next attempt in ${timeText(Duration.toMillis(settlement.delay))}`
    case "Yield":
      return `No handler for ${action?.action_type}: the action is left to other workers of its service`
    case "Ack":
      return settlement.expired ? "Not run: its deadline has passed" : "Ack"
    default:
      return settlement._tag
  }
}

export const goneWarning = (names: Names, ids: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.logError(`${ids.length} pending entries of ${names.stream} are lost: another program deleted them`).pipe(
    Effect.annotateLogs({ stream: names.stream, entries: ids.slice(0, 20) })
  )

/** Logs which entries this consumer lost while it held them, and how. */
export const lostLogger = (names: Names, context: Context.Context<never>) => {
  const fork = Effect.runForkWith(context)
  return (how: "taken" | "dropped", ids: ReadonlyArray<string>, consumer: string): void => {
    fork(
      (how === "taken"
        ? Effect.logWarning(
          `${ids.length} entries of ${names.stream} were taken over: this consumer did not renew its lease in time. ` +
            "Look for a blocked event loop, a frozen process or a cut network"
        )
        : Effect.logError(
          `${ids.length} entries of ${names.stream} are no longer pending, though no other consumer has them: another ` +
            "program acknowledged them or removed the consumer. No worker will get them again, and the results of their " +
            "running handlers are not written"
        )).pipe(Effect.annotateLogs({ service: names.service, consumer, entries: ids.slice(0, 20) }))
    )
  }
}

/** Milliseconds between two warnings. */
const starvedInterval = 10 * 60_000

/** Warns, at most once an interval, that handlers wait for their own service and occupy all slots. */
export const starvedLogger = (names: Names, context: Context.Context<never>, clock: Clock.Clock) => {
  const fork = Effect.runForkWith(context)
  let last = Number.NEGATIVE_INFINITY
  return (): void => {
    const now = monotonicMillis(clock)
    if (now - last < starvedInterval) return
    last = now
    fork(
      Effect.logWarning(
        `Every slot of a consumer of ${names.stream} holds a handler that waits for an answer from its own service. ` +
          "Only another worker with a free slot can answer. Without one the requests time out. " +
          "Call the code instead of sending a request, or raise the concurrency"
      ).pipe(Effect.annotateLogs({ service: names.service }))
    )
  }
}

/** The cause that the handler named, otherwise its error. */
const behind = (error: unknown): unknown => read(error, "cause") ?? error

/** Types without a handler of which one log line each is written. A sender may make up any number. */
const maxUnhandled = 100

export const settlementLogger = (names: Names, context: Context.Context<never>) => {
  const fork = Effect.runForkWith(context)
  const minimum = Context.get(context, References.MinimumLogLevel)
  const unhandled = new Set<string>()
  const isNewUnhandled = ({ action, settlement }: Decision): boolean => {
    if (settlement._tag !== "Yield" || action === undefined || unhandled.size >= maxUnhandled) return false
    const before = unhandled.size
    return unhandled.add(action.action_type).size > before
  }
  return (decision: Decision, written: Written, consumer: string): void => {
    const refusal = notSettled[written]
    const level = refusal !== undefined
      ? refusal[0]
      : isNewUnhandled(decision)
      ? "Info"
      : levelOf(decision, written)
    // A disabled level costs nothing.
    if (LogLevel.isLessThan(level, minimum)) return
    const { action, attempt, entry } = decision
    fork(
      Effect.logWithLevel(level)(
        refusal === undefined ? textFor(decision, written) : refusal[1],
        ...(decision.cause === undefined ? [] : [Cause.fail(behind(decision.cause))])
      ).pipe(
        Effect.annotateLogs({
          service: names.service,
          consumer,
          entry_id: entry.id,
          settlement: decision.settlement._tag,
          attempt,
          deliveries: entry.deliveries,
          ...(action === undefined ? {} : {
            action_id: action.action_id,
            action_type: action.action_type,
            correlation_id: action.correlation_id,
            trace_id: action.trace_id,
            tenant_id: action.tenant_id
          })
        })
      )
    )
  }
}
