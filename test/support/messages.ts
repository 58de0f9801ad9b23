/** Messages as they are written by hand. */
import * as DomainAction from "../../src/DomainAction.ts"

/** The text of an action that a client sends. */
export const actionOf = (type: string, number: number, options: {
  readonly data: { readonly [key: string]: unknown }
  readonly list?: string | undefined
  readonly metadata?: { readonly [key: string]: unknown } | undefined
}): string =>
  DomainAction.encode(DomainAction.make({
    action_id: `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`,
    action_type: type,
    timestamp: "2025-06-29T04:03:00.123456Z",
    correlation_id: "00000007-0000-4000-8000-000000000007",
    callback_queue_name: options.list ?? null,
    data: options.data,
    metadata: options.metadata ?? null
  }))
