/**
 * Ids, a payload and notes → the text of an action as it lies in a stream, which every worker takes; or why there is none.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Action from "../../Action.ts"
import type { SendOptions } from "../../ActionClient.ts"
import type * as ActionContext from "../../ActionContext.ts"
import * as DomainAction from "../../DomainAction.ts"
import * as envelope from "../wire/envelope.ts"
import { maxDigits } from "../wire/integers.ts"
import { refusalOf } from "../wire/refusal.ts"
import * as traceparent from "../wire/traceparent.ts"
import { EncodeError } from "./errors.ts"

/** Where an answer goes, as what, and how it is found. */
export interface AnswerTarget {
  readonly list: string
  readonly type: string | null
  readonly correlationId: string
}

export interface WritingOptions {
  /** The service that sends. */
  readonly service: string
  /** Bytes that an action may have. */
  readonly payloadLimit: number
  readonly clock: Clock.Clock
}

/** Of an action that has its keys in the order of the wire. */
const textOf = (action: DomainAction.DomainAction): string | undefined => {
  try {
    return envelope.actionText(action)
  } catch {
    return undefined
  }
}

export const make = ({ clock, payloadLimit, service }: WritingOptions) => {
  /** Refuses here what every worker would refuse there. `own`: nobody else has the envelope, it need not be copied. */
  const encode = (action: DomainAction.DomainAction, own: boolean): Effect.Effect<string, EncodeError> => {
    const checked = envelope.action(action, own)
    const refuse = (message: string) => Effect.fail(new EncodeError({ actionType: action.action_type, message }))
    if (checked._tag === "Failure") return refuse(checked.failure.text)
    const text = textOf(checked.success)
    if (text === undefined) {
      return refuse(
        `The action cannot be written as JSON: it refers to itself or holds an integer of more than ${maxDigits} digits`
      )
    }
    const refusal = refusalOf(text, payloadLimit)
    return refusal === undefined ? Effect.succeed(text) : refuse(`The action ${refusal}`)
  }

  /** Ids, payload and notes as the text of an envelope; an `Exit` that is already there where the schemas are synchronous. */
  const write = (
    action: Action.Any,
    payload: unknown,
    context: ActionContext.ActionContext,
    actionId: string,
    options: SendOptions,
    trace: string | undefined,
    answer?: AnswerTarget,
    timeout?: number
  ): Effect.Effect<string, EncodeError, unknown> =>
    Effect.flatMapEager(
      Effect.mapErrorEager(
        Action.codec(action).encodePayload(payload),
        (error) =>
          new EncodeError({
            actionType: action.type,
            message: `The payload does not fit the contract of ${action.type}: ${
              Action.validationDetail(error).message
            }`
          })
      ),
      (data) =>
        encode({
          action_id: actionId,
          action_type: action.type,
          timestamp: DomainAction.timestamp(clock.currentTimeMillisUnsafe()),
          // One by one and in the order of the wire, so that the envelope is not copied to bring it there.
          tenant_id: context.tenantId ?? null,
          session_id: context.sessionId ?? null,
          task_id: context.taskId ?? null,
          agent_id: context.agentId ?? null,
          user_id: context.userId ?? null,
          origin_service: service,
          correlation_id: answer?.correlationId ?? options.correlationId ?? null,
          trace_id: context.traceId ?? (trace === undefined ? null : traceparent.traceIdOf(trace)),
          callback_queue_name: answer?.list ?? null,
          callback_action_type: answer?.type ?? null,
          execution_config: null,
          query_config: null,
          rag_config: null,
          data,
          metadata: timeout === undefined ? options.metadata ?? null : { ...options.metadata, timeout_ms: timeout }
        }, true)
    )

  return { encode, write }
}
