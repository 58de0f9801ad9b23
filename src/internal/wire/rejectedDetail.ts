/** The error that the caller of a rejected action gets. */
import type { ErrorDetail } from "../../DomainAction.ts"
import type { Rejected } from "../../HandlerError.ts"

export const rejectedDetail = ({ details, errorCode, errorType, message }: Rejected): ErrorDetail => ({
  error_type: errorType,
  error_code: errorCode,
  message,
  details
})
