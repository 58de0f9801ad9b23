/** What the failure of a handler means for its action. */
import type { Any, DispositionOverrides } from "../../Action.ts"
import { isRejected, isRetryLater } from "../../HandlerError.ts"
import { codecOf } from "./codec.ts"

/** `rejected` is answered with an error; `retryable` and `undeclared` are run again. */
export type Disposition = "rejected" | "retryable" | "undeclared"

/**
 * Returns the disposition of a handler's error.
 *
 * `Rejected` is always `rejected` and `RetryLater` is always `retryable`. A declared error has the disposition that its
 * schema is annotated with, by default `rejected`. In a union, each member has its own. Any other error, and any error
 * without a contract (`undefined`), is `undeclared`.
 */
export const dispositionOf = (
  action: Any | undefined,
  error: unknown,
  overrides?: DispositionOverrides | undefined
): Disposition => {
  if (isRetryLater(error)) return "retryable"
  if (isRejected(error)) return "rejected"
  const member = action === undefined ? undefined : codecOf(action).memberOf(error)
  if (member === undefined) return "undeclared"
  return overrides !== undefined && Object.hasOwn(overrides, member.label)
    ? overrides[member.label] ?? member.disposition
    : member.disposition
}
