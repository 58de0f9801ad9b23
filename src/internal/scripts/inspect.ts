/**
 * Scripts that show what is in Redis for a service. They read a bounded part in each call, change nothing, and transfer at
 * most the head of each payload.
 */
import { expiresField, laneField } from "../wire/entry.ts"
import { maxEntries } from "./bounds.ts"
import { luaNotes } from "./laneKeys.ts"
import { luaRecords } from "./records.ts"
import { define, luaBefore, luaInteger, luaNow } from "./script.ts"

/** Bytes of payloads that one call looks at. A larger payload is looked at alone. */
export const maxLookedBytes = 1024 * 1024

/** Entries read from a stream at a time: with large entries, a call must not hold many. */
const chunk = 16

/** Lua: `infoOf(flat)` is a reply of names and values as a table. */
const luaInfo = `local function infoOf(flat)
  local info = {}
  for i = 1, #flat, 2 do info[flat[i]] = flat[i + 1] end
  return info
end
local function groupRows()
  if redis.call('EXISTS', KEYS[1]) == 0 then return {} end
  return redis.call('XINFO', 'GROUPS', KEYS[1])
end
`

/** Lua: size of an entry, its data up to \`head\` bytes, and its field \`expires\`. */
export const luaHead = `local function headOf(fields)
  local size, data, expires = 0, nil, ''
  for i = 1, #fields do size = size + #fields[i] end
  for i = 1, #fields - 1, 2 do
    if fields[i] == 'data' then data = data or fields[i + 1] end
    if fields[i] == '${expiresField}' then expires = fields[i + 1] end
  end
  return size, data and data:sub(1, head) or '', data and #data or -1, expires
end
`

export interface OverviewParams {
  readonly stream: string
  readonly deadLetters: string
  readonly retryDue: string
  readonly lease: string
  readonly parkedDue: string
  readonly paused: string
  readonly features: string
  readonly scheduleNext: string
  readonly group: string
  readonly waitingConsumer: string
}

/**
 * The numbers of a service: time, length, dead letters and the newest of them, number of retries and the first, the same of
 * parked actions and schedules, lease, features, pauses, groups, consumers, the oldest entry that was not delivered, and
 * the pending entries of the waiting consumer.
 */
export const overview = define<OverviewParams>({
  lua: `${luaNow}${luaInteger}${luaInfo}
local stream, dead, due, lease, parked, paused, features, schedules = unpack(KEYS)
local group, waiting = ARGV[1], ARGV[2]
local function first(key) return redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2] or '' end
local groups, consumers, read, held = {}, {}, nil, 0
for _, row in ipairs(groupRows()) do
  local info = infoOf(row)
  groups[#groups + 1] = { info.name, info.consumers, info.pending, info.lag or -1 }
  if info.name == group then read = info['last-delivered-id'] end
end
if read then
  for _, row in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
    local info = infoOf(row)
    if info.name == waiting then
      held = info.pending
    elseif #consumers < ${maxEntries} then
      consumers[#consumers + 1] = { info.name, info.pending, info.idle }
    end
  end
end
local oldest = redis.call('XRANGE', stream, read and '(' .. read or '-', '+', 'COUNT', 1)[1]
local newest = redis.call('XREVRANGE', dead, '+', '-', 'COUNT', 1)[1]
return {
  integer(now()),
  redis.call('XLEN', stream),
  redis.call('XLEN', dead),
  newest and newest[1] or '',
  redis.call('ZCARD', due),
  first(due),
  redis.call('ZCARD', parked),
  first(parked),
  redis.call('ZCARD', schedules),
  redis.call('GET', lease) or '',
  redis.call('HKEYS', features),
  redis.call('HGETALL', paused),
  groups,
  consumers,
  oldest and oldest[1] or '',
  held
}
`,
  keys: (params) => [
    params.stream,
    params.deadLetters,
    params.retryDue,
    params.lease,
    params.parkedDue,
    params.paused,
    params.features,
    params.scheduleNext
  ],
  args: (params) => [params.group, params.waitingConsumer]
})

export interface EntriesParams {
  readonly stream: string
  readonly retryDue: string
  readonly retryRecords: string
  readonly group: string
  readonly waitingConsumer: string
  readonly state: "waiting" | "running"
  /** Whether the last entries come first. */
  readonly newest: boolean
  /** The id after which the call continues; empty for the first. */
  readonly cursor: string
  readonly limit: number
  /** Bytes of each payload that are transferred. */
  readonly head: number
  /** Of running entries, the consumer after whose entry the call continues; empty for the first. */
  readonly holder: string
}

/**
 * Entries that were not delivered yet, or that consumers hold, by consumer. Replies with rows, the id to continue after, which
 * is empty at the end, and the consumer. A row is the id, size, head of the data, its length, consumer, idle milliseconds, deliveries and record.
 */
export const listEntries = define<EntriesParams>({
  lua: `${luaInfo}
local stream, records = KEYS[1], KEYS[3]
local group, waiting, state, newest, cursor = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1', ARGV[5]
local limit, head, holder, budget = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8], ${maxLookedBytes}
${luaHead}local rows, last = {}, ''
local function add(id, fields, ...)
  local size, data, length = headOf(fields)
  budget = budget - size
  rows[#rows + 1] = { id, size, data, length, ... }
  last = id
end
local read
for _, row in ipairs(groupRows()) do
  local info = infoOf(row)
  if info.name == group then read = info['last-delivered-id'] end
end
if state == 'running' then
  if not read then return { rows, '' } end
  local names = {}
  for _, row in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
    local info = infoOf(row)
    if info.pending > 0 and info.name ~= waiting and info.name >= holder then names[#names + 1] = info.name end
  end
  table.sort(names)
  for i, name in ipairs(names) do
    local from = (name == holder and cursor ~= '') and '(' .. cursor or '-'
    local wanted = limit - #rows
    local pending = redis.call('XPENDING', stream, group, from, '+', wanted, name)
    for _, row in ipairs(pending) do
      last = row[1]
      local entry = redis.call('XRANGE', stream, last, last)[1]
      if entry then add(last, entry[2], name, row[3], row[4], redis.call('HGET', records, last) or '') end
      if budget <= 0 then return { rows, last, name } end
    end
    if #pending == wanted then return { rows, last, name } end
  end
  return { rows, '' }
end
local after = read and '(' .. read or '-'
while #rows < limit and budget > 0 do
  local count, found = math.min(${chunk}, limit - #rows)
  if newest then
    found = redis.call('XREVRANGE', stream, cursor == '' and '+' or '(' .. cursor, after, 'COUNT', count)
  else
    found = redis.call('XRANGE', stream, cursor == '' and after or '(' .. cursor, '+', 'COUNT', count)
  end
  for _, entry in ipairs(found) do add(entry[1], entry[2], '', 0, 0, '') end
  if #found < count then return { rows, '' } end
  cursor = last
end
return { rows, last }
`,
  keys: (params) => [params.stream, params.retryDue, params.retryRecords],
  args: (params) => [
    params.group,
    params.waitingConsumer,
    params.state,
    params.newest ? "1" : "0",
    params.cursor,
    String(params.limit),
    String(params.head),
    params.holder
  ]
})

export interface DueEntriesParams {
  readonly stream: string
  readonly retryDue: string
  readonly retryRecords: string
  readonly group: string
  /** Score and member after which the call continues; empty for the first. */
  readonly score: string
  readonly member: string
  readonly limit: number
  readonly head: number
}

/** Lua: members of a sorted set after one of them. If that is gone, after those with a lower score. */
const luaAfter = `local function after(key, score, member, count)
  local from = 0
  if member ~= '' then
    local rank = redis.call('ZRANK', key, member)
    from = rank and rank + 1 or redis.call('ZCOUNT', key, '-inf', '(' .. score)
  end
  return redis.call('ZRANGE', key, from, from + count - 1, 'WITHSCORES')
end
`

/**
 * Entries that wait for a retry, by due time. Rows as {@link listEntries}, with the due time in place of the idle time.
 * Replies with rows, and the score and member to continue after, which are empty at the end.
 */
export const listRetries = define<DueEntriesParams>({
  lua: `${luaAfter}
local stream, due, records = KEYS[1], KEYS[2], KEYS[3]
local group, score, member, limit, head = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local budget, rows = ${maxLookedBytes}, {}
${luaHead}local found = after(due, score, member, limit)
for i = 1, #found, 2 do
  local id, at = found[i], found[i + 1]
  local row = redis.call('XPENDING', stream, group, id, id, 1)[1]
  local entry = redis.call('XRANGE', stream, id, id)[1]
  if row and entry then
    local size, data, length = headOf(entry[2])
    budget = budget - size
    rows[#rows + 1] = { id, size, data, length, row[2], at, row[4], redis.call('HGET', records, id) or '' }
  end
  if budget <= 0 and i + 1 < #found then return { rows, at, id } end
end
if #found < 2 * limit then return { rows, '', '' } end
return { rows, found[#found], found[#found - 1] }
`,
  keys: (params) => [params.stream, params.retryDue, params.retryRecords],
  args: (params) => [params.group, params.score, params.member, String(params.limit), String(params.head)]
})

/**
 * Parked actions by due time. A row is the parking id, size, head of the data, its length, due time and the field
 * `expires`. Replies like {@link listRetries}.
 */
export const listParked = define<{
  readonly parkedEntries: string
  readonly parkedDue: string
  readonly score: string
  readonly member: string
  readonly limit: number
  readonly head: number
}>({
  lua: `${luaAfter}${luaRecords}
local entries, due = KEYS[1], KEYS[2]
local score, member, limit, head = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local budget, rows = ${maxLookedBytes}, {}
${luaHead}local found = after(due, score, member, limit)
for i = 1, #found, 2 do
  local id, at = found[i], found[i + 1]
  local record = redis.call('HGET', entries, id)
  if record then
    local size, data, length, expires = headOf(unpacked(record))
    budget = budget - size
    rows[#rows + 1] = { id, size, data, length, at, expires }
  end
  if budget <= 0 and i + 1 < #found then return { rows, at, id } end
end
if #found < 2 * limit then return { rows, '', '' } end
return { rows, found[#found], found[#found - 1] }
`,
  keys: (params) => [params.parkedEntries, params.parkedDue],
  args: (params) => [params.score, params.member, String(params.limit), String(params.head)]
})

/**
 * One entry of the stream. Replies with nothing if it is not there, otherwise with its state (`waiting`, `running`,
 * `retrying`, or `ended` for an entry that stays in the stream) and a row as {@link listEntries} and {@link listRetries}.
 */
export const lookAt = define<{
  readonly stream: string
  readonly retryDue: string
  readonly retryRecords: string
  readonly group: string
  readonly waitingConsumer: string
  readonly id: string
  readonly head: number
}>({
  lua: `${luaInfo}${luaBefore}
local stream, due, records = KEYS[1], KEYS[2], KEYS[3]
local group, waiting, id, head = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
${luaHead}local entry = redis.call('XRANGE', stream, id, id)[1]
if not entry then return {} end
local size, data, length = headOf(entry[2])
local read
for _, row in ipairs(groupRows()) do
  local info = infoOf(row)
  if info.name == group then read = info['last-delivered-id'] end
end
local row = read and redis.call('XPENDING', stream, group, id, id, 1)[1]
if row then
  local at = redis.call('ZSCORE', due, id)
  local record = redis.call('HGET', records, id) or ''
  if row[2] == waiting then
    return { 'retrying', { id, size, data, length, row[2], at or '0', row[4], record } }
  end
  return { 'running', { id, size, data, length, row[2], row[3], row[4], record } }
end
local state = (not read or before(read, id)) and 'waiting' or 'ended'
return { state, { id, size, data, length, '', 0, 0, '' } }
`,
  keys: (params) => [params.stream, params.retryDue, params.retryRecords],
  args: (params) => [params.group, params.waitingConsumer, params.id, String(params.head)]
})

/** One parked action, as a row of {@link listParked}, or of `listQueued` if it waits in a lane; nothing if it is not parked. */
export const lookAtParked = define<{
  readonly parkedEntries: string
  readonly parkedDue: string
  readonly parkingId: string
  readonly head: number
}>({
  lua: `${luaRecords}${luaNotes}
local entries, due, id, head = KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[2])
${luaHead}local record = redis.call('HGET', entries, id)
if not record then return {} end
local size, data, length, expires = headOf(unpacked(record))
local at = redis.call('ZSCORE', due, id)
if at then return { id, size, data, length, at, expires } end
-- It waits in a lane.
local values, lane = unpacked(record), ''
for i = 1, #values - 1, 2 do
  if values[i] == '${laneField}' then lane = values[i + 1] end
end
return { id, size, data, length, numberIn(record) or '0', expires, lane }
`,
  keys: (params) => [params.parkedEntries, params.parkedDue],
  args: (params) => [params.parkingId, String(params.head)]
})

/**
 * Searches the entries that were delivered and not settled, oldest first, as {@link searchStream} does. Replies with the ids found,
 * how many were looked at, the id to continue after, and 1 if everything before `before` was delivered.
 */
export const searchPending = define<{
  readonly stream: string
  readonly group: string
  readonly text: string
  /** Only entries with lower ids. */
  readonly before: string
  readonly cursor: string
  readonly limit: number
}>({
  lua: `${luaInfo}${luaBefore}
local stream, group, text, till, cursor, limit = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local found, looked, budget, read = {}, 0, ${maxLookedBytes}, nil
for _, row in ipairs(groupRows()) do
  local info = infoOf(row)
  if info.name == group then read = info['last-delivered-id'] end
end
if not read then return { found, 0, '', 0 } end
local isRead = before(read, till) and 0 or 1
local pending = redis.call('XPENDING', stream, group, cursor == '' and '-' or '(' .. cursor, '(' .. till, limit)
for _, row in ipairs(pending) do
  if budget <= 0 then return { found, looked, cursor, isRead } end
  cursor = row[1]
  looked = looked + 1
  local entry = redis.call('XRANGE', stream, cursor, cursor)[1]
  local fields = entry and entry[2] or {}
  for i = 1, #fields do
    budget = budget - #fields[i]
    if i % 2 == 0 and fields[i - 1] == 'data' and fields[i]:find(text, 1, true) then found[#found + 1] = cursor end
  end
end
return { found, looked, #pending < limit and '' or cursor, isRead }
`,
  keys: (params) => [params.stream],
  args: (params) => [params.group, params.text, params.before, params.cursor, String(params.limit)]
})

/**
 * Searches the stream, newest first, for entries whose data contains a text. Replies with the ids found, how many were
 * looked at, and the id to continue before, which is empty at the end.
 */
export const searchStream = define<{
  readonly stream: string
  readonly text: string
  /** The lowest id. */
  readonly from: string
  readonly cursor: string
  readonly limit: number
}>({
  lua: `local stream, text, from, cursor, limit = KEYS[1], ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local found, looked, budget = {}, 0, ${maxLookedBytes}
while looked < limit and budget > 0 do
  local count = math.min(${chunk}, limit - looked)
  local entries = redis.call('XREVRANGE', stream, cursor == '' and '+' or '(' .. cursor, from, 'COUNT', count)
  for _, entry in ipairs(entries) do
    local fields = entry[2]
    for i = 1, #fields do
      budget = budget - #fields[i]
      if i % 2 == 0 and fields[i - 1] == 'data' and fields[i]:find(text, 1, true) then found[#found + 1] = entry[1] end
    end
    cursor = entry[1]
  end
  looked = looked + #entries
  if #entries < count then return { found, looked, '' } end
end
return { found, looked, cursor }
`,
  keys: (params) => [params.stream],
  args: (params) => [params.text, params.from, params.cursor, String(params.limit)]
})
