/** The pure step from a decision to the entry of the settle script. */
import * as Duration from "effect/Duration"
import type * as Tracer from "effect/Tracer"
import * as DomainAction from "../../DomainAction.ts"
import { isRetryLater } from "../../HandlerError.ts"
import type { DeadLetterReason } from "../../Settlement.ts"
import { delayUntilEndOf } from "../redis/pauses.ts"
import type { SettleEntry } from "../scripts/settle.ts"
import { type PushTarget, target, type TargetOptions } from "../wire/answerTarget.ts"
import { encodeRecord, type Entry, type RetryRecord } from "../wire/entry.ts"
import { messageOf, nameOf, textAt } from "../wire/errorText.ts"
import { timestampOf } from "../wire/timestamp.ts"
import * as traceparent from "../wire/traceparent.ts"
import type { Decision } from "./decision.ts"
import { encodeFailure } from "./failureAction.ts"

export interface EncodeOptions extends TargetOptions {
  readonly service: string
  /** The size of the largest answer that clients accept, in bytes. */
  readonly payloadLimit: number
  /** The time of this process, in milliseconds, for the timestamps of answers. */
  readonly now: () => number
  readonly uuid: () => string
  /** Sends answers for other slots of a cluster another way; `undefined` where there are none. */
  readonly reroute?: ((push: PushTarget) => PushTarget) | undefined
  /** Whether answers carry the notes of the dead letter that they become if they cannot be pushed. Default: false. */
  readonly withNotes?: boolean
}

/** `undefined` is a plain acknowledgement of a first delivery, which needs only the id. */
export const encodeSettlement = (decision: Decision, options: EncodeOptions): SettleEntry | undefined => {
  const { action, attempt, entry, settlement } = decision
  switch (settlement._tag) {
    case "Ack":
    case "Lost":
      return entry.deliveries === 1 ? undefined : { ...settled(entry), dead: false, notes: [] }
    case "Reply":
      return answered(
        decision,
        options,
        action &&
          DomainAction.encodeResponse(DomainAction.response(action, settlement.data, answerOptions(decision, options)))
      )
    case "Reject":
      return answered(decision, options, failureText(decision, settlement.error, options), "response")
    case "Callback":
      return answered(
        decision,
        options,
        action && DomainAction.encode(DomainAction.callback(action, settlement.data, {
          ...answerOptions(decision, options),
          originService: options.service,
          actionType: settlement.actionType
        }))
      )
    case "DeadLetter": {
      const { failureAction } = settlement
      const isAction = failureAction !== undefined && action !== undefined
      const answer = isAction
        ? encodeFailure(action, failureAction, settlement.error, {
          ...answerOptions(decision, options),
          originService: options.service,
          payloadLimit: options.payloadLimit
        })
        : settlement.answer
        ? failureText(decision, settlement.error, options)
        : undefined
      const push = answer === undefined
        ? undefined
        : pushOf(decision, answer, options, isAction ? "action" : "response")
      const behind = reasonBehind(decision.cause)
      const letter = buried(decision, settlement.reason, push === undefined ? answer : undefined, [
        "error_type",
        behind?.type ?? settlement.error.error_type,
        "error_code",
        settlement.error.error_code ?? "",
        "message",
        behind?.message ?? settlement.error.message
      ])
      return { ...letter, push }
    }
    case "Retry": {
      const answer = settlement.answer ? failureText(decision, settlement.error, options) : undefined
      const push = answer === undefined ? undefined : rerouted(target(action, answer, options, "response"), options)
      const behind = reasonBehind(decision.cause)
      const { error } = settlement
      return waiting(decision, Duration.toMillis(settlement.delay), {
        attempts: attempt,
        lastError: { type: behind?.type ?? error.error_type, message: behind?.message ?? error.message }
      }, push)
    }
    case "Release":
      return waiting(decision, settlement.pause === undefined ? 0 : delayUntilEndOf(settlement.pause), {}, undefined)
    case "Yield":
      return waiting(decision, Duration.toMillis(settlement.delay), {
        unknownSince: settlement.since.epochMilliseconds
      }, undefined)
  }
}

/**
 * The `cause` of a {@link RetryLater}. It is kept from callers, but noted in the dead letter. Without it, all letters
 * of exhausted retries would look the same.
 */
export const reasonBehind = (error: unknown): { readonly type: string; readonly message: string } | undefined => {
  if (!isRetryLater(error) || error.cause === undefined) return undefined
  const { cause } = error
  const name = nameOf(cause)
  return {
    type: name ?? textAt(cause, "name") ?? error._tag,
    message: messageOf(cause) ?? name ?? textAt(cause, "message") ?? error.message
  }
}

const settled = ({ deliveries, id }: Entry) => ({ id, deliveries, push: undefined, wait: undefined })

const notAccepted = "The naming does not accept the list that the message names"

const waiting = (
  { entry, span }: Decision,
  delay: number,
  change: Partial<Pick<RetryRecord, "attempts" | "unknownSince" | "lastError">>,
  push: PushTarget | undefined
): SettleEntry => ({
  ...settled(entry),
  push,
  wait: {
    delay: Math.ceil(delay),
    record: encodeRecord({
      ...entry.record,
      // This worker ran the handler, so it knows the type. Earlier time as an unknown type no longer counts.
      unknownSince: 0,
      ...change,
      outcomes: entry.record.outcomes + 1,
      first: entry.record.first === "" && span !== undefined ? traceparent.format(span) ?? "" : entry.record.first
    })
  },
  dead: false,
  notes: []
})

const answerOptions = ({ action, span }: Decision, options: EncodeOptions): DomainAction.AnswerOptions => ({
  actionId: options.uuid(),
  timestamp: timestampOf(options.now()),
  // Python clients cannot parse an answer without a trace id, and Python workers cannot answer a callback without one.
  traceId: action?.trace_id === null ? traceIdOf(span) ?? options.uuid() : undefined
})

const traceIdOf = (span: Tracer.Span | undefined): string | undefined => {
  const trace = span === undefined ? undefined : traceparent.format(span)
  return trace === undefined ? undefined : traceparent.traceIdOf(trace)
}

/** The error response; `undefined` if there is no action to answer. */
const failureText = (
  decision: Decision,
  error: DomainAction.ErrorDetail,
  options: EncodeOptions
): string | undefined =>
  decision.action &&
  DomainAction.encodeResponse(DomainAction.failure(decision.action, error, answerOptions(decision, options)))

/** An entry with an answer, usually without notes. A class instead of a literal, see `entry.ts`. */
class Answered implements SettleEntry {
  readonly id: string
  readonly deliveries: number
  readonly push: PushTarget
  readonly wait = undefined
  readonly dead = false
  readonly notes: SettleEntry["notes"]
  constructor({ deliveries, id }: Entry, push: PushTarget, notes: SettleEntry["notes"]) {
    this.id = id
    this.deliveries = deliveries
    this.push = push
    this.notes = notes
  }
}

const noteOf = ({ action, attempt, entry }: Decision): Array<string> => [
  "action_id",
  action?.action_id ?? "",
  "action_type",
  action?.action_type ?? "",
  "attempts",
  String(action === undefined ? 0 : attempt),
  "deliveries",
  String(entry.deliveries),
  "hops",
  String(entry.replays)
]

const rerouted = (push: PushTarget | undefined, { reroute }: EncodeOptions): PushTarget | undefined =>
  push === undefined || reroute === undefined ? push : reroute(push)

/**
 * The target of an answer, if the naming accepts it. A callback in a stream is a child of the delivery that it answers.
 */
const pushOf = (
  { action, span }: Decision,
  payload: string,
  options: EncodeOptions,
  kind: "action" | "response"
): PushTarget | undefined => {
  const push = target(action, payload, options, kind)
  return rerouted(
    push?.kind === "stream" && span !== undefined ? { ...push, traceparent: traceparent.format(span) } : push,
    options
  )
}

/** A dead letter. It holds the answer if the naming rejects its target. */
const buried = (
  decision: Decision,
  reason: DeadLetterReason,
  undelivered: string | undefined,
  error: ReadonlyArray<string>
): SettleEntry => ({
  ...settled(decision.entry),
  dead: true,
  notes: [
    ...noteOf(decision),
    "reason",
    reason,
    ...error,
    ...(undelivered === undefined ? [] : ["undeliverable", notAccepted, "answer", undelivered])
  ],
  undelivered: undelivered !== undefined
})

const answered = (
  decision: Decision,
  options: EncodeOptions,
  payload: string | undefined,
  kind: "action" | "response" = "action"
): SettleEntry => {
  if (payload === undefined) return { ...settled(decision.entry), dead: false, notes: [] }
  const push = pushOf(decision, payload, options, kind)
  return push === undefined
    ? buried(decision, "undeliverable", payload, [])
    : new Answered(decision.entry, push, options.withNotes ? noteOf(decision) : undefined)
}
