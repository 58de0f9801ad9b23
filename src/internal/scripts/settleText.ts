/** The Lua of the settle script. What it takes, and what it replies, is in `settle.ts`. */
import { luaEnter, luaFields } from "./enter.ts"
import { luaLanes, maxLetIn } from "./lanes.ts"
import { luaWriteLetter } from "./letter.ts"
import { luaRecords } from "./records.ts"
import { luaBefore, luaInteger, luaLive, luaNow } from "./script.ts"

/**
 * The most frequent operation, an answer to a list for a first delivery, with fewer arguments than the others: with a
 * hundred arguments in a call, each costs both sides.
 */
export const answerOnly = "a"

export const luaSettle = `local stream, due, records, dead = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local group, consumer, waiting = ARGV[1], ARGV[2], ARGV[3]
local retain, total, lifetime = ARGV[4]:byte() == 49, tonumber(ARGV[7]), ARGV[8]
-- Entries with a place in a lane are named once more at the end, three words each. There are none in most calls.
local laned = #ARGV[4] > 1 and tonumber(ARGV[4]:sub(2)) or 0
local last = #ARGV - 3 * laned
local statuses, acknowledged = {}, {}
local function report(index, status)
  statuses[#statuses + 1] = index
  statuses[#statuses + 1] = status
end
local function failed(reply)
  return type(reply) == 'table' and reply.err ~= nil
end

-- One range for the whole batch; single look-ups only when it was too short to be sure. Entries that this call has
-- settled are no longer ours: an entry that is in a batch twice is settled once.
local owned, done, limit = {}, {}, total * 2
local pending = redis.call('XPENDING', stream, group, ARGV[5], ARGV[6], limit, consumer)
for _, row in ipairs(pending) do
  if row[2] == consumer then owned[row[1]] = row[4] end
end
local function mine(id, deliveries)
  if done[id] then return false end
  if owned[id] then return owned[id] == deliveries end
  if #pending < limit then return false end
  local row = redis.call('XPENDING', stream, group, id, id, 1)[1]
  return row ~= nil and row[2] == consumer and row[4] == deliveries
end

-- Why an entry is not settled, by the row that the pending list has for it. Made when it is needed.
local refusal
local function refusals()
  ${luaBefore}
  local deletes, read = false, '0-0'
  if not retain then
    local groups = redis.call('XINFO', 'GROUPS', stream)
    deletes = #groups == 1
    for _, info in ipairs(groups) do
      local fields = {}
      for i = 1, #info, 2 do fields[info[i]] = info[i + 1] end
      if fields.name == group then read = fields['last-delivered-id'] end
    end
  end
  return function(id)
    if done[id] then return 'ended' end
    if #redis.call('XPENDING', stream, group, id, id, 1) > 0 then return 'lost' end
    -- Where settled entries stay in the stream, this one may have been settled before.
    if not deletes or #redis.call('XRANGE', stream, id, id) == 0 or before(read, id) then return 'ended' end
    return 'dropped'
  end
end
local function refuse(index, id)
  refusal = refusal or refusals()
  report(index, refusal(id))
end

-- A server whose memory is full refuses the first write of a script when it needs some, and none that comes after. This one
-- needs none, and what follows frees about as much as it takes: a full server can be worked off, answers included.
redis.call('XACK', stream, group, '0-0')

-- Entries that are done with, acknowledged together: before anything that might end the script with an error, and at the end.
local plain = {}
local function acknowledge()
  if #plain == 0 then return end
  redis.call('XACK', stream, group, unpack(plain))
  for i = 1, #plain do acknowledged[#acknowledged + 1] = plain[i] end
  plain = {}
end
local function finished(id)
  done[id] = true
  plain[#plain + 1] = id
end

${luaLive}
local renewed = {}
local function push(kind, key, payload, extra)
  -- Most answers of a call go to one list: its expiry is set once.
  if kind == 'l' and renewed[key] == extra then return redis.pcall('LPUSH', key, payload) end
  acknowledge()
  local pushed
  if kind == 'l' then
    pushed = redis.pcall('LPUSH', key, payload)
    if not failed(pushed) then
      live(key, extra, pushed)
      renewed[key] = extra
    end
  else
    -- Made when it is needed, as below.
    ${luaEnter}
    if extra ~= '0' then
      pushed = enter(redis.pcall, key, ${luaFields({ data: "payload", traceparent: "extra" })})
    else
      pushed = enter(redis.pcall, key, ${luaFields({ data: "payload" })})
    end
  end
  if failed(pushed) and pushed.err:find('WRONGTYPE') then
    local wanted = kind == 'l' and 'list' or 'stream'
    return { err = 'WRONGTYPE the answer ' .. wanted .. ' holds a ' .. redis.call('TYPE', key).ok }
  end
  return pushed
end

-- Nothing was written because of what the key holds, or of what this user may do.
local function isRefused(pushed)
  local prefix = pushed.err:match('^%-?(%u+)')
  -- A stream whose last id is used takes nothing, whatever it is.
  if pushed.err:find('exhausted the last possible ID', 1, true) then return true end
  return prefix == 'WRONGTYPE' or prefix == 'NOPERM'
end

local count = tonumber(ARGV[9])
for index = 1, count do
  local id = ARGV[9 + index]
  if mine(id, 1) then finished(id) else refuse(index - 1, id) end
end

local index, cursor = count, 10 + count

-- All settlements but plain answers. Made when needed: the functions in here are a tenth of the time of a short call.
local function others()
  ${luaNow}${luaInteger}${luaWriteLetter}
  local function take()
    cursor = cursor + 1
    return ARGV[cursor - 1]
  end

  local function bury(id, letter)
    local found = redis.call('XRANGE', stream, id, id)[1]
    if not found then return nil end
    return writeLetter(redis.pcall, dead, letter, id, group, consumer, integer(now()), found[2])
  end

  local function wait(id, delay, record, kind, key, payload, extra)
    acknowledge()
    local written = redis.pcall('HSET', records, id, record)
    if not failed(written) then written = redis.pcall('ZADD', due, integer(now() + delay), id) end
    if failed(written) then return report(index, written.err) end
    done[id] = true
    if #redis.call('XCLAIM', stream, group, waiting, 0, id, 'JUSTID') == 0 then
      redis.call('ZREM', due, id)
      redis.call('HDEL', records, id)
      report(index, 'gone')
    elseif key and failed(push(kind, key, payload, extra)) then
      report(index, 'undeliverable')
    end
  end

  local function finish(id, bad, letter, kind, key, payload, extra)
    local pushed
    if key then
      pushed = push(kind, key, payload, extra)
      if failed(pushed) then
        if not isRefused(pushed) then return report(index, pushed.err) end
        if not letter then return report(index, 'incomplete') end
        if not bad then
          letter[#letter + 1] = 'reason'
          letter[#letter + 1] = 'undeliverable'
        end
        letter[#letter + 1] = 'undeliverable'
        letter[#letter + 1] = pushed.err
        letter[#letter + 1] = 'answer'
        letter[#letter + 1] = payload
        bad = true
        report(index, 'undeliverable')
        pushed = nil
      end
    end
    if bad then
      acknowledge()
      local buried = bury(id, letter)
      if not buried then
        report(index, 'gone')
      elseif failed(buried) then
        -- Taken back, so that the next call does not answer twice.
        if pushed and kind == 'l' then
          redis.call('LPOP', key)
          renewed[key] = nil
        elseif pushed then
          redis.call('XDEL', key, pushed)
        end
        return report(index, buried.err)
      end
    end
    finished(id)
  end

  return function(id, operation)
    local deliveries, kind, outcome = tonumber(take()), operation:sub(1, 1), operation:sub(2, 2)
    local key, payload, extra, delay, record
    if kind ~= '-' then key, payload, extra = KEYS[tonumber(take())], take(), take() end
    if outcome == 'w' then delay, record = tonumber(take()), take() end
    local letter, notes = nil, tonumber(take())
    if notes >= 0 then letter = {} end
    for i = 1, notes do letter[i] = take() end
    if not mine(id, deliveries) then
      refuse(index, id)
    elseif outcome == 'w' then
      wait(id, delay, record, kind, key, payload, extra)
    else
      finish(id, outcome == 'd', letter, kind, key, payload, extra)
    end
  end
end

local other
while cursor <= last do
  local id, operation = ARGV[cursor], ARGV[cursor + 1]
  cursor = cursor + 2
  if operation == '${answerOnly}' then
    local key, payload = KEYS[tonumber(ARGV[cursor])], ARGV[cursor + 1]
    cursor = cursor + 2
    if mine(id, 1) then
      local pushed = push('l', key, payload, lifetime)
      if not failed(pushed) then
        finished(id)
      else
        report(index, isRefused(pushed) and 'incomplete' or pushed.err)
      end
    else
      refuse(index, id)
    end
  else
    other = other or others()
    other(id, operation)
  end
  index = index + 1
end

acknowledge()
local groups
if #acknowledged > 0 then
  if redis.call('EXISTS', records) == 1 then redis.call('HDEL', records, unpack(acknowledged)) end
  if not retain then
    groups = #redis.call('XINFO', 'GROUPS', stream)
    if groups == 1 then redis.call('XDEL', stream, unpack(acknowledged)) end
  end
end
-- After the acknowledgement, and only what this call has acknowledged.
if laned > 0 then
  local ended, keys, others = {}, #KEYS - 8, {}
  local held, lined, rules = KEYS[keys + 3], KEYS[keys + 4], KEYS[keys + 6]
  for i = 1, #acknowledged do ended[acknowledged[i]] = true end
  -- Where nothing waits, a place is given back without the functions for all else, which take longer to make.
  for i = last + 1, #ARGV, 3 do
    local id, lane, what = ARGV[i], ARGV[i + 1], ARGV[i + 2]
    if what == '0' and ended[id] then
      local place, all = lane .. '\\0' .. id, lane:sub(1, lane:find('\\0', 1, true))
      local released = redis.call('ZREM', held, place, all .. '\\0' .. id)
      if released == 1 and #redis.call('ZRANGE', lined, '[' .. lane .. '\\0', '(' .. lane .. '\\1', 'BYLEX', 'LIMIT', 0, 1) == 0 then
        redis.call('HDEL', rules, 'holder:' .. place)
      elseif released > 0 then
        others[#others + 1] = { i, released, all }
      end
    elseif ended[id] or done[id] then
      others[#others + 1] = { i }
    end
  end
  if #others > 0 then
    ${luaNow}${luaInteger}${luaEnter}${luaRecords}${luaLanes}
    local lanes = lanesOf(
      stream, KEYS[keys + 1], KEYS[keys + 2], held, lined, KEYS[keys + 5], rules, KEYS[keys + 7], KEYS[keys + 8], now(),
      laned + ${maxLetIn}
    )
    lanes.groups = groups
    for _, other in ipairs(others) do
      local i = other[1]
      local id, lane, what = ARGV[i], ARGV[i + 1], ARGV[i + 2]
      local pause = what:match('^p(%d+)')
      if pause then
        lanes.pause(lane, id, tonumber(pause))
      elseif other[2] then
        lanes.left(lane, id, false, other[2], other[3])
      elseif ended[id] then
        lanes.leave(lane, id, what == '1')
      end
    end
    if lanes.marked then report('due', '') end
    if lanes.over > 0 then report('over', integer(lanes.over)) end
  end
end
return statuses
`
