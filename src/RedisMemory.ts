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
 *
 * Scripts run as TypeScript twins beside their Lua: those of this library are
 * registered, others are given as options, and a script without a twin fails
 * with an error that says so.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Dump from "./internal/memory/dump.ts"
import * as Engine from "./internal/memory/engine.ts"
import type { Definition } from "./internal/script.ts"
import { definitions } from "./internal/scripts/all.ts"
import * as Redis from "./Redis.ts"

export {
  /**
   * An error reply, its message as the server words it. A twin throws it to end
   * its script with an error.
   *
   * @since 0.1.0
   * @category scripts
   */
  ReplyError
} from "./internal/script.ts"

export type {
  /**
   * A Lua source and the function that stands in for it.
   *
   * @since 0.1.0
   * @category scripts
   */
  Definition,
  /**
   * The commands that a twin may run.
   *
   * @since 0.1.0
   * @category scripts
   */
  ScriptRedis,
  /**
   * A reply as a script sees it.
   *
   * @since 0.1.0
   * @category scripts
   */
  ScriptReply,
  /**
   * The port of a script: same keys, same arguments, same reply.
   *
   * @since 0.1.0
   * @category scripts
   */
  Twin
} from "./internal/script.ts"

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

const EngineId: unique symbol = Symbol.for("effect-redis-workers/RedisMemory/engine")

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
  readonly [EngineId]: Engine.Engine
  readonly flush: Effect.Effect<void>
  readonly dump: Effect.Effect<Readonly<Record<string, Dump.DumpedKey>>>
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

/**
 * Options of a server and of the client that comes with it.
 *
 * - `scripts`: twins of scripts that are not the library's own, default none.
 *   One with the Lua text of a script of the library takes its place.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly scripts?: Iterable<Definition> | undefined
}

/**
 * Makes a server that several clients and layers can share, see
 * {@link layerServer}. It holds no resource: it goes when nothing refers to it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeServer = (options?: Options): Effect.Effect<Server> =>
  Effect.clockWith((clock) =>
    Effect.sync(() => {
      const engine = Engine.make([...definitions, ...options?.scripts ?? []])
      engine.startedAt = clock.currentTimeMillisUnsafe()
      return {
        [EngineId]: engine,
        flush: Effect.clockWith((clock) => Effect.sync(() => Engine.flush(engine, clock))),
        dump: Effect.clockWith((clock) =>
          Effect.sync(() => {
            Engine.setTime(engine, clock)
            return Dump.dump(engine.store)
          })
        )
      }
    })
  )

/**
 * Makes a client of a server: a shared connection, and a pool of connections
 * of their own behind `reserve`.
 *
 * A blocking command holds up the commands behind it on its connection, as it
 * does on a real one. Interrupting it takes it off the server; closing the
 * scope ends the client's connections.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeClient = (
  server: Server,
  options?: Redis.PoolOptions
): Effect.Effect<Redis.Redis["Service"], never, Scope.Scope> =>
  Effect.gen(function*() {
    const engine = server[EngineId]
    let shared = Engine.connect(engine)
    yield* Effect.addFinalizer(() => Effect.sync(() => Engine.close(engine, shared)))
    let open = true
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        open = false
      })
    )
    return yield* Redis.make({
      // a client connects again when its connection was killed
      send: sendWith(engine, () => {
        if (shared.closed && open) shared = Engine.connect(engine)
        return shared
      }),
      connect: Effect.sync(() => {
        const connection = Engine.connect(engine)
        return {
          send: sendWith(engine, () => connection),
          close: Effect.sync(() => Engine.close(engine, connection))
        }
      }),
      pool: options,
      subscribe: (channel, onMessage) =>
        Effect.as(
          Effect.acquireRelease(
            Effect.sync(() => Engine.subscribe(engine, channel, (message) => onMessage({ channel, message }))),
            (unsubscribe) => Effect.sync(unsubscribe)
          ),
          Effect.never
        )
    })
  })

const sendWith =
  (engine: Engine.Engine, connection: () => Engine.Connection): Redis.Redis["Service"]["send"] =>
  <A>(command: string, ...args: ReadonlyArray<string>): Effect.Effect<A, Redis.RedisError> =>
    Effect.withFiber((fiber) => {
      const argv = [command, ...args].map((text) => text.isWellFormed() ? text : text.toWellFormed())
      const ticket = Engine.submit(engine, connection(), argv, fiber.getRef(Clock.Clock))
      return ticket.result === undefined ? awaitTicket<A>(engine, ticket, fiber) : outcome<A>(ticket)
    })

const outcome = <A>(ticket: Engine.Ticket): Effect.Effect<A, Redis.RedisError> => {
  const { defect, result } = ticket
  if (defect) return Effect.die(result)
  if (result instanceof Error) return Effect.fail(new Redis.RedisError({ cause: result }))
  // SAFETY: what a command replies is the caller's to know, as with any Redis client
  return Effect.succeed(result as A)
}

const awaitTicket = <A>(
  engine: Engine.Engine,
  ticket: Engine.Ticket,
  fiber: Fiber.Fiber<unknown, unknown>
): Effect.Effect<A, Redis.RedisError> =>
  Effect.callback((resume) => {
    let timer: Fiber.Fiber<void> | undefined
    const advance = () => {
      if (ticket.result !== undefined) {
        timer?.interruptUnsafe()
        resume(outcome<A>(ticket))
      } else if (ticket.wait !== undefined && ticket.wait.timeout > 0 && timer === undefined) {
        timer = Effect.runForkWith(fiber.context)(Effect.andThen(
          ticket.clock.sleep(Duration.millis(ticket.wait.timeout)),
          Effect.sync(() => Engine.expire(engine, ticket))
        ))
      }
    }
    ticket.notify = advance
    advance()
    return Effect.sync(() => {
      timer?.interruptUnsafe()
      Engine.cancel(engine, ticket)
    })
  })

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
 *   const server = yield* RedisMemory.makeServer()
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
 * A server of its own for each build, with options.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerOptions = (options: Options & Redis.PoolOptions): Layer.Layer<Redis.Redis | RedisMemory> =>
  Layer.unwrap(Effect.map(makeServer(options), (server) => layerServer(server, options)))

/**
 * A server of its own for each build, and a client of it.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Redis.Redis | RedisMemory> = layerOptions({})
