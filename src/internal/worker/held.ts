/**
 * The deliveries that a consumer answers for: waiting to start, running, or decided and not yet written.
 */
import * as Table from "../base/table.ts"
import type { Entry } from "../wire/entry.ts"
import type { Queue } from "./queue.ts"
import type { Room } from "./room.ts"
import { Run } from "./run.ts"
import type { Starvation } from "./starvation.ts"

export interface Held {
  /** The latest delivery of an entry. */
  readonly get: (id: string) => Run | undefined
  readonly has: (id: string) => boolean
  readonly ids: () => ReadonlyArray<string>
  readonly running: () => ReadonlyArray<Run>
  /** Takes a delivery in, to be started. `since` is a monotonic time at or before it. */
  readonly accept: (entry: Entry, since: number) => void
  /** One that runs leaves its slot. */
  readonly leave: (run: Run) => void
  /** It is decided, and there is something to write, or not. */
  readonly decided: (run: Run, isLost: boolean) => void
  /** See {@link Runner.written} in `runner.ts`. */
  readonly written: (entry: Entry) => boolean
  /** Gives up one that has not started: it is another's. */
  readonly forget: (run: Run) => void
}

export const make = (room: Room, queue: Queue, starvation: Starvation): Held => {
  const table = Table.make<Run>()

  const leave = (run: Run): void => {
    room.running--
    run.leaves()
  }

  const giveUp = (run: Run): void => {
    const ran = run.state === "running"
    if (ran) leave(run)
    else room.queued--
    run.state = "over"
    room.size -= run.entry.size
    if (ran) run.interrupt("lease")
  }

  return {
    get: table.get,
    has: table.has,
    ids: table.ids,
    running: () => table.values().filter((run) => run.state === "running"),
    accept: (entry, since) => {
      const before = table.get(entry.id)
      // The same delivery, found twice: its reply was late, and meanwhile it was looked for.
      if (before?.entry.deliveries === entry.deliveries) return
      // Delivered anew to this very consumer: an earlier run that goes on has lost its lease.
      if (before?.state === "running" || before?.state === "queued") giveUp(before)
      const run = new Run(entry, since, starvation)
      table.set(entry.id, run)
      queue.push(run)
      room.queued++
      room.size += entry.size
    },
    leave,
    decided: (run, isLost) => {
      run.state = isLost ? "over" : "unwritten"
      if (!isLost) {
        room.unwritten++
        return
      }
      table.delete(run.entry.id)
      room.size -= run.entry.size
    },
    written: (entry) => {
      const run = table.get(entry.id)
      // A later delivery of it may have come meanwhile, and is written itself.
      const isLatest = run?.entry === entry
      if (isLatest) table.delete(entry.id)
      room.unwritten--
      room.size -= entry.size
      room.update()
      return isLatest && run.dropped
    },
    forget: (run) => {
      giveUp(run)
      table.delete(run.entry.id)
    }
  }
}
