/**
 * What a worker knows of replies that do not arrive because of their size: how much a take may ask for, and which entries
 * were lost on their way alone. One for all consumers of a worker, since they share a server and its limits.
 */
import type { RedisError } from "../../Redis.ts"
import * as batchSize from "../redis/batchSize.ts"
import { failureOf } from "../redis/failure.ts"

export interface Arrivals extends batchSize.Portion {
  /** Whether it is known of an entry that its reply does not arrive. */
  readonly isHopeless: (id: string) => boolean
  /** Whether the reply of an entry was lost when it was asked for alone. */
  readonly isDoubtful: (id: string) => boolean
  /** The reply of an entry that was asked for alone is lost. Returns whether that was once too often. */
  readonly lostAlone: (id: string) => boolean
  /** Entries came after all, or are no longer ours to ask for. */
  readonly forget: (entries: Iterable<{ readonly id: string }>) => void
}

/** How often an entry is asked for alone before it is passed over: other causes than its size do not last. */
const patience = 3

/** Entries that are remembered. */
const maxRemembered = 10_000

/** A reply may have been lost: what it brought is taken and not here. */
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
