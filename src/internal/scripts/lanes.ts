/**
 * Lanes: how many actions of a key may be in the stream at once, and the queue of those that wait behind them.
 *
 * A place exists only as a member of `lanesHeld`. It is taken in the step that appends the entry, and given back in the step that
 * acknowledges it, so that a crash can neither lose nor keep one.
 *
 * The name of a lane is `t:<type>` or `n:<name>`, a NUL, and its key. With an empty key it is the lane of all keys together.
 */
import { expiresField, laneField, supersededField } from "../wire/entry.ts"
import { luaNamed, maxLetInBytes } from "./laneKeys.ts"

/** Actions that one call lets into the stream from their lanes. */
export const maxLetIn = 100

/** The digits of a number in the queue. Numbers at the head count down from the middle. */
const digits = 16
const middle = "1e15"

/** Where the parking id begins in a member of the queue, counted from the end of its lane: the number, a dot and a time. */
const idAt = digits + 1 + 13 + 3

/**
 * Lua: the lanes of a call, made when one is needed. Wants `integer`, `packed`, `unpacked` and `enter`. `most` is how many
 * actions the call may let in.
 *
 * - `enter` appends an action that finds a place, and queues it otherwise
 * - `leave` gives a place back and lets the next in
 * - `fill` lets in the head of a lane while there is a place, no pause and a token
 *
 * Each call to the server costs about as much as a plain append, so that what was read is kept for the time of the call.
 */
export const luaLanes =
  `local function lanesOf(stream, entries, due, held, waiting, sequence, rules, rates, stopped, time, most)
  local lanes, known, ruleOf, counts = { note = '', letIn = 0, over = 0, superseded = 0, marked = false }, {}, {}, {}
  local work, bytes = 0, 0

  -- A lane is a range of members that begin with its name.
  local function first(key, lane)
    return redis.call('ZRANGE', key, '[' .. lane .. '\\0', '(' .. lane .. '\\1', 'BYLEX', 'LIMIT', 0, 1)[1]
  end
  local function places(lane)
    local found = counts[lane]
    if not found then
      found = redis.call('ZLEXCOUNT', held, '[' .. lane .. '\\0', '(' .. lane .. '\\1')
      counts[lane] = found
    end
    return found
  end
  local function occupy(lane, id)
    redis.call('ZADD', held, 0, lane .. '\\0' .. id)
    if counts[lane] then counts[lane] = counts[lane] + 1 end
  end

  -- The operator's rule goes before that of the workers, and theirs before that of the sender.
  local function ruleIn(name, declared, override)
    local parts, at = {}, 0
    for part in (declared or ''):gmatch('%S+') do parts[#parts + 1] = part end
    for part in (override or ''):gmatch('%S+') do
      at = at + 1
      if part ~= '-' then parts[at] = part end
    end
    local rule = {
      places = tonumber(parts[2]) or 1, limit = tonumber(parts[3]), period = tonumber(parts[4]),
      backlog = parts[5] or 'wait', halts = parts[6] == 'halt',
      allPlaces = tonumber(parts[7]), allLimit = tonumber(parts[8]), allPeriod = tonumber(parts[9]),
      all = name .. '\\0'
    }
    rule.hasAll = rule.allPlaces ~= nil or rule.allLimit ~= nil
    ruleOf[name] = rule
    return rule
  end

  -- The rule of a name is read once, with the pause of its first lane.
  local function stateOf(lane, brought)
    local state = known[lane]
    if state then return state, state.rule end
    local name = lane:sub(1, lane:find('\\0', 1, true) - 1)
    local rule, pause = ruleOf[name], nil
    if rule then
      pause = redis.call('HMGET', rules, 'pause:' .. lane)[1]
    else
      local found = redis.call('HMGET', rules, 'declared:' .. name, 'override:' .. name, 'pause:' .. lane)
      pause = found[3]
      if brought and not found[1] then
        found[1] = 's ' .. brought
        redis.call('HSET', rules, 'declared:' .. name, found[1])
        ${luaNamed}named(rules, name)
      end
      rule = ruleIn(name, found[1], found[2])
    end
    state = { rule = rule, paused = 0, isHalted = false, isOver = false }
    if pause then
      state.paused = tonumber(pause:match('^%d+')) or 0
      state.isHalted = pause:sub(1, 6) == 'halted'
      state.isOver = not state.isHalted and state.paused <= time
    end
    known[lane] = state
    return state, rule
  end

  -- A second group would run what waits for its turn.
  local function isOneGroup()
    if lanes.groups == nil then
      local found = redis.pcall('XINFO', 'GROUPS', stream)
      lanes.groups = found.err == nil and #found or 0
    end
    return lanes.groups < 2
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
  local function takeTokens(lane, rule)
    takeToken(lane, rule.limit, rule.period)
    takeToken(rule.all, rule.allLimit, rule.allPeriod)
  end

  local function mark(lane, at)
    redis.call('ZADD', due, 'LT', integer(at), 'lane\\0' .. lane)
    lanes.marked = true
  end

  -- Whether the lane has a place now; else when it may have one, and whether only the lane of all keys has none.
  local function isFree(lane, state)
    local rule = state.rule
    if state.isHalted then return false end
    if state.paused > time then return false, state.paused end
    if places(lane) >= rule.places or not isOneGroup() then return false end
    local at = tokenAt(lane, rule.limit, rule.period)
    if at > time then return false, at end
    if not rule.hasAll then return true end
    if rule.allPlaces and places(rule.all) >= rule.allPlaces then return false, nil, true end
    at = tokenAt(rule.all, rule.allLimit, rule.allPeriod)
    if at > time then return false, at, true end
    return true
  end

  local function nextNumber(isHead)
    local number = redis.call('INCR', sequence)
    if isHead then number = -number end
    return string.format('%0${digits}.0f.%013.0f', ${middle} + number, time)
  end
  local function queue(lane, id, note, record, isHead)
    local number = nextNumber(isHead)
    redis.call('HSET', entries, id, note .. ' ' .. number .. '\\n' .. record)
    redis.call('ZADD', waiting, 0, lane .. '\\0' .. number .. '\\0' .. id)
  end
  -- A lane that waits for the lane of all keys has one place in the line there.
  local function standInLine(lane, rule, at)
    local id = 'all\\0' .. lane
    if redis.call('HSETNX', entries, id, '\\n') == 1 then
      redis.call('ZADD', waiting, 0, rule.all .. '\\0' .. nextNumber() .. '\\0' .. id)
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
    occupy(lane, id)
    if rule.hasAll then occupy(rule.all, id) end
    if rule.backlog == 'drop' then noteHolder(lane, id, { ... }) end
    takeTokens(lane, rule)
    lanes.letIn = lanes.letIn + 1
    return id
  end

  local function remove(member, id)
    redis.call('ZREM', waiting, member)
    redis.call('HDEL', entries, id)
  end

  -- What was replaced by a newer action. A worker answers a caller who waits for it. Many wait only where the rule was another.
  local function supersede(lane)
    for _ = 1, ${maxLetIn} do
      local member = first(waiting, lane)
      if not member then return end
      local id = member:sub(#lane + ${idAt})
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
    local record = redis.call('HGET', entries, member:sub(#lane + ${idAt}))
    return record and actionIdOf(unpacked(record)) or '', ''
  end

  -- \`isAccepted\` is for actions that may not be refused any more.
  function lanes.enter(lane, brought, id, isAccepted, ...)
    local state, rule = stateOf(lane, brought)
    if state.isOver then lanes.opens(lane, state) end
    local isFirst = not first(waiting, lane)
    local free, at, isForAll = isFree(lane, state)
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
      elseif tonumber(rule.backlog) then
        local waits = redis.call('ZLEXCOUNT', waiting, '[' .. lane .. '\\0', '(' .. lane .. '\\1')
        if waits >= tonumber(rule.backlog) then return 'full' end
      end
    end
    queue(lane, id, lanes.note, packed(...), false)
    if free then lanes.fill(lane) elseif isFirst then later(lane, rule, at, isForAll) end
    return 'waiting'
  end

  -- To the head of a lane that is halted, to the end of any other.
  function lanes.returns(lane, id, ...)
    if not stateOf(lane).isHalted then return lanes.enter(lane, nil, id, true, ...) end
    queue(lane, id, '', packed(...), true)
    return 'waiting'
  end

  -- Lets in the lanes that wait for the lane of all keys, each once in a round.
  local function fillAll(all)
    local member = first(waiting, all)
    while member do
      if work >= most then return mark(all, time) end
      work = work + 1
      local id = member:sub(#all + ${idAt})
      local lane = id:sub(5)
      local free, at, isForAll = isFree(lane, (stateOf(lane)))
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
    local state, rule = stateOf(lane)
    if state.isOver then lanes.opens(lane, state) end
    -- What leaves a lane without a place calls again.
    while not state.isHalted and places(lane) < rule.places do
      local member = first(waiting, lane)
      if not member then return end
      local free, at, isForAll = isFree(lane, state)
      if free and rule.hasAll and not isNext and first(waiting, rule.all) then free, isForAll = false, true end
      if not free then return later(lane, rule, at, isForAll) end
      if work >= most or bytes >= ${maxLetInBytes} then return mark(lane, time) end
      work = work + 1
      local id = member:sub(#lane + ${idAt})
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
    end
  end

  -- Takes a place for an entry that is in the stream already, if there is one.
  function lanes.take(lane, brought, id)
    local state, rule = stateOf(lane, brought)
    if not isFree(lane, state) or first(waiting, lane) or (rule.hasAll and first(waiting, rule.all)) then return false end
    occupy(lane, id)
    if rule.hasAll then occupy(rule.all, id) end
    if rule.backlog == 'drop' then
      local found = redis.call('XRANGE', stream, id, id)[1]
      noteHolder(lane, id, found and found[2] or {})
    end
    takeTokens(lane, rule)
    return true
  end

  -- Moves an entry that was in the stream behind its lane.
  function lanes.queue(lane, id, values)
    queue(lane, id, '', packed(unpack(values)), false)
    lanes.fill(lane)
  end

  -- Gives back the place of an entry: that of its key, and that of all keys.
  function lanes.release(lane, id)
    local all = lane:sub(1, lane:find('\\0', 1, true))
    local released = redis.call('ZREM', held, lane .. '\\0' .. id, all .. '\\0' .. id)
    if released > 0 then counts[lane], counts[all] = nil, nil end
    return released, all
  end

  function lanes.leave(lane, id, gaveUp)
    local released, all = lanes.release(lane, id)
    if released > 0 then lanes.left(lane, id, gaveUp, released, all) end
  end
  -- After the places were given back.
  function lanes.left(lane, id, gaveUp, released, all)
    local state, rule = stateOf(lane)
    if rule.backlog == 'drop' then redis.call('HDEL', rules, 'holder:' .. lane .. '\\0' .. id) end
    if gaveUp and rule.halts then
      lanes.stops(lane, 'halted ' .. integer(time) .. ' ' .. id)
      state.isHalted, state.isOver = true, false
    end
    lanes.fill(lane)
    if released == 2 then fillAll(all) end
  end

  function lanes.stops(lane, text)
    redis.call('HSET', rules, 'pause:' .. lane, text)
    redis.call('ZADD', stopped, 0, lane .. '\\0')
  end
  function lanes.opens(lane, state)
    if state then state.isOver = false end
    redis.call('ZREM', stopped, lane .. '\\0')
    return redis.call('HDEL', rules, 'pause:' .. lane)
  end

  -- Forgets a pause that is over.
  function lanes.settles(lane)
    local state = stateOf(lane)
    if state.isOver or not (state.isHalted or state.paused > time) then lanes.opens(lane, state) end
  end

  -- A longer pause stays, and so does a halt.
  function lanes.pause(lane, id, millis)
    local state = stateOf(lane)
    if state.isHalted or state.paused >= time + millis or not redis.call('ZSCORE', held, lane .. '\\0' .. id) then return end
    lanes.stops(lane, integer(time + millis))
    state.paused, state.isOver = time + millis, false
    if first(waiting, lane) then mark(lane, state.paused) end
  end

  -- A retry takes a token when it falls due. Returns when, if there is none now.
  function lanes.retry(lane)
    local _, rule = stateOf(lane)
    local at = math.max(tokenAt(lane, rule.limit, rule.period), tokenAt(rule.all, rule.allLimit, rule.allPeriod))
    if at > time then return at end
    takeTokens(lane, rule)
  end

  return lanes
end
`
