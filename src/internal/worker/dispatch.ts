/**
 * The steps between an entry and its outcome: find the handler, check whether it may start, and interpret its exit.
 *
 * Every step is pure or an `Exit` that already exists. Only the handler itself needs a fiber.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { DispositionOverrides } from "../../Action.ts"
import type { Delivery } from "../../Delivery.ts"
import type { DomainAction, ErrorDetail, Limits } from "../../DomainAction.ts"
import { isRejected, isRetryLater } from "../../HandlerError.ts"
import { exitOf } from "../base/exit.ts"
import { misfitOf } from "../contract/configs.ts"
import { dispositionOf } from "../contract/disposition.ts"
import type { Route } from "../contract/route.ts"
import { validationDetail } from "../contract/validationDetail.ts"
import { deadlineOf, type Entry, notRead } from "../wire/entry.ts"
import { bounded } from "../wire/errorText.ts"
import { defect, type HandlerFailure, type Outcome, type Subject, undeclared } from "./settlementOf.ts"

export type Data = { readonly [key: string]: unknown } | null

export interface DispatchOptions {
  readonly routes: ReadonlyMap<string, Route>
  readonly limits: Limits
  readonly maxDeliveries: number
  /** The types that operators have paused, and the numbers of the pauses. Default: none. */
  readonly pausedTypes?: () => ReadonlyMap<string, number>
  /** The worker's dispositions of errors, which override those in the contracts. */
  readonly errors: DispositionOverrides | undefined
}

/** Why a run was stopped from outside. */
export type Stop = "lease" | "time" | "shutdown"

/** A delivery that may start. */
export interface Start {
  readonly _tag: "Start"
  readonly subject: Subject & { readonly action: DomainAction }
  readonly route: Route
}

/** A delivery that may start, or one whose outcome is known without running a handler. */
export type Dispatched =
  | { readonly _tag: "Decided"; readonly subject: Subject; readonly outcome: Outcome }
  | Start

/** Classes instead of literals, see `entry.ts`. */
class Known implements Subject {
  readonly action: DomainAction
  readonly attempt: number
  readonly deadline: number | undefined
  readonly maxAttempts: number | undefined
  readonly failureAction: string | undefined
  readonly failurePayload: "none" | "include" | undefined
  constructor(entry: Entry, action: DomainAction, route: Route | undefined, now: number) {
    this.action = action
    this.attempt = entry.record.attempts + 1
    this.deadline = deadlineOf(entry, action, now)
    this.maxAttempts = route?.action?.maxAttempts
    this.failureAction = route?.action?.failureAction?.type
    this.failurePayload = route?.action?.failurePayload
  }
}

class Startable implements Start {
  readonly _tag = "Start"
  readonly subject: Known
  readonly route: Route
  constructor(subject: Known, route: Route) {
    this.subject = subject
    this.route = route
  }
}

const noAction: Subject = {
  action: undefined,
  attempt: 1,
  deadline: undefined,
  maxAttempts: undefined,
  failureAction: undefined
}
const poison: Outcome = { _tag: "Poison" }
const expired: Outcome = { _tag: "Expired" }
const leaseLost: Outcome = { _tag: "LeaseLost" }
const timedOut: Outcome = { _tag: "TimedOut" }
/** A newer action of its lane replaced it before it ran. */
const superseded: Outcome = {
  _tag: "Failed",
  failure: {
    error: undefined,
    disposition: "rejected",
    detail: {
      error_type: "Superseded",
      error_code: "ACTION_SUPERSEDED",
      message: "A newer action with the same key replaced this one before it ran",
      details: null
    },
    after: undefined
  }
}
/** Released without costing an attempt. */
export const interrupted: Outcome = { _tag: "Interrupted" }

/** The action of an entry, or the reason why it has none. */
export type Decoded = Result.Result<DomainAction, string>

/** Rows 2 to 5 of the settlement table, in order. */
export const dispatch = (entry: Entry, decoded: Decoded, options: DispatchOptions, now: number): Dispatched => {
  if (Result.isFailure(decoded)) {
    // An entry that was never read can only have been delivered too often.
    const outcome: Outcome = decoded === notRead ? poison : { _tag: "Malformed", message: decoded.failure }
    return { _tag: "Decided", subject: noAction, outcome }
  }
  const action = decoded.success
  const route = options.routes.get(action.action_type)
  const subject = new Known(entry, action, route, now)
  if (entry.deliveries - entry.record.outcomes > options.maxDeliveries) {
    return { _tag: "Decided", subject, outcome: poison }
  }
  const isFirst = entry.record.outcomes === 0
  if ((subject.deadline !== undefined && subject.deadline <= now) || (isFirst && entry.expires <= now)) {
    return { _tag: "Decided", subject, outcome: expired }
  }
  if (entry.superseded) return { _tag: "Decided", subject, outcome: superseded }
  if (route === undefined) {
    return { _tag: "Decided", subject, outcome: { _tag: "Unknown", since: entry.record.unknownSince || now } }
  }
  if (options.pausedTypes !== undefined) {
    const paused = options.pausedTypes()
    const pause = paused.size > 0 ? paused.get(action.action_type) : undefined
    if (pause !== undefined) return { _tag: "Decided", subject, outcome: { _tag: "Paused", pause } }
  }
  return new Startable(subject, route)
}

/** Marks how far a run got, to distinguish its exit from a rejection by the contract. */
class Misfit {
  readonly outcome: Outcome
  constructor(outcome: Outcome) {
    this.outcome = outcome
  }
}

/** Decodes the payload and runs the handler. The results of synchronous codecs and handlers are exits. */
export const handle = (route: Route, action: DomainAction, delivery: Delivery): Effect.Effect<unknown, unknown> => {
  const decoding = route.decodePayload(action)
  const decoded = exitOf(decoding)
  if (decoded !== undefined) {
    return Exit.isFailure(decoded)
      ? Effect.fail(new Misfit(invalid(route, decoded.cause)))
      : route.handler(decoded.value, delivery)
  }
  return Effect.flatMap(
    Effect.mapError(decoding, (error) => new Misfit(refusal(route, error))),
    (payload) => route.handler(payload, delivery)
  )
}

/** Tells a caller, possibly a program in another language, which part of the payload did not fit. */
const refusal = (route: Route, error: Parameters<typeof validationDetail>[0]): Outcome => {
  const detail = validationDetail(error)
  const message = bounded(`${misfitOf(error, route.actionType)}: ${detail.message}`)
  return { _tag: "Invalid", error: { ...detail, message } }
}

const invalid = (route: Route, cause: Cause.Cause<Parameters<typeof validationDetail>[0]>): Outcome => {
  const failure = cause.reasons.find(Cause.isFailReason)
  return failure === undefined
    ? { _tag: "Failed", failure: defect(Cause.squash(cause)) }
    : refusal(route, failure.error)
}

/** Encodes the result of a handler. Synchronous codecs return an exit. */
export const encodeSuccess = (route: Route, success: unknown): Effect.Effect<Data, unknown> => {
  const encoding = route.encodeSuccess(success)
  const data = exitOf(encoding)
  if (data === undefined) return Effect.catchCause(encoding, (cause) => unencodable(route, cause))
  return Exit.isSuccess(data) ? data : unencodable(route, data.cause)
}

/** The handler has done its work, so a defect of an encoder must not run it again. */
const unencodable = (
  route: Route,
  cause: Cause.Cause<Parameters<typeof validationDetail>[0]>
): Exit.Exit<never, Misfit> => {
  if (Cause.hasInterruptsOnly(cause)) return Exit.interrupt()
  const failure = cause.reasons.find(Cause.isFailReason)
  const message = failure === undefined
    ? `The result of the handler cannot be encoded: ${defect(Cause.squash(cause)).detail.message}`
    : route.action === undefined
    ? failure.error.message
    : `The result of the handler does not fit the contract of ${route.action.type}: ${
      validationDetail(failure.error).message
    }`
  return Exit.fail(new Misfit({ _tag: "Unencodable", message }))
}

/** `Exit → Outcome`. */
export const outcomeOf = (
  exit: Exit.Exit<Data, unknown>,
  stop: Stop | undefined,
  route: Route,
  overrides: DispositionOverrides | undefined
): Outcome => {
  if (stop === "lease") return leaseLost
  if (Exit.isSuccess(exit)) return { _tag: "Succeeded", data: exit.value }
  const error = exit.cause.reasons.find(Cause.isFailReason)?.error
  if (error !== undefined) return error instanceof Misfit ? error.outcome : failedWithAny(error, route, overrides)
  if (!Cause.hasInterruptsOnly(exit.cause)) return { _tag: "Failed", failure: defect(Cause.squash(exit.cause)) }
  if (stop === "time") return timedOut
  // The worker did not ask for this interruption, so it is the handler's own. Released without an attempt, it would run
  // forever.
  return stop === "shutdown" ? interrupted : { _tag: "Failed", failure: defect(interruptedItself) }
}

const interruptedItself = new Error("The handler interrupted itself: end it with a result or an error instead")

/** A handler may fail with any value. If inspecting the value throws, that is a defect of the handler. */
const failedWithAny: typeof failedWith = (error, route, overrides) => {
  try {
    return failedWith(error, route, overrides)
  } catch (thrown) {
    return { _tag: "Failed", failure: defect(thrown) }
  }
}

const failedWith = (error: unknown, route: Route, overrides: DispositionOverrides | undefined): Outcome => {
  const disposition = dispositionOf(route.action, error, overrides)
  const failure = undeclared(error)
  // Every handler may fail with `RetryLater` and `Rejected`; no contract declares them.
  const isOwn = disposition !== "undeclared" && !isRetryLater(error) && !isRejected(error)
  if (!isOwn || route.action === undefined) return { _tag: "Failed", failure }
  const detail = detailOf(route, error)
  return Exit.isSuccess(detail)
    ? { _tag: "Failed", failure: { ...failure, disposition, detail: detail.value } satisfies HandlerFailure }
    : { _tag: "Unencodable", message: unencodableError(detail.cause) }
}

const unencodableError = (cause: Cause.Cause<unknown>): string =>
  Cause.hasDies(cause)
    ? `The error of the handler cannot be encoded: ${defect(Cause.squash(cause)).detail.message}`
    : "The error of the handler does not fit the contract"

/** A declared error whose schema needs services or waits is described by its message only. */
const detailOf = (route: Route, error: unknown): Exit.Exit<ErrorDetail, unknown> => {
  return exitOf(route.encodeError(error)) ?? Exit.succeed(undeclared(error).detail)
}
