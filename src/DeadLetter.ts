/**
 * Dead letters: actions that a worker gave up, kept with the reason so that you can inspect, replay or discard them.
 *
 * A dead letter is an entry of the service's dead-letter stream. It holds the worker's notes (reason, error, attempts,
 * deliveries, hops, consumer, time), followed by the fields of the original entry, byte for byte.
 *
 * **Guarantee**: a replay adds the letter's original bytes to the action stream and removes the letter in one atomic
 * step. Every call can be repeated safely: a letter that was already replayed or removed is reported as missing.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Result from "effect/Result"
import type * as Stream from "effect/Stream"
import type * as Action from "./Action.ts"
import type * as ActionGroup from "./ActionGroup.ts"
import type { DomainAction } from "./DomainAction.ts"
import type { InvalidOption } from "./internal/base/invalidOption.ts"
import { checkRow, wholeMillis } from "./internal/base/options.ts"
import type { DeadLetterNotFound, NotDeliverable, NotReplayable, TooManyHops } from "./internal/deadLetter/errors.ts"
import * as deadLetters from "./internal/deadLetter/operations.ts"
import { serviceRows } from "./internal/deadLetter/options.ts"
import { namesOf } from "./internal/redis/names.ts"
import { QueueNameError, QueueNaming } from "./QueueNaming.ts"
import { Redis, type RedisError } from "./Redis.ts"
import { defaults, Settings, type Values } from "./Settings.ts"
import type { DeadLetterReason } from "./Settlement.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/**
 * Why a letter is here. `other` is an entry that no worker of this release wrote.
 *
 * @since 0.1.0
 * @category models
 */
export type Reason = DeadLetterReason | "other"

/**
 * The notes of a dead letter, without the payload.
 *
 * @since 0.1.0
 * @category models
 */
export interface Letter {
  /** The id in the dead-letter stream. */
  readonly id: string
  /** When it was written, by the server's clock. */
  readonly time: DateTime.Utc
  readonly reason: Reason
  /** `undefined` if the entry could not be decoded. */
  readonly actionId: string | undefined
  readonly actionType: string | undefined
  /**
   * The tag of a declared error, or a name such as `ValidationError` or `ProcessingError`. For a `RetryLater` with a
   * `cause`, the tag or name of the cause.
   */
  readonly errorType: string | undefined
  readonly errorCode: string | undefined
  /** What went wrong. For a `RetryLater` with a `cause`, the message of the cause. */
  readonly message: string
  /** How many times the handler ran. */
  readonly attempts: number
  /** How many times Redis delivered the entry. */
  readonly deliveries: number
  /** How many times it was replayed before. */
  readonly hops: number
  /** The id of the entry in the action stream. */
  readonly entryId: string | undefined
  readonly group: string | undefined
  readonly consumer: string | undefined
  /** The number of fields of the entry. */
  readonly fields: number
  /** Whether it holds an answer that could not be delivered, see `redeliver`. */
  readonly hasAnswer: boolean
  /** The size of all fields, in bytes. */
  readonly size: number
}

/**
 * A dead letter with everything it holds.
 *
 * @since 0.1.0
 * @category models
 */
export interface Details extends Letter {
  /** The fields of the entry in order, as pairs of name and value. */
  readonly entry: ReadonlyArray<readonly [name: string, value: string]>
  /**
   * Whether some bytes of the entry are not UTF-8. They are shown as U+FFFD here; a replay sends the original bytes.
   */
  readonly binary: boolean
  /** The text of the field `data`. */
  readonly data: string | undefined
  /** The envelope, or a sentence that says why it cannot be read. */
  readonly action: Result.Result<DomainAction, string>
  /** The answer that could not be delivered, as JSON. */
  readonly answer: string | undefined
  /** Why the answer could not be delivered. */
  readonly undeliverable: string | undefined
}

/**
 * One page of letters.
 *
 * @since 0.1.0
 * @category models
 */
export interface Page {
  readonly letters: ReadonlyArray<Letter>
  /** The cursor of the next page; `undefined` on the last page. */
  readonly cursor: string | undefined
}

/**
 * Letters with the same reason, action type and error type.
 *
 * @since 0.1.0
 * @category models
 */
export interface SummaryGroup {
  readonly reason: Reason
  readonly actionType: string | undefined
  readonly errorType: string | undefined
  readonly count: number
  /** When the first and the last of them were written, by the server's clock. */
  readonly oldest: DateTime.Utc
  readonly newest: DateTime.Utc
}

/**
 * The number of dead letters of each kind.
 *
 * @since 0.1.0
 * @category models
 */
export interface Summary {
  readonly total: number
  /** The groups, largest first. */
  readonly groups: ReadonlyArray<SummaryGroup>
  readonly byReason: { readonly [reason: string]: number }
  /** Counts by action type; `""` counts entries that could not be decoded. */
  readonly byActionType: { readonly [actionType: string]: number }
}

/**
 * The result of `replayMany`.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReplayReport {
  readonly replayed: number
  /** Letters that another process removed in the meantime. */
  readonly missing: number
  /** Letters that were refused and stay in the dead letters. */
  readonly refused: number
  /** The first 100 refusals. */
  readonly refusals: ReadonlyArray<TooManyHops | NotReplayable>
}

/**
 * The result of `redeliver`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Redelivered {
  /**
   * The id of the letter that stays, without the answer. `undefined` if the letter held nothing but the answer and was
   * removed.
   */
  readonly letter: string | undefined
}

/**
 * Letters that would fail again in the same way.
 *
 * @since 0.1.0
 * @category models
 */
export interface DryRunGroup {
  /**
   * `malformed`: not an action. `unknown`: no contract or handler for the type. `invalid`: the contract rejects the
   * payload.
   */
  readonly reason: "malformed" | "unknown" | "invalid"
  readonly actionType: string | undefined
  /** The first issue: its path and the expected value. It never includes a part of the payload. */
  readonly issue: string
  readonly count: number
  /** The ids of the first 10 letters. */
  readonly letters: ReadonlyArray<string>
}

/**
 * The result of a dry run.
 *
 * @since 0.1.0
 * @category models
 */
export interface DryRun {
  readonly checked: number
  /** Letters that would reach their handler. */
  readonly passing: number
  /** Letters that would fail again before the handler runs, largest group first. */
  readonly failing: ReadonlyArray<DryRunGroup>
}

// -----------------------------------------------------------------------------
// options
// -----------------------------------------------------------------------------

/**
 * Which letters to select. An omitted field matches every letter, and a list matches each of its members. A list
 * has at most 1,000 names.
 *
 * @since 0.1.0
 * @category options
 */
export interface Filter {
  readonly reason?: Reason | ReadonlyArray<Reason> | undefined
  readonly actionType?: string | ReadonlyArray<string> | undefined
  /** The tag of the error, see {@link Letter}. */
  readonly errorType?: string | ReadonlyArray<string> | undefined
  /** Letters at least this old, by the server's clock. */
  readonly olderThan?: Duration.Input | undefined
  /** Letters at most this old, by the server's clock. */
  readonly newerThan?: Duration.Input | undefined
}

/**
 * Options of `list`.
 *
 * @since 0.1.0
 * @category options
 */
export interface ListOptions extends Filter {
  /** Which letters come first. Default: `"oldest"`. */
  readonly order?: "oldest" | "newest" | undefined
  /** The maximum number of letters on a page. Default: 100. */
  readonly limit?: number | undefined
  /** The cursor of the previous page. Default: the first page. */
  readonly cursor?: string | undefined
}

/**
 * Options of `replay`.
 *
 * @since 0.1.0
 * @category options
 */
export interface ReplayOptions {
  /** Refuses a letter that was already replayed this many times: a whole number from 0, or `Infinity`. Default: 5. */
  readonly maxHops?: number | undefined
  /** Replays the letter regardless of `maxHops`. Default: `false`. */
  readonly force?: boolean | undefined
}

/**
 * Options of `replayMany`.
 *
 * @since 0.1.0
 * @category options
 */
export interface ReplayManyOptions extends ReplayOptions {
  /** The maximum number of letters replayed each second. Default: no limit. */
  readonly ratePerSecond?: number | undefined
  /** The maximum number of letters to replay. Default: all. */
  readonly limit?: number | undefined
}

/**
 * Options of {@link make} and {@link layerOptions}.
 *
 * @since 0.1.0
 * @category options
 */
export interface Options {
  /** The service whose dead letters to manage. Default: `Settings.serviceName`. */
  readonly service?: string | undefined
  /**
   * How long a response list lives after an answer was delivered to it: at least 1 millisecond, and finite. Default: 1
   * hour.
   */
  readonly responseTimeToLive?: Duration.Input | undefined
}

// -----------------------------------------------------------------------------
// dry runs
// -----------------------------------------------------------------------------

/**
 * The contracts that a dry run decodes with: a group, or the handlers of a worker.
 *
 * @since 0.1.0
 * @category utility types
 */
export type Contracts = ActionGroup.Any | ActionGroup.AnyHandlers

/**
 * The services required to decode payloads.
 *
 * @since 0.1.0
 * @category utility types
 */
export type DryRunServices<C> = C extends ActionGroup.Any
  ? ActionGroup.Actions<C> extends infer A
    ? A extends Action.Any ? (A["payloadSchema"] | A["configSchema"])["DecodingServices"] : never
  : never
  : ActionGroup.Services<C>

/**
 * The error of building handlers for a dry run.
 *
 * @since 0.1.0
 * @category utility types
 */
export type DryRunError<C> = C extends ActionGroup.Any ? never : ActionGroup.BuildError<C>

// -----------------------------------------------------------------------------
// service
// -----------------------------------------------------------------------------

/**
 * The dead letters of one service.
 *
 * **Details**
 *
 * Operations on many letters cover the letters that exist when the operation starts. Each Redis call reads a bounded
 * part of them.
 *
 * **Gotchas**
 *
 * A replayed action runs again, so its handler must be idempotent. Every consumer group of the stream receives it.
 *
 * **Example** (Replay after a fix was deployed)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Action, ActionGroup, DeadLetter } from "effect-redis-workers"
 *
 * const UserActions = ActionGroup.make(Action.make("user.ping"))
 *
 * const program = Effect.gen(function*() {
 *   const deadLetters = yield* DeadLetter.DeadLetter
 *   const filter = { reason: "invalid", actionType: "user.ping" } as const
 *   const { failing } = yield* deadLetters.dryRun(UserActions, filter)
 *   if (failing.length > 0) return yield* Effect.log("Not yet", failing)
 *   const { replayed } = yield* deadLetters.replayMany(filter, { ratePerSecond: 50 })
 *   yield* Effect.log(`${replayed} actions run again`)
 * })
 * ```
 *
 * @since 0.1.0
 * @category services
 */
export class DeadLetter extends Context.Service<DeadLetter, {
  /** Returns one page of the letters that match. */
  readonly list: (options?: ListOptions) => Effect.Effect<Page, InvalidOption | RedisError>

  /** Streams the letters that match, one at a time. */
  readonly stream: (options?: Omit<ListOptions, "limit" | "cursor">) => Stream.Stream<
    Letter,
    InvalidOption | RedisError
  >

  /** Returns one letter with everything it holds. */
  readonly inspect: (id: string) => Effect.Effect<Details, DeadLetterNotFound | RedisError>

  /** Counts the letters that match. */
  readonly count: (filter?: Filter) => Effect.Effect<number, InvalidOption | RedisError>

  /** Counts the letters that match by reason, action type and error type. */
  readonly summary: (filter?: Filter) => Effect.Effect<Summary, InvalidOption | RedisError>

  /**
   * Puts the original bytes of an entry back into the action stream, removes the letter, and returns the id of the new
   * entry. Deliveries and attempts start again from zero, and a request gets its whole timeout again.
   */
  readonly replay: (
    id: string,
    options?: ReplayOptions
  ) => Effect.Effect<string, DeadLetterNotFound | TooManyHops | NotReplayable | InvalidOption | RedisError>

  /**
   * Replays the letters that match, oldest first. Letters that fail again during the call are not replayed a second
   * time.
   *
   * Unless the filter names them, it skips `undeliverable` and `unencodable` letters: their handlers already ran
   * successfully.
   */
  readonly replayMany: (
    filter: Filter,
    options?: ReplayManyOptions
  ) => Effect.Effect<ReplayReport, InvalidOption | RedisError>

  /** Removes a letter for good. */
  readonly discard: (id: string) => Effect.Effect<void, DeadLetterNotFound | RedisError>

  /** Removes the letters that match (`{}` matches all), oldest first, and returns how many were removed. */
  readonly discardMany: (filter: Filter, options?: { readonly limit?: number | undefined }) => Effect.Effect<
    number,
    InvalidOption | RedisError
  >

  /**
   * Sends the answer kept in a letter. Use it once the cause is fixed: the naming now accepts the list, or the key of
   * the list is free or holds a list. Error responses are never sent to an action stream.
   */
  readonly redeliver: (id: string) => Effect.Effect<Redelivered, DeadLetterNotFound | NotDeliverable | RedisError>

  /**
   * Decodes the letters that match as a worker would, without running a handler or changing anything.
   *
   * Handlers are built in a scope of their own, with everything that they open. A group of contracts opens nothing.
   */
  readonly dryRun: <C extends Contracts>(
    contracts: C,
    filter?: Filter
  ) => Effect.Effect<DryRun, DryRunError<C> | InvalidOption | RedisError, DryRunServices<C>>
}>()("effect-redis-workers/DeadLetter") {}

// -----------------------------------------------------------------------------
// make
// -----------------------------------------------------------------------------

/** If the options name the service, only the payload limit is needed from the settings, and that has a default. */
const settingsOf = (options: Options): Effect.Effect<Pick<Values, "serviceName" | "payloadLimit">, never, Settings> =>
  options.service === undefined
    ? Settings
    : Effect.map(Effect.serviceOption(Settings), (settings) => ({
      serviceName: options.service ?? "",
      payloadLimit: Option.isSome(settings) ? settings.value.payloadLimit : defaults.payloadLimit
    }))

const makeFrom = Effect.fnUntraced(
  function*(options: Options = {}) {
    const redis = yield* Redis
    const naming = yield* QueueNaming
    const { payloadLimit, serviceName: service } = yield* settingsOf(options)
    const responseTimeToLive = yield* Effect.fromResult(
      checkRow("responseTimeToLive", serviceRows.responseTimeToLive, options.responseTimeToLive)
    )
    const names = yield* Effect.try({
      try: () => namesOf(naming, service),
      catch: (cause: unknown) =>
        cause instanceof QueueNameError
          ? cause
          : new QueueNameError({ part: "service", found: service, expected: "a name that the naming takes" })
    })
    return DeadLetter.of(
      deadLetters.make({
        redis,
        naming,
        names,
        payloadLimit,
        responseTimeToLive: wholeMillis(responseTimeToLive)
      })
    )
  }
)

/**
 * Makes the service. Fails if the service's name cannot be part of a key, or if an option is invalid.
 *
 * It requires the settings only if no `service` is given. If there are settings, their `payloadLimit` applies.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: {
  (
    options: Options & { readonly service: string }
  ): Effect.Effect<DeadLetter["Service"], InvalidOption | QueueNameError, Redis | QueueNaming>
  (
    options?: Options
  ): Effect.Effect<DeadLetter["Service"], InvalidOption | QueueNameError, Redis | QueueNaming | Settings>
  // SAFETY: if the options name the service, the settings are read as an optional service.
} = makeFrom as typeof make

// -----------------------------------------------------------------------------
// layers
// -----------------------------------------------------------------------------

/**
 * Dead letters with options, for example those of another service.
 *
 * **Details**
 *
 * With `service`, neither the settings nor `SERVICE_NAME` is required. Give names and connection in code
 * (`QueueNaming.layerOf`, `IoRedis.layerOptions`), or read them from the environment with `Settings.layerWith`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerOptions: {
  (
    options: Options & { readonly service: string }
  ): Layer.Layer<DeadLetter, InvalidOption | QueueNameError, Redis | QueueNaming>
  (options: Options): Layer.Layer<DeadLetter, InvalidOption | QueueNameError, Redis | QueueNaming | Settings>
} = (options: Options): Layer.Layer<DeadLetter, InvalidOption | QueueNameError, Redis | QueueNaming> =>
  // SAFETY: as for `make`.
  Layer.effect(DeadLetter, make(options as Options & { readonly service: string }))

/**
 * The dead letters of this service.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<DeadLetter, QueueNameError, Redis | QueueNaming | Settings> = Layer.effect(
  DeadLetter,
  Effect.catchTag(make(), "InvalidOption", Effect.die)
)

// -----------------------------------------------------------------------------
// errors
// -----------------------------------------------------------------------------

export { DeadLetterNotFound, NotDeliverable, NotReplayable, TooManyHops } from "./internal/deadLetter/errors.ts"

export { InvalidOption } from "./internal/base/invalidOption.ts"
