/** Scripts that show the lanes of a service. They change nothing. Places in lists are numbers, because keys are payload. */
import { luaHead, maxLookedBytes } from "./inspect.ts"
import { type LaneKeys, laneKeys, luaNotes } from "./laneKeys.ts"
import { luaRecords } from "./records.ts"
import { define, luaInteger, luaNow } from "./script.ts"

/** Lanes on a page. */
export const maxLanesListed = 100

/** Entries of a lane that are named as its holders. */
const maxHolders = 10

/** Lua: a lane ends at the second NUL of a member. */
const luaLaneIn = `local function laneIn(member)
  local name = member:find('\\0', 1, true)
  return member:sub(1, member:find('\\0', name + 1, true) - 1)
end
`

/**
 * Lanes that hold, wait, or are stopped, in the order of their names. With `stopped`, those that are stopped. Replies with the
 * time, where to continue (empty: that was all), and for each lane its name, how many hold it and wait, its pause, the places of
 * those that hold it, and the first that waits.
 */
export const readLanes = define<
  LaneKeys & {
    /** A position in each of the sorted sets; empty for the first page. */
    readonly cursor: string
    readonly stopped: boolean
    readonly limit: number
  }
>({
  lua: `${luaNow}${luaInteger}${luaLaneIn}
local held, waiting, rules, stopped = KEYS[4], KEYS[5], KEYS[7], KEYS[9]
local limit, sources, replies = tonumber(ARGV[3]), { held, waiting, stopped }, {}
if ARGV[2] == '1' then sources = { stopped } end
local from = {}
for at in ARGV[1]:gmatch('%d+') do from[#from + 1] = at end
local lane
local function nextIn(key, i)
  local member
  if lane then
    member = redis.call('ZRANGE', key, '[' .. lane .. '\\1', '+', 'BYLEX', 'LIMIT', 0, 1)[1]
  else
    member = redis.call('ZRANGE', key, from[i] or 0, from[i] or 0)[1]
  end
  return member and laneIn(member)
end
local cursor = ''
while true do
  local least
  for i, key in ipairs(sources) do
    local found = nextIn(key, i)
    if found and (not least or found < least) then least = found end
  end
  if not least then break end
  if #replies == limit then
    local ranks = {}
    for i, key in ipairs(sources) do ranks[i] = integer(redis.call('ZLEXCOUNT', key, '-', '(' .. lane .. '\\1')) end
    cursor = table.concat(ranks, '.')
    break
  end
  lane = least
  local low, high = '[' .. lane .. '\\0', '(' .. lane .. '\\1'
  local places = redis.call('ZRANGE', held, low, high, 'BYLEX', 'LIMIT', 0, ${maxHolders})
  for i = 1, #places do places[i] = places[i]:sub(#lane + 2) end
  local first = redis.call('ZRANGE', waiting, low, high, 'BYLEX', 'LIMIT', 0, 1)[1]
  replies[#replies + 1] = {
    lane, redis.call('ZLEXCOUNT', held, low, high), redis.call('ZLEXCOUNT', waiting, low, high),
    redis.call('HMGET', rules, 'pause:' .. lane)[1] or '', places, first and first:sub(#lane + 2) or ''
  }
end
return { integer(now()), cursor, replies }
`,
  keys: laneKeys,
  args: (params) => [params.cursor, params.stopped ? "1" : "0", String(params.limit)]
})

/** Names of lanes that one call takes as an example of their number. */
const maxNames = 200

/**
 * The names of lanes, their limits, and how many actions hold and wait in all lanes of a name. Replies with how many lanes are
 * stopped, and a row for each name: the limits that workers or senders declared, those of an operator, and the two numbers.
 */
export const readNames = define<LaneKeys>({
  lua: `local held, waiting, rules, stopped = KEYS[4], KEYS[5], KEYS[7], KEYS[9]
local rows = {}
for name in (redis.call('HMGET', rules, 'names')[1] or ''):gmatch('%S+') do
  if #rows == ${maxNames} then break end
  -- A key begins with a character above those that end a lane of all keys.
  local low, high = '[' .. name .. '\\0\\1', '(' .. name .. '\\1'
  local found = redis.call('HMGET', rules, 'declared:' .. name, 'override:' .. name)
  rows[#rows + 1] = {
    name, found[1] or '', found[2] or '', redis.call('ZLEXCOUNT', held, low, high),
    redis.call('ZLEXCOUNT', waiting, low, high)
  }
end
return { redis.call('ZCARD', stopped), rows }
`,
  keys: laneKeys,
  args: () => []
})

/**
 * Actions that wait in a lane, or in all lanes, in their order. A row is the parking id, size, head of the data, its length, the
 * time since when, the field `expires` and the lane. Replies with rows, and the position to continue at, which is empty at the end.
 */
export const listQueued = define<
  LaneKeys & {
    /** Empty for all. */
    readonly lane: string
    readonly cursor: number
    readonly limit: number
    /** Bytes of each payload that are transferred. */
    readonly head: number
  }
>({
  lua: `${luaRecords}${luaNotes}${luaLaneIn}
local entries, waiting, lane = KEYS[2], KEYS[5], ARGV[1]
local cursor, limit, head = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local budget, rows, low, high = ${maxLookedBytes}, {}, 0, redis.call('ZCARD', waiting)
${luaHead}if lane ~= '' then
  low = redis.call('ZLEXCOUNT', waiting, '-', '(' .. lane .. '\\0')
  high = redis.call('ZLEXCOUNT', waiting, '-', '(' .. lane .. '\\1')
end
local to = math.min(low + cursor + limit, high) - 1
local found = redis.call('ZRANGE', waiting, low + cursor, to)
for _, member in ipairs(found) do
  if budget <= 0 then break end
  cursor = cursor + 1
  local inside = laneIn(member)
  local number, id = member:sub(#inside + 2):match('^(%d+%.%d+)%z(.*)$')
  local record = number and id:sub(1, 4) ~= 'all\\0' and redis.call('HGET', entries, id)
  if record then
    local size, data, length, expires = headOf(unpacked(record))
    budget = budget - size
    rows[#rows + 1] = { id, size, data, length, number, expires, inside }
  end
end
return { rows, low + cursor < high and cursor or '' }
`,
  keys: laneKeys,
  args: (params) => [params.lane, String(params.cursor), String(params.limit), String(params.head)]
})

/**
 * The lane that has an id: the SHA-1 of its name. Looks at some lanes from a position on. Replies with the lane (empty: not among
 * these) and the next position (empty at the end).
 */
export const findLane = define<LaneKeys & { readonly id: string; readonly cursor: string; readonly limit: number }>({
  lua: `${luaInteger}${luaLaneIn}
local held, waiting, stopped, id, limit = KEYS[4], KEYS[5], KEYS[9], ARGV[1], tonumber(ARGV[3])
local which, at = ARGV[2]:match('^(%d)%.(%d+)$')
local sources, lane = { stopped, held, waiting }, nil
which, at = tonumber(which or 1), at or '0'
for _ = 1, limit do
  local key, member = sources[which], nil
  if lane then
    member = redis.call('ZRANGE', key, '[' .. lane .. '\\1', '+', 'BYLEX', 'LIMIT', 0, 1)[1]
  else
    member = redis.call('ZRANGE', key, at, at)[1]
  end
  if member then
    lane = laneIn(member)
    if redis.sha1hex(lane):sub(1, #id) == id then return { lane, '' } end
  elseif which == 3 then
    return { '', '' }
  else
    which, at, lane = which + 1, '0', nil
  end
end
if lane then at = integer(redis.call('ZLEXCOUNT', sources[which], '-', '(' .. lane .. '\\1')) end
return { '', which .. '.' .. at }
`,
  keys: laneKeys,
  args: (params) => [params.id, params.cursor, String(params.limit)]
})
