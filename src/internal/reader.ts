/**
 * Reads new entries for one consumer on a connection of its own.
 *
 * A read waits at Redis for a bounded time. After a failure the old connection is
 * ended on the server too, since a blocked read that was left behind would swallow
 * the next entry; then what is pending here and not held is taken; then new entries.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Latch from "effect/Latch"
import type { Connection, Redis } from "../Redis.ts"
import { RedisError } from "../Redis.ts"
import type { WorkerError } from "../WorkerError.ts"
import type { Entry } from "./entry.ts"
import * as entry from "./entry.ts"
import type { Names } from "./names.ts"
import { failureOf } from "./redisFailure.ts"
import * as reply from "./reply.ts"
import type { Runner } from "./runner.ts"
import { countReplacements } from "./scripts/streams.ts"
import { decodeTake, takeOwn } from "./scripts/take.ts"
import type { Trouble } from "./trouble.ts"

export interface ReaderOptions {
  readonly redis: Redis["Service"]
  readonly names: Names
  readonly consumer: string
  readonly runner: Runner
  /** Milliseconds that one read waits. */
  readonly block: number
  /** Characters that one reader holds at most, see `batchSize`. */
  readonly maxHeldSize: number
  /** Open while reading is allowed. */
  readonly gate: Latch.Latch
  readonly trouble: Trouble
  readonly restoreGroup: Effect.Effect<void, WorkerError>
  /** A read came back, with entries or without. */
  readonly onRead: (entries: number) => void
  /** The connection was given up. */
  readonly onReconnect: () => void
  /** Entries that were deleted from the stream while they were pending. */
  readonly onGone: (ids: ReadonlyArray<string>) => Effect.Effect<void>
}

export interface Reader {
  /** Reads until stopped. */
  readonly run: Effect.Effect<void, WorkerError>
  /**
   * To be run once `run` is interrupted: makes sure that the server no longer serves its read. What a read that was cut
   * off took is pending here, and given back with the rest.
   */
  readonly stopped: Effect.Effect<void>
  /** Takes entries that are pending here and not held: their delivery never arrived. */
  readonly takePending: (idle: number) => Effect.Effect<void, RedisError>
}

/** What a read may take longer than its BLOCK before the connection is given up. */
const grace = 5_000

/** The most entries of one read: more do not make it faster, and delay the first of them. */
const maxBatch = 500

/** What an entry is taken to cost before any was seen, so that the first read of a stream of huge entries is small. */
const sizeAtFirst = 1 << 19

export const make = (options: ReaderOptions): Reader => {
  const { consumer, gate, names, redis, runner, trouble } = options
  const doing = `reading ${names.stream}`
  let stopping = false
  let clientId: string | undefined
  let averageSize = sizeAtFirst

  const batchSize = (): number => {
    const affordable = Math.floor((options.maxHeldSize - runner.heldSize()) / averageSize)
    return Math.max(1, Math.min(runner.room(), maxBatch, affordable))
  }

  /** Follows the size of entries: at once when they grow, slowly when they shrink. */
  const learnSize = (entries: ReadonlyArray<Entry>): void => {
    if (entries.length === 0) return
    const size = entries.reduce((sum, next) => sum + next.size, 0) / entries.length
    averageSize = Math.max(1, size > averageSize ? size : averageSize + (size - averageSize) / 4)
  }

  /** U+FFFD may be what was sent, or stand for bytes that are no UTF-8: only the server's bytes tell. */
  const markBroken = Effect.fnUntraced(function*(entries: ReadonlyArray<Entry>) {
    const doubtful = entries.filter((next) => next.data?.includes("\uFFFD"))
    if (doubtful.length === 0) return entries
    const counts = yield* redis.eval(countReplacements.script)({
      stream: names.stream,
      ids: doubtful.map((next) => next.id)
    })
    const broken = new Set<string>()
    doubtful.forEach((next, index) => {
      const found = (next.data?.split("\uFFFD").length ?? 1) - 1
      if (Array.isArray(counts) && found !== Number(counts[index])) broken.add(next.id)
    })
    return entries.map((next) => broken.has(next.id) ? { ...next, broken: true } : next)
  })

  const accept = Effect.fnUntraced(function*(entries: ReadonlyArray<Entry>) {
    learnSize(entries)
    runner.accept(yield* markBroken(entries))
  })

  const takePending = Effect.fnUntraced(function*(idle: number) {
    const listed = yield* redis.send(
      "XPENDING",
      names.stream,
      names.group,
      "IDLE",
      String(idle),
      "-",
      "+",
      "1000",
      consumer
    )
    const ids = reply.pendingIds(listed, consumer).filter((id) => !runner.holds(id)).slice(
      0,
      Math.max(1, runner.room())
    )
    if (ids.length === 0) return
    const { lost, taken } = decodeTake(
      yield* redis.eval(takeOwn.script)({
        stream: names.stream,
        retryRecords: names.retryRecords,
        group: names.group,
        consumer,
        ids
      })
    )
    if (lost.length > 0) yield* options.onGone(lost)
    yield* accept(taken.map((next) => entry.make(next.id, next.fields, next.deliveries, next.record)))
  })

  const identify = Effect.fnUntraced(
    function*(connection: Connection) {
      const id = yield* connection.send("CLIENT", "ID")
      yield* connection.send("CLIENT", "SETNAME", consumer)
      clientId = String(id)
    },
    Effect.catch(() =>
      Effect.sync(() => {
        // A user without permission for CLIENT reads all the same; only a connection left behind is then not ended early.
        clientId = undefined
      })
    )
  )

  const read = (connection: Connection): Effect.Effect<ReadonlyArray<reply.RawEntry>, RedisError> =>
    connection.send(
      "XREADGROUP",
      "GROUP",
      names.group,
      consumer,
      "COUNT",
      String(batchSize()),
      "BLOCK",
      String(options.block),
      "STREAMS",
      names.stream,
      ">"
    ).pipe(
      Effect.timeoutOrElse({
        duration: Duration.millis(options.block + grace),
        orElse: () =>
          Effect.fail(new RedisError({ cause: new Error("The read did not come back: connection given up") }))
      }),
      Effect.map(reply.streamEntries)
    )

  const session = Effect.scoped(Effect.gen(function*() {
    const connection = yield* redis.reserve
    yield* identify(connection)
    yield* takePending(0)
    while (!stopping) {
      yield* gate.await
      yield* runner.awaitRoom
      if (stopping) return
      const entries = yield* read(connection)
      options.onRead(entries.length)
      if (trouble.current().size > 0) yield* trouble.passed(doing)
      if (entries.length > 0) yield* accept(entries.map(([id, fields]) => entry.make(id, fields)))
    }
  }))

  /** Ends our old connection on the server, if it is still there and still ours. */
  const endOnServer = Effect.suspend(() => {
    const id = clientId
    clientId = undefined
    if (id === undefined) return Effect.void
    return redis.send<string>("CLIENT", "LIST", "ID", id).pipe(
      Effect.flatMap((line) =>
        String(line).split(" ").includes(`name=${consumer}`) ? redis.send("CLIENT", "KILL", "ID", id) : Effect.void
      ),
      Effect.ignore
    )
  })

  const recover = Effect.fnUntraced(function*(error: RedisError) {
    if (stopping) return
    if (failureOf(error) === "NoGroup") return yield* options.restoreGroup
    options.onReconnect()
    yield* trouble.failed(doing, error)
    yield* endOnServer
  })

  const run: Effect.Effect<void, WorkerError> = Effect.suspend(() =>
    stopping ? Effect.void : Effect.flatMap(Effect.catch(session, recover), () => run)
  )

  return {
    run,
    stopped: Effect.suspend(() => {
      stopping = true
      return endOnServer
    }),
    takePending
  }
}
