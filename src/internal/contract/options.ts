/**
 * The values that the options of a contract take. Those that a worker has too are the worker's settings.
 */
import { handlerTimeout, maxAttempts } from "../base/attempts.ts"
import { schedule } from "../base/options.ts"

export const contractRows = { retry: schedule, maxAttempts, handlerTimeout } as const
