/**
 * A Redis in this process: Effect's `Redis` service without a server.
 *
 * It behaves as Redis 7.0 does, replies and errors included, for streams with
 * consumer groups, lists with blocking pops, sorted sets, hashes, sets, strings,
 * expiry, scripts and channels. A differential test holds it against the real
 * server. Commands run one at a time, each wholly.
 *
 * All time comes from Effect's `Clock`: entry ids, idle times, times to live,
 * blocking reads and pops. Under `TestClock` a test moves through them at once.
 * Under fake timers (`vi.useFakeTimers()`) effects that wait hang until the test
 * advances them, and a warning says so: fake only `Date`, or use `TestClock`.
 *
 * Lua scripts run in a Lua VM written in JavaScript, as a Redis 7.0 server runs
 * them: the scripts of this library, those of Effect's `PersistedQueue` and
 * `RateLimiter`, and your own. The libraries `bit`, `cmsgpack` and `struct` are
 * missing. A real server's patterns end at a NUL byte; here they do not.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { DumpedKey } from "./internal/memory/dump.ts"
import type * as Memory from "./internal/memory/server.ts"
import * as Redis from "./Redis.ts"

export type {
  /**
   * @since 0.1.0
   * @category models
   */
  DumpedConsumer,
  /**
   * @since 0.1.0
   * @category models
   */
  DumpedEntry,
  /**
   * @since 0.1.0
   * @category models
   */
  DumpedGroup,
  /**
   * What lies under a key, as plain data.
   *
   * @since 0.1.0
   * @category models
   */
  DumpedKey,
  /**
   * @since 0.1.0
   * @category models
   */
  DumpedPending,
  /**
   * @since 0.1.0
   * @category models
   */
  DumpedStream,
  /**
   * @since 0.1.0
   * @category models
   */
  DumpedValue
} from "./internal/memory/dump.ts"

const ServerId: unique symbol = Symbol.for("effect-redis-workers/RedisMemory/server")

/**
 * A server in this process: what all its clients share.
 *
 * - `flush` removes every key, as FLUSHALL does. Loaded scripts and open
 *   connections stay; whoever is blocked as a member of a group gets the
 *   server's `UNBLOCKED` error.
 * - `dump` gives all keys as plain data, groups and pending lists included.
 *
 * @since 0.1.0
 * @category models
 */
export interface Server {
  readonly [ServerId]: Memory.Server
  readonly flush: Effect.Effect<void>
  readonly dump: Effect.Effect<Readonly<Record<string, DumpedKey>>>
}

/**
 * The server behind the `Redis` of a memory layer, for assertions and for
 * further clients.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Redis } from "effect-redis-workers/Redis"
 * import * as RedisMemory from "effect-redis-workers/RedisMemory"
 *
 * const program = Effect.gen(function*() {
 *   const redis = yield* Redis
 *   yield* redis.send("RPUSH", "letters", "a", "b")
 *   const memory = yield* RedisMemory.RedisMemory
 *   return yield* memory.dump
 * }).pipe(Effect.provide(RedisMemory.layer))
 * ```
 *
 * @since 0.1.0
 * @category services
 */
export class RedisMemory extends Context.Service<RedisMemory, Server>()("effect-redis-workers/RedisMemory") {}

// A program on a real server never loads it, and a program that has loaded it makes further servers synchronously.
let loaded: typeof Memory | undefined

const implementation = Effect.suspend(() =>
  loaded !== undefined
    ? Effect.succeed(loaded)
    : Effect.map(Effect.promise(() => import("./internal/memory/server.ts")), (module) => loaded = module)
)

/**
 * Makes a server that several clients and layers can share, see
 * {@link layerServer}. It holds no resource: it goes when nothing refers to it.
 * The first one in a process is made asynchronously, since its code is loaded then.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeServer: Effect.Effect<Server> = Effect.map(
  Effect.flatMap(implementation, ({ makeServer }) => makeServer),
  (server) => ({ [ServerId]: server, flush: server.flush, dump: server.dump })
)

/**
 * Makes a client of a server: a shared connection, and a pool of connections
 * of their own behind `reserve`.
 *
 * A blocking command holds up the commands behind it on its connection, as it
 * does on a real one. Interrupting it takes it off the server; closing the
 * scope ends the client's connections. The pool has no bound unless `maxConnections` gives it one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeClient = (
  server: Server,
  options?: Redis.PoolOptions
): Effect.Effect<Redis.Redis["Service"], never, Scope.Scope> => server[ServerId].makeClient(options)

/**
 * A client of a server that exists already, together with that server. Build
 * it several times, or provide it in several places, for several clients.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as RedisMemory from "effect-redis-workers/RedisMemory"
 *
 * const program = Effect.gen(function*() {
 *   const server = yield* RedisMemory.makeServer
 *   const Client = RedisMemory.layerServer(server)
 *   return Client
 * })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerServer = (
  server: Server,
  options?: Redis.PoolOptions
): Layer.Layer<Redis.Redis | RedisMemory> =>
  Layer.effectContext(
    Effect.map(makeClient(server, options), (redis) =>
      Context.make(RedisMemory, server).pipe(Context.add(Redis.Redis, redis)))
  )

/**
 * A server of its own for each build, with bounds for its pool of connections.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerOptions = (options: Redis.PoolOptions): Layer.Layer<Redis.Redis | RedisMemory> =>
  Layer.unwrap(Effect.map(makeServer, (server) => layerServer(server, options)))

/**
 * A server of its own for each build, and a client of it.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Redis.Redis | RedisMemory> = layerOptions({})
