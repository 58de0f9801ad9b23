/**
 * Effect's own PersistedQueue on node-redis.
 */
import * as NodeRedis from "@effect/platform-node/NodeRedis"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as Schema from "effect/Schema"
import * as Actions from "../support/actions.ts"
import { connect } from "../support/streams.ts"
import type { System, Work } from "../support/system.ts"
import * as Tally from "../support/tally.ts"
import { payloadFields } from "./contract.ts"

const prefix = "effectq:"
const name = "bench"

const run = <A>(
  work: Work,
  effect: (
    queue: Effect.Success<ReturnType<typeof makeQueue>>
  ) => Effect.Effect<A, PersistedQueue.PersistedQueueError | Schema.SchemaError>
): Promise<A> =>
  makeQueue().pipe(
    Effect.flatMap(effect),
    Effect.provide(PersistedQueue.layer.pipe(
      Layer.provide(PersistedQueue.layerStoreRedis({ prefix })),
      Layer.provide(NodeRedis.layer({ url: work.url }))
    )),
    Effect.runPromise
  )

const makeQueue = () => PersistedQueue.make({ name, schema: Schema.Struct(payloadFields) })

const left = async (url: string): Promise<number> => {
  const redis = connect(url)
  const counts = await Promise.all([
    redis.llen(`${prefix}${name}`),
    redis.hlen(`${prefix}${name}:pending`),
    redis.zcard(`${prefix}${name}:delayed`),
    redis.llen(`${prefix}${name}:failed`)
  ])
  redis.disconnect()
  return counts.reduce((sum, next) => sum + next, 0)
}

export const system: System = {
  send: (work) =>
    run(work, (queue) =>
      Effect.gen(function*() {
        const started = performance.now()
        yield* Effect.forEach(
          Array.from({ length: work.total }, (_, sequence) => sequence),
          (sequence) => queue.offer(Actions.message(sequence)),
          { concurrency: 500, discard: true }
        )
        return { seconds: (performance.now() - started) / 1000, wrong: 0, left: 0, handled: work.total }
      })),

  drain: (work) =>
    run(work, (queue) =>
      Effect.gen(function*() {
        const tally = Tally.make(work)
        let settled = 0
        const all = Promise.withResolvers<void>()
        const take = queue.take(({ sequence }) => {
          const mark = Effect.sync(() => tally.mark(sequence))
          return work.delay > 0 ? Effect.delay(mark, work.delay) : mark
        }).pipe(Effect.tap(() => Effect.sync(() => ++settled === work.total && all.resolve())))
        yield* Effect.raceFirst(
          Effect.forEach(Array.from({ length: work.concurrency }), () => Effect.forever(take), {
            concurrency: "unbounded",
            discard: true
          }),
          Effect.promise(() => all.promise)
        )
        return yield* Effect.promise(() => tally.end(() => left(work.url)))
      }))
}
