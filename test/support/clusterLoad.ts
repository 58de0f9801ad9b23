/**
 * A service under load on a Redis Cluster: senders that ask and send, workers in this process, and a ledger outside Redis of
 * what was accepted, handled and answered. Used by the tests and by `npm run chaos:cluster`.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as DomainAction from "../../src/DomainAction.ts"
import { RetryLater } from "../../src/HandlerError.ts"
import { type Names, namesOf } from "../../src/internal/redis/names.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as Metrics from "../../src/Metrics.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Redis from "../../src/Redis.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import type * as Cluster from "./cluster.ts"
import { until } from "./until.ts"

const Do = Action.make("user.do", {
  payload: { key: Schema.String },
  success: { key: Schema.String },
  maxAttempts: 3
})

/** How long a worker may be silent before others take over what it has, in milliseconds. */
export const lease = 4_000

/** How long the handler of a slow action takes, in milliseconds. */
const slowness = 2_000

export interface Ledger {
  /** Keys that were accepted, with the time at which the caller knew. */
  readonly accepted: Map<string, number>
  /** Sends that failed: they may have been written or not. */
  refused: number
  /** How often each key was handled to its end. */
  readonly handled: Map<string, number>
  /** Keys whose handler runs now. */
  readonly running: Map<string, number>
  readonly answered: Set<string>
  failedRequests: number
  /** Requests without an answer and without a failure. */
  readonly open: Set<string>
}

export interface Load {
  readonly ledger: Ledger
  readonly names: Names
  readonly redis: Redis.Redis["Service"]
  /**
   * Sends `count` actions: one in ten is a request, and some of those take two seconds; one in twenty is retried; one in
   * fifty becomes a dead letter. `over`: how long that takes at least, in milliseconds.
   */
  readonly send: (count: number, over?: number) => Effect.Effect<void>
  /** Waits until nothing is in the stream, and nothing waits for its next attempt. */
  readonly drained: Effect.Effect<void>
  /** The keys in the dead letters. */
  readonly letters: Effect.Effect<ReadonlySet<string>, Redis.RedisError>
  /** Accepted actions that were neither handled nor are dead letters. */
  readonly lostOf: (letters: ReadonlySet<string>) => ReadonlyArray<string>
  /** Dead letters of actions that their handler does not give up. */
  readonly buriedOf: (letters: ReadonlySet<string>) => ReadonlyArray<string>
  /** Leases that workers of the service lost so far: by a renewal, or by a settlement that was refused. */
  readonly leasesLost: Effect.Effect<number>
}

/** What becomes of an action is part of its key. */
const isDoomed = (key: string): boolean => key.endsWith("d")

const kindOf = (index: number): string =>
  index % 200 === 11 ? "s" : index % 50 === 7 ? "d" : index % 20 === 3 ? "r" : "n"

const add = (counts: Map<string, number>, key: string, by: number): void => {
  const next = (counts.get(key) ?? 0) + by
  if (next === 0) counts.delete(key)
  else counts.set(key, next)
}

const handlersOf = (ledger: Ledger) =>
  ActionGroup.make(Do).handlers({
    "user.do": ({ key }, { attempt }) =>
      Effect.acquireUseRelease(
        Effect.sync(() => add(ledger.running, key, 1)),
        () => {
          if (isDoomed(key)) return Effect.fail(new RetryLater({ after: "5 millis" }))
          if (key.endsWith("r") && attempt === 1) return Effect.fail(new RetryLater({ after: "100 millis" }))
          const note = Effect.sync(() => {
            add(ledger.handled, key, 1)
            return { key }
          })
          return key.endsWith("s") ? Effect.delay(note, slowness) : note
        },
        () => Effect.sync(() => add(ledger.running, key, -1))
      )
  })

const lettersIn = Effect.fnUntraced(function*(redis: Redis.Redis["Service"], stream: string) {
  const keys = new Set<string>()
  let from = "-"
  for (;;) {
    const rows = yield* redis.send<ReadonlyArray<readonly [string, ReadonlyArray<string>]>>(
      ...["XRANGE", stream, from, "+", "COUNT", "500"] as const
    )
    for (const [, fields] of rows) {
      const action = DomainAction.parse(fields[fields.indexOf("data") + 1] ?? "")
      // SAFETY: this file writes them.
      if (action._tag === "Success") keys.add((action.success.data as { readonly key: string }).key)
    }
    if (rows.length === 0) return keys
    from = `(${rows.at(-1)![0]}`
  }
})

const lossOf = (service: string) =>
  Effect.map(
    Effect.forEach([Metrics.leasesLost, Metrics.settlementsRefused], (metric) =>
      Metric.value(Metric.withAttributes(metric, { service }))),
    (values) =>
      values.reduce((sum, { count }) => sum + count, 0)
  )

/** Workers of the service, each with connections of its own. */
const workers = 2

const service = "user"

export const make = Effect.fnUntraced(function*(cluster: Cluster.Cluster) {
  const ledger: Ledger = {
    accepted: new Map(),
    refused: 0,
    handled: new Map(),
    running: new Map(),
    answered: new Set(),
    failedRequests: 0,
    open: new Set()
  }
  const handlers = handlersOf(ledger)
  const process = Layer.merge(
    QueueNaming.layerCluster,
    IoRedis.layerCluster({ nodes: cluster.urls, replyTimeout: "3 seconds", connectTimeout: "2 seconds" })
  ).pipe(Layer.provideMerge(Settings.layerOf({ serviceName: service })))

  for (let index = 0; index < workers; index++) {
    const context = yield* Layer.build(Layer.fresh(process))
    yield* Worker.start(handlers, {
      block: "500 millis",
      claimIdle: lease,
      concurrency: 100,
      retry: Schedule.spaced("100 millis")
    }).pipe(Effect.provideContext(context))
  }
  const context = yield* Layer.build(Layer.fresh(process))
  const client = yield* ActionClient.make().pipe(Effect.provideContext(context))
  const redis = Context.get(context, Redis.Redis)
  const names = namesOf(Context.get(context, QueueNaming.QueueNaming), service)
  let next = 0

  const request = (key: string) =>
    Effect.suspend(() => {
      ledger.open.add(key)
      return client.request(Do, { key }, { timeout: "30 seconds" }).pipe(
        Effect.matchCause({
          onFailure: () => {
            ledger.failedRequests++
          },
          onSuccess: () => {
            ledger.answered.add(key)
            ledger.accepted.set(key, performance.now())
          }
        }),
        Effect.andThen(Effect.sync(() => ledger.open.delete(key)))
      )
    })

  const send = (key: string) =>
    client.send(Do, { key }).pipe(
      Effect.match({
        onFailure: () => {
          ledger.refused++
        },
        onSuccess: () => {
          ledger.accepted.set(key, performance.now())
        }
      })
    )

  /** Requests and sends have senders of their own, so that sends go on while requests wait. */
  const sendAll = (count: number, over: number) => {
    const begun = performance.now()
    const all = Array.from({ length: count }, (_, place) => {
      const index = next++
      return { key: `${index}${kindOf(index)}`, asks: index % 10 === 1, at: begun + (over * place) / count }
    })
    const paced = (f: (key: string) => Effect.Effect<unknown>) => ({ at, key }: { at: number; key: string }) => {
      const wait = at - performance.now()
      return wait > 5 ? Effect.delay(f(key), wait) : f(key)
    }
    return Effect.all([
      Effect.forEach(all.filter(({ asks }) => !asks), paced(send), { concurrency: 50, discard: true }),
      Effect.forEach(all.filter(({ asks }) => asks), paced(request), { concurrency: 2_000, discard: true })
    ], { concurrency: "unbounded", discard: true })
  }

  const lengthOf = (command: string, key: string) =>
    Effect.map(
      Effect.result(redis.send<number>(command, key)),
      (length) => length._tag === "Success" ? length.success : Infinity
    )

  const load: Load = {
    ledger,
    names,
    redis,
    send: (count, over = 0) => Effect.suspend(() => sendAll(count, over)),
    drained: until(
      "nothing is in the stream, and nothing waits for its next attempt",
      Effect.gen(function*() {
        return (yield* lengthOf("XLEN", names.stream)) + (yield* lengthOf("ZCARD", names.retryDue)) === 0
      }),
      120_000
    ),
    letters: lettersIn(redis, names.deadLetters),
    lostOf: (letters) =>
      [...ledger.accepted.keys()].filter((key) => isDoomed(key) ? !letters.has(key) : !ledger.handled.has(key)),
    buriedOf: (letters) => [...letters].filter((key) => !isDoomed(key)),
    leasesLost: lossOf(service)
  }
  return load
})
