/** The errors of the server, as those of the inspector. */
import * as Effect from "effect/Effect"
import type { RedisError } from "../../Redis.ts"
import { failureOf, textOf } from "../redis/failure.ts"
import { NotPermitted } from "./errors.ts"

const commandIn = /the '([^']+)' command/

/** The command that a user lacks, as the server names it: `xadd`, or `xinfo|groups`. */
const commandOf = (text: string): string | undefined => commandIn.exec(text)?.[1]?.toLowerCase()

const translated = (service: string, operation: string) => (error: RedisError): NotPermitted | RedisError => {
  if (failureOf(error) !== "NoPermission") return error
  const detail = textOf(error)
  return new NotPermitted({ operation, service, command: commandOf(detail), detail })
}

/** Names the permission that an operation lacks. */
export const permitting =
  (service: string, operation: string) =>
  <A, E, R>(effect: Effect.Effect<A, E | RedisError, R>): Effect.Effect<A, E | NotPermitted | RedisError, R> =>
    Effect.mapError(
      effect,
      (error) => isRedisError(error) ? translated(service, operation)(error) : error
    )

const isRedisError = (error: unknown): error is RedisError =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "RedisError"
