/** The deliveries that a consumer is responsible for: waiting to start, running, or decided and not yet written. */
import * as Table from "../base/table.ts"
import type { Entry } from "../wire/entry.ts"
import { Queue } from "./queue.ts"
import type { Room } from "./room.ts"
import { Run } from "./run.ts"
import type { Starvation } from "./starvation.ts"

export class Held {
  /** The latest delivery of each entry. */
  readonly runs = Table.make<Run>()
  readonly queue = new Queue()
  readonly room: Room
  readonly starvation: Starvation
  constructor(room: Room, starvation: Starvation) {
    this.room = room
    this.starvation = starvation
  }
  /** Accepts a delivery to be started. `since` is a monotonic time at or before it. */
  accept(entry: Entry, since: number): void {
    const before = this.runs.get(entry.id)
    // The same delivery, found twice: its reply was late, and the finder found it in the meantime.
    if (before?.entry.deliveries === entry.deliveries) return
    // Delivered again to this same consumer: an earlier run that is still active has lost its lease.
    if (before?.state === "running" || before?.state === "queued") this.giveUp(before)
    const run = new Run(entry, since, this.starvation)
    this.runs.set(entry.id, run)
    this.queue.push(run)
    this.room.queued++
    this.room.size += entry.size
  }
  running(): ReadonlyArray<Run> {
    return this.runs.values().filter((run) => run.state === "running")
  }
  /** Frees the slot of a running delivery. */
  leave(run: Run): void {
    this.room.running--
    run.leaves()
  }
  /** Records that a run is decided, and whether there is something to write. */
  decided(run: Run, isLost: boolean): void {
    run.state = isLost ? "over" : "unwritten"
    if (!isLost) {
      this.room.unwritten++
      return
    }
    this.runs.delete(run.entry.id)
    this.room.size -= run.entry.size
  }
  /** See {@link Runner.written} in `runner.ts`. */
  written(entry: Entry): boolean {
    const run = this.runs.get(entry.id)
    // A later delivery of the entry may have arrived in the meantime. It is written separately.
    const isLatest = run?.entry === entry
    if (isLatest) this.runs.delete(entry.id)
    this.room.unwritten--
    this.room.size -= entry.size
    this.room.update()
    return isLatest && run.dropped
  }
  /** Gives up a delivery that has not started, because another consumer owns it. */
  forget(run: Run): void {
    this.giveUp(run)
    this.runs.delete(run.entry.id)
  }
  private giveUp(run: Run): void {
    const ran = run.state === "running"
    if (ran) this.leave(run)
    else this.room.queued--
    run.state = "over"
    this.room.size -= run.entry.size
    if (ran) run.interrupt("lease")
  }
}
