/**
 * Actions that recur: at times of a calendar, or at an interval.
 *
 * A schedule belongs to the service that handles its action. Declared schedules are an option of the worker. The service
 * {@link Schedules} makes, changes and lists schedules at run time.
 *
 * **Guarantee**: each slot of a schedule is sent once, whatever number of workers run. Its action has an id that is derived
 * from the schedule and the slot. After a failover that lost the send, the slot is sent again with the same id.
 *
 * @since 0.2.0
 */
import * as Context from "effect/Context"
import type * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Action from "./Action.ts"
import type { InvalidOption } from "./internal/base/invalidOption.ts"
import * as Declaring from "./internal/schedules/declare.ts"
import * as Managing from "./internal/schedules/manage.ts"
import type { Declared } from "./internal/schedules/spec.ts"
import { QueueNaming } from "./QueueNaming.ts"
import { Redis, type RedisError } from "./Redis.ts"
import { Settings } from "./Settings.ts"

// -----------------------------------------------------------------------------
// options
// -----------------------------------------------------------------------------

/**
 * What a schedule does besides recurring.
 *
 * @since 0.2.0
 * @category options
 */
export interface ScheduleOptions {
  /**
   * What happens to slots that were missed. A slot is missed if the next one is due before it could be sent, for example because
   * no worker ran; for `"skip"` also if it is a minute late. `"latest"` sends the latest of them, `"skip"` none, and `{ all: "2 hours" }` those of the last two hours, at
   * most 1,000. Default: `"latest"`.
   */
  readonly missed?: "skip" | "latest" | { readonly all: Duration.Input } | undefined
  /**
   * What happens to a slot when an action of a slot before has not ended. `"allow"` sends it. `"skip"` skips and counts it.
   * `"queue-one"` lets it wait until the other has ended; at most one waits, and a later slot replaces it. Both need exactly one
   * consumer group, and a contract without a lane. Default: `"allow"`.
   */
  readonly overlap?: "allow" | "skip" | "queue-one" | undefined
  /** Each slot is sent up to this much later, by a time derived from the slot, at most a day and never as late as the next slot. Default: 0. */
  readonly jitter?: Duration.Input | undefined
  /** No slot before this time. Default: none. */
  readonly from?: DateTime.DateTime | undefined
  /** No slot after this time. Default: none. */
  readonly until?: DateTime.DateTime | undefined
}

/**
 * The action of a schedule.
 *
 * @since 0.2.0
 * @category options
 */
export interface Sends<A extends Action.Any> {
  /** The contract. The schedule belongs to the service in its type. */
  readonly action:
    & A
    & ([Action.ClientServices<A>] extends [never] ? unknown : "The payload of a schedule needs a service")
  /** The payload of each action: an empty object if the contract has none. */
  readonly payload: Action.PayloadInput<A>
}

/**
 * Options of {@link cron}.
 *
 * @since 0.2.0
 * @category options
 */
export interface CronOptions<A extends Action.Any> extends Sends<A>, ScheduleOptions {
  /**
   * A cron expression of five fields (minute, hour, day of the month, month, day of the week), or of six with seconds first.
   */
  readonly cron: string
  /** An IANA time zone, such as `"Europe/Berlin"`. Default: `"UTC"`. */
  readonly timeZone?: string | undefined
  /**
   * Which slots exist where an hour of the day comes twice in autumn. Default: `"both"` if the hour field is `*`, a step or a
   * range, otherwise `"earlier"`. In spring, a time that does not exist moves by the length of the gap.
   */
  readonly onDstOverlap?: "earlier" | "later" | "both" | undefined
}

/**
 * Options of {@link every}.
 *
 * @since 0.2.0
 * @category options
 */
export interface EveryOptions<A extends Action.Any> extends Sends<A>, ScheduleOptions {
  /**
   * The interval, from a second to 366 days. Slots are multiples of it since the Unix epoch, so that a restart does not move
   * them.
   */
  readonly every: Duration.Input
}

// -----------------------------------------------------------------------------
// schedules
// -----------------------------------------------------------------------------

/**
 * A schedule, made with {@link cron} or {@link every}.
 *
 * @since 0.2.0
 * @category models
 */
export interface Schedule {
  readonly name: string
  readonly actionType: string
  /** Equal for schedules that send the same at the same times. */
  readonly version: string
}

/**
 * Makes a schedule that follows a calendar. Throws an `InvalidOption` for an expression that never matches, an unknown time zone, or a
 * payload that does not fit the contract.
 *
 * **Example** (A report each night)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Action, ActionGroup, makeWorker, Schedules } from "effect-redis-workers"
 *
 * const Report = Action.make("reports.daily", { payload: { kind: Schema.String } })
 *
 * const nightly = Schedules.cron("nightly", {
 *   action: Report,
 *   payload: { kind: "sales" },
 *   cron: "0 3 * * *",
 *   timeZone: "Europe/Berlin"
 * })
 *
 * const program = makeWorker(
 *   ActionGroup.make(Report).handlers({ "reports.daily": ({ kind }) => Effect.log(`report of ${kind}`) }),
 *   { schedules: [nightly] }
 * )
 * ```
 *
 * @since 0.2.0
 * @category constructors
 */
export const cron = <A extends Action.Any>(name: string, options: CronOptions<A>): Schedule =>
  Declaring.cron(name, options)

/**
 * Makes a schedule with a fixed interval. Throws an `InvalidOption` like {@link cron}.
 *
 * **Example** (Poll every half minute)
 *
 * ```ts
 * import { Action, Schedules } from "effect-redis-workers"
 *
 * const Poll = Action.make("mail.poll")
 *
 * const poll = Schedules.every("poll", { action: Poll, payload: {}, every: "30 seconds" })
 * ```
 *
 * @since 0.2.0
 * @category constructors
 */
export const every = <A extends Action.Any>(name: string, options: EveryOptions<A>): Schedule =>
  Declaring.every(name, options)

// -----------------------------------------------------------------------------
// service
// -----------------------------------------------------------------------------

/**
 * A schedule as it is in Redis.
 *
 * @since 0.2.0
 * @category models
 */
export interface ScheduleStatus {
  readonly name: string
  readonly actionType: string
  /**
   * `declared` by a worker, made at `runtime`, or `orphaned`: workers declared it, and none does any more, so it is not sent.
   */
  readonly origin: "declared" | "runtime" | "orphaned"
  readonly version: string
  /** The recurrence in words: the cron expression with its time zone, or the interval. */
  readonly recurrence: string
  /** The next slot; `undefined` if there is none, or while the schedule is paused. */
  readonly next: DateTime.Utc | undefined
  /** The last slot that was sent. */
  readonly last: DateTime.Utc | undefined
  /** Why it is paused; `undefined` if it is not. */
  readonly paused: string | undefined
  /** How many slots were sent. */
  readonly fired: number
  /** How many slots were missed and skipped. */
  readonly skipped: number
}

/**
 * There is no schedule with that name.
 *
 * @since 0.2.0
 * @category errors
 */
export class ScheduleNotFound extends Schema.TaggedError<ScheduleNotFound>()("ScheduleNotFound", {
  service: Schema.String,
  schedule: Schema.String
}) {
  override get message(): string {
    return `${this.service} has no schedule "${this.schedule}": Schedules.list returns those that it has`
  }
}

/**
 * A worker declares a schedule with that name, so a program cannot replace or remove it.
 *
 * @since 0.2.0
 * @category errors
 */
export class ScheduleDeclared extends Schema.TaggedError<ScheduleDeclared>()("ScheduleDeclared", {
  service: Schema.String,
  schedule: Schema.String
}) {
  override get message(): string {
    return `A worker of ${this.service} declares the schedule "${this.schedule}": change it there, or use another name`
  }
}

/**
 * Makes, changes and lists the schedules of one service.
 *
 * @since 0.2.0
 * @category services
 */
export class Schedules extends Context.Service<Schedules, {
  /**
   * Makes a schedule, or replaces one with the same name. Workers of the service must be of version 0.2 or newer. A schedule that recurs as
   * before keeps its next slot.
   */
  readonly upsert: (schedule: Schedule) => Effect.Effect<void, ScheduleDeclared | RedisError>
  /** Removes a schedule that was made at run time, or is orphaned. Actions that were sent are not affected. */
  readonly remove: (name: string) => Effect.Effect<void, ScheduleNotFound | ScheduleDeclared | RedisError>
  /** Returns all schedules, by name. */
  readonly list: Effect.Effect<ReadonlyArray<ScheduleStatus>, RedisError>
  /** Returns the next slots of a schedule, at most 1,000; none while it is paused or orphaned. Default: 1. */
  readonly next: (
    name: string,
    count?: number
  ) => Effect.Effect<ReadonlyArray<DateTime.Utc>, ScheduleNotFound | RedisError>
  /** Stops sending until {@link Schedules} `resume`. Slots that pass meanwhile are not sent. */
  readonly pause: (name: string, reason?: string) => Effect.Effect<void, ScheduleNotFound | RedisError>
  /** Ends a pause. */
  readonly resume: (name: string) => Effect.Effect<void, ScheduleNotFound | RedisError>
  /** Sends the action once more, now. Returns the id of the action. */
  readonly trigger: (name: string) => Effect.Effect<string, ScheduleNotFound | RedisError>
  /**
   * Sends the actions of the slots between two times, both included, at most the latest 1,000. Returns their ids. An action that was sent for
   * a slot before has the same id.
   */
  readonly backfill: (
    name: string,
    range: { readonly from: DateTime.DateTime; readonly until: DateTime.DateTime }
  ) => Effect.Effect<ReadonlyArray<string>, ScheduleNotFound | RedisError>
}>()("effect-redis-workers/Schedules") {}

/**
 * Options of {@link layerOptions}.
 *
 * @since 0.2.0
 * @category options
 */
export interface Options {
  /** The service whose schedules these are. Default: `Settings.serviceName`. */
  readonly service?: string | undefined
}

/**
 * Makes the service {@link Schedules}.
 *
 * @since 0.2.0
 * @category constructors
 */
export const make: (
  options?: Options
) => Effect.Effect<Schedules["Service"], InvalidOption, Redis | QueueNaming | Settings> = Effect.fnUntraced(function*(
  options: Options = {}
) {
  const redis = yield* Redis
  const naming = yield* QueueNaming
  const { serviceName } = yield* Settings
  const managed = yield* Managing.make(redis, naming, options.service ?? serviceName, {
    notFound: (service, schedule) => new ScheduleNotFound({ service, schedule }),
    isDeclared: (service, schedule) => new ScheduleDeclared({ service, schedule })
  })
  // SAFETY: every schedule is made by `cron` or `every`, which return the whole of it.
  return Schedules.of({ ...managed, upsert: (schedule) => managed.upsert(schedule as Schedule & Declared) })
})

/**
 * The schedules of a service.
 *
 * @since 0.2.0
 * @category layers
 */
export const layerOptions = (options: Options): Layer.Layer<Schedules, InvalidOption, Redis | QueueNaming | Settings> =>
  Layer.effect(Schedules, make(options))

/**
 * The schedules of this program's service.
 *
 * @since 0.2.0
 * @category layers
 */
export const layer: Layer.Layer<Schedules, never, Redis | QueueNaming | Settings> = Layer.orDie(layerOptions({}))
