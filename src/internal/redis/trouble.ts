/**
 * Handles failed calls of a worker: wait and continue, or end with a typed error.
 *
 * Lasting trouble is logged when it begins, once a minute, and when it ends, but not at each try.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Random from "effect/Random"
import type { RedisError } from "../../Redis.ts"
import { WorkerError } from "../../WorkerError.ts"
import { failureOf, type RedisFailure, textOf } from "./failure.ts"

export interface Trouble {
  /** Logs a failure if it is new, and waits longer after each failure in a row. Fails if waiting would not help. */
  readonly failed: (doing: string, error: RedisError) => Effect.Effect<void, WorkerError>
  /** The call succeeded. */
  readonly passed: (doing: string) => Effect.Effect<void>
  /**
   * Repeats an effect until it succeeds. With `restore`, a missing group is created again first, which does not count
   * as a failure.
   */
  readonly around: <A, R>(
    doing: string,
    effect: Effect.Effect<A, RedisError, R>,
    restore?: Effect.Effect<void, WorkerError>
  ) => Effect.Effect<A, WorkerError, R>
  /** Whether this operation is failing now. */
  readonly failing: (doing: string) => boolean
  /** The operations that are failing now. */
  readonly current: () => ReadonlyMap<string, RedisFailure>
}

const shortest = 50
const longest = 5_000

/** How often lasting trouble is logged again, in milliseconds. */
const reminder = 60_000

/** Jitter between half and the whole of an exponential delay, so that many workers do not retry at once. */
const delayOf = (failures: number, random: number): number =>
  Math.min(longest, shortest * 2 ** Math.min(failures, 10)) * (0.5 + random / 2)

const advice: { readonly [K in RedisFailure]?: readonly [WorkerError["reason"], string] } = {
  NotAuthenticated: ["NotAuthenticated", "check the user and the password"],
  NoPermission: ["NoPermission", "grant the user that command and the keys of this service"],
  WrongType: ["WrongType", "a key of this service holds another type: move or delete it"],
  Unsupported: [
    "Unsupported",
    "this server lacks a command or an option that the worker needs. If it was renamed or disabled (rename-command), " +
    "allow it again; otherwise use Redis 7.0.4 or later, or Valkey"
  ],
  Cluster: [
    "Unsupported",
    "this server is a node of a Redis Cluster, which this worker cannot use: connect to a server without cluster mode"
  ]
}

interface State {
  readonly kind: RedisFailure
  /** In milliseconds. */
  readonly since: number
  count: number
  told: number
}

export const make = (): Trouble => {
  const failures = new Map<string, State>()
  /** Lets waiting operations retry at once. */
  const again = Latch.makeUnsafe(false)
  const trouble: Trouble = {
    failed: Effect.fnUntraced(function*(doing, error) {
      const kind = failureOf(error)
      const fatal = advice[kind]
      if (fatal !== undefined) {
        return yield* new WorkerError({
          reason: fatal[0],
          message: `Redis refused while ${doing} (${textOf(error)}): ${fatal[1]}`,
          cause: error
        })
      }
      const before = failures.get(doing)
      const now = yield* Clock.currentTimeMillis
      const state = before?.kind === kind ? before : { kind, since: now, count: 0, told: now }
      if (state !== before) {
        failures.set(doing, state)
        yield* Effect.logWarning(`Redis failed while ${doing}: ${textOf(error)}; trying again until it passes`).pipe(
          Effect.annotateLogs({ failure: kind })
        )
      } else if (now - state.told >= reminder) {
        state.told = now
        yield* Effect.logWarning(
          `Redis still fails while ${doing}, for ${Math.round((now - state.since) / 1_000)} seconds now: ${
            textOf(error)
          }; trying again until it passes`
        ).pipe(Effect.annotateLogs({ failure: kind }))
      }
      const random = yield* Random.next
      yield* Effect.raceFirst(Effect.sleep(Duration.millis(delayOf(state.count++, random))), again.await)
    }),
    passed: (doing) =>
      !failures.has(doing) ? Effect.void : Effect.suspend(() => {
        failures.delete(doing)
        // Other waiting operations usually had the same cause.
        return Effect.andThen(again.release, Effect.logInfo(`Redis works again while ${doing}`))
      }),
    around: <A, R>(
      doing: string,
      effect: Effect.Effect<A, RedisError, R>,
      restore?: Effect.Effect<void, WorkerError>
    ) => {
      const attempt: Effect.Effect<A, WorkerError, R> = Effect.matchEffect(effect, {
        onSuccess: (value) => Effect.as(trouble.passed(doing), value),
        onFailure: (error) =>
          Effect.flatMap(
            restore !== undefined && failureOf(error) === "NoGroup" ? restore : trouble.failed(doing, error),
            () => attempt
          )
      })
      return attempt
    },
    failing: (doing) => failures.has(doing),
    current: () => new Map([...failures].map(([doing, { kind }]) => [doing, kind]))
  }
  return trouble
}
