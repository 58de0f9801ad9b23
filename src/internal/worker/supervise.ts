/**
 * Runs an assembled worker: its two groups of fibers, its state, and that any end of a fiber ends the worker.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Worker, WorkerState } from "../../Worker.ts"
import { WorkerError } from "../../WorkerError.ts"
import type { Assembly } from "./assembly.ts"

// Not to be interrupted: the fibers belong to nobody before the finalizer is there. Nothing in here waits.
export const supervise = Effect.fnUntraced(function*(worker: Assembly) {
  let state: WorkerState = "running"
  const isEnding = (): boolean => state !== "running" && state !== "paused"
  const ended = yield* Deferred.make<void, WorkerError>()
  const { gate, names, paused } = worker.host

  // Two groups of fibers: what takes entries stops first, what keeps and writes them lasts until all is written. The latter
  // runs before the worker is there for others, who would take one that cannot tell yet how late its event loop is for ready.
  const keeps = yield* Effect.forkDetach(worker.keeps, { startImmediately: true })
  const takes = yield* Effect.forkDetach(worker.takes)

  const stopAll = Effect.fnUntraced(function*(draining: Effect.Effect<void>) {
    yield* Fiber.interrupt(takes)
    yield* draining
    yield* Fiber.interrupt(keeps)
  })

  // Whoever says that it drains has to do it: not even between the two may it be interrupted.
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

  // Any end of a fiber ends the worker: a worker that lives on without reading would be the worst of all. `fail` knows of the
  // interruptions that are its own, or a drain's; another one comes from a layer below.
  const watch = (fiber: Fiber.Fiber<unknown, WorkerError>) =>
    Effect.flatMap(Fiber.await(fiber), (exit) => {
      const error = Exit.isSuccess(exit) ? undefined : Cause.squash(exit.cause)
      if (error instanceof WorkerError) return fail(error)
      const isDefect = Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)
      return fail(
        new WorkerError({
          reason: "Unexpected",
          message: isDefect
            ? "A defect ended the worker. Please report it with its cause"
            : "A part of the worker was interrupted from outside. Please report it, or look for a layer that interrupts fibers",
          cause: error
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
      gate.closeUnsafe()
      paused.openUnsafe()
    }),
    resume: Effect.sync(() => {
      if (state !== "paused") return
      state = "running"
      paused.closeUnsafe()
      gate.openUnsafe()
    }),
    drain
  } satisfies Worker["Service"]
}, Effect.uninterruptible)
