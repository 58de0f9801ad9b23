/**
 * Effect's `Redis` service over ioredis.
 *
 * A command fails with a typed error, within a bounded time, when its connection is refused, cut or silent. Commands
 * are never resent automatically, so a failed command ran once or not at all. After a cut, the connection reconnects by
 * itself and the next command works. Closing the scope ends every connection at once, even during a blocking read.
 *
 * | connection | how many | when it breaks |
 * | --- | --- | --- |
 * | command: `send`, `eval` | one, shared | commands in flight fail; it reconnects (after 50 ms up to 2 s, jittered); new commands wait for that one attempt |
 * | blocking: `reserve` | a pool, opened on demand | its command fails and it leaves the pool, without reconnecting |
 * | subscriber: `subscribe` | one for each subscription | it reconnects and subscribes again; messages published meanwhile are missed |
 *
 * Three checks detect a peer that vanished silently: `replyTimeout` for a command without a reply, a `PING` every
 * `healthCheckInterval` on idle shared connections, and on reserved connections the command's own BLOCK plus
 * `blockGrace`.
 *
 * User, password and payloads never appear in logs, errors or inspected values. Errors of ioredis carry the arguments
 * of the command, so they are replaced by errors with the command's name and its number of arguments.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type * as Result from "effect/Result"
import type { Redis as Client, RedisOptions } from "ioredis"
import { randomBytes } from "node:crypto"
import type { InvalidOption } from "./internal/base/invalidOption.ts"
import { open, type OpenFailure } from "./internal/ioredis/client.ts"
import { makeClients } from "./internal/ioredis/clients.ts"
import { openCluster } from "./internal/ioredis/cluster.ts"
import { resolveCluster, type ResolvedCluster } from "./internal/ioredis/clusterOptions.ts"
import { blockOf, makeConnection } from "./internal/ioredis/connection.ts"
import { commandError, startFailure } from "./internal/ioredis/error.ts"
import { openLasting } from "./internal/ioredis/lasting.ts"
import { resolve, resolveClient, type Resolved } from "./internal/ioredis/options.ts"
import { type RedisStartError, startError } from "./internal/ioredis/startError.ts"
import { later } from "./internal/ioredis/timer.ts"
import { destroy } from "./internal/ioredis/watchdog.ts"
import * as neighbours from "./internal/redis/neighbours.ts"
import { outageAt, share } from "./internal/redis/outage.ts"
import * as Redis from "./Redis.ts"
import * as Settings from "./Settings.ts"

// -----------------------------------------------------------------------------
// types
// -----------------------------------------------------------------------------

/**
 * The ioredis options that you may pass: address, unix socket, credentials, Sentinel and TLS.
 *
 * **Details**
 *
 * The guarantees of this module depend on the other options, which control resending, reply shapes, timeouts and
 * prefixes. Passing one of them fails the layer with a {@link RedisStartError} (`Unsupported`) that names the option
 * and its replacement. So does an option that contradicts another one, such as a `host` that differs from the `url`.
 *
 * With `sentinels`, the `url` supplies user, password, database and TLS (`rediss://`), and the Sentinels supply the
 * address of the master.
 *
 * @since 0.1.0
 * @category models
 */
export type IoRedisOptions = Pick<
  RedisOptions,
  | "Connector"
  | "clientInfoTag"
  | "connectTimeout"
  | "connectionName"
  | "db"
  | "disableClientInfo"
  | "enableTLSForSentinelMode"
  | "failoverDetector"
  | "family"
  | "host"
  | "keepAlive"
  | "name"
  | "natMap"
  | "noDelay"
  | "password"
  | "path"
  | "port"
  | "preferredSlaves"
  | "role"
  | "sentinelCommandTimeout"
  | "sentinelMaxConnections"
  | "sentinelPassword"
  | "sentinelReconnectStrategy"
  | "sentinelRetryStrategy"
  | "sentinelTLS"
  | "sentinelUsername"
  | "sentinels"
  | "tls"
  | "updateSentinels"
  | "username"
>

/**
 * The options that {@link layerOptions} and {@link layerClient} share. Times are `Duration.Input`. An invalid time
 * fails the layer with an {@link InvalidOption}.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConnectionOptions {
  /** A part of the connections' names, as `CLIENT LIST` shows them. Default `client`. */
  readonly name?: string | undefined
  /** How long the first connection, and each later attempt, may take, Sentinels included. Default 5 seconds. */
  readonly connectTimeout?: Duration.Input | undefined
  /** How long the shared connection may wait for a reply before it is closed. Default 10 seconds. */
  readonly replyTimeout?: Duration.Input | undefined
  /** How much longer than its own BLOCK a blocking command may take. Default 3 seconds. */
  readonly blockGrace?: Duration.Input | undefined
  /** How often idle shared connections are probed; zero turns probes off. Default 30 seconds. */
  readonly healthCheckInterval?: Duration.Input | undefined
  /**
   * The pool of connections behind `Redis.reserve`. Each internal worker holds one while it reads, and each client that
   * makes requests holds one more. Connections open on demand and close after 60 seconds without use. `maxConnections`
   * limits the pool: a worker with more readers than that fails to start, and a `reserve` without a free connection
   * fails after `acquireTimeout`. Default: no limit, and 30 seconds.
   */
  readonly pool?: Redis.PoolOptions | undefined
}

/**
 * Options of {@link layerOptions}.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<R = never> extends ConnectionOptions {
  /**
   * A `redis://`, `rediss://` or `unix://` URL. It may include user, password and database. Default
   * `redis://localhost:6379`.
   */
  readonly url?: string | undefined
  /** The ACL user. It overrides the user in the URL. Default: the user in the URL. */
  readonly username?: string | undefined
  /**
   * The password. It overrides the password in the URL. An effect runs before each connection attempt, so that a token
   * that expires is replaced in time, and may take as long as `connectTimeout`. If it fails at the start, the layer
   * fails (`PasswordUnavailable`); a later failure is logged, and the next attempt runs it again. Default: the password
   * in the URL.
   */
  readonly password?:
    | string
    | Redacted.Redacted<string>
    | Effect.Effect<Redacted.Redacted<string>, unknown, R>
    | undefined
  /** Whether to use TCP keep-alive. Default `true`. */
  readonly keepAlive?: boolean | undefined
  /**
   * Options of the ioredis client: address, credentials, Sentinel, unix socket, TLS material. Any other option is
   * rejected by name.
   */
  readonly ioredis?: IoRedisOptions | undefined
}

/**
 * Options of {@link layerCluster}.
 *
 * @since 0.2.0
 * @category models
 */
export interface ClusterOptions<R = never> extends ConnectionOptions {
  /**
   * URLs of some nodes, `redis://` or `rediss://`, or of the configuration endpoint of a managed cluster. One that answers
   * is enough: it names the others. User and password of the first URL are used for all nodes.
   */
  readonly nodes: ReadonlyArray<string>
  /** The ACL user of all nodes. It overrides the user in the URLs. */
  readonly username?: string | undefined
  /** The password of all nodes, as in {@link Options}. An effect runs before each attempt to connect to a node. */
  readonly password?: Options<R>["password"]
  /** Whether to use TCP keep-alive. Default `true`. */
  readonly keepAlive?: boolean | undefined
  /**
   * Where the nodes are for this process, by the address (`host:port`) that the cluster has for them: for a cluster behind
   * a tunnel or in containers.
   */
  readonly natMap?:
    | Readonly<Record<string, { readonly host: string; readonly port: number }>>
    | ((address: string) => { readonly host: string; readonly port: number } | undefined)
    | undefined
  /** Options of the ioredis client of each node, such as TLS material. */
  readonly ioredis?:
    | Pick<
      IoRedisOptions,
      "clientInfoTag" | "connectionName" | "disableClientInfo" | "family" | "keepAlive" | "noDelay" | "tls"
    >
    | undefined
}

// -----------------------------------------------------------------------------
// service
// -----------------------------------------------------------------------------

/**
 * The ioredis client of the shared connection, for commands that the `Redis` service does not offer.
 *
 * **Gotchas**
 *
 * On a cluster it is the client of any one node, which has a part of the keys.
 *
 * Never send it a blocking command: all other commands wait behind it, and after `replyTimeout` the connection is
 * closed.
 *
 * Do not keep `client` in a variable: read it each time, or call `use`. A client that has ended (because no Sentinel
 * answered, or `quit` was called) is replaced by a new one, and commands on the old one fail.
 *
 * **Example** (Calling a method of ioredis)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { IoRedis } from "effect-redis-workers"
 *
 * const size = Effect.gen(function*() {
 *   const redis = yield* IoRedis.IoRedis
 *   return yield* redis.use((client) => client.dbsize())
 * })
 * ```
 *
 * @since 0.1.0
 * @category services
 */
export class IoRedis extends Context.Service<IoRedis, {
  readonly client: Client
  /** Runs a call of ioredis. A failure becomes a `RedisError` without the arguments of the command. */
  readonly use: <A>(f: (client: Client) => Promise<A>) => Effect.Effect<A, Redis.RedisError>
}>()("effect-redis-workers/IoRedis") {}

// -----------------------------------------------------------------------------
// errors
// -----------------------------------------------------------------------------

export { InvalidOption } from "./internal/base/invalidOption.ts"

export {
  Loading,
  NoPermission,
  Other,
  PasswordUnavailable,
  RedisStartError,
  RedisStartReason,
  Refused,
  TimedOut,
  Tls,
  TooManyClients,
  UnknownHost,
  UnknownMaster,
  Unsupported,
  WrongPassword
} from "./internal/ioredis/startError.ts"

// -----------------------------------------------------------------------------
// make
// -----------------------------------------------------------------------------

/**
 * How long to wait, in milliseconds, before a subscription that was refused after a reconnect is tried again on a new
 * client.
 */
const resubscribeDelay = 1_000

const openError = ({ cause }: OpenFailure): Redis.RedisError => commandError(cause, "connect", 0)

const ioredisOf = (client: () => Client): IoRedis["Service"] => ({
  get client() {
    return client()
  },
  use: (f) =>
    Effect.tryPromise({
      try: () => f(client()),
      catch: (cause) => commandError(cause, commandOf(cause), undefined)
    })
})

const make = Effect.fnUntraced(function*(resolved: Resolved) {
  yield* Effect.forEach(resolved.warnings, (warning) => Effect.logWarning(warning))
  const instance = randomBytes(4).toString("hex")
  const nameOf = (role: string) => `effect-redis-workers:${role}:${resolved.name}:${instance}`

  const outage = outageAt(resolved.address)
  let started = false
  const clients = makeClients(resolved, yield* Effect.context<never>(), () => started, outage)
  const shared = yield* openLasting(clients, { name: nameOf("command"), patient: true }).pipe(
    Effect.mapError(({ cause }) => startError(resolved.address, startFailure(cause, resolved.tls, resolved.client.db)))
  )
  started = true

  let reserved = 0
  const connect = Effect.suspend(() => {
    const name = `${nameOf("blocking")}:${++reserved}`
    let client: Client | undefined
    return open({
      client: (onError) => client = clients.make(name, {}, onError),
      within: resolved.connectTimeout
    }).pipe(
      // The pool acquires uninterruptibly, so closing the scope would wait for a server that does not answer.
      Effect.interruptible,
      Effect.onError(() => Effect.sync(() => client !== undefined && destroy(client)))
    )
  }).pipe(
    Effect.mapBoth({
      onFailure: openError,
      onSuccess: (client) =>
        makeConnection(client, {
          limitOf: (command, args) => {
            const block = blockOf(command, args)
            if (block === undefined) return resolved.replyTimeout
            // A command that blocks forever has no limit: only TCP keep-alive watches its connection.
            return block > 0 ? block + resolved.blockGrace : undefined
          }
        })
    })
  )

  const subscribe = Effect.fnUntraced(
    function*(channel: string, onMessage: (message: { readonly channel: string; readonly message: string }) => void) {
      let subscribed = false
      const { client } = yield* openLasting(clients, {
        name: nameOf("subscriber"),
        onClient: (client) => {
          client.on("message", (from, message) => onMessage({ channel: from, message }))
          // ioredis resubscribes by itself only if the client was subscribed before.
          client.on("ready", () => {
            if (subscribed) client.subscribe(channel).catch(() => later(resubscribeDelay, () => destroy(client)))
          })
        }
      }).pipe(Effect.mapError(openError))
      yield* Effect.tryPromise({
        try: () => client().subscribe(channel),
        catch: (cause) => commandError(cause, "SUBSCRIBE", 1)
      })
      subscribed = true
      return Effect.never
    }
  )

  const redis = yield* Redis.make({ send: shared.send, connect, subscribe, pool: resolved.pool })
  share(redis, outage)
  neighbours.register(redis, {
    address: `${resolved.address}/${shared.client().options.db ?? 0}`,
    maxConnections: resolved.pool.maxConnections
  })

  return Context.make(Redis.Redis, redis).pipe(Context.add(IoRedis, ioredisOf(shared.client)))
})

const makeCluster = Effect.fnUntraced(
  function*(resolved: Result.Result<ResolvedCluster, RedisStartError | InvalidOption>) {
    const { client, redis } = yield* openCluster(yield* Effect.fromResult(resolved))
    return Context.make(Redis.Redis, redis).pipe(Context.add(IoRedis, ioredisOf(client)))
  }
)

const makeFrom = (resolved: Result.Result<Resolved, RedisStartError | InvalidOption>) =>
  Effect.flatMap(Effect.fromResult(resolved), make)

const fromSettings = ({ cluster, url, ...redis }: Settings.RedisSettings, name: string) =>
  cluster ? makeCluster(resolveCluster({ ...redis, nodes: [url], name })) : makeFrom(resolve({ ...redis, url, name }))

/** ioredis attaches the failed command to its error. */
const commandOf = (cause: unknown): string | undefined => {
  const command = typeof cause === "object" && cause !== null && "command" in cause ? cause.command : undefined
  return typeof command === "object" && command !== null && "name" in command ? String(command.name) : undefined
}

// -----------------------------------------------------------------------------
// layers
// -----------------------------------------------------------------------------

/**
 * `Redis` and {@link IoRedis} from the `Settings`. Building the layer connects and pings the server. With `REDIS_CLUSTER`
 * it is {@link layerCluster}, with `REDIS_URL` as the first node.
 *
 * **Example** (A worker's layers)
 *
 * ```ts
 * import * as Layer from "effect/Layer"
 * import { IoRedis, Settings } from "effect-redis-workers"
 *
 * const AppLayer = IoRedis.layer.pipe(Layer.provideMerge(Settings.layer))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Redis.Redis | IoRedis, RedisStartError, Settings.Settings> = Layer.effectContext(
  Effect.flatMap(Settings.Settings, ({ redis, serviceName }) =>
    // Settings have been checked by the same rows.
    Effect.catchTag(fromSettings(redis, serviceName), "InvalidOption", Effect.die).pipe(
      // The log lines of its connections as well: they are written in the context of now.
      Effect.annotateLogs({ service: serviceName })
    ))
)

/**
 * `Redis` and {@link IoRedis} from options in code.
 *
 * **Example** (A password that changes)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import type * as Redacted from "effect/Redacted"
 * import { IoRedis } from "effect-redis-workers"
 *
 * declare const freshToken: Effect.Effect<Redacted.Redacted<string>, Error>
 *
 * const RedisLayer = IoRedis.layerOptions({
 *   url: "rediss://cache.internal:6379",
 *   username: "worker",
 *   password: freshToken
 * })
 * ```
 *
 * **Example** (A limited pool, and Sentinel)
 *
 * ```ts
 * import { IoRedis } from "effect-redis-workers"
 *
 * const RedisLayer = IoRedis.layerOptions({
 *   pool: { maxConnections: 200 },
 *   ioredis: { sentinels: [{ host: "sentinel", port: 26379 }], name: "mymaster", db: 1 }
 * })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerOptions = <R = never>(
  options: Options<R> = {}
): Layer.Layer<Redis.Redis | IoRedis, RedisStartError | InvalidOption, R> =>
  Layer.effectContext(
    Effect.contextWith((context: Context.Context<R>) => {
      const { password, ...rest } = options
      return makeFrom(
        resolve({ ...rest, password: Effect.isEffect(password) ? Effect.provideContext(password, context) : password })
      )
    })
  )

/**
 * `Redis` and {@link IoRedis} on a Redis Cluster: each command goes to the node that owns its key.
 *
 * **When to use**
 *
 * With `QueueNaming.layerCluster`, which keeps all keys of a service in one slot. Services are spread over the nodes
 * by their names. A worker whose names are in several slots fails to start.
 *
 * **Details**
 *
 * The promises of this module hold for each node: no command is sent twice, passwords are asked for at each attempt to
 * connect, and nothing waits without a limit. A command that a node refuses because its slot moved (`MOVED`, `ASK`) or is
 * moving (`TRYAGAIN`) follows it, for up to 2 seconds. A command whose connection broke fails.
 *
 * A node has one shared connection, opened with the first command for it. A reserved connection is bound to the owner of
 * the first key that it is given.
 *
 * **Gotchas**
 *
 * Commands without a key go to any node. `SCAN` visits all masters, one after another: its cursor names the node, and is
 * not a number. When a node fails over meanwhile, the scan fails, and has to begin again.
 *
 * **Example** (A managed cluster)
 *
 * ```ts
 * import { IoRedis } from "effect-redis-workers"
 *
 * const RedisLayer = IoRedis.layerCluster({ nodes: ["rediss://clustercfg.jobs.cache.amazonaws.com:6379"] })
 * ```
 *
 * @since 0.2.0
 * @category layers
 */
export const layerCluster = <R = never>(
  options: ClusterOptions<R>
): Layer.Layer<Redis.Redis | IoRedis, RedisStartError | InvalidOption, R> =>
  Layer.effectContext(
    Effect.contextWith((context: Context.Context<R>) => {
      const { password, ...rest } = options
      return makeCluster(
        resolveCluster({
          ...rest,
          password: Effect.isEffect(password) ? Effect.provideContext(password, context) : password
        })
      )
    })
  )

/**
 * `Redis` and {@link IoRedis} with the options of an existing ioredis client: address, credentials, TLS and Sentinel.
 *
 * **Details**
 *
 * The client itself is neither used nor closed, because it may resend or queue commands, or be blocked. Every
 * connection is a duplicate with the options that this module needs.
 *
 * **Gotchas**
 *
 * A client with a `keyPrefix`, and a Cluster, are rejected (`RedisStartError`, reason `Unsupported`). For a Cluster, use
 * {@link layerCluster}.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerClient = (
  client: Client,
  options: ConnectionOptions = {}
): Layer.Layer<Redis.Redis | IoRedis, RedisStartError | InvalidOption> =>
  Layer.effectContext(Effect.suspend(() => makeFrom(resolveClient(client, options))))
