/**
 * Clients: they send actions to services and receive the answers.
 *
 * Three ways of asking: fire and forget ({@link ActionClient} `send`), a request that
 * waits for its answer (`request`), and a callback that comes back later as an action of
 * one's own (`sendWithCallback`).
 *
 * **Guarantee**: an action whose call succeeded is in the stream of its service. A request
 * ends with the answer or with a typed failure within its timeout, always.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Action from "./Action.ts"
import type * as ActionContext from "./ActionContext.ts"
import type * as DomainAction from "./DomainAction.ts"
import type { InvalidOption } from "./internal/base/invalidOption.ts"
import { checkRow } from "./internal/base/options.ts"
import * as Writing from "./internal/client/append.ts"
import type { EncodeError, RemoteFailure, RequestTimeout } from "./internal/client/errors.ts"
import { clientRows } from "./internal/client/options.ts"
import * as Request from "./internal/client/request.ts"
import * as Sending from "./internal/client/send.ts"
import * as Streams from "./internal/client/streams.ts"
import { QueueNaming } from "./QueueNaming.ts"
import { Redis, type RedisError } from "./Redis.ts"
import { Settings } from "./Settings.ts"

// -----------------------------------------------------------------------------
// options
// -----------------------------------------------------------------------------

/**
 * Options of every call.
 *
 * @since 0.1.0
 * @category options
 */
export interface SendOptions {
  /** A UUID. A call that is repeated with the same id is the same action for its handler. Default: a new one. */
  readonly actionId?: string | undefined
  /**
   * A UUID that ties what comes of the action to it; a callback bears it too. A request takes none: its answer is found
   * by an id that no other request has. Default: a new one where an answer is expected, else none.
   */
  readonly correlationId?: string | undefined
  /** Ids and configs on top of those of the {@link ActionContext.ActionContext} that is in force. */
  readonly context?: ActionContext.Input | undefined
  /** Free-form notes beside the payload, as JSON. Default: `{}`. */
  readonly metadata?: { readonly [key: string]: unknown } | undefined
  /** The service to send to. Default: the part of the action type before the first dot. */
  readonly service?: string | undefined
  /**
   * `execution_config` of the action, as JSON. Of the type that the contract says, and required, where it has a schema for
   * it. Default: that of the `ActionContext` in force.
   */
  readonly execution?: ActionContext.Config | undefined
  /** `query_config` of the action, as `execution`. Default: that of the `ActionContext` in force. */
  readonly query?: ActionContext.Config | undefined
  /** `rag_config` of the action, as `execution`. Default: that of the `ActionContext` in force. */
  readonly rag?: ActionContext.Config | undefined
}

/**
 * Options of `request`.
 *
 * @since 0.1.0
 * @category options
 */
export interface RequestOptions extends Omit<SendOptions, "correlationId"> {
  /**
   * How long to wait, more than no time. The worker knows it, and runs nothing that nobody waits for. Default:
   * `Settings.requestTimeout` (30 seconds); in a handler no longer than its own time lasts.
   */
  readonly timeout?: Duration.Input | undefined
}

/**
 * Options of `sendMany`.
 *
 * @since 0.1.0
 * @category options
 */
export interface SendManyOptions extends Omit<SendOptions, "actionId" | "correlationId"> {
  /** A UUID for each payload, in their order: a call that is repeated with them sends the same actions. Default: new ones. */
  readonly actionIds?: ReadonlyArray<string> | undefined
}

/**
 * Options of `sendWithCallback`.
 *
 * @since 0.1.0
 * @category options
 */
export interface CallbackOptions<A extends Action.Any, C extends Action.Any> extends SendOptions {
  /**
   * The contract that the answer comes back as, handled by a worker of the service that its type names. Its payload is the
   * success: as it stands where that is an object, `{}` where it is nothing, else `{ value }`. `{ action, service }` sends it
   * to a worker of another service, which must have a handler for the type. It goes through a callback list, as every service
   * understands it. `{ action, to: "stream" }` lets a worker of this library write to the action stream directly.
   */
  readonly callback: (C & TakesSuccess<A, C>) | {
    readonly action: C & TakesSuccess<A, C>
    readonly to?: "list" | "stream" | undefined
    readonly service?: string | undefined
  }
}

/**
 * A success as the `data` of a callback: an object as it is, nothing as an empty object, all else as `{ value }`.
 *
 * @since 0.1.0
 * @category utility types
 */
export type CallbackData<Success> = unknown extends Success ? { readonly value: Success }
  : [Success] extends [void | undefined | null] ? {}
  : [AreObjects<NonNullable<Success>>] extends [true] ? Success extends void | undefined | null ? {} : Success
  : { readonly value: Success }

type AreObjects<A> = A extends ReadonlyArray<unknown> ? false : A extends object ? true : false

/**
 * A sentence in the place of a callback whose payload cannot be what the action answers.
 *
 * **Details**
 *
 * What has methods, such as a date, may be an object in JSON or not: its schema decides, so that both forms are taken.
 *
 * @since 0.1.0
 * @category utility types
 */
export type TakesSuccess<A extends Action.Any, C extends Action.Any> = Takes<
  C["payloadSchema"]["Encoded"],
  A["successSchema"]["Encoded"]
> extends true ? {} extends C["configSchema"]["Encoded"] ? unknown
  : "The callback requires a config, and callbacks carry none"
  : "The payload of the callback does not take the success of the action"

type Takes<Payload, Success> = CallbackData<Success> extends Payload ? true
  : [Methods<NonNullable<Success>>] extends [never] ? false
  : { readonly value: Success } extends Payload ? true
  : false

type Methods<A> = A extends ReadonlyArray<unknown> ? never
  : A extends object
    ? { [K in keyof A]: unknown extends A[K] ? never : A[K] extends (...args: never) => unknown ? K : never }[keyof A]
  : never

/**
 * Options of a client.
 *
 * @since 0.1.0
 * @category options
 */
export interface Options {
  /**
   * `"shared"`: one list and one connection for all answers. `"per-request"`: a list and, while it waits, a connection for
   * each request, named as the Python client names them; at most 64 at once, and others wait unsent. Default: `"shared"`.
   */
  readonly inbox?: "shared" | "per-request" | undefined
  /**
   * Actions that `sendMany` appends in one call, from 1 to 10,000; fewer where a call would exceed 3,500 arguments or 4 MiB.
   * Default: 500.
   */
  readonly chunkSize?: number | undefined
}

// -----------------------------------------------------------------------------
// service
// -----------------------------------------------------------------------------

/**
 * Sends actions. Every method takes the ids of the {@link ActionContext.ActionContext} in force along.
 *
 * **Example** (The three ways of asking)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Action, ActionClient } from "effect-redis-workers"
 *
 * const CreateUser = Action.make("user.create", {
 *   payload: { email: Schema.String },
 *   success: { userId: Schema.String }
 * })
 * const UserCreated = Action.make("signup.user_created", { payload: { userId: Schema.String } })
 *
 * const program = Effect.gen(function*() {
 *   const client = yield* ActionClient.ActionClient
 *   yield* client.send(CreateUser, { email: "ana@example.com" })
 *   const { userId } = yield* client.request(CreateUser, { email: "eva@example.com" }, { timeout: "5 seconds" })
 *   yield* client.sendWithCallback(CreateUser, { email: "ida@example.com" }, { callback: UserCreated })
 *   return userId
 * })
 * ```
 *
 * @since 0.1.0
 * @category services
 */
export class ActionClient extends Context.Service<ActionClient, {
  /** Appends an action to the stream of its service; returns the id of the entry. Nobody answers. */
  readonly send: <A extends Action.Any>(
    action: A,
    payload: Action.PayloadInput<A>,
    ...options: Action.OptionsOf<A, SendOptions>
  ) => Effect.Effect<string, EncodeError | RedisError, Action.ClientServices<A>>

  /**
   * Appends many actions, a chunk in one call, in their order; returns the ids of the entries. Nothing is sent when one
   * of them does not fit the contract. A `RedisError` leaves what was appended before it, and may leave the chunk that
   * was on its way with it: with the same `actionIds` the call may be repeated, and handlers can tell.
   */
  readonly sendMany: <A extends Action.Any>(
    action: A,
    payloads: Iterable<Action.PayloadInput<A>>,
    ...options: Action.OptionsOf<A, SendManyOptions>
  ) => Effect.Effect<ReadonlyArray<string>, EncodeError | RedisError, Action.ClientServices<A>>

  /**
   * Sends an action and waits for its answer.
   *
   * A declared error comes back as itself, every other failure as {@link RemoteFailure}. {@link RequestTimeout} says that
   * the outcome is unknown: with the same `actionId` the request may be repeated. A caller that is interrupted leaves
   * nothing behind.
   */
  readonly request: <A extends Action.Any>(
    action: A,
    payload: Action.PayloadInput<A>,
    ...options: Action.OptionsOf<A, RequestOptions>
  ) => Effect.Effect<
    Action.Success<A>,
    Action.Error<A> | RequestTimeout | RemoteFailure | EncodeError | InvalidOption | RedisError,
    Action.ClientServices<A>
  >

  /** Sends an action whose success comes back as another action; returns the id of the entry. */
  readonly sendWithCallback: <A extends Action.Any, C extends Action.Any>(
    action: A,
    payload: Action.PayloadInput<A>,
    options: Action.WithConfigs<A, CallbackOptions<A, C>>
  ) => Effect.Effect<string, EncodeError | RedisError, Action.ClientServices<A>>

  /**
   * Appends an envelope without a contract; returns the id of the entry. It is sent as it is, except that a `trace_id` of
   * `null` is replaced by that of the span in force or a random one, and `metadata` of `null` by `{}`.
   */
  readonly sendAction: (
    action: DomainAction.DomainAction,
    options?: Pick<SendOptions, "service">
  ) => Effect.Effect<string, EncodeError | RedisError>
}>()("effect-redis-workers/ActionClient") {}

// -----------------------------------------------------------------------------
// accessors
// -----------------------------------------------------------------------------

/**
 * Appends an action to the stream of its service with the client in the context; returns the id of the entry.
 *
 * **Example** (Sending from anywhere in a program)
 *
 * ```ts
 * import { Schema } from "effect"
 * import { Action, ActionClient } from "effect-redis-workers"
 *
 * const CreateUser = Action.make("user.create", { payload: { email: Schema.String } })
 *
 * const program = ActionClient.send(CreateUser, { email: "ana@example.com" })
 * ```
 *
 * @since 0.2.0
 * @category accessors
 */
export const send = <A extends Action.Any>(
  action: A,
  payload: Action.PayloadInput<A>,
  ...options: Action.OptionsOf<A, SendOptions>
): Effect.Effect<string, EncodeError | RedisError, ActionClient | Action.ClientServices<A>> =>
  ActionClient.use((client) => client.send(action, payload, ...options))

/**
 * Appends many actions in their order with the client in the context; returns the ids of the entries. See `sendMany` of
 * {@link ActionClient}.
 *
 * @since 0.2.0
 * @category accessors
 */
export const sendMany = <A extends Action.Any>(
  action: A,
  payloads: Iterable<Action.PayloadInput<A>>,
  ...options: Action.OptionsOf<A, SendManyOptions>
): Effect.Effect<ReadonlyArray<string>, EncodeError | RedisError, ActionClient | Action.ClientServices<A>> =>
  ActionClient.use((client) => client.sendMany(action, payloads, ...options))

/**
 * Sends an action with the client in the context and waits for its answer. See `request` of {@link ActionClient}.
 *
 * @since 0.2.0
 * @category accessors
 */
export const request = <A extends Action.Any>(
  action: A,
  payload: Action.PayloadInput<A>,
  ...options: Action.OptionsOf<A, RequestOptions>
): Effect.Effect<
  Action.Success<A>,
  Action.Error<A> | RequestTimeout | RemoteFailure | EncodeError | InvalidOption | RedisError,
  ActionClient | Action.ClientServices<A>
> => ActionClient.use((client) => client.request(action, payload, ...options))

/**
 * Sends an action, with the client in the context, whose success comes back as another action; returns the id of the entry.
 *
 * @since 0.2.0
 * @category accessors
 */
export const sendWithCallback = <A extends Action.Any, C extends Action.Any>(
  action: A,
  payload: Action.PayloadInput<A>,
  options: Action.WithConfigs<A, CallbackOptions<A, C>>
): Effect.Effect<string, EncodeError | RedisError, ActionClient | Action.ClientServices<A>> =>
  ActionClient.use((client) => client.sendWithCallback(action, payload, options))

/**
 * Appends an envelope without a contract with the client in the context; returns the id of the entry.
 *
 * @since 0.2.0
 * @category accessors
 */
export const sendAction = (
  action: DomainAction.DomainAction,
  options?: Pick<SendOptions, "service">
): Effect.Effect<string, EncodeError | RedisError, ActionClient> =>
  ActionClient.use((client) => client.sendAction(action, options))

// -----------------------------------------------------------------------------
// make
// -----------------------------------------------------------------------------

/**
 * Makes a client. Its inbox is read from the first request on, and removed with the scope. Fails when an option is wrong.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.fnUntraced(function*(options: Options = {}) {
  const redis = yield* Redis
  const naming = yield* QueueNaming
  const { payloadLimit, serviceName: service } = yield* Settings
  const chunkSize = yield* Effect.fromResult(checkRow("chunkSize", clientRows.chunkSize, options.chunkSize))
  const inbox = yield* Effect.fromResult(checkRow("inbox", clientRows.inbox, options.inbox))
  const streams = yield* Streams.make
  const writing = Writing.make({ service, payloadLimit, clock: yield* Clock.Clock })
  const sending = Sending.make({ redis, naming, streams, writing, chunkSize })
  const asking = yield* Request.make(streams, writing, inbox === "shared")
  // SAFETY: each method runs the codecs of the very action it is given, so that payload, success, error and services
  // are those of its contract; inside they are unknown.
  return ActionClient.of({ ...sending, request: asking } as ActionClient["Service"])
})

// -----------------------------------------------------------------------------
// layers
// -----------------------------------------------------------------------------

/**
 * A client with options.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerOptions = (
  options: Options
): Layer.Layer<ActionClient, InvalidOption, Redis | QueueNaming | Settings> => Layer.effect(ActionClient, make(options))

/**
 * A client: one inbox, one blocking connection, however many requests wait.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<ActionClient, never, Redis | QueueNaming | Settings> = Layer.orDie(layerOptions({}))

// -----------------------------------------------------------------------------
// errors
// -----------------------------------------------------------------------------

export { InvalidOption } from "./internal/base/invalidOption.ts"

export { EncodeError, RemoteFailure, RequestTimeout } from "./internal/client/errors.ts"
