/**
 * Deliveries that wait to start, in the order in which they came. Some among them may be over meanwhile.
 */
import type { Run } from "./run.ts"

/** Deliveries that have started and are still in the array, beyond which it is cut. */
const maxStarted = 1_000

export class Queue {
  runs: Array<Run> = []
  /** Those before it have started, or are over. */
  head = 0
  push(run: Run): void {
    this.runs.push(run)
  }
  /** The next one to start. */
  next(): Run | undefined {
    for (; this.head < this.runs.length; this.head++) {
      const run = this.runs[this.head]
      if (run?.state === "queued") return run
    }
    return undefined
  }
  /** {@link Queue.next} starts. */
  shift(): void {
    this.head++
  }
  /** Does something with each of the next ones, so many at most. */
  ahead(count: number, look: (run: Run) => void): void {
    const end = Math.min(this.runs.length, this.head + count)
    for (let index = this.head; index < end; index++) {
      const run = this.runs[index]
      if (run?.state === "queued") look(run)
    }
  }
  /** Forgets those that have started, once they are many. */
  cut(): void {
    if (this.head < this.runs.length && this.head <= maxStarted) return
    this.runs = this.runs.slice(this.head)
    this.head = 0
  }
  /** All that wait, which are taken out. */
  takeAll(): ReadonlyArray<Run> {
    const left = this.runs.slice(this.head).filter((run) => run.state === "queued")
    this.runs = []
    this.head = 0
    return left
  }
}
