/**
 * This library, with its default options.
 */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { ActionClient, IoRedis, QueueNamingLayer, Settings, Worker } from "../../src/index.ts"
import * as Actions from "../support/actions.ts"
import { environment, left, service } from "../support/streams.ts"
import type { Report, System, Work } from "../support/system.ts"
import * as Tally from "../support/tally.ts"
import { AskUser, Commands, CreateUser, Requests } from "./contract.ts"

const layerOf = (work: Work) =>
  ActionClient.layer.pipe(
    Layer.provideMerge(Layer.mergeAll(IoRedis.layerOptions({ url: work.url }), QueueNamingLayer)),
    Layer.provideMerge(Settings.layerOf({ serviceName: service, environment }))
  )

type Services = Layer.Success<ReturnType<typeof layerOf>>

const optionsOf = (work: Work): Worker.WorkerOptions => ({
  concurrency: work.concurrency === 0 ? undefined : work.concurrency,
  consumers: work.consumers
})

/** Every entry that was handled is settled too. */
const written = (worker: Worker.Worker["Service"]) =>
  worker.status.pipe(
    Effect.repeat({
      until: (status) => status.consumers.every((consumer) => consumer.held === 0),
      schedule: Schedule.spaced("1 millis")
    })
  )

/** Starts a worker and ends it: senders may park actions from then on. */
const supported = Effect.scoped(
  Worker.start(Commands.handlers({ [Actions.actionType]: () => Effect.void }), { shutdownGrace: 0 })
)

export const makeSystem = (extra: Layer.Layer<never> = Layer.empty): System => {
  const run = <E>(work: Work, effect: Effect.Effect<Report, E, Services | Effect.Services<typeof Effect.scope>>) =>
    effect.pipe(Effect.scoped, Effect.provide(Layer.provideMerge(layerOf(work), extra)), Effect.runPromise)

  return {
    send: (work) =>
      run(
        work,
        Effect.gen(function*() {
          const client = yield* ActionClient.ActionClient
          const payloads = Array.from(
            { length: work.total },
            (_, sequence) => Actions.payloadOf(sequence, Actions.noteOfEnvelope)
          )
          const options = work.due > 0 ? { at: DateTime.makeUnsafe(work.due) } : {}
          if (work.due > 0) yield* supported
          const started = performance.now()
          const receipts = yield* client.sendMany(CreateUser, payloads, options)
          const expected = work.due > 0 ? "Scheduled" : "Sent"
          return {
            seconds: (performance.now() - started) / 1000,
            wrong: work.total - receipts.filter(({ _tag }) => _tag === expected).length,
            left: 0,
            handled: receipts.length
          }
        })
      ),

    drain: (work, parent) =>
      run(
        work,
        Effect.gen(function*() {
          const tally = Tally.make(work)
          const handlers = Commands.handlers({
            [Actions.actionType]: ({ sequence }) => {
              const mark = Effect.sync(() => tally.mark(sequence))
              return work.delay > 0 ? Effect.delay(mark, work.delay) : mark
            }
          })
          const worker = yield* Worker.start(handlers, optionsOf(work))
          if (work.inTwo) {
            yield* Effect.promise(() => tally.warmed)
            yield* worker.pause
            yield* written(worker)
            yield* Effect.promise(() => parent.ready())
            tally.begin()
            yield* worker.resume
          }
          yield* Effect.promise(() => tally.all)
          yield* written(worker)
          return yield* Effect.promise(() => tally.end(() => left(work.url)))
        })
      ),

    share: (work, parent) =>
      run(
        work,
        Effect.gen(function*() {
          const tally = Tally.make(work, true)
          const handlers = Commands.handlers({
            [Actions.actionType]: ({ sequence }) => Effect.sync(() => tally.mark(sequence))
          })
          yield* Effect.promise(() => parent.ready())
          const worker = yield* Worker.start(handlers, optionsOf(work))
          yield* Effect.promise(() => parent.stopped)
          yield* worker.drain
          return yield* Effect.promise(() => tally.end())
        })
      ),

    serve: (work, parent) =>
      run(
        work,
        Effect.gen(function*() {
          const tally = Tally.make(work)
          const handlers = Requests.handlers({
            [Actions.actionType]: ({ sequence }) =>
              Effect.sync(() => {
                tally.mark(sequence)
                return { userId: `u-${sequence}` }
              })
          })
          yield* Effect.promise(() => parent.ready())
          const worker = yield* Worker.start(handlers, optionsOf(work))
          yield* Effect.promise(() => parent.stopped)
          yield* worker.drain
          return yield* Effect.promise(() => tally.end())
        })
      ),

    request: (work, parent) =>
      run(
        work,
        Effect.gen(function*() {
          const client = yield* ActionClient.ActionClient
          yield* Effect.promise(() => parent.ready())
          const all = Tally.requests(work)
          const ask = (sequence: number) => {
            const before = performance.now()
            return client.request(AskUser, Actions.payloadOf(sequence, Actions.noteOfEnvelope)).pipe(
              Effect.map(({ userId }) => all.answered(sequence, before, userId === `u-${sequence}`))
            )
          }
          const caller: Effect.Effect<void, unknown> = Effect.suspend(() => {
            const sequence = all.next()
            return sequence === undefined ? Effect.void : Effect.andThen(ask(sequence), caller)
          })
          yield* Effect.all(Array.from({ length: work.inFlight }, () => caller), {
            concurrency: "unbounded",
            discard: true
          })
          const report = all.end()
          return report
        })
      )
  }
}

export const system = makeSystem()
