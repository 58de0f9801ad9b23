/**
 * Settings of a service, read once from the environment (or given in code), checked and typed.
 *
 * Building the layer fails if a value is invalid, with one {@link SettingsError} that lists every invalid variable, the
 * value found and the value expected. Secrets are `Redacted` and never part of such a message.
 *
 * | variable | setting | default |
 * | --- | --- | --- |
 * | `SERVICE_NAME` | `serviceName` | required |
 * | `ENVIRONMENT` | `environment` | `dev` |
 * | `QUEUE_PREFIX` | `queuePrefix` | `nooble4` |
 * | `QUEUE_HASH_TAGS` | `queueHashTags` | `false` |
 * | `REDIS_URL` | `redis.url` | `redis://localhost:6379` |
 * | `REDIS_CLUSTER` | `redis.cluster` | `false` |
 * | `REDIS_USERNAME`, `REDIS_PASSWORD` | `redis.username`, `redis.password` | none |
 * | `REDIS_SOCKET_CONNECT_TIMEOUT` | `redis.connectTimeout` | 5 seconds |
 * | `REDIS_SOCKET_KEEPALIVE` | `redis.keepAlive` | `true` |
 * | `REDIS_HEALTH_CHECK_INTERVAL` | `redis.healthCheckInterval` | 30 seconds; 0 is off |
 * | `NUM_INTERNAL_WORKERS` | `consumers` | 1 |
 * | `WORKER_CONCURRENCY` | `concurrency` | 100 |
 * | `WORKER_BLOCK` | `block` | 5 seconds |
 * | `WORKER_CLAIM_IDLE` | `claimIdle` | 60 seconds |
 * | `WORKER_MAX_ATTEMPTS` | `maxAttempts` | 5 |
 * | `WORKER_MAX_DELIVERIES` | `maxDeliveries` | 10 |
 * | `WORKER_HANDLER_TIMEOUT` | `handlerTimeout` | none |
 * | `WORKER_SHUTDOWN_GRACE` | `shutdownGrace` | 25 seconds |
 * | `WORKER_PAYLOAD_LIMIT` | `payloadLimit` | 4 MiB |
 * | `WORKER_UNKNOWN_FOR` | `unknownFor` | 10 minutes |
 * | `REQUEST_TIMEOUT` | `requestTimeout` | 30 seconds |
 *
 * In the environment, a bare number is a time in seconds, as the Python services write it. Texts such as `500 millis` or
 * `2 minutes` are accepted too. An empty variable counts as absent.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import { withoutStack } from "./internal/base/withoutStack.ts"
import { build, type Built, type Source } from "./internal/redis/settingsBuild.ts"
import { defaultUrl, fields, passwordName, urlName } from "./internal/redis/settingsFields.ts"

// -----------------------------------------------------------------------------
// types
// -----------------------------------------------------------------------------

/**
 * How to reach Redis.
 *
 * @since 0.1.0
 * @category models
 */
export interface RedisSettings {
  /**
   * `redis://` or `rediss://` (TLS) with host, port and database, or `unix://` with the path of a socket. It never
   * holds credentials, so it is safe to log.
   */
  readonly url: string
  /**
   * Whether the URL is that of a node, or of the configuration endpoint, of a Redis Cluster. It needs `queueHashTags`
   * too. Default `false`.
   */
  readonly cluster: boolean
  /** The ACL user. `REDIS_USERNAME` overrides a user in the URL. */
  readonly username: string | undefined
  /** The password. `REDIS_PASSWORD` overrides a password in the URL. */
  readonly password: Redacted.Redacted<string> | undefined
  /** How long one attempt to connect may take. Default 5 seconds. */
  readonly connectTimeout: Duration.Duration
  /** Whether to use TCP keep-alive. Default `true`. */
  readonly keepAlive: boolean
  /** How often idle shared connections are probed, to detect a peer that vanished. Default 30 seconds; zero is off. */
  readonly healthCheckInterval: Duration.Duration
}

/**
 * All settings, checked.
 *
 * @since 0.1.0
 * @category models
 */
export interface Values {
  /**
   * The name of this service. It is part of the name of its stream and group, and the first part of its action types.
   */
  readonly serviceName: string
  /** The environment, a part of every key. Default `dev`. */
  readonly environment: string
  /** The first part of every key. Default `nooble4`. */
  readonly queuePrefix: string
  /**
   * Whether the keys of a service share a hash tag, as Redis Cluster needs it: see `QueueNaming.layerCluster`. Default
   * `false`.
   */
  readonly queueHashTags: boolean
  readonly redis: RedisSettings
  /** The number of internal workers in one process, each with its own consumer. Default 1. */
  readonly consumers: number
  /** The number of handlers that run at once in each internal worker. Default 100. */
  readonly concurrency: number
  /** How long one read waits at Redis for new entries. Default 5 seconds. */
  readonly block: Duration.Duration
  /**
   * The lease of a running entry: another consumer takes over an entry that was not renewed for this long. Default 60
   * seconds.
   */
  readonly claimIdle: Duration.Duration
  /** How often a handler runs, the first time included, before an action becomes a dead letter. Default 5. */
  readonly maxAttempts: number
  /**
   * The number of deliveries without an outcome after which an entry counts as one that kills its workers. Default 10.
   */
  readonly maxDeliveries: number
  /** How long one run of a handler may take. Default none. */
  readonly handlerTimeout: Duration.Duration | undefined
  /**
   * How long a drain waits for running handlers before it interrupts them and releases their entries. Default 25
   * seconds.
   */
  readonly shutdownGrace: Duration.Duration
  /**
   * The largest `data` of an entry, in bytes. Larger entries become dead letters unread, and larger answers are
   * replaced by an error (`UNENCODABLE_RESULT`). Default 4 MiB.
   */
  readonly payloadLimit: number
  /** How long an action of an unknown type waits for a worker that knows it. Default 10 minutes. */
  readonly unknownFor: Duration.Duration
  /** How long a request waits for its answer, unless the call sets a timeout. Default 30 seconds. */
  readonly requestTimeout: Duration.Duration
}

/**
 * Settings given in code. Omitted settings have their defaults.
 *
 * **Gotchas**
 *
 * Times are `Duration.Input`, so a bare number is in milliseconds here. In the environment it is in seconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface Input {
  readonly serviceName: string
  readonly environment?: string | undefined
  readonly queuePrefix?: string | undefined
  readonly queueHashTags?: boolean | undefined
  readonly redis?: {
    readonly cluster?: boolean | undefined
    /** May include user and password; they are removed from the URL and kept separately. */
    readonly url?: string | undefined
    readonly username?: string | undefined
    readonly password?: string | Redacted.Redacted<string> | undefined
    readonly connectTimeout?: Duration.Input | undefined
    readonly keepAlive?: boolean | undefined
    readonly healthCheckInterval?: Duration.Input | undefined
  } | undefined
  readonly consumers?: number | undefined
  readonly concurrency?: number | undefined
  readonly block?: Duration.Input | undefined
  readonly claimIdle?: Duration.Input | undefined
  readonly maxAttempts?: number | undefined
  readonly maxDeliveries?: number | undefined
  readonly handlerTimeout?: Duration.Input | undefined
  readonly shutdownGrace?: Duration.Input | undefined
  readonly payloadLimit?: number | undefined
  readonly unknownFor?: Duration.Input | undefined
  readonly requestTimeout?: Duration.Input | undefined
}

/**
 * Settings in code for variables that are not set. Each may be omitted, `serviceName` included.
 *
 * @since 0.2.0
 * @category models
 */
export type Fallback = Partial<Input>

// -----------------------------------------------------------------------------
// service
// -----------------------------------------------------------------------------

/**
 * The settings of this service.
 *
 * **Example** (Reading a setting)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Settings } from "effect-redis-workers"
 *
 * const program = Effect.gen(function*() {
 *   const settings = yield* Settings.Settings
 *   yield* Effect.log(`${settings.serviceName} in ${settings.environment}`)
 * }).pipe(Effect.provide(Settings.layerOf({ serviceName: "user" })))
 * ```
 *
 * @since 0.1.0
 * @category services
 */
export class Settings extends Context.Service<Settings, Values>()("effect-redis-workers/Settings") {}

/**
 * The defaults of all settings except `serviceName`, which is required.
 *
 * @since 0.1.0
 * @category defaults
 */
export const defaults: Omit<Values, "serviceName"> = {
  environment: fields.environment.fallback,
  queuePrefix: fields.queuePrefix.fallback,
  queueHashTags: fields.queueHashTags.fallback,
  redis: {
    url: defaultUrl,
    cluster: fields.cluster.fallback,
    username: fields.username.fallback,
    password: undefined,
    connectTimeout: fields.connectTimeout.fallback,
    keepAlive: fields.keepAlive.fallback,
    healthCheckInterval: fields.healthCheckInterval.fallback
  },
  consumers: fields.consumers.fallback,
  concurrency: fields.concurrency.fallback,
  block: fields.block.fallback,
  claimIdle: fields.claimIdle.fallback,
  maxAttempts: fields.maxAttempts.fallback,
  maxDeliveries: fields.maxDeliveries.fallback,
  handlerTimeout: fields.handlerTimeout.fallback,
  shutdownGrace: fields.shutdownGrace.fallback,
  payloadLimit: fields.payloadLimit.fallback,
  unknownFor: fields.unknownFor.fallback,
  requestTimeout: fields.requestTimeout.fallback
}

// -----------------------------------------------------------------------------
// errors
// -----------------------------------------------------------------------------

/**
 * One invalid value: the variable (or option) that holds it, the value found, and the expected value.
 *
 * @since 0.1.0
 * @category errors
 */
export type SettingsProblem = typeof SettingsProblem.Type

/**
 * The schema of {@link SettingsProblem}.
 *
 * @since 0.2.0
 * @category errors
 */
export const SettingsProblem: Schema.Struct<{
  readonly name: Schema.String
  readonly found: Schema.String
  readonly expected: Schema.String
}> = Schema.Struct({ name: Schema.String, found: Schema.String, expected: Schema.String })

/**
 * Invalid settings. The error reports all invalid values together, and never includes a secret.
 *
 * @since 0.1.0
 * @category errors
 */
export class SettingsError extends Schema.TaggedError<SettingsError>()("SettingsError", {
  problems: Schema.Array(SettingsProblem)
}) {
  override get message(): string {
    const lines = this.problems.map(({ expected, found, name }) => `${name} is ${found}: expected ${expected}`)
    return lines.length === 1 ? lines[0]! : `${lines.length} settings are wrong\n  ${lines.join("\n  ")}`
  }
}

// -----------------------------------------------------------------------------
// make
// -----------------------------------------------------------------------------

type Checked = Result.Result<Built, SettingsError>

const settingsError = (problems: ReadonlyArray<SettingsProblem>): SettingsError =>
  withoutStack(new SettingsError({ problems }))

const check = (source: Source): Checked => Result.mapError(build(source, defaults), settingsError)

/** Logs the warnings and returns the values. */
const settled = (built: Checked): Effect.Effect<Values, SettingsError> =>
  Result.isFailure(built)
    ? Effect.fail(built.failure)
    : Effect.as(Effect.forEach(built.success.warnings, (warning) => Effect.logWarning(warning)), built.success.values)

const checkInput = (input: Input): Checked => check({ environment: false, get: ({ key }) => fromInput(input, key) })

const fromInput = (input: object, key: string): unknown => {
  // SAFETY: the keys come from the table above, and their values are checked as unknown values.
  const record = input as Record<string, unknown>
  if (!key.startsWith("redis.")) return record[key]
  return (record["redis"] as Record<string, unknown> | undefined)?.[key.slice("redis.".length)]
}

/**
 * Checks settings given in code and fills in the defaults.
 *
 * **Example** (Values in code)
 *
 * ```ts
 * import * as Result from "effect/Result"
 * import { Settings } from "effect-redis-workers"
 *
 * const settings = Settings.make({ serviceName: "user", concurrency: 10, block: "2 seconds" })
 * Result.isSuccess(settings) // => true
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (input: Input): Result.Result<Values, SettingsError> =>
  Result.map(checkInput(input), ({ values }) => values)

const variables: ReadonlyArray<string> = [...Object.values(fields).map((field) => field.variable), urlName.variable]

// Built lazily: making twenty `Config`s takes a twentieth of the time of importing the package.
const environment = (fallback: Fallback) =>
  Config.flatMap(Config.succeed(undefined), () =>
    Config.all({
      plain: Config.all(
        Object.fromEntries(variables.map((variable) => [variable, Config.option(Config.String(variable))]))
      ),
      password: Config.option(Config.Redacted(passwordName.variable))
    }).pipe(Config.map(({ password, plain }) =>
      check({
        environment: true,
        get: ({ key, variable }) =>
          Option.getOrUndefined<unknown>(variable === passwordName.variable ? password : plain[variable]!) ??
            fromInput(fallback, key)
      })
    )))

/**
 * The settings as a `Config`. Combine it with others (`Config.all`), or read it under a prefix (`Config.nested`).
 *
 * **Details**
 *
 * Fails with a `ConfigError` whose message is that of {@link SettingsError}.
 *
 * @since 0.1.0
 * @category config
 */
export const config: Config.Config<Values> = environment({}).pipe(
  Config.mapEffect((built) =>
    Effect.mapError(
      settled(built),
      ({ message }) => new Config.ConfigError(new Schema.SchemaError(new SchemaIssue.InvalidValue({ message })))
    )
  )
)

// -----------------------------------------------------------------------------
// layers
// -----------------------------------------------------------------------------

const fromEnvironment = (fallback: Fallback): Layer.Layer<Settings, SettingsError> =>
  Layer.effect(
    Settings,
    environment(fallback).pipe(
      // The source itself failed: a file that cannot be read, or a value that is not text.
      Effect.mapError((error) =>
        settingsError([{ name: "the configuration", found: `unreadable (${error.message})`, expected: "texts" }])
      ),
      Effect.flatMap(settled)
    )
  )

/**
 * Settings from the environment, read through the current `ConfigProvider`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Settings, SettingsError> = fromEnvironment({})

/**
 * Settings from the environment, with `fallback` for variables that are not set. Other settings have their defaults.
 *
 * **When to use**
 *
 * Use it in programs that are not a service, such as a tool for dead letters. They then need no `SERVICE_NAME`.
 *
 * **Example** (A tool that reads REDIS_URL, ENVIRONMENT and QUEUE_PREFIX)
 *
 * ```ts
 * import { Settings } from "effect-redis-workers"
 *
 * const SettingsLayer = Settings.layerWith({ serviceName: "tools" })
 * ```
 *
 * @since 0.2.0
 * @category layers
 */
export const layerWith = (fallback: Fallback): Layer.Layer<Settings, SettingsError> => fromEnvironment(fallback)

/**
 * Settings given in code. Omitted settings have their defaults.
 *
 * **Example** (Two settings, the rest by default)
 *
 * ```ts
 * import { Settings } from "effect-redis-workers"
 *
 * const SettingsLayer = Settings.layerOf({ serviceName: "user", redis: { url: "redis://cache:6379/2" } })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerOf = (input: Input): Layer.Layer<Settings, SettingsError> =>
  Layer.effect(Settings, Effect.suspend(() => settled(checkInput(input))))
