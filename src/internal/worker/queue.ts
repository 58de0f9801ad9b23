/**
 * Deliveries that wait to start, in the order in which they came. Some among them may be over meanwhile.
 */
import type { Run } from "./run.ts"

export interface Queue {
  readonly push: (run: Run) => void
  /** The next one to start. */
  readonly next: () => Run | undefined
  /** {@link Queue.next} starts. */
  readonly shift: () => void
  /** Does something with each of the next ones, so many at most. */
  readonly ahead: (count: number, look: (run: Run) => void) => void
  /** Forgets those that have started, once they are many. */
  readonly cut: () => void
  /** All that wait, which are taken out. */
  readonly takeAll: () => ReadonlyArray<Run>
}

/** Deliveries that have started and are still in the array, beyond which it is cut. */
const maxStarted = 1_000

export const make = (): Queue => {
  let runs: Array<Run> = []
  /** Those before it have started, or are over. */
  let head = 0
  return {
    push: (run) => {
      runs.push(run)
    },
    next: () => {
      while (head < runs.length) {
        const run = runs[head]
        if (run?.state === "queued") return run
        head++
      }
      return undefined
    },
    shift: () => {
      head++
    },
    ahead: (count, look) => {
      const end = Math.min(runs.length, head + count)
      for (let index = head; index < end; index++) {
        const run = runs[index]
        if (run?.state === "queued") look(run)
      }
    },
    cut: () => {
      if (head < runs.length && head <= maxStarted) return
      runs = runs.slice(head)
      head = 0
    },
    takeAll: () => {
      const left = runs.slice(head).filter((run) => run.state === "queued")
      runs = []
      head = 0
      return left
    }
  }
}
