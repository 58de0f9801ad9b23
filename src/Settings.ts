/**
 * Settings of a service: read once from the environment (or given in code), checked, typed.
 *
 * A wrong value never gets further than here: building the layer fails with one {@link SettingsError} that names every
 * wrong variable, what was found and what is expected. Secrets are `Redacted` and never part of such a message.
 *
 * | variable | setting | default |
 * | --- | --- | --- |
 * | `SERVICE_NAME` | `serviceName` | required |
 * | `ENVIRONMENT` | `environment` | `dev` |
 * | `QUEUE_PREFIX` | `queuePrefix` | `nooble4` |
 * | `REDIS_URL` | `redis.url` | `redis://localhost:6379` |
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
 * In the environment a bare number is a time in seconds, as the Python services write it; text such as `500 millis` or
 * `2 minutes` is taken too. An empty variable counts as absent.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
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
  /** `redis://` or `rediss://` (TLS) with host, port and database, or `unix://` with the path of a socket; never holds credentials, so it may be logged. */
  readonly url: string
  /** ACL user. `REDIS_USERNAME` wins over a user in the URL. */
  readonly username: string | undefined
  /** `REDIS_PASSWORD` wins over a password in the URL. */
  readonly password: Redacted.Redacted<string> | undefined
  /** How long one attempt to connect may take. Default 5 seconds. */
  readonly connectTimeout: Duration.Duration
  /** TCP keep-alive. Default `true`. */
  readonly keepAlive: boolean
  /** How often an idle shared connection is probed, so that a peer that vanished is noticed. Default 30 seconds; zero is off. */
  readonly healthCheckInterval: Duration.Duration
}

/**
 * Every setting, checked.
 *
 * @since 0.1.0
 * @category models
 */
export interface Values {
  /** Name of this service: names its stream and group, and is the first part of its action types. */
  readonly serviceName: string
  /** Part of every key. Default `dev`. */
  readonly environment: string
  /** First part of every key. Default `nooble4`. */
  readonly queuePrefix: string
  readonly redis: RedisSettings
  /** Internal workers of one process, each with a consumer of its own. Default 1. */
  readonly consumers: number
  /** Handlers that run at once in each internal worker. Default 100. */
  readonly concurrency: number
  /** How long one read waits at Redis for new entries. Default 5 seconds. */
  readonly block: Duration.Duration
  /** Lease of a running entry: after this long without renewal another consumer takes it. Default 60 seconds. */
  readonly claimIdle: Duration.Duration
  /** Runs of a handler, the first included, before an action becomes a dead letter. Default 5. */
  readonly maxAttempts: number
  /** Deliveries before an entry counts as one that kills its workers. Default 10. */
  readonly maxDeliveries: number
  /** Limit of one run of a handler. Default none. */
  readonly handlerTimeout: Duration.Duration | undefined
  /** How long a drain waits for running handlers before it interrupts and releases them. Default 25 seconds. */
  readonly shutdownGrace: Duration.Duration
  /** Largest `data` of an entry in bytes; larger ones become dead letters unread. Larger answers are replaced by an error (`UNENCODABLE_RESULT`). Default 4 MiB. */
  readonly payloadLimit: number
  /** How long an action of a type that nobody knows waits for a worker that does. Default 10 minutes. */
  readonly unknownFor: Duration.Duration
  /** How long a request waits for its answer unless the call says otherwise. Default 30 seconds. */
  readonly requestTimeout: Duration.Duration
}

/**
 * Settings given in code: what is left out has its default.
 *
 * **Gotchas**
 *
 * Times are `Duration.Input`, so a bare number is in milliseconds here, while it is in seconds in the environment.
 *
 * @since 0.1.0
 * @category models
 */
export interface Input {
  readonly serviceName: string
  readonly environment?: string | undefined
  readonly queuePrefix?: string | undefined
  readonly redis?: {
    /** May carry user and password; they are moved out of it. */
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
 * Settings in code for variables that are not set; each may be left out, the name of the service included.
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
 * The default of every setting but `serviceName`, which has none.
 *
 * @since 0.1.0
 * @category defaults
 */
export const defaults: Omit<Values, "serviceName"> = {
  environment: fields.environment.fallback,
  queuePrefix: fields.queuePrefix.fallback,
  redis: {
    url: defaultUrl,
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
 * One wrong value: the variable (or option) that holds it, what was found, and what is expected there.
 *
 * @since 0.1.0
 * @category errors
 */
export interface SettingsProblem {
  readonly name: string
  readonly found: string
  readonly expected: string
}

/**
 * Settings are wrong. Lists every wrong value at once, never a secret.
 *
 * @since 0.1.0
 * @category errors
 */
export class SettingsError extends Data.TaggedError("SettingsError")<{
  readonly problems: ReadonlyArray<SettingsProblem>
}> {
  constructor(options: { readonly problems: ReadonlyArray<SettingsProblem> }) {
    super(options)
    withoutStack(this)
  }

  override get message(): string {
    const lines = this.problems.map(({ expected, found, name }) => `${name} is ${found}: expected ${expected}`)
    return lines.length === 1 ? lines[0]! : `${lines.length} settings are wrong\n  ${lines.join("\n  ")}`
  }
}

// -----------------------------------------------------------------------------
// make
// -----------------------------------------------------------------------------

type Checked = Result.Result<Built, SettingsError>

const check = (source: Source): Checked =>
  Result.mapError(build(source, defaults), (problems) => new SettingsError({ problems }))

/** The values, once what there is to warn of is logged. */
const settled = (built: Checked): Effect.Effect<Values, SettingsError> =>
  Result.isFailure(built)
    ? Effect.fail(built.failure)
    : Effect.as(Effect.forEach(built.success.warnings, (warning) => Effect.logWarning(warning)), built.success.values)

const checkInput = (input: Input): Checked => check({ environment: false, get: ({ key }) => fromInput(input, key) })

const fromInput = (input: object, key: string): unknown => {
  // SAFETY: the keys come from the table above; whatever stands there is checked as an unknown value.
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

// Made when it is read: twenty `Config`s are a twentieth of the time that importing the package takes.
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
 * The settings as a `Config`, to be combined with others (`Config.all`) or read under a prefix (`Config.nested`).
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
      // The source itself failed: a file that cannot be read, a value that is no text.
      Effect.mapError((error) =>
        new SettingsError({
          problems: [{ name: "the configuration", found: `unreadable (${error.message})`, expected: "texts" }]
        })
      ),
      Effect.flatMap(settled)
    )
  )

/**
 * Settings from the environment, through the current `ConfigProvider`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Settings, SettingsError> = fromEnvironment({})

/**
 * Settings from the environment. A variable that is not set has the value of `fallback`, and its default where that has none.
 *
 * **When to use**
 *
 * For programs that are not a service, such as a tool for dead letters: they need no `SERVICE_NAME` then.
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
 * Settings given in code; what is left out has its default.
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
