/**
 * Enforces the leases of held deliveries: a delivery does not start if its lease may be over, and it is given up when a
 * renewal finds that another consumer owns it, or that it is no longer pending.
 */
import type { Held } from "./held.ts"
import type { Run } from "./run.ts"

export class LeaseGuard {
  readonly held: Held
  /** How long an entry may go without renewal before others may claim it, in milliseconds. */
  readonly lease: number
  readonly startNext: () => void
  constructor(held: Held, lease: number, startNext: () => void) {
    this.held = held
    this.lease = lease
    this.startNext = startNext
  }
  /** Whether another consumer may have claimed it, because it was not renewed for the length of the lease. */
  isStale(id: string, now: number): boolean {
    const run = this.held.runs.get(id)
    return run !== undefined && this.mayBeOver(run, now)
  }
  /** The same check for a delivery that is about to start. */
  mayBeOver(run: Run, now: number): boolean {
    return now - run.since > this.lease
  }
  /**
   * Records that these leases were renewed at or after a monotonic time, and starts the deliveries that waited for
   * that.
   */
  renewed(ids: ReadonlyArray<string>, since: number): void {
    for (const id of ids) {
      const run = this.held.runs.get(id)
      if (run !== undefined && run.since < since) run.since = since
    }
    if (this.held.room.queued > 0) this.startNext()
  }
  /**
   * Another consumer owns these entries now. Their handlers are interrupted, and nothing is written. Returns the
   * entries for which this is new. The settler finds out by itself about entries that are already decided.
   */
  lose(ids: ReadonlyArray<string>): ReadonlyArray<string> {
    const news = this.forget(ids)
    // Give up the waiting ones first, because the end of one run starts the next.
    for (const run of this.running(ids)) {
      run.interrupt("lease")
      news.push(run.entry.id)
    }
    this.held.room.update()
    return news
  }
  /**
   * These entries are no longer pending, and no other consumer has them. Those that have not started are given up.
   * Running handlers continue, because no other consumer does their work. Returns the entries for which this is new.
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
  /** Gives up the entries that have not started, and returns them. */
  private forget(ids: ReadonlyArray<string>): Array<string> {
    return ids.filter((id) => {
      const run = this.held.runs.get(id)
      if (run?.state !== "queued") return false
      this.held.forget(run)
      return true
    })
  }
  /** The running ones that were not lost before. */
  private *running(ids: ReadonlyArray<string>): Iterable<Run> {
    for (const id of ids) {
      const run = this.held.runs.get(id)
      if (run?.state === "running" && run.stop !== "lease") yield run
    }
  }
}
