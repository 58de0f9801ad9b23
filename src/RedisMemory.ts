/**
 * Effect's `Redis` service in memory, without a server.
 *
 * It behaves like Redis 7.0, including replies and errors, for streams with consumer groups, lists with blocking pops,
 * sorted sets, hashes, sets, strings, expiry, scripts and channels. A differential test compares it with a real server.
 * Commands run one at a time and atomically.
 *
 * All time comes from Effect's `Clock`: entry ids, idle times, times to live, blocking reads and pops. Under
 * `TestClock`, a test moves through them at once. Under fake timers (`vi.useFakeTimers()`), effects that wait hang
 * until the test advances the timers, and a warning says so. Fake only `Date`, or use `TestClock`.
 *
 * Lua scripts run in a Lua VM written in JavaScript, as a Redis 7.0 server runs them: the scripts of this library, those
 * of Effect's `PersistedQueue` and `RateLimiter`, and your own. The libraries `bit`, `cmsgpack` and `struct` are missing.
 * On a real server a pattern ends at a NUL byte; here it does not.
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
   * A consumer of a group, as plain data.
   *
   * @since 0.1.0
   * @category models
   */
  DumpedConsumer,
  /**
   * An entry of a stream, as plain data.
   *
   * @since 0.1.0
   * @category models
   */
  DumpedEntry,
  /**
   * A consumer group, as plain data.
   *
   * @since 0.1.0
   * @category models
   */
  DumpedGroup,
  /**
   * The value of a key, as plain data.
   *
   * @since 0.1.0
   * @category models
   */
  DumpedKey,
  /**
   * A pending entry of a group, as plain data.
   *
   * @since 0.1.0
   * @category models
   */
  DumpedPending,
  /**
   * A stream with its groups, as plain data.
   *
   * @since 0.1.0
   * @category models
   */
  DumpedStream,
  /**
   * A value of any type, as plain data.
   *
   * @since 0.1.0
   * @category models
   */
  DumpedValue
} from "./internal/memory/dump.ts"

const ServerId: unique symbol = Symbol.for("effect-redis-workers/RedisMemory/server")

/**
 * An in-memory server: the state that its clients share.
 *
 * - `flush` removes every key, like FLUSHALL. Loaded scripts and open connections stay. A client blocked as a member of
 *   a group gets the server's `UNBLOCKED` error.
 * - `dump` returns all keys as plain data, groups and pending lists included.
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
 * The server behind the `Redis` of a memory layer. Use it for assertions and to make further clients.
 *
 * **Example** (The content of the server)
 *
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
 * Makes a server that several clients and layers can share, see {@link layerServer}. It needs no cleanup: it is garbage
 * collected when nothing refers to it. The first server of a process is made asynchronously, because its code is loaded
 * then.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeServer: Effect.Effect<Server> = Effect.map(
  Effect.flatMap(implementation, ({ makeServer }) => makeServer),
  (server) => ({ [ServerId]: server, flush: server.flush, dump: server.dump })
)

/**
 * Makes a client of a server: a shared connection, and a pool of separate connections behind `reserve`.
 *
 * A blocking command delays the commands behind it on its connection, as on a real server. Interrupting it removes it
 * from the server. Closing the scope ends the client's connections. The pool has no limit unless you set
 * `maxConnections`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeClient = (
  server: Server,
  options?: Redis.PoolOptions
): Effect.Effect<Redis.Redis["Service"], never, Scope.Scope> => server[ServerId].makeClient(options)

/**
 * A client of an existing server, together with that server. Build or provide it several times to get several clients.
 *
 * **Example** (Two clients of one server)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as RedisMemory from "effect-redis-workers/RedisMemory"
 *
 * const program = Effect.gen(function*() {
 *   const server = yield* RedisMemory.makeServer
 *   return [RedisMemory.layerServer(server), RedisMemory.layerServer(server)]
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
 * A new server, and a client of it with limits for its pool of connections. Each build of the layer makes its own server.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerOptions = (options: Redis.PoolOptions): Layer.Layer<Redis.Redis | RedisMemory> =>
  Layer.unwrap(Effect.map(makeServer, (server) => layerServer(server, options)))

/**
 * A new server and a client of it. Each build of the layer makes its own server.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Redis.Redis | RedisMemory> = layerOptions({})
