/**
 * Commands at the end of a scope, when the server may be silent and a deployment waits.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** Far less than a connection may owe a reply: what is tidied up here goes away by itself later. */
const patience = Duration.seconds(1)

/** Tries it for a second at most; its failure is nobody's. */
export const farewell = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<void, never, R> =>
  effect.pipe(Effect.interruptible, Effect.timeout(patience), Effect.ignore)
