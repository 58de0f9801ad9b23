/** The errors of the server, as those of the inspector. */
import * as Effect from "effect/Effect"
import type { RedisError } from "../../Redis.ts"
import { failureOf, textOf } from "../redis/failure.ts"
import { NotPermitted } from "./errors.ts"

const commandIn = /the '([^']+)' command/

/** The command that a user lacks, as the server names it: `xadd`, or `xinfo|groups`. */
const commandOf = (text: string): string | undefined => commandIn.exec(text)?.[1]?.toLowerCase()

/** A refusal of a command, and not of a key, that a server before 7.2 does not name. */
const isUnnamed = (text: string): boolean => text.includes("can't run this command")

const translated = (service: string, operation: string, caught: string | undefined) =>
(
  error: RedisError
): NotPermitted | RedisError => {
  if (failureOf(error) !== "NoPermission") return error
  const detail = textOf(error)
  const command = commandOf(detail) ?? (isUnnamed(detail) ? caught : undefined)
  return new NotPermitted({ operation, service, command, detail })
}

/** Names the permission that an operation lacks. `caught` is the command whose refusal its script catches. */
export const permitting =
  (service: string, operation: string, caught?: string) =>
  <A, E, R>(effect: Effect.Effect<A, E | RedisError, R>): Effect.Effect<A, E | NotPermitted | RedisError, R> =>
    Effect.mapError(
      effect,
      (error) => isRedisError(error) ? translated(service, operation, caught)(error) : error
    )

const isRedisError = (error: unknown): error is RedisError =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "RedisError"
