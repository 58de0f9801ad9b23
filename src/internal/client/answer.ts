/** Interprets the answer to a request by its contract: a success, a declared error, or an undeclared failure. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Action from "../../Action.ts"
import type { DomainActionResponse } from "../../DomainAction.ts"
import { codecOf } from "../contract/codec.ts"
import { validationDetail } from "../contract/validationDetail.ts"
import { RemoteFailure } from "./errors.ts"

/** An answer that cannot be read. The reason is a sentence without any part of the answer. */
export class Unreadable {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

/** The end of a request that is answered. */
export type Answer = DomainActionResponse | Unreadable

const unreadable = (action: Action.Any, message: string) =>
  new RemoteFailure({
    actionType: action.type,
    errorType: "UnreadableAnswer",
    errorCode: "RESPONSE_DECODE_ERROR",
    message,
    details: null
  })

export const answerOf = (action: Action.Any, response: Answer) => {
  if (response instanceof Unreadable) {
    return Effect.fail(unreadable(action, `The answer cannot be read: ${response.reason}`))
  }
  const codec = codecOf(action)
  if (response.success) {
    return Effect.mapErrorEager(
      codec.decodeSuccess(response.data),
      (error) => unreadable(action, `The answer does not fit the contract: ${validationDetail(error).message}`)
    )
  }
  const detail = response.error ?? {
    error_type: "Unknown",
    error_code: null,
    message: "The service failed and gave no reason",
    details: null
  }
  return Effect.flatMap(codec.decodeError(detail), (declared) =>
    Effect.fail(
      Option.getOrElse(declared, () =>
        new RemoteFailure({
          actionType: action.type,
          errorType: detail.error_type,
          errorCode: detail.error_code,
          message: detail.message,
          details: detail.details
        }))
    ))
}
