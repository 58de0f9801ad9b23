/**
 * Contracts: what an action is called, what it carries, what answers it and how it may fail.
 *
 * A contract is one value, shared by the service that answers and by those that ask. It fixes the types on both sides
 * and the JSON between them: a payload is refused before a handler sees it, and an answer that its schema cannot encode
 * is never sent.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import { type Pipeable, pipeArguments } from "effect/Pipeable"
import * as Predicate from "effect/Predicate"
import type * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as SchemaIssue from "effect/SchemaIssue"
import type { StandardSchemaV1 } from "effect/StandardSchema"
import type * as Types from "effect/Types"
import { type DomainAction, type ErrorDetail, isActionType } from "./DomainAction.ts"
import { isRejected, isRetryLater } from "./HandlerError.ts"
import * as Kinds from "./internal/base/options.ts"
import * as ActionCodec from "./internal/contract/codec.ts"
import { type ConfigName, configNames } from "./internal/contract/configs.ts"
import { hintFor } from "./internal/contract/exact.ts"
import { contractRows } from "./internal/contract/options.ts"
import { bounded } from "./internal/wire/errorText.ts"

const TypeId = "~effect-redis-workers/Action"

/**
 * The schema of the configs of an action: a struct with any of the fields `execution`, `query` and `rag`.
 *
 * @since 0.2.0
 * @category models
 */
export type ConfigsSchema = Schema.Top & { readonly fields: Schema.Struct.Fields }

/**
 * The contract of one action.
 *
 * @since 0.1.0
 * @category models
 */
export interface Action<
  in out Type extends string,
  out Payload extends Schema.Top = Schema.Struct<{}>,
  out Success extends Schema.Top = Schema.Void,
  out Error extends Schema.Top = Schema.Never,
  out Configs extends ConfigsSchema = Schema.Struct<{}>
> extends Pipeable {
  readonly [TypeId]: typeof TypeId
  /** `service.verb` or `service.entity.verb`: the part before the first dot names the service that handles it. */
  readonly type: Type
  readonly payloadSchema: Payload
  readonly successSchema: Success
  readonly errorSchema: Error
  /** The configs that go beside the payload, by name: `execution`, `query`, `rag`. */
  readonly configSchema: Configs
  readonly annotations: Context.Context<never>
  /** When to run it again after a failure; `undefined`: as the worker says. */
  readonly retry: Schedule.Schedule<unknown, number> | undefined
  /** How many attempts it gets; `undefined`: as the worker says. */
  readonly maxAttempts: number | undefined
  /** How long an attempt may take; `undefined`: as the worker says. */
  readonly handlerTimeout: Duration.Duration | undefined
  /** What a caller who asked for a callback gets when this action is refused or given up, beside the dead letter. */
  readonly failureAction: Any | undefined
  /** Whether that carries the payload of this action. */
  readonly failurePayload: "none" | "include"

  /** The same contract with an annotation more. */
  annotate<I, S>(key: Context.Key<I, S>, value: Types.NoInfer<S>): Action<Type, Payload, Success, Error, Configs>

  /** The same contract with these annotations on top of its own. */
  annotateMerge<I>(annotations: Context.Context<I>): Action<Type, Payload, Success, Error, Configs>
}

/**
 * Any contract, for code that handles all of them alike.
 *
 * @since 0.1.0
 * @category models
 */
export interface Any extends Pipeable {
  readonly [TypeId]: typeof TypeId
  readonly type: string
  readonly payloadSchema: Schema.Top
  readonly successSchema: Schema.Top
  readonly errorSchema: Schema.Top
  readonly configSchema: ConfigsSchema
  readonly annotations: Context.Context<never>
  readonly retry: Schedule.Schedule<unknown, number> | undefined
  readonly maxAttempts: number | undefined
  readonly handlerTimeout: Duration.Duration | undefined
  readonly failureAction: Any | undefined
  readonly failurePayload: "none" | "include"
}

/**
 * What the handler of an action receives.
 *
 * @since 0.1.0
 * @category utility types
 */
export type Payload<A extends Any> = A["payloadSchema"]["Type"]

/**
 * What a caller of an action passes: fields with a constructor default may be left out.
 *
 * @since 0.1.0
 * @category utility types
 */
export type PayloadInput<A extends Any> = A["payloadSchema"]["~type.make.in"]

/**
 * What answers an action.
 *
 * @since 0.1.0
 * @category utility types
 */
export type Success<A extends Any> = A["successSchema"]["Type"]

/**
 * The errors that an action declares.
 *
 * @since 0.1.0
 * @category utility types
 */
export type Error<A extends Any> = A["errorSchema"]["Type"]

/**
 * The configs that the handler of an action gets, by name: those that its contract has schemas for.
 *
 * @since 0.2.0
 * @category utility types
 */
export type Configs<A extends Any> = A["configSchema"]["Type"]

/**
 * The configs that a caller of an action passes, by name.
 *
 * @since 0.2.0
 * @category utility types
 */
export type ConfigsInput<A extends Any> = A["configSchema"]["~type.make.in"]

/**
 * Options of a call with the configs of the contract in place of untyped ones.
 *
 * @since 0.2.0
 * @category utility types
 */
export type WithConfigs<A extends Any, Options> = [keyof ConfigsInput<A>] extends [never] ? Options
  : Omit<Options, keyof ConfigsInput<A>> & ConfigsInput<A>

/**
 * The last parameter of a call: required where the contract requires a config, else optional.
 *
 * **Details**
 *
 * A function of your own that is generic in the contract takes the same: `...options: Action.OptionsOf<A, Options>`.
 *
 * @since 0.2.0
 * @category utility types
 */
export type OptionsOf<A extends Any, Options> = {} extends ConfigsInput<A> ? [options?: WithConfigs<A, Options>]
  : [options: WithConfigs<A, Options>]

/**
 * Services that the schemas of an action need on the side of the worker.
 *
 * @since 0.1.0
 * @category utility types
 */
export type WorkerServices<A extends Any> =
  | A["payloadSchema"]["DecodingServices"]
  | A["configSchema"]["DecodingServices"]
  | A["successSchema"]["EncodingServices"]
  | A["errorSchema"]["EncodingServices"]

/**
 * Services that the schemas of an action need on the side of the client.
 *
 * @since 0.1.0
 * @category utility types
 */
export type ClientServices<A extends Any> =
  | A["payloadSchema"]["EncodingServices"]
  | A["configSchema"]["EncodingServices"]
  | A["successSchema"]["DecodingServices"]
  | A["errorSchema"]["DecodingServices"]

/**
 * The schema that a record of fields, or a schema, stands for.
 *
 * @since 0.1.0
 * @category utility types
 */
export type SchemaOf<S extends Schema.Top | Schema.Struct.Fields> = S extends Schema.Top ? S
  : S extends Schema.Struct.Fields ? Schema.Struct<S>
  : never

type EncodesToObject<S> = S extends Schema.Top
  ? S["Encoded"] extends ReadonlyArray<unknown> ? "The payload of an action must encode to a JSON object"
  : S["Encoded"] extends object ? unknown
  : "The payload of an action must encode to a JSON object"
  : unknown

type TakesErrorDetail<A> = A extends Any
  ? FailurePayload extends A["payloadSchema"]["Encoded"]
    ? {} extends A["configSchema"]["Encoded"] ? unknown : "A failure action carries no config, so it must require none"
  : "The payload of a failure action must accept error_type, error_code, message and details"
  : unknown

type TakesOriginal<A, Original> = A extends Any
  ? FailurePayload & OriginalPayload<Original> extends A["payloadSchema"]["Encoded"] ? unknown
  : "The payload of a failure action must accept error_type, error_code, message, details, payload (may be absent) and payload_omitted (may be absent)"
  : unknown

type ConfigEncodesToObject<S> = S extends Schema.Top
  ? NonNullable<S["Encoded"]> extends ReadonlyArray<unknown> ? "A config of an action must encode to a JSON object"
  : NonNullable<S["Encoded"]> extends object ? unknown
  : "A config of an action must encode to a JSON object"
  : unknown

type ConfigsOf<
  Execution extends Schema.Top | Schema.Struct.Fields,
  Query extends Schema.Top | Schema.Struct.Fields,
  Rag extends Schema.Top | Schema.Struct.Fields
> = Types.Simplify<
  & ([Execution] extends [never] ? {} : { readonly execution: SchemaOf<Execution> })
  & ([Query] extends [never] ? {} : { readonly query: SchemaOf<Query> })
  & ([Rag] extends [never] ? {} : { readonly rag: SchemaOf<Rag> })
> extends infer Fields extends Schema.Struct.Fields ? Schema.Struct<Fields> : never

/**
 * What a failure action carries beside the error when its contract says `payload: "include"`.
 *
 * @since 0.2.0
 * @category models
 */
export interface OriginalPayload<Original> {
  /** The payload of the action that failed, as it was received. */
  readonly payload?: Original
  /** Set where the payload would make the failure action larger or deeper than workers accept: `payload` is then absent. */
  readonly payload_omitted?: true
}

/**
 * The payload of a failure action, as it is sent: the same four keys as in an error response. `metadata.failed_action_id`
 * of the action holds the id of the action that failed.
 *
 * @since 0.1.0
 * @category models
 */
export interface FailurePayload {
  readonly error_type: string
  readonly error_code: string | null
  readonly message: string
  readonly details: { readonly [key: string]: unknown } | null
}

/**
 * Whether a value is a contract.
 *
 * @since 0.1.0
 * @category guards
 */
export const isAction = (u: unknown): u is Any => Predicate.hasProperty(u, TypeId)

// -----------------------------------------------------------------------------
// make
// -----------------------------------------------------------------------------

type Parts = Omit<Any, typeof TypeId | "pipe">

const Proto = {
  [TypeId]: TypeId,
  pipe() {
    return pipeArguments(this, arguments)
  },
  // SAFETY, twice: annotations are looked up by key; what the context holds is no part of the contract's type.
  annotate(this: Any, key: Context.Key<unknown, unknown>, value: unknown) {
    return fromParts({ ...this, annotations: Context.add(this.annotations, key, value) as Context.Context<never> })
  },
  annotateMerge(this: Any, annotations: Context.Context<unknown>) {
    return fromParts({
      ...this,
      annotations: Context.merge(this.annotations, annotations) as Context.Context<never>
    })
  }
}

/** The checked value of an option that a contract has in place of its worker's. */
const given = <Name extends keyof typeof contractRows>(
  name: Name,
  value: unknown,
  type: string
): Kinds.Decoded<(typeof contractRows)[Name]> | undefined =>
  // SAFETY: the decoded value of a row is that of the row's type.
  value === undefined
    ? undefined
    : Kinds.checkUnsafe<unknown>(name, contractRows[name], value, type) as Kinds.Decoded<(typeof contractRows)[Name]>

const fromParts = (parts: Parts): Any => Object.assign(Object.create(Proto), parts)

const toSchema = (schema: Schema.Top | Schema.Struct.Fields): Schema.Top =>
  Schema.isSchema(schema) ? schema : Schema.Struct(schema)

/** The class of all nodes, which effect does not export: each copy of effect has its own. */
const Node = Object.getPrototypeOf(SchemaAST.Null)

// Schemas of two copies of effect know each other by name, and decode to nonsense all the same.
const isForeign = (schema: unknown): boolean =>
  Predicate.hasProperty(schema, "ast") && SchemaAST.isAST(schema.ast) && !(schema.ast instanceof Node)

const isMadeElsewhere = (schema: Schema.Top | Schema.Struct.Fields | undefined): boolean =>
  schema !== undefined && [schema, ...Object.values(schema)].some(isForeign)

const configFields = (
  options: { readonly [K in ConfigName]: Schema.Top | Schema.Struct.Fields | undefined }
): { readonly [name: string]: Schema.Top } => {
  const fields: Record<string, Schema.Top> = {}
  for (const name of configNames) {
    const schema = options[name]
    if (schema !== undefined) fields[name] = toSchema(schema)
  }
  return fields
}

/**
 * Makes a contract.
 *
 * **Details**
 *
 * `payload` and `success` are a schema or a record of fields, which stands for the struct of those. Any schema crosses
 * the wire as JSON (dates, big integers, options, classes …), by its canonical JSON codec.
 *
 * A payload must encode to a JSON object. A success that does not is sent as `{ "value": … }`; one that may be `null` or
 * an object is sent as it is; `Schema.Void` is sent as `{}`, as Python workers do, and any answer to it is accepted. A
 * client decodes `{}` and `null` alike where the contract takes only one of them.
 *
 * **Gotchas**
 *
 * Throws a `TypeError` when the type is not `service.verb` (letters, digits, `_` and `-`, parts joined by dots) or the
 * payload does not encode to an object: a contract like that is a mistake in the program, found when it starts. Throws an
 * {@link InvalidOption} when `retry`, `maxAttempts` or `handlerTimeout` is invalid.
 *
 * **Example** (A contract with a declared error)
 *
 * ```ts
 * import { Schema } from "effect"
 * import { Action } from "effect-redis-workers"
 *
 * class EmailTaken extends Schema.TaggedError<EmailTaken>()("EmailTaken", { email: Schema.String }) {}
 *
 * const CreateUser = Action.make("user.create", {
 *   payload: { email: Schema.String },
 *   success: { userId: Schema.String },
 *   error: EmailTaken
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <
  const Type extends `${string}.${string}`,
  Payload extends Schema.Top | Schema.Struct.Fields = Schema.Struct<{}>,
  Success extends Schema.Top | Schema.Struct.Fields = Schema.Void,
  Error extends Schema.Top = Schema.Never,
  Failure extends Any = Any,
  Execution extends Schema.Top | Schema.Struct.Fields = never,
  Query extends Schema.Top | Schema.Struct.Fields = never,
  Rag extends Schema.Top | Schema.Struct.Fields = never
>(type: Type, options: {
  /** What it carries. Default: nothing, sent as `{}`. */
  readonly payload?: Payload & EncodesToObject<Payload>
  /** What answers it. Default: nothing, sent as `{}`. */
  readonly success?: Success
  /** The errors that callers may match on: one schema or a union. Default: none. */
  readonly error?: Error
  /**
   * What `execution_config` carries: a schema or a record of fields. The caller must pass it, and the handler gets it as
   * `delivery.execution`. `Schema.optionalKey` makes it optional. Default: passed through unchecked.
   */
  readonly execution?: Execution & ConfigEncodesToObject<Execution>
  /** What `query_config` carries, as `execution`. Default: passed through unchecked. */
  readonly query?: Query & ConfigEncodesToObject<Query>
  /** What `rag_config` carries, as `execution`. Default: passed through unchecked. */
  readonly rag?: Rag & ConfigEncodesToObject<Rag>
  /** When to run it again after a failure; the input is the number of failed attempts. Default: as the worker says. */
  readonly retry?: Schedule.Schedule<unknown, number> | undefined
  /** How many attempts it gets, the first included. Default: as the worker says. */
  readonly maxAttempts?: number | undefined
  /** How long an attempt may take. Default: as the worker says. */
  readonly handlerTimeout?: Duration.Input | undefined
  /**
   * Sent to a caller who asked for a callback when this action is refused or given up; the dead letter is kept as well.
   * `{ action, payload: "include" }` sends the payload of this action along, see {@link OriginalPayload}. Default: nothing is
   * sent.
   */
  readonly failureAction?: (Failure & TakesErrorDetail<Failure>) | {
    readonly action: Failure & TakesOriginal<Failure, SchemaOf<Payload>["Encoded"]>
    readonly payload: "include"
  } | undefined
  /** Notes for tools and workers. Default: none. */
  readonly annotations?: Context.Context<never> | undefined
} = {}): Action<Type, SchemaOf<Payload>, SchemaOf<Success>, Error, ConfigsOf<Execution, Query, Rag>> => {
  const name: string = type
  if (!isActionType(name)) {
    throw new TypeError(
      `"${type}" is not an action type: expected service.verb or service.entity.verb, such as user.create`
    )
  }
  const { execution, query, rag } = options
  if ([options.payload, options.success, options.error, execution, query, rag].some(isMadeElsewhere)) {
    throw new TypeError(
      `The schemas of "${type}" come from another copy of effect. "npm ls effect" shows both: run "npm dedupe", or ` +
        "install the same version everywhere"
    )
  }
  const payloadSchema = toSchema(options.payload ?? {})
  if (ActionCodec.shapeOf(payloadSchema) !== "object") {
    throw new TypeError(`The payload of "${type}" does not encode to a JSON object: wrap it in a Schema.Struct`)
  }
  // SAFETY: what the types ask of a failure action is nothing at run time.
  const failure = options.failureAction as Any | { readonly action: Any; readonly payload: "include" } | undefined
  const isBare = failure === undefined || isAction(failure)
  const configs = configFields({ execution, query, rag })
  for (const [name, schema] of Object.entries(configs)) {
    const shape = ActionCodec.shapeOf(schema)
    if (shape !== "object" && shape !== "nullable") {
      throw new TypeError(
        `The ${name} config of "${type}" does not encode to a JSON object: wrap it in a Schema.Struct`
      )
    }
  }
  // SAFETY: the parts are the options that the type parameters were inferred from.
  return fromParts({
    type,
    payloadSchema,
    successSchema: options.success === undefined ? Schema.Void : toSchema(options.success),
    errorSchema: options.error ?? Schema.Never,
    configSchema: Schema.Struct(configs),
    annotations: options.annotations ?? Context.empty(),
    retry: given("retry", options.retry, type),
    maxAttempts: given("maxAttempts", options.maxAttempts, type),
    handlerTimeout: given("handlerTimeout", options.handlerTimeout, type),
    failureAction: isBare ? failure : failure.action,
    failurePayload: isBare ? "none" : failure.payload
  }) as unknown as Action<Type, SchemaOf<Payload>, SchemaOf<Success>, Error, ConfigsOf<Execution, Query, Rag>>
}

// -----------------------------------------------------------------------------
// Errors
// -----------------------------------------------------------------------------

export { InvalidOption } from "./internal/base/invalidOption.ts"

// -----------------------------------------------------------------------------
// Disposition
// -----------------------------------------------------------------------------

/**
 * What a failure does to an action: `rejected` is an answer, `retryable` and `undeclared` are run again.
 *
 * @since 0.1.0
 * @category disposition
 */
export type Disposition = "rejected" | "retryable" | "undeclared"

/**
 * Dispositions that a worker sets in place of those in the contract, by tag (or identifier) of the error.
 *
 * @since 0.1.0
 * @category disposition
 */
export interface DispositionOverrides {
  readonly [tag: string]: "rejected" | "retryable"
}

/**
 * Annotations that give a declared error its disposition, for the third argument of `Schema.TaggedError`.
 *
 * **Example** (An error that is run again)
 *
 * ```ts
 * import { Schema } from "effect"
 * import { Action } from "effect-redis-workers"
 *
 * class Busy extends Schema.TaggedError<Busy>()("Busy", {}, Action.disposition("retryable")) {}
 * ```
 *
 * @since 0.1.0
 * @category disposition
 */
export const disposition = (value: "rejected" | "retryable"): { readonly [key: string]: unknown } => ({
  [ActionCodec.dispositionKey]: value
})

/**
 * The same error schema, run again instead of answered. The caller gets the error once all attempts are used up.
 *
 * @since 0.1.0
 * @category disposition
 */
export const retryable = <S extends Schema.Top>(schema: S): S["Rebuild"] => schema.annotate(disposition("retryable"))

/**
 * Which disposition an error of a handler has.
 *
 * **Details**
 *
 * `Rejected` is always `rejected` and `RetryLater` always `retryable`. A declared error has the disposition that its
 * schema is annotated with, `rejected` by default; in a union each member has its own. Without a contract
 * (`undefined`), and for anything else, it is `undeclared`.
 *
 * @since 0.1.0
 * @category disposition
 */
export const dispositionOf = (
  action: Any | undefined,
  error: unknown,
  overrides?: DispositionOverrides | undefined
): Disposition => {
  if (isRetryLater(error)) return "retryable"
  if (isRejected(error)) return "rejected"
  const member = action === undefined ? undefined : ActionCodec.codecOf(action).memberOf(error)
  if (member === undefined) return "undeclared"
  return overrides !== undefined && Object.hasOwn(overrides, member.label)
    ? overrides[member.label] ?? member.disposition
    : member.disposition
}

// -----------------------------------------------------------------------------
// Schemas of exact JSON
// -----------------------------------------------------------------------------

export {
  /**
   * An integer of any size: a `bigint` in the program, a JSON number on the wire.
   *
   * **When to use**
   *
   * For an `int` of Python, or any other JSON number that may be beyond 2^53. `Schema.Int` refuses those, and
   * `Schema.BigInt` is a string on the wire.
   *
   * **Example** (An id beyond 2^53)
   *
   * ```ts
   * import { Action } from "effect-redis-workers"
   *
   * const ReadPost = Action.make("post.read", { payload: { post_id: Action.BigInt } })
   * ```
   *
   * @since 0.2.0
   * @category schemas
   */
  BigInt,
  /**
   * A struct that refuses an object with a key that it does not name, as `extra="forbid"` does in pydantic. Any other
   * struct drops such keys.
   *
   * **Gotchas**
   *
   * A sender that knows a newer contract is refused until this side knows it too.
   *
   * **Example** (A payload without other keys)
   *
   * ```ts
   * import { Schema } from "effect"
   * import { Action } from "effect-redis-workers"
   *
   * const Embed = Action.make("embedding.generate", {
   *   payload: Action.closed({ texts: Schema.Array(Schema.String) })
   * })
   * ```
   *
   * @since 0.2.0
   * @category schemas
   */
  closed,
  /**
   * Any JSON value. Integers beyond 2^53 in it are `bigint`, digit for digit.
   *
   * **When to use**
   *
   * For data without a type, such as `Dict[str, Any]` of Python: `Schema.Record(Schema.String, Action.Unknown)`.
   * `Schema.Unknown` and `Schema.Json` refuse a value with such an integer in it.
   *
   * @since 0.2.0
   * @category schemas
   */
  Unknown
} from "./internal/contract/exact.ts"

// -----------------------------------------------------------------------------
// Codecs
// -----------------------------------------------------------------------------

/**
 * The wire's side of a contract. What synchronous schemas decode or encode is an `Exit`, which costs nothing to run.
 *
 * @since 0.1.0
 * @category codecs
 */
export interface Codec<A extends Any> {
  /** `data` of an action → payload. */
  readonly decodePayload: (
    data: unknown
  ) => Effect.Effect<Payload<A>, Schema.SchemaError, A["payloadSchema"]["DecodingServices"]>

  /** Payload → `data` of an action; constructor defaults are filled in. */
  readonly encodePayload: (
    payload: PayloadInput<A>
  ) => Effect.Effect<Schema.JsonObject, Schema.SchemaError, A["payloadSchema"]["EncodingServices"]>

  /** `data` of a response → success. */
  readonly decodeSuccess: (
    data: unknown
  ) => Effect.Effect<Success<A>, Schema.SchemaError, A["successSchema"]["DecodingServices"]>

  /** Success → `data` of a response; `{}` for `Schema.Void`, `null` where the contract has `null` or an object. */
  readonly encodeSuccess: (
    success: Success<A>
  ) => Effect.Effect<Schema.JsonObject | null, Schema.SchemaError, A["successSchema"]["EncodingServices"]>

  /**
   * Declared error → `error` of a response: its tag as `error_type` (without a tag: the identifier of its schema, or
   * `Error`), the whole encoded error in `details`.
   */
  readonly encodeError: (
    error: Error<A>
  ) => Effect.Effect<ErrorDetail, Schema.SchemaError, A["errorSchema"]["EncodingServices"]>

  /**
   * `error` of a response → declared error, or `None` when it is not one of those. `error_type` alone is enough to name
   * a tagged error, so that the answers of a worker in another language are understood as well.
   */
  readonly decodeError: (
    detail: ErrorDetail
  ) => Effect.Effect<Option.Option<Error<A>>, never, A["errorSchema"]["DecodingServices"]>

  /** The configs of an action that the contract has schemas for, by name. */
  readonly decodeConfigs: (
    action: Pick<DomainAction, "execution_config" | "query_config" | "rag_config">
  ) => Effect.Effect<Configs<A>, Schema.SchemaError, A["configSchema"]["DecodingServices"]>

  /** Configs by name → the three keys of an action, `null` where there is none; constructor defaults are filled in. */
  readonly encodeConfigs: (
    configs: ConfigsInput<A>
  ) => Effect.Effect<
    Pick<DomainAction, "execution_config" | "query_config" | "rag_config">,
    Schema.SchemaError,
    A["configSchema"]["EncodingServices"]
  >
}

/**
 * The codec of a contract: made on the first call, the same one ever after.
 *
 * @since 0.1.0
 * @category codecs
 */
export const codec = <A extends Any>(action: A): Codec<A> => ActionCodec.codecOf(action)

/**
 * The issues that an answer tells of, at most.
 */
const maxIssues = 20

// How the JSON codec of a number says that it takes these three as well: true, and no help to the sender.
const notFinite = /( \| )?"Infinity" \| "-Infinity" \| "NaN"/

const toKey = (key: PropertyKey | StandardSchemaV1.PathSegment): PropertyKey => typeof key === "object" ? key.key : key

const toPathKey = (key: PropertyKey | StandardSchemaV1.PathSegment): string | number => {
  const name = toKey(key)
  return typeof name === "number" ? name : bounded(String(name))
}

const formatIssue = SchemaIssue.makeFormatterStandardSchemaV1()

/** The path of the first issue, with `*` for each key that no contract names: those of records are part of the payload. */
const declaredPath = (issue: SchemaIssue.Issue): ReadonlyArray<string | number> => {
  const path: Array<string | number> = []
  // Whose keys the next pointer names.
  let parent: SchemaAST.AST | undefined
  for (let next = issue;;) {
    switch (next._tag) {
      case "Pointer": {
        const [first, ...rest] = next.path
        if (first !== undefined) path.push(isDeclared(parent, first) ? toPathKey(first) : "*", ...rest.map(toPathKey))
        parent = undefined
        next = next.issue
        break
      }
      case "Composite":
        parent = next.ast
        next = next.issues[0]
        break
      case "AnyOf":
        if (next.issues[0] === undefined) return path
        next = next.issues[0]
        break
      case "Filter":
      case "Encoding":
        next = next.issue
        break
      default:
        return path
    }
  }
}

const isDeclared = (parent: SchemaAST.AST | undefined, key: PropertyKey): boolean =>
  parent === undefined || !SchemaAST.isObjects(parent) || parent.propertySignatures.some(({ name }) => name === key)

/**
 * The `error` of the response to an action whose payload its contract refuses: at most 20 issues with their paths, and
 * none of the values. Its message, which is logged, shows no key of a record either (`*`); the paths do, since who sent the
 * payload has to find them.
 *
 * @since 0.1.0
 * @category codecs
 */
export const validationDetail = (error: Schema.SchemaError): ErrorDetail => {
  const { issues } = formatIssue(error.issue)
  const shown = issues.slice(0, maxIssues).map((issue) => {
    const path = issue.path ?? []
    const message = issue.message.replace(
      notFinite,
      (_, other: string | undefined) => other === undefined ? "number" : ""
    )
    return {
      path: path.map(toPathKey),
      message: bounded(message + hintFor(error.issue, path.map(toKey), message))
    }
  })
  const path = declaredPath(error.issue)
  return {
    error_type: "ValidationError",
    error_code: "VALIDATION_ERROR",
    message: shown[0] === undefined
      ? "The payload does not fit the contract"
      : bounded(`${path.length === 0 ? "payload" : path.join(".")}: ${shown[0].message}`),
    details: { issues: shown, total: issues.length }
  }
}
