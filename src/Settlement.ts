/**
 * Settlements: a pure function decides, from the outcome of a delivery, what a worker writes to Redis.
 *
 * A settlement is data, so you can log, count, test and override it. {@link settlementOf} implements the table in the
 * documentation row by row, from the top. It uses neither a clock nor a server.
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
 * Why an action became a dead letter.
 *
 * | reason | what happened |
 * | --- | --- |
 * | `malformed` | the entry is not an action: no `data`, not JSON, not a DomainAction, over a limit |
 * | `poison` | delivered too often without an outcome: it kills its workers |
 * | `unknown` | no worker that knows its type appeared in time |
 * | `invalid` | the contract's schema rejects the payload |
 * | `unencodable` | the handler ran, but its result does not fit the contract's schema, or no client would accept it |
 * | `rejected` | the handler rejected it for good |
 * | `exhausted` | all attempts are used up, or the next one would start after the deadline |
 * | `undeliverable` | the handler ran, but the answer could not be delivered; the dead letter holds it if the server accepts it |
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
 * What a worker writes for an entry. `Ack`, `Reply`, `Callback`, `Reject` and `DeadLetter` end the entry. `Retry`,
 * `Release` and `Yield` keep it pending with a due time. `Lost` writes nothing.
 *
 * @since 0.1.0
 * @category models
 */
export type Settlement =
  /** Acknowledged. `expired` if it was not run because the caller no longer waits. */
  | { readonly _tag: "Ack"; readonly expired: boolean }
  /** A response with the result, then acknowledged. */
  | { readonly _tag: "Reply"; readonly data: { readonly [key: string]: unknown } | null }
  /** A new action with the result, then acknowledged. */
  | { readonly _tag: "Callback"; readonly actionType: string; readonly data: { readonly [key: string]: unknown } }
  /** An error response, then acknowledged. */
  | { readonly _tag: "Reject"; readonly error: ErrorDetail }
  /**
   * Stays pending and runs again after `delay` milliseconds. `answer` is sent at each failure if the policy asks for
   * that.
   */
  | { readonly _tag: "Retry"; readonly delay: number; readonly error: ErrorDetail; readonly answer: boolean }
  /**
   * Copied to the dead letters, then acknowledged. `answer` is the error response sent with it. `failureAction` is the
   * action that informs a caller who asked for a callback.
   */
  | {
    readonly _tag: "DeadLetter"
    readonly reason: DeadLetterReason
    readonly error: ErrorDetail
    readonly answer: boolean
    readonly failureAction?: FailureAction | undefined
  }
  /** Stays pending and is due now. It does not cost an attempt. */
  | { readonly _tag: "Release" }
  /** Stays pending for a consumer that knows the type. */
  | { readonly _tag: "Yield"; readonly delay: number; readonly since: number }
  /** Nothing is written, because another consumer owns the entry. */
  | { readonly _tag: "Lost" }

/**
 * The action sent instead of a callback when an action is rejected or given up.
 *
 * @since 0.2.0
 * @category models
 */
export interface FailureAction {
  readonly actionType: string
  /**
   * How the payload of the failed action is handled. `"none"` leaves it out. `"include"` sends it as `payload` if it
   * fits. `"omitted"` leaves it out and says so, because the server did not accept it.
   */
  readonly payload: "none" | "include" | "omitted"
}

// -----------------------------------------------------------------------------
// outcomes
// -----------------------------------------------------------------------------

/**
 * What happened to a delivery, before the settlement is decided.
 *
 * @since 0.1.0
 * @category models
 */
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

/**
 * An error of a handler, classified by its contract.
 *
 * @since 0.1.0
 * @category models
 */
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

/**
 * The facts about a delivery that the decision depends on.
 *
 * @since 0.1.0
 * @category models
 */
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

/**
 * The worker options that a settlement depends on.
 *
 * @since 0.1.0
 * @category models
 */
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
 *
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
  // Soon at first, for a worker that is starting at the same time; later less often.
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
  return { _tag: "Retry", delay, error: failure.detail, answer }
}

/**
 * Converts a defect to a failure. The caller gets its message, never its stack.
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
 *
 * @since 0.1.0
 * @category decisions
 */
export const undeclared = (error: unknown): HandlerFailure => {
  if (HandlerError.isRejected(error)) {
    return { error, disposition: "rejected", detail: HandlerError.rejectedDetail(error), after: undefined }
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
