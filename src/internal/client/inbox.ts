/** One list for all answers to this client. One blocking connection reads it for any number of requests. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import { type Limits, parseResponse } from "../../DomainAction.ts"
import type { Connection, Redis, RedisError } from "../../Redis.ts"
import * as batchSize from "../redis/batchSize.ts"
import * as blockingRead from "../redis/blockingRead.ts"
import { failureOf, isFatal } from "../redis/failure.ts"
import { notice } from "../redis/optionalCommands.ts"
import { outageOf } from "../redis/outage.ts"
import * as ownConnections from "../redis/ownConnections.ts"
import { strings } from "../redis/reply.ts"
import * as trouble from "../redis/trouble.ts"
import { correlationIdOf } from "../wire/envelope.ts"
import { Unreadable } from "./answer.ts"
import type { Waiters } from "./waiters.ts"

export interface Inbox {
  readonly key: string
  /** Reads answers until interrupted. It holds a connection from the first request until a read returns nothing. */
  readonly run: Effect.Effect<never>
  readonly wake: () => void
}

export interface InboxOptions {
  readonly redis: Redis["Service"]
  readonly key: string
  readonly waiters: Waiters
  /** How long one read waits, in milliseconds. */
  readonly block: number
  readonly limits: Limits
  /** Called for an answer that no request waits for any more. */
  readonly onUnclaimed: () => void
}

/** The number of answers taken from the list in one read. If the reply is lost, so are they. */
const maxBatch = 100

/** The number of characters of one read, small enough to arrive quickly on a slow network. */
const readLength = 1 << 22

/** How long the list outlives its client, in milliseconds. It is renewed while the client lives. */
const timeToLive = Duration.toMillis("1 hour")

const shortestRetry = 50
const longestRetry = 2_000

/** Takes answers, oldest first, up to the given number. */
type Take = (connection: Connection, count: string) => Effect.Effect<ReadonlyArray<string>, RedisError>

/** How this server lets answers be taken. */
const takes = (redis: Redis["Service"], key: string, seconds: string): Effect.Effect<Take> => {
  const takeMany: Take = (connection, count) =>
    connection.send<[string, ReadonlyArray<string>] | null>(
      "BLMPOP",
      seconds,
      "1",
      key,
      "RIGHT",
      "COUNT",
      count
    ).pipe(
      Effect.map((reply) => reply === null ? [] : strings(reply[1]))
    )

  /** For servers before 7.0. */
  const takeOne: Take = (connection, count) =>
    connection.send<[string, string] | null>("BRPOP", key, seconds).pipe(
      Effect.flatMap((reply) =>
        reply === null
          ? Effect.succeed([])
          : connection.send("RPOP", key, count).pipe(
            Effect.map((more) => [reply[1], ...strings(more)]),
            // The first answer is here anyway. The next read finds out what is wrong.
            Effect.catch(() => Effect.succeed([reply[1]]))
          )
      )
    )

  // Depends on the server's commands, not on its version. Without permission to ask, the newer command is used.
  return redis.send<ReadonlyArray<unknown>>("COMMAND", "INFO", "BLMPOP").pipe(
    Effect.map((info): Take => Array.isArray(info) && info[0] === null ? takeOne : takeMany),
    Effect.catch(() => Effect.succeed(takeMany))
  )
}

export const make = (options: InboxOptions): Inbox => {
  const { key, redis, waiters } = options
  const needed = Latch.makeUnsafe(false)
  const own = ownConnections.make(redis, key, key)
  const outage = outageOf(redis)
  let renewAt = 0

  const chooseTake = takes(redis, key, String(options.block / 1000))
  const sizes = batchSize.make()
  const count = (): string => String(Math.max(1, Math.min(maxBatch, sizes.affordable(readLength))))

  /**
   * Resumes the requests that the answers belong to. An answer that cannot be read counts, because no other would
   * arrive. Returns the reasons for unreadable answers that name no request.
   */
  const deliver = (answers: ReadonlyArray<string>): ReadonlyArray<string> => {
    const broken: Array<string> = []
    for (const text of answers) {
      const parsed = parseResponse(text, options.limits)
      if (parsed._tag === "Failure") {
        const reason = parsed.failure.text
        const waiter = waiters.take(correlationIdOf(text) ?? "")
        if (waiter === undefined) broken.push(reason)
        else waiter.answered(new Unreadable(reason))
        continue
      }
      const waiter = waiters.take(parsed.success.correlation_id ?? "")
      if (waiter === undefined) options.onUnclaimed()
      else waiter.answered(parsed.success)
    }
    return broken
  }

  /** Without it, the list would live forever after its client dies, because only the client knows its name. */
  const renew = Effect.clockWith((clock) => {
    const now = clock.currentTimeMillisUnsafe()
    if (now < renewAt) return Effect.void
    renewAt = now + timeToLive / 4
    return redis.send("PEXPIRE", key, String(timeToLive))
  })

  const session = Effect.scoped(Effect.gen(function*() {
    // A client that only sends needs no connection here.
    yield* needed.await
    // A pop left behind at the server would take an answer and lose it.
    yield* own.end
    yield* notice(redis, ["CLIENT", "COMMAND"])
    const take = yield* chooseTake
    const connection = yield* redis.reserve
    const read = yield* blockingRead.make<ReadonlyArray<string>>(options.block)
    yield* own.identify(connection, read.isIdle)
    while (true) {
      read.start(take(connection, count()))
      const answers = (yield* read.reply) ?? []
      sizes.learn(answers.length, answers.reduce((sum, answer) => sum + answer.length, 0))
      if (failures > 0) {
        failures = 0
        yield* trouble.passed(outage, own)
      }
      for (const reason of deliver(answers)) {
        yield* Effect.logWarning(`Dropped an answer that cannot be read: ${reason}`)
      }
      yield* renew
      // No request was made for the length of a read, so the connection returns to the pool, which can then close it.
      if (answers.length === 0 && waiters.size() === 0) return needed.closeUnsafe()
    }
  }))

  let failures = 0
  const recover = Effect.fnUntraced(function*(error: RedisError) {
    if (failureOf(error) === "Moved") return
    if (isFatal(failureOf(error))) {
      // Waiting would not help, so all waiting requests fail now.
      waiters.failAll(error)
    }
    failures++
    yield* trouble.failed(outage, own, "reading answers", error)
    yield* Effect.sleep(Duration.millis(Math.min(longestRetry, shortestRetry * 2 ** Math.min(failures, 6))))
  })

  return {
    key,
    run: Effect.ensuring(
      Effect.forever(Effect.catch(session, recover)),
      Effect.sync(() => outage.forget(own))
    ),
    wake: () => {
      needed.openUnsafe()
    }
  }
}
