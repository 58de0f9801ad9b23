/**
 * Scripts with which an operator changes what does not run: remove, make due, make a dead letter, pause.
 *
 * The fence is that of the workers: an entry that a consumer holds is left to it, in the same step that would change it.
 */
import { heldWidth, mostNumbers } from "../redis/pauses.ts"
import { laneField, replaysField } from "../wire/entry.ts"
import { luaEnter } from "./enter.ts"
import { type LaneKeys, laneKeys } from "./laneKeys.ts"
import { luaLanes, maxLetIn } from "./lanes.ts"
import { luaWriteLetter } from "./letter.ts"
import { luaUnqueue } from "./park.ts"
import { luaRecords } from "./records.ts"
import { define, luaBefore, luaInteger, luaNow } from "./script.ts"

interface EntryKeys extends LaneKeys {
  readonly retryDue: string
  readonly retryRecords: string
  readonly deadLetters: string
  readonly group: string
  readonly waitingConsumer: string
}

const entryKeys = (
  params: Pick<EntryKeys, "stream" | "retryDue" | "retryRecords" | "deadLetters">
) => [params.stream, params.retryDue, params.retryRecords, params.deadLetters]

/** For what removes entries: their places in lanes are given back. */
const keysOf = (params: EntryKeys) => [...entryKeys(params), ...laneKeys(params).slice(1)]

/**
 * Lua: `stateOf(id)` is `missing`, `running` and the consumer, `retrying`, `waiting`, `shared` (not delivered, and other
 * groups may need it) or `ended`, the row of the pending list, and the fields.
 */
const luaStates = `${luaBefore}
local stream, due, records, dead, group, waiting = KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1], ARGV[2]
local groups, read = 0, nil
if redis.call('EXISTS', stream) == 1 then
  for _, row in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local info = {}
    for i = 1, #row, 2 do info[row[i]] = row[i + 1] end
    groups = groups + 1
    if info.name == group then read = info['last-delivered-id'] end
  end
end
local function stateOf(id)
  local found = redis.call('XRANGE', stream, id, id)[1]
  if not found then return 'missing', '' end
  local row = read and redis.call('XPENDING', stream, group, id, id, 1)[1]
  if row then
    if row[2] ~= waiting then return 'running', row[2] end
    return 'retrying', '', row, found[2]
  end
  if read and not before(read, id) then return 'ended', '' end
  if groups > 1 or (groups == 1 and not read) then return 'shared', '' end
  return 'waiting', '', nil, found[2]
end
`

/**
 * Lua: `remove(id, state, values, gaveUp)` removes an entry, and then gives its place in a lane back. An entry that was adopted does
 * not name its lane, and its place is found void by the workers.
 */
const luaRemove = `${luaNow}${luaInteger}
local made
local function lanes()
  if not made then
    ${luaRecords}${luaEnter}${luaLanes}
    made = lanesOf(stream, KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11], KEYS[12], now(), ${maxLetIn})
  end
  return made
end
local function remove(id, state, values, gaveUp)
  if state == 'retrying' then
    redis.call('ZREM', due, id)
    redis.call('HDEL', records, id)
    redis.call('XACK', stream, group, id)
  end
  if groups <= 1 then redis.call('XDEL', stream, id) end
  for i = 1, #values - 1, 2 do
    local name, value = values[i], values[i + 1]
    if name == '${laneField}' and value:find('^[tn]:[%w_.%-]+%z[^%c]+$') then return lanes().leave(value, id, gaveUp) end
  end
end
`

/** Removes entries that do not run. Replies with a state and a consumer for each; `waiting` and `retrying` are removed. */
export const removeEntries = define<EntryKeys & { readonly ids: ReadonlyArray<string> }>({
  lua: `${luaStates}${luaRemove}
local replies = {}
for i = 3, #ARGV do
  local state, consumer, _, values = stateOf(ARGV[i])
  if state == 'retrying' or state == 'waiting' then remove(ARGV[i], state, values, false) end
  replies[#replies + 1] = state
  replies[#replies + 1] = consumer
end
return replies
`,
  keys: keysOf,
  args: (params) => [params.group, params.waitingConsumer, ...params.ids]
})

/** Makes an entry that waits for a retry due now. Replies with its state, which may also be `held`, and a consumer. */
export const hasten = define<Omit<EntryKeys, keyof LaneKeys> & { readonly stream: string; readonly id: string }>({
  lua: `${luaNow}${luaInteger}${luaStates}
local state, consumer = stateOf(ARGV[3])
if state == 'retrying' then
  if tonumber(redis.call('ZSCORE', due, ARGV[3]) or 0) >= ${heldWidth} then return { 'held', '' } end
  redis.call('ZADD', due, integer(now()), ARGV[3])
end
return { state, consumer }
`,
  keys: entryKeys,
  args: (params) => [params.group, params.waitingConsumer, params.id]
})

/** Lua: `letterOf(id, values, deliveries)` writes a dead letter with the notes in the arguments, and returns its id. */
const luaLetterOf = (first: number): string =>
  `${luaWriteLetter}local function letterOf(id, values, deliveries, attempts)
  local letter = {
    'action_id', ARGV[${first}],
    'action_type', ARGV[${first + 1}],
    'attempts', attempts,
    'deliveries', deliveries,
    'hops', values[#values - 1] == '${replaysField}' and values[#values]:match('^%d+$') or '0',
    'reason', 'rejected',
    'error_type', 'Buried',
    'error_code', '',
    'message', ARGV[${first + 2}]
  }
  return writeLetter(redis.call, dead, letter, id, group, '', integer(now()), values)
end
`

interface Notes {
  readonly actionId: string
  readonly actionType: string
  readonly message: string
}

/** Makes an entry that does not run a dead letter. Replies with its state, and the letter or a consumer. */
export const buryEntry = define<EntryKeys & Notes & { readonly id: string }>({
  lua: `${luaStates}${luaRemove}${luaLetterOf(4)}
local id = ARGV[3]
local state, consumer, row, values = stateOf(id)
if state ~= 'retrying' and state ~= 'waiting' then return { state, consumer } end
local record = redis.call('HGET', records, id) or ''
local letter = letterOf(id, values, integer(row and row[4] or 0), record:match('^%d+') or '0')
remove(id, state, values, true)
return { state, letter }
`,
  keys: keysOf,
  args: (params) => [
    params.group,
    params.waitingConsumer,
    params.id,
    params.actionId,
    params.actionType,
    params.message
  ]
})

/** Makes a parked action a dead letter. Replies with the letter, or nothing if it is not parked. */
export const buryParked = define<
  Notes & {
    readonly parkedEntries: string
    readonly parkedDue: string
    readonly lanesWaiting: string
    readonly deadLetters: string
    readonly group: string
    readonly parkingId: string
  }
>({
  lua: `${luaNow}${luaInteger}${luaRecords}${luaUnqueue}
local entries, due, dead, waiting, group, id = KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1], ARGV[2]
${luaLetterOf(3)}local record = redis.call('HGET', entries, id)
if not record then return false end
local letter = letterOf('0-0', unpacked(record), '0', '0')
unqueue(waiting, id, record)
redis.call('HDEL', entries, id)
redis.call('ZREM', due, id)
return letter
`,
  keys: (params) => [params.parkedEntries, params.parkedDue, params.deadLetters, params.lanesWaiting],
  args: (params) => [params.group, params.parkingId, params.actionId, params.actionType, params.message]
})

// -----------------------------------------------------------------------------
// pauses
// -----------------------------------------------------------------------------

/**
 * Pauses a service or a type. Replies with the time at which the pause ends; `halted` if it lasts. A pause that is changed keeps
 * its number, and a new one gets a number that no pause has and for which nothing waits.
 */
export const pause = define<{
  readonly paused: string
  readonly retryDue: string
  readonly field: string
  /** Milliseconds; `undefined` until it is ended. */
  readonly lasts: number | undefined
  readonly reason: string
}>({
  lua: `${luaNow}${luaInteger}
local paused, due, field, time = KEYS[1], KEYS[2], ARGV[1], now()
local ends = ARGV[2] == '' and 'halted' or integer(time + tonumber(ARGV[2]))
local taken, number = {}, nil
local all = redis.call('HGETALL', paused)
for i = 1, #all, 2 do
  local used = all[i + 1]:match('^%S+ (%d+)')
  if used then taken[tonumber(used)] = true end
  if all[i] == field then number = tonumber(used) end
end
local function waits(candidate)
  local from, to = integer(candidate * ${heldWidth}), '(' .. integer((candidate + 1) * ${heldWidth})
  return #redis.call('ZRANGE', due, from, to, 'BYSCORE', 'LIMIT', 0, 1) > 0
end
if not number then
  number = 1
  while number < ${mostNumbers} and (taken[number] or waits(number)) do number = number + 1 end
end
redis.call('HSET', paused, field, ends .. ' ' .. integer(number) .. ' ' .. ARGV[3])
return ends
`,
  keys: (params) => [params.paused, params.retryDue],
  args: (params) => [params.field, params.lasts === undefined ? "" : String(params.lasts), params.reason]
})

/** Removes a pause. With a value only if it is still that. Replies with how many were removed. */
export const unpause = define<{ readonly paused: string; readonly field: string; readonly value?: string }>({
  lua: `if ARGV[2] and redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
return redis.call('HDEL', KEYS[1], ARGV[1])
`,
  keys: (params) => [params.paused],
  args: ({ field, value }) => value === undefined ? [field] : [field, value]
})
