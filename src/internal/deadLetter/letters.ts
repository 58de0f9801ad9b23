/** What the operations on the dead letters of one service have in common. */
import * as Effect from "effect/Effect"
import type { Filter, ListOptions } from "../../DeadLetter.ts"
import type { QueueNamingShape } from "../../QueueNaming.ts"
import type { Redis } from "../../Redis.ts"
import type { Names } from "../redis/names.ts"
import { DeadLetterNotFound } from "./errors.ts"
import * as reading from "./reading.ts"

export interface DeadLettersOptions {
  readonly redis: Redis["Service"]
  readonly naming: QueueNamingShape
  readonly names: Names
  /** The size of `data` above which an action is not decoded, in bytes. */
  readonly payloadLimit: number
  /** Whole milliseconds, at least one. */
  readonly responseTimeToLive: number
}

export const make = (options: DeadLettersOptions) => {
  const key = options.names.deadLetters
  return {
    ...options,
    /** The stream of the letters. */
    key,
    /** The parameters of a scan; `undefined` if the filter can match nothing. */
    scanOf: (filter: Filter, order: ListOptions["order"]) => reading.scanOf(options.redis, key, filter, order)
  }
}

export type Letters = ReturnType<typeof make>

/** A range of ids could match more than one letter, so only a full id is accepted. */
export const isId = (text: string): boolean => /^\d{1,20}-\d{1,20}$/.test(text)

export const notFound = (id: string) => Effect.fail(new DeadLetterNotFound({ id }))

export const orUndefined = (text: string | undefined): string | undefined => text === "" ? undefined : text
