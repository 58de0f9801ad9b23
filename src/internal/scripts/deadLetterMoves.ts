/**
 * Scripts that end a dead letter: they put it back into the action stream, send its answer to its list, or drop it by
 * age and number. Writing and removing are one atomic step.
 */
import { laneField } from "../wire/entry.ts"
import { largestBlock } from "./bounds.ts"
import { luaLetter } from "./deadLetter.ts"
import { luaEnter, luaFields, luaReplayed } from "./enter.ts"
import { type LaneKeys, laneKeys } from "./laneKeys.ts"
import { luaLanes, maxLetIn } from "./lanes.ts"
import { luaRecords } from "./records.ts"
import { define, liveArgument, luaInteger, luaLive, luaNow } from "./script.ts"

/** The number of digits of the longest time, in milliseconds, that the server can add to its own. */
export const maxDigits = 16

/** The maximum number of names and values of an entry that Lua can pass to one command, with some room. */
export const maxValues = 7_800

/**
 * Puts the original bytes of letters back into the action stream, or into their lane: to its head if it is halted, otherwise to
 * its end. Replies with a status and a detail for each id, in
 * order: `replayed` (the new entry id; empty if it waits in its lane), `missing`, `hops` (how many), `foreign` (not a dead letter), `wide` (how many
 * fields), `failed` (the error; the call stops there). It ends before a letter with which it would put back more bytes than
 * its budget, unless that is the first.
 */
export const replayLetters = define<
  LaneKeys & {
    readonly deadLetters: string
    /** A letter that was replayed this many times is refused; -1 replays it regardless. */
    readonly maxHops: number
    readonly budget: number
    readonly ids: ReadonlyArray<string>
  }
>({
  lua: `${luaLetter}${luaNow}${luaInteger}${luaEnter}${luaReplayed}
local dead, stream, maxHops, budget = KEYS[1], KEYS[2], tonumber(ARGV[1]), tonumber(ARGV[2])
local done, bytes = {}, 0
local function report(status, detail)
  done[#done + 1] = status
  done[#done + 1] = detail
end
-- Made when it is needed.
local made
local function lanes()
  if not made then
    ${luaRecords}${luaLanes}
    made = lanesOf(stream, KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10], now(), ${maxLetIn})
  end
  return made
end
local function append(id, values)
  for j = 1, #values - 1, 2 do
    if values[j] == '${laneField}' and values[j + 1]:find('^[tn]:[%w_.%-]+%z[^%c]+$') then
      local status, detail = lanes().returns(values[j + 1], 'replay\\0' .. id, unpack(values))
      if status == 'failed' then return { err = detail } end
      return status == 'sent' and detail or ''
    end
  end
  return enter(redis.pcall, stream, unpack(values))
end
-- Fails before anything is written when letters may not be removed.
redis.call('XDEL', dead, '0-0')
for i = 3, #ARGV do
  local id = ARGV[i]
  local letter = redis.call('XRANGE', dead, id, id)[1]
  local fields = letter and letter[2] or {}
  local notes, first, packed = notesOf(fields)
  local values = notes and valuesOf(fields, first, packed)
  local hops = notes and tonumber(notes.hops) or 0
  if not letter then
    report('missing', '')
  elseif not values or #values == 0 then
    report('foreign', '')
  elseif maxHops >= 0 and hops >= maxHops then
    report('hops', integer(hops))
  elseif #values > ${maxValues} then
    report('wide', integer(#values / 2))
  else
    replayed(values, integer(hops + 1))
    local before = bytes
    for j = 1, #values do bytes = bytes + #values[j] end
    if before > 0 and bytes > budget then break end
    local added = append(id, values)
    if type(added) == 'table' then
      report('failed', added.err)
      break
    end
    redis.call('XDEL', dead, id)
    report('replayed', added)
  end
end
return done
`,
  keys: (params) => [params.deadLetters, ...laneKeys(params)],
  args: (params) => [String(params.maxHops), String(params.budget), ...params.ids]
})

/**
 * Pushes the answer kept in a letter. A letter that held only its answer is removed. Any other letter stays, under a
 * new id and without the answer. Replies with `missing`, `unanswered`, `refused` and the reason, or `delivered` and the
 * id of the letter that stays (empty: removed). A time to live that the server would reject is refused before anything
 * is written. Otherwise the answer would be pushed without it, and again by each further call.
 */
export const redeliverAnswer = define<{
  readonly deadLetters: string
  readonly target: string
  readonly kind: "list" | "stream"
  /** How long a list lives, in milliseconds; 0 does not change its expiry. */
  readonly timeToLive: number
  /** The expiry of the list may only be extended, never shortened. Default: false. */
  readonly atLeast?: boolean | undefined
  /** The trace context of an answer in a stream, or its address in another slot. */
  readonly traceparent?: string | undefined
  readonly id: string
}>({
  lua: `${luaLetter}${luaLive}${luaEnter}
local dead, target = KEYS[1], KEYS[2]
local id, kind, ttl, traceparent = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if not ttl:match('^%+?%d+$') or #ttl > ${maxDigits} then return { 'refused', 'ERR no time to live: ' .. ttl } end
local letter = redis.call('XRANGE', dead, id, id)[1]
if not letter then return { 'missing', '' } end
local fields = letter[2]
local notes, first = notesOf(fields)
if not notes or not notes.answer then return { 'unanswered', '' } end
local held = redis.call('TYPE', target).ok
if held ~= 'none' and held ~= kind then return { 'refused', 'WRONGTYPE the answer ' .. kind .. ' holds a ' .. held } end
redis.call('XDEL', dead, '0-0')
local pushed
if kind == 'stream' and traceparent then
  pushed = enter(redis.pcall, target, ${luaFields({ data: "notes.answer", traceparent: "traceparent" })})
elseif kind == 'stream' then
  pushed = enter(redis.pcall, target, ${luaFields({ data: "notes.answer" })})
else
  pushed = redis.pcall('LPUSH', target, notes.answer)
end
if type(pushed) == 'table' then return { 'refused', pushed.err } end
local kept = ''
if notes.reason ~= 'undeliverable' then
  local rest = {}
  for i = 1, #fields, 2 do
    if i >= first or (fields[i] ~= 'answer' and fields[i] ~= 'undeliverable') then
      rest[#rest + 1] = fields[i]
      rest[#rest + 1] = fields[i + 1]
    end
  end
  kept = redis.pcall('XADD', dead, '*', unpack(rest))
  if type(kept) == 'table' then
    -- Taken back, so that the next call does not answer twice.
    if kind == 'stream' then
      redis.call('XDEL', target, pushed)
    else
      redis.call('LPOP', target)
    end
    return { 'refused', kept.err }
  end
end
-- The letter goes before what may be refused: another call would push the answer again.
redis.call('XDEL', dead, id)
if kind == 'list' then live(target, ttl, pushed) end
return { 'delivered', kept }
`,
  keys: (params) => [params.deadLetters, params.target],
  args: (params) => [
    params.id,
    params.kind,
    liveArgument(params),
    ...params.traceparent === undefined ? [] : [params.traceparent]
  ]
})

/**
 * Drops the oldest letters above a number or an age (-1: no limit), about `limit` in each call. Replies with how many
 * were dropped, how many are left, and the age of the oldest in milliseconds (0: none left).
 */
export const boundLetters = define<{
  readonly deadLetters: string
  readonly maxCount: number
  readonly maxAge: number
  readonly limit: number
}>({
  lua: `${luaNow}${luaInteger}
local key, maxCount, maxAge, limit = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local length, dropped = redis.call('XLEN', key), 0
if maxCount >= 0 and length > maxCount then
  dropped = redis.call('XTRIM', key, 'MAXLEN', '=', integer(math.max(maxCount, length - limit)))
end
if maxAge >= 0 and dropped == 0 then
  local oldest = integer(math.max(0, now() - maxAge))
  dropped = redis.call('XTRIM', key, 'MINID', '~', oldest, 'LIMIT', limit)
  -- Whole blocks are trimmed, and a server may be told to make blocks that are larger than the limit.
  if dropped == 0 then dropped = redis.call('XTRIM', key, 'MINID', '~', oldest, 'LIMIT', ${largestBlock}) end
  -- What is left then shares one block with younger letters: no more than a block can hold.
  if dropped == 0 then dropped = redis.call('XTRIM', key, 'MINID', '=', oldest) end
end
local first = redis.call('XRANGE', key, '-', '+', 'COUNT', 1)[1]
local age = first and now() - tonumber(first[1]:match('^%d+')) or 0
return { dropped, length - dropped, integer(math.max(0, age)) }
`,
  keys: (params) => [params.deadLetters],
  args: (params) => [String(params.maxCount), String(params.maxAge), String(params.limit)]
})
