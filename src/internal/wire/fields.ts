/**
 * The keys of the wire, in the order of the Python models. Schemas, checks and the writer are all built from this
 * table.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Json from "./json.ts"

/** The rule of a schema as a function, fast enough for every message. */
export interface Rule {
  /** Not called with `null`. */
  readonly is: (value: {} | undefined) => boolean
  readonly takesNull: boolean
  readonly expected: string
}

const rules = new WeakMap<object, Rule>()

const anything: Rule = { is: () => true, takesNull: true, expected: "anything" }

export const ruleOf = (schema: object): Rule => rules.get(schema) ?? anything

const ruled = <S extends Schema.Top>(schema: S, is: Rule["is"], expected: string, takesNull = false): S => {
  rules.set(schema, { is, takesNull, expected })
  return schema
}

const nullable = <S extends Schema.Constraint>(schema: S) => {
  const lenient = Schema.NullOr(schema).pipe(Schema.withDecodingDefaultKey(Effect.succeed(null)))
  const { expected, is } = ruleOf(schema)
  return ruled(lenient, is, `${expected} or null`, true)
}

const guidPattern = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/

export const isId = (value: unknown): value is string =>
  typeof value === "string" && value.length === 36 && guidPattern.test(value)

/** `service.verb` or `service.entity.verb`, with characters that are valid in the name of a list. */
const actionTypePattern = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+$/

export const maxActionTypeLength = 128

export const isActionType = (value: unknown): value is string =>
  typeof value === "string" && value.length <= maxActionTypeLength && actionTypePattern.test(value)

const Id = ruled(Schema.String.check(Schema.isGUID()), isId, "a UUID")

const ActionType = ruled(
  Schema.String.check(
    Schema.isPattern(actionTypePattern, { expected: "a type such as service.verb" }),
    Schema.isMaxLength(maxActionTypeLength)
  ),
  isActionType,
  `a type such as service.verb of at most ${maxActionTypeLength} characters`
)

const Text = ruled(Schema.String, (value) => typeof value === "string", "a string")

export const JsonObject = ruled(Schema.Record(Schema.String, Schema.Unknown), Json.isJsonObject, "an object")

/** Keys outside the tables are kept. */
export const rest = [JsonObject] as const

// One of each kind for all keys, because making one slows every import.
const NullableId = nullable(Id)
const NullableText = nullable(Text)
const NullableObject = nullable(JsonObject)

export const action = {
  /** Identifies this message. */
  action_id: Id,
  /** `service.verb` or `service.entity.verb`. The part before the first dot is the service that handles it. */
  action_type: ActionType,
  /** ISO 8601, up to microseconds, kept as the sender wrote it. */
  timestamp: Text,
  tenant_id: NullableId,
  session_id: NullableId,
  task_id: NullableId,
  agent_id: NullableId,
  user_id: NullableId,
  /** The service that sent it. */
  origin_service: NullableText,
  /** Links an answer to its request. */
  correlation_id: NullableId,
  /** 128 bits. Without its dashes it is a W3C trace id. */
  trace_id: NullableId,
  /** The list that the answer is pushed to. */
  callback_queue_name: NullableText,
  /** If set, the answer is a new action of this type. If `null`, it is a `DomainActionResponse`. */
  callback_action_type: nullable(ActionType),
  execution_config: NullableObject,
  query_config: NullableObject,
  rag_config: NullableObject,
  /** The payload. */
  data: JsonObject,
  metadata: NullableObject
}

export const error = {
  /** The kind of error, for example `ValidationError`, `NotFound` or `ProcessingError`. */
  error_type: Text,
  /** A code for programs, for example `HANDLER_EXECUTION_ERROR`. */
  error_code: NullableText,
  /** A sentence for people. */
  message: Text,
  details: NullableObject
}

export const ErrorDetail: Schema.StructWithRest<Schema.Struct<typeof error>, typeof rest> = ruled(
  Schema.StructWithRest(Schema.Struct(error), rest),
  Json.isJsonObject,
  "an error detail"
)

/** Either form. */
export const response = {
  /** Identifies this answer. It differs from the id of the action. */
  action_id: Id,
  /** `{action_type}.response`; `null` if the sender writes only the newer form. */
  action_type: NullableText,
  /** An HTTP status. 200 or 500, by `success`, if the sender writes only the newer form. */
  status_code: nullable(ruled(Schema.Int, Number.isSafeInteger, "an integer")),
  success: nullable(ruled(Schema.Boolean, (value) => typeof value === "boolean", "a boolean")),
  /** ISO 8601, up to microseconds, kept as the sender wrote it. */
  timestamp: Text,
  /** The result of a success. */
  data: NullableObject,
  /** The error of a failure. */
  error: nullable(ErrorDetail),
  correlation_id: NullableId,
  trace_id: NullableId,
  task_id: NullableId,
  tenant_id: NullableId,
  session_id: NullableId
}
