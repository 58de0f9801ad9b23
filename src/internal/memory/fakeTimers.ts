/**
 * Finds timers that a test has faked. Every effect that waits or yields needs `setImmediate` and `setTimeout`, so that it
 * hangs without a word until the test advances them.
 */
import * as Effect from "effect/Effect"

/** The fakes of Vitest, Jest and Sinon, which are one library, carry their clock. */
const isFaked = (timer: unknown): boolean => typeof timer === "function" && "clock" in timer

export const areFaked = (): boolean => isFaked(globalThis.setImmediate) || isFaked(globalThis.setTimeout)

export const warning = Effect.logWarning(
  "Timers are faked (vi.useFakeTimers or the like), and effects wait with timers: nothing continues until the test " +
    "advances them. Fake only the date with vi.useFakeTimers({ toFake: [\"Date\"] }), or move TestClock instead, see " +
    "docs/testing.md"
)
