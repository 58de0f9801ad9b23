/**
 * Runs every command of settling and claiming once, without effect. A missing permission, a server without one of the
 * commands, or a key of another type is then found before a handler runs, and not between its answer and its
 * acknowledgement.
 *
 * Replies with the newest id that the stream has generated, or nothing if the user may not ask.
 */
import { type LaneKeys, laneKeys } from "./laneKeys.ts"
import { define } from "./script.ts"

export const rehearse = define<
  {
    readonly retryDue: string
    readonly retryRecords: string
    readonly deadLetters: string
    readonly scheduleNext: string
    readonly paused: string
    readonly group: string
    readonly waitingConsumer: string
  } & LaneKeys
>({
  lua: `local stream, due, records, dead = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local parkedEntries, parkedDue, scheduleNext, paused = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local lanesHeld, lanesWaiting, lanesSequence, lanesRules, lanesRates = KEYS[9], KEYS[10], KEYS[11], KEYS[12], KEYS[13]
local lanesStopped = KEYS[14]
local group, waiting, nothing = ARGV[1], ARGV[2], '0-0'
local held = redis.call('TYPE', dead).ok
if held ~= 'none' and held ~= 'stream' then
  return redis.error_reply('WRONGTYPE ' .. dead .. ' holds a ' .. held)
end
-- These cannot be run on nothing. Without arguments a server refuses them, in other words when it lacks one.
for _, name in ipairs({ 'GET', 'SET', 'PEXPIRE', 'HSET', 'HSETNX', 'HEXISTS', 'INCR', 'ZADD', 'XADD', 'LPUSH', 'LPOP' }) do
  local refused = redis.pcall(name)
  if type(refused) == 'table' and refused.err and refused.err:find('nknown') then
    return redis.error_reply("ERR unknown command '" .. name .. "' in a script")
  end
end
redis.call('XINFO', 'GROUPS', stream)
redis.call('XINFO', 'CONSUMERS', stream, group)
redis.call('XPENDING', stream, group, nothing, nothing, 1)
redis.call('XRANGE', stream, nothing, nothing)
redis.call('HGET', records, nothing)
redis.call('EXISTS', due, parkedDue, scheduleNext, paused)
redis.call('ZRANGE', due, 0, 0)
redis.call('ZSCORE', due, nothing)
redis.call('XCLAIM', stream, group, waiting, 0, nothing, 'JUSTID')
redis.call('XACK', stream, group, nothing)
redis.call('XDEL', stream, nothing)
redis.call('XTRIM', stream, 'MINID', nothing)
redis.call('HDEL', records, nothing)
redis.call('ZREM', due, nothing)
redis.call('HMGET', parkedEntries, nothing)
redis.call('HGET', parkedEntries, nothing)
redis.call('HMGET', parkedEntries, nothing)
redis.call('HDEL', parkedEntries, nothing)
redis.call('ZRANGE', parkedDue, 0, 0)
redis.call('ZREM', parkedDue, nothing)
redis.call('ZRANGE', scheduleNext, 0, 0)
redis.call('HGETALL', paused)
redis.call('HDEL', paused, nothing)
for _, key in ipairs({ lanesHeld, lanesWaiting }) do
  redis.call('ZRANGE', key, '[a', '[a', 'BYLEX', 'LIMIT', 0, 1)
  redis.call('ZLEXCOUNT', key, '[a', '[a')
  redis.call('ZMSCORE', key, nothing)
  redis.call('ZREM', key, nothing)
end
redis.call('EXISTS', lanesHeld, lanesWaiting)
redis.call('EXISTS', lanesSequence)
redis.call('HMGET', lanesRules, nothing)
redis.call('HDEL', lanesRules, nothing)
redis.call('ZSCORE', lanesRates, nothing)
redis.call('ZREM', lanesRates, nothing)
redis.call('ZREM', lanesStopped, nothing)
-- A hint and no need. In here its entries, which may be large, are not sent.
local info = redis.pcall('XINFO', 'STREAM', stream)
for i = 1, #info, 2 do
  if info[i] == 'last-generated-id' then return info[i + 1] end
end
return ''
`,
  keys: (params) => [
    params.stream,
    params.retryDue,
    params.retryRecords,
    params.deadLetters,
    params.parkedEntries,
    params.parkedDue,
    params.scheduleNext,
    params.paused,
    ...laneKeys(params).slice(3)
  ],
  args: (params) => [params.group, params.waitingConsumer]
})
