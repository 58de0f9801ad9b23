/**
 * The values that the options of dead letters and of their calls take.
 */
import * as Effect from "effect/Effect"
import type { InvalidOption } from "../base/invalidOption.ts"
import { check, flag, type Kind, oneOf, positiveNumber, row, time, wholeNumber } from "../base/options.ts"
import { responseTimeToLive } from "../redis/responseTimeToLive.ts"

export const serviceRows = { responseTimeToLive } as const

/** An age that is invalid would match all letters, and those that call may drop them. */
const age = time(0, undefined, { example: "7 days" })

export const filterRows = { olderThan: age, newerThan: age } as const

export const listRows = {
  order: row(oneOf("oldest", "newest"), "oldest"),
  limit: row(wholeNumber(1), 100)
} as const

const count = wholeNumber(0, undefined, { orInfinity: true })

export const replayRows = {
  maxHops: row(count, 5),
  force: row(flag, false)
} as const

export const manyRows = {
  ratePerSecond: positiveNumber,
  limit: row(count, Number.POSITIVE_INFINITY)
} as const

/** Fails when an option is given and invalid. */
export const checkGiven = (option: string, kind: Kind<unknown>, given: unknown): Effect.Effect<void, InvalidOption> =>
  given === undefined ? Effect.void : Effect.asVoid(Effect.fromResult(check(option, kind, given)))
