/**
 * What the leases of held deliveries allow: nothing starts whose lease may be over, and what a renewal finds to be another's,
 * or nobody's, is given up.
 */
import type { Held } from "./held.ts"
import type { Run } from "./run.ts"

export class LeaseGuard {
  readonly held: Held
  /** Milliseconds without a renewal after which others may claim what is held here. */
  readonly lease: number
  readonly startNext: () => void
  constructor(held: Held, lease: number, startNext: () => void) {
    this.held = held
    this.lease = lease
    this.startNext = startNext
  }
  /** Whether another consumer may have claimed it: it was not renewed for as long as the lease. */
  isStale(id: string, now: number): boolean {
    const run = this.held.runs.get(id)
    return run !== undefined && this.mayBeOver(run, now)
  }
  /** The same of a delivery that is about to start. */
  mayBeOver(run: Run, now: number): boolean {
    return now - run.since > this.lease
  }
  /** The leases of these began anew at or after a monotonic time. Starts what waited for that. */
  renewed(ids: ReadonlyArray<string>, since: number): void {
    for (const id of ids) {
      const run = this.held.runs.get(id)
      if (run !== undefined && run.since < since) run.since = since
    }
    if (this.held.room.queued > 0) this.startNext()
  }
  /**
   * Another consumer owns these now: their handlers are interrupted and nothing is written. Returns those of which this is
   * news; what is decided already is for the settler to find out.
   */
  lose(ids: ReadonlyArray<string>): ReadonlyArray<string> {
    const news = this.forget(ids)
    // Not before all that wait are given up: the end of one run starts the next.
    for (const run of this.running(ids)) {
      run.interrupt("lease")
      news.push(run.entry.id)
    }
    this.held.room.update()
    return news
  }
  /**
   * These are not pending any more, and no other consumer has them. What has not started is given up; handlers go on, as
   * nobody else does their work. Returns those of which this is news.
   */
  drop(ids: ReadonlyArray<string>): ReadonlyArray<string> {
    const news = this.forget(ids)
    for (const run of this.running(ids)) {
      if (run.dropped) continue
      run.dropped = true
      news.push(run.entry.id)
    }
    this.held.room.update()
    return news
  }
  /** Gives up those that have not started; returns which they were. */
  private forget(ids: ReadonlyArray<string>): Array<string> {
    return ids.filter((id) => {
      const run = this.held.runs.get(id)
      if (run?.state !== "queued") return false
      this.held.forget(run)
      return true
    })
  }
  /** Those that run, unless they were lost before. */
  private *running(ids: ReadonlyArray<string>): Iterable<Run> {
    for (const id of ids) {
      const run = this.held.runs.get(id)
      if (run?.state === "running" && run.stop !== "lease") yield run
    }
  }
}
