/**
 * The envelope checked by hand: the rules of the schemas in `DomainAction.ts`, for the path that every message takes.
 * Refusals are built once; a message that is accepted costs one object, with its keys in the order of the wire.
 */
import * as Result from "effect/Result"
import type { DomainAction, DomainActionResponse, ErrorDetail, Limits, MalformedReason } from "../../DomainAction.ts"
import * as Integers from "./integers.ts"
import * as Json from "./json.ts"
import * as Scan from "./scan.ts"

/** `service.verb` or `service.entity.verb`, of characters that fit into the name of a list. */
export const actionTypePattern = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+$/

export const maxActionTypeLength = 128

const guidPattern = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/

/** The keys of an action that a caller may leave out. */
export type OptionalKey =
  | "tenant_id"
  | "session_id"
  | "task_id"
  | "agent_id"
  | "user_id"
  | "origin_service"
  | "correlation_id"
  | "trace_id"
  | "callback_queue_name"
  | "callback_action_type"
  | "execution_config"
  | "query_config"
  | "rag_config"
  | "metadata"

const refuse = (tag: MalformedReason["_tag"], text: string): Result.Result<never, MalformedReason> =>
  Result.fail({ _tag: tag, text })

const notJson = refuse("NotJson", "data is not JSON")
const notFinite = refuse(
  "NotJson",
  "data is not JSON: it holds NaN or Infinity, which Python's json.dumps writes (model_dump_json writes null)"
)
const tooLong = refuse("NotJson", `data holds an integer of more than ${Integers.maxDigits} digits`)
const forbiddenKey = refuse("ForbiddenKey", "data holds a key __proto__")
const notAnObject = refuse("NotAnAction", "data is not a JSON object")

const expected = (key: string, what: string) => refuse("NotAnAction", `${key}: expected ${what}`)

const wrong = {
  action_id: expected("action_id", "a UUID"),
  action_type: expected("action_type", `a type such as service.verb of at most ${maxActionTypeLength} characters`),
  timestamp: expected("timestamp", "a string"),
  tenant_id: expected("tenant_id", "a UUID or null"),
  session_id: expected("session_id", "a UUID or null"),
  task_id: expected("task_id", "a UUID or null"),
  agent_id: expected("agent_id", "a UUID or null"),
  user_id: expected("user_id", "a UUID or null"),
  origin_service: expected("origin_service", "a string or null"),
  correlation_id: expected("correlation_id", "a UUID or null"),
  trace_id: expected("trace_id", "a UUID or null"),
  callback_queue_name: expected("callback_queue_name", "a string or null"),
  callback_action_type: expected("callback_action_type", "a type such as service.verb, or null"),
  execution_config: expected("execution_config", "an object or null"),
  query_config: expected("query_config", "an object or null"),
  rag_config: expected("rag_config", "an object or null"),
  data: expected("data", "an object"),
  metadata: expected("metadata", "an object or null"),
  responseType: expected("action_type", "a string or null"),
  responseData: expected("data", "an object or null"),
  status_code: expected("status_code", "an integer or null"),
  success: expected("success", "a boolean, or status_code in its place"),
  error: expected("error", "an error detail or null")
}

const isId = (value: unknown): value is string =>
  typeof value === "string" && value.length === 36 && guidPattern.test(value)

const isIdOrNull = (value: unknown): value is string | null => value === null || isId(value)

const isStringOrNull = (value: unknown): value is string | null => value === null || typeof value === "string"

const isObjectOrNull = (value: unknown): value is Json.JsonObject | null => value === null || Json.isJsonObject(value)

export const isActionType = (value: unknown): value is string =>
  typeof value === "string" && value.length <= maxActionTypeLength && actionTypePattern.test(value)

/** Whether an answer of either form tells a success. */
export const successOf = (success: boolean | null, status: number | null, error: unknown): boolean =>
  success ?? (error === null && status !== null && status >= 200 && status <= 299)

/** The status of an answer that tells none. */
export const statusOf = (success: boolean | null): number => success === true ? 200 : 500

/** The status that fits an error. */
export const statusOfError = (error: ErrorDetail): number => {
  if (error.error_code === "VALIDATION_ERROR") return 422
  if (error.error_code === "ACTION_NOT_IMPLEMENTED") return 501
  if (error.error_type === "NotFound") return 404
  return 500
}

/** Text → JSON value, at a cost bounded by the limits. */
const parseJson = (text: string, limits: Limits): Result.Result<unknown, MalformedReason> => {
  if (Json.isLarger(text, limits.maxBytes)) return refuse("TooLarge", `data is larger than ${limits.maxBytes} bytes`)
  const maxDepth = Math.min(limits.maxDepth, Json.deepest)
  if (Json.isDeeper(text, maxDepth)) return refuse("TooDeep", `data is nested deeper than ${maxDepth} levels`)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return Scan.holdsNonFinite(text) ? notFinite : notJson
  }
  return Json.mayHoldProto(text) && Json.holdsProto(value) ? forbiddenKey : Result.succeed(value)
}

const mayBeInexact = (value: unknown): boolean => value !== null && Integers.holdsUnsafe(value, true)

/** Text → action, its integers exact. */
export const parseAction = (text: string, limits: Limits): Result.Result<DomainAction, MalformedReason> => {
  const parsed = parseJson(text, limits)
  if (Result.isFailure(parsed)) return Result.fail(parsed.failure)
  const value = parsed.success
  if (!Json.isJsonObject(value)) return notAnObject
  const ordered = isOrdered(value, actionKeys)
  // Every other key of an action holds a text or nothing.
  const inexact = ordered
    ? mayBeInexact(value["data"]) || mayBeInexact(value["metadata"]) || mayBeInexact(value["execution_config"]) ||
      mayBeInexact(value["query_config"]) || mayBeInexact(value["rag_config"])
    : mayBeInexact(value)
  return inexact && !Integers.restore(text, value) ? tooLong : checkedAction(value, ordered)
}

/** Text → answer of either form, its integers exact. */
export const parseResponse = (text: string, limits: Limits): Result.Result<DomainActionResponse, MalformedReason> => {
  const parsed = parseJson(text, limits)
  if (Result.isFailure(parsed)) return Result.fail(parsed.failure)
  const value = parsed.success
  return mayBeInexact(value) && !Integers.restore(text, value) ? tooLong : response(value)
}

/** The correlation id of an answer that cannot be read otherwise; `undefined` where it cannot be found either. */
export const correlationIdOf = (text: string): string | undefined => {
  const id = Scan.stringAt(text, "correlation_id")
  return isId(id) ? id : undefined
}

/** JSON value → action. The value of a caller is copied; one that was just made is nobody else's and may be the action. */
export const action = (value: unknown, own = false): Result.Result<DomainAction, MalformedReason> =>
  Json.isJsonObject(value) ? checkedAction(value, own && isOrdered(value, actionKeys)) : notAnObject

/** `ordered`: it is nobody else's and has every key in the order of the wire. */
const checkedAction = (value: Json.JsonObject, ordered: boolean): Result.Result<DomainAction, MalformedReason> => {
  const { action_id, action_type, data, timestamp } = value
  if (!isId(action_id)) return wrong.action_id
  if (!isActionType(action_type)) return wrong.action_type
  if (typeof timestamp !== "string") return wrong.timestamp
  const tenant_id = value["tenant_id"] ?? null
  if (!isIdOrNull(tenant_id)) return wrong.tenant_id
  const session_id = value["session_id"] ?? null
  if (!isIdOrNull(session_id)) return wrong.session_id
  const task_id = value["task_id"] ?? null
  if (!isIdOrNull(task_id)) return wrong.task_id
  const agent_id = value["agent_id"] ?? null
  if (!isIdOrNull(agent_id)) return wrong.agent_id
  const user_id = value["user_id"] ?? null
  if (!isIdOrNull(user_id)) return wrong.user_id
  const origin_service = value["origin_service"] ?? null
  if (!isStringOrNull(origin_service)) return wrong.origin_service
  const correlation_id = value["correlation_id"] ?? null
  if (!isIdOrNull(correlation_id)) return wrong.correlation_id
  const trace_id = value["trace_id"] ?? null
  if (!isIdOrNull(trace_id)) return wrong.trace_id
  const callback_queue_name = value["callback_queue_name"] ?? null
  if (!isStringOrNull(callback_queue_name)) return wrong.callback_queue_name
  const callback_action_type = value["callback_action_type"] ?? null
  if (callback_action_type !== null && !isActionType(callback_action_type)) return wrong.callback_action_type
  const execution_config = value["execution_config"] ?? null
  if (!isObjectOrNull(execution_config)) return wrong.execution_config
  const query_config = value["query_config"] ?? null
  if (!isObjectOrNull(query_config)) return wrong.query_config
  const rag_config = value["rag_config"] ?? null
  if (!isObjectOrNull(rag_config)) return wrong.rag_config
  if (!Json.isJsonObject(data)) return wrong.data
  const metadata = value["metadata"] ?? null
  if (!isObjectOrNull(metadata)) return wrong.metadata
  // Who writes every key in the order of the wire, as this library and the Python models do, is taken at its word. A copy
  // costs 0.1 µs, and being a literal (see `entry.ts`) much more.
  // SAFETY: all its keys were just checked.
  if (ordered) return Result.succeed(value as DomainAction)
  return Result.succeed(withRest(
    {
      action_id,
      action_type,
      timestamp,
      tenant_id,
      session_id,
      task_id,
      agent_id,
      user_id,
      origin_service,
      correlation_id,
      trace_id,
      callback_queue_name,
      callback_action_type,
      execution_config,
      query_config,
      rag_config,
      data,
      metadata
    },
    value,
    actionKeys
  ))
}

/** JSON value → answer, of either form. */
export const response = (value: unknown): Result.Result<DomainActionResponse, MalformedReason> => {
  if (!Json.isJsonObject(value)) return notAnObject
  const { action_id, timestamp } = value
  if (!isId(action_id)) return wrong.action_id
  const action_type = value["action_type"] ?? null
  if (!isStringOrNull(action_type)) return wrong.responseType
  const status = value["status_code"] ?? null
  if (status !== null && !isInteger(status)) return wrong.status_code
  const success = value["success"] ?? null
  if (success !== null && typeof success !== "boolean") return wrong.success
  if (success === null && status === null) return wrong.success
  if (typeof timestamp !== "string") return wrong.timestamp
  const data = value["data"] ?? null
  if (!isObjectOrNull(data)) return wrong.responseData
  const error = errorDetail(value["error"] ?? null)
  if (error === undefined) return wrong.error
  const correlation_id = value["correlation_id"] ?? null
  if (!isIdOrNull(correlation_id)) return wrong.correlation_id
  const trace_id = value["trace_id"] ?? null
  if (!isIdOrNull(trace_id)) return wrong.trace_id
  const task_id = value["task_id"] ?? null
  if (!isIdOrNull(task_id)) return wrong.task_id
  const tenant_id = value["tenant_id"] ?? null
  if (!isIdOrNull(tenant_id)) return wrong.tenant_id
  const session_id = value["session_id"] ?? null
  if (!isIdOrNull(session_id)) return wrong.session_id
  return Result.succeed(withRest(
    {
      action_id,
      action_type,
      status_code: status ?? statusOf(success),
      success: successOf(success, status, error),
      timestamp,
      data,
      error,
      correlation_id,
      trace_id,
      task_id,
      tenant_id,
      session_id
    },
    value,
    responseKeys
  ))
}

const isInteger = (value: unknown): value is number => Number.isSafeInteger(value)

const errorDetail = (value: unknown): ErrorDetail | null | undefined => {
  if (value === null) return null
  if (!Json.isJsonObject(value)) return undefined
  const { error_type, message } = value
  const error_code = value["error_code"] ?? null
  const details = value["details"] ?? null
  return typeof error_type === "string" && typeof message === "string" && isStringOrNull(error_code) &&
      isObjectOrNull(details)
    ? withRest({ error_type, error_code, message, details }, value, errorKeys)
    : undefined
}

/** Every known key of an action in the order of the wire, `null` where it is absent, then the others. */
export const orderedAction = (
  from:
    & Pick<DomainAction, "action_id" | "action_type" | "timestamp" | "data">
    & {
      readonly [K in OptionalKey]?: DomainAction[K] | undefined
    }
): DomainAction =>
  withRest(
    {
      action_id: from.action_id,
      action_type: from.action_type,
      timestamp: from.timestamp,
      tenant_id: from.tenant_id ?? null,
      session_id: from.session_id ?? null,
      task_id: from.task_id ?? null,
      agent_id: from.agent_id ?? null,
      user_id: from.user_id ?? null,
      origin_service: from.origin_service ?? null,
      correlation_id: from.correlation_id ?? null,
      trace_id: from.trace_id ?? null,
      callback_queue_name: from.callback_queue_name ?? null,
      callback_action_type: from.callback_action_type ?? null,
      execution_config: from.execution_config ?? null,
      query_config: from.query_config ?? null,
      rag_config: from.rag_config ?? null,
      data: from.data,
      metadata: from.metadata ?? null
    },
    from,
    actionKeys
  )

const mayBeChanged = (value: unknown): boolean => value !== null && Integers.holdsUnsafe(value, false)

/** An action that has its keys in the order of the wire → its text. Throws where that is not JSON. */
export const actionText = (action: DomainAction): string => {
  const text = Integers.stringifyFast(action)
  // Only what was written is known to end. Every other key of the format holds a text or nothing.
  return text === undefined || mayBeChanged(action.data) || mayBeChanged(action.metadata) ||
      mayBeChanged(action.execution_config) || mayBeChanged(action.query_config) || mayBeChanged(action.rag_config)
    ? Integers.stringify(action)
    : text
}

/** As {@link actionText}, for an answer. */
export const responseText = (response: DomainActionResponse): string => {
  const text = Integers.stringifyFast(response)
  return text === undefined || mayBeChanged(response.data) || mayBeChanged(response.error)
    ? Integers.stringify(response)
    : text
}

/** As {@link orderedAction}, for an answer. */
export const orderedResponse = (from: DomainActionResponse): DomainActionResponse =>
  withRest(
    {
      action_id: from.action_id,
      action_type: from.action_type ?? null,
      status_code: from.status_code,
      success: from.success,
      timestamp: from.timestamp,
      data: from.data ?? null,
      error: from.error === null ? null : orderedError(from.error),
      correlation_id: from.correlation_id ?? null,
      trace_id: from.trace_id ?? null,
      task_id: from.task_id ?? null,
      tenant_id: from.tenant_id ?? null,
      session_id: from.session_id ?? null
    },
    from,
    responseKeys
  )

/** As {@link orderedAction}, for an error. */
export const orderedError = (
  from: Pick<ErrorDetail, "error_type" | "message"> & {
    readonly error_code?: string | null | undefined
    readonly details?: ErrorDetail["details"] | undefined
  }
): ErrorDetail =>
  withRest(
    {
      error_type: from.error_type,
      error_code: from.error_code ?? null,
      message: from.message,
      details: from.details ?? null
    },
    from,
    errorKeys
  )

interface Keys {
  readonly ordered: ReadonlyArray<string>
  readonly all: ReadonlySet<string>
}

const keysOf = (ordered: ReadonlyArray<string>): Keys => ({ ordered, all: new Set(ordered) })

const actionKeys = keysOf([
  "action_id",
  "action_type",
  "timestamp",
  "tenant_id",
  "session_id",
  "task_id",
  "agent_id",
  "user_id",
  "origin_service",
  "correlation_id",
  "trace_id",
  "callback_queue_name",
  "callback_action_type",
  "execution_config",
  "query_config",
  "rag_config",
  "data",
  "metadata"
])

const responseKeys = keysOf([
  "action_id",
  "action_type",
  "status_code",
  "success",
  "timestamp",
  "data",
  "error",
  "correlation_id",
  "trace_id",
  "task_id",
  "tenant_id",
  "session_id"
])

const errorKeys = keysOf(["error_type", "error_code", "message", "details"])

/** Whether an object has every key of the format, in its order, and no other. */
const isOrdered = (value: object, { ordered }: Keys): boolean => {
  let place = 0
  for (const key in value) {
    if (key !== ordered[place]) return false
    place++
  }
  return place === ordered.length
}

/**
 * Adds the keys that the format does not know. `__proto__` is left out: it would not add a key but change the prototype.
 */
const withRest = <A extends object>(to: A, from: object, known: Keys): A & Json.JsonObject => {
  // SAFETY: `to` was just built by the caller, and only keys that A does not name are written.
  const target = to as A & Record<string, unknown>
  let place = 0
  for (const key in from) {
    // A writer that has the order of the wire is followed by place, which costs a tenth of a look into the set.
    if (key === known.ordered[place]) {
      place++
    } else if (!known.all.has(key) && key !== "__proto__") {
      // SAFETY: `key` was just found in `from`; the value stays unknown.
      ;(target as Record<string, unknown>)[key] = (from as Json.JsonObject)[key]
    }
  }
  return target
}
