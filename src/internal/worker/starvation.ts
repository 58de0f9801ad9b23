/**
 * Slots that wait for their own service: a handler that asks it for an answer holds a slot while it needs another.
 */
import type * as Clock from "effect/Clock"
import { monotonicMillis } from "../base/monotonic.ts"

export interface Starvation {
  /** What handlers ask their own service through. */
  readonly stream: string
  /** So many more of the handlers that run wait for answers of their own service. */
  readonly waiting: (change: number) => void
  /** Whether all slots do. What they wait for must not be held here: it would wait for them. */
  readonly isStarved: () => boolean
  /** When what waits behind them is to be given back, in monotonic milliseconds; `Infinity` while a slot does other work. */
  readonly givesBackAt: () => number
}

export interface StarvationOptions {
  readonly stream: string
  /** Slots. */
  readonly concurrency: number
  readonly clock: Clock.Clock
  readonly onChange: () => void
}

/**
 * Milliseconds that all slots must wait for answers of their own service before what waits behind them is given back: an answer
 * that comes at once from another worker is worth no move.
 */
const patience = 250

export const make = ({ clock, concurrency, onChange, stream }: StarvationOptions): Starvation => {
  let waiting = 0
  /** Monotonic milliseconds since which all slots wait. */
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
