/**
 * Dead letters: what a worker could not settle otherwise, kept with the reason, to be looked at, run again or dropped.
 *
 * A dead letter is an entry of the service's dead-letter stream: notes of the worker (reason, error, attempts, deliveries,
 * hops, consumer, time), then the fields of the entry as they came, byte for byte.
 *
 * **Guarantee**: a letter that is replayed is added to the action stream and removed here in one step, with the bytes that
 * it came with. Every call may be sent again: what is done is found missing, and never done twice.
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
 * Why a letter is here. `other` is an entry of the stream that no worker of this release wrote.
 *
 * @since 0.1.0
 * @category models
 */
export type Reason = DeadLetterReason | "other"

/**
 * A dead letter without the payload: what the worker noted.
 *
 * @since 0.1.0
 * @category models
 */
export interface Letter {
  /** Its id in the dead-letter stream. */
  readonly id: string
  /** When it was written, by the server's clock. */
  readonly time: DateTime.Utc
  readonly reason: Reason
  /** `undefined` when the entry could not be decoded. */
  readonly actionId: string | undefined
  readonly actionType: string | undefined
  /**
   * The tag of a declared error, or a name such as `ValidationError` or `ProcessingError`; of a `RetryLater` with a `cause` the
   * tag or name of that.
   */
  readonly errorType: string | undefined
  readonly errorCode: string | undefined
  /** What went wrong; of a `RetryLater` with a `cause` the message of that. */
  readonly message: string
  /** Runs of the handler. */
  readonly attempts: number
  /** Redis's own count of deliveries. */
  readonly deliveries: number
  /** How often it was replayed before. */
  readonly hops: number
  /** The id that the entry had in the action stream. */
  readonly entryId: string | undefined
  readonly group: string | undefined
  readonly consumer: string | undefined
  /** How many fields the entry had. */
  readonly fields: number
  /** It holds an answer that could not be delivered, see `redeliver`. */
  readonly hasAnswer: boolean
  /** Bytes of all its fields. */
  readonly size: number
}

/**
 * A dead letter with all that it holds.
 *
 * @since 0.1.0
 * @category models
 */
export interface Details extends Letter {
  /** The fields of the entry, names and values, in their order. */
  readonly entry: ReadonlyArray<readonly [name: string, value: string]>
  /** Some bytes of the entry are no UTF-8 and are shown as U+FFFD here. A replay sends them as they came. */
  readonly binary: boolean
  /** The text of the field `data`. */
  readonly data: string | undefined
  /** The envelope, or a sentence that says why it cannot be read. */
  readonly action: Result.Result<DomainAction, string>
  /** The answer that could not be delivered, as JSON. */
  readonly answer: string | undefined
  /** Why it could not. */
  readonly undeliverable: string | undefined
}

/**
 * Letters of a page.
 *
 * @since 0.1.0
 * @category models
 */
export interface Page {
  readonly letters: ReadonlyArray<Letter>
  /** For the next page; `undefined` after the last. */
  readonly cursor: string | undefined
}

/**
 * Letters that have reason, action type and error type in common.
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
 * What is in the dead letters.
 *
 * @since 0.1.0
 * @category models
 */
export interface Summary {
  readonly total: number
  /** The largest first. */
  readonly groups: ReadonlyArray<SummaryGroup>
  readonly byReason: { readonly [reason: string]: number }
  /** By action type; `""` for entries that could not be decoded. */
  readonly byActionType: { readonly [actionType: string]: number }
}

/**
 * What `replayMany` did.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReplayReport {
  readonly replayed: number
  /** Removed by somebody else meanwhile. */
  readonly missing: number
  /** Left where they are. */
  readonly refused: number
  /** The first 100 refusals. */
  readonly refusals: ReadonlyArray<TooManyHops | NotReplayable>
}

/**
 * What became of a letter whose answer was delivered.
 *
 * @since 0.1.0
 * @category models
 */
export interface Redelivered {
  /** The id under which the letter stays, without the answer; `undefined` when it was only about the answer and is gone. */
  readonly letter: string | undefined
}

/**
 * Letters that would fail again, in one way.
 *
 * @since 0.1.0
 * @category models
 */
export interface DryRunGroup {
  /** `malformed`: no action; `unknown`: no contract or handler of that type; `invalid`: refused by the contract. */
  readonly reason: "malformed" | "unknown" | "invalid"
  readonly actionType: string | undefined
  /** The first issue: where it is, and what is expected there. It never holds a part of the payload. */
  readonly issue: string
  readonly count: number
  /** The first 10 letters. */
  readonly letters: ReadonlyArray<string>
}

/**
 * What a replay would meet.
 *
 * @since 0.1.0
 * @category models
 */
export interface DryRun {
  readonly checked: number
  /** Would reach their handler. */
  readonly passing: number
  /** Would fail again before any handler; the largest group first. */
  readonly failing: ReadonlyArray<DryRunGroup>
}

// -----------------------------------------------------------------------------
// options
// -----------------------------------------------------------------------------

/**
 * Which letters; what is left out takes any, and a list takes each of its members. A list has at most 1,000 names.
 *
 * @since 0.1.0
 * @category options
 */
export interface Filter {
  readonly reason?: Reason | ReadonlyArray<Reason> | undefined
  readonly actionType?: string | ReadonlyArray<string> | undefined
  /** The tag of the error, see {@link Letter}. */
  readonly errorType?: string | ReadonlyArray<string> | undefined
  /** Written at least so long ago, by the server's clock. */
  readonly olderThan?: Duration.Input | undefined
  /** Written at most so long ago, by the server's clock. */
  readonly newerThan?: Duration.Input | undefined
}

/**
 * Options of `list`.
 *
 * @since 0.1.0
 * @category options
 */
export interface ListOptions extends Filter {
  /** Default: `"oldest"` first. */
  readonly order?: "oldest" | "newest" | undefined
  /** Letters of a page. Default: 100. */
  readonly limit?: number | undefined
  /** That of the page before. Default: the first page. */
  readonly cursor?: string | undefined
}

/**
 * Options of `replay`.
 *
 * @since 0.1.0
 * @category options
 */
export interface ReplayOptions {
  /** A letter that was replayed so often before is refused: a whole number from 0, or `Infinity`. Default: 5. */
  readonly maxHops?: number | undefined
  /** Replays it however often it was replayed. Default: `false`. */
  readonly force?: boolean | undefined
}

/**
 * Options of `replayMany`.
 *
 * @since 0.1.0
 * @category options
 */
export interface ReplayManyOptions extends ReplayOptions {
  /** Letters replayed in a second. Default: as fast as it goes. */
  readonly ratePerSecond?: number | undefined
  /** Letters replayed at most. Default: all. */
  readonly limit?: number | undefined
}

/**
 * Options of the service.
 *
 * @since 0.1.0
 * @category options
 */
export interface Options {
  /** Whose dead letters. Default: `Settings.serviceName`. */
  readonly service?: string | undefined
  /** How long a response list lives on after an answer was delivered to it, from 1 millisecond on, with an end. Default: 1 hour. */
  readonly responseTimeToLive?: Duration.Input | undefined
}

// -----------------------------------------------------------------------------
// dry runs
// -----------------------------------------------------------------------------

/**
 * What a dry run decodes against: contracts, or the handlers of a worker.
 *
 * @since 0.1.0
 * @category utility types
 */
export type Contracts = ActionGroup.Any | ActionGroup.AnyHandlers

/**
 * What decoding payloads needs.
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
 * How building handlers for a dry run may fail.
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
 * What goes through many letters sees those that are there when it starts, a bounded part in each call.
 *
 * **Gotchas**
 *
 * A replayed action is run again: its handler must be idempotent. It comes to every group of the stream.
 *
 * **Example** (After a fix was deployed)
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
  /** The letters that match, a page at a time. */
  readonly list: (options?: ListOptions) => Effect.Effect<Page, InvalidOption | RedisError>

  /** The letters that match, one after the other. */
  readonly stream: (options?: Omit<ListOptions, "limit" | "cursor">) => Stream.Stream<
    Letter,
    InvalidOption | RedisError
  >

  /** One letter with all that it holds. */
  readonly inspect: (id: string) => Effect.Effect<Details, DeadLetterNotFound | RedisError>

  /** How many letters match. */
  readonly count: (filter?: Filter) => Effect.Effect<number, InvalidOption | RedisError>

  /** How many there are of which kind. */
  readonly summary: (filter?: Filter) => Effect.Effect<Summary, InvalidOption | RedisError>

  /**
   * Puts the entry back into the action stream, its bytes as they came, and removes the letter; returns the id of the new
   * entry. Deliveries and attempts are counted from the start, and a request has its whole time again.
   */
  readonly replay: (
    id: string,
    options?: ReplayOptions
  ) => Effect.Effect<string, DeadLetterNotFound | TooManyHops | NotReplayable | InvalidOption | RedisError>

  /**
   * Replays the letters that match, the oldest first. Letters that become dead again meanwhile are not replayed again.
   *
   * Unless the filter names them, `undeliverable` and `unencodable` are left out: their handlers have done their work.
   */
  readonly replayMany: (
    filter: Filter,
    options?: ReplayManyOptions
  ) => Effect.Effect<ReplayReport, InvalidOption | RedisError>

  /** Removes a letter for good. */
  readonly discard: (id: string) => Effect.Effect<void, DeadLetterNotFound | RedisError>

  /** Removes the letters that match (`{}`: all), the oldest first; returns how many. */
  readonly discardMany: (filter: Filter, options?: { readonly limit?: number | undefined }) => Effect.Effect<
    number,
    InvalidOption | RedisError
  >

  /**
   * Sends the answer that is kept in a letter, once what kept it from its list is mended: the naming accepts the list now,
   * or the key is free or a list. An error response is sent to no action stream.
   */
  readonly redeliver: (id: string) => Effect.Effect<Redelivered, DeadLetterNotFound | NotDeliverable | RedisError>

  /**
   * Decodes the letters that match as a worker would today, without running a handler or changing anything.
   *
   * Handlers are built for it in a scope of their own, with all that they open; a group of contracts opens nothing.
   */
  readonly dryRun: <C extends Contracts>(
    contracts: C,
    filter?: Filter
  ) => Effect.Effect<DryRun, DryRunError<C> | InvalidOption | RedisError, DryRunServices<C>>
}>()("effect-redis-workers/DeadLetter") {}

// -----------------------------------------------------------------------------
// make
// -----------------------------------------------------------------------------

/** A named service leaves nothing for the settings to say but the limit, which has a default. */
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
 * Makes the service. Fails when the service's name cannot be part of a key, or an option is wrong.
 *
 * Needs the settings only where no `service` is given. Where there are settings, their `payloadLimit` holds.
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
  // SAFETY: the settings are asked for as an optional service where the options name the service.
} = makeFrom as typeof make

// -----------------------------------------------------------------------------
// layers
// -----------------------------------------------------------------------------

/**
 * Dead letters with options, such as those of another service.
 *
 * **Details**
 *
 * With `service`, neither the settings nor `SERVICE_NAME` is needed. Give names and connection in code
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
