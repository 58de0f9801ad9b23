/**
 * The calls that concern lanes alone: sending through them, adopting entries that came without a place, healing what others broke,
 * and changing rules.
 */
import { array } from "../redis/reply.ts"
import { expiresField, laneField, replaysField } from "../wire/entry.ts"
import { maxEntries } from "./bounds.ts"
import { luaEnter, luaFields } from "./enter.ts"
import { type LaneKeys, laneKeys, luaNamed } from "./laneKeys.ts"
import { luaLanes, maxLetIn } from "./lanes.ts"
import { maxFields } from "./letter.ts"
import { luaLacks, luaWhen, type SendTerms } from "./park.ts"
import { luaRecords } from "./records.ts"
import { define, luaBefore, luaInteger, luaNow } from "./script.ts"

const luaBegin = `${luaNow}${luaInteger}${luaRecords}${luaEnter}${luaLanes}`

/** Lua: the lanes of a call whose keys begin at a place. */
const luaMade = (from: number, most: number | string): string =>
  `lanesOf(${Array.from({ length: 9 }, (_, i) => `KEYS[${from + i}]`).join(", ")}, time, ${most})`

// -----------------------------------------------------------------------------
// sending
// -----------------------------------------------------------------------------

export interface LanedAction {
  readonly id: string
  readonly lane: string
  readonly text: string
}

export interface SendLanedParams extends LaneKeys, SendTerms {
  readonly features: string
  /** The rule of the contract. */
  readonly rule: string
  readonly actions: ReadonlyArray<LanedAction>
}

const laned = { data: "text", lane: "lane" } as const

/**
 * Lua: appends the first actions of a call, as long as each finds an empty line, a free place, and limits of concurrency alone. Most
 * do. The functions for all else take three times as long to make as these commands take.
 */
const luaDirectly = `if not unique and when == '' and ARGV[5] == '' then
  local stream, entries, held, waiting, rules = KEYS[2], KEYS[3], KEYS[5], KEYS[6], KEYS[8]
  local groups = redis.pcall('XINFO', 'GROUPS', stream)
  while #groups < 2 and from <= #ARGV do
    local id, lane, text = ARGV[from], ARGV[from + 1], ARGV[from + 2]
    local name = lane:sub(1, lane:find('\\0', 1, true) - 1)
    local limits = redis.call('HMGET', rules, 'declared:' .. name, 'override:' .. name, 'pause:' .. lane)
    local places = limits[1] and not limits[2] and not limits[3] and
      limits[1]:match('^%a (%d+) %- %- [^d]%S* %S+ %- %- %-$')
    local low, high = '[' .. lane .. '\\0', '(' .. lane .. '\\1'
    if
      not places or redis.call('ZLEXCOUNT', held, low, high) >= tonumber(places) or
      #redis.call('ZRANGE', waiting, low, high, 'BYLEX', 'LIMIT', 0, 1) > 0 or redis.call('HEXISTS', entries, id) == 1
    then break end
    local entry
    if traceparent == '' then
      entry = enter(redis.call, stream, ${luaFields(laned)})
    else
      entry = enter(redis.call, stream, ${luaFields({ ...laned, traceparent: "traceparent" })})
    end
    redis.call('ZADD', held, 0, lane .. '\\0' .. entry)
    replies[#replies + 1] = { 'sent', entry }
    from = from + 3
  end
end`

/**
 * Sends actions through their lanes. Replies as `park` does, and also with `waiting` and `full`.
 *
 * The first write needs memory, so that a full server refuses the action and the sender learns of it.
 */
export const sendLaned = define<SendLanedParams>({
  lua: `local features, unique = KEYS[1], KEYS[11]
local needs, within, hash, when, traceparent, rule = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[6], ARGV[7]
${luaLacks}local missing = lacks(features, needs)
if missing then return missing end
${luaEnter}local replies, from = {}, 8
${luaDirectly}
if from > #ARGV then return replies end
${luaNow}${luaInteger}${luaRecords}${luaLanes}${luaWhen}
local time, expires = now(), ''
local at = timeOf(when, time)
if ARGV[5] ~= '' then expires = integer(time + tonumber(ARGV[5])) end
local lanes = ${luaMade(2, maxLetIn)}
lanes.note = hash
local entries, due = KEYS[3], KEYS[4]
local function withFields(call, text, lane)
  if expires == '' then
    if traceparent == '' then return call(${luaFields(laned)}) end
    return call(${luaFields({ ...laned, traceparent: "traceparent" })})
  end
  if traceparent == '' then return call(${luaFields({ ...laned, expires: "expires" })}) end
  return call(${luaFields({ ...laned, traceparent: "traceparent", expires: "expires" })})
end
for i = from, #ARGV, 3 do
  local id, lane, text = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local first = unique and redis.call('GET', unique)
  local reply
  if first then
    reply = { 'duplicate', first:sub(1, 36), first:sub(38) }
  elseif redis.call('HEXISTS', entries, id) == 1 then
    reply = { 'duplicate', id, '' }
  elseif at <= time then
    reply = { withFields(function(...) return lanes.enter(lane, rule, id, false, ...) end, text, lane) }
    if reply[1] == 'failed' then return redis.error_reply(reply[2]) end
  else
    redis.call('HSET', entries, id, hash .. '\\n' .. withFields(packed, text, lane))
    redis.call('ZADD', due, integer(at), id)
    reply = integer(at)
  end
  -- After the append: where that fails, the key is not taken.
  if unique and reply[1] ~= 'duplicate' and reply[1] ~= 'full' then
    redis.call('SET', unique, reply[1] == 'sent' and id .. ' ' .. reply[2] or id, 'PX', within)
  end
  replies[#replies + 1] = reply
end
return replies
`,
  keys: (params) => [
    params.features,
    ...laneKeys(params),
    ...(params.uniqueKey === undefined ? [] : [params.uniqueKey])
  ],
  args: (params) => [
    params.uniqueKey === undefined ? "parked lanes" : "parked unique lanes",
    String(params.within),
    params.uniqueHash,
    params.when,
    params.expiresIn === undefined ? "" : String(params.expiresIn),
    params.traceparent ?? "",
    params.rule,
    ...params.actions.flatMap(({ id, lane, text }) => [id, lane, text])
  ]
})

// -----------------------------------------------------------------------------
// adopting
// -----------------------------------------------------------------------------

export interface Adopted {
  readonly id: string
  readonly deliveries: number
  readonly lane: string
  readonly rule: string
  /** When it is over unless it has started; empty if never. */
  readonly expires: string
}

/**
 * Gives entries that this consumer owns a place in their lane, or moves them behind it. Replies with `held`, `moved` or `lost` for
 * each.
 */
export const adopt = define<
  LaneKeys & {
    readonly retryRecords: string
    readonly group: string
    readonly consumer: string
    readonly retain: boolean
    readonly adopted: ReadonlyArray<Adopted>
  }
>({
  lua: `${luaBegin}
local stream, entries, held, records = KEYS[1], KEYS[2], KEYS[4], KEYS[10]
local group, consumer, retain = ARGV[1], ARGV[2], ARGV[3] == '1'
local time, replies, moved = now(), {}, {}
local lanes = ${luaMade(1, maxLetIn)}
local function isOurs(id, deliveries)
  local row = redis.call('XPENDING', stream, group, id, id, 1)[1]
  return row ~= nil and row[2] == consumer and row[4] == deliveries
end
-- The fields of an entry as they are queued: with its lane and its end, and in the order in which they are read.
local function withLane(fields, lane, expires)
  local values, replays = {}, nil
  for i = 1, math.min(#fields, ${maxFields}), 2 do
    local name = fields[i]
    if name == '${replaysField}' and i == #fields - 1 then
      replays = fields[i + 1]
    elseif name ~= '${laneField}' and (name ~= '${expiresField}' or expires == '') then
      values[#values + 1] = name
      values[#values + 1] = fields[i + 1]
    end
  end
  local function add(name, value)
    values[#values + 1] = name
    values[#values + 1] = value
  end
  add('${laneField}', lane)
  if expires ~= '' then add('${expiresField}', expires) end
  if replays then add('${replaysField}', replays) end
  return values
end
-- What is moved frees as much as it takes, so that a full server can be worked off.
redis.call('XACK', stream, group, '0-0')
for i = 4, #ARGV, 5 do
  local id, deliveries, lane, rule, expires = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local reply = 'lost'
  if redis.call('ZSCORE', held, lane .. '\\0' .. id) then
    reply = 'held'
  elseif isOurs(id, deliveries) then
    if lanes.take(lane, rule, id) then
      reply = 'held'
    else
      local found = redis.call('XRANGE', stream, id, id)[1]
      if found then
        lanes.queue(lane, id, withLane(found[2], lane, expires))
        redis.call('HDEL', records, id)
        redis.call('XACK', stream, group, id)
        moved[#moved + 1] = id
        reply = 'moved'
      end
    end
  end
  replies[#replies + 1] = reply
end
if #moved > 0 and not retain and #redis.call('XINFO', 'GROUPS', stream) == 1 then redis.call('XDEL', stream, unpack(moved)) end
return replies
`,
  keys: (params) => [...laneKeys(params), params.retryRecords],
  args: (params) => [
    params.group,
    params.consumer,
    params.retain ? "1" : "0",
    ...params.adopted.flatMap(({ deliveries, expires, id, lane, rule }) => [
      id,
      String(deliveries),
      lane,
      rule,
      expires
    ])
  ]
})

// -----------------------------------------------------------------------------
// healing
// -----------------------------------------------------------------------------

/** Lanes that one call looks at. */
const maxLanes = 100

export interface HealParams extends LaneKeys {
  readonly group: string
  /** Where the look at lanes with waiting actions continues, and where that at places does. Empty: at the beginning. */
  readonly lanesAfter: string
  readonly placesAfter: string
  /** Places that were void for at least a lease. They are released if they still are. */
  readonly confirmed: ReadonlyArray<string>
}

/**
 * Looks for places that no worker will give back, releases those that were found long enough ago, and lets in what may go. Replies
 * with the void places, where to continue in both, how many were released, how many were let in, and how many were over.
 */
export const heal = define<HealParams>({
  lua: `${luaBegin}${luaBefore}
local stream, held, waiting = KEYS[1], KEYS[4], KEYS[5]
local group, lanesAfter, placesAfter = ARGV[1], ARGV[2], ARGV[3]
local time, read, void, looked, released = now(), '0-0', {}, 0, 0
local lanes = ${luaMade(1, maxLetIn)}
for _, info in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  local fields = {}
  for i = 1, #info, 2 do fields[info[i]] = info[i + 1] end
  if fields.name == group then read = fields['last-delivered-id'] end
end
-- A lane ends at the second NUL.
local function laneOf(member)
  local name = member:find('\\0', 1, true)
  return member:sub(1, member:find('\\0', name + 1, true) - 1)
end
local function isVoid(member)
  looked = looked + 1
  local id = member:match('(%d+%-%d+)$')
  if not id then return true end
  if #redis.call('XRANGE', stream, id, id) == 0 then return true end
  return not before(read, id) and #redis.call('XPENDING', stream, group, id, id, 1) == 0
end
redis.call('XACK', stream, group, '0-0')
for i = 4, #ARGV do
  local lane = laneOf(ARGV[i])
  if redis.call('ZSCORE', held, ARGV[i]) and isVoid(ARGV[i]) then
    if lane:byte(-1) == 0 then
      redis.call('ZREM', held, ARGV[i])
      lanes.fill(lane)
    else
      lanes.leave(lane, ARGV[i]:sub(#lane + 2))
    end
    released = released + 1
  end
end
for _ = 1, ${maxLanes} do
  if looked >= ${maxEntries} then break end
  local member = redis.call('ZRANGE', waiting, lanesAfter == '' and '-' or lanesAfter, '+', 'BYLEX', 'LIMIT', 0, 1)[1]
  lanesAfter = ''
  if not member then break end
  local lane = laneOf(member)
  lanesAfter = '[' .. lane .. '\\1'
  for _, place in ipairs(redis.call('ZRANGE', held, '[' .. lane .. '\\0', '(' .. lane .. '\\1', 'BYLEX', 'LIMIT', 0, ${maxLanes})) do
    if isVoid(place) then void[#void + 1] = place end
  end
  lanes.fill(lane)
end
for _, member in ipairs(redis.call('ZRANGE', KEYS[9], 0, ${maxLanes - 1})) do lanes.settles(member:sub(1, -2)) end
local from = placesAfter == '' and '-' or placesAfter
local places = redis.call('ZRANGE', held, from, '+', 'BYLEX', 'LIMIT', 0, ${maxEntries})
for _, place in ipairs(places) do
  if isVoid(place) then void[#void + 1] = place end
end
placesAfter = #places == ${maxEntries} and '(' .. places[#places] or ''
return { void, lanesAfter, placesAfter, released, lanes.letIn, lanes.over }
`,
  keys: laneKeys,
  args: (params) => [params.group, params.lanesAfter, params.placesAfter, ...params.confirmed]
})

export interface Healed {
  readonly void: ReadonlyArray<string>
  readonly lanesAfter: string
  readonly placesAfter: string
  readonly released: number
  readonly letIn: number
  readonly over: number
}

export const decodeHealed = (reply: unknown): Healed => {
  const [found, lanesAfter, placesAfter, released, letIn, over] = array(reply)
  return {
    void: array(found).map(String),
    lanesAfter: String(lanesAfter ?? ""),
    placesAfter: String(placesAfter ?? ""),
    released: Number(released),
    letIn: Number(letIn),
    over: Number(over)
  }
}

// -----------------------------------------------------------------------------
// rules
// -----------------------------------------------------------------------------

/**
 * Declares the rule of a lane by a worker. Replies with the rule that another worker had declared and this one replaces, or
 * nothing.
 */
export const declareRule = define<{ readonly lanesRules: string; readonly name: string; readonly rule: string }>({
  lua: `${luaNamed}local field, rule = 'declared:' .. ARGV[1], 'w ' .. ARGV[2]
local before = redis.call('HGET', KEYS[1], field)
if before == rule then return false end
redis.call('HSET', KEYS[1], field, rule)
named(KEYS[1], ARGV[1])
return before and before:sub(1, 1) == 'w' and before:sub(3)
`,
  keys: (params) => [params.lanesRules],
  args: (params) => [params.name, params.rule]
})

/** Sets or removes (empty) the operator's rule of a lane. Lanes follow it when they are looked at next. */
export const overrideRule = define<{ readonly lanesRules: string; readonly name: string; readonly rule: string }>({
  lua: `${luaNamed}local field = 'override:' .. ARGV[1]
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], field)
else
  redis.call('HSET', KEYS[1], field, 'o ' .. ARGV[2])
  named(KEYS[1], ARGV[1])
end
return redis.status_reply('OK')
`,
  keys: (params) => [params.lanesRules],
  args: (params) => [params.name, params.rule]
})

/** Pauses a lane for some time; a longer pause stays. A lane that is halted stays halted. */
export const pauseLane = define<
  { readonly lanesRules: string; readonly lanesStopped: string; readonly lane: string; readonly millis: number }
>({
  lua: `${luaNow}${luaInteger}
local field, till = 'pause:' .. ARGV[1], now() + tonumber(ARGV[2])
local before = redis.call('HGET', KEYS[1], field)
if before and (before:sub(1, 6) == 'halted' or (tonumber(before:match('^%d+')) or 0) >= till) then return false end
redis.call('HSET', KEYS[1], field, integer(till))
redis.call('ZADD', KEYS[2], 0, ARGV[1] .. '\\0')
return integer(till)
`,
  keys: (params) => [params.lanesRules, params.lanesStopped],
  args: (params) => [params.lane, String(params.millis)]
})

/** Ends the pause or the halt of a lane and lets in what may go. Replies with 1, or 0 if the lane was neither. */
export const resumeLane = define<LaneKeys & { readonly lane: string }>({
  lua: `${luaBegin}
local time = now()
local lanes = ${luaMade(1, maxLetIn)}
local resumed = lanes.opens(ARGV[1])
lanes.fill(ARGV[1])
return resumed
`,
  keys: laneKeys,
  args: (params) => [params.lane]
})
