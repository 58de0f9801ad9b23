/**
 * A pure function decides, from the outcome of a delivery, what a worker writes to Redis.
 *
 * {@link settlementOf} implements the table in docs/settlement.md row by row, from the top. It uses neither a clock nor
 * a server.
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import type { ErrorDetail } from "../../DomainAction.ts"
import * as DomainAction from "../../DomainAction.ts"
import * as HandlerError from "../../HandlerError.ts"
import type { DeadLetterReason, Settlement } from "../../Settlement.ts"
import { bounded, messageOf, nameOf, read, textAt } from "../wire/errorText.ts"
import { rejectedDetail } from "../wire/rejectedDetail.ts"

// -----------------------------------------------------------------------------
// outcomes
// -----------------------------------------------------------------------------

/** What happened to a delivery, before the settlement is decided. */
export type Outcome =
  /** Another consumer took over the entry. */
  | { readonly _tag: "LeaseLost" }
  | { readonly _tag: "Malformed"; readonly message: string }
  | { readonly _tag: "Poison" }
  | { readonly _tag: "Expired" }
  /** No handler for the type. `since` is when the type was first found unknown, by the server's clock. */
  | { readonly _tag: "Unknown"; readonly since: number }
  | { readonly _tag: "Invalid"; readonly error: ErrorDetail }
  | { readonly _tag: "Succeeded"; readonly data: { readonly [key: string]: unknown } | null }
  | { readonly _tag: "Unencodable"; readonly message: string }
  | { readonly _tag: "Failed"; readonly failure: HandlerFailure }
  /** The handler exceeded its timeout, or the deadline passed. */
  | { readonly _tag: "TimedOut" }
  | { readonly _tag: "Interrupted" }
  /** An operator paused its type. */
  | { readonly _tag: "Paused"; readonly pause: number }

/** An error of a handler, classified by its contract. */
export interface HandlerFailure {
  /** The error itself. */
  readonly error: unknown
  /** The disposition, from the contract, its annotation or the worker's overrides. */
  readonly disposition: "rejected" | "retryable"
  /** The error as the caller sees it. */
  readonly detail: ErrorDetail
  /** The delay that the handler asked for, in milliseconds. */
  readonly after: number | undefined
}

/** The facts about a delivery that the decision depends on. */
export interface Subject {
  /** `undefined` if the entry could not be decoded. */
  readonly action: DomainAction.DomainAction | undefined
  readonly attempt: number
  /** The deadline of the request, in milliseconds by the server's clock. */
  readonly deadline: number | undefined
  /** Overrides from the action's contract: attempts, and the type that a rejected callback action answers with. */
  readonly maxAttempts: number | undefined
  readonly failureAction: string | undefined
  /** Whether the failure action carries the payload of the failed action. Default: `"none"`. */
  readonly failurePayload?: "none" | "include" | undefined
}

/** The worker options that a settlement depends on. */
export interface Policy {
  readonly maxAttempts: number
  /** How long an action of an unknown type waits for a worker that knows it, in milliseconds. */
  readonly unknownFor: number
  /** The delay after the given number of failed attempts, in milliseconds. */
  readonly retryDelay: (attempts: number) => number
  /** `"final"` answers the last failure. `"every-attempt"` answers each failure, as the Python worker does. */
  readonly errorReplies: "final" | "every-attempt"
  /**
   * `"dead-letter"` keeps failures of callback actions within the service. `"response"` also sends an error response to
   * the callback list.
   */
  readonly callbackErrors: "dead-letter" | "response"
}

const expectationOf = ({ action }: Subject): ReturnType<typeof DomainAction.expects> =>
  action === undefined ? "none" : DomainAction.expects(action)

/** Whether the caller gets an error response. */
const isAnswered = (subject: Subject, policy: Policy): boolean => {
  const expectation = expectationOf(subject)
  return expectation === "response" || (expectation === "callback" && policy.callbackErrors === "response")
}

// -----------------------------------------------------------------------------
// the table
// -----------------------------------------------------------------------------

const acknowledge: Settlement = { _tag: "Ack", expired: false }
const expired: Settlement = { _tag: "Ack", expired: true }
const release: Settlement = { _tag: "Release" }
const lost: Settlement = { _tag: "Lost" }
const emptyData = {}

const detail = (
  error_type: string,
  error_code: string,
  message: string,
  details: { readonly [key: string]: unknown } | null = null
): ErrorDetail => ({ error_type, error_code, message: bounded(message), details })

/**
 * Decides the settlement of an entry. The rows are tried from the top, and the first match decides.
 *
 * @param now milliseconds by the server's clock
 */
export const settlementOf = (outcome: Outcome, subject: Subject, policy: Policy, now: number): Settlement => {
  switch (outcome._tag) {
    case "LeaseLost": // row 1
      return lost
    case "Malformed": // row 2
      return bury("malformed", detail("Malformed", "MALFORMED_ACTION", outcome.message), subject, policy)
    case "Poison": // row 3
      return bury("poison", poison, subject, policy)
    case "Expired": // row 4
      return expired
    case "Unknown": // row 5
      return unknown(outcome.since, subject, policy, now)
    case "Invalid": // row 6
      return refuse("invalid", outcome.error, subject, policy)
    case "Succeeded": // row 7
      return succeed(outcome.data, subject)
    case "Unencodable": // row 8
      return bury("unencodable", detail("UnencodableResult", "UNENCODABLE_RESULT", outcome.message), subject, policy)
    case "Failed":
      return outcome.failure.disposition === "rejected"
        ? refuse("rejected", outcome.failure.detail, subject, policy) // row 9
        : tryAgain(outcome.failure, subject, policy, now)
    case "TimedOut":
      return tryAgain(isLate(subject, now) ? outOfTime : timedOut, subject, policy, now)
    case "Interrupted": // row 12
      return release
    case "Paused": // row 13
      return { _tag: "Release", pause: outcome.pause }
  }
}

const poison = detail(
  "Poison",
  "POISON_ACTION",
  "The action was delivered too often without an outcome: handling it may end the process"
)

const bury = (reason: DeadLetterReason, error: ErrorDetail, subject: Subject, policy: Policy): Settlement => ({
  _tag: "DeadLetter",
  reason,
  error,
  answer: isAnswered(subject, policy)
})

const timedOut = {
  detail: detail("HandlerTimeout", "HANDLER_TIMEOUT", "The handler took longer than its handlerTimeout"),
  after: undefined
}

const outOfTime = {
  detail: detail("HandlerTimeout", "HANDLER_TIMEOUT", "The deadline of the request passed before the handler ended"),
  after: undefined
}

const isLate = ({ deadline }: Subject, now: number): boolean => deadline !== undefined && deadline <= now

/** The latest time that a date can be, in milliseconds. */
const latest = 8_640_000_000_000_000

const unknown = (since: number, subject: Subject, policy: Policy, now: number): Settlement => {
  const age = now - since
  if (age >= policy.unknownFor) {
    const type = subject.action?.action_type ?? ""
    return bury(
      "unknown",
      detail("NotImplemented", "ACTION_NOT_IMPLEMENTED", `No worker has a handler for ${type}`),
      subject,
      policy
    )
  }
  // Soon at first, for a worker that is starting at the same time; later less often.
  const delay = Math.min(Math.max(age / 2, 250), 10_000, policy.unknownFor - age)
  // A record may hold any number.
  return {
    _tag: "Yield",
    delay: Duration.millis(Math.ceil(delay)),
    since: DateTime.makeUnsafe(Math.min(since, latest))
  }
}

const succeed = (data: { readonly [key: string]: unknown } | null, subject: Subject): Settlement => {
  switch (expectationOf(subject)) {
    case "none":
      return acknowledge
    case "response":
      return { _tag: "Reply", data }
    case "callback":
      return { _tag: "Callback", actionType: subject.action?.callback_action_type ?? "", data: data ?? emptyData }
  }
}

/** A failure that another attempt would not fix. */
const refuse = (
  reason: "invalid" | "rejected" | "exhausted",
  error: ErrorDetail,
  subject: Subject,
  policy: Policy
): Settlement => {
  if (expectationOf(subject) === "callback" && subject.failureAction !== undefined && reason !== "invalid") {
    const failureAction = { actionType: subject.failureAction, payload: subject.failurePayload ?? "none" }
    return { _tag: "DeadLetter", reason, error, answer: false, failureAction }
  }
  return isAnswered(subject, policy) && reason !== "exhausted"
    ? { _tag: "Reject", error }
    : bury(reason, error, subject, policy)
}

/** Rows 10 and 11: another attempt, unless none is left or it would start too late. */
const tryAgain = (
  failure: Pick<HandlerFailure, "detail" | "after">,
  subject: Subject,
  policy: Policy,
  now: number
): Settlement => {
  const delay = failure.after ?? policy.retryDelay(subject.attempt)
  const late = subject.deadline !== undefined && now + delay >= subject.deadline
  if (late || subject.attempt >= (subject.maxAttempts ?? policy.maxAttempts)) {
    return refuse("exhausted", failure.detail, subject, policy)
  }
  const answer = policy.errorReplies === "every-attempt" && expectationOf(subject) === "response"
  return { _tag: "Retry", delay: Duration.millis(delay), error: failure.detail, answer }
}

/** Converts a defect to a failure. The caller gets its message, never its stack. */
export const defect = (error: unknown): HandlerFailure => ({
  error,
  disposition: "retryable",
  detail: detail(
    "ProcessingError",
    "HANDLER_EXECUTION_ERROR",
    saidBy(error) ?? `The handler died with ${kindOf(error)}`
  ),
  after: undefined
})

/** The start of Effect's message for a value that is not an effect. The rest of the message is the value. */
const notAnEffect = "Fiber.runLoop: Not a valid effect"

/** What an error is that says nothing. Its value is not shown: it may be a part of the payload. */
const kindOf = (error: unknown): string => {
  if (error === undefined || error === null) return String(error)
  if (typeof error !== "object") return `a ${typeof error} instead of an error`
  return typeof read(error, "stack") === "string" ? "an error without a message" : "an object without a message"
}

/** What a handler failed with, as a sentence; `undefined` where the error says nothing at all. */
const saidBy = (error: unknown): string | undefined => {
  if (typeof error === "string" && error.startsWith(notAnEffect)) {
    return "The handler used a value that is not an effect where an effect is expected, such as after yield*"
  }
  const message = messageOf(error)
  if (message !== undefined) return message
  const name = nameOf(error)
  return name === undefined ? textAt(error, "message") : `The handler failed with ${name}`
}

/**
 * Converts an error that no contract declares to a failure: {@link HandlerError.Rejected} is rejected, any other error
 * is run again.
 */
export const undeclared = (error: unknown): HandlerFailure => {
  if (HandlerError.isRejected(error)) {
    return { error, disposition: "rejected", detail: rejectedDetail(error), after: undefined }
  }
  // An infinite delay would keep the entry pending forever, so the schedule decides instead.
  const after = HandlerError.isRetryLater(error) && error.after !== undefined && Duration.isFinite(error.after)
    ? Math.max(0, Duration.toMillis(error.after))
    : undefined
  const type = textAt(error, "_tag") ?? "ProcessingError"
  return {
    error,
    disposition: "retryable",
    detail: detail(
      type,
      "HANDLER_EXECUTION_ERROR",
      saidBy(error) ??
        (type === "ProcessingError" ? `The handler failed with ${kindOf(error)}` : `The handler failed with ${type}`)
    ),
    after
  }
}
