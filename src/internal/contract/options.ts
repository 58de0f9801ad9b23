/**
 * The values that the options of a contract take. Those that a worker has too are the worker's settings.
 */
import type { Unique } from "../../Action.ts"
import { handlerTimeout, maxAttempts } from "../base/attempts.ts"
import { callback, schedule } from "../base/options.ts"

export const contractRows = {
  retry: schedule,
  maxAttempts,
  handlerTimeout,
  unique: callback<(payload: never) => Unique>("a function of the payload that returns { key, within }")
} as const
