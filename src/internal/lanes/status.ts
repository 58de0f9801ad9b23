/** What scripts reply about lanes, as the models of `Lanes`. */
import type * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import { createHash } from "node:crypto"
import type { LaneNameRef, LaneRef, LaneRules, LaneStatus, LaneSummary } from "../../Lanes.ts"
import { dateOf } from "../base/dates.ts"
import { array, strings } from "../redis/reply.ts"
import { laneOf as lane, numberPattern } from "../scripts/laneKeys.ts"
import { millisOf } from "../wire/entry.ts"

export const nameOf = (ref: LaneRef | LaneNameRef): string =>
  ref.name === undefined ? `t:${ref.type ?? ""}` : `n:${ref.name}`

export const laneOf = (ref: LaneRef): string => lane(nameOf(ref), ref.key)

/** Digits of an id: enough that no two of a service are the same. */
export const idDigits = 16

export const idOf = (lane: string): string => createHash("sha1").update(lane).digest("hex").slice(0, idDigits)

/** The type or the name, from `t:<type>` or `n:<name>`. */
export const ownerOf = (name: string): { readonly type: string | undefined; readonly name: string | undefined } =>
  name.startsWith("n:") ? { type: undefined, name: name.slice(2) } : { type: name.slice(2), name: undefined }

/** The owner and the key of a lane. The lane of all keys has an empty one. */
export const partsOf = (lane: string) => {
  const [name = "", key = ""] = lane.split("\0")
  return { ...ownerOf(name), key }
}

/** When an action got its number in the queue. */
export const numberedAt = (number: string): DateTime.Utc | undefined => {
  const found = numberPattern.exec(number)
  return found === null ? undefined : dateOf(Number(found[2]))
}

const open = { state: "open", until: undefined, haltedAt: undefined, haltedBy: undefined } as const

const stateOf = (
  pause: string,
  now: number
): Pick<LaneStatus, "state" | "until" | "haltedAt" | "haltedBy"> => {
  const [first = "", time, by] = pause.split(" ")
  if (first === "halted") {
    return { state: "halted", until: undefined, haltedAt: dateOf(Number(time) || 0), haltedBy: by }
  }
  const until = Number(first) || 0
  return until > now ? { ...open, state: "paused", until: dateOf(until) } : open
}

export const statusOf = (now: number, showsKeys: boolean) => (row: unknown): LaneStatus => {
  const [text, held, waiting, pause, places, first] = array(row)
  const lane = String(text)
  const { key, ...owner } = partsOf(lane)
  return {
    id: idOf(lane),
    ...owner,
    key: key === "" || !showsKeys ? undefined : key,
    total: key === "",
    held: Number(held),
    waiting: Number(waiting),
    holders: strings(places).map((entryId) => ({ entryId, since: dateOf(millisOf(entryId)) })),
    waitingSince: numberedAt(String(first).split("\0")[0]!),
    ...stateOf(String(pause), now)
  }
}

const numberAt = (parts: ReadonlyArray<string | undefined>, index: number): number | undefined => {
  const number = Number(parts[index])
  return parts[index] === undefined || Number.isNaN(number) ? undefined : number
}

const rateAt = (parts: ReadonlyArray<string | undefined>, index: number): LaneRules["rate"] => {
  const limit = numberAt(parts, index)
  const per = numberAt(parts, index + 1)
  return limit === undefined || per === undefined ? undefined : { limit, per: Duration.millis(per) }
}

/** Limits from the words of a rule, without the letter in front. */
const rulesOf = (parts: ReadonlyArray<string | undefined>): LaneRules => {
  const max = numberAt(parts, 3)
  const word = parts[3]
  const total = { concurrency: numberAt(parts, 5), rate: rateAt(parts, 6) }
  return {
    concurrency: numberAt(parts, 0) ?? 1,
    rate: rateAt(parts, 1),
    backlog: max === undefined ? word === "latest" || word === "drop" ? word : "wait" : { max },
    onGiveUp: parts[4] === "halt" ? "halt" : "continue",
    total: total.concurrency === undefined && total.rate === undefined ? undefined : total
  }
}

export const summaryOf = (row: unknown): LaneSummary => {
  const [name, declared, override, held, waiting] = array(row)
  const own = String(declared).split(" ").slice(1)
  const over = String(override).split(" ").slice(1)
  const both = Array.from({ length: 8 }, (_, i) => over[i] === undefined || over[i] === "-" ? own[i] : over[i])
  return {
    ...ownerOf(String(name)),
    held: Number(held),
    waiting: Number(waiting),
    rules: rulesOf(both),
    declared: own.length === 0 ? undefined : rulesOf(own),
    overridden: over.length > 0
  }
}
