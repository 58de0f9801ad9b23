/** Leases: how long a consumer of the group may be silent, and the renewal of the entries that a consumer holds. */
import { define, luaBefore, luaInteger, luaNow } from "./script.ts"

/**
 * Records a worker's lease and replies with the lease of the group: the longest among its live workers. When no worker
 * renews the longest, the next one replaces it shortly before it is forgotten: after that, a worker with a still shorter
 * lease could be the first to ask.
 */
export const holdLease = define<{
  readonly lease: string
  readonly claimIdle: number
  /** How long until a lease that no worker renews is forgotten, in milliseconds. */
  readonly timeToLive: number
}>({
  lua: `local current, wished = tonumber(redis.call('GET', KEYS[1]) or 0), tonumber(ARGV[1])
-- A server whose memory is full lets this be the first write, and no SET: without a lease, entries that run would be taken.
local isLongest = wished >= current
-- 'GT' sets the expiry if less time is left.
local replaces = redis.call('PEXPIRE', KEYS[1], isLongest and ARGV[2] or ARGV[1], isLongest and 'XX' or 'GT') == 1
if wished > current or (replaces and not isLongest) then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return (isLongest or replaces) and wished or current
`,
  keys: (params) => [params.lease],
  args: (params) => [String(params.claimIdle), String(params.timeToLive)]
})

/**
 * Resets the idle time of held entries without counting a delivery. Replies with the ids that were not renewed, by
 * reason: {@link Renewal}. A plain `XCLAIM` would steal an entry back from the consumer that took it over.
 */
export const renew = define<{
  readonly stream: string
  readonly group: string
  readonly consumer: string
  readonly ids: ReadonlyArray<string>
}>({
  lua: `${luaBefore}local stream, group, consumer = KEYS[1], ARGV[1], ARGV[2]
local held, lost, absent = {}, {}, {}
for i = 3, #ARGV do
  local row = redis.call('XPENDING', stream, group, ARGV[i], ARGV[i], 1)[1]
  if not row then
    absent[#absent + 1] = ARGV[i]
  elseif row[2] == consumer then
    held[#held + 1] = ARGV[i]
  else
    lost[#lost + 1] = ARGV[i]
  end
end
local kept, gone = {}, {}
if #held > 0 then
  held[#held + 1] = 'JUSTID'
  local renewed = redis.call('XCLAIM', stream, group, consumer, 0, unpack(held))
  held[#held] = nil
  for _, id in ipairs(renewed) do kept[id] = true end
end
for _, id in ipairs(held) do
  if not kept[id] then gone[#gone + 1] = id end
end
local ended, dropped, ahead, several = {}, {}, {}, 0
if #absent > 0 then
  local groups, read = redis.call('XINFO', 'GROUPS', stream), '0-0'
  if #groups > 1 then several = 1 end
  for _, info in ipairs(groups) do
    local fields = {}
    for i = 1, #info, 2 do fields[info[i]] = info[i + 1] end
    if fields.name == group then read = fields['last-delivered-id'] end
  end
  for _, id in ipairs(absent) do
    if #redis.call('XRANGE', stream, id, id) == 0 then
      ended[#ended + 1] = id
    elseif before(read, id) then
      ahead[#ahead + 1] = id
    else
      dropped[#dropped + 1] = id
    end
  end
end
return { lost, gone, ended, dropped, ahead, several }
`,
  keys: (params) => [params.stream],
  args: (params) => [params.group, params.consumer, ...params.ids]
})

/** Ids that could not be renewed, by their state in the pending list. */
export interface Renewal {
  /** Another consumer owns them. */
  readonly lost: ReadonlyArray<string>
  /** This consumer owns them, but they were deleted from the stream. */
  readonly gone: ReadonlyArray<string>
  /** Neither pending nor in the stream: settled by another consumer, or deleted. */
  readonly ended: ReadonlyArray<string>
  /** In the stream, read by the group, and not pending: no consumer will ever receive them. */
  readonly dropped: ReadonlyArray<string>
  /** In the stream and not read yet, because the group was created again. */
  readonly ahead: ReadonlyArray<string>
  /** Whether the stream has several groups, so that settled entries stay in it. */
  readonly several: boolean
}

export const decodeRenewal = (reply: unknown): Renewal => {
  const parts = Array.isArray(reply) ? reply : []
  const ids = (index: number): ReadonlyArray<string> => Array.isArray(parts[index]) ? parts[index].map(String) : []
  return { lost: ids(0), gone: ids(1), ended: ids(2), dropped: ids(3), ahead: ids(4), several: Number(parts[5]) === 1 }
}

/**
 * Releases up to `limit` entries that are pending under a consumer, according to Redis's own list. They are due at
 * once, and no attempt is counted. Replies with how many were released. The last call, which finds none, removes the
 * consumer.
 */
export const release = define<{
  readonly stream: string
  readonly retryDue: string
  readonly retryRecords: string
  readonly group: string
  readonly consumer: string
  readonly waitingConsumer: string
  readonly limit: number
}>({
  lua: `${luaNow}${luaInteger}
local stream, due, records = KEYS[1], KEYS[2], KEYS[3]
local group, consumer, waiting = ARGV[1], ARGV[2], ARGV[3]
local pending = redis.call('XPENDING', stream, group, '-', '+', ARGV[4], consumer)
local released = 0
for _, row in ipairs(pending) do
  if row[2] == consumer then
    local id = row[1]
    if #redis.call('XCLAIM', stream, group, waiting, 0, id, 'JUSTID') > 0 then
      local attempts, outcomes, since = (redis.call('HGET', records, id) or '0 0 0 '):match('^(%d+) (%d+) (.*)$')
      redis.call('HSET', records, id, (attempts or 0) .. ' ' .. integer((outcomes or 0) + 1) .. ' ' .. (since or '0 '))
      redis.call('ZADD', due, integer(now()), id)
    end
    released = released + 1
  end
end
if released == 0 then redis.call('XGROUP', 'DELCONSUMER', stream, group, consumer) end
return released
`,
  keys: (params) => [params.stream, params.retryDue, params.retryRecords],
  args: (params) => [params.group, params.consumer, params.waitingConsumer, String(params.limit)]
})
