/**
 * The metrics of workers and clients, by name.
 *
 * Attributes have few distinct values. No part of a message becomes an attribute, except an action type that this
 * worker handles; any other type is `unknown`.
 *
 * @since 0.1.0
 */
import * as Metric from "effect/Metric"
import { attemptBoundaries, durationBoundaries } from "./internal/base/boundaries.ts"

const counter = (name: string, description: string) => Metric.counter(name, { description, incremental: true })
const gauge = (name: string, description: string) => Metric.gauge(name, { description })
const histogram = (name: string, description: string, boundaries: ReadonlyArray<number>) =>
  Metric.histogram(name, { description, boundaries })

/**
 * Settlements written, by `service`, `action_type` and `outcome` (`ack`, `expired`, `reply`, `callback`, `reject`,
 * `retry`, `dead_letter`, `failure_callback`, `release`, `yield`).
 *
 * @since 0.1.0
 * @category worker
 */
export const actions: Metric.Counter<number> = counter(
  "redis_workers_actions_total",
  "Settlements written, by action type and outcome"
)

/**
 * How long handlers ran, in milliseconds, by `service` and `action_type`.
 *
 * @since 0.1.0
 * @category worker
 */
export const handlerDuration: Metric.Histogram<number> = histogram(
  "redis_workers_handler_duration_ms",
  "How long handlers ran, in milliseconds",
  durationBoundaries
)

/**
 * Time from adding an entry to its first start, in milliseconds, by `service` and `action_type`.
 *
 * @since 0.1.0
 * @category worker
 */
export const startDelay: Metric.Histogram<number> = histogram(
  "redis_workers_start_delay_ms",
  "Time from sending to the start of the first attempt, in milliseconds",
  durationBoundaries
)

/**
 * Attempts that actions needed until they ended, by `service` and `action_type`.
 *
 * @since 0.1.0
 * @category worker
 */
export const attempts: Metric.Histogram<number> = histogram(
  "redis_workers_attempts",
  "Attempts that actions took until they were settled for good",
  attemptBoundaries
)

/**
 * Handlers running now, by `service`.
 *
 * @since 0.1.0
 * @category worker
 */
export const inFlight: Metric.Gauge<number> = gauge("redis_workers_in_flight", "Handlers that run now")

/**
 * Entries waiting for another attempt, by `service`.
 *
 * @since 0.1.0
 * @category worker
 */
export const waiting: Metric.Gauge<number> = gauge(
  "redis_workers_waiting_retries",
  "Entries that wait for another attempt, of the whole group"
)

/**
 * Entries delivered and not settled, including those that wait for another attempt, by `service`.
 *
 * @since 0.1.0
 * @category worker
 */
export const pending: Metric.Gauge<number> = gauge(
  "redis_workers_pending",
  "Entries delivered and not settled, of the whole group, waiting ones included"
)

/**
 * Entries not delivered yet, by `service`. While the server cannot compute it, the last known value.
 *
 * @since 0.1.0
 * @category worker
 */
export const lag: Metric.Gauge<number> = gauge("redis_workers_lag", "Entries that the group has not read yet")

/**
 * Length of the action stream, by `service`.
 *
 * @since 0.1.0
 * @category worker
 */
export const streamLength: Metric.Gauge<number> = gauge("redis_workers_stream_length", "Length of the action stream")

/**
 * Length of the dead-letter stream, by `service`.
 *
 * @since 0.1.0
 * @category worker
 */
export const deadLetterLength: Metric.Gauge<number> = gauge(
  "redis_workers_dead_letter_length",
  "Length of the dead-letter stream"
)

/**
 * Dead letters written, by `service` and `reason`.
 *
 * @since 0.1.0
 * @category worker
 */
export const deadLetters: Metric.Counter<number> = counter(
  "redis_workers_dead_letters_total",
  "Dead letters written, by reason"
)

/**
 * Entries taken over from other consumers, by `service`.
 *
 * @since 0.1.0
 * @category worker
 */
export const claims: Metric.Counter<number> = counter(
  "redis_workers_claims_total",
  "Entries taken over from consumers that were silent for longer than the lease"
)

/**
 * Entries lost to other consumers while this consumer held them, by `service`.
 *
 * @since 0.1.0
 * @category worker
 */
export const leasesLost: Metric.Counter<number> = counter(
  "redis_workers_leases_lost_total",
  "Entries that another consumer took over while they were held here"
)

/**
 * Settlements that the fence refused because the entry no longer belonged to this consumer, by `service`.
 *
 * @since 0.1.0
 * @category worker
 */
export const settlementsRefused: Metric.Counter<number> = counter(
  "redis_workers_settlements_refused_total",
  "Settlements refused because the entry was no longer this consumer's"
)

/**
 * Answers that could not be delivered, by `service`.
 *
 * @since 0.1.0
 * @category worker
 */
export const undeliverable: Metric.Counter<number> = counter(
  "redis_workers_undeliverable_answers_total",
  "Answers that could not be pushed; each is kept in its dead letter"
)

/**
 * Entries that another program deleted while they were pending, or removed from the pending list without running them,
 * by `service`.
 *
 * @since 0.1.0
 * @category worker
 */
export const entriesLost: Metric.Counter<number> = counter(
  "redis_workers_entries_lost_total",
  "Pending entries that another program deleted from the stream, or acknowledged without running them"
)

/**
 * How often a missing group was created again, by `service`.
 *
 * @since 0.1.0
 * @category worker
 */
export const groupsRestored: Metric.Counter<number> = counter(
  "redis_workers_groups_restored_total",
  "Times that the group was missing and was created again"
)

/**
 * How often a read connection was closed and opened again, by `service`.
 *
 * @since 0.1.0
 * @category worker
 */
export const reconnects: Metric.Counter<number> = counter(
  "redis_workers_reconnects_total",
  "Times that a read connection failed and was opened again"
)

/**
 * Actions that are not due yet, by `service`.
 *
 * @since 0.2.0
 * @category worker
 */
export const parked: Metric.Gauge<number> = gauge("redis_workers_parked", "Actions that are not due yet")

/**
 * Pauses of the service or of its types by operators, by `service`. Pauses of a worker by its own handle are not counted.
 *
 * @since 0.2.0
 * @category worker
 */
export const paused: Metric.Gauge<number> = gauge("redis_workers_paused", "Pauses by operators")

/**
 * Parked actions that this worker let into the stream, by `service`.
 *
 * @since 0.2.0
 * @category worker
 */
export const promoted: Metric.Counter<number> = counter(
  "redis_workers_promoted_total",
  "Parked actions that went into the stream"
)

/**
 * How long after its time the latest action of a call went into the stream, in milliseconds, by `service`.
 *
 * @since 0.2.0
 * @category worker
 */
export const promotionDelay: Metric.Histogram<number> = histogram(
  "redis_workers_promotion_delay_ms",
  "How long after its time the latest parked action of a call went into the stream, in milliseconds",
  durationBoundaries
)

/**
 * Parked actions that were dropped when they were due, because their `expiresIn` was over, by `service`.
 *
 * @since 0.2.0
 * @category worker
 */
export const parkedExpired: Metric.Counter<number> = counter(
  "redis_workers_parked_expired_total",
  "Parked actions that expired before they were due"
)

/**
 * Slots of schedules that this worker fired, by `service`.
 *
 * @since 0.2.0
 * @category worker
 */
export const schedulesFired: Metric.Counter<number> = counter(
  "redis_workers_schedules_fired_total",
  "Slots of schedules whose action was sent"
)

/**
 * Slots of schedules that were missed and skipped, by `service`.
 *
 * @since 0.2.0
 * @category worker
 */
export const schedulesSkipped: Metric.Counter<number> = counter(
  "redis_workers_schedules_skipped_total",
  "Slots of schedules that were missed and skipped"
)

/**
 * How long after its slot a schedule fired, in milliseconds, by `service`.
 *
 * @since 0.2.0
 * @category worker
 */
export const scheduleDelay: Metric.Histogram<number> = histogram(
  "redis_workers_schedule_delay_ms",
  "How long after its slot a schedule fired, in milliseconds",
  durationBoundaries
)

/**
 * Actions that have a place in the lanes of a contract of this worker, by `service` and `lane` (the type, or the name).
 *
 * @since 0.2.0
 * @category worker
 */
export const lanesHeld: Metric.Gauge<number> = gauge("redis_workers_lanes_held", "Actions that have a place in a lane")

/**
 * Actions that wait in the lanes of a contract of this worker, by `service` and `lane` (the type, or the name).
 *
 * @since 0.2.0
 * @category worker
 */
export const lanesWaiting: Metric.Gauge<number> = gauge("redis_workers_lanes_waiting", "Actions that wait in a lane")

/**
 * Lanes that are paused or halted, by `service`.
 *
 * @since 0.2.0
 * @category worker
 */
export const lanesStopped: Metric.Gauge<number> = gauge(
  "redis_workers_lanes_stopped",
  "Lanes that are paused or halted"
)

/**
 * Places of lanes that were released because others had deleted or acknowledged their actions, by `service`.
 *
 * @since 0.2.0
 * @category worker
 */
export const lanesHealed: Metric.Counter<number> = counter(
  "redis_workers_lanes_healed_total",
  "Places of lanes that no worker could give back"
)

/**
 * Requests waiting for their answer now, by `service`.
 *
 * @since 0.1.0
 * @category client
 */
export const requestsOpen: Metric.Gauge<number> = gauge(
  "redis_workers_requests_open",
  "Requests that wait for their answer now"
)

/**
 * Requests ended, by `service`, `action_type` and `outcome` (`success`, `declared_error`, `remote_failure`, `timeout`,
 * `redis_error`, `encode_error`, `interrupted`).
 *
 * @since 0.1.0
 * @category client
 */
export const requests: Metric.Counter<number> = counter(
  "redis_workers_requests_total",
  "Requests that ended, by action type and outcome"
)

/**
 * How long requests took, in milliseconds, by `service` and `action_type`.
 *
 * @since 0.1.0
 * @category client
 */
export const requestDuration: Metric.Histogram<number> = histogram(
  "redis_workers_request_duration_ms",
  "How long requests took, in milliseconds",
  durationBoundaries
)

/**
 * Answers that arrived after the caller stopped waiting, by `service`.
 *
 * @since 0.1.0
 * @category client
 */
export const answersUnclaimed: Metric.Counter<number> = counter(
  "redis_workers_answers_unclaimed_total",
  "Answers that arrived after their request had ended"
)

/**
 * Every metric, for documentation and dashboards.
 *
 * @since 0.1.0
 * @category all
 */
export const all: ReadonlyArray<Metric.Metric<never, unknown>> = [
  actions,
  handlerDuration,
  startDelay,
  attempts,
  inFlight,
  waiting,
  pending,
  lag,
  streamLength,
  deadLetterLength,
  deadLetters,
  claims,
  leasesLost,
  settlementsRefused,
  undeliverable,
  entriesLost,
  groupsRestored,
  reconnects,
  parked,
  paused,
  promoted,
  promotionDelay,
  parkedExpired,
  lanesHeld,
  lanesWaiting,
  lanesStopped,
  lanesHealed,
  schedulesFired,
  schedulesSkipped,
  scheduleDelay,
  requestsOpen,
  requests,
  requestDuration,
  answersUnclaimed
]
