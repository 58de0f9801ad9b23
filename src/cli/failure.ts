/**
 * How a command ends.
 *
 * | status | what |
 * | --- | --- |
 * | 0 | done |
 * | 1 | not done: the action was not found, has ended or runs; nothing matched; the answer was an error; `doctor` found a problem |
 * | 2 | the command line, a setting or a file is invalid |
 * | 3 | Redis cannot be reached, or failed |
 * | 4 | the Redis user lacks a permission |
 * | 130 | interrupted |
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { failureOf, textOf } from "../internal/redis/failure.ts"
import type { RedisError } from "../Redis.ts"

/** A command that did not do what it was asked for. The message says why, and what to do. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", {
  status: Schema.Number,
  message: Schema.String
}) {}

export const notDone = (message: string): Effect.Effect<never, Refused> =>
  Effect.fail(new Refused({ status: 1, message }))

export const invalid = (message: string): Effect.Effect<never, Refused> =>
  Effect.fail(new Refused({ status: 2, message }))

/** What is written to the standard error output, and the exit status. */
export interface Ending {
  readonly tag: string
  readonly message: string
  readonly status: number
}

/** Errors of the library that say: the command line or a setting is wrong. */
const ofInput: ReadonlySet<string> = new Set([
  "SettingsError",
  "InvalidOption",
  "InvalidReceipt",
  "QueueNameError",
  "EncodeError",
  "OtherEnvironment"
])

const commandIn = (message: string): string | undefined => /run the '([^']+)' command/.exec(message)?.[1]

/** Names what the ACL lacks, and how to get it. */
export const noPermission = (message: string): string => {
  const command = commandIn(message)
  const what = command === undefined ? "may not use a key or a channel" : `may not run ${command.toUpperCase()}`
  return `This Redis user ${what} (${message}). "redis-workers acl operator" prints an ACL line that allows it`
}

const ofRedis = (error: RedisError): Ending => {
  const message = textOf(error)
  switch (failureOf(error)) {
    case "NoPermission":
      return { tag: "NoPermission", message: noPermission(message), status: 4 }
    case "NotAuthenticated":
      return { tag: "NotAuthenticated", message: `Redis refuses the user or the password: ${message}`, status: 4 }
    default:
      return { tag: "RedisError", message: `Redis failed: ${message}`, status: 3 }
  }
}

const reasonOf = (error: object): string =>
  Predicate.hasProperty(error, "reason") && Predicate.hasProperty(error.reason, "_tag") ? String(error.reason._tag) : ""

/** How a failed command ends. */
export const endingOf = (error: unknown): Ending => {
  if (!Predicate.hasProperty(error, "_tag")) {
    return { tag: "Defect", message: error instanceof Error ? error.message : String(error), status: 3 }
  }
  const tag = String(error._tag)
  const message = error instanceof Error && error.message !== "" ? error.message : tag
  if (error instanceof Refused) return { tag, message, status: error.status }
  // SAFETY: the tag says so.
  if (tag === "RedisError") return ofRedis(error as unknown as RedisError)
  if (tag === "RedisStartError") {
    const reason = reasonOf(error)
    const denied = ["NoPermission", "WrongPassword", "PasswordUnavailable"].includes(reason)
    return { tag, message, status: denied ? 4 : 3 }
  }
  if (tag === "NotPermitted") return { tag, message, status: 4 }
  if (tag === "PlatformError" || ofInput.has(tag)) return { tag, message, status: 2 }
  return { tag, message, status: 1 }
}
