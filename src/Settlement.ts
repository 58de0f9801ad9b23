/**
 * What becomes of a message: one pure function from what happened to what is written.
 *
 * A settlement is data, so that it can be logged, counted, tested and overridden.
 * {@link settlementOf} is the table of the documentation, row by row and from the
 * top; it touches no clock and no server.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import type { ErrorDetail } from "./DomainAction.ts"
import * as DomainAction from "./DomainAction.ts"
import * as HandlerError from "./HandlerError.ts"
import { bounded, messageOf, nameOf, read, textAt } from "./internal/wire/errorText.ts"

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
 * | `unencodable` | the handler ran, but its result does not fit the contract's schema, or is what no client takes |
 * | `rejected` | the handler refused it for good |
 * | `exhausted` | attempts used up, or no attempt left before the deadline |
 * | `undeliverable` | handled, but the answer could not be pushed; it stands in the dead letter, if the server takes it at all |
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
  /**
   * Copied to the dead letters, then acknowledged; `answer` is the error response that goes with it, `failureAction` the
   * action that tells the caller of it where a callback was asked for.
   */
  | {
    readonly _tag: "DeadLetter"
    readonly reason: DeadLetterReason
    readonly error: ErrorDetail
    readonly answer: boolean
    readonly failureAction?: FailureAction | undefined
  }
  /** Stays pending, due now, and costs no attempt. */
  | { readonly _tag: "Release" }
  /** Stays pending for a consumer that knows the type. */
  | { readonly _tag: "Yield"; readonly delay: number; readonly since: number }
  /** Nothing is written: another consumer owns the entry. */
  | { readonly _tag: "Lost" }

/**
 * The action that is sent in place of a callback when an action is rejected or given up.
 *
 * @since 0.2.0
 * @category models
 */
export interface FailureAction {
  readonly actionType: string
  /**
   * What becomes of the payload of the action that failed: `"none"` leaves it out, `"include"` sends it as `payload` where it
   * fits. `"omitted"` leaves it out and says so: the server did not take it.
   */
  readonly payload: "none" | "include" | "omitted"
}

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
  /** Another consumer took the entry over. */
  | { readonly _tag: "LeaseLost" }
  | { readonly _tag: "Malformed"; readonly message: string }
  | { readonly _tag: "Poison" }
  | { readonly _tag: "Expired" }
  /** `since` is when the type was first found unknown, by the server's clock. */
  | { readonly _tag: "Unknown"; readonly since: number }
  | { readonly _tag: "Invalid"; readonly error: ErrorDetail }
  | { readonly _tag: "Succeeded"; readonly data: { readonly [key: string]: unknown } | null }
  | { readonly _tag: "Unencodable"; readonly message: string }
  | { readonly _tag: "Failed"; readonly failure: HandlerFailure }
  /** The handler or the deadline ran out of time. */
  | { readonly _tag: "TimedOut" }
  | { readonly _tag: "Interrupted" }

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
  readonly action: DomainAction.DomainAction | undefined
  readonly attempt: number
  /** Milliseconds by the server's clock. */
  readonly deadline: number | undefined
  /** What the contract says for its action alone: attempts, and the type that a refused callback action answers with. */
  readonly maxAttempts: number | undefined
  readonly failureAction: string | undefined
  /** Whether the failure action carries the payload of the action that failed. Default: `"none"`. */
  readonly failurePayload?: "none" | "include" | undefined
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
 * Decides what becomes of an entry. Rows are tried from the top; the first that fits decides.
 *
 * @param now milliseconds by the server's clock
 * @since 0.1.0
 * @category decisions
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
  // Soon at first, for the worker that is starting beside this one; then at ease.
  const delay = Math.min(Math.max(age / 2, 250), 10_000, policy.unknownFor - age)
  return { _tag: "Yield", delay: Math.ceil(delay), since }
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

/** A failure that another attempt would not mend. */
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

/** Rows 10 and 11: another attempt, unless none is left or it would come too late. */
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
  return { _tag: "Retry", delay, error: failure.detail, answer }
}

/**
 * The failure that a defect stands for. The caller learns its message, never its stack.
 *
 * @since 0.1.0
 * @category decisions
 */
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

/** What Effect dies of when it meets a value that is not an effect. The rest of that text is the value. */
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
  // A time that never comes would keep the entry pending for ever: the schedule tells another.
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
