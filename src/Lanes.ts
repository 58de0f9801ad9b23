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
 * A lane that an action holds or waits in. Without a key it is the lane of all keys together.
 *
 * **Gotchas**
 *
 * Keys are part of payloads: show them only to those who may see payloads.
 *
 * @since 0.2.0
 * @category models
 */
export interface LaneStatus {
  readonly type: string | undefined
  readonly name: string | undefined
  readonly key: string | undefined
  /** How many actions have a place. */
  readonly held: number
  /** How many wait. */
  readonly waiting: number
  /** The ids of the entries that have a place, at most ten. */
  readonly holders: ReadonlyArray<string>
  /** `halted` by a dead letter until it is resumed, or `paused` until a time. */
  readonly state: "open" | "paused" | "halted"
  readonly until: DateTime.Utc | undefined
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
  /** Lists lanes that actions hold or wait in, by name: at most 100 a page. `after` is the cursor of the page before. */
  readonly list: (
    options?: { readonly after?: string | undefined; readonly limit?: number | undefined }
  ) => Effect.Effect<
    { readonly lanes: ReadonlyArray<LaneStatus>; readonly cursor: string | undefined },
    InvalidOption | RedisError
  >
  /** Lets nothing into the stream for some time. What runs goes on. A longer pause stays, and so does a halt. */
  readonly pause: (lane: LaneRef, duration: Duration.Input) => Effect.Effect<void, InvalidOption | RedisError>
  /** Ends a pause or a halt. Returns `false` if the lane was open. */
  readonly resume: (lane: LaneRef) => Effect.Effect<boolean, RedisError>
  /**
   * Sets limits for all keys of a lane; `undefined` returns to those of the contract. Lanes follow when something is let in,
   * at the latest after a quarter of the lease.
   */
  readonly limit: (
    lane: { readonly type: string; readonly name?: undefined } | { readonly type?: undefined; readonly name: string },
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
