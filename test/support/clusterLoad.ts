/**
 * A service under load on a Redis Cluster: senders that ask and send, workers in this process, and a ledger outside Redis of
 * what was accepted, handled and answered. Used by the tests and by `npm run chaos -- --cluster`.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import { RetryLater } from "../../src/HandlerError.ts"
import { type Names, namesOf } from "../../src/internal/redis/names.ts"
import * as IoRedis from "../../src/IoRedis.ts"
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

export interface Ledger {
  /** Keys whose send was accepted, with its entry. */
  readonly accepted: Set<string>
  /** Sends that failed: they may have been written or not. */
  refused: number
  readonly handled: Map<string, number>
  /** Keys that the handler gives up, which are to be dead letters. */
  readonly doomed: Set<string>
  readonly answered: Set<string>
  failedRequests: number
  readonly unsettled: Set<string>
}

export interface Load {
  readonly ledger: Ledger
  readonly names: Names
  readonly logs: ReadonlyArray<string>
  /** Sends `count` actions: one in ten is a request, one in twenty is retried, one in fifty becomes a dead letter. */
  readonly send: (count: number) => Effect.Effect<void>
  /** Waits until nothing is in the stream any more. */
  readonly drained: Effect.Effect<void>
  readonly deadLetters: Effect.Effect<number, Redis.RedisError>
  /** Accepted actions that were neither handled nor are dead letters. */
  readonly lost: () => ReadonlyArray<string>
}

export const make = Effect.fnUntraced(function*(
  cluster: Cluster.Cluster,
  options: { readonly workers?: number; readonly service?: string; readonly password?: string } = {}
) {
  const service = options.service ?? "user"
  const ledger: Ledger = {
    accepted: new Set(),
    refused: 0,
    handled: new Map(),
    doomed: new Set(),
    answered: new Set(),
    failedRequests: 0,
    unsettled: new Set()
  }
  const handlers = ActionGroup.make(Do).handlers({
    "user.do": ({ key }, { attempt }) =>
      Effect.suspend(() => {
        if (key.endsWith("d")) return Effect.fail(new RetryLater({ after: "5 millis" }))
        if (key.endsWith("r") && attempt === 1) return Effect.fail(new RetryLater({ after: "100 millis" }))
        ledger.handled.set(key, (ledger.handled.get(key) ?? 0) + 1)
        return Effect.succeed({ key })
      })
  })
  const process = Layer.merge(
    QueueNaming.layerCluster,
    IoRedis.layerCluster({ nodes: cluster.urls, replyTimeout: "3 seconds", connectTimeout: "2 seconds" })
  ).pipe(Layer.provideMerge(Settings.layerOf({ serviceName: service })))

  for (let index = 0; index < (options.workers ?? 2); index++) {
    const context = yield* Layer.build(Layer.fresh(process))
    yield* Worker.start(handlers, {
      block: "500 millis",
      claimIdle: "6 seconds",
      concurrency: 100,
      retry: Schedule.spaced("100 millis")
    }).pipe(Effect.provideContext(context))
  }
  const context = yield* Layer.build(Layer.fresh(process))
  const client = yield* ActionClient.make().pipe(Effect.provideContext(context))
  const redis = Context.get(context, Redis.Redis)
  const names = namesOf(Context.get(context, QueueNaming.QueueNaming), service)
  let next = 0

  const one = Effect.suspend(() => {
    const index = next++
    const kind = index % 50 === 7 ? "d" : index % 20 === 3 ? "r" : "n"
    const key = `${index}${kind}`
    if (kind === "d") ledger.doomed.add(key)
    if (index % 10 === 1) {
      ledger.unsettled.add(key)
      return client.request(Do, { key }, { timeout: "30 seconds" }).pipe(
        Effect.matchCause({
          onFailure: () => {
            ledger.failedRequests++
            ledger.unsettled.delete(key)
          },
          onSuccess: () => {
            ledger.answered.add(key)
            ledger.accepted.add(key)
            ledger.unsettled.delete(key)
          }
        })
      )
    }
    return client.send(Do, { key }).pipe(
      Effect.match({
        onFailure: () => {
          ledger.refused++
          ledger.doomed.delete(key)
        },
        onSuccess: () => {
          ledger.accepted.add(key)
        }
      })
    )
  })

  const load: Load = {
    ledger,
    names,
    logs: [],
    send: (count) => Effect.forEach(Array.from({ length: count }), () => one, { concurrency: 50, discard: true }),
    drained: until(
      "nothing is in the stream",
      Effect.map(
        Effect.result(redis.send<number>("XLEN", names.stream)),
        (length) => length._tag === "Success" && length.success === 0
      ),
      120_000
    ),
    deadLetters: redis.send<number>("XLEN", names.deadLetters),
    lost: () => [...ledger.accepted].filter((key) => !key.endsWith("d") && !ledger.handled.has(key))
  }
  return load
})
