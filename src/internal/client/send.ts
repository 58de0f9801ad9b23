/** The calls that append actions without waiting for an answer. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Action from "../../Action.ts"
import type { SendOptions, Target as SentTarget, When } from "../../ActionClient.ts"
import type { DomainAction } from "../../DomainAction.ts"
import type { Receipt } from "../../Receipt.ts"
import type { InvalidOption } from "../base/invalidOption.ts"
import { uuid } from "../base/uuid.ts"
import { uniqueFor } from "../contract/unique.ts"
import { callbackInbox } from "../redis/names.ts"
import type { AnswerTarget } from "./append.ts"
import { EncodeError, InvalidAction } from "./errors.ts"
import type { Laned } from "./laneOf.ts"
import { isPlain } from "./later.ts"
import { actionIdOf, contextFor, type SendFailure, type SendingOptions, sent } from "./sending.ts"
import { makeSendMany } from "./sendMany.ts"
import type { Target } from "./streams.ts"
import { traced } from "./telemetry.ts"

/** The target of a callback. */
interface CallbackTarget {
  readonly action: Action.Any
  readonly to?: "list" | "stream" | undefined
  readonly service?: string | undefined
}

/** The options of a call with the key of the contract. The caller's own key comes first. */
const keyed = (
  action: Action.Any,
  payload: unknown,
  options: SendOptions
): Result.Result<SendOptions, EncodeError | InvalidOption> => {
  if (action.unique === undefined || options.unique !== undefined || options.debounce !== undefined) {
    return Result.succeed(options)
  }
  return Result.mapBoth(uniqueFor(action, payload), {
    onSuccess: (unique) => ({ ...options, unique }),
    onFailure: (fault) =>
      fault._tag === "NoKey"
        ? fault.error
        : new EncodeError({ actionType: action.type, reason: new InvalidAction({ message: fault.message }) })
  })
}

export const make = (options: SendingOptions) => {
  const { lanes, later, naming, streams, writing } = options

  const sendLater = Effect.fnUntraced(function*(
    target: Target,
    actionType: string,
    actionId: string,
    options: SendOptions,
    text: string,
    traceparent: string | undefined,
    laned?: Laned
  ) {
    const terms = yield* later.terms(options)
    const [receipt] = yield* later.add(target, actionType, terms, {
      ids: [actionId],
      texts: [text],
      traceparent,
      laned: laned && { lanes: [laned.lane], rule: laned.rule }
    })
    return receipt!
  })

  /** The lane is that of a payload that fits the contract. */
  const sendLaned = Effect.fnUntraced(function*(
    action: Action.Any,
    payload: unknown,
    target: Target,
    actionId: string,
    options: SendOptions,
    text: string,
    traceparent: string | undefined
  ) {
    const laned = yield* lanes.of(action, payload, target.service)
    return yield* sendLater(target, action.type, actionId, options, text, traceparent, laned)
  })

  /** Sends one action, with or without a callback. */
  const sendOne = (action: Action.Any, payload: unknown, options: SendOptions, answer?: AnswerTarget) =>
    Effect.withFiber((fiber): Effect.Effect<Receipt, SendFailure, unknown> => {
      const target = streams.of(action.type, options.service)
      if (Exit.isFailure(target)) return Effect.failCause(target.cause)
      const id = actionIdOf(action.type, options.actionId)
      if (Exit.isFailure(id)) return Effect.failCause(id.cause)
      const { stream } = target.value
      const actionId = id.value
      const context = contextFor(fiber, options)
      return traced(
        { operation: "send", actionType: action.type, stream, actionId, count: 1 },
        (trace) =>
          Effect.flatMapEager(
            writing.write(action, payload, context, actionId, options, trace, answer),
            (text) => {
              // After the payload is known to fit. A caller that waits for an answer always sends.
              const whole = answer === undefined ? keyed(action, payload, options) : Result.succeed(options)
              if (Result.isFailure(whole)) return Effect.fail(whole.failure)
              return action.lane !== undefined
                ? sendLaned(action, payload, target.value, actionId, whole.success, text, trace)
                : isPlain(whole.success)
                ? Effect.map(streams.add(stream, text, trace), (entryId) => sent(target.value, actionId, entryId))
                : sendLater(target.value, action.type, actionId, whole.success, text, trace)
            }
          )
      )
    })

  const sendWithCallback = (
    action: Action.Any,
    payload: unknown,
    options: SendOptions & { readonly callback: Action.Any | CallbackTarget }
  ) => {
    const target: CallbackTarget = Action.isAction(options.callback) ? { action: options.callback } : options.callback
    const { type } = target.action
    const list = streams.namesFor(
      type,
      target.service,
      (service) => target.to === "stream" ? streams.ofService(service).stream : callbackInbox(naming, service, type),
      "callback.service"
    )
    return Exit.isFailure(list)
      ? list
      : sendOne(action, payload, options, { list: list.value, type, correlationId: options.correlationId ?? uuid() })
  }

  const sendAction = Effect.fnUntraced(function*(envelope: DomainAction, options: Pick<SendOptions, "service"> = {}) {
    const target = yield* streams.of(envelope.action_type, options.service)
    const { stream } = target
    return yield* traced(
      { operation: "send", actionType: envelope.action_type, stream, actionId: envelope.action_id, count: 1 },
      (trace) =>
        Effect.flatMapEager(
          writing.refill(envelope, trace),
          (text) =>
            Effect.map(
              streams.add(stream, text, trace),
              (entryId) => sent(target, envelope.action_id.toLowerCase(), entryId)
            )
        )
    )
  })

  return {
    send: (action: Action.Any, payload: unknown, options: SendOptions = {}) => sendOne(action, payload, options),
    sendMany: makeSendMany(options),
    sendWithCallback,
    sendAction,
    reschedule: Effect.fnUntraced(function*({ actionId, service }: SentTarget, when: When) {
      const target = yield* streams.of("", service)
      return yield* later.reschedule(target, actionId.toLowerCase(), when)
    }),
    remove: Effect.fnUntraced(function*({ actionId, service }: SentTarget) {
      const target = yield* streams.of("", service)
      return yield* later.remove(target, actionId.toLowerCase())
    })
  }
}
