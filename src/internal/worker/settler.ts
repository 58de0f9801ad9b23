/**
 * Collects the decisions of one consumer and writes them, one batch in each call.
 *
 * The next batch collects while a call is in flight, so batches grow with the load and no timer is needed.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { WorkerError } from "../../WorkerError.ts"
import type { Decision } from "./decision.ts"
import { makeWrite, type SettlerOptions } from "./settleWrite.ts"

export interface Settler {
  readonly offer: (decision: Decision) => void
  /** Writes until interrupted. */
  readonly run: Effect.Effect<never, WorkerError>
  /** Waits until every decision offered so far is written. */
  readonly flushed: Effect.Effect<void>
  readonly unwritten: () => number
}

/** Decisions that are taken together. A call has fewer if they need many arguments or bytes: `batchOf` counts them. */
const maxBatch = 500

export const make = (options: SettlerOptions): Settler => {
  const work = Latch.makeUnsafe(false)
  const idle = Latch.makeUnsafe(true)
  let waiting: Array<Decision> = []
  let inFlight = 0

  const offer = (decision: Decision): void => {
    if (waiting.push(decision) > 1) return
    idle.closeUnsafe()
    work.openUnsafe()
  }

  const write = makeWrite({
    ...options,
    onWritten: (decision, written) => {
      inFlight--
      options.onWritten(decision, written)
    }
  })

  // `forever` would wait for a turn of the event loop before each round, and the reader's next read would be sent
  // first.
  const run = Effect.forever(
    Effect.suspend(() => {
      if (waiting.length === 0) {
        work.closeUnsafe()
        // The first decision of a batch opens the latch while the others are still being made. They go in one call.
        return Effect.andThen(work.await, Effect.yieldNow)
      }
      const decisions = waiting.length <= maxBatch ? waiting : waiting.slice(0, maxBatch)
      waiting = waiting.length <= maxBatch ? [] : waiting.slice(maxBatch)
      inFlight += decisions.length
      return Effect.map(write(decisions), () => {
        if (waiting.length === 0) idle.openUnsafe()
      })
    }),
    { disableYield: true }
  )

  return {
    offer,
    run,
    flushed: idle.await,
    unwritten: () => waiting.length + inFlight
  }
}
