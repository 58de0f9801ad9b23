/**
 * Effect's `Redis` service over ioredis.
 *
 * A command fails, typed and within a bounded time, when its connection is refused, cut, or silent; it is never sent a
 * second time by itself, so a failed command was carried out once or not at all. After a cut the connection comes back on
 * its own and the next command works. Closing the scope ends every connection at once, also under a blocked read.
 *
 * | connection | how many | when it breaks |
 * | --- | --- | --- |
 * | command: `send`, `eval` | one, shared | commands in flight fail; it reconnects (50 ms up to 2 s, jittered); commands given meanwhile wait for that one attempt |
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
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { Redis as Client, RedisOptions } from "ioredis"
import { randomBytes } from "node:crypto"
import { isIP } from "node:net"
import {
  blockOf,
  type ClientOptions,
  type Greet,
  makeClient,
  makeConnection,
  open,
  type OpenFailure
} from "./internal/ioredisConnection.ts"
import { commandError, connectionError, describe, startFailure } from "./internal/ioredisError.ts"
import { failureOfMessage } from "./internal/redisFailure.ts"
import { expectedRedisUrl, parseRedisUrl } from "./internal/redisUrl.ts"
import * as Redis from "./Redis.ts"
import * as Settings from "./Settings.ts"

// -----------------------------------------------------------------------------
// types
// -----------------------------------------------------------------------------

/**
 * Options of ioredis that may be given: how to find the server (Sentinel, unix socket, TLS material). Those that decide
 * about resending, reply shapes, timeouts and prefixes are not among them, since the guarantees of this module rest on them.
 *
 * @since 0.1.0
 * @category models
 */
export type IoRedisOptions = Pick<
  RedisOptions,
  | "Connector"
  | "clientInfoTag"
  | "disableClientInfo"
  | "enableTLSForSentinelMode"
  | "failoverDetector"
  | "family"
  | "name"
  | "natMap"
  | "noDelay"
  | "path"
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
>

/**
 * What {@link layerOptions} and {@link layerClient} have in common. Times are `Duration.Input`.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConnectionOptions {
  /** Part of the connections' names, as `CLIENT LIST` shows them. Default `client`. */
  readonly name?: string | undefined
  /** Limit of the first connection, and of each attempt later. Default 5 seconds. */
  readonly connectTimeout?: Duration.Input | undefined
  /** How long the shared connection may owe a reply before it is given up. Default 10 seconds. */
  readonly replyTimeout?: Duration.Input | undefined
  /** How much longer than its own BLOCK a blocking command may take. Default 3 seconds. */
  readonly blockGrace?: Duration.Input | undefined
  /** How often shared connections are probed. Default 30 seconds; zero is off. */
  readonly healthCheckInterval?: Duration.Input | undefined
  /**
   * Pool of the connections behind `Redis.reserve`. Each internal worker holds one while it reads, so `maxConnections` is 64
   * by default, not 10 as in Effect; they are opened when needed and closed after 60 seconds without use. A `reserve` that
   * finds none free fails after `acquireTimeout`, 30 seconds by default.
   */
  readonly pool?: Redis.PoolOptions | undefined
}

/**
 * Options of {@link layerOptions}.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends ConnectionOptions {
  /** `redis://` or `rediss://`, may carry user, password and database. Default `redis://localhost:6379`. */
  readonly url?: string | undefined
  /** Wins over the URL's. */
  readonly username?: string | undefined
  /** Wins over the URL's. */
  readonly password?: string | Redacted.Redacted<string> | undefined
  /** TCP keep-alive. Default `true`. */
  readonly keepAlive?: boolean | undefined
  /** Sentinel, unix socket, TLS material. */
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

/**
 * Why no first connection came about.
 *
 * - `WrongPassword`: user or password refused, or none given where the server wants one.
 * - `NoPermission`: the user may not do what a start needs, or the server is in protected mode.
 * - `UnknownHost`, `Refused`, `TimedOut`: the server was not found, does not listen, or did not answer in time.
 * - `Tls`: no TLS connection could be made.
 * - `Loading`: the server still reads its data from disk, for longer than `connectTimeout`.
 * - `Unsupported`: options that this module cannot work with (`keyPrefix`, Cluster, a URL that is none).
 *
 * @since 0.1.0
 * @category errors
 */
export type RedisStartReason =
  | "WrongPassword"
  | "NoPermission"
  | "UnknownHost"
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
  override get message(): string {
    return `cannot connect to Redis at ${this.address}: ${this.detail} (${this.advice})`
  }
}

// -----------------------------------------------------------------------------
// make
// -----------------------------------------------------------------------------

/** Options with every default in place. */
interface Resolved {
  readonly address: string
  readonly client: RedisOptions
  readonly keepAlive: boolean | undefined
  readonly tls: boolean
  readonly name: string
  readonly connectTimeout: number
  readonly replyTimeout: number
  readonly blockGrace: number
  readonly healthCheckInterval: Duration.Duration
  readonly pool: Redis.PoolOptions
}

const resolveCommon = (options: ConnectionOptions) => ({
  // The server takes no blanks and nothing beyond ASCII in a name.
  name: (options.name ?? "client").replace(/[^\x21-\x7e]/g, "_"),
  connectTimeout: Duration.toMillis(options.connectTimeout ?? Settings.defaults.redis.connectTimeout),
  replyTimeout: Duration.toMillis(options.replyTimeout ?? Duration.seconds(10)),
  blockGrace: Duration.toMillis(options.blockGrace ?? Duration.seconds(3)),
  healthCheckInterval: Duration.fromInputUnsafe(
    options.healthCheckInterval ?? Settings.defaults.redis.healthCheckInterval
  ),
  pool: {
    ...options.pool,
    maxConnections: options.pool?.maxConnections ?? 64,
    acquireTimeout: options.pool?.acquireTimeout ?? Duration.seconds(30)
  }
})

const resolve = (options: Options): Result.Result<Resolved, RedisStartError> =>
  parseRedisUrl(options.url ?? Settings.defaults.redis.url).pipe(
    Result.mapBoth({
      onFailure: (found) =>
        new RedisStartError({
          reason: "Unsupported",
          address: "unknown",
          detail: `its address is ${found}`,
          advice: `expected ${expectedRedisUrl}`
        }),
      onSuccess: (url) => {
        const password = options.password ?? url.password
        const extra = options.ioredis
        return {
          ...resolveCommon(options),
          address: extra?.sentinels !== undefined
            ? `Sentinel's ${extra.name ?? "master"}`
            : extra?.path ?? `${url.host}:${url.port}`,
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
        }
      }
    })
  )

const resolveClient = (client: Client, options: ConnectionOptions): Result.Result<Resolved, RedisStartError> => {
  const { host, port } = client.options
  const address = `${host ?? "localhost"}:${port ?? 6379}`
  const refuse = (detail: string, advice: string) =>
    Result.fail(new RedisStartError({ reason: "Unsupported", address, detail, advice }))
  // A Cluster is no `Redis` to the compiler, but a cast or plain JavaScript gets it here.
  if ((client as { readonly isCluster: boolean }).isCluster) {
    return refuse("the client is a Cluster, whose shards do not hold the keys of one queue together", "use one server")
  }
  if (client.options.keyPrefix) {
    return refuse(
      "the client has a keyPrefix, which stands before some keys and not before those in script arguments and replies",
      "leave it out and set QUEUE_PREFIX"
    )
  }
  return Result.succeed({
    ...resolveCommon(options),
    address,
    tls: client.options.tls !== undefined,
    keepAlive: undefined,
    client: client.options
  })
}

/** 50 ms, 100 ms, … up to 2 s, and up to as much again by chance, so that many clients do not return at once. */
const reconnectDelay = (attempt: number) => {
  const delay = Math.min(50 * 2 ** (attempt - 1), 2000)
  return delay + Math.floor(Math.random() * delay)
}

/** Options that hold for every role, whatever was given. */
const roleOptions = (resolved: Resolved, name: string): ClientOptions => ({
  ...resolved.client,
  connectionName: name,
  lazyConnect: true,
  // A little later than the limit of the first connection, which tells more about what was missing.
  connectTimeout: resolved.connectTimeout + 100,
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
  // A master that became a replica answers READONLY for ever; a new connection finds the new master. The command fails.
  reconnectOnError: (error) => error.message.startsWith("READONLY") ? 1 : false
})

const make = Effect.fnUntraced(function*(resolved: Resolved) {
  const instance = randomBytes(4).toString("hex")
  const nameOf = (role: string) => `effect-redis-workers:${role}:${resolved.name}:${instance}`
  const run = Effect.runForkWith(yield* Effect.context<never>())

  /** A client that reconnects, once it was ready, and tells when its state changes: once when it is lost, once when back. */
  const lasting = (role: string, greet?: Greet) => {
    let ready = false
    let closing = false
    let lost = false
    let told = ""
    let latest: unknown
    const acquire = open({
      client: (onError) => {
        const client = makeClient(
          {
            ...roleOptions(resolved, nameOf(role)),
            socketTimeout: resolved.replyTimeout,
            retryStrategy: (attempt) => ready ? reconnectDelay(attempt) : null
          },
          resolved.keepAlive,
          (cause) => {
            latest = cause
            if (!ready) return onError(cause)
            // A reason that differs from the one told (a password that was changed meanwhile) is news.
            const { message } = describe(cause)
            if (lost && message !== told && failureOfMessage(message) !== "Connection") {
              told = message
              run(Effect.logWarning(`Redis ${role} connection cannot come back: ${message}`))
            }
          }
        )
        client.on("close", () => {
          if (!ready || closing || lost) return
          lost = true
          told = latest === undefined ? "closed by the server" : describe(latest).message
          run(Effect.logWarning(`Redis ${role} connection to ${resolved.address} lost (${told}), reconnecting`))
        })
        client.on("ready", () => {
          latest = undefined
          if (!lost) return
          lost = false
          run(Effect.logInfo(`Redis ${role} connection to ${resolved.address} is back`))
        })
        return client
      },
      within: resolved.connectTimeout,
      greet
    })
    return Effect.acquireRelease(
      Effect.map(acquire, (client) => {
        ready = true
        return { client, ...makeConnection(client) }
      }),
      ({ close }) =>
        Effect.suspend(() => {
          closing = true
          return close
        })
    )
  }

  /** Probes an idle connection, so that the reply timeout finds out about a peer that is gone. */
  const probe = (client: Client): Effect.Effect<void, never, Scope.Scope> =>
    Duration.isZero(resolved.healthCheckInterval)
      ? Effect.void
      : Effect.tryPromise(() => client.status === "ready" ? client.ping() : Promise.resolve("")).pipe(
        // Its failure shows as the loss of the connection.
        Effect.ignore,
        Effect.repeat(Schedule.spaced(resolved.healthCheckInterval)),
        Effect.forkScoped,
        Effect.asVoid
      )

  const startError = (failure: OpenFailure) =>
    new RedisStartError({
      address: resolved.address,
      ...startFailure(failure.cause, {
        tls: resolved.tls,
        timedOut: failure.timedOut,
        connected: failure.connected,
        millis: resolved.connectTimeout
      })
    })

  const shared = yield* lasting("command", greet).pipe(Effect.mapError(startError))
  yield* probe(shared.client)

  let reserved = 0
  const connect = Effect.suspend(() => {
    const number = ++reserved
    return open({
      client: (onError) =>
        makeClient(
          { ...roleOptions(resolved, `${nameOf("blocking")}:${number}`), retryStrategy: () => null },
          resolved.keepAlive,
          onError
        ),
      within: resolved.connectTimeout
    })
  }).pipe(
    Effect.mapBoth({
      onFailure: openError,
      onSuccess: (client) =>
        makeConnection(client, (command, args) => {
          const block = blockOf(command, args)
          if (block === undefined) return resolved.replyTimeout
          // For ever is for ever: only TCP keep-alive watches over it.
          return block > 0 ? block + resolved.blockGrace : undefined
        })
    })
  )

  const subscribe = Effect.fnUntraced(
    function*(channel: string, onMessage: (message: { readonly channel: string; readonly message: string }) => void) {
      const { client } = yield* lasting("subscriber").pipe(Effect.mapError(openError))
      client.on("message", (from, message) => onMessage({ channel: from, message }))
      yield* Effect.tryPromise({
        try: () => client.subscribe(channel),
        catch: (cause) => commandError(cause, "SUBSCRIBE", 1)
      })
      yield* probe(client)
      const terminal = yield* Deferred.make<void, Redis.RedisError>()
      client.once("end", () => run(Deferred.fail(terminal, connectionError("Connection is closed.", "SUBSCRIBE", 1))))
      return Deferred.await(terminal)
    }
  )

  const redis = yield* Redis.make({ send: shared.send, connect, subscribe, pool: resolved.pool })

  return Context.make(Redis.Redis, redis).pipe(
    Context.add(IoRedis, {
      client: shared.client,
      use: (f) =>
        Effect.tryPromise({
          try: () => f(shared.client),
          catch: (cause) => commandError(cause, nameOfCommand(cause), 0)
        })
    })
  )
})

/** `PING` until it is answered otherwise than with `LOADING`; the limit of the first connection ends it. */
const greet = async (client: Client, note: (cause: unknown) => void): Promise<unknown> => {
  for (;;) {
    try {
      return await client.ping()
    } catch (cause) {
      if (failureOfMessage(describe(cause).message) !== "Loading") throw cause
      note(cause)
    }
    await new Promise((resume) => setTimeout(resume, 100))
  }
}

const openError = ({ cause, timedOut }: OpenFailure): Redis.RedisError =>
  timedOut ? connectionError("Connection is closed: no answer in time to connect") : commandError(cause, "connect", 0)

const nameOfCommand = (cause: unknown): string => {
  const command = typeof cause === "object" && cause !== null && "command" in cause ? cause.command : undefined
  return typeof command === "object" && command !== null && "name" in command ? String(command.name) : "use"
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
  Effect.flatMap(
    Settings.Settings,
    ({ redis, serviceName }) => Effect.flatMap(Effect.fromResult(resolve({ ...redis, name: serviceName })), make)
  )
)

/**
 * `Redis` and {@link IoRedis} from options in code.
 *
 * **Example** (A pool for many readers, and Sentinel)
 *
 * ```ts
 * import { IoRedis } from "effect-redis-workers"
 *
 * const RedisLayer = IoRedis.layerOptions({
 *   url: "redis://localhost:6379/1",
 *   pool: { maxConnections: 200 },
 *   ioredis: { sentinels: [{ host: "sentinel", port: 26379 }], name: "mymaster" }
 * })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerOptions = (options: Options = {}): Layer.Layer<Redis.Redis | IoRedis, RedisStartError> =>
  Layer.effectContext(Effect.suspend(() => Effect.flatMap(Effect.fromResult(resolve(options)), make)))

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
): Layer.Layer<Redis.Redis | IoRedis, RedisStartError> =>
  Layer.effectContext(Effect.suspend(() => Effect.flatMap(Effect.fromResult(resolveClient(client, options)), make)))
