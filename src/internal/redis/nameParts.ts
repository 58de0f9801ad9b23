/**
 * The rules for parts of names. A valid part contains no separator, brace, space, control character or glob, so
 * different parts give different names for any separator that a naming uses.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { isActionType, maxActionTypeLength } from "../wire/fields.ts"

/** Public as `QueueNaming.QueueNameError`, with its documentation there. */
export class QueueNameError extends Schema.TaggedError<QueueNameError>()("QueueNameError", {
  part: Schema.String,
  found: Schema.String,
  expected: Schema.String
}) {
  override get message(): string {
    return `${this.part} ${shown(this.found)} cannot be part of a name in Redis: expected ${this.expected}`
  }
}

const shown = (found: string): string =>
  found.length > 80 ? `${JSON.stringify(found.slice(0, 80))}… (${found.length} characters)` : JSON.stringify(found)

/** A fault of a naming itself, with the type of every other invalid name. */
export class NamingFault extends QueueNameError.extend<NamingFault>("effect-redis-workers/NamingFault")({}) {
  override get message(): string {
    return `The naming gives ${shown(this.found)} as ${this.part}: expected ${this.expected}`
  }
}

export interface Part {
  readonly part: string
  readonly expected: string
  readonly test: (value: string) => boolean
}

const matching = (part: string, pattern: RegExp, expected: string): Part => ({
  part,
  expected,
  test: (value) => pattern.test(value)
})

const tokenPattern = /^[A-Za-z0-9_.-]{1,160}$/
const tokenExpected = "1 to 160 letters, digits, \"_\", \".\" or \"-\""

export const prefix = matching(
  "prefix",
  /^[A-Za-z0-9_.:-]{1,128}$/,
  "1 to 128 letters, digits, \"_\", \".\", \":\" or \"-\""
)
export const environment = matching(
  "environment",
  /^[A-Za-z0-9_.-]{1,64}$/,
  "1 to 64 letters, digits, \"_\", \".\" or \"-\""
)
export const servicePattern = /^[A-Za-z0-9_-]{1,128}$/
export const service = matching("service", servicePattern, "1 to 128 letters, digits, \"_\" or \"-\"")
export const actionType: Part = {
  part: "action type",
  expected: "\"service.verb\" or \"service.entity.verb\" of letters, digits, \"_\" and \"-\", " +
    `at most ${maxActionTypeLength} characters`,
  test: isActionType
}
export const keyPart = matching("part of a key", tokenPattern, tokenExpected)
export const group = matching("group", tokenPattern, tokenExpected)
export const instance = matching("instance", tokenPattern, tokenExpected)
export const suffix = matching("consumer suffix", tokenPattern, tokenExpected)
export const unique = matching("consumer id", tokenPattern, tokenExpected)
// `inbox` is the shared list in this place, so it cannot be a correlation id.
export const correlation: Part = {
  part: "correlation id",
  expected: `${tokenExpected}, and not "inbox"`,
  test: (value) => tokenPattern.test(value) && value !== "inbox"
}

const refusal = (part: Part, found: string): QueueNameError =>
  new QueueNameError({ part: part.part, found, expected: part.expected })

/** Returns the value if it is a valid part, and throws otherwise. */
export const need = (part: Part, value: string): string => {
  if (part.test(value)) return value
  throw refusal(part, value)
}

export const checked = (part: Part, value: string): Result.Result<string, QueueNameError> =>
  part.test(value) ? Result.succeed(value) : Result.fail(refusal(part, value))
