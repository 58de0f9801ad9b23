/** Detects starvation: a handler that sends a request to its own service holds one slot while it needs another. */
import type * as Clock from "effect/Clock"
import { monotonicMillis } from "../base/monotonic.ts"

export interface Starvation {
  /** The stream through which handlers send requests to their own service. */
  readonly stream: string
  /** Changes the number of running handlers that wait for answers of their own service. */
  readonly waiting: (change: number) => void
  /** Whether all slots wait. Entries that they wait for must not be held here, or they would wait for each other. */
  readonly isStarved: () => boolean
  /**
   * When the entries that wait behind them are released, in monotonic milliseconds; `Infinity` while a slot does other
   * work.
   */
  readonly givesBackAt: () => number
}

export interface StarvationOptions {
  readonly stream: string
  /** The number of slots. */
  readonly concurrency: number
  readonly clock: Clock.Clock
  readonly onChange: () => void
}

/**
 * How long all slots must wait for answers of their own service before the entries behind them are released, in
 * milliseconds. If another worker answers at once, moving entries is not worth it.
 */
const patience = 250

export const make = ({ clock, concurrency, onChange, stream }: StarvationOptions): Starvation => {
  let waiting = 0
  /** When all slots began to wait, in monotonic milliseconds. */
  let since = Infinity
  const isStarved = (): boolean => waiting >= concurrency
  return {
    stream,
    waiting: (change) => {
      waiting += change
      since = isStarved() ? Math.min(since, monotonicMillis(clock)) : Infinity
      onChange()
    },
    isStarved,
    givesBackAt: () => since + patience
  }
}
