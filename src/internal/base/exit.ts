/**
 * Effects that are over before they begin.
 */
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/** The exit that an effect already is, if it is one: synchronous codecs return exits. */
export const exitOf = <A, E, R>(effect: Effect.Effect<A, E, R>): Exit.Exit<A, E> | undefined =>
  // SAFETY: an exit is an effect of its own success and error, so the type parameters are those of the effect.
  Exit.isExit(effect) ? effect as Exit.Exit<A, E> : undefined
