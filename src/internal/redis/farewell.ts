/** Cleanup commands at the end of a scope. The server may be silent then, and a shutdown must not wait for it. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** Short, because everything cleaned up this way also expires by itself. */
const patience = Duration.seconds(1)

/** Runs a cleanup for one second at most and ignores its failure. */
export const farewell = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<void, never, R> =>
  effect.pipe(Effect.interruptible, Effect.timeout(patience), Effect.ignore)
