/**
 * effect-mq on its Redis store, with the versions of this folder. Plain JavaScript: the repository's compiler knows
 * another Effect than this one.
 */
import { NodeRedis } from "@effect/platform-node"
import { Effect, Layer, Schema } from "effect"
import { Job, JobStore, Worker } from "effect-mq"
import { RedisJobStore } from "effect-mq/redis"
import { message } from "../support/actions.ts"
import * as Tally from "../support/tally.ts"

class CreateUser extends Job.make("user.create", {
  payload: {
    sequence: Schema.Int,
    email: Schema.String,
    name: Schema.String,
    plan: Schema.Literals(["free", "team"]),
    tags: Schema.Array(Schema.String),
    note: Schema.String
  },
  queue: "bench"
}) {}

const storeOf = (work) => RedisJobStore.layer().pipe(Layer.provide(NodeRedis.layer({ url: work.url })))

const counts = (store) => Effect.map(store.counts(), (counts) => counts)

/** Everything that is not finished. */
const open = Effect.gen(function*() {
  const { active, delayed, failed, waiting } = yield* counts(yield* JobStore.JobStore)
  return active + delayed + failed + waiting
})

export const system = {
  send: (work) =>
    Effect.gen(function*() {
      const started = performance.now()
      for (let from = 0; from < work.total; from += 500) {
        const length = Math.min(500, work.total - from)
        const payloads = Array.from({ length }, (_, index) => message(from + index))
        yield* CreateUser.enqueueMany(payloads, work.due > 0 ? { delay: work.due - Date.now() } : {})
      }
      const wrong = work.due > 0 && Date.now() > work.due ? work.total : 0
      return { seconds: (performance.now() - started) / 1000, wrong, left: 0, handled: work.total }
    }).pipe(Effect.provide(storeOf(work)), Effect.runPromise),

  drain: (work) => {
    const tally = Tally.make(work)
    const handler = ({ sequence }) => {
      const mark = Effect.sync(() => tally.mark(sequence))
      return work.delay > 0 ? Effect.delay(mark, work.delay) : mark
    }
    const worker = CreateUser.toLayer(handler, { concurrency: work.concurrency }).pipe(
      Layer.provideMerge(Worker.layer()),
      Layer.provideMerge(storeOf(work))
    )
    return Effect.gen(function*() {
      yield* Effect.promise(() => tally.all)
      while ((yield* open) > 0) yield* Effect.sleep(1)
      const report = yield* Effect.promise(() => tally.end())
      return { ...report, left: yield* open }
    }).pipe(Effect.provide(worker), Effect.runPromise)
  }
}
