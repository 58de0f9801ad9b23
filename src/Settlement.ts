/**
 * What becomes of a message: one pure function from what happened to what is written.
 *
 * A settlement is data, so that it can be logged, counted, tested and overridden.
 * {@link settlementOf} is the table of the documentation, row by row and from the
 * top; it touches no clock and no server.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import type { DomainAction, ErrorDetail } from "./DomainAction.ts"
import * as HandlerError from "./HandlerError.ts"
import * as Duration from "effect/Duration"

// -----------------------------------------------------------------------------
// settlements
// -----------------------------------------------------------------------------

/**
 * Why an action went to the dead letters.
 *
 * | reason | what happened |
 * | --- | --- |
 * | `malformed` | the entry is no action: no `data`, not JSON, not a DomainAction, over a limit |
 * | `poison` | delivered too often without an outcome: it kills its workers |
 * | `unknown` | no worker that knows its type appeared in time |
 * | `invalid` | the payload is refused by the contract's schema |
 * | `unencodable` | the handler ran, but its result does not fit the contract's schema |
 * | `rejected` | the handler refused it for good |
 * | `exhausted` | attempts used up, or no attempt left before the deadline |
 * | `undeliverable` | handled, but the answer could not be pushed; the answer stands in the dead letter |
 *
 * @since 0.1.0
 * @category models
 */
export type DeadLetterReason =
  | "malformed"
  | "poison"
  | "unknown"
  | "invalid"
  | "unencodable"
  | "rejected"
  | "exhausted"
  | "undeliverable"

/**
 * What is written for an entry. `Ack`, `Reply`, `Callback`, `Reject` and `DeadLetter` end it; `Retry`, `Release` and
 * `Yield` keep it pending with a due time; `Lost` writes nothing.
 *
 * @since 0.1.0
 * @category models
 */
export type Settlement =
  /** Acknowledged; `expired` when it was not run because nobody waits any more. */
  | { readonly _tag: "Ack"; readonly expired: boolean }
  /** A response with the result, then acknowledged. */
  | { readonly _tag: "Reply"; readonly data: { readonly [key: string]: unknown } | null }
  /** A new action with the result, then acknowledged. */
  | { readonly _tag: "Callback"; readonly actionType: string; readonly data: { readonly [key: string]: unknown } }
  /** An error response, then acknowledged. */
  | { readonly _tag: "Reject"; readonly error: ErrorDetail }
  /** Stays pending and is run again after `delay` milliseconds; `answer` is sent at each failure where that is asked for. */
  | { readonly _tag: "Retry"; readonly delay: number; readonly error: ErrorDetail; readonly answer: boolean }
  /** Copied to the dead letters, then acknowledged; `answer` is the error response that goes with it. */
  | {
    readonly _tag: "DeadLetter"
    readonly reason: DeadLetterReason
    readonly error: ErrorDetail
    readonly answer: boolean
  }
  /** Stays pending, due now, and costs no attempt. */
  | { readonly _tag: "Release" }
  /** Stays pending for a consumer that knows the type. */
  | { readonly _tag: "Yield"; readonly delay: number; readonly since: number }
  /** Nothing is written: another consumer owns the entry. */
  | { readonly _tag: "Lost" }

// -----------------------------------------------------------------------------
// outcomes
// -----------------------------------------------------------------------------

/**
 * What happened to a delivery, before anything is decided.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome =
  | { readonly _tag: "LeaseLost" }
  | { readonly _tag: "Malformed"; readonly message: string }
  | { readonly _tag: "Poison" }
  | { readonly _tag: "Expired" }
  /** `since` is when the type was first found unknown, by the server's clock. */
  | { readonly _tag: "Unknown"; readonly since: number }
  | { readonly _tag: "Invalid"; readonly message: string; readonly issues: ReadonlyArray<unknown> }
  | { readonly _tag: "Unencodable"; readonly message: string }
  | { readonly _tag: "Handled"; readonly exit: Exit.Exit<{ readonly [key: string]: unknown } | null, HandlerFailure> }

/**
 * An error of a handler, as the contract sees it.
 *
 * @since 0.1.0
 * @category models
 */
export interface HandlerFailure {
  /** The error itself. */
  readonly error: unknown
  /** What its contract, its annotation or the worker's overrides say of it. */
  readonly disposition: "rejected" | "retryable"
  /** As the caller reads it. */
  readonly detail: ErrorDetail
  /** A delay that the handler asked for, in milliseconds. */
  readonly after: number | undefined
}

/**
 * What the decision needs to know of the delivery.
 *
 * @since 0.1.0
 * @category models
 */
export interface Subject {
  /** `undefined` when the entry could not be decoded. */
  readonly action: DomainAction | undefined
  readonly attempt: number
  /** Milliseconds by the server's clock. */
  readonly deadline: number | undefined
}

/**
 * The choices of a worker that bear on a settlement.
 *
 * @since 0.1.0
 * @category models
 */
export interface Policy {
  readonly maxAttempts: number
  /** Milliseconds. */
  readonly unknownFor: number
  /** Milliseconds to wait after the given number of failed attempts. */
  readonly retryDelay: (attempts: number) => number
  /** `"final"` answers the last failure, `"every-attempt"` each one, as the Python worker does. */
  readonly errorReplies: "final" | "every-attempt"
  /** `"dead-letter"` keeps failures of callback actions to ourselves, `"response"` pushes an error response to the callback list too. */
  readonly callbackErrors: "dead-letter" | "response"
  /** The action type that a failed callback action answers with, if its contract names one. */
  readonly failureAction: string | undefined
}

/**
 * Who waits for the outcome of an action.
 *
 * @since 0.1.0
 * @category models
 */
export type Expectation = "none" | "response" | "callback"

/**
 * Reads from the envelope who waits: no list, a response, or a callback.
 *
 * @since 0.1.0
 * @category decisions
 */
export const expectationOf = (action: DomainAction | undefined): Expectation =>
  action === undefined || action.callback_queue_name === null
    ? "none"
    : action.callback_action_type === null
    ? "response"
    : "callback"

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
): ErrorDetail => ({ error_type, error_code, message, details })

/**
 * Decides what becomes of an entry. Rows are tried from the top; the first that fits decides.
 *
 * @param now milliseconds by the server's clock
 * @since 0.1.0
 * @category decisions
 */
export const settlementOf = (outcome: Outcome, subject: Subject, policy: Policy, now: number): Settlement => {
  const expectation = expectationOf(subject.action)
  const bury = (reason: DeadLetterReason, error: ErrorDetail): Settlement => ({
    _tag: "DeadLetter",
    reason,
    error,
    answer: expectation === "response" || (expectation === "callback" && policy.callbackErrors === "response")
  })
  switch (outcome._tag) {
    case "LeaseLost": // row 1
      return lost
    case "Malformed": // row 2
      return bury("malformed", detail("Malformed", "MALFORMED_ACTION", outcome.message))
    case "Poison": // row 3
      return bury("poison", detail("Poison", "POISON_ACTION", "The action was delivered too often without an outcome"))
    case "Expired": // row 4
      return expired
    case "Unknown": // row 5
      return unknown(outcome.since, subject, policy, now, bury)
    case "Invalid": // row 6
      return refuse("invalid", expectation, policy, bury, {
        ...detail("ValidationError", "VALIDATION_ERROR", outcome.message),
        details: { issues: outcome.issues }
      })
    case "Unencodable": // row 8
      return bury("unencodable", detail("UnencodableResult", "UNENCODABLE_RESULT", outcome.message))
    case "Handled":
      return outcome.exit._tag === "Success"
        ? succeed(expectation, subject, outcome.exit.value) // row 7
        : fail(outcome.exit.cause, expectation, subject, policy, now, bury) // rows 9 to 12
  }
}

type Bury = (reason: DeadLetterReason, error: ErrorDetail) => Settlement

const unknown = (since: number, subject: Subject, policy: Policy, now: number, bury: Bury): Settlement => {
  const age = now - since
  if (age >= policy.unknownFor) {
    const type = subject.action?.action_type ?? ""
    return bury("unknown", detail("NotImplemented", "ACTION_NOT_IMPLEMENTED", `No handler for ${type}`))
  }
  // Soon at first, for the worker that is starting beside this one; then at ease.
  const delay = Math.min(Math.max(age / 2, 250), 10_000, policy.unknownFor - age)
  return { _tag: "Yield", delay: Math.ceil(delay), since }
}

const succeed = (
  expectation: Expectation,
  subject: Subject,
  data: { readonly [key: string]: unknown } | null
): Settlement => {
  switch (expectation) {
    case "none":
      return acknowledge
    case "response":
      return { _tag: "Reply", data }
    case "callback":
      return { _tag: "Callback", actionType: subject.action?.callback_action_type ?? "", data: data ?? emptyData }
  }
}

/** A failure that another attempt would not mend. */
const refuse = (
  reason: "invalid" | "rejected" | "exhausted",
  expectation: Expectation,
  policy: Policy,
  bury: Bury,
  error: ErrorDetail
): Settlement => {
  if (expectation === "callback" && policy.failureAction !== undefined && reason !== "invalid") {
    return { _tag: "Callback", actionType: policy.failureAction, data: { ...error } }
  }
  const answered = expectation === "response" || (expectation === "callback" && policy.callbackErrors === "response")
  return answered && reason !== "exhausted" ? { _tag: "Reject", error } : bury(reason, error)
}

const fail = (
  cause: Cause.Cause<HandlerFailure>,
  expectation: Expectation,
  subject: Subject,
  policy: Policy,
  now: number,
  bury: Bury
): Settlement => {
  const failure = cause.reasons.find(Cause.isFailReason)?.error
  if (failure === undefined && Cause.hasInterruptsOnly(cause)) return release // row 12
  if (failure?.disposition === "rejected") return refuse("rejected", expectation, policy, bury, failure.detail) // row 9
  const error = failure?.detail ?? defectDetail(cause)
  const delay = failure?.after ?? policy.retryDelay(subject.attempt)
  const late = subject.deadline !== undefined && now + delay >= subject.deadline
  if (subject.attempt >= policy.maxAttempts || late) return refuse("exhausted", expectation, policy, bury, error) // row 11
  const everyAttempt = policy.errorReplies === "every-attempt" && expectation === "response"
  return { _tag: "Retry", delay, error, answer: everyAttempt } // row 10
}

/** What a caller may know of a bug: its kind and message, never its stack. */
const defectDetail = (cause: Cause.Cause<unknown>): ErrorDetail => {
  const defect = Cause.squash(cause)
  return detail(
    "ProcessingError",
    "HANDLER_EXECUTION_ERROR",
    Predicate.isError(defect) ? defect.message : "The handler failed"
  )
}

/**
 * The failure that stands for an error which no contract declares: {@link HandlerError.Rejected} is refused, anything
 * else is run again.
 *
 * @since 0.1.0
 * @category decisions
 */
export const undeclared = (error: unknown): HandlerFailure => {
  if (HandlerError.isRejected(error)) {
    return { error, disposition: "rejected", detail: HandlerError.rejectedDetail(error), after: undefined }
  }
  const after = HandlerError.isRetryLater(error) && error.after !== undefined
    ? Duration.toMillis(error.after)
    : undefined
  const type = Predicate.hasProperty(error, "_tag") && typeof error._tag === "string" ? error._tag : "ProcessingError"
  return {
    error,
    disposition: "retryable",
    detail: detail(
      type,
      "HANDLER_EXECUTION_ERROR",
      Predicate.isError(error) && error.message !== "" ? error.message : `The handler failed with ${type}`
    ),
    after
  }
}
