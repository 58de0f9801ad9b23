/**
 * Runs an assembled worker. It manages its state and its two groups of fibers, and ends the worker when any of its
 * fibers ends.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Worker, WorkerState } from "../../Worker.ts"
import { Unexpected, WorkerError } from "../../WorkerError.ts"
import type { Assembly } from "./assembly.ts"

// Uninterruptible, because nothing owns the fibers before the finalizer is added. Nothing in here waits.
export const supervise = Effect.fnUntraced(function*(worker: Assembly) {
  let state: WorkerState = "running"
  const isEnding = (): boolean => state !== "running" && state !== "paused"
  const ended = yield* Deferred.make<void, WorkerError>()
  const { names, pausing, trouble } = worker.host

  // Two groups of fibers: those that take entries stop first, and those that keep and write them continue until
  // everything is written. The second group starts before the worker is visible to others. Otherwise a worker that
  // cannot yet measure the delay of its event loop would look ready.
  const keeps = yield* Effect.forkDetach(worker.keeps, { startImmediately: true })
  const takes = yield* Effect.forkDetach(worker.takes)

  const stopAll = Effect.fnUntraced(function*(draining: Effect.Effect<void>) {
    yield* Fiber.interrupt(takes)
    yield* draining
    yield* Fiber.interrupt(keeps)
    trouble.forget()
  })

  // Uninterruptible between setting the state and draining, because a worker in the state `draining` must drain.
  const drain = Effect.uninterruptibleMask((restore) =>
    Effect.suspend(() => {
      if (isEnding()) {
        return restore(Effect.asVoid(Effect.exit(Deferred.await(ended))))
      }
      state = "draining"
      return stopAll(worker.drain).pipe(
        Effect.andThen(Effect.sync(() => {
          state = "stopped"
        })),
        Effect.andThen(Deferred.succeed(ended, undefined)),
        Effect.asVoid
      )
    })
  )

  const fail = Effect.fnUntraced(function*(error: WorkerError) {
    if (isEnding()) return
    state = "failed"
    yield* Effect.logError(
      `The worker of ${names.service} has failed: ${error.message}`,
      Cause.fail(error.cause ?? error)
    )
    yield* stopAll(worker.abandon(Effect.asVoid(Fiber.await(keeps))))
    yield* Deferred.fail(ended, error)
  }, Effect.uninterruptible)

  // Any end of a fiber ends the worker, since a worker that stays alive without reading would be worst. `fail`
  // recognizes its own interruptions and those of a drain; any other interruption comes from a layer below.
  const watch = (fiber: Fiber.Fiber<unknown, WorkerError>) =>
    Effect.flatMap(Fiber.await(fiber), (exit) => {
      const error = Exit.isSuccess(exit) ? undefined : Cause.squash(exit.cause)
      if (error instanceof WorkerError) return fail(error)
      const isDefect = Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)
      return fail(
        new WorkerError({
          reason: new Unexpected({
            message: isDefect
              ? "A defect ended the worker. Please report it with its cause"
              : "A part of the worker was interrupted from outside. Please report it, or look for a layer that interrupts fibers",
            cause: error
          })
        })
      )
    })
  yield* Effect.forkDetach(watch(takes))
  yield* Effect.forkDetach(watch(keeps))
  yield* Effect.addFinalizer(() => drain)

  return {
    await: Deferred.await(ended),
    status: Effect.sync(() => ({ ...worker.status(), state })),
    pause: Effect.sync(() => {
      if (state !== "running") return
      state = "paused"
      pausing.setOwn(true)
    }),
    resume: Effect.sync(() => {
      if (state !== "paused") return
      state = "running"
      pausing.setOwn(false)
    }),
    drain
  } satisfies Worker["Service"]
}, Effect.uninterruptible)
