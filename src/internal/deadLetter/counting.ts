/** Counts dead letters by reason, type and error. */
import * as Effect from "effect/Effect"
import type { Filter, Summary, SummaryGroup } from "../../DeadLetter.ts"
import type { Redis } from "../../Redis.ts"
import { dateOf } from "../base/dates.ts"
import { array } from "../redis/reply.ts"
import { countLetters, type ScanParams } from "../scripts/deadLetter.ts"
import * as entry from "../wire/entry.ts"
import { type Letters, orUndefined } from "./letters.ts"
import * as reading from "./reading.ts"

/** Adds the letters of a scan to groups, in calls of a bounded size. */
export const addGroups = Effect.fnUntraced(function*(
  redis: Redis["Service"],
  groups: Map<string, SummaryGroup>,
  from: ScanParams,
  now: number
) {
  const timeOf = (id: string) => dateOf(Math.min(entry.millisOf(id), now))
  let rest: ScanParams | undefined = from
  while (rest !== undefined) {
    const [found, last] = array(yield* redis.eval(countLetters.script)(rest))
    for (const row of array(found)) {
      const [reason = "", actionType = "", errorType = "", counted, first = "", latest = ""] = array(row).map(String)
      const name = JSON.stringify([reason, actionType, errorType])
      const before = groups.get(name)
      groups.set(name, {
        reason: reading.isReason(reason) ? reason : "other",
        actionType: orUndefined(actionType),
        errorType: orUndefined(errorType),
        count: (before?.count ?? 0) + Number(counted),
        oldest: before?.oldest ?? timeOf(first),
        newest: timeOf(latest)
      })
    }
    rest = last === "" || last === undefined ? undefined : reading.after(rest, String(last))
  }
})

/** The groups with the most letters come first. */
export const sorted = (groups: ReadonlyMap<string, SummaryGroup>): ReadonlyArray<SummaryGroup> =>
  [...groups.values()].sort((a, b) => b.count - a.count)

export const make = ({ key, redis, scanOf }: Letters) => {
  const countGroups = Effect.fnUntraced(function*(filter: Filter) {
    const groups = new Map<string, SummaryGroup>()
    const scan = yield* scanOf(filter, "oldest")
    if (scan === undefined) return []
    yield* addGroups(redis, groups, scan, scan.now)
    return sorted(groups)
  })

  const count = Effect.fn("DeadLetter.count")(function*(filter: Filter = {}) {
    if (Object.values(filter).every((part) => part === undefined)) return Number(yield* redis.send("XLEN", key))
    return (yield* countGroups(filter)).reduce((sum, group) => sum + group.count, 0)
  })

  const summary = Effect.fn("DeadLetter.summary")(function*(filter: Filter = {}) {
    const groups = yield* countGroups(filter)
    const totals = (nameOf: (group: SummaryGroup) => string) => {
      const sums = new Map<string, number>()
      for (const group of groups) sums.set(nameOf(group), (sums.get(nameOf(group)) ?? 0) + group.count)
      return Object.fromEntries(sums)
    }
    return {
      total: groups.reduce((sum, group) => sum + group.count, 0),
      groups,
      byReason: totals((group) => group.reason),
      byActionType: totals((group) => group.actionType ?? "")
    } satisfies Summary
  })

  return { count, summary }
}
