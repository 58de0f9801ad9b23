/**
 * Counts in memory what became of deliveries, by action type, until the part `upkeep/statistics` takes the counts. A
 * delivery is counted when its settlement is written: if the reply to it was lost, nothing is counted.
 */
import type { Settlement } from "../../Settlement.ts"
import { columnCount, durationsAt, otherTypes, outcomes, textOf } from "../redis/statistics.ts"
import type { Decision, Written } from "./decision.ts"
import { settledAs } from "./settled.ts"

export interface Counting {
  readonly count: (decision: Decision, written: Written) => void
  /** The counts since the last call, as text. Types without any are left out. */
  readonly take: () => ReadonlyArray<readonly [type: string, counts: string]>
}

const column = (outcome: typeof outcomes[number]): number => outcomes.indexOf(outcome)

const columns: { readonly [K in Settlement["_tag"]]: number } = {
  Ack: column("succeeded"),
  Reply: column("succeeded"),
  Callback: column("succeeded"),
  Reject: column("rejected"),
  Retry: column("retried"),
  DeadLetter: column("deadLetters"),
  Release: column("released"),
  Yield: column("released"),
  Lost: -1
}

const expired = column("expired")

const columnOf = (settlement: Settlement): number =>
  settlement._tag === "Ack" && settlement.expired ? expired : columns[settlement._tag]

/** The counts of one type. */
class Counts {
  counted = false
  readonly columns = new Uint32Array(columnCount)
}

/** `types` are those that have handlers. */
export const make = (types: Iterable<string>): Counting => {
  const other = new Counts()
  const counts = new Map([...types].map((type) => [type, new Counts()]))
  const rows = [...counts, [otherTypes, other] as const]

  const count: Counting["count"] = (decision, written) => {
    const at = columnOf(settledAs(decision, written))
    if (at < 0) return
    const { action, took } = decision
    const own = (action === undefined ? undefined : counts.get(action.action_type)) ?? other
    own.counted = true
    own.columns[at]!++
    if (took !== undefined) own.columns[durationsAt + took]!++
  }

  const take: Counting["take"] = () =>
    rows.flatMap(([type, own]) => {
      if (!own.counted) return []
      const text = textOf(own.columns)
      own.counted = false
      own.columns.fill(0)
      return [[type, text] as const]
    })

  return { count, take }
}
