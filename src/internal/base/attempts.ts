/**
 * Options that a contract, a worker and the settings have alike.
 */
import { time, wholeNumber } from "./options.ts"

export const maxAttempts = wholeNumber(1, 10_000)

export const handlerTimeout = time("1 millis", "30 days", { orInfinity: true })
