/**
 * Notices that a declaration is not renewed any more.
 *
 * It counts looks, and compares what they found. It compares no clocks: the clock of the server may be set, and during an outage
 * no worker can renew anything.
 */
import type { Stored } from "./spec.ts"

/** How many looks in a row have to find a declaration as the first of them found it. */
const looks = 4

interface Seen {
  readonly version: string
  readonly renewed: number
  /** The look that found it first. */
  readonly since: number
}

export class Renewals {
  private look = 0
  private readonly seen = new Map<string, Seen>()

  /** Notes what this look found. */
  note(name: string, stored: Stored | undefined): void {
    if (stored?.origin !== "declared") this.seen.delete(name)
    else if (!this.isSame(name, stored)) {
      this.seen.set(name, { version: stored.version, renewed: stored.renewed, since: this.look })
    }
  }

  /** Whether no worker renews what was found. */
  isOver(name: string, stored: Stored): boolean {
    return this.isSame(name, stored) && this.look - this.seen.get(name)!.since >= looks
  }

  /** A whole look has succeeded. A look that failed counts for nothing. */
  ended(): void {
    this.look++
  }

  private isSame(name: string, { renewed, version }: Stored): boolean {
    const before = this.seen.get(name)
    return before?.version === version && before.renewed === renewed
  }
}
