/**
 * How clients of Effect's `Redis` service speak to an engine: replies as effects, waiting by Effect's `Clock`.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Redis from "../../Redis.ts"
import * as neighbours from "../redis/neighbours.ts"
import { redisError } from "../redis/redisError.ts"
import * as Bytes from "./bytes.ts"
import type { Reply } from "./command.ts"
import * as Dump from "./dump.ts"
import * as Engine from "./engine.ts"
import * as fakeTimers from "./fakeTimers.ts"
import { Status } from "./status.ts"

export interface Server {
  readonly makeClient: (pool?: Redis.PoolOptions) => Effect.Effect<Redis.Redis["Service"], never, Scope.Scope>
  readonly flush: Effect.Effect<void>
  readonly dump: Effect.Effect<Readonly<Record<string, Dump.DumpedKey>>>
}

export const makeServer: Effect.Effect<Server> = Effect.clockWith((clock) =>
  Effect.sync(() => {
    const engine = Engine.make()
    engine.startedAt = clock.currentTimeMillisUnsafe()
    return {
      makeClient: (pool) => makeClient(engine, pool),
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

const makeClient = (
  engine: Engine.Engine,
  pool: Redis.PoolOptions | undefined
): Effect.Effect<Redis.Redis["Service"], never, Scope.Scope> =>
  Effect.gen(function*() {
    yield* warnOfFakeTimers(engine)
    let shared = Engine.connect(engine)
    yield* Effect.addFinalizer(() => Effect.sync(() => Engine.close(engine, shared)))
    let open = true
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        open = false
      })
    )
    // As on a real server: a reader that waits for a connection would wait for ever, without a word.
    const maxConnections = pool?.maxConnections ?? Number.POSITIVE_INFINITY
    const redis = yield* Redis.make({
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
      pool: { ...pool, maxConnections },
      subscribe: (channel, onMessage) =>
        Effect.as(
          Effect.acquireRelease(
            Effect.sync(() =>
              Engine.subscribe(
                engine,
                Bytes.toBytes(channel),
                (message) => onMessage({ channel, message: Bytes.fromBytes(message) })
              )
            ),
            (unsubscribe) => Effect.sync(unsubscribe)
          ),
          Effect.never
        )
    })
    neighbours.register(redis, { maxConnections })
    return redis
  })

const sendWith =
  (engine: Engine.Engine, connection: () => Engine.Connection): Redis.Redis["Service"]["send"] =>
  <A>(command: string, ...args: ReadonlyArray<string>): Effect.Effect<A, Redis.RedisError> =>
    Effect.withFiber((fiber) => {
      const argv = [command, ...args].map(Bytes.toBytes)
      const ticket = Engine.submit(engine, connection(), argv, fiber.getRef(Clock.Clock))
      if (ticket.result !== undefined) return outcome<A>(ticket)
      const waiting = awaitTicket<A>(engine, ticket, fiber)
      // Also here, since a test may fake them long after the client was made.
      return fakeTimers.areFaked() ? Effect.andThen(warnOfFakeTimers(engine), waiting) : waiting
    })

/** Servers that have warned about faked timers. */
const warned = new WeakSet<Engine.Engine>()

const warnOfFakeTimers = (engine: Engine.Engine): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (warned.has(engine) || !fakeTimers.areFaked()) return Effect.void
    warned.add(engine)
    return fakeTimers.warning
  })

const outcome = <A>(ticket: Engine.Ticket): Effect.Effect<A, Redis.RedisError> => {
  const { defect, result } = ticket
  if (defect) return Effect.die(result)
  if (result instanceof Error) return Effect.fail(redisError(result))
  // SAFETY: what a command replies is the caller's to know, as with any Redis client
  return Effect.succeed(toClient(result ?? null) as A)
}

/** A reply as clients get it: text, and the text of a status. */
const toClient = (reply: Reply): unknown =>
  typeof reply === "string"
    ? Bytes.fromBytes(reply)
    : reply instanceof Status
    ? reply.text
    : Array.isArray(reply)
    ? reply.map(toClient)
    : reply

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
