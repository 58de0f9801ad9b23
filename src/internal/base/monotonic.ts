import type * as Clock from "effect/Clock"

/** Milliseconds for measuring durations. They advance evenly while the clock of the host is set. */
export const monotonicMillis = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
