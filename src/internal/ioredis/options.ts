/** Options of the ioredis layers with all defaults filled in, and the ioredis options of each role. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { Redis as Client, RedisOptions } from "ioredis"
import { isIP } from "node:net"
import type { ConnectionOptions, IoRedisOptions, Options } from "../../IoRedis.ts"
import type * as Redis from "../../Redis.ts"
import * as Settings from "../../Settings.ts"
import { exactMillis } from "../base/optionTime.ts"
import { expectedRedisUrl, ignoredParameters, parseRedisUrl, type RedisAddress } from "../redis/url.ts"
import type { ClientOptions } from "./client.ts"
import { type Credentials, withPassword } from "./credentials.ts"
import type { AttemptError } from "./error.ts"
import { takeIoredis } from "./given.ts"
import { longestTimer } from "./timer.ts"

/** Options with all defaults filled in, times in milliseconds. */
export interface Resolved {
  /** Host and port for messages, without user and password. */
  readonly address: string
  readonly client: RedisOptions
  /** Run before each connection attempt; `undefined` if the credentials never change. */
  readonly credentials: Effect.Effect<Credentials, AttemptError> | undefined
  /** Whether refused credentials may be followed by valid ones. */
  readonly patient: boolean
  /** Warnings about options that are only partly used. */
  readonly warnings: ReadonlyArray<string>
  readonly keepAlive: boolean | undefined
  readonly tls: boolean
  readonly name: string
  readonly connectTimeout: number
  readonly replyTimeout: number
  readonly blockGrace: number
  readonly healthCheckInterval: Duration.Duration
  readonly pool: Redis.PoolOptions & { readonly maxConnections: number }
}

/** Options that cannot work. */
export interface Unsupported {
  readonly reason: "Unsupported"
  readonly address: string
  readonly detail: string
  readonly advice: string
}

/** A time in milliseconds; `undefined` if it is invalid. */
const millisOf = (input: Duration.Input, least: number): number | undefined => {
  const millis = exactMillis(input)
  return millis >= least && millis <= longestTimer ? millis : undefined
}

const resolveCommon = (options: ConnectionOptions, address: string) => {
  const { redis } = Settings.defaults
  const connectTimeout = millisOf(options.connectTimeout ?? redis.connectTimeout, 1)
  const replyTimeout = millisOf(options.replyTimeout ?? "10 seconds", 1)
  const blockGrace = millisOf(options.blockGrace ?? "3 seconds", 1)
  const interval = millisOf(options.healthCheckInterval ?? redis.healthCheckInterval, 0)
  if (
    connectTimeout === undefined || replyTimeout === undefined || blockGrace === undefined || interval === undefined
  ) {
    const times = { connectTimeout, replyTimeout, blockGrace, healthCheckInterval: interval }
    const wrong = Object.entries(times).filter(([, millis]) => millis === undefined).map(([name]) => name)
    return Result.fail<Unsupported>({
      reason: "Unsupported",
      address,
      detail: `${wrong.join(" and ")} is no time that can be waited for`,
      advice: "expected a time of at least a millisecond and at most 24 days, such as \"5 seconds\""
    })
  }
  return Result.succeed({
    // The server accepts neither blanks nor non-ASCII characters in a name.
    name: (options.name ?? "client").replace(/[^\x21-\x7e]/g, "_"),
    connectTimeout,
    replyTimeout,
    blockGrace,
    healthCheckInterval: Duration.millis(interval),
    pool: {
      ...options.pool,
      // No limit: readers hold their connections permanently, and workers determine how many there are.
      maxConnections: options.pool?.maxConnections ?? Number.POSITIVE_INFINITY,
      acquireTimeout: options.pool?.acquireTimeout ?? Duration.seconds(30)
    }
  })
}

/** The part of options and addresses that locates the server. */
interface Where {
  readonly host?: string | undefined
  readonly port?: number | string | undefined
  readonly path?: string | undefined
  readonly name?: string | undefined
  readonly sentinels?: unknown
}

/** The name of the server in messages. */
const addressOf = ({ host, name, path, port, sentinels }: Where): string =>
  sentinels ? `Sentinel's ${name ?? "master"}` : path ?? `${host ?? "localhost"}:${port ?? 6379}`

const unsupported = (address: string, detail: string, advice: string): Unsupported => ({
  reason: "Unsupported",
  address,
  detail,
  advice
})

/** Resolves options from code or from the settings. */
export const resolve = (options: Options): Result.Result<Resolved, Unsupported> => {
  const parsed = options.url === undefined ? undefined : parseRedisUrl(options.url)
  if (parsed !== undefined && Result.isFailure(parsed)) {
    return Result.fail(
      unsupported("an unknown address", `the address is ${parsed.failure}`, `expected ${expectedRedisUrl}`)
    )
  }
  const url = parsed?.success
  const taken = takeIoredis(options, url)
  if (Result.isFailure(taken)) {
    const { advice, detail } = taken.failure
    return Result.fail(unsupported(addressOf(url ?? {}), detail, advice))
  }
  return resolveTaken(options, url, taken.success)
}

const resolveTaken = (
  options: Options,
  url: RedisAddress | undefined,
  taken: IoRedisOptions
): Result.Result<Resolved, Unsupported> => {
  const { connectTimeout, connectionName, keepAlive, ...extra } = taken
  const path = extra.path ?? url?.path
  const host = extra.host ?? url?.host ?? "localhost"
  const port = extra.port ?? url?.port ?? 6379
  const username = options.username ?? extra.username ?? url?.username
  const password = options.password ?? extra.password ?? url?.password
  const bySentinel = extra.sentinels !== undefined
  const tls = url?.tls === true || extra.tls !== undefined || extra.enableTLSForSentinelMode === true
  const address = addressOf({ ...extra, host, port, path })
  const common = resolveCommon({
    ...options,
    name: options.name ?? connectionName,
    connectTimeout: options.connectTimeout ?? connectTimeout
  }, address)
  return Result.map(common, (common) => ({
    ...common,
    address,
    tls,
    keepAlive: options.keepAlive ?? Settings.defaults.redis.keepAlive,
    credentials: Effect.isEffect(password) ? withPassword(username, password) : undefined,
    patient: Effect.isEffect(password),
    warnings: url === undefined || url.ignored.length === 0 ? [] : [ignoredParameters("url", url.ignored)],
    client: {
      ...extra,
      ...keepAlive !== undefined && { keepAlive },
      ...path === undefined ? { host, port } : { path },
      db: extra.db ?? url?.db ?? 0,
      username,
      password: Effect.isEffect(password)
        ? undefined
        : Redacted.isRedacted(password)
        ? Redacted.value(password)
        : password,
      // Without it, ioredis connects unencrypted to a master that Sentinels name, whatever else asks for TLS.
      ...bySentinel && tls && { enableTLSForSentinelMode: true },
      ...tls && {
        // Servers that share one address choose their certificate by the requested name.
        tls: { ...!bySentinel && path === undefined && isIP(host) === 0 && { servername: host }, ...extra.tls }
      }
    }
  }))
}

/** Resolves the options of an existing client. */
export const resolveClient = (client: Client, options: ConnectionOptions): Result.Result<Resolved, Unsupported> => {
  const address = addressOf(client.options)
  // The compiler rejects a Cluster as a `Redis`, but a cast or plain JavaScript can pass one.
  if ((client as { readonly isCluster: boolean }).isCluster) {
    return Result.fail(
      unsupported(
        address,
        "the client is a Cluster, whose shards do not hold the keys of one queue together",
        "use one server"
      )
    )
  }
  if (client.options.keyPrefix) {
    return Result.fail(
      unsupported(
        address,
        "the client has a keyPrefix, which stands before some keys and not before those in script arguments and replies",
        "leave it out and set QUEUE_PREFIX"
      )
    )
  }
  return Result.map(resolveCommon(options, address), (common) => ({
    ...common,
    address,
    tls: client.options.tls !== undefined,
    keepAlive: undefined,
    // A token that the program writes into the options of its client applies to connections opened from then on.
    credentials: Effect.sync(() => ({
      username: client.options.username ?? undefined,
      password: client.options.password ?? undefined
    })),
    patient: false,
    warnings: [],
    client: client.options
  }))
}

/** 50 ms, 100 ms, … up to 1 s, plus up to as much again at random, so that many clients do not reconnect at once. */
export const reconnectDelay = (attempt: number): number => {
  const delay = Math.min(50 * 2 ** (attempt - 1), 1000)
  return delay + Math.floor(Math.random() * delay)
}

/** The options of every client. */
export const clientOptions = (resolved: Resolved, name: string): ClientOptions => ({
  ...resolved.client,
  connectionName: name,
  lazyConnect: true,
  // `attempt.ts` limits attempts from their beginning. ioredis counts only from the moment there is a socket.
  connectTimeout: 0,
  // How long `disconnect` waits for the peer. Its timer would keep an otherwise finished process alive.
  disconnectTimeout: 100,
  protocol: 2,
  replyMapping: "legacy",
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: true,
  enableReadyCheck: false,
  enableAutoPipelining: false,
  // A command sent during a reconnect waits for this one attempt. Callers do not notice a short interruption, and
  // callers that retry at once do not spin while the server is down.
  enableOfflineQueue: true,
  keyPrefix: "",
  commandTimeout: undefined,
  blockingTimeout: undefined,
  socketTimeout: undefined,
  stringNumbers: false,
  readOnly: false,
  monitor: false,
  reconnectOnError: null,
  // A reserved connection does not reconnect: its command fails, and the pool opens another connection.
  retryStrategy: () => null
})
