/** Options of the ioredis layers with all defaults filled in, and the ioredis options of each role. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { Redis as Client, RedisOptions } from "ioredis"
import { isIP } from "node:net"
import type { ConnectionOptions, IoRedisOptions, Options } from "../../IoRedis.ts"
import type * as Redis from "../../Redis.ts"
import { InvalidOption } from "../base/invalidOption.ts"
import { checkRow, row, time, wholeNumber } from "../base/options.ts"
import { fields } from "../redis/settingsFields.ts"
import { expectedRedisUrl, ignoredParameters, parseRedisUrl, type RedisAddress } from "../redis/url.ts"
import type { ClientOptions } from "./client.ts"
import { type Credentials, withPassword } from "./credentials.ts"
import type { AttemptError } from "./error.ts"
import { takeIoredis } from "./given.ts"
import { type RedisStartError, startError } from "./startError.ts"

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

/** The values that the options of a connection take. */
export const connectionRows = {
  connectTimeout: fields.connectTimeout,
  replyTimeout: row(time("1 millis", "24 days", { example: "10 seconds" }), Duration.seconds(10)),
  blockGrace: row(time("1 millis", "24 days", { example: "3 seconds" }), Duration.seconds(3)),
  healthCheckInterval: fields.healthCheckInterval,
  keepAlive: fields.keepAlive,
  // As many as are asked for: readers keep theirs, and workers decide how many there are.
  "pool.maxConnections": row(wholeNumber(1, undefined, { orInfinity: true }), Number.POSITIVE_INFINITY),
  "pool.acquireTimeout": row(time("1 millis", "24 days", { orInfinity: true }), Duration.seconds(30))
} as const

type Common = Pick<
  Resolved,
  "name" | "connectTimeout" | "replyTimeout" | "blockGrace" | "healthCheckInterval" | "pool"
>

const resolveCommon = (options: ConnectionOptions): Result.Result<Common, InvalidOption> => {
  const rows = connectionRows
  return Result.map(
    Result.all({
      connectTimeout: checkRow("connectTimeout", rows.connectTimeout, options.connectTimeout),
      replyTimeout: checkRow("replyTimeout", rows.replyTimeout, options.replyTimeout),
      blockGrace: checkRow("blockGrace", rows.blockGrace, options.blockGrace),
      interval: checkRow("healthCheckInterval", rows.healthCheckInterval, options.healthCheckInterval),
      maxConnections: checkRow("pool.maxConnections", rows["pool.maxConnections"], options.pool?.maxConnections),
      acquireTimeout: checkRow("pool.acquireTimeout", rows["pool.acquireTimeout"], options.pool?.acquireTimeout)
    }),
    ({ acquireTimeout, blockGrace, connectTimeout, interval, maxConnections, replyTimeout }) => ({
      // The server takes no blanks and nothing beyond ASCII in a name.
      name: (options.name ?? "client").replace(/[^\x21-\x7e]/g, "_"),
      connectTimeout: Duration.toMillis(connectTimeout),
      replyTimeout: Duration.toMillis(replyTimeout),
      blockGrace: Duration.toMillis(blockGrace),
      healthCheckInterval: interval,
      pool: { ...options.pool, maxConnections, acquireTimeout }
    })
  )
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

const unsupported = (address: string, detail: string, advice: string): RedisStartError =>
  startError(address, { reason: "Unsupported", detail, advice })

/** Options given in code or taken from the settings. */
export const resolve = (options: Options): Result.Result<Resolved, RedisStartError | InvalidOption> => {
  const parsed = options.url === undefined ? undefined : parseRedisUrl(options.url)
  if (parsed !== undefined && Result.isFailure(parsed)) {
    return Result.fail(new InvalidOption({ option: "url", found: parsed.failure, expected: expectedRedisUrl }))
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
): Result.Result<Resolved, InvalidOption> => {
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
  })
  const withKeepAlive = Result.all({
    common,
    alive: checkRow("keepAlive", connectionRows.keepAlive, options.keepAlive)
  })
  return Result.map(withKeepAlive, ({ alive, common }) => ({
    ...common,
    address,
    tls,
    keepAlive: alive,
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

/** The options of a client that exists. */
export const resolveClient = (
  client: Client,
  options: ConnectionOptions
): Result.Result<Resolved, RedisStartError | InvalidOption> => {
  const address = addressOf(client.options)
  // The compiler rejects a Cluster as a `Redis`, but a cast or plain JavaScript can pass one.
  if (client.isCluster) {
    return Result.fail(
      unsupported(
        address,
        "the client is a Cluster, and this layer is for one server",
        "use IoRedis.layerCluster with the addresses of its nodes"
      )
    )
  }
  if (client.options.keyPrefix) {
    return Result.fail(
      unsupported(
        address,
        "the client has a keyPrefix, which is not added to keys in the arguments and replies of scripts",
        "leave it out and set QUEUE_PREFIX"
      )
    )
  }
  return Result.map(resolveCommon(options), (common) => ({
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
