/** The policies of a worker and of its contracts for outcomes. */
import { delayAfter } from "./backoff.ts"
import type { Host } from "./host.ts"
import type { Policy, Subject } from "./settlementOf.ts"

export const policies = (
  { context, options, routes }: Pick<Host, "context" | "options" | "routes">
): (subject: Subject) => Policy => {
  const { callbackErrors, errorReplies, maxAttempts, retry, unknownFor } = options
  const base: Policy = { maxAttempts, unknownFor, retryDelay: delayAfter(retry, context), errorReplies, callbackErrors }
  const own = new Map<string, Policy>()
  for (const [type, route] of routes) {
    const retry = route.action?.retry
    if (retry !== undefined) own.set(type, { ...base, retryDelay: delayAfter(retry, context) })
  }
  return ({ action }) => (own.size > 0 && action !== undefined ? own.get(action.action_type) : undefined) ?? base
}
