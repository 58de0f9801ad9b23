/** The keys of lanes, and the texts that scripts read beside them. */
import type { Names } from "../redis/names.ts"

/** The name of a lane. */
export const laneOf = (name: string, key: string): string => `${name}\0${key}`

/** The keys of lanes, in the order in which {@link luaLanes} takes them. */
export type LaneKeys = Pick<
  Names,
  | "stream"
  | "parkedEntries"
  | "parkedDue"
  | "lanesHeld"
  | "lanesWaiting"
  | "lanesSequence"
  | "lanesRules"
  | "lanesRates"
  | "lanesStopped"
>

export const laneKeys = (keys: LaneKeys): ReadonlyArray<string> => [
  keys.stream,
  keys.parkedEntries,
  keys.parkedDue,
  keys.lanesHeld,
  keys.lanesWaiting,
  keys.lanesSequence,
  keys.lanesRules,
  keys.lanesRates,
  keys.lanesStopped
]

/** Lua: keeps the names of lanes, so that their limits can be listed. Declared and overridden limits are few, pauses are not. */
export const luaNamed = `local function named(rules, name)
  local names = redis.call('HMGET', rules, 'names')[1] or ''
  if (names .. ' '):find(' ' .. name .. ' ', 1, true) then return end
  redis.call('HSET', rules, 'names', names .. ' ' .. name)
end
`

/** Lua: reads what a record notes. That is the hash of a key of a deduplication, and the number in the queue. */
export const luaNotes = `local function hashIn(record)
  return record:match('^(%x+)[ \\n]') or ''
end
local function numberIn(record)
  return record:match('^%x* (%d+%.%d+)\\n')
end
`

/** The number of bytes of records after which a call lets in no more. */
export const maxLetInBytes = 1024 * 1024

/** A number in the queue, and when it was given, in milliseconds. */
export const numberPattern = /^(\d{16})\.(\d{13})$/
