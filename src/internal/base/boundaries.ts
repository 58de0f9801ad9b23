/** The boundaries of the histograms. */
import * as Metric from "effect/Metric"

/** Histogram boundaries of durations, in milliseconds, from 1 ms to 1 minute and beyond. */
export const durationBoundaries: ReadonlyArray<number> = Metric.boundariesFromIterable([
  1,
  2,
  5,
  10,
  25,
  50,
  100,
  250,
  500,
  1_000,
  2_500,
  5_000,
  10_000,
  30_000,
  60_000
])

/** Histogram boundaries of attempts. */
export const attemptBoundaries: ReadonlyArray<number> = Metric.boundariesFromIterable([1, 2, 3, 4, 5, 7, 10, 20])
