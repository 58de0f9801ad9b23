/**
 * The error of a first connection, exported by `IoRedis`.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { withoutStack } from "../base/withoutStack.ts"

const id = "effect-redis-workers/IoRedis"

const fields = {
  /** What happened, as the server or the system worded it. */
  message: Schema.String,
  /** What to do about it. */
  advice: Schema.String
}

/**
 * The server or a Sentinel rejected the user or the password, or requires one and none was given.
 *
 * @since 0.2.0
 * @category errors
 */
export class WrongPassword extends Schema.TaggedError<WrongPassword>(`${id}/WrongPassword`)("WrongPassword", fields) {}

/**
 * The effect that provides the password failed or took too long.
 *
 * @since 0.2.0
 * @category errors
 */
export class PasswordUnavailable
  extends Schema.TaggedError<PasswordUnavailable>(`${id}/PasswordUnavailable`)("PasswordUnavailable", fields)
{}

/**
 * The user lacks a permission that the start needs, or the server is in protected mode.
 *
 * @since 0.2.0
 * @category errors
 */
export class NoPermission extends Schema.TaggedError<NoPermission>(`${id}/NoPermission`)("NoPermission", fields) {}

/**
 * The server has reached its limit of connections (`maxclients`).
 *
 * @since 0.2.0
 * @category errors
 */
export class TooManyClients
  extends Schema.TaggedError<TooManyClients>(`${id}/TooManyClients`)("TooManyClients", fields)
{}

/**
 * The name of the host has no address, or there is no route to it.
 *
 * @since 0.2.0
 * @category errors
 */
export class UnknownHost extends Schema.TaggedError<UnknownHost>(`${id}/UnknownHost`)("UnknownHost", fields) {}

/**
 * The Sentinels do not know a master of that name.
 *
 * @since 0.2.0
 * @category errors
 */
export class UnknownMaster extends Schema.TaggedError<UnknownMaster>(`${id}/UnknownMaster`)("UnknownMaster", fields) {}

/**
 * Nothing listens at the port or the unix socket, the socket may not be opened, or no Sentinel answered.
 *
 * @since 0.2.0
 * @category errors
 */
export class Refused extends Schema.TaggedError<Refused>(`${id}/Refused`)("Refused", fields) {}

/**
 * The server did not answer within `REDIS_SOCKET_CONNECT_TIMEOUT`.
 *
 * @since 0.2.0
 * @category errors
 */
export class TimedOut extends Schema.TaggedError<TimedOut>(`${id}/TimedOut`)("TimedOut", fields) {}

/**
 * The TLS connection failed.
 *
 * @since 0.2.0
 * @category errors
 */
export class Tls extends Schema.TaggedError<Tls>(`${id}/Tls`)("Tls", fields) {}

/**
 * The server still reads its data from disk after `REDIS_SOCKET_CONNECT_TIMEOUT`.
 *
 * @since 0.2.0
 * @category errors
 */
export class Loading extends Schema.TaggedError<Loading>(`${id}/Loading`)("Loading", fields) {}

/**
 * Options that this module cannot work with (`keyPrefix`, Cluster, options that contradict each other, a `Connector`
 * that throws), or a database that the server lacks.
 *
 * @since 0.2.0
 * @category errors
 */
export class Unsupported extends Schema.TaggedError<Unsupported>(`${id}/Unsupported`)("Unsupported", fields) {}

/**
 * The server closed the connection, or is not Redis.
 *
 * @since 0.2.0
 * @category errors
 */
export class Other extends Schema.TaggedError<Other>(`${id}/Other`)("Other", fields) {}

const reasons = {
  WrongPassword,
  PasswordUnavailable,
  NoPermission,
  TooManyClients,
  UnknownHost,
  UnknownMaster,
  Refused,
  TimedOut,
  Tls,
  Loading,
  Unsupported,
  Other
} as const

type Reasons = typeof reasons

/**
 * Why the first connection failed.
 *
 * @since 0.1.0
 * @category errors
 */
export type RedisStartReason = InstanceType<Reasons[keyof Reasons]>

/**
 * The schema of {@link RedisStartReason}.
 *
 * @since 0.2.0
 * @category errors
 */
export const RedisStartReason: Schema.Union<ReadonlyArray<Reasons[keyof Reasons]>> = Schema.Union(
  Object.values(reasons)
)

/**
 * The first connection to Redis failed. The message says what happened and what to do.
 *
 * **Example** (Start again later)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { RedisLayer, SettingsLayer } from "effect-redis-workers"
 *
 * const program = Layer.launch(RedisLayer).pipe(
 *   Effect.catchReason("RedisStartError", "Loading", () => Effect.succeed("try again later")),
 *   Effect.provide(SettingsLayer)
 * )
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class RedisStartError extends Schema.TaggedError<RedisStartError>()("RedisStartError", {
  /** Host and port, without user and password. */
  address: Schema.String,
  reason: RedisStartReason
}) {
  override get message(): string {
    return `Cannot connect to Redis at ${this.address}: ${this.reason.message} (${this.reason.advice})`
  }
}

/** Why an attempt to connect failed, before it is known which address it was for. */
export interface StartFailure {
  readonly reason: RedisStartReason["_tag"]
  readonly detail: string
  readonly advice: string
}

export const startError = (address: string, { advice, detail, reason }: StartFailure): RedisStartError =>
  withoutStack(new RedisStartError({ address, reason: new reasons[reason]({ message: detail, advice }) }))
