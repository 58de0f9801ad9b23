/** Effects that have already ended. */
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/** Returns the exit if an effect is one: synchronous codecs return exits. */
export const exitOf = <A, E, R>(effect: Effect.Effect<A, E, R>): Exit.Exit<A, E> | undefined =>
  // SAFETY: an exit is an effect of its own success and error, so it has the type parameters of the effect.
  Exit.isExit(effect) ? effect as Exit.Exit<A, E> : undefined
