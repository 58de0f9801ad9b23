/**
 * What the leases of held deliveries allow: nothing starts whose lease may be over, and what a renewal finds to be another's,
 * or nobody's, is given up.
 */
import type { Held } from "./held.ts"
import type { Run } from "./run.ts"

export interface LeaseGuard {
  /** Whether another consumer may have claimed it: it was not renewed for as long as the lease. */
  readonly isStale: (id: string, now: number) => boolean
  /** The same of a delivery that is about to start. */
  readonly mayBeOver: (run: Run, now: number) => boolean
  /** The leases of these began anew at or after a monotonic time. Starts what waited for that. */
  readonly renewed: (ids: ReadonlyArray<string>, since: number) => void
  /**
   * Another consumer owns these now: their handlers are interrupted and nothing is written. Returns those of which this is
   * news; what is decided already is for the settler to find out.
   */
  readonly lose: (ids: ReadonlyArray<string>) => ReadonlyArray<string>
  /**
   * These are not pending any more, and no other consumer has them. What has not started is given up; handlers go on, as
   * nobody else does their work. Returns those of which this is news.
   */
  readonly drop: (ids: ReadonlyArray<string>) => ReadonlyArray<string>
}

export interface LeaseGuardOptions {
  readonly held: Held
  /** Milliseconds without a renewal after which others may claim what is held here. */
  readonly lease: number
  readonly onRenewed: () => void
  readonly onGivenUp: () => void
}

export const make = ({ held, lease, onGivenUp, onRenewed }: LeaseGuardOptions): LeaseGuard => {
  const mayBeOver = (run: Run, now: number): boolean => now - run.since > lease

  /** Gives up those that have not started; returns which they were. */
  const forget = (ids: ReadonlyArray<string>): Array<string> =>
    ids.filter((id) => {
      const run = held.get(id)
      if (run?.state !== "queued") return false
      held.forget(run)
      return true
    })

  return {
    mayBeOver,
    isStale: (id, now) => {
      const run = held.get(id)
      return run !== undefined && mayBeOver(run, now)
    },
    renewed: (ids, since) => {
      for (const id of ids) {
        const run = held.get(id)
        if (run !== undefined && run.since < since) run.since = since
      }
      onRenewed()
    },
    lose: (ids) => {
      const news = forget(ids)
      // Not before all that wait are given up: the end of one run starts the next.
      for (const id of ids) {
        const run = held.get(id)
        if (run?.state !== "running" || run.stop === "lease") continue
        news.push(id)
        run.interrupt("lease")
      }
      onGivenUp()
      return news
    },
    drop: (ids) => {
      const news = forget(ids)
      for (const id of ids) {
        const run = held.get(id)
        if (run?.state !== "running" || run.dropped || run.stop === "lease") continue
        news.push(id)
        run.dropped = true
      }
      onGivenUp()
      return news
    }
  }
}
