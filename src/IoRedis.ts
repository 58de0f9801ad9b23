/**
 * Effect's `Redis` service over ioredis.
 *
 * A command fails, typed and within a bounded time, when its connection is refused, cut, or silent; it is never sent a
 * second time by itself, so a failed command was carried out once or not at all. After a cut the connection comes back on
 * its own and the next command works. Closing the scope ends every connection at once, also under a blocked read.
 *
 * | connection | how many | when it breaks |
 * | --- | --- | --- |
 * | command: `send`, `eval` | one, shared | commands in flight fail; it reconnects (after 50 ms up to 2 s, jittered); commands given meanwhile wait for that one attempt |
 * | blocking: `reserve` | a pool, opened when asked for | its command fails and it leaves the pool, no reconnect |
 * | subscriber: `subscribe` | one for each subscription | it reconnects and subscribes again; what was published meanwhile is missed |
 *
 * A peer that vanished without a word is noticed by `replyTimeout` (a command without a reply), by a `PING` every
 * `healthCheckInterval` on idle shared connections, and on reserved ones by the command's own BLOCK plus `blockGrace`.
 *
 * User, password and payloads are in no log, error or inspected value: errors of ioredis, which carry the arguments of the
 * command, are written anew with its name and the number of its arguments.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { Redis as Client, RedisOptions } from "ioredis"
import { randomBytes } from "node:crypto"
import type { InvalidOption } from "./internal/base/invalidOption.ts"
import { withoutStack } from "./internal/base/withoutStack.ts"
import { open, type OpenFailure } from "./internal/ioredis/client.ts"
import { makeClients } from "./internal/ioredis/clients.ts"
import { blockOf, makeConnection } from "./internal/ioredis/connection.ts"
import { commandError, startFailure } from "./internal/ioredis/error.ts"
import { openLasting } from "./internal/ioredis/lasting.ts"
import { resolve, resolveClient, type Resolved, type Unsupported } from "./internal/ioredis/options.ts"
import { later } from "./internal/ioredis/timer.ts"
import { destroy } from "./internal/ioredis/watchdog.ts"
import * as neighbours from "./internal/redis/neighbours.ts"
import * as Redis from "./Redis.ts"
import * as Settings from "./Settings.ts"

// -----------------------------------------------------------------------------
// types
// -----------------------------------------------------------------------------

/**
 * Options of ioredis that may be given: where the server is and how to get in (address, unix socket, credentials, Sentinel,
 * TLS).
 *
 * **Details**
 *
 * The guarantees of this module rest on the others, which decide about resending, reply shapes, timeouts and prefixes. One of
 * them fails the layer with a {@link RedisStartError} (`Unsupported`) that names it and says what to use instead. So does
 * an option that contradicts another one, such as a `host` that is not the one of the `url`.
 *
 * With `sentinels` the `url` gives user, password, database and TLS (`rediss://`); the Sentinels say where the master is.
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
 * What {@link layerOptions} and {@link layerClient} have in common. Times are `Duration.Input`; an invalid one fails the
 * layer with an {@link InvalidOption}.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConnectionOptions {
  /** Part of the connections' names, as `CLIENT LIST` shows them. Default `client`. */
  readonly name?: string | undefined
  /** Limit of the first connection, and of each attempt later, Sentinels included. Default 5 seconds. */
  readonly connectTimeout?: Duration.Input | undefined
  /** How long the shared connection may owe a reply before it is given up. Default 10 seconds. */
  readonly replyTimeout?: Duration.Input | undefined
  /** How much longer than its own BLOCK a blocking command may take. Default 3 seconds. */
  readonly blockGrace?: Duration.Input | undefined
  /** How often shared connections are probed. Default 30 seconds; zero is off. */
  readonly healthCheckInterval?: Duration.Input | undefined
  /**
   * Pool of the connections behind `Redis.reserve`. Each internal worker holds one while it reads, and a client that asks one
   * more: they are opened when needed and closed after 60 seconds without use, as many as there are readers. `maxConnections`
   * limits the pool: a worker with more readers than that fails to start, and a `reserve` that finds no free connection fails
   * after `acquireTimeout`. Default: no limit, and 30 seconds.
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
  /** `redis://`, `rediss://` or `unix://`, may carry user, password and database. Default `redis://localhost:6379`. */
  readonly url?: string | undefined
  /** Wins over the URL's. */
  readonly username?: string | undefined
  /**
   * Wins over the URL's. An effect is run before each attempt of each connection to connect, so a token that expires is
   * replaced in time. It may take as long as `connectTimeout`. When it fails, the layer fails
   * (`PasswordUnavailable`); later the failure is logged and the next attempt runs it again.
   */
  readonly password?:
    | string
    | Redacted.Redacted<string>
    | Effect.Effect<Redacted.Redacted<string>, unknown, R>
    | undefined
  /** TCP keep-alive. Default `true`. */
  readonly keepAlive?: boolean | undefined
  /** Options of an ioredis client: address, credentials, Sentinel, unix socket, TLS material. Others are refused by name. */
  readonly ioredis?: IoRedisOptions | undefined
}

// -----------------------------------------------------------------------------
// service
// -----------------------------------------------------------------------------

/**
 * The ioredis client of the shared connection, for what the `Redis` service does not offer.
 *
 * **Gotchas**
 *
 * Never give it a blocking command: everything behind it waits, and after `replyTimeout` the connection is given up.
 *
 * Do not keep `client`: read it each time, or call `use`. A client that has ended (no Sentinel answered, or `quit` was
 * called) is replaced by a new one, and commands on the old one fail.
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
  /** Runs a call of ioredis; its failure becomes a `RedisError` without arguments. */
  readonly use: <A>(f: (client: Client) => Promise<A>) => Effect.Effect<A, Redis.RedisError>
}>()("effect-redis-workers/IoRedis") {}

// -----------------------------------------------------------------------------
// errors
// -----------------------------------------------------------------------------

export { InvalidOption } from "./internal/base/invalidOption.ts"

/**
 * Why no first connection came about.
 *
 * - `WrongPassword`: user or password refused, or none given where the server or a Sentinel wants one.
 * - `PasswordUnavailable`: the effect that gives the password failed, or took too long.
 * - `TooManyClients`: the server has as many connections as it takes (`maxclients`).
 * - `UnknownMaster`: the Sentinels know no master of that name.
 * - `NoPermission`: the user may not do what a start needs, or the server is in protected mode.
 * - `UnknownHost`, `Refused`, `TimedOut`: the server was not found, does not listen, or did not answer in time. `Refused` also
 *   says that no Sentinel answered.
 * - `Tls`: no TLS connection could be made.
 * - `Loading`: the server still reads its data from disk, for longer than `connectTimeout`.
 * - `Unsupported`: options of ioredis that this module cannot work with (`keyPrefix`, Cluster, options that contradict each
 *   other, a `Connector` that throws).
 *
 * @since 0.1.0
 * @category errors
 */
export type RedisStartReason =
  | "WrongPassword"
  | "PasswordUnavailable"
  | "NoPermission"
  | "TooManyClients"
  | "UnknownHost"
  | "UnknownMaster"
  | "Refused"
  | "TimedOut"
  | "Tls"
  | "Loading"
  | "Unsupported"
  | "Other"

/**
 * No first connection to Redis. The message says what happened and what to do.
 *
 * @since 0.1.0
 * @category errors
 */
export class RedisStartError extends Data.TaggedError("RedisStartError")<{
  readonly reason: RedisStartReason
  /** Host and port, without user and password. */
  readonly address: string
  /** What happened, in the words of the server or the system. */
  readonly detail: string
  /** What to do about it. */
  readonly advice: string
}> {
  constructor(options: {
    readonly reason: RedisStartReason
    readonly address: string
    readonly detail: string
    readonly advice: string
  }) {
    super(options)
    withoutStack(this)
  }

  override get message(): string {
    return `Cannot connect to Redis at ${this.address}: ${this.detail} (${this.advice})`
  }
}

// -----------------------------------------------------------------------------
// make
// -----------------------------------------------------------------------------

/** Milliseconds before a subscription that was refused after a reconnect is tried again, on a new client. */
const resubscribeDelay = 1_000

const openError = ({ cause }: OpenFailure): Redis.RedisError => commandError(cause, "connect", 0)

const make = Effect.fnUntraced(function*(resolved: Resolved) {
  yield* Effect.forEach(resolved.warnings, (warning) => Effect.logWarning(warning))
  const instance = randomBytes(4).toString("hex")
  const nameOf = (role: string) => `effect-redis-workers:${role}:${resolved.name}:${instance}`

  let started = false
  const clients = makeClients(resolved, yield* Effect.context<never>(), () => started)
  const shared = yield* openLasting(clients, { name: nameOf("command"), patient: true }).pipe(
    Effect.mapError(({ cause }) =>
      new RedisStartError({ address: resolved.address, ...startFailure(cause, resolved.tls, resolved.client.db) })
    )
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
      // The pool acquires uninterruptibly; the end of the scope would wait for a server that does not answer.
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
            // For ever is for ever: only TCP keep-alive watches over it.
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
          // ioredis resubscribes by itself only on a client that was subscribed before.
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
  neighbours.register(redis, {
    address: `${resolved.address}/${shared.client().options.db ?? 0}`,
    maxConnections: resolved.pool.maxConnections
  })

  return Context.make(Redis.Redis, redis).pipe(
    Context.add(IoRedis, {
      get client() {
        return shared.client()
      },
      use: (f) =>
        Effect.tryPromise({
          try: () => f(shared.client()),
          catch: (cause) => commandError(cause, commandOf(cause), undefined)
        })
    })
  )
})

const makeFrom = (resolved: Result.Result<Resolved, Unsupported | InvalidOption>) =>
  Result.isSuccess(resolved)
    ? make(resolved.success)
    : Effect.fail("_tag" in resolved.failure ? resolved.failure : new RedisStartError(resolved.failure))

/** ioredis notes the failed command beside its error. */
const commandOf = (cause: unknown): string | undefined => {
  const command = typeof cause === "object" && cause !== null && "command" in cause ? cause.command : undefined
  return typeof command === "object" && command !== null && "name" in command ? String(command.name) : undefined
}

// -----------------------------------------------------------------------------
// layers
// -----------------------------------------------------------------------------

/**
 * `Redis` and {@link IoRedis} from the `Settings`, connected and pinged while the layer is built.
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
    Effect.catchTag(makeFrom(resolve({ ...redis, name: serviceName })), "InvalidOption", Effect.die))
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
 * **Example** (A pool with a bound, and Sentinel)
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
 * `Redis` and {@link IoRedis} with the options of an ioredis client that exists: its address, credentials, TLS, Sentinel.
 *
 * **Details**
 *
 * The client itself is neither used nor closed, since it may resend commands, hold them back or be blocked: every
 * connection is a duplicate with the options that this module needs.
 *
 * **Gotchas**
 *
 * A client with a `keyPrefix`, and a Cluster, are refused (`RedisStartError`, reason `Unsupported`).
 *
 * @since 0.1.0
 * @category layers
 */
export const layerClient = (
  client: Client,
  options: ConnectionOptions = {}
): Layer.Layer<Redis.Redis | IoRedis, RedisStartError | InvalidOption> =>
  Layer.effectContext(Effect.suspend(() => makeFrom(resolveClient(client, options))))
