import type * as Clock from "effect/Clock"

/** Milliseconds for the length of times: they go on evenly while somebody sets the clock of the host. */
export const monotonicMillis = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
