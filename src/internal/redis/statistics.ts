/**
 * What Redis keeps of the outcomes of a service: a hash for each minute and each quarter of an hour, with a field for
 * each action type. Its value is text, such as `succeeded=12 retried=1 31=9 32=3`: outcomes, and buckets of the durations
 * of handlers. As fields of their own, they would take ten times the memory.
 */
import type { QueueNamingShape } from "../../QueueNaming.ts"
import { bucketCount } from "../base/histogram.ts"
import { statisticsKey } from "./names.ts"

export const outcomes = ["succeeded", "expired", "rejected", "retried", "deadLetters", "released"] as const

/** The first buckets of durations come after the outcomes. */
export const durationsAt = outcomes.length

/** The columns of one type. */
export const columnCount = outcomes.length + bucketCount

/** The field of actions without a handler, whose types senders could invent. No action type is like it. */
export const otherTypes = "other"

export interface Period {
  /** A part of the key. */
  readonly name: "minute" | "quarter"
  /** Its length, in milliseconds. */
  readonly length: number
  /** How long it can be read, in milliseconds. */
  readonly kept: number
}

export const minute: Period = { name: "minute", length: 60_000, kept: 3 * 3_600_000 }
export const quarter: Period = { name: "quarter", length: 15 * 60_000, kept: 48 * 3_600_000 }

/** The beginning of the period in which a time is. All times are in milliseconds by the server's clock. */
export const beginOf = (period: Period, time: number): number => Math.floor(time / period.length) * period.length

/** When the key of a period expires after its last write: it can be read as long as any part of it is asked for. */
export const expiryOf = ({ kept, length }: Period): number => kept + 2 * length

export const keyAt = (naming: QueueNamingShape, service: string, period: Period, time: number): string =>
  statisticsKey(naming, service, period.name, String(Math.floor(time / period.length)))

const nameOf = (column: number): string => outcomes[column] ?? String(column - durationsAt)

/** The columns that are not zero, as text. Empty if there are none. */
export const textOf = (counts: Uint32Array): string => {
  let text = ""
  counts.forEach((count, column) => {
    if (count > 0) text += `${text === "" ? "" : " "}${nameOf(column)}=${count}`
  })
  return text
}

const columnOf: ReadonlyMap<string, number> = new Map(
  Array.from({ length: columnCount }, (_, column) => [nameOf(column), column])
)

/** Adds the columns of a text to an array of {@link columnCount} numbers. Unknown names, of a later version, are left out. */
export const addText = (counts: Array<number>, text: string): void => {
  for (const [, name = "", count] of text.matchAll(/([a-zA-Z0-9]+)=(\d+)/g)) {
    const column = columnOf.get(name)
    if (column !== undefined) counts[column] = (counts[column] ?? 0) + Number(count)
  }
}
