/** Errors of the inspector → errors of the API. Their messages hold no payload. */
import * as Effect from "effect/Effect"
import * as models from "./models.ts"

interface Tagged {
  readonly _tag: string
  readonly message: string
}

const missing = new Set([
  "ServiceNotFound",
  "ActionNotFound",
  "DeadLetterNotFound",
  "ScheduleNotFound",
  "LaneNotFound"
])
const unavailable = new Set(["RedisError", "NotPermitted"])

export type Problem = models.Forbidden | models.Missing | models.Conflict | models.Unavailable

const isProblem = (error: Tagged): error is Problem =>
  error instanceof models.Forbidden || error instanceof models.Missing || error instanceof models.Conflict ||
  error instanceof models.Unavailable

const problemOf = (error: Tagged): Problem => {
  if (isProblem(error)) return error
  const fields = { error: error._tag, message: error.message }
  if (missing.has(error._tag)) return new models.Missing(fields)
  if (unavailable.has(error._tag)) return new models.Unavailable(fields)
  return new models.Conflict(fields)
}

export const asProblem = <A, E extends Tagged, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, Problem, R> =>
  Effect.mapError(self, problemOf)
