/** Deliveries that wait to start, in order of arrival. Some of them may have been given up in the meantime. */
import type { Run } from "./run.ts"

/** The number of started deliveries at the front of the array above which they are removed. */
const maxStarted = 1_000

export class Queue {
  runs: Array<Run> = []
  /** The deliveries before it have started or were given up. */
  head = 0
  push(run: Run): void {
    this.runs.push(run)
  }
  /** Returns the next delivery to start. */
  next(): Run | undefined {
    for (; this.head < this.runs.length; this.head++) {
      const run = this.runs[this.head]
      if (run?.state === "queued") return run
    }
    return undefined
  }
  /** Removes the delivery that {@link Queue.next} returned. */
  shift(): void {
    this.head++
  }
  /** Visits the next deliveries, at most `count`. */
  ahead(count: number, look: (run: Run) => void): void {
    const end = Math.min(this.runs.length, this.head + count)
    for (let index = this.head; index < end; index++) {
      const run = this.runs[index]
      if (run?.state === "queued") look(run)
    }
  }
  /** Removes started deliveries from the array once there are many. */
  cut(): void {
    if (this.head < this.runs.length && this.head <= maxStarted) return
    this.runs = this.runs.slice(this.head)
    this.head = 0
  }
  /** Removes and returns all waiting deliveries. */
  takeAll(): ReadonlyArray<Run> {
    const left = this.runs.slice(this.head).filter((run) => run.state === "queued")
    this.runs = []
    this.head = 0
    return left
  }
}
