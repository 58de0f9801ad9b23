/**
 * Reads new entries for one consumer on a connection of its own.
 *
 * A read waits at Redis for a bounded time. After a failure the old connection is
 * ended on the server too, since a blocked read that was left behind would swallow
 * the next entry; then what is pending here and not held is taken; then new entries.
 */
import * as Effect from "effect/Effect"
import * as Metrics from "../../Metrics.ts"
import type { Connection, RedisError } from "../../Redis.ts"
import type { WorkerError } from "../../WorkerError.ts"
import { monotonicMillis } from "../base/monotonic.ts"
import * as batchSize from "../redis/batchSize.ts"
import * as blockingRead from "../redis/blockingRead.ts"
import { failureOf } from "../redis/failure.ts"
import * as ownConnections from "../redis/ownConnections.ts"
import * as reply from "../redis/reply.ts"
import * as entry from "../wire/entry.ts"
import { isLoss } from "./arrivals.ts"
import type { Host } from "./host.ts"
import type { Intake } from "./intake.ts"
import type { Runner } from "./runner.ts"

export interface Reader {
  /** Reads until stopped. */
  readonly run: Effect.Effect<void, WorkerError>
  /**
   * To be run once `run` is interrupted: makes sure that the server no longer serves its read. What a read that was cut
   * off took is pending here, and given back with the rest.
   */
  readonly stopped: Effect.Effect<void>
}

/** The most entries of one read: more do not make it faster, and delay the first of them. */
const maxBatch = 500

export const make = (host: Host, consumer: string, runner: Runner, intake: Intake): Reader => {
  const { arrivals, clock, gate, names, paused, redis, trouble } = host
  const { block } = host.options
  const { room } = runner
  /** A read was sent, or came back, with entries or without. */
  const noteRead = (): void => {
    host.vitals.lastReads.set(consumer, clock.currentTimeMillisUnsafe())
  }
  const doing = `reading ${names.stream} as ${consumer}`
  let stopping = false
  const own = ownConnections.make(redis, consumer)
  const sizes = batchSize.make()
  const count = (): number =>
    Math.max(1, Math.min(room.batch(), maxBatch, arrivals.most(), sizes.affordable(room.spare())))
  /** Entries that the read on its way asked for; 0: none is. */
  let asked = 0

  const readNew = (connection: Connection, block: number): Effect.Effect<unknown, RedisError> => {
    asked = count()
    return connection.send(
      "XREADGROUP",
      "GROUP",
      names.group,
      consumer,
      "COUNT",
      String(asked),
      "BLOCK",
      String(block),
      "STREAMS",
      names.stream,
      ">"
    )
  }

  const session = Effect.scoped(Effect.gen(function*() {
    asked = 0
    // It fails while the server is out of reach: nothing is read before it is known that nobody else takes in our name.
    yield* own.end
    // What a connection before this one took and never brought here.
    yield* intake.find(0)
    yield* gate.await
    const connection = yield* redis.reserve
    const read = yield* blockingRead.make(block)
    yield* own.identify(connection, read.isIdle)
    // A read that waits at the server would still bring entries: it ends with the pause, and its connection with it.
    yield* Effect.forkScoped(Effect.andThen(paused.await, read.stop))
    while (true) {
      // Of a backlog the next read leaves before the handlers of the last one start, and the server works beside them: a
      // fifth more entries a second. A few entries are started at once instead, since somebody may wait for the answer.
      const ahead = room.isBusy() && gate.isOpen() && room.isEnough()
      if (!ahead) {
        runner.start()
        // The outcomes of handlers that ended at once are written before the read, which would go first otherwise and keep
        // whoever waits for an answer.
        yield* Effect.yieldNow
        yield* room.available
        // Paused while there was no room: the next session waits for the end of the pause, without a connection.
        if (!gate.isOpen()) return
      }
      noteRead()
      const since = monotonicMillis(clock)
      // After trouble the first read does not wait: its reply tells that the trouble is over.
      read.start(readNew(connection, trouble.failing(doing) ? 1 : block))
      if (ahead) {
        // The command is written at the end of this turn of the event loop.
        yield* Effect.yieldNow
        runner.start()
      }
      const arrived = yield* read.reply
      if (arrived === undefined) return
      noteRead()
      asked = 0
      yield* trouble.passed(doing)
      const entries = reply.streamEntries(arrived).map(([id, fields]) => entry.make(id, fields))
      arrivals.came(entries.length)
      sizes.learn(entries.length, entries.reduce((sum, next) => sum + next.size, 0))
      yield* intake.hold(entries, since)
    }
  }))

  const recover = Effect.fnUntraced(function*(error: RedisError) {
    if (stopping) return
    if (failureOf(error) === "NoGroup") return yield* host.restoreGroup
    // It may have been lost for its size, with all that it took: the next one asks for less.
    if (asked > 0 && isLoss(error)) arrivals.lost(asked)
    host.telemetry.count(Metrics.reconnects, 1)
    yield* trouble.failed(doing, error)
  })

  const run: Effect.Effect<void, WorkerError> = Effect.suspend(() =>
    stopping ? Effect.void : Effect.flatMap(Effect.catch(session, recover), () => run)
  )

  return {
    run,
    stopped: Effect.suspend(() => {
      stopping = true
      return Effect.ignore(own.end)
    })
  }
}
