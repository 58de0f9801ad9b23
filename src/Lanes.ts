/**
 * The lanes of a service while it runs: the actions that hold them or wait, pauses and halts, and the limits of an operator.
 *
 * `Action.lane` gives a contract its lane.
 *
 * @since 0.2.0
 */
import * as Context from "effect/Context"
import type * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { InvalidOption } from "./internal/base/invalidOption.ts"
import type { LaneNotFound } from "./internal/lanes/errors.ts"
import * as Manage from "./internal/lanes/manage.ts"
import { QueueNaming } from "./QueueNaming.ts"
import { Redis, type RedisError } from "./Redis.ts"
import { Settings } from "./Settings.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/**
 * Names a lane: by its type, or by the name that types share, and its key.
 *
 * @since 0.2.0
 * @category models
 */
export type LaneRef =
  | { readonly type: string; readonly name?: undefined; readonly key: string }
  | { readonly type?: undefined; readonly name: string; readonly key: string }

/**
 * An action that has a place in a lane.
 *
 * @since 0.2.0
 * @category models
 */
export interface LaneHolder {
  readonly entryId: string
  /** When it got its place and entered the stream, by the server's clock. */
  readonly since: DateTime.Utc
}

/**
 * A lane that actions hold or wait in, or that is paused or halted.
 *
 * **Gotchas**
 *
 * Keys are part of payloads: show them only to those who may see payloads. An `id` is a hash of the key, so that a key that can be
 * guessed can be recognised.
 *
 * @since 0.2.0
 * @category models
 */
export interface LaneStatus {
  /** Names the lane without its key, for `resume` and others: 16 hexadecimal digits. */
  readonly id: string
  /** The type of the contract; `undefined` if the lane has a name. */
  readonly type: string | undefined
  readonly name: string | undefined
  /** `undefined` if the key is not shown, and of the lane of all keys. */
  readonly key: string | undefined
  /** Whether it is the lane of all keys together, which `total` limits. Lanes wait in it, not actions. */
  readonly total: boolean
  /** How many actions have a place. */
  readonly held: number
  /** How many wait. */
  readonly waiting: number
  /** Those that have a place, at most ten. */
  readonly holders: ReadonlyArray<LaneHolder>
  /** Since when the first in line waits. */
  readonly waitingSince: DateTime.Utc | undefined
  /** `halted` by a dead letter until it is resumed, or `paused` until a time. */
  readonly state: "open" | "paused" | "halted"
  /** When the pause ends. */
  readonly until: DateTime.Utc | undefined
  /** When it halted. */
  readonly haltedAt: DateTime.Utc | undefined
  /** The id of the entry that became a dead letter. */
  readonly haltedBy: string | undefined
}

/**
 * The limits of a lane as they are in Redis.
 *
 * @since 0.2.0
 * @category models
 */
export interface LaneRules {
  readonly concurrency: number
  readonly rate: { readonly limit: number; readonly per: Duration.Duration } | undefined
  readonly backlog: "wait" | "latest" | "drop" | { readonly max: number }
  readonly onGiveUp: "continue" | "halt"
  readonly total: {
    readonly concurrency: number | undefined
    readonly rate: { readonly limit: number; readonly per: Duration.Duration } | undefined
  } | undefined
}

/**
 * All lanes of a type or a name together.
 *
 * @since 0.2.0
 * @category models
 */
export interface LaneSummary {
  readonly type: string | undefined
  readonly name: string | undefined
  /** How many actions have a place. */
  readonly held: number
  /** How many wait. */
  readonly waiting: number
  /** The limits that hold now. */
  readonly rules: LaneRules
  /** The limits of the contract. `undefined` if no sender and no worker has used it. */
  readonly declared: LaneRules | undefined
  /** Whether an operator has set limits. */
  readonly overridden: boolean
}

/**
 * A page of lanes.
 *
 * @since 0.2.0
 * @category models
 */
export interface LanePage {
  readonly lanes: ReadonlyArray<LaneStatus>
  /** The cursor of the next page; `undefined` on the last. Lanes that come and go meanwhile may be missed, or come twice. */
  readonly cursor: string | undefined
}

/**
 * A lane by its key, or by the `id` of its status.
 *
 * @since 0.2.0
 * @category models
 */
export type LaneTarget = LaneRef | { readonly id: string }

/**
 * All lanes of a type, or of a name.
 *
 * @since 0.2.0
 * @category models
 */
export type LaneNameRef =
  | { readonly type: string; readonly name?: undefined }
  | { readonly type?: undefined; readonly name: string }

/**
 * Options of `list`.
 *
 * @since 0.2.0
 * @category options
 */
export interface LaneListOptions {
  /** The cursor of the previous page. Default: the first page. */
  readonly cursor?: string | undefined
  /** The maximum number of lanes on a page, from 1 to 100. Default: 100. */
  readonly limit?: number | undefined
  /** Only lanes that are paused or halted. Default: `false`. */
  readonly stopped?: boolean | undefined
}

/**
 * Limits that an operator sets in place of those of the contract.
 *
 * @since 0.2.0
 * @category models
 */
export interface LaneLimits {
  readonly concurrency?: number | undefined
  readonly rate?: { readonly limit: number; readonly per: Duration.Input } | undefined
  readonly total?: {
    readonly concurrency?: number | undefined
    readonly rate?: { readonly limit: number; readonly per: Duration.Input } | undefined
  } | undefined
}

// -----------------------------------------------------------------------------
// service
// -----------------------------------------------------------------------------

/**
 * Looks at the lanes of one service and changes them.
 *
 * **Example** (Go on after a halt)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Lanes } from "effect-redis-workers"
 *
 * const program = Effect.gen(function*() {
 *   const lanes = yield* Lanes.Lanes
 *   yield* lanes.resume({ type: "payment.charge", key: "ana" })
 * })
 * ```
 *
 * @since 0.2.0
 * @category services
 */
export class Lanes extends Context.Service<Lanes, {
  /** Returns a page of the lanes that actions hold or wait in, or that are stopped, by name and key. */
  readonly list: (options?: LaneListOptions) => Effect.Effect<LanePage, InvalidOption | RedisError>
  /** Returns the lanes by type and name, with their limits, at most 200. */
  readonly names: Effect.Effect<ReadonlyArray<LaneSummary>, RedisError>
  /** Lets nothing into the stream for some time. What runs goes on. A longer pause stays, and so does a halt. */
  readonly pause: (
    lane: LaneTarget,
    duration: Duration.Input
  ) => Effect.Effect<void, InvalidOption | LaneNotFound | RedisError>
  /** Ends a pause or a halt. Returns `false` if the lane was open. */
  readonly resume: (lane: LaneTarget) => Effect.Effect<boolean, InvalidOption | LaneNotFound | RedisError>
  /**
   * Sets limits for all keys of a lane; `undefined` returns to those of the contract. Lanes follow when something is let in,
   * at the latest after a quarter of the lease.
   */
  readonly limit: (
    lane: LaneNameRef,
    limits: LaneLimits | undefined
  ) => Effect.Effect<void, InvalidOption | RedisError>
}>()("effect-redis-workers/Lanes") {}

/**
 * Options of {@link layerOptions}.
 *
 * @since 0.2.0
 * @category options
 */
export interface Options {
  /** The service whose lanes these are. Default: `Settings.serviceName`. */
  readonly service?: string | undefined
}

/**
 * Makes the service {@link Lanes}.
 *
 * @since 0.2.0
 * @category constructors
 */
export const make: (
  options?: Options
) => Effect.Effect<Lanes["Service"], InvalidOption, Redis | QueueNaming | Settings> = Effect.fnUntraced(function*(
  options: Options = {}
) {
  const redis = yield* Redis
  const naming = yield* QueueNaming
  const { serviceName } = yield* Settings
  return yield* Manage.make(redis, naming, options.service ?? serviceName)
})

/**
 * The lanes of a service.
 *
 * @since 0.2.0
 * @category layers
 */
export const layerOptions = (options: Options): Layer.Layer<Lanes, InvalidOption, Redis | QueueNaming | Settings> =>
  Layer.effect(Lanes, make(options))

/**
 * The lanes of this program's service.
 *
 * @since 0.2.0
 * @category layers
 */
export const layer: Layer.Layer<Lanes, never, Redis | QueueNaming | Settings> = Layer.orDie(layerOptions({}))

// -----------------------------------------------------------------------------
// errors
// -----------------------------------------------------------------------------

export { InvalidOption } from "./internal/base/invalidOption.ts"

export { LaneNotFound } from "./internal/lanes/errors.ts"
