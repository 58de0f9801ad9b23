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
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import { expectedRedisUrl, ignoredParameters, parseRedisUrl } from "./internal/redis/url.ts"

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
  environment: "dev",
  queuePrefix: "nooble4",
  redis: {
    url: "redis://localhost:6379",
    username: undefined,
    password: undefined,
    connectTimeout: Duration.seconds(5),
    keepAlive: true,
    healthCheckInterval: Duration.seconds(30)
  },
  consumers: 1,
  concurrency: 100,
  block: Duration.seconds(5),
  claimIdle: Duration.seconds(60),
  maxAttempts: 5,
  maxDeliveries: 10,
  handlerTimeout: undefined,
  shutdownGrace: Duration.seconds(25),
  // Room for a page of embeddings (a few hundred vectors as JSON), small enough that a full batch stays in memory.
  payloadLimit: 4 * 1024 * 1024,
  unknownFor: Duration.minutes(10),
  requestTimeout: Duration.seconds(30)
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
  override get message(): string {
    const lines = this.problems.map(({ expected, found, name }) => `${name} is ${found}: expected ${expected}`)
    return lines.length === 1 ? lines[0]! : `${lines.length} settings are wrong\n  ${lines.join("\n  ")}`
  }
}

// -----------------------------------------------------------------------------
// fields: name, what is expected, how to read it from text and from code
// -----------------------------------------------------------------------------

interface Field<A> {
  readonly variable: string
  readonly key: string
  readonly expected: string
  /** Text of the environment → the value as it might be given in code; `undefined` when it cannot be read. */
  readonly fromText: (text: string) => unknown
  readonly check: (value: unknown) => A | undefined
  readonly show: (value: unknown) => string
}

const show = (value: unknown): string => {
  const text = typeof value === "string" ? JSON.stringify(value) : Duration.isDuration(value)
    ? Duration.format(value)
    : String(value)
  return text.length > 80 ? `${text.slice(0, 80)}… (${text.length} characters)` : text
}

const integer = (variable: string, key: string, minimum: number, maximum: number): Field<number> => ({
  variable,
  key,
  expected: `a whole number from ${minimum} to ${maximum}`,
  fromText: (text) => /^\d+$/.test(text.trim()) ? Number(text) : undefined,
  check: (value) =>
    typeof value === "number" && Number.isInteger(value) && value >= minimum && value <= maximum ? value : undefined,
  show
})

const byteUnits: Readonly<Record<string, number>> = { B: 1, kB: 1e3, KiB: 2 ** 10, MB: 1e6, MiB: 2 ** 20 }

const bytes = (variable: string, key: string, minimum: number, maximum: number): Field<number> => ({
  ...integer(variable, key, minimum, maximum),
  expected: `a number of bytes from ${minimum} to ${maximum}, or a size such as "512 KiB"`,
  fromText: (text) => {
    const match = /^\s*(\d+)\s*(B|kB|KiB|MB|MiB)?\s*$/.exec(text)
    return match === null ? undefined : Number(match[1]) * byteUnits[match[2] ?? "B"]!
  }
})

/** As `Duration.format` writes them, and with it the messages; Effect itself reads only `"10 millis"`. */
const timeUnits: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

const duration = (
  variable: string,
  key: string,
  minimum: Duration.Input,
  maximum: Duration.Input
): Field<Duration.Duration> => {
  const least = Duration.fromInputUnsafe(minimum)
  const most = Duration.fromInputUnsafe(maximum)
  return {
    variable,
    key,
    // Made for somebody who reads it, and not each time that the package is imported.
    get expected() {
      return `a time from ${Duration.format(least)} to ${Duration.format(most)}`
    },
    fromText: (text) => {
      const trimmed = text.trim()
      const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/.exec(trimmed)
      return match === null ? trimmed : Duration.millis(Number(match[1]) * timeUnits[match[2] ?? "s"]!)
    },
    check: (value) => {
      // To `Duration` it is no time at all: `Number(undefined)` would turn off what the setting is for.
      if (Number.isNaN(value)) return undefined
      // SAFETY: fromInput answers none for whatever is no Duration.Input, so the claim is checked by the call itself.
      const decoded = Duration.fromInput(value as Duration.Input)
      if (Option.isNone(decoded)) return undefined
      return Duration.isGreaterThanOrEqualTo(decoded.value, least) && Duration.isLessThanOrEqualTo(decoded.value, most)
        ? decoded.value
        : undefined
    },
    show: (value) => typeof value === "number" ? `${value} ms` : show(value)
  }
}

const boolean = (variable: string, key: string): Field<boolean> => ({
  variable,
  key,
  expected: `"true" or "false"`,
  fromText: (text) => {
    const lower = text.trim().toLowerCase()
    if (lower === "true" || lower === "1" || lower === "yes" || lower === "on") return true
    return lower === "false" || lower === "0" || lower === "no" || lower === "off" ? false : undefined
  },
  check: (value) => typeof value === "boolean" ? value : undefined,
  show
})

const text = (variable: string, key: string, pattern: RegExp, expected: string): Field<string> => ({
  variable,
  key,
  expected,
  fromText: (value) => value,
  check: (value) => typeof value === "string" && pattern.test(value) ? value : undefined,
  show
})

const fields = {
  // A colon would move the parts of every key, a dot would end the service's name early in an action type.
  serviceName: text(
    "SERVICE_NAME",
    "serviceName",
    /^[A-Za-z0-9_-]{1,128}$/,
    "a name of 1 to 128 letters, digits, \"_\" or \"-\""
  ),
  environment: text(
    "ENVIRONMENT",
    "environment",
    /^[A-Za-z0-9_.-]{1,64}$/,
    "a name of 1 to 64 letters, digits, \"_\", \".\" or \"-\""
  ),
  queuePrefix: text(
    "QUEUE_PREFIX",
    "queuePrefix",
    /^[A-Za-z0-9_.:-]{1,128}$/,
    "a name of 1 to 128 letters, digits, \"_\", \".\", \":\" or \"-\""
  ),
  username: text("REDIS_USERNAME", "redis.username", /^\S{1,256}$/, "a name of an ACL user without spaces"),
  connectTimeout: duration("REDIS_SOCKET_CONNECT_TIMEOUT", "redis.connectTimeout", "10 millis", "10 minutes"),
  keepAlive: boolean("REDIS_SOCKET_KEEPALIVE", "redis.keepAlive"),
  healthCheckInterval: duration("REDIS_HEALTH_CHECK_INTERVAL", "redis.healthCheckInterval", 0, "1 hour"),
  consumers: integer("NUM_INTERNAL_WORKERS", "consumers", 1, 1000),
  concurrency: integer("WORKER_CONCURRENCY", "concurrency", 1, 100_000),
  block: duration("WORKER_BLOCK", "block", "10 millis", "5 minutes"),
  claimIdle: duration("WORKER_CLAIM_IDLE", "claimIdle", "100 millis", "1 day"),
  maxAttempts: integer("WORKER_MAX_ATTEMPTS", "maxAttempts", 1, 10_000),
  maxDeliveries: integer("WORKER_MAX_DELIVERIES", "maxDeliveries", 1, 10_000),
  handlerTimeout: duration("WORKER_HANDLER_TIMEOUT", "handlerTimeout", "1 millis", "30 days"),
  shutdownGrace: duration("WORKER_SHUTDOWN_GRACE", "shutdownGrace", 0, "1 day"),
  // 512 MiB is the largest string that Redis takes by default.
  payloadLimit: bytes("WORKER_PAYLOAD_LIMIT", "payloadLimit", 1, 512 * 1024 * 1024),
  unknownFor: duration("WORKER_UNKNOWN_FOR", "unknownFor", 0, "30 days"),
  requestTimeout: duration("REQUEST_TIMEOUT", "requestTimeout", "1 millis", "1 day")
} as const

// -----------------------------------------------------------------------------
// make
// -----------------------------------------------------------------------------

interface Source {
  /** Settings as they came: by variable from the environment, by key from code. */
  readonly get: (field: { readonly variable: string; readonly key: string }) => unknown
  readonly environment: boolean
}

interface Built {
  readonly values: Values
  /** What to log about values that are taken, but not as a whole. */
  readonly warnings: ReadonlyArray<string>
}

const build = (source: Source): Result.Result<Built, SettingsError> => {
  const problems: Array<SettingsProblem> = []
  const nameOf = (field: { readonly variable: string; readonly key: string }) =>
    source.environment ? field.variable : field.key

  const optional = <A, B>(field: Field<A>, fallback: B): A | B => {
    const raw = source.get(field)
    if (raw === undefined) return fallback
    const value = field.check(source.environment && typeof raw === "string" ? field.fromText(raw) : raw)
    if (value !== undefined) return value
    problems.push({ name: nameOf(field), found: field.show(raw), expected: field.expected })
    return fallback
  }

  const serviceName = optional(fields.serviceName, undefined)
  if (source.get(fields.serviceName) === undefined) {
    problems.push({ name: nameOf(fields.serviceName), found: "not set", expected: fields.serviceName.expected })
  }

  const address = parseRedisUrl(source.get({ variable: "REDIS_URL", key: "redis.url" }) ?? defaults.redis.url)
  if (Result.isFailure(address)) {
    problems.push({
      name: nameOf({ variable: "REDIS_URL", key: "redis.url" }),
      found: address.failure,
      expected: expectedRedisUrl
    })
  }
  const { ignored, password: urlPassword, url, username: urlUsername } = Result.getOrElse(address, () => ({
    url: defaults.redis.url,
    username: undefined,
    password: undefined,
    ignored: []
  }))
  const warnings = ignored.length === 0
    ? []
    : [ignoredParameters(nameOf({ variable: "REDIS_URL", key: "redis.url" }), ignored)]

  const rawPassword = source.get({ variable: "REDIS_PASSWORD", key: "redis.password" })
  let password = urlPassword === undefined ? undefined : Redacted.make(urlPassword)
  if (Redacted.isRedacted(rawPassword) || (typeof rawPassword === "string" && rawPassword !== "")) {
    // SAFETY: the environment gives `Config.Redacted`, code what `Input` says; each holds a string.
    password = typeof rawPassword === "string" ? Redacted.make(rawPassword) : rawPassword as Redacted.Redacted<string>
  } else if (rawPassword !== undefined && rawPassword !== "") {
    problems.push({
      name: nameOf({ variable: "REDIS_PASSWORD", key: "redis.password" }),
      found: `a ${typeof rawPassword}`,
      expected: "a text"
    })
  }

  const username = optional(fields.username, urlUsername)
  const values: Values = {
    serviceName: serviceName ?? "",
    environment: optional(fields.environment, defaults.environment),
    queuePrefix: optional(fields.queuePrefix, defaults.queuePrefix),
    redis: {
      url,
      username,
      password,
      connectTimeout: optional(fields.connectTimeout, defaults.redis.connectTimeout),
      keepAlive: optional(fields.keepAlive, defaults.redis.keepAlive),
      healthCheckInterval: optional(fields.healthCheckInterval, defaults.redis.healthCheckInterval)
    },
    consumers: optional(fields.consumers, defaults.consumers),
    concurrency: optional(fields.concurrency, defaults.concurrency),
    block: optional(fields.block, defaults.block),
    claimIdle: optional(fields.claimIdle, defaults.claimIdle),
    maxAttempts: optional(fields.maxAttempts, defaults.maxAttempts),
    maxDeliveries: optional(fields.maxDeliveries, defaults.maxDeliveries),
    handlerTimeout: optional(fields.handlerTimeout, defaults.handlerTimeout),
    shutdownGrace: optional(fields.shutdownGrace, defaults.shutdownGrace),
    payloadLimit: optional(fields.payloadLimit, defaults.payloadLimit),
    unknownFor: optional(fields.unknownFor, defaults.unknownFor),
    requestTimeout: optional(fields.requestTimeout, defaults.requestTimeout)
  }
  return problems.length === 0 ? Result.succeed({ values, warnings }) : Result.fail(new SettingsError({ problems }))
}

/** The values, once what there is to warn of is logged. */
const settled = (built: Result.Result<Built, SettingsError>): Effect.Effect<Values, SettingsError> =>
  Result.isFailure(built)
    ? Effect.fail(built.failure)
    : Effect.as(Effect.forEach(built.success.warnings, (warning) => Effect.logWarning(warning)), built.success.values)

const buildInput = (input: Input): Result.Result<Built, SettingsError> =>
  build({
    environment: false,
    get: ({ key }) => fromInput(input, key)
  })

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
  Result.map(buildInput(input), ({ values }) => values)

const variables: ReadonlyArray<string> = [...Object.values(fields).map((field) => field.variable), "REDIS_URL"]

// Made when it is read: twenty `Config`s are a twentieth of the time that importing the package takes.
const environment = (fallback: Fallback) =>
  Config.flatMap(Config.succeed(undefined), () =>
    Config.all({
      plain: Config.all(
        Object.fromEntries(variables.map((variable) => [variable, Config.option(Config.String(variable))]))
      ),
      password: Config.option(Config.Redacted("REDIS_PASSWORD"))
    }).pipe(Config.map(({ password, plain }) =>
      build({
        environment: true,
        get: ({ key, variable }) =>
          Option.getOrUndefined<unknown>(variable === "REDIS_PASSWORD" ? password : plain[variable]!) ??
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
  Layer.effect(Settings, Effect.suspend(() => settled(buildInput(input))))
