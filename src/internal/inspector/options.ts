/** The values that the options of the inspector take. */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import { type Kind, oneOf, row, text, time, wholeNumber } from "../base/options.ts"
import { maxEntries } from "../scripts/bounds.ts"
import { isActionType } from "../wire/fields.ts"

export const listRows = {
  limit: row(wholeNumber(1, maxEntries), 100),
  state: oneOf("waiting", "running", "retrying", "scheduled", "queued", "dead"),
  position: text(/^\d{1,15}$/, "the cursor of a page of the same list")
} as const

export const findRows = { limit: row(wholeNumber(1), 100_000) } as const

export const actionType = {
  ...text(/^/, "an action type, such as \"payment.charge\""),
  decode: (value: unknown): string | undefined => typeof value === "string" && isActionType(value) ? value : undefined
}

export const pauseRows = {
  for: time("1 second", "365 days", { example: "10 minutes" }),
  // oxlint-disable-next-line no-control-regex -- those are what is refused
  reason: row(text(/^[^\u0000-\u001f\u007f]{0,200}$/, "at most 200 characters on one line"), "")
} as const

export const purgeRows = {
  state: oneOf("waiting", "retrying", "scheduled", "queued"),
  olderThan: time(0, undefined, { example: "1 hour" }),
  limit: row(wholeNumber(0, undefined, { orInfinity: true }), Number.POSITIVE_INFINITY)
} as const

const dateTime: Kind<DateTime.DateTime> = {
  expected: "a DateTime",
  decode: (value) => DateTime.isDateTime(value) ? value : undefined,
  show: (value) => DateTime.isDateTime(value) ? DateTime.formatIso(value) : text(/^/, "").show(value),
  fromText: () => undefined
}

export const statisticsRows = {
  last: row(time("1 minute", "48 hours", { example: "1 hour" }), Duration.hours(1)),
  until: dateTime
} as const
