/** Credentials from an effect, which runs before each connection attempt. */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import { AttemptError, noPassword } from "./error.ts"

export interface Credentials {
  readonly username: string | undefined
  readonly password: string | undefined
}

/** Asks for the credentials of one attempt. Returns a function that cancels it; no answer arrives after that. */
export type Ask = (onAnswer: (answer: Credentials | AttemptError) => void) => () => void

/** The tag or the name of a failure, if it looks like one. */
const nameOf = (failure: unknown): string => {
  const named = typeof failure === "object" && failure !== null ? failure : {}
  const name = "_tag" in named ? named._tag : "name" in named ? named.name : undefined
  return typeof name === "string" && /^[\w.:/-]{1,80}$/.test(name) ? name : "an unnamed error"
}

/** Credentials with the password of an effect. */
export const withPassword = (
  username: string | undefined,
  password: Effect.Effect<Redacted.Redacted<string>, unknown>
): Effect.Effect<Credentials, AttemptError> =>
  Effect.matchCauseEffect(password, {
    onFailure: (cause) => Effect.fail(noPassword(`failed with ${nameOf(Cause.squash(cause))}`)),
    onSuccess: (given: unknown) => {
      const value = Redacted.isRedacted(given) ? Redacted.value(given) : undefined
      return typeof value === "string"
        ? Effect.succeed({ username, password: value })
        : Effect.fail(noPassword("gave no Redacted text"))
    }
  })

/** Runs the effect with the services of the layer, loggers among them. */
export const makeAsk = (
  context: Context.Context<never>,
  credentials: Effect.Effect<Credentials, AttemptError>
): Ask => {
  const run = Effect.runForkWith(context)
  return (onAnswer) => {
    const fiber = run(credentials)
    let gaveUp = false
    fiber.addObserver((exit) => {
      if (gaveUp) return
      if (Exit.isSuccess(exit)) return onAnswer(exit.value)
      const failure = Cause.squash(exit.cause)
      onAnswer(failure instanceof AttemptError ? failure : noPassword("was interrupted"))
    })
    return () => {
      gaveUp = true
      fiber.interruptUnsafe()
    }
  }
}
