/**
 * The JSON that services exchange: `DomainAction`, its answer `DomainActionResponse`, and `ErrorDetail`.
 *
 * Keys keep the names they have on the wire (snake_case), and a timestamp is an opaque string, so that what a handler
 * sees is what `redis-cli` shows, to the microsecond. Keys that this library does not know survive a round trip.
 *
 * The schemas are the truth. {@link parse}, {@link parseResponse} and {@link encode} are the same rules written out by
 * hand for the path that every message takes: they agree with the schemas (a property test holds them to it), and add
 * what a schema cannot say: limits of size and depth, looked at before any JSON is parsed.
 *
 * @since 0.1.0
 */
import type * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as envelope from "./internal/wire/envelope.ts"
import * as Fields from "./internal/wire/fields.ts"
import { maxDepth } from "./internal/wire/json.ts"

// -----------------------------------------------------------------------------
// Schemas
// -----------------------------------------------------------------------------

/**
 * A message to a service: what to do, with which payload, and where the answer goes.
 *
 * Decoding is lenient where older senders were: ids that are absent become `null`. Encoding always writes every key,
 * as the Python models expect.
 *
 * @since 0.1.0
 * @category schemas
 */
export const DomainAction: Schema.StructWithRest<Schema.Struct<typeof Fields.action>, typeof Fields.rest> = Schema
  .StructWithRest(Schema.Struct(Fields.action), Fields.rest)

/**
 * A decoded {@link DomainAction}: all keys are present, `null` where the sender had nothing to say.
 *
 * @since 0.1.0
 * @category models
 */
export type DomainAction = typeof DomainAction.Type

/**
 * What went wrong, as an answer tells it.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ErrorDetail: Schema.StructWithRest<Schema.Struct<typeof Fields.error>, typeof Fields.rest> =
  Fields.ErrorDetail

/**
 * A decoded {@link ErrorDetail}.
 *
 * @since 0.1.0
 * @category models
 */
export type ErrorDetail = typeof ErrorDetail.Type

const Written = Schema.StructWithRest(Schema.Struct(Fields.response), Fields.rest).check(
  Schema.makeFilter((written) => written.success !== null || written.status_code !== null, {
    expected: "success or status_code"
  })
)

const Normal = Schema.toType(
  Schema.StructWithRest(
    Schema.Struct({ ...Fields.response, status_code: Schema.Int, success: Schema.Boolean }),
    Fields.rest
  )
)

/**
 * The answer to an action.
 *
 * Two forms are on the wire: the newer one says `success`, the older one `action_type` and `status_code`. Either is
 * accepted and becomes the superset of both, and the superset is what is written. Of the older form, a status from
 * 200 to 299 without an error is a success.
 *
 * @since 0.1.0
 * @category schemas
 */
export const DomainActionResponse = Written.pipe(
  Schema.decodeTo(
    Normal,
    SchemaTransformation.transform({
      decode: (written) => ({ ...written, ...envelope.outcomeOf(written) }),
      encode: (response) => response
    })
  )
)

/**
 * A decoded {@link DomainActionResponse}.
 *
 * @since 0.1.0
 * @category models
 */
export type DomainActionResponse = typeof DomainActionResponse.Type

// -----------------------------------------------------------------------------
// Reading
// -----------------------------------------------------------------------------

/**
 * What a text may cost. `maxBytes` counts UTF-8; `maxDepth` counts nested objects and arrays, the message itself
 * included (a limit above 1000 counts as 1000).
 *
 * @since 0.1.0
 * @category models
 */
export interface Limits {
  readonly maxBytes: number
  readonly maxDepth: number
}

/**
 * 4 MiB, and 64 levels.
 *
 * @since 0.1.0
 * @category models
 */
export const defaultLimits: Limits = { maxBytes: 4 * 1024 * 1024, maxDepth }

/**
 * Why a text is no message. `text` is a short sentence for logs and dead letters: it names keys of the format, and
 * never repeats anything of the payload.
 *
 * - `NoData`: the entry has no field `data`
 * - `NotUtf8`: the bytes are no UTF-8
 * - `TooLarge`, `TooDeep`: over a limit of {@link Limits}
 * - `NotJson`: `JSON.parse` refuses it, or it holds an integer of more than 4300 digits
 * - `ForbiddenKey`: a key `__proto__` somewhere in it
 * - `NotAnAction`: JSON of another shape
 *
 * @since 0.1.0
 * @category models
 */
export interface MalformedReason {
  readonly _tag: "NoData" | "NotUtf8" | "TooLarge" | "TooDeep" | "NotJson" | "ForbiddenKey" | "NotAnAction"
  readonly text: string
}

/**
 * Builds a {@link MalformedReason}.
 *
 * @since 0.1.0
 * @category constructors
 */
export const malformed = (tag: MalformedReason["_tag"], text: string): MalformedReason => ({ _tag: tag, text })

/**
 * Whether a value is an action type: `service.verb` or `service.entity.verb`, each part of letters, digits, `_` and
 * `-`, at most 128 characters.
 *
 * @since 0.1.0
 * @category guards
 */
export const isActionType: (value: unknown) => value is string = Fields.isActionType

/**
 * Reads an action from the text of a stream entry.
 *
 * **Details**
 *
 * In this order, so that no text costs more than its size: bytes, depth, JSON, keys `__proto__`, shape. Nothing is
 * thrown. What it accepts and gives is what {@link DomainAction} decodes, with the known keys in the order of the wire.
 *
 * **Gotchas**
 *
 * A client that turns bytes into strings puts U+FFFD where they were no UTF-8, so that the text alone cannot tell such
 * bytes from a U+FFFD that was sent. {@link mayBeBroken} says when a look at the bytes is due.
 *
 * An integer beyond 2^53 is a `bigint`, digit for digit, and one of more than 4300 digits is refused. Every other number
 * is a double: `30.0` becomes `30`.
 *
 * @since 0.1.0
 * @category decoding
 */
export const parse = (text: string, limits: Limits = defaultLimits): Result.Result<DomainAction, MalformedReason> =>
  envelope.parseAction(text, limits)

/**
 * Reads an answer from the text of a list item, in either form. As {@link parse}, for {@link DomainActionResponse}.
 *
 * @since 0.1.0
 * @category decoding
 */
export const parseResponse = (
  text: string,
  limits: Limits = defaultLimits
): Result.Result<DomainActionResponse, MalformedReason> => envelope.parseResponse(text, limits)

/**
 * Checks a value that is already parsed, such as an action put together by a caller: would a worker accept it?
 *
 * @since 0.1.0
 * @category decoding
 */
export const check = (value: unknown): Result.Result<DomainAction, MalformedReason> => envelope.action(value)

/**
 * Whether a text holds U+FFFD, which stands for bytes that are no UTF-8, or was sent as it is.
 *
 * @since 0.1.0
 * @category decoding
 */
export const mayBeBroken = (text: string): boolean => text.includes("\uFFFD")

// -----------------------------------------------------------------------------
// Writing
// -----------------------------------------------------------------------------

/**
 * Writes an action: every key, in the order in which the Python models write them, then the keys that they do not know.
 *
 * **Details**
 *
 * A `bigint` is written as an integer, digit for digit. A number beyond 2^53 is written with an exponent (`1e+20`), as
 * Python writes a float, so that readers do not take it for an integer.
 *
 * **Gotchas**
 *
 * Throws what `JSON.stringify` throws (a `TypeError`) where `data` or another value is not JSON, such as an object that
 * refers to itself, and a `RangeError` for a `bigint` of more than 4300 digits.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encode = (action: DomainAction): string => envelope.actionText(action)

/**
 * Writes an answer. As {@link encode}, for {@link DomainActionResponse}.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodeResponse = (response: DomainActionResponse): string => envelope.responseText(response)

// -----------------------------------------------------------------------------
// Constructors
// -----------------------------------------------------------------------------

/**
 * What {@link make} takes: the four keys that every action has, and any of the others.
 *
 * @since 0.1.0
 * @category models
 */
export type Input =
  & Pick<DomainAction, "action_id" | "action_type" | "timestamp" | "data">
  & {
    readonly [K in Exclude<keyof typeof Fields.action, "action_id" | "action_type" | "timestamp" | "data">]?:
      | DomainAction[K]
      | undefined
  }

/**
 * A new action. What is left out is `null`, except `metadata`, which is `{}` as in the Python models.
 *
 * **Example** (An action as a client sends it)
 *
 * ```ts
 * import { DomainAction } from "effect-redis-workers"
 *
 * const action = DomainAction.make({
 *   action_id: "3f0c1b9e-6f0a-4d8e-9a53-2b1f6f0a77aa",
 *   action_type: "user.create",
 *   timestamp: DomainAction.timestamp(1751169780000),
 *   origin_service: "orchestrator",
 *   data: { email: "ana@example.com" }
 * })
 * console.log(DomainAction.encode(action))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (input: Input): DomainAction =>
  envelope.orderedAction({ ...envelope.blankAction, ...input, metadata: input.metadata ?? {} })

/**
 * A time as this library writes it: ISO 8601 in UTC with milliseconds and `Z`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const timestamp = (millis: number): string => {
  if (millis !== lastMillis) {
    lastMillis = millis
    lastTimestamp = new Date(millis).toISOString()
  }
  return lastTimestamp
}

// Thousands of messages are written in a millisecond, and the text takes half a microsecond to make.
let lastMillis = Number.NaN
let lastTimestamp = ""

/**
 * What is new about an answer: an id of its own, and when it was written.
 *
 * @since 0.1.0
 * @category models
 */
export interface AnswerOptions {
  /** A UUID; not the id of the action. */
  readonly actionId: string
  /** ISO 8601 in UTC, see {@link timestamp}. */
  readonly timestamp: string
  /** A UUID. The trace id of the answer where the action has none. Default: `null`. */
  readonly traceId?: string | undefined
}

/**
 * The answer to an action that succeeded, in the superset of both forms.
 *
 * @since 0.1.0
 * @category constructors
 */
export const response = (
  action: DomainAction,
  data: DomainActionResponse["data"],
  options: AnswerOptions
): DomainActionResponse => answer(action, 200, data, null, options)

/**
 * The answer to an action that failed, in the superset of both forms.
 *
 * **Details**
 *
 * `statusCode` defaults to what fits the `error_code` (`VALIDATION_ERROR` 422, `ACTION_NOT_IMPLEMENTED` 501) or the
 * `error_type` (`NotFound` 404), else 500.
 *
 * @since 0.1.0
 * @category constructors
 */
export const failure = (
  action: DomainAction,
  error: ErrorInput,
  options: AnswerOptions & { readonly statusCode?: number | undefined }
): DomainActionResponse => {
  const detail = envelope.orderedError(error)
  return answer(action, options.statusCode ?? statusOf(detail), null, detail, options)
}

/**
 * An {@link ErrorDetail} with what may be left out.
 *
 * @since 0.1.0
 * @category models
 */
export type ErrorInput = Pick<ErrorDetail, "error_type" | "message"> & {
  readonly error_code?: string | null | undefined
  readonly details?: ErrorDetail["details"] | undefined
}

const statusOf = ({ error_code, error_type }: ErrorDetail): number => {
  if (error_code === "VALIDATION_ERROR") return 422
  if (error_code === "ACTION_NOT_IMPLEMENTED") return 501
  return error_type === "NotFound" ? 404 : 500
}

const answer = (
  action: DomainAction,
  status: number,
  data: DomainActionResponse["data"],
  error: ErrorDetail | null,
  options: AnswerOptions
): DomainActionResponse => ({
  action_id: options.actionId,
  action_type: action.action_type + ".response",
  status_code: status,
  success: error === null,
  timestamp: options.timestamp,
  data,
  error,
  correlation_id: action.correlation_id,
  trace_id: action.trace_id ?? options.traceId ?? null,
  task_id: action.task_id,
  tenant_id: action.tenant_id,
  session_id: action.session_id
})

/**
 * The callback of an action that asked for one: a new action of type `callback_action_type`, with the same tenant,
 * session, task, agent, user, correlation and trace, and with no callback of its own.
 *
 * `actionType` stands in where the action names no `callback_action_type`, or where a failure has a type of its own.
 *
 * @since 0.1.0
 * @category constructors
 */
export const callback = (
  action: DomainAction,
  data: DomainAction["data"],
  options: AnswerOptions & {
    /** The service that answers. */
    readonly originService: string
    readonly actionType?: string | undefined
  }
): DomainAction => ({
  ...envelope.blankAction,
  action_id: options.actionId,
  action_type: options.actionType ?? action.callback_action_type ?? action.action_type + ".callback",
  timestamp: options.timestamp,
  tenant_id: action.tenant_id,
  session_id: action.session_id,
  task_id: action.task_id,
  agent_id: action.agent_id,
  user_id: action.user_id,
  origin_service: options.originService,
  correlation_id: action.correlation_id,
  trace_id: action.trace_id ?? options.traceId ?? null,
  data,
  metadata: {}
})

/**
 * Which answer an action expects: none without `callback_queue_name`, a callback where both callback keys are set, else
 * a response. An empty string counts as absent, as it does in Python.
 *
 * @since 0.1.0
 * @category getters
 */
export const expects = (action: DomainAction): "none" | "response" | "callback" => {
  if (action.callback_queue_name === null || action.callback_queue_name === "") return "none"
  return action.callback_action_type === null ? "response" : "callback"
}
