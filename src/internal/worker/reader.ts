/**
 * Reads new entries for one consumer on a connection of its own.
 *
 * A read waits at Redis for a bounded time. After a failure, the reader first ends the old connection on the server
 * too, since a blocked read left behind would swallow the next entry. Then it takes the entries that are pending here
 * and not held, and then new ones.
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
   * Run it after `run` was interrupted. It makes sure that the server no longer serves the read. Entries taken by a
   * read that was cut off are pending here, and are released with the rest.
   */
  readonly stopped: Effect.Effect<void>
}

/** The maximum number of entries of one read. Larger reads are not faster, and delay the first entry. */
const maxBatch = 500

export const make = (host: Host, consumer: string, runner: Runner, intake: Intake): Reader => {
  const { arrivals, clock, gate, names, paused, redis, trouble } = host
  const { block } = host.options
  const { room } = runner
  /** Records that a read was sent, or returned with or without entries. */
  const noteRead = (): void => {
    host.vitals.lastReads.set(consumer, clock.currentTimeMillisUnsafe())
  }
  const doing = `reading ${names.stream} as ${consumer}`
  let stopping = false
  const own = ownConnections.make(redis, consumer, names.stream)
  const sizes = batchSize.make()
  const count = (): number =>
    Math.max(1, Math.min(room.batch(), maxBatch, arrivals.most(), sizes.affordable(room.spare())))
  /** The number of entries that the current read asked for; 0 without a read. */
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
    // This fails while the server is unreachable: reading starts only when no other connection takes entries in our
    // name.
    yield* own.end
    // Takes the entries that an earlier connection took and never delivered here.
    yield* intake.find(0)
    yield* gate.await
    const connection = yield* redis.reserve
    const read = yield* blockingRead.make(block)
    yield* own.identify(connection, read.isIdle)
    // A read that waits at the server would still return entries, so a pause ends the read and its connection.
    yield* Effect.forkScoped(Effect.andThen(paused.await, read.stop))
    while (true) {
      // With a backlog, the next read is sent before the handlers of the last one start, so that the server works in
      // parallel: a fifth more entries a second. A few entries are started at once instead, since a caller may wait for
      // the answer.
      const ahead = room.isBusy() && gate.isOpen() && room.isEnough()
      if (!ahead) {
        runner.start()
        // Outcomes of handlers that ended at once are written before the read. Otherwise the read would go first and
        // delay callers who wait for an answer.
        yield* Effect.yieldNow
        yield* room.available
        // Paused while there was no room: the next session waits for the end of the pause without a connection.
        if (!gate.isOpen()) return
      }
      noteRead()
      const since = monotonicMillis(clock)
      // After a failure, the first read does not wait, so that its reply shows that the server works again.
      read.start(readNew(connection, trouble.failing(doing) ? 1 : block))
      if (ahead) {
        // The command is sent at the end of this turn of the event loop.
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
    const kind = failureOf(error)
    if (kind === "NoGroup") return yield* host.restoreGroup
    // The next session reserves a connection to the new owner, and looks for what the old one delivered.
    if (kind === "Moved") return
    // The reply may have been lost because of its size, with all entries in it, so the next read asks for less.
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
