/**
 * Parked actions: accepted, but not in the stream before they are due. The record of an action is a line of notes, and the
 * fields of the entry to be, each with its length in front.
 */
import { expiresField, laneField } from "../wire/entry.ts"
import { luaEnter, luaFields } from "./enter.ts"
import { luaNotes } from "./laneKeys.ts"
import { luaRecords } from "./records.ts"
import { define, luaInteger, luaNow } from "./script.ts"

/** Parked actions that one call lets into the stream. */
export const maxPromoted = 100

/** Records that are read with one command. */
const recordsAtOnce = 10

/** The number of bytes of records after which a call lets in no more. A larger record is let in alone. */
export const maxPromotedBytes = 1024 * 1024

/** Lua: the time in a text. It is `+` and milliseconds from now, or `@` and a time. An empty text is now. */
export const luaWhen = `local function timeOf(when, time)
  if when == '' then return time end
  local number = tonumber(when:sub(2))
  return when:sub(1, 1) == '+' and time + number or number
end
`

/** Lua: the name of the first capability that no worker of the service has. */
export const luaLacks = `local function lacks(features, needs)
  for name in needs:gmatch('%a+') do
    if redis.call('HEXISTS', features, name) == 0 then return name end
  end
end
`

const fields = luaFields({ data: "text", traceparent: "traceparent", expires: "expires" })
const untraced = luaFields({ data: "text", expires: "expires" })
const unlimited = luaFields({ data: "text", traceparent: "traceparent" })
const plain = luaFields({ data: "text" })

/** Lua: calls a function with the fields of an entry. Empty ones are left out. */
const luaWithFields = `local function withFields(call, text, traceparent, expires)
  if expires == '' then
    if traceparent == '' then return call(${plain}) end
    return call(${unlimited})
  end
  if traceparent == '' then return call(${untraced}) end
  return call(${fields})
end
`

/** What a call asks of the actions that it sends, with or without lanes. */
export interface SendTerms {
  /** The key of a deduplication; `undefined` without one. */
  readonly uniqueKey: string | undefined
  /** Milliseconds for which a second action with the key is a duplicate. */
  readonly within: number
  /** The SHA-1 in the key, so that a removal can free it. */
  readonly uniqueHash: string
  /** `+` milliseconds, `@` a time by the server's clock, or nothing for now. */
  readonly when: string
  /** Milliseconds after which an action that has not started is dropped. */
  readonly expiresIn: number | undefined
  readonly traceparent: string | undefined
}

export interface ParkParams extends SendTerms {
  readonly features: string
  readonly stream: string
  readonly parkedEntries: string
  readonly parkedDue: string
  /** One action, if there is a key of a deduplication. */
  readonly ids: ReadonlyArray<string>
  readonly texts: ReadonlyArray<string>
}

/**
 * Accepts actions: those that are due go into the stream, others are parked. Replies with the name of a capability that no
 * worker of the service has, or with a reply for each action: `sent` and the entry id, `scheduled` and the time, or
 * `duplicate` and the ids of the first.
 *
 * The first write needs memory, so that a full server refuses the action and the sender learns of it.
 */
export const park = define<ParkParams>({
  lua: `${luaNow}${luaInteger}${luaRecords}${luaWhen}${luaLacks}${luaWithFields}${luaEnter}
local features, stream, entries, due, unique = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local needs, within, hash, when, traceparent = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[6]
local missing = lacks(features, needs)
if missing then return missing end
local time, expires, replies = now(), '', {}
local at = timeOf(when, time)
if ARGV[5] ~= '' then expires = integer(time + tonumber(ARGV[5])) end
local first = unique and redis.call('GET', unique)
if first then return { { 'duplicate', first:sub(1, 36), first:sub(38) } } end
local known
if at <= time then
  local function append(...) return enter(redis.call, stream, ...) end
  for i = 7, #ARGV, 2 do
    replies[#replies + 1] = { 'sent', withFields(append, ARGV[i + 1], traceparent, expires) }
  end
  known = unique and ARGV[7] .. ' ' .. replies[1][2]
else
  local ids, records, marks, isTaken = {}, {}, {}, {}
  for i = 7, #ARGV, 2 do ids[#ids + 1] = ARGV[i] end
  local parked = redis.call('HMGET', entries, unpack(ids))
  at = integer(at)
  -- What is the same for all is made once: it is a fifth of the time of a call.
  local before, after = hash .. '\\n' .. packed('data'), ''
  if traceparent ~= '' then after = packed('traceparent', traceparent) end
  if expires ~= '' then after = after .. packed('${expiresField}', expires) end
  for i, id in ipairs(ids) do
    if parked[i] or isTaken[id] then
      replies[i] = { 'duplicate', id, '' }
    else
      local n = #records
      records[n + 1] = id
      local text = ARGV[6 + 2 * i]
      records[n + 2] = before .. #text .. ':' .. text .. after
      marks[n + 1] = at
      marks[n + 2] = id
      isTaken[id] = true
      replies[i] = at
      known = id
    end
  end
  if known then
    redis.call('HSET', entries, unpack(records))
    redis.call('ZADD', due, unpack(marks))
  end
end
-- After the action is written: where that fails, the key is not taken.
if unique and known then redis.call('SET', unique, known, 'PX', within) end
return replies
`,
  keys: ({ features, parkedDue, parkedEntries, stream, uniqueKey }) =>
    uniqueKey === undefined
      ? [features, stream, parkedEntries, parkedDue]
      : [features, stream, parkedEntries, parkedDue, uniqueKey],
  args: (params) => [
    params.uniqueKey === undefined ? "parked" : "parked unique",
    String(params.within),
    params.uniqueHash,
    params.when,
    params.expiresIn === undefined ? "" : String(params.expiresIn),
    params.traceparent ?? "",
    ...params.ids.flatMap((id, index) => [id, params.texts[index]!])
  ]
})

/**
 * Parks the newest of several actions until things have been quiet. It replaces the one before, but never later than
 * `maxWait` after the first. Replies like {@link park}.
 */
export const debounce = define<{
  readonly features: string
  readonly stream: string
  readonly parkedEntries: string
  readonly parkedDue: string
  readonly parkingId: string
  /** Milliseconds. */
  readonly quiet: number
  /** Milliseconds. */
  readonly maxWait: number
  readonly expiresIn: number | undefined
  readonly traceparent: string | undefined
  readonly text: string
  readonly lane?: string | undefined
}>({
  lua: `${luaNow}${luaInteger}${luaRecords}${luaLacks}${luaWithFields}
local features, entries, due, id = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
local missing = lacks(features, ARGV[7] == '' and 'parked unique' or 'parked unique lanes')
if missing then return missing end
local time, expires = now(), ''
local since = tonumber((redis.call('HGET', entries, id) or ''):match('^since=(%d+)')) or time
local at = math.max(time, math.min(since + tonumber(ARGV[3]), time + tonumber(ARGV[2])))
if ARGV[4] ~= '' then expires = integer(time + tonumber(ARGV[4])) end
local record
if ARGV[7] == '' then
  record = withFields(packed, ARGV[6], ARGV[5], expires)
else
  record = withFields(packed, ARGV[6], ARGV[5], '') .. packed('${laneField}', ARGV[7])
  if expires ~= '' then record = record .. packed('${expiresField}', expires) end
end
redis.call('HSET', entries, id, 'since=' .. integer(since) .. '\\n' .. record)
redis.call('ZADD', due, integer(at), id)
return { integer(at) }
`,
  keys: (params) => [params.features, params.parkedEntries, params.parkedDue],
  args: (params) => [
    params.parkingId,
    String(params.quiet),
    String(params.maxWait),
    params.expiresIn === undefined ? "" : String(params.expiresIn),
    params.traceparent ?? "",
    params.text,
    params.lane ?? ""
  ]
})

/** Gives a parked action another due time. Replies with the time, or nothing if the action is not parked. */
export const reschedule = define<{
  readonly parkedEntries: string
  readonly parkedDue: string
  readonly parkingId: string
  readonly when: string
}>({
  lua: `${luaNow}${luaInteger}${luaWhen}
if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then return false end
local time = now()
local at = integer(math.max(time, timeOf(ARGV[2], time)))
redis.call('ZADD', KEYS[2], at, ARGV[1])
return at
`,
  keys: (params) => [params.parkedEntries, params.parkedDue],
  args: (params) => [params.parkingId, params.when]
})

/** Replies with the hash of the key of a parked action, an empty text without one, or nothing if it is not parked. */
export const uniqueHashOf = define<{ readonly parkedEntries: string; readonly parkingId: string }>({
  lua: `${luaNotes}local record = redis.call('HGET', KEYS[1], ARGV[1])
return record and hashIn(record)
`,
  keys: (params) => [params.parkedEntries],
  args: (params) => [params.parkingId]
})

/** Lua: takes an action out of the queue of its lane, if it waits in one. */
export const luaUnqueue = `${luaNotes}local function unqueue(waiting, id, record)
  local number = numberIn(record)
  if not number then return end
  local values = unpacked(record)
  for i = 1, #values - 1, 2 do
    if values[i] == '${laneField}' then redis.call('ZREM', waiting, values[i + 1] .. '\\0' .. number .. '\\0' .. id) end
  end
end
`

/** Removes a parked action and frees its key. Replies with 1, or 0 if the action is not parked. */
export const unpark = define<{
  readonly parkedEntries: string
  readonly parkedDue: string
  readonly lanesWaiting: string
  readonly uniqueKey: string | undefined
  readonly parkingId: string
}>({
  lua: `${luaRecords}${luaUnqueue}local entries, due, waiting, unique, id = KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1]
local record = redis.call('HGET', entries, id)
if not record then return 0 end
unqueue(waiting, id, record)
redis.call('HDEL', entries, id)
redis.call('ZREM', due, id)
if unique and redis.call('GET', unique) == id then
  redis.call('DEL', unique)
end
return 1
`,
  keys: ({ lanesWaiting, parkedDue, parkedEntries, uniqueKey }) =>
    uniqueKey === undefined
      ? [parkedEntries, parkedDue, lanesWaiting]
      : [parkedEntries, parkedDue, lanesWaiting, uniqueKey],
  args: (params) => [params.parkingId]
})

/**
 * Lua: lets what is due into the stream, or into its lane. Returns how many went in, how many were over, and how late the latest
 * was. `lanes` makes what {@link luaLanes} makes.
 *
 * The first write needs no memory, so that a full server can be worked off.
 */
export const luaPromote = `${luaRecords}${luaEnter}${luaNotes}local function promote(stream, entries, due, time, lanes)
  local found = redis.call('ZRANGE', due, '-inf', integer(time), 'BYSCORE', 'LIMIT', 0, ${maxPromoted}, 'WITHSCORES')
  local promoted, over, late, bytes, first = 0, 0, 0, 0, 1
  if #found > 0 then redis.call('XDEL', stream, '0-0') end
  while first <= #found and bytes < ${maxPromotedBytes} do
    local ids, gone = {}, {}
    for i = first, math.min(#found, first + ${2 * recordsAtOnce - 1}), 2 do ids[#ids + 1] = found[i] end
    local records = redis.call('HMGET', entries, unpack(ids))
    for i, id in ipairs(ids) do
      local record = records[i]
      if id:sub(1, 5) == 'lane\\0' then
        -- Before it may be marked again.
        redis.call('ZREM', due, id)
        lanes().fill(id:sub(6))
      elseif not record then
        gone[#gone + 1] = id
      elseif bytes > 0 and bytes + #record > ${maxPromotedBytes} then
        bytes = ${maxPromotedBytes}
        break
      else
        bytes = bytes + #record
        local values = unpacked(record)
        local last, lane = #values - 1, nil
        local expires = values[last] == '${expiresField}' and tonumber(values[last + 1]) or nil
        for j = 3, last, 2 do
          if values[j] == '${laneField}' then lane = values[j + 1] end
        end
        if expires and expires <= time then
          over = over + 1
          gone[#gone + 1] = id
        else
          if lane then
            -- Before it may be parked again, to wait in its lane. A debounce may go on under its own id.
            redis.call('HDEL', entries, id)
            redis.call('ZREM', due, id)
            lanes().note = hashIn(record)
            local queued = id:sub(1, 9) == 'debounce\\0' and id .. '\\0' .. integer(time) or id
            lanes().enter(lane, nil, queued, true, unpack(values))
          else
            enter(redis.call, stream, unpack(values))
            gone[#gone + 1] = id
          end
          promoted = promoted + 1
          late = math.max(late, time - tonumber(found[first + 2 * i - 1]))
        end
      end
    end
    if #gone > 0 then
      redis.call('HDEL', entries, unpack(gone))
      redis.call('ZREM', due, unpack(gone))
    end
    first = first + ${2 * recordsAtOnce}
  end
  return promoted, over, late
end
`

/**
 * Records the capabilities of the workers of a service. They are written together, so the last one tells whether they are there,
 * and a full server is asked for no memory then.
 */
export const declareFeatures = define<{ readonly features: string; readonly names: ReadonlyArray<string> }>({
  lua: `if redis.call('HEXISTS', KEYS[1], ARGV[#ARGV]) == 0 then
  local pairs = {}
  for _, name in ipairs(ARGV) do
    pairs[#pairs + 1] = name
    pairs[#pairs + 1] = '1'
  end
  redis.call('HSET', KEYS[1], unpack(pairs))
end
return redis.status_reply('OK')
`,
  keys: (params) => [params.features],
  args: (params) => params.names
})

// -----------------------------------------------------------------------------
// replies
// -----------------------------------------------------------------------------

/** What became of an action that was sent with {@link park} or {@link debounce}. */
export type Parked =
  | { readonly _tag: "Sent"; readonly entryId: string }
  | { readonly _tag: "Scheduled"; readonly at: number }
  | { readonly _tag: "Waiting" }
  | { readonly _tag: "Full" }
  | { readonly _tag: "Duplicate"; readonly actionId: string; readonly entryId: string | undefined }

const parkedOf = (row: unknown): Parked => {
  if (!Array.isArray(row)) return { _tag: "Scheduled", at: Number(row) }
  const [status, first, second] = row.map(String)
  if (status === "sent") return { _tag: "Sent", entryId: first ?? "" }
  if (status === "waiting") return { _tag: "Waiting" }
  if (status === "full") return { _tag: "Full" }
  return { _tag: "Duplicate", actionId: first ?? "", entryId: second === "" ? undefined : second }
}

/** The replies for all actions, or the name of the capability that is missing. */
export const decodeParked = (reply: unknown): ReadonlyArray<Parked> | string =>
  Array.isArray(reply) ? reply.map(parkedOf) : String(reply)
