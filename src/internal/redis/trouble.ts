/**
 * Handles failed calls of a worker: wait and continue, or end with a typed error.
 *
 * An outage is logged when it begins, once a minute while it lasts, and when it ends: one line for everything that this
 * process does with the server, see `outage.ts`.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Random from "effect/Random"
import type { RedisError } from "../../Redis.ts"
import {
  NoPermission,
  NotAuthenticated,
  Unsupported,
  WorkerError,
  type WorkerErrorReason,
  WrongType
} from "../../WorkerError.ts"
import { timeText } from "../base/timeText.ts"
import { failureOf, type RedisFailure, saidBy } from "./failure.ts"
import { Outage } from "./outage.ts"

export interface Trouble {
  /** Logs the first failure of an outage, and waits longer after each failure in a row. Fails if waiting would not help. */
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
  /** Nothing is tried again. What failed is no longer part of an outage. */
  readonly forget: () => void
  /** The operations that are failing now. */
  readonly current: () => ReadonlyMap<string, RedisFailure>
}

const shortest = 50
const longest = 5_000

/** Jitter between half and the whole of an exponential delay, so that many workers do not retry at once. */
const delayOf = (failures: number, random: number): number =>
  Math.min(longest, shortest * 2 ** Math.min(failures, 10)) * (0.5 + random / 2)

type Reason = new(fields: { readonly message: string; readonly cause: unknown }) => WorkerErrorReason

const advice: { readonly [K in RedisFailure]?: readonly [Reason, string] } = {
  NotAuthenticated: [NotAuthenticated, "check the user and the password"],
  NoPermission: [NoPermission, "grant the user that command and the keys of this service"],
  WrongType: [WrongType, "a key of this service holds another type: move or delete it"],
  Unsupported: [
    Unsupported,
    "this server lacks a command or an option that the worker needs. If it was renamed or disabled (rename-command), " +
    "allow it again; otherwise use Redis 7.0.4 or later, or Valkey"
  ],
  Cluster: [
    Unsupported,
    "this server is a node of a Redis Cluster: connect with IoRedis.layerCluster (REDIS_CLUSTER=true) and name keys with " +
    "QueueNaming.layerCluster (QUEUE_HASH_TAGS=true), or connect to a server without cluster mode"
  ]
}

/** A part of the process fails: logged unless the log says so already. */
export const failed = (outage: Outage, part: object, doing: string, error: RedisError): Effect.Effect<void> =>
  Effect.clockWith((clock) => {
    const failure = failureOf(error)
    const lasted = outage.failed(part, failure, clock.currentTimeMillisUnsafe())
    if (lasted === undefined) return Effect.void
    const fails = lasted === 0 ? "Redis failed" : `Redis still fails after ${timeText(lasted)}`
    return Effect.annotateLogs(
      Effect.logWarning(`${fails}: ${saidBy(error)} (while ${doing}). This process tries again until it works`),
      { failure }
    )
  })

/** A part of the process that failed works: logged if it was the last. */
export const passed = (outage: Outage, part: object): Effect.Effect<void> =>
  Effect.clockWith((clock) => {
    const lasted = outage.passed(part, clock.currentTimeMillisUnsafe())
    return lasted === undefined ? Effect.void : Effect.logInfo(`Redis works again, after ${timeText(lasted)}`)
  })

interface State {
  kind: RedisFailure
  count: number
}

/** `service` names the worker in the log. The parts of a process share the outage. */
export const make = (service = "this process", outage: Outage = new Outage()): Trouble => {
  const failures = new Map<string, State>()

  /** Lets those try again at once that wait. */
  const again = Latch.makeUnsafe(false)
  const trouble: Trouble = {
    failed: Effect.fnUntraced(function*(doing, error) {
      const kind = failureOf(error)
      const fatal = advice[kind]
      if (fatal !== undefined) {
        const [Reason, whatToDo] = fatal
        const message = `Redis refused a command while ${doing} (${saidBy(error)}): ${whatToDo}`
        return yield* new WorkerError({ reason: new Reason({ message, cause: error }) })
      }
      const state = failures.get(doing) ?? { kind, count: 0 }
      failures.set(doing, state)
      if (state.kind !== kind) {
        state.kind = kind
        state.count = 0
      }
      yield* Effect.annotateLogs(failed(outage, state, doing, error), { service })
      const random = yield* Random.next
      yield* Effect.raceFirst(Effect.sleep(Duration.millis(delayOf(state.count++, random))), again.await)
    }),
    passed: (doing) => {
      const state = failures.get(doing)
      return state === undefined ? Effect.void : Effect.suspend(() => {
        failures.delete(doing)
        // The other parts usually wait for the same reason.
        return Effect.andThen(again.release, Effect.annotateLogs(passed(outage, state), { service }))
      })
    },
    forget: () => {
      for (const state of failures.values()) outage.forget(state)
    },
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
