/**
 * Builds the text of an action from ids, a payload and metadata. Every worker accepts the result; otherwise it is an
 * error.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type * as Action from "../../Action.ts"
import type { SendOptions } from "../../ActionClient.ts"
import type * as ActionContext from "../../ActionContext.ts"
import * as DomainAction from "../../DomainAction.ts"
import { uuid } from "../base/uuid.ts"
import { codecOf } from "../contract/codec.ts"
import * as Configs from "../contract/configs.ts"
import { validationDetail } from "../contract/validationDetail.ts"
import * as envelope from "../wire/envelope.ts"
import { maxDigits } from "../wire/integers.ts"
import { isLarger, refusalOf } from "../wire/json.ts"
import { timestampOf } from "../wire/timestamp.ts"
import * as traceparent from "../wire/traceparent.ts"
import { EncodeError, InvalidAction, InvalidConfig, InvalidPayload, TooLarge } from "./errors.ts"

/** The target of an answer, its kind, and the id to find it by. */
export interface AnswerTarget {
  readonly list: string
  readonly type: string | null
  readonly correlationId: string
}

export interface WritingOptions {
  /** The service that sends. */
  readonly service: string
  /** The maximum size of an action, in bytes. */
  readonly payloadLimit: number
  readonly clock: Clock.Clock
}

// Python workers do not answer without a trace id, because their response model requires one.
const newTraceId = (trace: string | undefined): string => trace === undefined ? uuid() : traceparent.traceIdOf(trace)

const noText =
  `The action cannot be written as JSON: it refers to itself, or holds an integer of more than ${maxDigits} digits`

/** Whether a value of an action that must be an object has a `toJSON` method, which may return anything. */
const isRewritten = (action: DomainAction.DomainAction): boolean =>
  writesItself(action.data) || writesItself(action.metadata) || writesItself(action.execution_config) ||
  writesItself(action.query_config) || writesItself(action.rag_config)

const writesItself = (value: object | null): boolean => value !== null && "toJSON" in value

/** Keys whose values a message may show: the caller made them up itself, to be seen. */
const shown = new Set(["action_id", "action_type", "correlation_id"])

/** `action_id: expected a UUID` says what is expected; this adds what was found. */
const withFound = (action: DomainAction.DomainAction, refusal: string): string => {
  const [, key = "", expected] = /^(\w+): (expected .*)$/s.exec(refusal) ?? []
  // SAFETY: a key of the envelope, whose value stays unknown.
  const found = (action as Readonly<Record<string, unknown>>)[key]
  if (expected === undefined) return refusal
  const text = typeof found !== "string"
    ? found === null || found === undefined ? String(found) : `a value of type ${typeof found}`
    : shown.has(key)
    ? JSON.stringify(found.length > 80 ? `${found.slice(0, 80)}…` : found)
    : "a text of another form"
  return `${key} is ${text}: ${expected}${key === "action_id" ? ", such as crypto.randomUUID() returns" : ""}`
}

/** Python services read keys of the metadata without asking whether there is any. */
const noMetadata = {}

export const make = ({ clock, payloadLimit, service }: WritingOptions) => {
  /** Rejects here what every worker would reject. The envelope is used only once. */
  const encode = (action: DomainAction.DomainAction): Effect.Effect<string, EncodeError> => {
    const refuse = (message: string, Reason: typeof InvalidAction | typeof TooLarge = InvalidAction) =>
      Effect.fail(new EncodeError({ actionType: action.action_type, reason: new Reason({ message }) }))
    const checked = envelope.action(action, true)
    if (checked._tag === "Failure") return refuse(withFound(action, checked.failure.text))
    let text: string
    try {
      text = checked.success === action ? envelope.orderedText(action) : envelope.actionText(checked.success)
    } catch {
      return refuse(noText)
    }
    if (isRewritten(checked.success)) {
      const read = DomainAction.parse(text, { ...DomainAction.defaultLimits, maxBytes: payloadLimit })
      if (read._tag === "Failure") return refuse(`A toJSON of the action writes a malformed one: ${read.failure.text}`)
    }
    const refusal = refusalOf(text, payloadLimit)
    if (refusal === undefined) return Effect.succeed(text)
    return refuse(`The action ${refusal}`, isLarger(text, payloadLimit) ? TooLarge : InvalidAction)
  }

  /** The text of an envelope with ids, payload and metadata. An `Exit` if the schemas are synchronous. */
  const write = (
    action: Action.Any,
    payload: unknown,
    context: ActionContext.ActionContext,
    actionId: string,
    options: SendOptions,
    trace: string | undefined,
    answer?: AnswerTarget,
    timeout?: number
  ): Effect.Effect<string, EncodeError, unknown> => {
    const codec = codecOf(action)
    const misfit = (error: Schema.SchemaError) => {
      const message = `${Configs.misfitOf(error, action.type)}: ${validationDetail(error).message}`
      const Reason = error instanceof Configs.ConfigsRefused ? InvalidConfig : InvalidPayload
      return new EncodeError({ actionType: action.type, reason: new Reason({ message }) })
    }
    const compose = (data: Schema.JsonObject, configs: Configs.OnWire) =>
      encode({
        action_id: actionId,
        action_type: action.type,
        timestamp: timestampOf(clock.currentTimeMillisUnsafe()),
        // Key by key in the order of the wire, so that the envelope need not be copied to reorder it.
        tenant_id: context.tenantId ?? null,
        session_id: context.sessionId ?? null,
        task_id: context.taskId ?? null,
        agent_id: context.agentId ?? null,
        user_id: context.userId ?? null,
        origin_service: service,
        correlation_id: answer?.correlationId ?? options.correlationId ?? null,
        trace_id: context.traceId ?? newTraceId(trace),
        callback_queue_name: answer?.list ?? null,
        callback_action_type: answer?.type ?? null,
        execution_config: configs.execution_config,
        query_config: configs.query_config,
        rag_config: configs.rag_config,
        data,
        metadata: timeout === undefined ? options.metadata ?? noMetadata : { ...options.metadata, timeout_ms: timeout }
      })
    return Effect.flatMapEager(
      Effect.mapErrorEager(codec.encodePayload(payload), misfit),
      (data) =>
        Effect.flatMapEager(
          Effect.mapErrorEager(codec.encodeConfigs(options, context), misfit),
          (configs) => compose(data, configs)
        )
    )
  }

  /** Completes a caller's own envelope with the keys that Python services require. */
  const refill = (action: DomainAction.DomainAction, trace: string | undefined): Effect.Effect<string, EncodeError> =>
    encode({
      ...action,
      trace_id: action.trace_id ?? newTraceId(trace),
      metadata: action.metadata ?? noMetadata
    })

  return { write, refill }
}

export type Writing = ReturnType<typeof make>
