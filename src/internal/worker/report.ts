/** One log line for each settlement: usually at debug, higher if an operator should look. Never a payload. */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as LogLevel from "effect/LogLevel"
import * as References from "effect/References"
import { monotonicMillis } from "../base/monotonic.ts"
import type { Names } from "../redis/names.ts"
import { read } from "../wire/errorText.ts"
import type { Decision, Written } from "./decision.ts"

type DeadLetter = Extract<Decision["settlement"], { readonly _tag: "DeadLetter" }>

/** The log lines of decisions that were not written, because other consumers have, or had, the entry. */
const notSettled: { readonly [K in Written]?: readonly [LogLevel.Severity, string] } = {
  lost: ["Warn", "Not settled: another consumer owns the entry"],
  ended: ["Warn", "Not settled: the entry is no longer pending, as it was settled before or the group was made again"],
  dropped: ["Error", "Not settled: the entry is no longer pending and no consumer will be given it again"],
  gone: ["Error", "Not settled: the entry was deleted by others"]
}

const levelOf = ({ settlement }: Decision, written: Written): LogLevel.Severity => {
  if (written === "unwritable") return settlement._tag === "Retry" ? "Warn" : "Error"
  if (written === "undeliverable" && settlement._tag !== "DeadLetter") return "Warn"
  switch (settlement._tag) {
    case "DeadLetter":
      return settlement.reason === "poison" || settlement.reason === "unencodable" ? "Error" : "Warn"
    case "Retry":
      return "Info"
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

const textFor = ({ settlement }: Decision, written: Written): string => {
  if (written !== "settled" && settlement._tag === "Retry") {
    return "The answer of an attempt that is run again could not be pushed"
  }
  if (written === "unwritable") return "The server does not take the answer, which is lost: the dead letter says why"
  // A dead letter that was decided anyway is logged as such. Its notes say that the caller was not informed.
  if (written === "undeliverable" && settlement._tag !== "DeadLetter") {
    return "The answer could not be pushed and is kept in the dead letter"
  }
  switch (settlement._tag) {
    case "DeadLetter":
      return `Dead letter (${settlement.reason})${toldBy(settlement, written)}: ${settlement.error.message}`
    case "Retry":
      return `Runs again in ${Math.ceil(settlement.delay)} ms: ${settlement.error.message}`
    case "Ack":
      return settlement.expired ? "Not run: nobody waits for it any more" : "Ack"
    default:
      return settlement._tag
  }
}

export const goneWarning = (names: Names, ids: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.logError(`${ids.length} pending entries of ${names.stream} were deleted by others: they are lost`).pipe(
    Effect.annotateLogs({ stream: names.stream, entries: ids.slice(0, 20) })
  )

/** Logs which entries this consumer lost while it held them, and how. */
export const lostLogger = (names: Names, context: Context.Context<never>) => {
  const fork = Effect.runForkWith(context)
  return (how: "taken" | "dropped", ids: ReadonlyArray<string>, consumer: string): void => {
    fork(
      (how === "taken"
        ? Effect.logWarning(
          `${ids.length} entries were taken over by another consumer: this one was silent for longer than the lease`
        )
        : Effect.logError(
          `${ids.length} entries of ${names.stream} are no longer pending, though no other consumer has them. ` +
            `Somebody acknowledged them or removed the consumer: no worker will be given them again, ` +
            `and what their running handlers return is not written`
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
        `Every slot of a consumer of ${names.stream} holds a handler that waits for an answer of its own service. ` +
          `Only another worker with a free slot can answer; without one the requests time out. ` +
          `Call the code instead of sending a request, or raise the concurrency`
      ).pipe(Effect.annotateLogs({ service: names.service }))
    )
  }
}

/** The cause that the handler named, otherwise its error. */
const behind = (error: unknown): unknown => read(error, "cause") ?? error

export const settlementLogger = (names: Names, context: Context.Context<never>) => {
  const fork = Effect.runForkWith(context)
  const minimum = Context.get(context, References.MinimumLogLevel)
  return (decision: Decision, written: Written, consumer: string): void => {
    const refusal = notSettled[written]
    const level = refusal === undefined ? levelOf(decision, written) : refusal[0]
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
