/**
 * Handles failed calls of a worker: wait and continue, or end with a typed error.
 *
 * An outage is logged when it begins, once a minute while it lasts, and when it ends: one line for everything that a worker
 * does at the same time, not one for each part and not one for each try.
 */
import * as Clock from "effect/Clock"
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

interface State {
  readonly kind: RedisFailure
  count: number
}

/** What fails at the same time. Times are milliseconds. */
interface Outage {
  readonly since: number
  readonly kinds: Set<RedisFailure>
  told: number
}

/** Steps of a server that is lost and comes back: one outage, whichever of them a call meets. */
const isAway = (kind: RedisFailure): boolean =>
  kind === "Connection" || kind === "Loading" || kind === "MasterDown" || kind === "ReadOnly"

/** `service` names the worker in the log. */
export const make = (service = "this process"): Trouble => {
  const failures = new Map<string, State>()
  let outage: Outage | undefined

  /** What the log says of a failure, if anything. */
  const lineFor = (kind: RedisFailure, doing: string, error: RedisError, now: number): string | undefined => {
    if (outage === undefined) {
      outage = { since: now, kinds: new Set([kind]), told: now }
      return `Redis failed: ${saidBy(error)} (while ${doing}). The worker of ${service} tries again until it works`
    }
    const isNews = !outage.kinds.has(kind) && !(isAway(kind) && [...outage.kinds].some(isAway))
    outage.kinds.add(kind)
    if (!isNews && now - outage.told < reminder) return undefined
    outage.told = now
    return `Redis still fails after ${timeText(now - outage.since)}: ${saidBy(error)} (while ${doing}). ` +
      `The worker of ${service} tries again until it works`
  }

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
      const before = failures.get(doing)
      const state = before?.kind === kind ? before : { kind, count: 0 }
      if (state !== before) failures.set(doing, state)
      const line = lineFor(kind, doing, error, yield* Clock.currentTimeMillis)
      if (line !== undefined) yield* Effect.logWarning(line).pipe(Effect.annotateLogs({ failure: kind, service }))
      const random = yield* Random.next
      yield* Effect.raceFirst(Effect.sleep(Duration.millis(delayOf(state.count++, random))), again.await)
    }),
    passed: (doing) =>
      !failures.has(doing) ? Effect.void : Effect.clockWith((clock) => {
        failures.delete(doing)
        const over = failures.size === 0 ? outage : undefined
        if (over !== undefined) outage = undefined
        // The other parts usually wait for the same reason.
        return over === undefined ? again.release : Effect.andThen(
          again.release,
          Effect.annotateLogs(
            Effect.logInfo(
              `Redis works again for the worker of ${service}, after ${
                timeText(clock.currentTimeMillisUnsafe() - over.since)
              }`
            ),
            { service }
          )
        )
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
