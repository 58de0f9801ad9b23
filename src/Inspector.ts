/**
 * What is in Redis for a service, and what an operator can do about it.
 *
 * No worker is needed: the inspector reads what workers and senders wrote. Each call takes the server less than 20
 * milliseconds. Long searches go in steps, report progress, and return `complete: false` if they stopped early.
 *
 * Payloads are returned only on request. With contracts, fields with `Schema.Redacted` are hidden.
 *
 * @since 0.2.0
 */
import * as Context from "effect/Context"
import type * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as ActionGroup from "./ActionGroup.ts"
import type * as DeadLetter from "./DeadLetter.ts"
import type { InvalidOption } from "./internal/base/invalidOption.ts"
import type { DeadLetterNotFound, NotReplayable, TooManyHops } from "./internal/deadLetter/errors.ts"
import type * as errors from "./internal/inspector/errors.ts"
import * as internal from "./internal/inspector/make.ts"
import type { LaneNotFound } from "./internal/lanes/errors.ts"
import type { LaneLimits, LaneListOptions, LaneNameRef, LanePage, LaneSummary, LaneTarget } from "./Lanes.ts"
import type { QueueNameError, QueueNaming } from "./QueueNaming.ts"
import type { Receipt } from "./Receipt.ts"
import type { Redis, RedisError } from "./Redis.ts"
import type { ScheduleNotFound, Schedules, ScheduleStatus } from "./Schedules.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/**
 * Where an action is.
 *
 * | state | what |
 * | --- | --- |
 * | `waiting` | in the stream, not delivered yet |
 * | `running` | delivered to a consumer: it runs or is about to |
 * | `retrying` | failed or was released, and waits for its next attempt |
 * | `scheduled` | parked until it is due |
 * | `queued` | waits in its lane for its turn, see `Action.lane` |
 * | `dead` | given up, see `DeadLetter` |
 *
 * @since 0.2.0
 * @category models
 */
export type State = "waiting" | "running" | "retrying" | "scheduled" | "queued" | "dead"

/**
 * The payload of an action, at most 64 KiB of it.
 *
 * @since 0.2.0
 * @category models
 */
export interface Payload {
  /** JSON. Without contracts, it is the raw field `data`. Empty if `withheld`. */
  readonly text: string
  /** Whether the text was cut. */
  readonly truncated: boolean
  /** Whether fields were hidden. */
  readonly redacted: boolean
  /** Why nothing is shown: the contract has hidden fields, and the payload does not fit it or is too large. */
  readonly withheld: string | undefined
}

/**
 * Whether a contract accepts the payload.
 *
 * @since 0.2.0
 * @category models
 */
export interface Verdict {
  readonly fits: boolean
  /** The first issue, without any part of the payload. */
  readonly issue: string | undefined
}

/**
 * What all entries have.
 *
 * @since 0.2.0
 * @category models
 */
export interface EntryCommon {
  /** `undefined` if the entry is not an action. */
  readonly actionId: string | undefined
  readonly actionType: string | undefined
  readonly correlationId: string | undefined
  readonly traceId: string | undefined
  /** The size of all fields, in bytes. */
  readonly size: number
  /** Present if it was asked for. */
  readonly payload: Payload | undefined
  /** Present if the payload was asked for and a contract has the type. */
  readonly verdict: Verdict | undefined
}

/**
 * Not delivered yet.
 *
 * @since 0.2.0
 * @category models
 */
export interface WaitingEntry extends EntryCommon {
  readonly state: "waiting"
  readonly entryId: string
  /** When it was added, by the server's clock. */
  readonly addedAt: DateTime.Utc
}

/**
 * Held by a consumer.
 *
 * @since 0.2.0
 * @category models
 */
export interface RunningEntry extends EntryCommon {
  readonly state: "running"
  readonly entryId: string
  readonly addedAt: DateTime.Utc
  readonly consumer: string
  /** The time since the consumer got it or renewed its lease. */
  readonly idle: Duration.Duration
  readonly deliveries: number
  /** How many times its handler failed before. */
  readonly attempts: number
}

/**
 * The last failure of an action that waits for a retry.
 *
 * @since 0.2.0
 * @category models
 */
export interface LastError {
  /** The tag of a declared error, or the name of a class. */
  readonly type: string
  readonly message: string
}

/**
 * Waits for its next attempt.
 *
 * @since 0.2.0
 * @category models
 */
export interface RetryingEntry extends EntryCommon {
  readonly state: "retrying"
  readonly entryId: string
  readonly addedAt: DateTime.Utc
  readonly deliveries: number
  readonly attempts: number
  /** When it is due, by the server's clock. `undefined` if it waits for the end of a pause of its type. */
  readonly dueAt: DateTime.Utc | undefined
  /** Why it waits. `undefined` if it was released, or if a worker before 0.2 wrote it. */
  readonly lastError: LastError | undefined
  /** Since when no worker knew its type. */
  readonly unknownSince: DateTime.Utc | undefined
}

/**
 * Parked until it is due.
 *
 * @since 0.2.0
 * @category models
 */
export interface ScheduledEntry extends EntryCommon {
  readonly state: "scheduled"
  /** The action id, or an id of a debounce. */
  readonly parkingId: string
  readonly dueAt: DateTime.Utc
  /** When it is dropped unless it has started. */
  readonly expiresAt: DateTime.Utc | undefined
}

/**
 * Waits in its lane for its turn.
 *
 * @since 0.2.0
 * @category models
 */
export interface QueuedEntry extends EntryCommon {
  readonly state: "queued"
  /** The action id, or another for an action that came without its lane. */
  readonly parkingId: string
  /** The lane. Its key is present if payloads were asked for. */
  readonly lane: {
    readonly id: string
    readonly type: string | undefined
    readonly name: string | undefined
    readonly key: string | undefined
  }
  /** When it got its place in the queue, by the server's clock. */
  readonly since: DateTime.Utc | undefined
  /** When it is dropped unless it has started. */
  readonly expiresAt: DateTime.Utc | undefined
}

/**
 * A dead letter.
 *
 * @since 0.2.0
 * @category models
 */
export interface DeadEntry extends EntryCommon {
  readonly state: "dead"
  readonly letter: DeadLetter.Letter
}

/**
 * An action, by its state.
 *
 * @since 0.2.0
 * @category models
 */
export type Entry = WaitingEntry | RunningEntry | RetryingEntry | ScheduledEntry | QueuedEntry | DeadEntry

/**
 * One page of a list.
 *
 * @since 0.2.0
 * @category models
 */
export interface Page<E = Entry> {
  readonly entries: ReadonlyArray<E>
  /** The cursor of the next page; `undefined` on the last. A page may be short, and even empty, when a filter is set. */
  readonly cursor: string | undefined
}

/**
 * A pause.
 *
 * @since 0.2.0
 * @category models
 */
export interface Pause {
  /** The type that is paused; `undefined` if it is the whole service. */
  readonly actionType: string | undefined
  /** When it ends by itself, by the server's clock; `undefined` if it lasts until `resume`. */
  readonly until: DateTime.Utc | undefined
  readonly reason: string
}

/**
 * A consumer group of the action stream.
 *
 * @since 0.2.0
 * @category models
 */
export interface Group {
  readonly name: string
  /** Whether it is the group of the service's workers. */
  readonly own: boolean
  readonly consumers: number
  readonly pending: number
  /** Entries not delivered yet; `undefined` if the server cannot compute it. */
  readonly lag: number | undefined
}

/**
 * A consumer of the service's group.
 *
 * @since 0.2.0
 * @category models
 */
export interface Consumer {
  readonly name: string
  /** Entries that it holds: running, or about to. */
  readonly pending: number
  /** The time since its last command. */
  readonly idle: Duration.Duration
  /** Silent for longer than the lease of the group: its process is dead, frozen or cut off. */
  readonly stale: boolean
}

/**
 * A service at one moment.
 *
 * @since 0.2.0
 * @category models
 */
export interface Overview {
  readonly service: string
  readonly stream: string
  readonly group: string
  /** The server's time. */
  readonly asOf: DateTime.Utc
  /** Entries in the stream. */
  readonly length: number
  /** Entries not delivered yet; `undefined` if the server cannot compute it or there is no group. */
  readonly lag: number | undefined
  /** When the oldest entry that was not delivered was added. */
  readonly oldestWaiting: DateTime.Utc | undefined
  /** Delivered and not settled: running and retrying. */
  readonly pending: number
  /** Held by consumers: running, or about to. */
  readonly running: number
  /** Those that wait for the end of a pause of their type are included. */
  readonly retrying: number
  readonly nextRetry: DateTime.Utc | undefined
  readonly scheduled: number
  readonly nextScheduled: DateTime.Utc | undefined
  readonly schedules: number
  readonly deadLetters: number
  readonly newestDeadLetter: DateTime.Utc | undefined
  /** The first 400. */
  readonly consumers: ReadonlyArray<Consumer>
  readonly groups: ReadonlyArray<Group>
  readonly pauses: ReadonlyArray<Pause>
  /** What the workers understand, such as `parked`. Empty before the first worker of 0.2. */
  readonly features: ReadonlyArray<string>
  /** The lease of the group; `undefined` while no worker runs. */
  readonly lease: Duration.Duration | undefined
  /**
   * The last whole minute that the workers have counted. `undefined` if they have counted nothing since the quarter of an hour
   * before this one.
   */
  readonly rates: Rates | undefined
}

/**
 * Settlements in a minute.
 *
 * @since 0.2.0
 * @category models
 */
export interface Rates {
  /** Actions that ended, dead letters included. */
  readonly ended: number
  readonly retried: number
  readonly deadLetters: number
}

/**
 * A service that was found.
 *
 * @since 0.2.0
 * @category models
 */
export interface ServiceFound {
  readonly service: string
  /** Whether a worker of 0.2 ever started. */
  readonly hasWorkers: boolean
  readonly length: number
  readonly deadLetters: number
}

/**
 * The services that were found.
 *
 * @since 0.2.0
 * @category models
 */
export interface Services {
  readonly services: ReadonlyArray<ServiceFound>
  /** Whether all keys were scanned. `false` without `scan`, and if the scan stopped early. */
  readonly complete: boolean
}

/**
 * The result of a search.
 *
 * @since 0.2.0
 * @category models
 */
export interface Found {
  /** `undefined` if it was not found. There is no record of actions that ended. */
  readonly entry: Entry | undefined
  /** The number of entries that were looked at one by one. */
  readonly looked: number
  /** Whether every place was looked at, so that an action that was not found has ended, or never existed. */
  readonly complete: boolean
}

/**
 * What an operation has done so far.
 *
 * @since 0.2.0
 * @category models
 */
export interface Progress {
  readonly looked: number
  /** Entries that were replayed, discarded or found. */
  readonly done: number
}

/**
 * The result of an operation on all entries that match.
 *
 * @since 0.2.0
 * @category models
 */
export interface Purged {
  readonly looked: number
  /** Entries that matched. */
  readonly matched: number
  /** Entries that were removed: 0 in a dry run. */
  readonly removed: number
  /** Entries that ran or ended meanwhile and were left. */
  readonly left: number
  /** Whether all entries were looked at. `false` if the limit was reached. */
  readonly complete: boolean
}

/**
 * What `cancel` removed.
 *
 * @since 0.2.0
 * @category models
 */
export interface Cancelled {
  /** Where it was. */
  readonly from: "waiting" | "retrying" | "scheduled" | "queued"
  readonly id: string
}

/**
 * Things that nothing reads or removes any more.
 *
 * @since 0.2.0
 * @category models
 */
export interface Stale {
  /** Consumers that hold entries and were silent for longer than the lease. */
  readonly consumers: ReadonlyArray<Consumer>
  /** Groups other than that of the workers, which keep entries in the stream, and that of the workers if there are none. */
  readonly groups: ReadonlyArray<Group>
  /** Callback lists that have entries and did not get shorter during the look. Only with `scan`. */
  readonly callbackLists: ReadonlyArray<StaleList>
  /** Response lists without an expiry. Only with `scan`. */
  readonly responseLists: ReadonlyArray<StaleList>
  /** Whether all keys were scanned. */
  readonly complete: boolean
}

/**
 * A list, and its length.
 *
 * @since 0.2.0
 * @category models
 */
export interface StaleList {
  readonly list: string
  readonly length: number
}

/**
 * The outcomes of a type in an interval.
 *
 * @since 0.2.0
 * @category models
 */
export interface Outcomes {
  /** Acknowledged, answered, or called back. */
  readonly succeeded: number
  /** Not run, because their deadline had passed. */
  readonly expired: number
  /** Rejected with an answer. */
  readonly rejected: number
  readonly retried: number
  readonly deadLetters: number
  /** Released to another worker, or left to one that knows the type. */
  readonly released: number
}

/**
 * How long handlers ran.
 *
 * @since 0.2.0
 * @category models
 */
export interface Latency {
  readonly count: number
  /** Percentiles from a histogram: within 10 % of the exact ones, for durations from 0.07 ms to 2 days. */
  readonly p50: Duration.Duration
  readonly p95: Duration.Duration
  readonly p99: Duration.Duration
}

/**
 * An interval of the statistics of one type.
 *
 * @since 0.2.0
 * @category models
 */
export interface StatisticsPoint {
  /** When the interval began, by the server's clock. */
  readonly time: DateTime.Utc
  readonly outcomes: Outcomes
  /** `undefined` if no handler ran. */
  readonly latency: Latency | undefined
}

/**
 * The statistics of one type. `other` stands for the types without a handler.
 *
 * @since 0.2.0
 * @category models
 */
export interface TypeStatistics {
  readonly actionType: string
  readonly total: Omit<StatisticsPoint, "time">
  /** Intervals in which something happened, oldest first. */
  readonly points: ReadonlyArray<StatisticsPoint>
}

/**
 * The statistics of a service.
 *
 * @since 0.2.0
 * @category models
 */
export interface Statistics {
  readonly service: string
  readonly asOf: DateTime.Utc
  /** The start of the first interval. */
  readonly from: DateTime.Utc
  readonly until: DateTime.Utc
  /** The length of an interval: 1 minute, or 15 minutes. */
  readonly interval: Duration.Duration
  readonly types: ReadonlyArray<TypeStatistics>
}

// -----------------------------------------------------------------------------
// options
// -----------------------------------------------------------------------------

/**
 * An action: its receipt, or its service with its entry id or its action id.
 *
 * @since 0.2.0
 * @category options
 */
export type Target =
  | Receipt
  | { readonly service: string; readonly entryId: string }
  | { readonly service: string; readonly actionId: string }

/**
 * Options of `list`.
 *
 * @since 0.2.0
 * @category options
 */
export interface ListOptions {
  /** The maximum number of entries on a page, from 1 to 400. Default: 100. */
  readonly limit?: number | undefined
  /** The cursor of the previous page. Default: the first page. */
  readonly cursor?: string | undefined
  /** Only actions of this type. Default: all. */
  readonly actionType?: string | undefined
  /** Includes payloads, at most 64 KiB of each. Default: `false`. */
  readonly payload?: boolean | undefined
  /** Of waiting actions and dead letters, which come first. Default: `"oldest"`. */
  readonly order?: "oldest" | "newest" | undefined
}

/**
 * Options of `lanes`.
 *
 * @since 0.2.0
 * @category options
 */
export interface LanesOptions extends LaneListOptions {
  /** Includes the keys of lanes, which are part of payloads. Default: `false`. */
  readonly keys?: boolean | undefined
}

/**
 * Options of `queued`.
 *
 * @since 0.2.0
 * @category options
 */
export interface QueuedOptions {
  /** The maximum number of actions on a page, from 1 to 400. Default: 100. */
  readonly limit?: number | undefined
  /** The cursor of the previous page. Default: the first page. */
  readonly cursor?: string | undefined
  /** Includes payloads, at most 64 KiB of each, and the keys of lanes. Default: `false`. */
  readonly payload?: boolean | undefined
}

/**
 * Options of operations that go in steps.
 *
 * @since 0.2.0
 * @category options
 */
export interface StepOptions {
  /** Called after each step. Default: nothing is called. */
  readonly onProgress?: ((progress: Progress) => Effect.Effect<void>) | undefined
}

/**
 * Options of `find`.
 *
 * @since 0.2.0
 * @category options
 */
export interface FindOptions extends StepOptions {
  /** The maximum number of entries looked at one by one in each place, newest first. Default: 100,000. */
  readonly limit?: number | undefined
  /** Includes the payload. Default: `false`. */
  readonly payload?: boolean | undefined
}

/**
 * Options of `pause`.
 *
 * @since 0.2.0
 * @category options
 */
export interface PauseOptions {
  /** The type to pause. Default: the whole service. */
  readonly actionType?: string | undefined
  /** When the pause ends by itself: at least 1 second. Default: it lasts until `resume`. */
  readonly for?: Duration.Input | undefined
  /** Why, in at most 200 characters. Default: empty. */
  readonly reason?: string | undefined
}

/**
 * Which entries `purge` removes.
 *
 * @since 0.2.0
 * @category options
 */
export interface PurgeFilter {
  readonly state: "waiting" | "retrying" | "scheduled" | "queued"
  readonly actionType?: string | ReadonlyArray<string> | undefined
  /** Added at least this long ago. Of scheduled actions, that have been due for this long. */
  readonly olderThan?: Duration.Input | undefined
}

/**
 * Options of `purge`.
 *
 * @since 0.2.0
 * @category options
 */
export interface PurgeOptions extends StepOptions {
  /** Counts what matches and removes nothing. Default: `false`. */
  readonly dryRun?: boolean | undefined
  /** The maximum number of entries to remove. Default: no limit. */
  readonly limit?: number | undefined
}

/**
 * Options of {@link make} and {@link layerOptions}.
 *
 * @since 0.2.0
 * @category options
 */
export interface Options<C extends ActionGroup.Any = ActionGroup.Any> {
  /** Services to list and to suggest. Those of the contracts are added. Default: none. */
  readonly services?: ReadonlyArray<string> | undefined
  /** Contracts, for verdicts, dry runs and hidden fields. Default: none. */
  readonly contracts?: C | ReadonlyArray<C> | undefined
  /**
   * Whether an unknown service may be looked for with `SCAN`, to suggest names. An ACL does not restrict what `SCAN`
   * returns. Default: `false`.
   */
  readonly scan?: boolean | undefined
}

// -----------------------------------------------------------------------------
// service
// -----------------------------------------------------------------------------

/**
 * The errors of every read.
 *
 * @since 0.2.0
 * @category errors
 */
export type ReadError = errors.ServiceNotFound | errors.NotPermitted | QueueNameError | RedisError

/**
 * The errors of operations on one action.
 *
 * @since 0.2.0
 * @category errors
 */
export type ActionError = ReadError | errors.ActionNotFound | errors.OtherEnvironment

/**
 * Reads and steers the services of an environment.
 *
 * **Example** (What waits, and why)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Inspector } from "effect-redis-workers"
 *
 * const program = Effect.gen(function*() {
 *   const inspector = yield* Inspector.Inspector
 *   const { lag, retrying, deadLetters } = yield* inspector.overview("payment")
 *   yield* Effect.log(`${lag} waiting, ${retrying} retrying, ${deadLetters} dead`)
 *   const page = yield* inspector.list("payment", "retrying", { limit: 10 })
 *   for (const { actionType, lastError } of page.entries) {
 *     yield* Effect.log(`${actionType} waits: ${lastError?.message}`)
 *   }
 *   yield* inspector.pause("payment", { actionType: "payment.charge", for: "10 minutes", reason: "provider is down" })
 * })
 * ```
 *
 * @since 0.2.0
 * @category services
 */
export class Inspector extends Context.Service<Inspector, {
  // --- reads ---

  /** Returns the known services that exist, and with `scan` all others. */
  readonly services: (options?: { readonly scan?: boolean | undefined }) => Effect.Effect<
    Services,
    errors.NotPermitted | RedisError
  >

  /** Returns the numbers of a service. */
  readonly overview: (service: string) => Effect.Effect<Overview, ReadError>

  /** Returns a page of actions in a state. Waiting ones come in their order, others by the time at which they are due. */
  readonly list: {
    (service: string, state: "waiting", options?: ListOptions): Effect.Effect<
      Page<WaitingEntry>,
      ReadError | InvalidOption
    >
    (service: string, state: "running", options?: ListOptions): Effect.Effect<
      Page<RunningEntry>,
      ReadError | InvalidOption
    >
    (service: string, state: "retrying", options?: ListOptions): Effect.Effect<
      Page<RetryingEntry>,
      ReadError | InvalidOption
    >
    (service: string, state: "scheduled", options?: ListOptions): Effect.Effect<
      Page<ScheduledEntry>,
      ReadError | InvalidOption
    >
    (service: string, state: "queued", options?: ListOptions): Effect.Effect<
      Page<QueuedEntry>,
      ReadError | InvalidOption
    >
    (service: string, state: "dead", options?: ListOptions): Effect.Effect<Page<DeadEntry>, ReadError | InvalidOption>
    (service: string, state: State, options?: ListOptions): Effect.Effect<Page, ReadError | InvalidOption>
  }

  /** Returns the consumers of the workers' group, at most 400. */
  readonly consumers: (service: string) => Effect.Effect<ReadonlyArray<Consumer>, ReadError>

  /** Returns the schedules of the service, by name. */
  readonly schedules: (service: string) => Effect.Effect<ReadonlyArray<ScheduleStatus>, ReadError>

  /** Returns the service `Schedules` of a service: next slots, pauses, backfills. */
  readonly scheduling: (service: string) => Effect.Effect<Schedules["Service"], ReadError>

  /** Returns the lanes of the service by type and name, at most 200: their limits, and how many hold and wait. */
  readonly laneNames: (service: string) => Effect.Effect<ReadonlyArray<LaneSummary>, ReadError>

  /**
   * Returns a page of the lanes that actions hold or wait in, or that are paused or halted, with the entries that hold
   * them and how many wait. Keys are returned only on request.
   */
  readonly lanes: (service: string, options?: LanesOptions) => Effect.Effect<LanePage, ReadError | InvalidOption>

  /** Returns a page of the actions that wait in a lane, in their order. */
  readonly queued: (service: string, lane: LaneTarget, options?: QueuedOptions) => Effect.Effect<
    Page<QueuedEntry>,
    ReadError | InvalidOption | LaneNotFound
  >

  /**
   * Finds an action. With a receipt or an entry id, and while it is parked, one look is enough. By its action id alone,
   * the newest 100,000 entries of the stream, all older ones that were delivered and not settled (at most 100,000), and the
   * newest 100,000 dead letters are searched, in steps.
   */
  readonly find: (target: Target, options?: FindOptions) => Effect.Effect<
    Found,
    ReadError | errors.OtherEnvironment | InvalidOption
  >

  /** Returns the dead letters of a service: lists, groups (`summary`), dry runs, replays and removal. */
  readonly deadLetters: (service: string) => Effect.Effect<DeadLetter.DeadLetter["Service"], ReadError>

  /** Decodes dead letters with the contracts of the inspector, without running a handler. */
  readonly dryRun: (service: string, filter?: DeadLetter.Filter) => Effect.Effect<
    DeadLetter.DryRun,
    ReadError | InvalidOption
  >

  /**
   * Returns what became of actions, by type: outcomes, and percentiles of how long handlers ran. Workers add what they have
   * counted every 5 seconds. Redis keeps intervals of a minute for 3 hours, and of a quarter of an hour for 48.
   */
  readonly statistics: (
    service: string,
    options?: {
      /** How far back from `until`: from 1 minute to 48 hours. Default: 1 hour. */
      readonly last?: Duration.Input | undefined
      /** The end. Intervals are minutes if all of them are younger than 3 hours. Default: now. */
      readonly until?: DateTime.Utc | undefined
    }
  ) => Effect.Effect<Statistics, ReadError | InvalidOption>

  /** Finds things that nothing reads any more. Lists are looked for only with `scan`. */
  readonly stale: (
    service: string,
    options?: { readonly scan?: boolean | undefined }
  ) => Effect.Effect<Stale, ReadError>

  // --- verbs ---

  /** Returns the pauses of a service. */
  readonly pauses: (service: string) => Effect.Effect<ReadonlyArray<Pause>, ReadError>

  /**
   * Pauses a service or a type for all workers, within a second, until `resume` or for a time. Workers of a paused
   * service take nothing, and what runs ends. Actions of a paused type wait without counting an attempt.
   */
  readonly pause: (service: string, options?: PauseOptions) => Effect.Effect<Pause, ReadError | InvalidOption>

  /** Ends a pause. Returns whether there was one. */
  readonly resume: (
    service: string,
    options?: { readonly actionType?: string | undefined }
  ) => Effect.Effect<boolean, ReadError | InvalidOption>

  /** Lets nothing into the stream from a lane for some time. What runs goes on. A longer pause stays, and so does a halt. */
  readonly pauseLane: (service: string, lane: LaneTarget, duration: Duration.Input) => Effect.Effect<
    void,
    ReadError | InvalidOption | LaneNotFound
  >

  /** Ends the pause or the halt of a lane. Returns whether there was one. */
  readonly resumeLane: (service: string, lane: LaneTarget) => Effect.Effect<
    boolean,
    ReadError | InvalidOption | LaneNotFound
  >

  /** Sets limits for all keys of a lane; `undefined` returns to those of the contract. */
  readonly limitLane: (
    service: string,
    lane: LaneNameRef,
    limits: LaneLimits | undefined
  ) => Effect.Effect<void, ReadError | InvalidOption>

  /**
   * Removes an action that does not run. It leaves no record, and a caller that waits for an answer gets none: its
   * request ends with its timeout.
   */
  readonly cancel: (target: Target) => Effect.Effect<Cancelled, ActionError | errors.Running | errors.WrongState>

  /**
   * Makes an action that waits for a retry, or is parked, due now. One that waits for the end of a pause of its type is
   * refused with `WrongState`.
   */
  readonly retryNow: (target: Target) => Effect.Effect<void, ActionError | errors.Running | errors.WrongState>

  /** Gives a parked action another due time. Returns the time. */
  readonly reschedule: (
    target: Target,
    when: { readonly delay: Duration.Input } | { readonly at: DateTime.Utc }
  ) => Effect.Effect<DateTime.Utc, ActionError | InvalidOption | errors.WrongState | errors.Running>

  /**
   * Makes an action that does not run a dead letter (`rejected`, with the error type `Buried`), from where it can be
   * replayed. Returns the id of the letter.
   */
  readonly bury: (
    target: Target,
    options?: { readonly reason?: string | undefined }
  ) => Effect.Effect<string, ActionError | InvalidOption | errors.Running | errors.WrongState>

  /** Replays a dead letter. Returns the id of the new entry. */
  readonly replay: (service: string, id: string, options?: DeadLetter.ReplayOptions) => Effect.Effect<
    string,
    ReadError | InvalidOption | DeadLetterNotFound | TooManyHops | NotReplayable
  >

  /** Replays the dead letters that match, in steps. */
  readonly replayMany: (
    service: string,
    filter: DeadLetter.Filter,
    options?: DeadLetter.ReplayManyOptions & StepOptions
  ) => Effect.Effect<DeadLetter.ReplayReport, ReadError | InvalidOption>

  /** Removes a dead letter for good. */
  readonly discard: (service: string, id: string) => Effect.Effect<void, ReadError | DeadLetterNotFound>

  /** Removes the dead letters that match (`{}` matches all), in steps. Returns how many were removed. */
  readonly discardMany: (
    service: string,
    filter: DeadLetter.Filter,
    options?: StepOptions & { readonly limit?: number | undefined }
  ) => Effect.Effect<number, ReadError | InvalidOption>

  /** Removes the actions that match and do not run, in steps. They leave no record. */
  readonly purge: (service: string, filter: PurgeFilter, options?: PurgeOptions) => Effect.Effect<
    Purged,
    ReadError | InvalidOption
  >

  /** Sends the action of a schedule now, besides its slots. Returns the id of the action. */
  readonly trigger: (service: string, name: string) => Effect.Effect<string, ReadError | ScheduleNotFound>
}>()("effect-redis-workers/Inspector") {}

// -----------------------------------------------------------------------------
// layers
// -----------------------------------------------------------------------------

/**
 * Makes an inspector. Fails if an option is invalid.
 *
 * @since 0.2.0
 * @category constructors
 */
export const make: <C extends ActionGroup.Any = never>(
  options?: Options<C>
) => Effect.Effect<
  Inspector["Service"],
  InvalidOption,
  Redis | QueueNaming | ([C] extends [never] ? never : DeadLetter.DryRunServices<C>)
> = internal.make

/**
 * An inspector with options, for example contracts.
 *
 * **Example** (With contracts)
 *
 * ```ts
 * import { Schema } from "effect"
 * import { Action, ActionGroup, Inspector } from "effect-redis-workers"
 *
 * const Charge = Action.make("payment.charge", { payload: { card: Schema.Redacted(Schema.String) } })
 *
 * const InspectorLayer = Inspector.layerOptions({ contracts: ActionGroup.make(Charge) })
 * ```
 *
 * @since 0.2.0
 * @category layers
 */
export const layerOptions = <C extends ActionGroup.Any = never>(
  options: Options<C>
): Layer.Layer<
  Inspector,
  InvalidOption,
  Redis | QueueNaming | ([C] extends [never] ? never : DeadLetter.DryRunServices<C>)
> => Layer.effect(Inspector, make(options))

/**
 * An inspector without contracts.
 *
 * @since 0.2.0
 * @category layers
 */
export const layer: Layer.Layer<Inspector, never, Redis | QueueNaming> = Layer.effect(Inspector, internal.makeDefault)

// -----------------------------------------------------------------------------
// errors
// -----------------------------------------------------------------------------

export {
  ActionNotFound,
  NotPermitted,
  OtherEnvironment,
  Running,
  ServiceNotFound,
  WrongState
} from "./internal/inspector/errors.ts"

export { InvalidOption } from "./internal/base/invalidOption.ts"

export { LaneNotFound } from "./internal/lanes/errors.ts"
