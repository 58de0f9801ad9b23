/** The text of a failure action, which tells a caller who asked for a callback that its action was given up. */
import * as Result from "effect/Result"
import * as DomainAction from "../../DomainAction.ts"
import type { FailureAction } from "../../Settlement.ts"
import { refusalOf } from "../wire/json.ts"

export interface FailureOptions extends DomainAction.AnswerOptions {
  /** The service that gave up the action. */
  readonly originService: string
  /** The size of the largest action that workers accept, in bytes. */
  readonly payloadLimit: number
}

/** Candidates for the data of the action, from the most complete to the smallest. The payload is left out first. */
const dataOf = (
  action: DomainAction.DomainAction,
  { payload }: FailureAction,
  error: DomainAction.ErrorDetail
): ReadonlyArray<DomainAction.DomainAction["data"]> => {
  const short = { ...error, details: null }
  if (payload === "none") return [{ ...error }, short]
  const omitted = { payload_omitted: true }
  const without = [{ ...error, ...omitted }, { ...short, ...omitted }]
  return payload === "include" ? [{ ...error, payload: action.data }, ...without] : without
}

export const encodeFailure = (
  action: DomainAction.DomainAction,
  failure: FailureAction,
  error: DomainAction.ErrorDetail,
  options: FailureOptions
): string => {
  const envelope = {
    ...DomainAction.callback(action, {}, { ...options, actionType: failure.actionType }),
    metadata: { failed_action_id: action.action_id }
  }
  let text = ""
  for (const data of dataOf(action, failure, error)) {
    // The details of an error may not be JSON.
    const encoded = Result.try(() => DomainAction.encode({ ...envelope, data }))
    if (Result.isFailure(encoded)) continue
    text = encoded.success
    if (refusalOf(text, options.payloadLimit) === undefined) break
  }
  return text
}
