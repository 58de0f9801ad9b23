/**
 * Checks and orders the envelope by the tables of `fields.ts`, fast enough for every message. The rules are those of
 * the schemas in `DomainAction.ts`. Rejections are built once. A message with all keys in the order of the wire, as
 * this library and the Python models write it, is used without a copy.
 */
import * as Result from "effect/Result"
import type { DomainAction, DomainActionResponse, ErrorDetail, Limits, MalformedReason } from "../../DomainAction.ts"
import * as Fields from "./fields.ts"
import * as Integers from "./integers.ts"
import * as Json from "./json.ts"
import * as Scan from "./scan.ts"

type Refusal = Result.Result<never, MalformedReason>

const refuse = (tag: MalformedReason["_tag"], text: string): Refusal => Result.fail({ _tag: tag, text })

const notJson = refuse("NotJson", "data is not JSON")
const notFinite = refuse(
  "NotJson",
  "data is not JSON: it holds NaN or Infinity, which Python's json.dumps writes (model_dump_json writes null)"
)
const tooLong = refuse("NotJson", `data holds an integer of more than ${Integers.maxDigits} digits`)
const forbiddenKey = refuse("ForbiddenKey", "data holds a key __proto__")
const notAnObject = refuse("NotAnAction", "data is not a JSON object")
const noDetail = refuse("NotAnAction", "error: expected an error detail or null")
const noOutcome = refuse("NotAnAction", "success: expected a boolean, or status_code in its place")

// -----------------------------------------------------------------------------
// formats
// -----------------------------------------------------------------------------

interface Check extends Fields.Rule {
  readonly key: string
  readonly refusal: Refusal
}

interface Format {
  /** In the order of the wire. */
  readonly checks: ReadonlyArray<Check>
  readonly keys: ReadonlyArray<string>
  readonly known: ReadonlySet<string>
  /** Every key, in order. */
  readonly blank: Json.JsonObject
}

const formatOf = (fields: { readonly [key: string]: object }): Format => {
  const keys = Object.keys(fields)
  const checks = Object.entries(fields).map(([key, schema]) => {
    const rule = Fields.ruleOf(schema)
    return { ...rule, key, refusal: refuse("NotAnAction", `${key}: expected ${rule.expected}`) }
  })
  return { checks, keys, known: new Set(keys), blank: Object.fromEntries(keys.map((key) => [key, null])) }
}

const actions = formatOf(Fields.action)
const responses = formatOf(Fields.response)
const errors = formatOf(Fields.error)

/** An empty action: every key in the order of the wire. */
// SAFETY: `formatOf` makes `blank` from the keys of `Fields.action`, each with null.
export const blankAction = actions.blank as { readonly [K in keyof typeof Fields.action]: null }

/** Whether an object has exactly the keys of the format, in order. */
const isOrdered = ({ keys }: Format, value: Json.JsonObject): boolean => {
  let place = 0
  for (const key in value) {
    if (key !== keys[place]) return false
    place++
  }
  return place === keys.length
}

/**
 * Every known key in the order of the wire, `null` if it is absent, followed by the others. `__proto__` is left out: it
 * would not add a key but change the prototype. An ordered value is returned as it is: a copy costs half a microsecond.
 */
const inOrder = (format: Format, value: Json.JsonObject): Json.JsonObject =>
  isComplete(format, value) ? value : copyInOrder(format, value)

/** Like {@link isOrdered}, and no value is `undefined`, which JSON would leave out. */
const isComplete = ({ keys }: Format, value: Json.JsonObject): boolean => {
  let place = 0
  for (const key in value) if (value[key] === undefined || key !== keys[place++]) return false
  return place === keys.length
}

const copyInOrder = ({ blank, keys, known }: Format, value: Json.JsonObject): Json.JsonObject => {
  const copy: Record<string, unknown> = { ...blank }
  for (const key of keys) copy[key] = value[key] ?? null
  for (const key in value) if (!known.has(key) && key !== "__proto__") copy[key] = value[key]
  return copy
}

const faultOf = ({ checks }: Format, value: Json.JsonObject): Refusal | undefined => {
  for (const { is, key, refusal, takesNull } of checks) {
    const item = value[key] ?? null
    if (item === null ? !takesNull : !is(item)) return refusal
  }
  return undefined
}

// -----------------------------------------------------------------------------
// reading
// -----------------------------------------------------------------------------

/** Text → JSON object, at a cost bounded by the limits. */
const parseJson = (text: string, limits: Limits): Result.Result<Json.JsonObject, MalformedReason> => {
  if (Json.isLarger(text, limits.maxBytes)) return refuse("TooLarge", `data is larger than ${limits.maxBytes} bytes`)
  const maxDepth = Math.min(limits.maxDepth, Json.deepest)
  if (Json.isDeeper(text, maxDepth)) return refuse("TooDeep", `data is nested deeper than ${maxDepth} levels`)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return Scan.holdsNonFinite(text) ? notFinite : notJson
  }
  if (Json.mayHoldProto(text) && Json.holdsProto(value)) return forbiddenKey
  return Json.isJsonObject(value) ? Result.succeed(value) : notAnObject
}

/** Text → message of a format by its table, its integers exact. */
const parsed = (
  format: Format,
  text: string,
  value: Json.JsonObject
): Result.Result<Json.JsonObject, MalformedReason> => {
  if (Integers.holdsUnsafe(value, true) && !Integers.restore(text, value)) return tooLong
  const message = isOrdered(format, value) ? value : { ...format.blank, ...value }
  return faultOf(format, message) ?? Result.succeed(message)
}

const isIdOrNull = (value: unknown): boolean => value === null || Fields.isId(value)
const isTextOrNull = (value: unknown): boolean => value === null || typeof value === "string"
const isObjectOrNull = (value: unknown): boolean => value === null || Json.isJsonObject(value)

/**
 * Whether an action is valid and complete, as nearly every action is. The table gives the same result, but walking it
 * costs 8 % of the time of parsing.
 */
const isWhole = (value: DomainAction): boolean =>
  Fields.isId(value.action_id) && Fields.isActionType(value.action_type) && typeof value.timestamp === "string" &&
  isIdOrNull(value.tenant_id) && isIdOrNull(value.session_id) && isIdOrNull(value.task_id) &&
  isIdOrNull(value.agent_id) && isIdOrNull(value.user_id) && isTextOrNull(value.origin_service) &&
  isIdOrNull(value.correlation_id) && isIdOrNull(value.trace_id) && isTextOrNull(value.callback_queue_name) &&
  (value.callback_action_type === null || Fields.isActionType(value.callback_action_type)) &&
  isObjectOrNull(value.execution_config) && isObjectOrNull(value.query_config) && isObjectOrNull(value.rag_config) &&
  Json.isJsonObject(value.data) && isObjectOrNull(value.metadata)

/** Like `Integers.holdsUnsafe`, for an ordered action: the other keys hold only texts. */
const isInexact = (value: DomainAction, isParsed: boolean): boolean =>
  Integers.holdsUnsafe(value.data, isParsed) || Integers.holdsUnsafe(value.metadata, isParsed) ||
  Integers.holdsUnsafe(value.execution_config, isParsed) || Integers.holdsUnsafe(value.query_config, isParsed) ||
  Integers.holdsUnsafe(value.rag_config, isParsed)

/** Text → action. */
export const parseAction = (text: string, limits: Limits): Result.Result<DomainAction, MalformedReason> => {
  const json = parseJson(text, limits)
  if (Result.isFailure(json)) return Result.fail(json.failure)
  // SAFETY, twice: all its keys are checked.
  const value = json.success as DomainAction
  return isOrdered(actions, value) && isWhole(value) && !isInexact(value, true)
    ? Result.succeed(value)
    : parsed(actions, text, value) as Result.Result<DomainAction, MalformedReason>
}

/**
 * JSON value → action. A caller's value is copied. With `own`, the value was just made and becomes the action itself.
 */
export const action = (value: unknown, own = false): Result.Result<DomainAction, MalformedReason> => {
  if (!Json.isJsonObject(value)) return notAnObject
  // SAFETY, twice: all its keys are checked.
  if (own && isOrdered(actions, value) && isWhole(value as DomainAction)) return Result.succeed(value as DomainAction)
  const message = copyInOrder(actions, value)
  return faultOf(actions, message) ?? Result.succeed(message as DomainAction)
}

/** Text → answer, of either form. */
export const parseResponse = (text: string, limits: Limits): Result.Result<DomainActionResponse, MalformedReason> => {
  const json = parseJson(text, limits)
  if (Result.isFailure(json)) return Result.fail(json.failure)
  const result = parsed(responses, text, json.success)
  if (Result.isFailure(result)) return Result.fail(result.failure)
  const answer = result.success
  // SAFETY: all its keys were just checked, except those of the error.
  const written = answer as unknown as Outcome & { readonly error: Json.JsonObject | null }
  if (written.success === null && written.status_code === null) return noOutcome
  const error = written.error === null ? null : inOrder(errors, written.error)
  if (error !== null && faultOf(errors, error) !== undefined) return noDetail
  const isWhole = written.success !== null && written.status_code !== null && error === written.error
  // SAFETY: all its keys are checked now.
  return Result.succeed((isWhole ? answer : { ...answer, ...outcomeOf(written), error }) as DomainActionResponse)
}

/** How an answer of either form ended. */
interface Outcome {
  readonly success: boolean | null
  readonly status_code: number | null
  readonly error: unknown
}

/** The outcome in both forms. */
export const outcomeOf = ({ error, status_code, success }: Outcome) => ({
  success: success ?? (error === null && status_code !== null && status_code >= 200 && status_code <= 299),
  status_code: status_code ?? (success === true ? 200 : 500)
})

/** The correlation id of an answer that cannot be parsed; `undefined` if it cannot be found. */
export const correlationIdOf = (text: string): string | undefined => {
  const id = Scan.stringAt(text, "correlation_id")
  return Fields.isId(id) ? id : undefined
}

// -----------------------------------------------------------------------------
// writing
// -----------------------------------------------------------------------------

// SAFETY: the keys of the format are ordered, and none is removed; the same below.
export const orderedAction = (
  from: { readonly [K in keyof DomainAction]?: DomainAction[K] | undefined }
): DomainAction => inOrder(actions, from) as DomainAction

export const orderedError = (from: { readonly [K in keyof ErrorDetail]?: ErrorDetail[K] | undefined }): ErrorDetail =>
  inOrder(errors, from) as ErrorDetail

/** The text of an ordered action. Throws, like everything that writes here, if that is not JSON. */
export const orderedText = (action: DomainAction): string => {
  const text = Integers.stringifyFast(action)
  // Only a value that was written is known to be finite.
  return text === undefined || isInexact(action, false) ? Integers.stringify(action) : text
}

export const actionText = (action: DomainAction): string =>
  isComplete(actions, action) ? orderedText(action) : Integers.write(copyInOrder(actions, action))

export const responseText = (response: DomainActionResponse): string => {
  const { data, error } = response
  if (!isComplete(responses, response) || (error !== null && !isComplete(errors, error))) {
    return Integers.write(
      copyInOrder(responses, error === null ? response : { ...response, error: orderedError(error) })
    )
  }
  const text = Integers.stringifyFast(response)
  return text === undefined || Integers.holdsUnsafe(data, false) || Integers.holdsUnsafe(error, false)
    ? Integers.stringify(response)
    : text
}
