/**
 * Settles a whole batch of entries in one call: fenced, and atomic for each entry.
 *
 * For each entry the owner is checked, then the answer is pushed, then the dead
 * letter is written, then the entry is acknowledged. An entry that fails keeps
 * its place in the pending list and gets a status of its own; the others go on.
 *
 * The call may be sent again: what it settled before is no longer ours. Nor is it
 * when we own the entry anew, for a retry that came due in between: each delivery
 * is counted, and an outcome settles only the delivery that it is the outcome of.
 */
import type { ScriptRedis, ScriptReply, Twin } from "../script.ts"
import { define, luaInteger, luaNow, ReplyError, rows, strings, twinNow } from "../script.ts"

/** A list or stream to push an answer to. */
export interface PushTarget {
  readonly kind: "list" | "stream"
  readonly key: string
  readonly payload: string
  /** Milliseconds that a list lives on after the push; 0 leaves its expiry alone. */
  readonly timeToLive: number
  /** Trace context that goes beside an action in a stream. */
  readonly traceparent?: string | undefined
}

/** Anything but a plain acknowledgement. */
export interface SettleEntry {
  readonly id: string
  /** The delivery that this is the outcome of, by Redis's count. Default: 1. */
  readonly deliveries?: number | undefined
  readonly push: PushTarget | undefined
  /** Stays pending, owned by the waiting consumer, due after `delay` milliseconds. */
  readonly wait: { readonly delay: number; readonly record: string } | undefined
  /** Written to the dead-letter stream when true, or when the push is refused. */
  readonly dead: boolean
  /** Field and value pairs that stand before the entry's own fields in the dead letter. */
  readonly notes: ReadonlyArray<string>
}

export interface SettleParams {
  readonly stream: string
  readonly retryDue: string
  readonly retryRecords: string
  readonly deadLetters: string
  readonly group: string
  readonly consumer: string
  readonly waitingConsumer: string
  /** Keep acknowledged entries in the stream. */
  readonly retain: boolean
  readonly firstId: string
  readonly lastId: string
  /** Plain acknowledgements of entries that were delivered once. */
  readonly acknowledged: ReadonlyArray<string>
  readonly entries: ReadonlyArray<SettleEntry>
}

/** The number of fields beyond which Lua's `unpack` is not trusted: the fields are packed as netstrings into one. */
const maxFields = 4000

const lua = `${luaNow}${luaInteger}
local stream, due, records, dead = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local group, consumer, waiting = ARGV[1], ARGV[2], ARGV[3]
local retain, total = ARGV[4] == '1', tonumber(ARGV[7])
local statuses, acknowledged = {}, {}
local function report(index, status)
  statuses[#statuses + 1] = index
  statuses[#statuses + 1] = status
end
local function failed(reply)
  return type(reply) == 'table' and reply.err ~= nil
end

-- One range for the whole batch; single look-ups only when it was too short to be sure. What this call has settled is
-- ours no more: an entry that stands twice in a batch is settled once.
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

-- A server whose memory is full refuses the first write of a script when it needs some, and none that comes after. This one
-- needs none, and what follows frees about as much as it takes: a full server can be worked off, answers included.
redis.call('XACK', stream, group, '0-0')

local function push(kind, key, payload, extra)
  local held = redis.call('TYPE', key).ok
  if kind == 's' then
    if held ~= 'stream' and held ~= 'none' then return { err = 'WRONGTYPE the answer stream holds a ' .. held } end
    if extra ~= '0' then return redis.pcall('XADD', key, '*', 'data', payload, 'traceparent', extra) end
    return redis.pcall('XADD', key, '*', 'data', payload)
  end
  if held ~= 'list' and held ~= 'none' then return { err = 'WRONGTYPE the answer list holds a ' .. held } end
  local pushed = redis.pcall('LPUSH', key, payload)
  if not failed(pushed) and extra ~= '0' then redis.call('PEXPIRE', key, extra) end
  return pushed
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

local count = tonumber(ARGV[8])
local plain = {}
for index = 1, count do
  local id = ARGV[8 + index]
  if mine(id, 1) then
    plain[#plain + 1] = id
    done[id] = true
  else
    report(index - 1, 'lost')
  end
end

local index, cursor = count, 9 + count
local function take()
  cursor = cursor + 1
  return ARGV[cursor - 1]
end
while ARGV[cursor] do
  local id, deliveries, operation = take(), tonumber(take()), take()
  local kind, outcome = operation:sub(1, 1), operation:sub(2, 2)
  local key, payload, extra, delay, record
  if kind ~= '-' then key, payload, extra = KEYS[tonumber(take())], take(), take() end
  if outcome == 'w' then delay, record = tonumber(take()), take() end
  local letter = {}
  for i = 1, tonumber(take()) do letter[i] = take() end

  if not mine(id, deliveries) then
    report(index, 'lost')
  elseif outcome == 'w' then
    local written = redis.pcall('HSET', records, id, record)
    if not failed(written) then written = redis.pcall('ZADD', due, integer(now() + delay), id) end
    if failed(written) then
      report(index, written.err)
    else
      done[id] = true
      if #redis.call('XCLAIM', stream, group, waiting, 0, id, 'JUSTID') == 0 then
        redis.call('ZREM', due, id)
        redis.call('HDEL', records, id)
        report(index, 'gone')
      elseif key and failed(push(kind, key, payload, extra)) then
        report(index, 'undeliverable')
      end
    end
  else
    local bad, pushed, failure = outcome == 'd', nil, nil
    if key then
      pushed = push(kind, key, payload, extra)
      if failed(pushed) then
        local prefix = pushed.err:match('^%-?(%u+)')
        if prefix == 'WRONGTYPE' or prefix == 'NOPERM' then
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
        else
          failure = pushed.err
        end
        pushed = nil
      end
    end
    if bad and not failure then
      local buried = bury(id, letter)
      if not buried then
        report(index, 'gone')
      elseif failed(buried) then
        failure = buried.err
        -- Taken back, so that the next call does not answer twice.
        if pushed and kind == 'l' then redis.call('LPOP', key) elseif pushed then redis.call('XDEL', key, pushed) end
      end
    end
    if failure then
      report(index, failure)
    else
      redis.call('XACK', stream, group, id)
      done[id] = true
      acknowledged[#acknowledged + 1] = id
    end
  end
  index = index + 1
end

if #plain > 0 then
  redis.call('XACK', stream, group, unpack(plain))
  for i = 1, #plain do acknowledged[#acknowledged + 1] = plain[i] end
end
if #acknowledged > 0 then
  if redis.call('EXISTS', records) == 1 then redis.call('HDEL', records, unpack(acknowledged)) end
  if not retain and #redis.call('XINFO', 'GROUPS', stream) == 1 then
    redis.call('XDEL', stream, unpack(acknowledged))
  end
end
return statuses
`

const failed = (reply: unknown): reply is ReplyError => reply instanceof ReplyError

const pushTwin = (redis: ScriptRedis, kind: string, key: string, payload: string, extra: string) => {
  const held = redis.call("TYPE", key)
  if (kind === "s") {
    if (held !== "stream" && held !== "none") return new ReplyError(`WRONGTYPE the answer stream holds a ${held}`)
    if (extra !== "0") return redis.pcall("XADD", key, "*", "data", payload, "traceparent", extra)
    return redis.pcall("XADD", key, "*", "data", payload)
  }
  if (held !== "list" && held !== "none") return new ReplyError(`WRONGTYPE the answer list holds a ${held}`)
  const pushed = redis.pcall("LPUSH", key, payload)
  if (!failed(pushed) && extra !== "0") redis.call("PEXPIRE", key, extra)
  return pushed
}

const byteLength = (text: string) => new TextEncoder().encode(text).length

/** Returns nothing when the entry is no longer in the stream. */
const buryTwin = (
  redis: ScriptRedis,
  target: { readonly stream: string; readonly dead: string; readonly group: string; readonly consumer: string },
  id: string,
  letter: Array<string>
) => {
  const found = rows(redis.call("XRANGE", target.stream, id, id))[0]
  if (found === undefined) return undefined
  const fields = strings(rows(found)[1])
  letter.push("entry_id", id, "group", target.group, "consumer", target.consumer, "time", String(twinNow(redis)))
  letter.push("fields", String(fields.length / 2))
  if (fields.length > maxFields) {
    letter.push("packed", fields.map((field) => `${byteLength(field)}:${field},`).join(""))
  } else {
    letter.push(...fields)
  }
  return redis.pcall("XADD", target.dead, "*", ...letter)
}

const at = (values: ReadonlyArray<string>, index: number): string => values[index] ?? ""

const twin: Twin = (redis, keys, args) => {
  const stream = at(keys, 0)
  const due = at(keys, 1)
  const records = at(keys, 2)
  const dead = at(keys, 3)
  const group = at(args, 0)
  const consumer = at(args, 1)
  const waiting = at(args, 2)
  const retain = args[3] === "1"
  const total = Number(args[6])
  const statuses: Array<string | number> = []
  const acknowledged: Array<string> = []

  const limit = total * 2
  const pending = rows(redis.call("XPENDING", stream, group, at(args, 4), at(args, 5), limit, consumer)).map(rows)
  const owned = new Map(pending.filter((row) => row[1] === consumer).map((row) => [String(row[0]), row[3]] as const))
  const done = new Set<string>()
  const mine = (id: string, deliveries: number): boolean => {
    if (done.has(id)) return false
    if (owned.has(id)) return owned.get(id) === deliveries
    if (pending.length < limit) return false
    const row = rows(rows(redis.call("XPENDING", stream, group, id, id, 1))[0] ?? null)
    return row[1] === consumer && row[3] === deliveries
  }

  redis.call("XACK", stream, group, "0-0")

  const count = Number(args[7])
  const plain: Array<string> = []
  for (let index = 0; index < count; index++) {
    const id = at(args, 8 + index)
    if (mine(id, 1)) {
      plain.push(id)
      done.add(id)
    } else {
      statuses.push(index, "lost")
    }
  }

  let index = count
  let cursor = 8 + count
  const take = () => at(args, cursor++)
  while (cursor < args.length) {
    const id = take()
    const deliveries = Number(take())
    const operation = take()
    const kind = operation.slice(0, 1)
    const outcome = operation.slice(1, 2)
    let key = ""
    let payload = ""
    let extra = ""
    let delay = 0
    let record = ""
    if (kind !== "-") {
      key = at(keys, Number(take()) - 1)
      payload = take()
      extra = take()
    }
    if (outcome === "w") {
      delay = Number(take())
      record = take()
    }
    const letter: Array<string> = []
    for (let left = Number(take()); left > 0; left--) letter.push(take())

    if (!mine(id, deliveries)) {
      statuses.push(index, "lost")
    } else if (outcome === "w") {
      let written = redis.pcall("HSET", records, id, record)
      if (!failed(written)) written = redis.pcall("ZADD", due, twinNow(redis) + delay, id)
      if (failed(written)) {
        statuses.push(index, written.message)
      } else {
        done.add(id)
        if (rows(redis.call("XCLAIM", stream, group, waiting, 0, id, "JUSTID")).length === 0) {
          redis.call("ZREM", due, id)
          redis.call("HDEL", records, id)
          statuses.push(index, "gone")
        } else if (key !== "" && failed(pushTwin(redis, kind, key, payload, extra))) {
          statuses.push(index, "undeliverable")
        }
      }
    } else {
      let bad = outcome === "d"
      let pushed: ScriptReply = null
      let failure: string | undefined
      if (key !== "") {
        const reply = pushTwin(redis, kind, key, payload, extra)
        if (!failed(reply)) {
          pushed = reply
        } else if (/^(WRONGTYPE|NOPERM)/.test(reply.message)) {
          if (!bad) letter.push("reason", "undeliverable")
          letter.push("undeliverable", reply.message, "answer", payload)
          bad = true
          statuses.push(index, "undeliverable")
        } else {
          failure = reply.message
        }
      }
      if (bad && failure === undefined) {
        const buried = buryTwin(redis, { stream, dead, group, consumer }, id, letter)
        if (buried === undefined) {
          statuses.push(index, "gone")
        } else if (failed(buried)) {
          failure = buried.message
          if (pushed !== null && kind === "l") redis.call("LPOP", key)
          else if (pushed !== null) redis.call("XDEL", key, String(pushed))
        }
      }
      if (failure === undefined) {
        redis.call("XACK", stream, group, id)
        done.add(id)
        acknowledged.push(id)
      } else {
        statuses.push(index, failure)
      }
    }
    index++
  }

  if (plain.length > 0) {
    redis.call("XACK", stream, group, ...plain)
    acknowledged.push(...plain)
  }
  if (acknowledged.length > 0) {
    if (redis.call("EXISTS", records) === 1) redis.call("HDEL", records, ...acknowledged)
    if (!retain && rows(redis.call("XINFO", "GROUPS", stream)).length === 1) redis.call("XDEL", stream, ...acknowledged)
  }
  return statuses
}

const operationOf = (entry: SettleEntry): string =>
  (entry.push === undefined ? "-" : entry.push.kind === "list" ? "l" : "s") +
  (entry.wait !== undefined ? "w" : entry.dead ? "d" : "-")

/** Keys that answers go to, each named once: a batch of answers to one inbox declares one key. */
const targetsOf = (params: SettleParams): ReadonlyArray<string> => {
  const targets = new Set<string>()
  for (const entry of params.entries) if (entry.push !== undefined) targets.add(entry.push.key)
  return [...targets]
}

export const settle = define<SettleParams>({
  lua,
  twin,
  keys: (params) => [
    params.stream,
    params.retryDue,
    params.retryRecords,
    params.deadLetters,
    ...(params.entries.length === 0 ? [] : targetsOf(params))
  ],
  args: (params) => {
    const args = [
      params.group,
      params.consumer,
      params.waitingConsumer,
      params.retain ? "1" : "0",
      params.firstId,
      params.lastId,
      String(params.acknowledged.length + params.entries.length),
      String(params.acknowledged.length),
      ...params.acknowledged
    ]
    if (params.entries.length === 0) return args
    const positions = new Map(targetsOf(params).map((key, index) => [key, index + 5] as const))
    for (const entry of params.entries) {
      args.push(entry.id, String(entry.deliveries ?? 1), operationOf(entry))
      if (entry.push !== undefined) {
        args.push(
          String(positions.get(entry.push.key)),
          entry.push.payload,
          entry.push.traceparent ?? String(entry.push.timeToLive)
        )
      }
      if (entry.wait !== undefined) args.push(String(entry.wait.delay), entry.wait.record)
      args.push(String(entry.notes.length), ...entry.notes)
    }
    return args
  }
})

/** How the script left an entry that it did not simply settle. */
export type SettleStatus = "lost" | "gone" | "undeliverable" | { readonly error: string }

/** The entries with a status of their own, by their place in the batch (plain acknowledgements first). */
export const decodeStatuses = (reply: unknown): ReadonlyMap<number, SettleStatus> => {
  const statuses = new Map<number, SettleStatus>()
  if (!Array.isArray(reply)) return statuses
  for (let i = 0; i + 1 < reply.length; i += 2) {
    const text = String(reply[i + 1])
    statuses.set(
      Number(reply[i]),
      text === "lost" || text === "gone" || text === "undeliverable" ? text : { error: text }
    )
  }
  return statuses
}
