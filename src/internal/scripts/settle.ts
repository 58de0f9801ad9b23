/**
 * Settles a whole batch of entries in one call, fenced, and atomic for each entry.
 *
 * For each entry, the script checks the owner, pushes the answer, writes the dead letter, and acknowledges the entry.
 * An entry that fails stays in the pending list and gets its own status; the others continue.
 *
 * The call can be repeated safely, because this consumer no longer owns entries that an earlier call settled. If it
 * owns such an entry again, for a retry that became due in between, the delivery count differs: an outcome settles only
 * its own delivery.
 */
import type { Names } from "../redis/names.ts"
import type { PushTarget } from "../wire/answerTarget.ts"
import { bytesOf, scriptWords } from "./bounds.ts"
import { luaEnter, luaFields } from "./enter.ts"
import { type LaneKeys, laneKeys, luaLanes, maxLetIn } from "./lanes.ts"
import { luaRecords } from "./records.ts"
import { define, liveArgument, luaBefore, luaInteger, luaLive, luaNow } from "./script.ts"

/** Any settlement except a plain acknowledgement. */
export interface SettleEntry {
  readonly id: string
  /** The delivery that this outcome belongs to, by Redis's count. Default: 1. */
  readonly deliveries?: number | undefined
  readonly push: PushTarget | undefined
  /** Keeps the entry pending, owned by the waiting consumer, due after `delay` milliseconds. */
  readonly wait: { readonly delay: number; readonly record: string } | undefined
  /** Written to the dead-letter stream if true, or if the push is refused. */
  readonly dead: boolean
  /**
   * Field and value pairs that precede the entry's own fields in the dead letter. An answer may omit them, since they
   * are rarely needed. If it then cannot be pushed, the entry is left unchanged and reported as `incomplete`.
   */
  readonly notes: ReadonlyArray<string> | undefined
  /** Whether its notes hold the answer, because the naming rejects the list of the answer. The script ignores it. */
  readonly undelivered?: boolean | undefined
}

/** An entry that gives its place in a lane back once it is acknowledged. */
export interface Leaving {
  readonly id: string
  readonly lane: string
  /** Whether it became a dead letter, so that a lane whose rule says so halts. */
  readonly gaveUp: boolean
  /** Milliseconds for which the lane lets nothing in. The entry waits and keeps its place then. */
  readonly pause?: number | undefined
}

/** Where entries are settled, and for which consumer. */
export interface SettleTarget extends LaneKeys {
  readonly retryDue: string
  readonly retryRecords: string
  readonly deadLetters: string
  readonly group: string
  readonly consumer: string
  readonly waitingConsumer: string
  /** Keeps acknowledged entries in the stream. */
  readonly retain: boolean
}

export const targetOf = (names: Names, consumer: string, retain: boolean): SettleTarget => ({
  stream: names.stream,
  parkedEntries: names.parkedEntries,
  parkedDue: names.parkedDue,
  lanesHeld: names.lanesHeld,
  lanesWaiting: names.lanesWaiting,
  lanesSequence: names.lanesSequence,
  lanesRules: names.lanesRules,
  lanesRates: names.lanesRates,
  lanesStopped: names.lanesStopped,
  retryDue: names.retryDue,
  retryRecords: names.retryRecords,
  deadLetters: names.deadLetters,
  group: names.group,
  consumer,
  waitingConsumer: names.waitingConsumer,
  retain
})

export interface SettleParams {
  readonly target: SettleTarget
  readonly firstId: string
  readonly lastId: string
  /** Plain acknowledgements of entries that were delivered once. */
  readonly acknowledged: ReadonlyArray<string>
  readonly entries: ReadonlyArray<SettleEntry>
  /** Those of them that have a place in a lane. */
  readonly leaving?: ReadonlyArray<Leaving> | undefined
}

/**
 * Names and values of an entry beyond which a dead letter packs them as netstrings into one field. With its notes a letter stays
 * below the arguments that servers take in one command.
 */
export const maxFields = 3_400

/**
 * The most frequent operation, an answer to a list for a first delivery, with fewer arguments than the others: with a
 * hundred arguments in a call, each costs both sides.
 */
export const answerOnly = "a"

const lua = `local stream, due, records, dead = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
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
  ${luaNow}${luaInteger}
  local function take()
    cursor = cursor + 1
    return ARGV[cursor - 1]
  end

  local function bury(id, letter)
    local found = redis.call('XRANGE', stream, id, id)[1]
    if not found then return nil end
    local fields = found[2]
    local function note(name, value)
      letter[#letter + 1] = name
      letter[#letter + 1] = value
    end
    note('entry_id', id)
    note('group', group)
    note('consumer', consumer)
    note('time', integer(now()))
    note('fields', integer(#fields / 2))
    if #fields > ${maxFields} then
      local packed = {}
      for i = 1, #fields do packed[i] = #fields[i] .. ':' .. fields[i] .. ',' end
      note('packed', table.concat(packed))
    else
      for i = 1, #fields do letter[#letter + 1] = fields[i] end
    end
    return redis.pcall('XADD', dead, '*', unpack(letter))
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

const operationOf = (entry: SettleEntry): string =>
  (entry.push === undefined ? "-" : entry.push.kind === "list" ? "l" : "s") +
  (entry.wait !== undefined ? "w" : entry.dead ? "d" : "-")

/** Words of a call that settles nothing: the four keys, and nine arguments before the entries. */
export const settleWords = scriptWords + 4 + 9

/** Words of an entry in a call, with a key of its own for its answer; `first` is the first answer to a list in the call. */
export const wordsOf = (
  { dead, deliveries = 1, notes, push, wait }: SettleEntry,
  first: PushTarget | undefined
): number => {
  const isShort = push?.kind === "list" && push.timeToLive === first?.timeToLive && push.atLeast === first.atLeast &&
    wait === undefined && !dead && notes === undefined && deliveries === 1
  if (isShort) return 5
  return 4 + (push === undefined ? 0 : 4) + (wait === undefined ? 0 : 2) + (notes?.length ?? 0)
}

/** Bytes that an entry adds to a call, besides its id and numbers. */
export const entryBytes = ({ notes, push, wait }: SettleEntry): number => {
  let bytes = push === undefined ? 0 : bytesOf(push.payload) + bytesOf(push.key)
  if (wait !== undefined) bytes += bytesOf(wait.record)
  if (notes !== undefined) { for (const note of notes) bytes += bytesOf(note) }
  return bytes
}

/** The lifetime that the script gives to the lists of mere answers: that of the first. */
const lifetimeOf = (entries: ReadonlyArray<SettleEntry>): string => {
  const push = entries.find((entry) => entry.push?.kind === "list")?.push
  return push === undefined ? "0" : liveArgument(push)
}

const isAnswerOnly = (entry: SettleEntry, push: PushTarget, lifetime: string): boolean =>
  push.kind === "list" && liveArgument(push) === lifetime && entry.wait === undefined && !entry.dead &&
  entry.notes === undefined && (entry.deliveries ?? 1) === 1

/** The keys of the answers, each once: a batch of answers to one inbox declares one key. */
const answerKeys = (params: SettleParams): ReadonlyArray<string> => {
  const keys = new Set<string>()
  for (const entry of params.entries) if (entry.push !== undefined) keys.add(entry.push.key)
  return [...keys]
}

const isLaned = (params: SettleParams): params is SettleParams & { readonly leaving: ReadonlyArray<Leaving> } =>
  params.leaving !== undefined && params.leaving.length > 0

const withLeaving = (args: Array<string>, { leaving }: SettleParams): ReadonlyArray<string> => {
  if (leaving !== undefined) {
    for (const { gaveUp, id, lane, pause } of leaving) {
      args.push(id, lane, pause !== undefined ? `p${Math.ceil(pause)}` : gaveUp ? "1" : "0")
    }
  }
  return args
}

/** Words and keys of a call in which entries leave lanes, and the words of each. */
export const laneWords = { call: 8, entry: 3 } as const

export const settle = define<SettleParams>({
  lua,
  keys: (params) => [
    params.target.stream,
    params.target.retryDue,
    params.target.retryRecords,
    params.target.deadLetters,
    ...(params.entries.length === 0 ? [] : answerKeys(params)),
    ...(isLaned(params) ? laneKeys(params.target).slice(1) : [])
  ],
  args: (params) => {
    const { acknowledged, entries, target } = params
    const lifetime = lifetimeOf(entries)
    const args = [
      target.group,
      target.consumer,
      target.waitingConsumer,
      (target.retain ? "1" : "0") + (isLaned(params) ? String(params.leaving.length) : ""),
      params.firstId,
      params.lastId,
      String(acknowledged.length + entries.length),
      lifetime,
      String(acknowledged.length),
      ...acknowledged
    ]
    if (entries.length === 0) return withLeaving(args, params)
    const positions = new Map(answerKeys(params).map((key, index) => [key, String(index + 5)] as const))
    for (const entry of entries) {
      const { push, wait } = entry
      const position = push === undefined ? "" : positions.get(push.key) ?? ""
      if (push !== undefined && isAnswerOnly(entry, push, lifetime)) {
        args.push(entry.id, answerOnly, position, push.payload)
        continue
      }
      args.push(entry.id, operationOf(entry), String(entry.deliveries ?? 1))
      if (push !== undefined) args.push(position, push.payload, push.traceparent ?? liveArgument(push))
      if (wait !== undefined) args.push(String(wait.delay), wait.record)
      if (entry.notes === undefined && !entry.dead) args.push("-1")
      else args.push(String(entry.notes?.length ?? 0), ...entry.notes ?? [])
    }
    return withLeaving(args, params)
  }
})

/**
 * The status of an entry that was not simply settled. `lost`: the pending list has it for another consumer, or for a
 * later delivery. `ended`: it is not pending; it was settled before or will be delivered again. `dropped`: it is not
 * pending but still in the stream, and no consumer will receive it. `gone`: it was deleted from the stream while this
 * consumer owned it.
 */
export type SettleStatus =
  | "lost"
  | "ended"
  | "dropped"
  | "gone"
  | "undeliverable"
  | "incomplete"
  | { readonly error: string }

/** What happened to lanes in a call: whether one has something to do later, and how many of their actions were over. */
export const decodeLanes = (reply: unknown): { readonly isDue: boolean; readonly over: number } => {
  if (!Array.isArray(reply)) return { isDue: false, over: 0 }
  const over = reply.indexOf("over")
  return { isDue: reply.includes("due"), over: over < 0 ? 0 : Number(reply[over + 1]) }
}

const words: ReadonlySet<string> = new Set(["lost", "ended", "dropped", "gone", "undeliverable", "incomplete"])

// SAFETY: the set holds exactly the words of `SettleStatus`.
const isWord = (text: string): text is Extract<SettleStatus, string> => words.has(text)

/** The entries with a status, by their index in the batch (plain acknowledgements first). */
export const decodeStatuses = (reply: unknown): ReadonlyMap<number, SettleStatus> => {
  const statuses = new Map<number, SettleStatus>()
  if (!Array.isArray(reply)) return statuses
  for (let i = 0; i + 1 < reply.length; i += 2) {
    const text = String(reply[i + 1])
    if (reply[i] === "due" || reply[i] === "over") continue
    statuses.set(Number(reply[i]), isWord(text) ? text : { error: text })
  }
  return statuses
}
