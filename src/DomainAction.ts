/**
 * The JSON that services exchange: `DomainAction`, its answer `DomainActionResponse`, and `ErrorDetail`.
 *
 * Keys keep their names on the wire (snake_case), and timestamps are opaque strings. A handler sees what `redis-cli`
 * shows, down to the microsecond. Unknown keys survive a round trip.
 *
 * The schemas define the format. {@link parse}, {@link parseResponse} and {@link encode} implement the same rules by
 * hand for speed, since every message passes through them; a property test checks that they agree with the schemas.
 * They also check limits of size and depth before any JSON is parsed, which a schema cannot do.
 *
 * @since 0.1.0
 */
import * as DateTime from "effect/DateTime"
import type * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as envelope from "./internal/wire/envelope.ts"
import * as Fields from "./internal/wire/fields.ts"
import { maxDepth } from "./internal/wire/json.ts"
import { timestampOf } from "./internal/wire/timestamp.ts"

// -----------------------------------------------------------------------------
// Schemas
// -----------------------------------------------------------------------------

/**
 * A message to a service: the action to run, its payload, and the address of the answer.
 *
 * Decoding accepts older senders: absent ids become `null`. Encoding always writes every key, as the Python models
 * expect.
 *
 * @since 0.1.0
 * @category schemas
 */
export const DomainAction: Schema.StructWithRest<Schema.Struct<typeof Fields.action>, typeof Fields.rest> = Schema
  .StructWithRest(Schema.Struct(Fields.action), Fields.rest)

/**
 * A decoded {@link DomainAction}. All keys are present; a key that the sender omitted is `null`.
 *
 * @since 0.1.0
 * @category models
 */
export type DomainAction = typeof DomainAction.Type

/**
 * The error in an answer.
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
 * There are two forms on the wire. The newer has `success`, the older `action_type` and `status_code`. Both are
 * accepted and decoded to a superset of the two, and the superset is written. In the older form, a status from 200 to
 * 299 without an error is a success.
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
 * Limits of a message. `maxBytes` counts bytes of UTF-8. `maxDepth` counts nested objects and arrays, the message
 * itself included; a value above 1000 counts as 1000.
 *
 * @since 0.1.0
 * @category models
 */
export interface Limits {
  readonly maxBytes: number
  readonly maxDepth: number
}

/**
 * The default limits: 4 MiB and 64 levels.
 *
 * @since 0.1.0
 * @category models
 */
export const defaultLimits: Limits = { maxBytes: 4 * 1024 * 1024, maxDepth }

/**
 * Why a text is not a valid message. `text` is a short sentence for logs and dead letters. It names keys of the format
 * and never includes a part of the payload.
 *
 * - `NoData`: the entry has no field `data`
 * - `NotUtf8`: the bytes are not UTF-8
 * - `TooLarge`, `TooDeep`: over a limit of {@link Limits}
 * - `NotJson`: not valid JSON, or it has an integer of more than 4300 digits
 * - `ForbiddenKey`: it has a key `__proto__`
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
 * Returns `true` if a value is an action type: `service.verb` or `service.entity.verb`, with parts of letters, digits,
 * `_` and `-`, at most 128 characters in all.
 *
 * @since 0.1.0
 * @category guards
 */
export const isActionType: (value: unknown) => value is string = Fields.isActionType

/**
 * Parses an action from the text of a stream entry.
 *
 * **Details**
 *
 * It checks, in this order: bytes, depth, JSON, `__proto__` keys, shape. The cost of a text is therefore proportional
 * to its size. It never throws. It accepts what {@link DomainAction} decodes, and returns the known keys in the order
 * of the wire.
 *
 * **Gotchas**
 *
 * A client that decodes bytes to strings replaces invalid UTF-8 by U+FFFD, so the text alone cannot show whether the
 * sender wrote that character.
 *
 * An integer beyond 2^53 becomes a `bigint`, digit for digit. An integer of more than 4300 digits is rejected. Every
 * other number is a double: `30.0` becomes `30`.
 *
 * @since 0.1.0
 * @category decoding
 */
export const parse = (text: string, limits: Limits = defaultLimits): Result.Result<DomainAction, MalformedReason> =>
  envelope.parseAction(text, limits)

/**
 * Parses an answer, in either form, from the text of a list item. It works like {@link parse}, for {@link
 * DomainActionResponse}.
 *
 * @since 0.1.0
 * @category decoding
 */
export const parseResponse = (
  text: string,
  limits: Limits = defaultLimits
): Result.Result<DomainActionResponse, MalformedReason> => envelope.parseResponse(text, limits)

/**
 * Checks a value that is already parsed, for example an action that a caller built: would a worker accept it?
 *
 * @since 0.1.0
 * @category decoding
 */
export const check = (value: unknown): Result.Result<DomainAction, MalformedReason> => envelope.action(value)

// -----------------------------------------------------------------------------
// Writing
// -----------------------------------------------------------------------------

/**
 * Encodes an action. It writes every known key in the order of the Python models, followed by the unknown keys.
 *
 * **Details**
 *
 * A `bigint` is written as an integer, digit for digit. A number beyond 2^53 is written with an exponent (`1e+20`), as
 * Python writes a float, so that readers do not take it for an integer.
 *
 * **Gotchas**
 *
 * Throws a `TypeError`, like `JSON.stringify`, if a value is not JSON (for example an object that refers to itself),
 * and a `RangeError` for a `bigint` of more than 4300 digits.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encode = (action: DomainAction): string => envelope.actionText(action)

/**
 * Encodes an answer. It works like {@link encode}, for {@link DomainActionResponse}.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodeResponse = (response: DomainActionResponse): string => envelope.responseText(response)

// -----------------------------------------------------------------------------
// Constructors
// -----------------------------------------------------------------------------

/**
 * The input of {@link make}: the four keys that every action has, and any of the others.
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
 * Makes an action. Omitted keys are `null`, except `metadata`, which is `{}` as in the Python models.
 *
 * **Example** (An action as a client sends it)
 *
 * ```ts
 * import { DateTime } from "effect"
 * import { DomainAction } from "effect-redis-workers"
 *
 * const action = DomainAction.make({
 *   action_id: "3f0c1b9e-6f0a-4d8e-9a53-2b1f6f0a77aa",
 *   action_type: "user.create",
 *   timestamp: DomainAction.timestamp(DateTime.makeUnsafe("2025-06-29T04:03:00Z")),
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
 * Formats a time as this library writes it: ISO 8601 in UTC with milliseconds and `Z`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const timestamp = (time: DateTime.DateTime): string => timestampOf(DateTime.toEpochMillis(time))

/**
 * The id and the time of a new answer.
 *
 * @since 0.1.0
 * @category models
 */
export interface AnswerOptions {
  /** A UUID that differs from the id of the action. */
  readonly actionId: string
  /** ISO 8601 in UTC, see {@link timestamp}. */
  readonly timestamp: string
  /** The trace id of the answer if the action has none, a UUID. Default: `null`. */
  readonly traceId?: string | undefined
}

/**
 * Makes the answer to an action that succeeded, in the superset of both forms.
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
 * Makes the answer to an action that failed, in the superset of both forms.
 *
 * **Details**
 *
 * `statusCode` defaults to the status for the `error_code` (`VALIDATION_ERROR` 422, `ACTION_NOT_IMPLEMENTED` 501) or
 * the `error_type` (`NotFound` 404), otherwise 500.
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
 * An {@link ErrorDetail} whose optional keys may be omitted.
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
 * Makes the callback of an action: a new action of type `callback_action_type` with the same tenant, session, task,
 * agent, user, correlation and trace ids, and without a callback of its own.
 *
 * `actionType` is used if the action has no `callback_action_type`, or if a failure has a type of its own.
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
 * Returns which answer an action expects: `"none"` without `callback_queue_name`, `"callback"` with both callback keys,
 * otherwise `"response"`. An empty string counts as absent, as in Python.
 *
 * @since 0.1.0
 * @category getters
 */
export const expects = (action: DomainAction): "none" | "response" | "callback" => {
  if (action.callback_queue_name === null || action.callback_queue_name === "") return "none"
  return action.callback_action_type === null ? "response" : "callback"
}
