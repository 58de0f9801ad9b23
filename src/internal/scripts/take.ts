/**
 * Takes entries from the pending list: entries due for a retry, entries that a dead consumer left, and this consumer's
 * entries whose delivery never arrived. All three count the delivery and reply in the same shape.
 *
 * An entry that was delivered `suspectAfter` times without an outcome may be the one that kills its workers. It is
 * given only to `aloneConsumer`, one at a time in each process, so that a crash counts against no other entry.
 */
import { heldWidth, mostNumbers } from "../redis/pauses.ts"
import { decodeRecord, laneField, type RetryRecord } from "../wire/entry.ts"
import { type LaneKeys, laneKeys } from "./laneKeys.ts"
import { luaLanes, maxLetIn } from "./lanes.ts"
import { luaPromote } from "./park.ts"
import { define, luaInteger, luaNow } from "./script.ts"

interface TakeParams {
  readonly stream: string
  readonly retryDue: string
  readonly retryRecords: string
  readonly group: string
  readonly consumer: string
  /** Empty while the process already holds a suspect. */
  readonly aloneConsumer: string
  readonly suspectAfter: number
  readonly limit: number
  /** The number of bytes of fields after which nothing more is taken. A larger entry is taken alone. */
  readonly budget: number
}

export interface TakeDueParams extends TakeParams, LaneKeys {
  readonly waitingConsumer: string
  readonly scheduleNext: string
  readonly paused: string
}

export interface TakeIdleParams extends TakeParams {
  readonly lease: string
  readonly waitingConsumer: string
  /** In milliseconds. The group's recorded lease applies if it is longer. */
  readonly claimIdle: number
  /** Consumers without pending entries that were idle for this many milliseconds are removed. */
  readonly removeAfter: number
  /** Where the check of waiting entries continues. */
  readonly cursor: string
  /** Consumers of this process. They renew the entries that they hold and find the others themselves. */
  readonly own: ReadonlyArray<string>
}

export interface TakeOwnParams {
  readonly stream: string
  readonly retryRecords: string
  readonly group: string
  readonly consumer: string
  readonly ids: ReadonlyArray<string>
  /** The number of bytes of fields after which nothing more is taken. */
  readonly budget: number
}

/** How long a suspect without a free place is postponed, in milliseconds. */
export const putOff = 1000

/** Entries that one call makes due, because the pause of their type has ended. */
const maxReleased = 400

/** Names of due schedules in one reply. */
const maxSchedules = 100

const luaBudget = `local function spend(fields)
  for i = 1, #fields do budget = budget - #fields[i] end
end
`

const luaClaim = `${luaNow}${luaInteger}
local stream, due, records = KEYS[1], KEYS[2], KEYS[3]
local group, consumer, alone, suspectAfter, limit = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local budget = tonumber(ARGV[6])
local taken, lost, suspects = {}, {}, 0
${luaBudget}-- Claims one pending entry; returns false when it is a suspect that has to wait.
local function claim(row, idle)
  local id, record = row[1], redis.call('HGET', records, row[1]) or ''
  local outcomes = tonumber(record:match('^%d+ (%d+)') or 0)
  local target = consumer
  if row[4] + 1 - outcomes >= suspectAfter then
    suspects = suspects + 1
    if alone == '' then return false end
    target, alone = alone, ''
  end
  local claimed = redis.call('XCLAIM', stream, group, target, idle, id)[1]
  redis.call('ZREM', due, id)
  if claimed then
    spend(claimed[2])
    taken[#taken + 1] = { id, claimed[2], row[4] + 1, record, target }
  elseif #redis.call('XPENDING', stream, group, id, id, 1) == 0 then
    redis.call('HDEL', records, id)
    lost[#lost + 1] = id
  end
  return true
end
`

/**
 * Lua: the pauses that stand, after those that have ended are removed and what waited for the end of a pause is due.
 */
const luaPauses = `local function standing(due, paused, time)
  local found, standing, numbers = redis.call('HGETALL', paused), {}, {}
  for i = 1, #found, 2 do
    local ends, number = found[i + 1]:match('^(%d+) (%d+)')
    if ends and tonumber(ends) <= time then
      redis.call('HDEL', paused, found[i])
    else
      standing[#standing + 1] = found[i]
      standing[#standing + 1] = found[i + 1]
      numbers[#numbers + 1] = tonumber(number or found[i + 1]:match('^%S+ (%d+)') or 1)
    end
  end
  if #redis.call('ZRANGE', due, integer(${heldWidth}), '+inf', 'BYSCORE', 'LIMIT', 0, 1) == 0 then return standing end
  table.sort(numbers)
  numbers[#numbers + 1] = ${mostNumbers} + 1
  local from, room = 1, ${maxReleased}
  for _, number in ipairs(numbers) do
    if from < number and room > 0 then
      local first, last = integer(from * ${heldWidth}), '(' .. integer(number * ${heldWidth})
      local ids = redis.call('ZRANGE', due, first, last, 'BYSCORE', 'LIMIT', 0, room)
      if #ids > 0 then redis.call('XACK', KEYS[1], ARGV[1], '0-0') end
      for _, id in ipairs(ids) do redis.call('ZADD', due, integer(time), id) end
      room = room - #ids
    end
    from = number + 1
  end
  return standing
end
`

const takeArgs = (params: TakeParams): Array<string> => [
  params.group,
  params.consumer,
  params.aloneConsumer,
  String(params.suspectAfter),
  String(params.limit),
  String(params.budget)
]

/**
 * Everything that is due: lets parked actions into the stream, takes entries that are due for a retry, at most `limit` of
 * them, and names the schedules that are due. Replies with taken entries, lost ids, the number of waiting suspects, the
 * milliseconds to the next due retry and to whatever else is due next (-1: none), what {@link luaPromote} did, the schedules,
 * and the pauses that stand. {@link decodeDue} reads what follows the third.
 */
export const takeDue = define<TakeDueParams>({
  lua: `${luaClaim}${luaPauses}${luaPromote}
local parkedEntries, parkedDue, scheduleNext, paused = KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local waiting, time = ARGV[7], now()
-- Made when it is needed.
local made
local function lanes()
  if not made then
    ${luaLanes}
    made = lanesOf(
      stream, parkedEntries, parkedDue, KEYS[8], KEYS[9], KEYS[10], KEYS[11], KEYS[12], KEYS[13], time, ${maxLetIn}
    )
  end
  return made
end
local promoted, over, late = promote(stream, parkedEntries, parkedDue, time, lanes)
-- When a retry may start, if its lane has a rate and no token now.
local rated = #redis.call('ZRANGE', KEYS[12], 0, 0) > 0
local function isLater(id)
  local found = rated and redis.call('XRANGE', stream, id, id)[1]
  local fields = found and found[2] or {}
  for i = 1, #fields, 2 do
    if fields[i] == '${laneField}' and fields[i + 1]:find('^[tn]:[%w_.%-]+%z[^%c]+$') then
      return lanes().retry(fields[i + 1])
    end
  end
end
local pauses = standing(due, paused, time)
local ids = redis.call('ZRANGE', due, '-inf', integer(time), 'BYSCORE', 'LIMIT', 0, limit)
for _, id in ipairs(ids) do
  if budget <= 0 then break end
  local row = redis.call('XPENDING', stream, group, id, id, 1)[1]
  if not row then
    redis.call('ZREM', due, id)
    redis.call('HDEL', records, id)
  elseif row[2] ~= waiting then
    -- The group was lost and created again, and the entry delivered again. Its owner runs it, so it is not due.
    redis.call('ZREM', due, id)
  else
    local later = isLater(id)
    if later or not claim(row, 0) then
      -- A full server refuses the first write of a script when it needs memory, which would keep all that is due.
      redis.call('XACK', stream, group, '0-0')
      redis.call('ZADD', due, integer(later or time + ${putOff}), id)
    end
  end
end
if made then over = over + made.over end
local schedules = redis.call('ZRANGE', scheduleNext, '-inf', integer(time), 'BYSCORE', 'LIMIT', 0, ${maxSchedules})
local function wait(key, from)
  local first = redis.call('ZRANGE', key, from, '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
  return first[2] and math.max(0, tonumber(first[2]) - time) or -1
end
-- Schedules that are due wait for a worker that may fire them, and are named each time.
local parkedWait, scheduleWait = wait(parkedDue, '-inf'), wait(scheduleNext, '(' .. integer(time))
if parkedWait < 0 or (scheduleWait >= 0 and scheduleWait < parkedWait) then parkedWait = scheduleWait end
return {
  taken, lost, suspects, wait(due, '-inf'), parkedWait, { promoted, over, late }, schedules, pauses
}
`,
  keys: (params) => [
    params.stream,
    params.retryDue,
    params.retryRecords,
    params.parkedEntries,
    params.parkedDue,
    params.scheduleNext,
    params.paused,
    ...laneKeys(params).slice(3)
  ],
  args: (params) => [...takeArgs(params), params.waitingConsumer]
})

/**
 * Replies with taken entries, lost ids, the number of waiting suspects, the next cursor, removed consumers, and 1 if
 * the budget is spent.
 */
export const takeIdle = define<TakeIdleParams>({
  lua: `${luaClaim}
local waiting, claimIdle, removeAfter, cursor = ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10]
local lease = math.max(claimIdle, tonumber(redis.call('GET', KEYS[4]) or 0))
local own, removed = {}, {}
for i = 11, #ARGV do own[ARGV[i]] = true end
for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
  local held = {}
  for i = 1, #info, 2 do held[info[i]] = info[i + 1] end
  local name = held.name
  if name ~= waiting and not own[name] then
    if held.pending == 0 then
      if held.idle >= removeAfter then
        redis.call('XGROUP', 'DELCONSUMER', stream, group, name)
        removed[#removed + 1] = name
      end
    elseif #taken < limit and budget > 0 then
      local idle = redis.call('XPENDING', stream, group, 'IDLE', lease, '-', '+', limit - #taken, name)
      for _, row in ipairs(idle) do
        if budget > 0 and row[2] == name then claim(row, lease) end
      end
    end
  end
end
-- A waiting entry without a due time would wait for ever: it is made due.
-- With IDLE the server would go through all that are not idle yet: a million of them take it a fifth of a second.
local parked = redis.call('XPENDING', stream, group, cursor, '+', limit, waiting)
cursor = '-'
for _, row in ipairs(parked) do
  if row[2] == waiting and row[3] >= lease and not redis.call('ZSCORE', due, row[1]) then
    redis.call('XACK', stream, group, '0-0')
    redis.call('ZADD', due, integer(now()), row[1])
  end
  if #parked == limit then cursor = '(' .. row[1] end
end
return { taken, lost, suspects, cursor, removed, budget > 0 and 0 or 1 }
`,
  keys: (params) => [params.stream, params.retryDue, params.retryRecords, params.lease],
  args: (params) => [
    ...takeArgs(params),
    params.waitingConsumer,
    String(params.claimIdle),
    String(params.removeAfter),
    params.cursor,
    ...params.own
  ]
})

/**
 * Takes entries that this consumer already owns but whose delivery never arrived. The process is alive, so the delivery
 * is not counted again. Replies with taken entries and lost ids.
 */
export const takeOwn = define<TakeOwnParams>({
  lua: `local stream, records, group, consumer, budget = KEYS[1], KEYS[2], ARGV[1], ARGV[2], tonumber(ARGV[3])
local taken, lost = {}, {}
${luaBudget}
for i = 4, #ARGV do
  if budget <= 0 then break end
  local id = ARGV[i]
  local row = redis.call('XPENDING', stream, group, id, id, 1)[1]
  if row and row[2] == consumer then
    local claimed = redis.call('XCLAIM', stream, group, consumer, 0, id, 'RETRYCOUNT', row[4])[1]
    if claimed then
      spend(claimed[2])
      taken[#taken + 1] = { id, claimed[2], row[4], redis.call('HGET', records, id) or '', consumer }
    else
      redis.call('HDEL', records, id)
      lost[#lost + 1] = id
    end
  end
end
return { taken, lost, 0 }
`,
  keys: (params) => [params.stream, params.retryRecords],
  args: (params) => [params.group, params.consumer, String(params.budget), ...params.ids]
})

// -----------------------------------------------------------------------------
// replies
// -----------------------------------------------------------------------------

/** An entry as a take script returns it. */
export interface TakenEntry {
  readonly id: string
  readonly fields: ReadonlyArray<string>
  readonly deliveries: number
  readonly record: RetryRecord
  readonly consumer: string
}

/** What {@link takeDue} replies besides entries. */
export interface Due {
  /** Milliseconds to the next retry that is due; `undefined` if none waits. */
  readonly nextRetry: number | undefined
  /** Milliseconds to the next parked action or schedule; `undefined` if there is none. */
  readonly nextOther: number | undefined
  /** Parked actions that went into the stream. */
  readonly promoted: number
  /** Parked actions that were dropped, because they were over. */
  readonly over: number
  /** How late the latest of them was, in milliseconds. */
  readonly late: number
  /** The names of schedules whose next slot is due. */
  readonly schedules: ReadonlyArray<string>
  /** Pauses: what is paused, then until when and why. */
  readonly pauses: ReadonlyArray<string>
}

const waitOf = (value: unknown): number | undefined => Number(value) < 0 ? undefined : Number(value)

export const decodeDue = ([nextRetry, nextOther, counts, schedules, pauses]: ReadonlyArray<unknown>): Due => {
  const [promoted = 0, over = 0, late = 0] = array(counts).map(Number)
  return {
    nextRetry: waitOf(nextRetry),
    nextOther: waitOf(nextOther),
    promoted,
    over,
    late,
    schedules: array(schedules).map(String),
    pauses: array(pauses).map(String)
  }
}

export interface TakeReply {
  readonly taken: ReadonlyArray<TakenEntry>
  readonly lost: ReadonlyArray<string>
  /** The number of entries that must be taken alone, and were left. */
  readonly suspects: number
  readonly rest: ReadonlyArray<unknown>
}

const array = (value: unknown): ReadonlyArray<unknown> => Array.isArray(value) ? value : []

export const decodeTake = (reply: unknown): TakeReply => {
  const [taken, lost, suspects, ...rest] = array(reply)
  return {
    taken: array(taken).map((row) => {
      const [id, fields, deliveries, record, consumer] = array(row)
      return {
        id: String(id),
        fields: array(fields).map(String),
        deliveries: Number(deliveries),
        record: decodeRecord(String(record ?? "")),
        consumer: String(consumer)
      }
    }),
    lost: array(lost).map(String),
    suspects: Number(suspects),
    rest
  }
}
