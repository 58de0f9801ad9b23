/**
 * Lanes: how many actions of a key may be in the stream at once, and the queue of those that wait behind them.
 *
 * A place exists only as a member of `lanesHeld`. It is taken in the step that appends the entry, and given back in the step that
 * acknowledges it, so that a crash can neither lose nor keep one.
 *
 * The name of a lane is `t:<type>` or `n:<name>`, a NUL, and its key. With an empty key it is the lane of all keys together.
 */
import { expiresField, laneField, supersededField } from "../wire/entry.ts"

/** Actions that one call lets into the stream from their lanes. */
export const maxLetIn = 100

/** The number of bytes of records after which a call lets in no more. */
export const maxLetInBytes = 1024 * 1024

/** The digits of a place in the queue. Places at the head count down from the middle. */
const digits = 16
const middle = "1e15"

/** The name of a lane. */
export const laneOf = (name: string, key: string): string => `${name}\0${key}`

/** The keys of lanes, in the order in which {@link luaLanes} takes them. */
export interface LaneKeys {
  readonly stream: string
  readonly parkedEntries: string
  readonly parkedDue: string
  readonly lanesHeld: string
  readonly lanesWaiting: string
  readonly lanesSequence: string
  readonly lanesRules: string
  readonly lanesRates: string
}

export const laneKeys = (keys: LaneKeys): ReadonlyArray<string> => [
  keys.stream,
  keys.parkedEntries,
  keys.parkedDue,
  keys.lanesHeld,
  keys.lanesWaiting,
  keys.lanesSequence,
  keys.lanesRules,
  keys.lanesRates
]

/**
 * Lua: the lanes of a call, made when one is needed. Wants `integer`, `packed`, `unpacked` and `enter`. `most` is how many
 * actions the call may let in.
 *
 * - `enter` appends an action that finds a place, and queues it otherwise
 * - `leave` gives a place back and lets the next in
 * - `fill` lets in the head of a lane while there is a place, no pause and a token
 */
export const luaLanes = `local function lanesOf(stream, entries, due, held, waiting, sequence, rules, rates, time, most)
  local lanes, known, groups = { note = '', letIn = 0, over = 0, superseded = 0, marked = false }, {}, nil
  local named = {}
  local work, bytes = 0, 0

  -- A lane is a range of members that begin with its name.
  local function first(key, lane)
    return redis.call('ZRANGE', key, '[' .. lane .. '\\0', '(' .. lane .. '\\1', 'BYLEX', 'LIMIT', 0, 1)[1]
  end
  local function count(key, lane)
    return redis.call('ZLEXCOUNT', key, '[' .. lane .. '\\0', '(' .. lane .. '\\1')
  end

  -- The operator's rule goes before that of the workers, and theirs before that of the sender.
  local function readRule(name, brought)
    local found = redis.call('HMGET', rules, 'declared:' .. name, 'override:' .. name)
    if brought and not found[1] then
      redis.call('HSET', rules, 'declared:' .. name, 's ' .. brought)
      found[1] = 's ' .. brought
    end
    local parts, at = {}, 0
    for part in (found[1] or ''):gmatch('%S+') do parts[#parts + 1] = part end
    for part in (found[2] or ''):gmatch('%S+') do
      at = at + 1
      if part ~= '-' then parts[at] = part end
    end
    local rule = {
      places = tonumber(parts[2]) or 1, limit = tonumber(parts[3]), period = tonumber(parts[4]),
      backlog = parts[5] or 'wait', halts = parts[6] == 'halt',
      allPlaces = tonumber(parts[7]), allLimit = tonumber(parts[8]), allPeriod = tonumber(parts[9]),
      all = name .. '\\0', isHalted = false, paused = 0
    }
    rule.hasAll = rule.allPlaces ~= nil or rule.allLimit ~= nil
    return rule
  end

  -- The rule is read once for a name, and the pause once for a lane.
  local function ruleOf(lane, brought)
    local rule = known[lane]
    if rule then return rule end
    local name = lane:sub(1, lane:find('\\0', 1, true) - 1)
    local base = named[name]
    if not base then
      base = readRule(name, brought)
      named[name] = base
    end
    rule = {}
    for key, value in pairs(base) do rule[key] = value end
    local pause = redis.call('HMGET', rules, 'pause:' .. lane)[1]
    if pause then
      rule.paused = tonumber(pause:match('^%d+')) or 0
      rule.isHalted = pause:sub(1, 6) == 'halted'
      rule.isOver = not rule.isHalted and rule.paused <= time
    end
    known[lane] = rule
    return rule
  end

  local function isOneGroup()
    if groups == nil then
      local found = redis.pcall('XINFO', 'GROUPS', stream)
      groups = found.err ~= nil or #found < 2
    end
    return groups
  end

  -- A leaky bucket that is kept as the time at which it is empty.
  local function tokenAt(key, limit, period)
    if not limit then return 0 end
    return math.ceil(tonumber(redis.call('ZSCORE', rates, key) or 0) - period + period / limit)
  end
  local function takeToken(key, limit, period)
    if not limit then return end
    local full = redis.call('ZRANGE', rates, '-inf', integer(time), 'BYSCORE', 'LIMIT', 0, 2)
    if #full > 0 then redis.call('ZREM', rates, unpack(full)) end
    local empty = math.max(time, tonumber(redis.call('ZSCORE', rates, key) or 0)) + period / limit
    redis.call('ZADD', rates, string.format('%.3f', empty), key)
  end

  local function mark(lane, at)
    redis.call('ZADD', due, 'LT', integer(at), 'lane\\0' .. lane)
    lanes.marked = true
  end

  -- Whether the lane has a place now; else when it may have one, and whether only the lane of all keys has none.
  local function isFree(lane, rule)
    if rule.isHalted or not isOneGroup() then return false end
    if rule.paused > time then return false, rule.paused end
    if count(held, lane) >= rule.places then return false end
    local at = tokenAt(lane, rule.limit, rule.period)
    if at > time then return false, at end
    if not rule.hasAll then return true end
    if rule.allPlaces and count(held, rule.all) >= rule.allPlaces then return false, nil, true end
    at = tokenAt(rule.all, rule.allLimit, rule.allPeriod)
    if at > time then return false, at, true end
    return true
  end

  local function place()
    return redis.call('INCR', sequence)
  end
  local function queue(lane, id, record, isHead)
    local number = place()
    if isHead then number = -number end
    redis.call('HSET', entries, id, record)
    redis.call('ZADD', waiting, 0, lane .. '\\0' .. string.format('%0${digits}.0f', ${middle} + number) .. '\\0' .. id)
  end
  -- A lane that waits for the lane of all keys has one place in the line there.
  local function standInLine(lane, rule, at)
    local id = 'all\\0' .. lane
    if redis.call('HSETNX', entries, id, '\\n') == 1 then
      local number = string.format('%0${digits}.0f', ${middle} + place())
      redis.call('ZADD', waiting, 0, rule.all .. '\\0' .. number .. '\\0' .. id)
    end
    if at then mark(rule.all, at) end
  end
  local function later(lane, rule, at, isForAll)
    if isForAll then standInLine(lane, rule, at) elseif at then mark(lane, at) end
  end

  local function valueOf(values, name)
    for i = 1, #values - 1, 2 do
      if values[i] == name then return values[i + 1], i end
    end
  end
  local function actionIdOf(values)
    return (valueOf(values, 'data') or ''):match('"action_id"%s*:%s*"(%x+%-%x+%-%x+%-%x+%-%x+)"') or ''
  end
  -- The receipt of a refused send names the action that has the lane. A sender may not read the stream.
  local function noteHolder(lane, id, values)
    redis.call('HSET', rules, 'holder:' .. lane .. '\\0' .. id, actionIdOf(values))
  end

  local function admit(lane, rule, ...)
    local id = enter(redis.pcall, stream, ...)
    if type(id) == 'table' then return nil, id.err end
    redis.call('ZADD', held, 0, lane .. '\\0' .. id)
    if rule.hasAll then redis.call('ZADD', held, 0, rule.all .. '\\0' .. id) end
    if rule.backlog == 'drop' then noteHolder(lane, id, { ... }) end
    takeToken(lane, rule.limit, rule.period)
    takeToken(rule.all, rule.allLimit, rule.allPeriod)
    lanes.letIn = lanes.letIn + 1
    return id
  end

  local function remove(member, id)
    redis.call('ZREM', waiting, member)
    redis.call('HDEL', entries, id)
  end

  -- What was replaced by a newer action. A worker answers a caller who waits for it.
  local function supersede(lane)
    local member = first(waiting, lane)
    while member do
      local id = member:sub(#lane + ${digits + 3})
      local record = redis.call('HGET', entries, id)
      remove(member, id)
      if record then
        local values = unpacked(record)
        local data = valueOf(values, 'data') or ''
        local _, at = data:find('"callback_queue_name":', 1, true)
        if at and data:sub(at + 1, at + 4) ~= 'null' then
          local _, i = valueOf(values, '${laneField}')
          if i then values[i], values[i + 1] = '${supersededField}', '1' end
          enter(redis.call, stream, unpack(values))
        end
        lanes.superseded = lanes.superseded + 1
      end
      member = first(waiting, lane)
    end
  end

  -- The action that holds a lane, or waits in it.
  local function holder(lane)
    local member = first(held, lane)
    if member then
      local id = member:sub(#lane + 2)
      return redis.call('HMGET', rules, 'holder:' .. member)[1] or '', id
    end
    member = first(waiting, lane)
    if not member then return nil end
    local record = redis.call('HGET', entries, member:sub(#lane + ${digits + 3}))
    return record and actionIdOf(unpacked(record)) or '', ''
  end

  -- \`isAccepted\` is for actions that may not be refused any more.
  function lanes.enter(lane, brought, id, isAccepted, ...)
    local rule = ruleOf(lane, brought)
    local isFirst = not first(waiting, lane)
    local free, at, isForAll = isFree(lane, rule)
    if free and isFirst and not (rule.hasAll and first(waiting, rule.all)) then
      local entry, err = admit(lane, rule, ...)
      if err then return 'failed', err end
      return 'sent', entry
    end
    if not isAccepted then
      if rule.backlog == 'drop' then
        local actionId, entryId = holder(lane)
        if actionId then return 'duplicate', actionId, entryId end
      elseif rule.backlog == 'latest' then
        supersede(lane)
      elseif tonumber(rule.backlog) and count(waiting, lane) >= tonumber(rule.backlog) then
        return 'full'
      end
    end
    queue(lane, id, lanes.note .. '\\n' .. packed(...), false)
    if free then lanes.fill(lane) elseif isFirst then later(lane, rule, at, isForAll) end
    return 'waiting'
  end

  -- To the head of a lane that is halted, to the end of any other.
  function lanes.returns(lane, id, ...)
    if not ruleOf(lane).isHalted then return lanes.enter(lane, nil, id, true, ...) end
    queue(lane, id, '\\n' .. packed(...), true)
    return 'waiting'
  end

  -- Lets in the lanes that wait for the lane of all keys, each once in a round.
  local function fillAll(all)
    local member = first(waiting, all)
    while member do
      if work >= most then return mark(all, time) end
      work = work + 1
      local id = member:sub(#all + ${digits + 3})
      local lane = id:sub(5)
      local rule = ruleOf(lane)
      local free, at, isForAll = isFree(lane, rule)
      -- Only the lane of all keys is full: those that wait for it stay in line.
      if not free and isForAll then
        if at then mark(all, at) end
        return
      end
      remove(member, id)
      lanes.fill(lane, true)
      member = first(waiting, all)
    end
  end

  function lanes.fill(lane, isNext)
    if lane:byte(-1) == 0 then return fillAll(lane) end
    local rule = ruleOf(lane)
    if rule.isOver then
      redis.call('HDEL', rules, 'pause:' .. lane)
      rule.isOver = false
    end
    local member = first(waiting, lane)
    while member do
      local free, at, isForAll = isFree(lane, rule)
      if free and rule.hasAll and not isNext and first(waiting, rule.all) then free, isForAll = false, true end
      if not free then return later(lane, rule, at, isForAll) end
      if work >= most or bytes >= ${maxLetInBytes} then return mark(lane, time) end
      work = work + 1
      local id = member:sub(#lane + ${digits + 3})
      local record = redis.call('HGET', entries, id)
      if not record then
        redis.call('ZREM', waiting, member)
      else
        local values = unpacked(record)
        local expires = tonumber(valueOf(values, '${expiresField}') or '')
        if expires and expires <= time then
          remove(member, id)
          lanes.over = lanes.over + 1
        else
          -- The head stays, and the due loop tries again.
          if not admit(lane, rule, unpack(values)) then return mark(lane, time + 1000) end
          remove(member, id)
          bytes = bytes + #record
          isNext = false
        end
      end
      member = first(waiting, lane)
    end
  end

  -- Takes a place for an entry that is in the stream already, if there is one.
  function lanes.take(lane, brought, id)
    local rule = ruleOf(lane, brought)
    if not isFree(lane, rule) or first(waiting, lane) or (rule.hasAll and first(waiting, rule.all)) then return false end
    redis.call('ZADD', held, 0, lane .. '\\0' .. id)
    if rule.hasAll then redis.call('ZADD', held, 0, rule.all .. '\\0' .. id) end
    if rule.backlog == 'drop' then
      local found = redis.call('XRANGE', stream, id, id)[1]
      noteHolder(lane, id, found and found[2] or {})
    end
    takeToken(lane, rule.limit, rule.period)
    takeToken(rule.all, rule.allLimit, rule.allPeriod)
    return true
  end

  -- Moves an entry that was in the stream behind its lane.
  function lanes.queue(lane, id, values)
    queue(lane, id, '\\n' .. packed(unpack(values)), false)
    lanes.fill(lane)
  end

  function lanes.leave(lane, id, gaveUp)
    local all = lane:sub(1, lane:find('\\0', 1, true))
    local both = redis.call('ZREM', held, lane .. '\\0' .. id, all .. '\\0' .. id)
    if both == 0 then return end
    local rule = ruleOf(lane)
    if rule.backlog == 'drop' then redis.call('HDEL', rules, 'holder:' .. lane .. '\\0' .. id) end
    if gaveUp and rule.halts then
      redis.call('HSET', rules, 'pause:' .. lane, 'halted ' .. integer(time) .. ' ' .. id)
      rule.isHalted = true
    end
    lanes.fill(lane)
    if both == 2 then fillAll(all) end
  end

  -- A longer pause stays, and so does a halt.
  function lanes.pause(lane, id, millis)
    local rule = ruleOf(lane)
    if rule.isHalted or rule.paused >= time + millis or not redis.call('ZSCORE', held, lane .. '\\0' .. id) then return end
    redis.call('HSET', rules, 'pause:' .. lane, integer(time + millis))
    rule.paused, rule.isOver = time + millis, false
    if first(waiting, lane) then mark(lane, rule.paused) end
  end

  -- A retry takes a token when it falls due. Returns when, if there is none now.
  function lanes.retry(lane)
    local rule = ruleOf(lane)
    local at = math.max(tokenAt(lane, rule.limit, rule.period), tokenAt(rule.all, rule.allLimit, rule.allPeriod))
    if at > time then return at end
    takeToken(lane, rule.limit, rule.period)
    takeToken(rule.all, rule.allLimit, rule.allPeriod)
  end

  return lanes
end
`
