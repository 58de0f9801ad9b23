/** The trace context of a message: the stream field `traceparent`, in the format of W3C Trace Context. */
import * as Headers from "effect/http/Headers"
import * as HttpTraceContext from "effect/http/HttpTraceContext"
import * as Option from "effect/Option"
import type * as Tracer from "effect/Tracer"
import type { DomainAction } from "../../DomainAction.ts"
import type { Entry } from "./entry.ts"

/**
 * The length of a header of version 00, the only version that is read. The field of an untrusted sender may be as long
 * as an entry.
 */
const exactLength = 55

export const parse = (value: string): Tracer.ExternalSpan | undefined =>
  value.length === exactLength
    ? Option.getOrUndefined(HttpTraceContext.w3c(Headers.fromRecordUnsafe({ traceparent: value })))
    : undefined

const hexadecimal = /^[0-9a-f]+$/i

/** `undefined` for ids of a tracer that do not fit W3C, because they could not be read. */
export const format = ({ sampled, spanId, traceId }: Tracer.AnySpan): string | undefined => {
  if (traceId.length > 32 || spanId.length > 16 || !hexadecimal.test(traceId) || !hexadecimal.test(spanId)) {
    return undefined
  }
  return `00-${traceId.toLowerCase().padStart(32, "0")}-${spanId.toLowerCase().padStart(16, "0")}-${
    sampled ? "01" : "00"
  }`
}

/** The trace as a `trace_id` of the envelope: a UUID of the same 128 bits. */
export const traceIdOf = (value: string): string => {
  const id = value.slice(3, 35)
  return `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20)}`
}

/**
 * The span of the sender. A Python service sends none, so the `trace_id` of its envelope is the trace, and the first
 * half of its `action_id` replaces the span that it did not record.
 */
export const senderOf = (entry: Entry, action: DomainAction): Tracer.ExternalSpan | undefined => {
  if (entry.traceparent !== undefined) {
    const span = parse(entry.traceparent)
    if (span !== undefined) return span
  }
  if (action.trace_id === null) return undefined
  const traceId = action.trace_id.replaceAll("-", "").toLowerCase()
  const spanId = action.action_id.replaceAll("-", "").toLowerCase().slice(0, 16)
  return parse(`00-${traceId}-${spanId}-01`)
}
