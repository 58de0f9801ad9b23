/**
 * Clients send actions to services and receive the answers.
 *
 * A client can send without an answer ({@link ActionClient} `send`), wait for the answer (`request`), or receive the
 * answer later as an action of its own service (`sendWithCallback`).
 *
 * **Guarantee**: when a call succeeds, the action is in the stream of its service. A request always ends within its
 * timeout, with the answer or with a typed failure.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Action from "./Action.ts"
import type * as ActionContext from "./ActionContext.ts"
import type * as DomainAction from "./DomainAction.ts"
import type { InvalidOption } from "./internal/base/invalidOption.ts"
import { checkRow } from "./internal/base/options.ts"
import * as Writing from "./internal/client/append.ts"
import type {
  EncodeError,
  LaneFull,
  LaneHeld,
  NotScheduled,
  NotSupported,
  RemoteFailure,
  RequestTimeout
} from "./internal/client/errors.ts"
import * as LaneOf from "./internal/client/laneOf.ts"
import * as Later from "./internal/client/later.ts"
import { clientRows } from "./internal/client/options.ts"
import * as Request from "./internal/client/request.ts"
import * as Sending from "./internal/client/send.ts"
import * as Streams from "./internal/client/streams.ts"
import { problemOfAnswers } from "./internal/redis/cluster.ts"
import { QueueNaming } from "./QueueNaming.ts"
import type { Receipt, Scheduled } from "./Receipt.ts"
import { Redis, type RedisError } from "./Redis.ts"
import { Settings } from "./Settings.ts"

// -----------------------------------------------------------------------------
// options
// -----------------------------------------------------------------------------

/**
 * The options of every call.
 *
 * @since 0.2.0
 * @category options
 */
export interface CallOptions {
  /**
   * The id of the action: a UUID, or any other text of 1 to 200 printable characters, which becomes one (see
   * `ActionId`). Repeat a call with the same id to let the handler recognize it as the same action. Default: a new UUID.
   */
  readonly actionId?: string | undefined
  /**
   * A UUID that links the results of the action to it. Callbacks carry it too. `request` does not take one, because it
   * finds its answer by a unique id. Default: a new UUID if an answer is expected, otherwise none.
   */
  readonly correlationId?: string | undefined
  /** Ids and configs that override those of the current {@link ActionContext.ActionContext}. Default: none. */
  readonly context?: ActionContext.Input | undefined
  /** Free-form JSON metadata, sent with the payload. Default: `{}`. */
  readonly metadata?: { readonly [key: string]: unknown } | undefined
  /** The service to send to. Default: the part of the action type before the first dot. */
  readonly service?: string | undefined
  /**
   * The action's `execution_config`, as JSON. If the contract has a schema for it, it is required and has that type.
   * Default: the config of the current `ActionContext`.
   */
  readonly execution?: ActionContext.Config | undefined
  /** The action's `query_config`, used like `execution`. Default: the config of the current `ActionContext`. */
  readonly query?: ActionContext.Config | undefined
  /** The action's `rag_config`, used like `execution`. Default: the config of the current `ActionContext`. */
  readonly rag?: ActionContext.Config | undefined
}

/**
 * When an action is due. A time that is past is now.
 *
 * @since 0.2.0
 * @category options
 */
export interface When {
  /** How long to wait before the action runs, at most 366 days. Default: none. */
  readonly delay?: Duration.Input | undefined
  /** When to run the action, at most 366 days ahead; instead of `delay`. Default: now. */
  readonly at?: DateTime.DateTime | undefined
}

/**
 * When an action runs, and when it is over. Workers of version 0.2 or newer must run first: see {@link NotSupported}.
 *
 * @since 0.2.0
 * @category options
 */
export interface LaterOptions extends When {
  /** An action that has not started after this time is dropped, at most 366 days. Default: never. */
  readonly expiresIn?: Duration.Input | undefined
}

/**
 * Options of `send`.
 *
 * @since 0.1.0
 * @category options
 */
export interface SendOptions extends CallOptions, LaterOptions {
  /**
   * Sends only the first of several actions of one type with the same key within a time. The receipt of another is a
   * `Duplicate` with the ids of the first. Default: that of the contract, if it has one.
   */
  readonly unique?: Action.Unique | undefined
  /**
   * Of several actions of one type with the same key, runs only the last, once none was sent for the time `quiet`, and at
   * most `maxWait` after the first. Default: none.
   */
  readonly debounce?:
    | { readonly key: string; readonly quiet: Duration.Input; readonly maxWait: Duration.Input }
    | undefined
}

/**
 * Options of `request`.
 *
 * @since 0.1.0
 * @category options
 */
export interface RequestOptions extends Omit<CallOptions, "correlationId"> {
  /**
   * How long to wait for the answer; must be greater than zero. Workers skip the action once this time is over.
   * Default: `Settings.requestTimeout` (30 seconds); in a handler at most the time that the handler has left.
   */
  readonly timeout?: Duration.Input | undefined
}

/**
 * Options of `sendMany`.
 *
 * @since 0.1.0
 * @category options
 */
export interface SendManyOptions extends Omit<CallOptions, "actionId" | "correlationId">, LaterOptions {
  /**
   * An id for each payload, in the same order, as in `actionId`. Repeat a call with the same ids to send the same
   * actions again. Default: new UUIDs.
   */
  readonly actionIds?: ReadonlyArray<string> | undefined
}

/**
 * Options of `sendWithCallback`.
 *
 * @since 0.1.0
 * @category options
 */
export interface CallbackOptions<A extends Action.Any, C extends Action.Any> extends CallOptions, LaterOptions {
  /**
   * The contract of the action that carries the answer. A worker of the service named by its type handles it. Its
   * payload is the success: unchanged if that is an object, `{}` if there is no value, otherwise `{ value }`. `{
   * action, service }` sends it to another service, whose worker must have a handler for the type. By default the
   * callback goes through a callback list, which every service understands. `{ action, to: "stream" }` lets a worker of
   * this library write to the action stream directly.
   */
  readonly callback: (C & TakesSuccess<A, C>) | {
    readonly action: C & TakesSuccess<A, C>
    readonly to?: "list" | "stream" | undefined
    readonly service?: string | undefined
  }
}

/**
 * A success as the `data` of a callback: an object unchanged, no value as `{}`, anything else as `{ value }`.
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
 * Checks that the payload of a callback can be the answer of the action. If not, it is a sentence that says so.
 *
 * **Details**
 *
 * A type with methods, such as a date, may or may not encode to an object: its schema decides. Both forms are accepted.
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
 * How a send through a lane may fail besides; nothing for contracts without one.
 *
 * @since 0.2.0
 * @category utility types
 */
export type LaneFailure<A extends Action.Any> = A extends { readonly lane: Action.Lane } ? LaneFull : never

/**
 * How a request through a lane may fail besides; nothing for contracts without one.
 *
 * @since 0.2.0
 * @category utility types
 */
export type LaneRequestFailure<A extends Action.Any> = A extends { readonly lane: Action.Lane }
  ? LaneFull | LaneHeld | NotSupported
  : never

/**
 * An action that was sent: its receipt, or its id and service.
 *
 * @since 0.2.0
 * @category models
 */
export type Target = Receipt | { readonly actionId: string; readonly service: string }

/**
 * Options of a client.
 *
 * @since 0.1.0
 * @category options
 */
export interface Options {
  /**
   * `"shared"` uses one list and one connection for all answers. `"per-request"` uses one list for each request, named
   * as the Python client names it, and one connection while the request waits; at most 64 such requests run at once,
   * and others wait unsent. Default: `"shared"`.
   */
  readonly inbox?: "shared" | "per-request" | undefined
  /**
   * How many actions `sendMany` appends in one Redis call, from 1 to 10,000. A chunk has
   * fewer if a call would exceed 3,500 arguments or 4 MiB.
   * Default: 500.
   */
  readonly chunkSize?: number | undefined
}

// -----------------------------------------------------------------------------
// service
// -----------------------------------------------------------------------------

/**
 * Sends actions. Every method adds the ids of the current {@link ActionContext.ActionContext}.
 *
 * **Example** (Send, request and callback)
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
  /** Appends an action to the stream of its service and returns its receipt. It does not wait for an answer. */
  readonly send: <A extends Action.Any>(
    action: A,
    payload: Action.PayloadInput<A>,
    ...options: Action.OptionsOf<A, SendOptions>
  ) => Effect.Effect<
    Receipt,
    EncodeError | InvalidOption | LaneFailure<A> | NotSupported | RedisError,
    Action.ClientServices<A>
  >

  /**
   * Appends many actions in order, one chunk for each Redis call, and returns their receipts.
   *
   * Nothing is sent if one of the payloads does not fit the contract. After a `RedisError`, the earlier chunks are in
   * the stream, and the failing chunk may be. Repeat the call with the same `actionIds` so that handlers can recognize
   * duplicates.
   */
  readonly sendMany: <A extends Action.Any>(
    action: A,
    payloads: Iterable<Action.PayloadInput<A>>,
    ...options: Action.OptionsOf<A, SendManyOptions>
  ) => Effect.Effect<
    ReadonlyArray<Receipt>,
    EncodeError | InvalidOption | LaneFailure<A> | NotSupported | RedisError,
    Action.ClientServices<A>
  >

  /**
   * Sends an action and waits for its answer.
   *
   * A declared error fails with that error, any other failure with {@link RemoteFailure}. {@link RequestTimeout} means
   * that the outcome is unknown; repeat the request with the same `actionId`. Interrupting the caller leaves nothing
   * behind in Redis.
   */
  readonly request: <A extends Action.Any>(
    action: A,
    payload: Action.PayloadInput<A>,
    ...options: Action.OptionsOf<A, RequestOptions>
  ) => Effect.Effect<
    Action.Success<A>,
    Action.Error<A> | RequestTimeout | RemoteFailure | EncodeError | InvalidOption | LaneRequestFailure<A> | RedisError,
    Action.ClientServices<A>
  >

  /** Sends an action whose success is sent back as another action. Returns the receipt of the first. */
  readonly sendWithCallback: <A extends Action.Any, C extends Action.Any>(
    action: A,
    payload: Action.PayloadInput<A>,
    options: Action.WithConfigs<A, CallbackOptions<A, C>>
  ) => Effect.Effect<
    Receipt,
    EncodeError | InvalidOption | LaneFailure<A> | NotSupported | RedisError,
    Action.ClientServices<A>
  >

  /**
   * Appends an envelope without a contract and returns its receipt. The envelope is sent unchanged, with two
   * exceptions: a `trace_id` of `null` becomes the id of the current span or a random one, and `metadata` of `null`
   * becomes `{}`.
   */
  readonly sendAction: (
    action: DomainAction.DomainAction,
    options?: Pick<CallOptions, "service">
  ) => Effect.Effect<Receipt, EncodeError | InvalidOption | RedisError>

  /**
   * Gives a scheduled action another time. Fails with {@link NotScheduled} if it became due or was removed. An action that
   * was sent with `debounce` cannot be found by its id.
   */
  readonly reschedule: (
    target: Target,
    when: When
  ) => Effect.Effect<Scheduled, NotScheduled | EncodeError | InvalidOption | RedisError>

  /** Removes a scheduled action. Fails with {@link NotScheduled} if it became due or was removed. */
  readonly remove: (target: Target) => Effect.Effect<void, NotScheduled | EncodeError | InvalidOption | RedisError>
}>()("effect-redis-workers/ActionClient") {}

// -----------------------------------------------------------------------------
// accessors
// -----------------------------------------------------------------------------

/**
 * Appends an action to the stream of its service with the client in the context; returns its receipt.
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
): Effect.Effect<
  Receipt,
  EncodeError | InvalidOption | LaneFailure<A> | NotSupported | RedisError,
  ActionClient | Action.ClientServices<A>
> => ActionClient.use((client) => client.send(action, payload, ...options))

/**
 * Appends many actions in their order with the client in the context; returns their receipts. See `sendMany` of
 * {@link ActionClient}.
 *
 * @since 0.2.0
 * @category accessors
 */
export const sendMany = <A extends Action.Any>(
  action: A,
  payloads: Iterable<Action.PayloadInput<A>>,
  ...options: Action.OptionsOf<A, SendManyOptions>
): Effect.Effect<
  ReadonlyArray<Receipt>,
  EncodeError | InvalidOption | LaneFailure<A> | NotSupported | RedisError,
  ActionClient | Action.ClientServices<A>
> => ActionClient.use((client) => client.sendMany(action, payloads, ...options))

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
  Action.Error<A> | RequestTimeout | RemoteFailure | EncodeError | InvalidOption | LaneRequestFailure<A> | RedisError,
  ActionClient | Action.ClientServices<A>
> => ActionClient.use((client) => client.request(action, payload, ...options))

/**
 * Sends an action with the client in the context, and lets its success arrive as another action. Returns the receipt of
 * the first. See `sendWithCallback` of {@link ActionClient}.
 *
 * @since 0.2.0
 * @category accessors
 */
export const sendWithCallback = <A extends Action.Any, C extends Action.Any>(
  action: A,
  payload: Action.PayloadInput<A>,
  options: Action.WithConfigs<A, CallbackOptions<A, C>>
): Effect.Effect<
  Receipt,
  EncodeError | InvalidOption | LaneFailure<A> | NotSupported | RedisError,
  ActionClient | Action.ClientServices<A>
> => ActionClient.use((client) => client.sendWithCallback(action, payload, options))

/**
 * Appends an envelope without a contract with the client in the context; returns its receipt.
 *
 * @since 0.2.0
 * @category accessors
 */
export const sendAction = (
  action: DomainAction.DomainAction,
  options?: Pick<SendOptions, "service">
): Effect.Effect<Receipt, EncodeError | InvalidOption | RedisError, ActionClient> =>
  ActionClient.use((client) => client.sendAction(action, options))

/**
 * Gives a scheduled action another time with the client in the context. See `reschedule` of {@link ActionClient}.
 *
 * **Example** (Postpone a reminder)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Action, ActionClient } from "effect-redis-workers"
 *
 * const Remind = Action.make("mail.remind", { payload: { user: Schema.String } })
 *
 * const program = Effect.gen(function*() {
 *   const receipt = yield* ActionClient.send(Remind, { user: "ana" }, { delay: "2 days" })
 *   yield* ActionClient.reschedule(receipt, { delay: "1 week" })
 * })
 * ```
 *
 * @since 0.2.0
 * @category accessors
 */
export const reschedule = (
  target: Target,
  when: When
): Effect.Effect<Scheduled, NotScheduled | EncodeError | InvalidOption | RedisError, ActionClient> =>
  ActionClient.use((client) => client.reschedule(target, when))

/**
 * Removes a scheduled action with the client in the context. See `remove` of {@link ActionClient}.
 *
 * @since 0.2.0
 * @category accessors
 */
export const remove = (
  target: Target
): Effect.Effect<void, NotScheduled | EncodeError | InvalidOption | RedisError, ActionClient> =>
  ActionClient.use((client) => client.remove(target))

// -----------------------------------------------------------------------------
// make
// -----------------------------------------------------------------------------

/**
 * Makes a client. It reads its inbox from the first request on, and removes it when the scope closes. Fails if an
 * option is invalid.
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
  const problem = problemOfAnswers(redis, naming, service)
  if (problem !== undefined) return yield* problem
  const streams = yield* Streams.make
  const clock = yield* Clock.Clock
  const writing = Writing.make({ service, payloadLimit, clock })
  const later = Later.make({ redis, naming, clock })
  const lanes = LaneOf.make()
  const sending = Sending.make({ redis, naming, streams, writing, later, lanes, chunkSize })
  const asking = yield* Request.make(streams, writing, later, lanes, inbox === "shared")
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
 * A client with the default options: one inbox and one blocking connection for any number of requests.
 *
 * **Example** (A client with its connection, names and settings)
 *
 * ```ts
 * import { Layer } from "effect"
 * import { ActionClient, QueueNamingLayer, RedisLayer, SettingsLayer } from "effect-redis-workers"
 *
 * const ClientLayer = ActionClient.layer.pipe(
 *   Layer.provide([RedisLayer, QueueNamingLayer]),
 *   Layer.provide(SettingsLayer)
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<ActionClient, never, Redis | QueueNaming | Settings> = Layer.orDie(layerOptions({}))

// -----------------------------------------------------------------------------
// errors
// -----------------------------------------------------------------------------

export { InvalidOption } from "./internal/base/invalidOption.ts"

export {
  EncodeError,
  EncodeErrorReason,
  InvalidAction,
  InvalidConfig,
  InvalidPayload,
  LaneFull,
  LaneHeld,
  NoStream,
  NotScheduled,
  NotSupported,
  RemoteFailure,
  RequestTimeout,
  TooLarge
} from "./internal/client/errors.ts"
