/**
 * Tracks replies that do not arrive because of their size: how much a take may ask for, and which entries were lost
 * although they were asked for alone. All consumers of a worker share one instance, since they share a server and its
 * limits.
 */
import type { RedisError } from "../../Redis.ts"
import * as batchSize from "../redis/batchSize.ts"
import { failureOf } from "../redis/failure.ts"

export interface Arrivals extends batchSize.Portion {
  /** Whether the reply of an entry is known not to arrive. */
  readonly isHopeless: (id: string) => boolean
  /** Whether the reply of an entry was lost when it was asked for alone. */
  readonly isDoubtful: (id: string) => boolean
  /**
   * Records that the reply of an entry was lost although it was asked for alone. Returns whether that was the last try.
   */
  readonly lostAlone: (id: string) => boolean
  /** Forgets entries that arrived after all, or that are no longer ours to ask for. */
  readonly forget: (entries: Iterable<{ readonly id: string }>) => void
}

/** How often an entry is asked for alone before it is skipped. Causes other than its size do not last that long. */
const patience = 3

/** The maximum number of entries remembered. */
const maxRemembered = 10_000

/** Whether a reply may have been lost. Its entries are then taken, but not here. */
export const isLoss = (error: RedisError): boolean => failureOf(error) === "Connection"

export const make = (): Arrivals => {
  const losses = new Map<string, number>()
  return {
    ...batchSize.makePortion(),
    isHopeless: (id) => (losses.get(id) ?? 0) >= patience,
    isDoubtful: (id) => losses.size > 0 && losses.has(id),
    lostAlone: (id) => {
      const count = (losses.get(id) ?? 0) + 1
      losses.set(id, count)
      for (const oldest of losses.keys()) {
        if (losses.size <= maxRemembered) break
        losses.delete(oldest)
      }
      return count >= patience
    },
    forget: (entries) => {
      if (losses.size === 0) return
      for (const { id } of entries) losses.delete(id)
    }
  }
}
