/**
 * Options of the ioredis layers with every default in place, and what ioredis gets for each role.
 */
import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { Redis as Client, RedisOptions } from "ioredis"
import { isIP } from "node:net"
import type { ConnectionOptions, Options } from "../../IoRedis.ts"
import type * as Redis from "../../Redis.ts"
import * as Settings from "../../Settings.ts"
import { exactMillis } from "../base/optionTime.ts"
import { expectedRedisUrl, parseRedisUrl } from "../redis/url.ts"
import type { ClientOptions } from "./connection.ts"

/** Options with every default in place, times in milliseconds. */
export interface Resolved {
  /** Host and port for messages, without user and password. */
  readonly address: string
  readonly client: RedisOptions
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

/** Node's timers wait for no longer, and fire at once instead. */
const longestTime = 2 ** 31 - 1

/** A time in milliseconds; `undefined` for what is none. */
const millisOf = (input: Duration.Input, least: number): number | undefined => {
  const millis = exactMillis(input)
  return millis >= least && millis <= longestTime ? millis : undefined
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
    // The server takes no blanks and nothing beyond ASCII in a name.
    name: (options.name ?? "client").replace(/[^\x21-\x7e]/g, "_"),
    connectTimeout,
    replyTimeout,
    blockGrace,
    healthCheckInterval: Duration.millis(interval),
    pool: {
      ...options.pool,
      // As many as are asked for: readers hold theirs for good, and how many there are is for workers to say.
      maxConnections: options.pool?.maxConnections ?? Number.POSITIVE_INFINITY,
      acquireTimeout: options.pool?.acquireTimeout ?? Duration.seconds(30)
    }
  })
}

/** What messages call the server. */
const addressOf = ({ host, name, path, port, sentinels }: RedisOptions): string =>
  sentinels ? `Sentinel's ${name ?? "master"}` : path ?? `${host ?? "localhost"}:${port ?? 6379}`

/** Options given in code or taken from the settings. */
export const resolve = (options: Options): Result.Result<Resolved, Unsupported> => {
  const parsed = parseRedisUrl(options.url ?? Settings.defaults.redis.url)
  if (Result.isFailure(parsed)) {
    return Result.fail({
      reason: "Unsupported",
      address: "an unknown address",
      detail: `the address is ${parsed.failure}`,
      advice: `expected ${expectedRedisUrl}`
    })
  }
  const url = parsed.success
  const extra = options.ioredis
  const password = options.password ?? url.password
  const address = addressOf({ ...extra, host: url.host, port: url.port })
  return Result.map(resolveCommon(options, address), (common) => ({
    ...common,
    address,
    tls: url.tls || extra?.tls !== undefined,
    keepAlive: options.keepAlive ?? Settings.defaults.redis.keepAlive,
    client: {
      ...extra,
      host: url.host,
      port: url.port,
      db: url.db,
      username: options.username ?? url.username,
      password: Redacted.isRedacted(password) ? Redacted.value(password) : password,
      // Many servers behind one address choose their certificate by the name asked for.
      ...url.tls && { tls: { ...isIP(url.host) === 0 && { servername: url.host }, ...extra?.tls } }
    }
  }))
}

/** The options of a client that exists. */
export const resolveClient = (client: Client, options: ConnectionOptions): Result.Result<Resolved, Unsupported> => {
  const address = addressOf(client.options)
  // A Cluster is no `Redis` to the compiler, but a cast or plain JavaScript gets it here.
  if ((client as { readonly isCluster: boolean }).isCluster) {
    return Result.fail({
      reason: "Unsupported",
      address,
      detail: "the client is a Cluster, whose shards do not hold the keys of one queue together",
      advice: "use one server"
    })
  }
  if (client.options.keyPrefix) {
    return Result.fail({
      reason: "Unsupported",
      address,
      detail:
        "the client has a keyPrefix, which stands before some keys and not before those in script arguments and replies",
      advice: "leave it out and set QUEUE_PREFIX"
    })
  }
  return Result.map(resolveCommon(options, address), (common) => ({
    ...common,
    address,
    tls: client.options.tls !== undefined,
    keepAlive: undefined,
    client: client.options
  }))
}

/** 50 ms, 100 ms, … up to 1 s, and up to as much again by chance, so that many clients do not return at once. */
export const reconnectDelay = (attempt: number): number => {
  const delay = Math.min(50 * 2 ** (attempt - 1), 1000)
  return delay + Math.floor(Math.random() * delay)
}

/** What every role has, whatever was given. */
export const roleOptions = (resolved: Resolved, name: string): ClientOptions => ({
  ...resolved.client,
  connectionName: name,
  lazyConnect: true,
  // `watchdog.ts` limits attempts from their beginning. ioredis counts only from the moment there is a socket.
  connectTimeout: 0,
  // How long `disconnect` waits for the other end; its timer would keep a process alive that has nothing left to do.
  disconnectTimeout: 100,
  protocol: 2,
  replyMapping: "legacy",
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: true,
  enableReadyCheck: false,
  enableAutoPipelining: false,
  // A command given during a reconnect waits for this one attempt: a blip of some milliseconds fails nobody, and callers
  // that try again at once do not spin while the server is down.
  enableOfflineQueue: true,
  keyPrefix: "",
  commandTimeout: undefined,
  blockingTimeout: undefined,
  socketTimeout: undefined,
  stringNumbers: false,
  readOnly: false,
  monitor: false,
  reconnectOnError: null
})

/** A reserved connection does not come back: its cut fails the command, and the pool opens another. */
export const blockingOptions = (resolved: Resolved, name: string): ClientOptions => ({
  ...roleOptions(resolved, name),
  retryStrategy: () => null
})
