/**
 * Contracts: the type of an action, its payload, its success and the errors it declares.
 *
 * A contract is one value that the service and its callers share. It fixes the TypeScript types on both sides and the
 * JSON between them. A worker rejects an invalid payload before the handler runs, and never sends an answer that the
 * success schema cannot encode.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import { type Pipeable, pipeArguments } from "effect/Pipeable"
import * as Predicate from "effect/Predicate"
import type * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import type * as Types from "effect/Types"
import { isActionType } from "./DomainAction.ts"
import * as Kinds from "./internal/base/options.ts"
import * as ActionCodec from "./internal/contract/codec.ts"
import { type ConfigName, configNames } from "./internal/contract/configs.ts"
import * as LaneOf from "./internal/contract/lane.ts"
import { contractRows } from "./internal/contract/options.ts"

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
  /**
   * `service.verb` or `service.entity.verb`. The part before the first dot names the service that handles the action.
   */
  readonly type: Type
  readonly payloadSchema: Payload
  readonly successSchema: Success
  readonly errorSchema: Error
  /** Schemas of the configs sent with the payload, by name: `execution`, `query`, `rag`. */
  readonly configSchema: Configs
  readonly annotations: Context.Context<never>
  /** When to run the action again after a failure. `undefined` uses the worker's `retry`. */
  readonly retry: Schedule.Schedule<unknown, number> | undefined
  /** How many attempts the action gets, the first included. `undefined` uses the worker's `maxAttempts`. */
  readonly maxAttempts: number | undefined
  /** How long one attempt may take. `undefined` uses the worker's `handlerTimeout`. */
  readonly handlerTimeout: Duration.Duration | undefined
  /** The limits of what runs at once for a key. `undefined` without any. */
  readonly lane: Lane | undefined
  /**
   * The action sent to a caller who asked for a callback when this action is rejected or given up. The dead letter is
   * kept as well.
   */
  readonly failureAction: Any | undefined
  /** Whether the failure action carries the payload of this action. */
  readonly failurePayload: "none" | "include"

  /** Under which key, and for how long, `send` sends only the first of several actions. Absent: each is sent. */
  unique?(payload: Payload["~type.make.in"]): Unique

  /** Returns the contract with one more annotation. */
  annotate<I, S>(key: Context.Key<I, S>, value: Types.NoInfer<S>): Action<Type, Payload, Success, Error, Configs>

  /** Returns the contract with these annotations merged over its own. */
  annotateMerge<I>(annotations: Context.Context<I>): Action<Type, Payload, Success, Error, Configs>
}

/**
 * Any contract, for code that treats all contracts alike.
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
  readonly lane: Lane | undefined
  readonly failureAction: Any | undefined
  readonly failurePayload: "none" | "include"
  unique?(payload: never): Unique
}

/**
 * A key under which only the first of several actions of one type is sent, and for how long.
 *
 * @since 0.2.0
 * @category models
 */
export interface Unique {
  /** 1 to 1,000 characters. Two types may use the same key. */
  readonly key: string
  /** For how long another action with the key is a duplicate, at most 366 days. */
  readonly within: Duration.Input
}

/**
 * The payload that the handler of an action receives.
 *
 * @since 0.1.0
 * @category utility types
 */
export type Payload<A extends Any> = A["payloadSchema"]["Type"]

/**
 * The payload that a caller passes. Fields with a constructor default may be omitted.
 *
 * @since 0.1.0
 * @category utility types
 */
export type PayloadInput<A extends Any> = A["payloadSchema"]["~type.make.in"]

/**
 * The success value of an action.
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
 * The configs that the handler of an action gets, by name. Only configs with a schema in the contract are included.
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
 * The options of a call, with the contract's configs in place of untyped ones.
 *
 * @since 0.2.0
 * @category utility types
 */
export type WithConfigs<A extends Any, Options> = [keyof ConfigsInput<A>] extends [never] ? Options
  : Omit<Options, keyof ConfigsInput<A>> & ConfigsInput<A>

/**
 * The last parameter of a call: required if the contract requires a config, otherwise optional.
 *
 * **Details**
 *
 * Use it in your own functions that are generic in the contract: `...options: Action.OptionsOf<A, Options>`.
 *
 * @since 0.2.0
 * @category utility types
 */
export type OptionsOf<A extends Any, Options> = {} extends ConfigsInput<A> ? [options?: WithConfigs<A, Options>]
  : [options: WithConfigs<A, Options>]

/**
 * The services that the schemas of an action need in the worker.
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
 * The services that the schemas of an action need in the client.
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
 * The schema itself, or the struct of a record of fields.
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
 * The additional payload of a failure action whose contract says `payload: "include"`.
 *
 * @since 0.2.0
 * @category models
 */
export interface OriginalPayload<Original> {
  /** The payload of the failed action, as it was received. */
  readonly payload?: Original
  /**
   * `true` if the payload would make the failure action larger or deeper than workers accept. `payload` is then absent.
   */
  readonly payload_omitted?: true
}

/**
 * The payload of a failure action as it is sent: the same four keys as an error response. The action's
 * `metadata.failed_action_id` holds the id of the failed action.
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
 * Returns `true` if a value is a contract.
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
  // SAFETY, twice: annotations are looked up by key, and the contract's type does not include them.
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

/** The base class of all AST nodes. Effect does not export it, and each copy of Effect has its own. */
const Node = Object.getPrototypeOf(SchemaAST.Null)

// Schemas of two copies of Effect recognize each other by name, but decode to nonsense.
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
 * `payload` and `success` take a schema or a record of fields, which is short for `Schema.Struct`. Any schema crosses
 * the wire as JSON through its canonical JSON codec: dates, big integers, options, classes and so on.
 *
 * A payload must encode to a JSON object. The wire format also requires an object as the answer, so:
 *
 * - a success that does not encode to an object is sent as `{ "value": … }`
 * - a success that may be `null` or an object is sent unchanged
 * - `Schema.Void` is sent as `{}`, as Python workers do, and the client accepts any answer to it
 *
 * A client decodes `{}` and `null` alike if the contract accepts only one of them.
 *
 * **Gotchas**
 *
 * Throws a `TypeError` if the type is not `service.verb` (letters, digits, `_` and `-`, parts joined by dots) or if the
 * payload does not encode to an object. Such a contract is a bug in the program, so it fails at startup. Throws an
 * {@link InvalidOption} if `retry`, `maxAttempts`, `handlerTimeout` or `unique` is invalid.
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
  /** The schema of the payload. Default: no payload, sent as `{}`. */
  readonly payload?: Payload & EncodesToObject<Payload>
  /** The schema of the success. Default: no value, sent as `{}`. */
  readonly success?: Success
  /** The errors that callers may match on: one schema or a union. Default: none. */
  readonly error?: Error
  /**
   * The schema, or record of fields, of `execution_config`. The caller must pass it, and the handler gets it as
   * `delivery.execution`. Use `Schema.optionalKey` to make it optional. Default: passed through unchecked.
   */
  readonly execution?: Execution & ConfigEncodesToObject<Execution>
  /** The schema of `query_config`, used like `execution`. Default: passed through unchecked. */
  readonly query?: Query & ConfigEncodesToObject<Query>
  /** The schema of `rag_config`, used like `execution`. Default: passed through unchecked. */
  readonly rag?: Rag & ConfigEncodesToObject<Rag>
  /**
   * When to run the action again after a failure. The input is the number of failed attempts. Default: the worker's
   * `retry`.
   */
  readonly retry?: Schedule.Schedule<unknown, number> | undefined
  /** How many attempts the action gets, the first included. Default: the worker's `maxAttempts`. */
  readonly maxAttempts?: number | undefined
  /** How long one attempt may take. Default: the worker's `handlerTimeout`. */
  readonly handlerTimeout?: Duration.Input | undefined
  /**
   * Sent to a caller who asked for a callback when this action is rejected or given up. The dead letter is kept as
   * well. `{ action, payload: "include" }` adds the payload of this action, see {@link OriginalPayload}. Default:
   * nothing is sent.
   */
  readonly failureAction?: (Failure & TakesErrorDetail<Failure>) | {
    readonly action: Failure & TakesOriginal<Failure, SchemaOf<Payload>["Encoded"]>
    readonly payload: "include"
  } | undefined
  /**
   * Makes `send` send only the first of several actions whose payloads give the same key, within a time. The receipt of
   * another is a `Duplicate`. The option `unique` of a call replaces it. `sendMany`, `request` and `sendWithCallback` ignore
   * it: a caller that waits would otherwise never get an answer. Default: each action is sent.
   */
  readonly unique?: ((payload: SchemaOf<Payload>["~type.make.in"]) => Unique) | undefined
  /** Annotations for tools and workers. Default: none. */
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
  // SAFETY: the type-level checks of a failure action do not exist at run time.
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
  const unique = given("unique", options.unique, type)
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
    lane: undefined,
    failureAction: isBare ? failure : failure.action,
    failurePayload: isBare ? "none" : failure.payload,
    ...unique === undefined ? {} : { unique }
  }) as unknown as Action<Type, SchemaOf<Payload>, SchemaOf<Success>, Error, ConfigsOf<Execution, Query, Rag>>
}

// -----------------------------------------------------------------------------
// Lanes
// -----------------------------------------------------------------------------

/**
 * A rate: so many in each period, spread evenly after a burst.
 *
 * @since 0.2.0
 * @category lanes
 */
export interface LaneRate {
  readonly limit: number
  readonly per: Duration.Duration
}

/**
 * What becomes of an action whose lane is full.
 *
 * - `"wait"`: it waits in the order of sends
 * - `{ max }`: it waits if fewer than `max` do, otherwise the send fails with `LaneFull`
 * - `"latest"`: it waits, and replaces the one that waited before; a caller of that one gets the error `ACTION_SUPERSEDED`
 * - `"drop"`: it is not sent; the receipt is a `Duplicate` of the action that has the lane, and a request fails with
 *   `LaneFull`
 *
 * @since 0.2.0
 * @category lanes
 */
export type LaneBacklog = "wait" | "latest" | "drop" | { readonly max: number }

/**
 * Options of {@link lane}.
 *
 * @since 0.2.0
 * @category lanes
 */
export interface LaneOptions {
  /** Shares the lane with other types of the service that use the name. Default: the lane is the type's own. */
  readonly name?: string | undefined
  /** How many actions of one key run at once, from 1 to 10,000. Default: 1, which also keeps their order. */
  readonly concurrency?: number | undefined
  /** How many actions of one key start in a period. After a standstill at most `limit` start at once. Default: no limit. */
  readonly rate?: { readonly limit: number; readonly per: Duration.Input } | undefined
  /** What becomes of an action whose lane is full. Default: `"wait"`. */
  readonly backlog?: LaneBacklog | undefined
  /**
   * What a lane does when one of its actions becomes a dead letter. `"halt"` lets nothing in until the lane is resumed.
   * Default: `"continue"`.
   */
  readonly onGiveUp?: "continue" | "halt" | undefined
  /** Limits of all keys together. Keys that wait take turns. Default: no limit. */
  readonly total?: {
    readonly concurrency?: number | undefined
    readonly rate?: { readonly limit: number; readonly per: Duration.Input } | undefined
  } | undefined
}

/**
 * The lane of a contract, with its defaults.
 *
 * @since 0.2.0
 * @category lanes
 */
export interface Lane {
  /** Gets a decoded payload of the contract. */
  readonly key: (payload: never) => string
  readonly name: string | undefined
  readonly concurrency: number
  readonly rate: LaneRate | undefined
  readonly backlog: LaneBacklog
  readonly onGiveUp: "continue" | "halt"
  readonly total: { readonly concurrency: number | undefined; readonly rate: LaneRate | undefined } | undefined
}

/**
 * A contract with a lane.
 *
 * @since 0.2.0
 * @category lanes
 */
export type Laned<A extends Any> = A & { readonly lane: Lane }

/**
 * Returns the contract with limits of what runs at once for a key: in order, at a rate, or both.
 *
 * **When to use**
 *
 * Use it to run the actions of one customer one after another, to make at most so many calls a second to a provider, or to
 * let no tenant starve the others.
 *
 * **Details**
 *
 * At most `concurrency` actions of a key are in the stream; the others wait behind them in Redis. An action takes its place
 * when it is sent and gives it back in the step that settles it, so that no crash can lose a place. A retry keeps the place.
 * A constant key limits the whole type.
 *
 * With `concurrency: 1` the actions of a key run in the order of their sends, over retries, crashes and deploys.
 *
 * **Gotchas**
 *
 * The key must have 1 to 200 bytes and no control characters; otherwise the send fails with an {@link InvalidOption}. Throws
 * an {@link InvalidOption} if an option is invalid. All workers of the service must run version 0.2 or newer before actions
 * are sent through a lane.
 *
 * **Example** (One charge at a time for each customer)
 *
 * ```ts
 * import { Schema } from "effect"
 * import { Action } from "effect-redis-workers"
 *
 * const Charge = Action.make("payment.charge", {
 *   payload: { customer: Schema.String, cents: Schema.Int }
 * }).pipe(
 *   Action.lane(({ customer }) => customer, { rate: { limit: 10, per: "1 second" } })
 * )
 * ```
 *
 * @since 0.2.0
 * @category lanes
 */
export const lane =
  <A extends Any>(key: (payload: Payload<A>) => string, options: LaneOptions = {}) => (self: A): Laned<A> =>
    // SAFETY: the parts are those of a contract of that type.
    fromParts({ ...self, lane: { key, ...LaneOf.optionsOf(options, self.type) } }) as Laned<A>

// -----------------------------------------------------------------------------
// Errors
// -----------------------------------------------------------------------------

export { InvalidOption } from "./internal/base/invalidOption.ts"

// -----------------------------------------------------------------------------
// Disposition
// -----------------------------------------------------------------------------

/**
 * Dispositions that a worker uses instead of those in the contract, by tag (or identifier) of the error.
 *
 * @since 0.1.0
 * @category disposition
 */
export interface DispositionOverrides {
  readonly [tag: string]: "rejected" | "retryable"
}

/**
 * Annotations that give a declared error its disposition. Pass them as the third argument of `Schema.TaggedError`.
 *
 * **Example** (A retryable error)
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
 * Marks an error schema as retryable: the action is run again, and the caller gets the error after the last attempt.
 *
 * **Example** (An error of another module)
 *
 * ```ts
 * import { Schema } from "effect"
 * import { Action } from "effect-redis-workers"
 *
 * class GatewayDown extends Schema.TaggedError<GatewayDown>()("GatewayDown", {}) {}
 *
 * const Charge = Action.make("payment.charge", { error: Action.retryable(GatewayDown) })
 * ```
 *
 * @since 0.1.0
 * @category disposition
 */
export const retryable = <S extends Schema.Top>(schema: S): S["Rebuild"] => schema.annotate(disposition("retryable"))

// -----------------------------------------------------------------------------
// Schemas of exact JSON
// -----------------------------------------------------------------------------

export {
  /**
   * An integer of any size: a `bigint` in the program, a JSON number on the wire.
   *
   * **When to use**
   *
   * Use it for a Python `int`, or any other JSON number that may exceed 2^53. `Schema.Int` rejects such numbers, and
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
   * A struct that rejects objects with unknown keys, as `extra="forbid"` does in pydantic. Other structs drop such
   * keys.
   *
   * **Gotchas**
   *
   * A sender with a newer contract is rejected until this side has the newer contract too.
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
   * Any JSON value. Integers beyond 2^53 in it are decoded as `bigint`, digit for digit.
   *
   * **When to use**
   *
   * Use it for untyped data, such as Python's `Dict[str, Any]`: `Schema.Record(Schema.String, Action.Unknown)`.
   * `Schema.Unknown` and `Schema.Json` reject values that contain such an integer.
   *
   * @since 0.2.0
   * @category schemas
   */
  Unknown
} from "./internal/contract/exact.ts"

// -----------------------------------------------------------------------------
// Payloads and results as JSON
// -----------------------------------------------------------------------------

/**
 * Encodes a payload to the `data` of an action, as `ActionClient.send` does. Constructor defaults are filled in.
 *
 * **When to use**
 *
 * Use it to store an action before it is sent, such as in an outbox table.
 *
 * @since 0.2.0
 * @category encoding
 */
export const encodePayload = <A extends Any>(
  action: A,
  payload: PayloadInput<A>
): Effect.Effect<Schema.JsonObject, Schema.SchemaError, A["payloadSchema"]["EncodingServices"]> =>
  ActionCodec.codecOf(action).encodePayload(payload)

/**
 * Decodes the `data` of an action to its payload, as a worker does.
 *
 * @since 0.2.0
 * @category decoding
 */
export const decodePayload = <A extends Any>(
  action: A,
  data: unknown
): Effect.Effect<Payload<A>, Schema.SchemaError, A["payloadSchema"]["DecodingServices"]> =>
  ActionCodec.codecOf(action).decodePayload(data)

/**
 * Encodes a result to the `data` of an answer, as a worker does: `{}` for `Schema.Void`, and `null` where the contract
 * accepts `null` or an object.
 *
 * **When to use**
 *
 * Use it to store the result of an action, such as in an inbox table.
 *
 * @since 0.2.0
 * @category encoding
 */
export const encodeSuccess = <A extends Any>(
  action: A,
  success: Success<A>
): Effect.Effect<Schema.JsonObject | null, Schema.SchemaError, A["successSchema"]["EncodingServices"]> =>
  ActionCodec.codecOf(action).encodeSuccess(success)

/**
 * Decodes the `data` of an answer to the result, as `ActionClient.request` does.
 *
 * @since 0.2.0
 * @category decoding
 */
export const decodeSuccess = <A extends Any>(
  action: A,
  data: unknown
): Effect.Effect<Success<A>, Schema.SchemaError, A["successSchema"]["DecodingServices"]> =>
  ActionCodec.codecOf(action).decodeSuccess(data)
