/**
 * Scripts over whole streams: append many messages, move callbacks in, trim what
 * every group is done with, and count what only the server can see.
 */
import { define, luaInteger, luaNow, rows, strings, twinNow } from "../script.ts"

/** Appends messages in one call; replies with the entry ids. Each message is its field and value pairs. */
export const append = define<{
  readonly stream: string
  readonly messages: ReadonlyArray<ReadonlyArray<string>>
}>({
  lua: `local ids, cursor = {}, 1
while ARGV[cursor] do
  local last = cursor + tonumber(ARGV[cursor])
  ids[#ids + 1] = redis.call('XADD', KEYS[1], '*', unpack(ARGV, cursor + 1, last))
  cursor = last + 1
end
return ids
`,
  twin: (redis, [stream = ""], args) => {
    const ids: Array<string> = []
    for (let cursor = 0; cursor < args.length;) {
      const last = cursor + Number(args[cursor])
      ids.push(String(redis.call("XADD", stream, "*", ...args.slice(cursor + 1, last + 1))))
      cursor = last + 1
    }
    return ids
  },
  keys: (params) => [params.stream],
  args: (params) => params.messages.flatMap((fields) => [String(fields.length), ...fields])
})

/**
 * Moves callbacks from their lists into the action stream, oldest first: each is
 * in the stream before it leaves the list. Replies with how many were moved and
 * the keys that hold no list.
 */
export const moveCallbacks = define<{
  readonly stream: string
  readonly lists: ReadonlyArray<string>
  readonly limit: number
}>({
  lua: `local moved, refused = 0, {}
for i = 2, #KEYS do
  local held = redis.call('TYPE', KEYS[i]).ok
  if held == 'list' then
    -- A full server refuses the first write of a script when it needs memory. This one needs none, and what follows frees
    -- about as much as it takes.
    redis.call('XDEL', KEYS[1], '0-0')
    while moved < tonumber(ARGV[1]) do
      local message = redis.call('LINDEX', KEYS[i], -1)
      if not message then break end
      redis.call('XADD', KEYS[1], '*', 'data', message)
      redis.call('RPOP', KEYS[i])
      moved = moved + 1
    end
  elseif held ~= 'none' then
    refused[#refused + 1] = KEYS[i]
  end
end
return { moved, refused }
`,
  twin: (redis, [stream = "", ...lists], [limit = "0"]) => {
    let moved = 0
    const refused: Array<string> = []
    for (const list of lists) {
      const held = redis.call("TYPE", list)
      if (held === "list") {
        redis.call("XDEL", stream, "0-0")
        while (moved < Number(limit)) {
          const message = redis.call("LINDEX", list, -1)
          if (message === null) break
          redis.call("XADD", stream, "*", "data", String(message))
          redis.call("RPOP", list)
          moved++
        }
      } else if (held !== "none") {
        refused.push(list)
      }
    }
    return [moved, refused]
  },
  keys: (params) => [params.stream, ...params.lists],
  args: (params) => [String(params.limit)]
})

/**
 * Trims entries that every group has read and acknowledged, at most about `limit` a
 * call. Replies with the number trimmed and, for each group, its name, pending
 * count and the id it holds the stream back at.
 */
export const trim = define<{
  readonly stream: string
  readonly limit: number
  /** Milliseconds that an acknowledged entry is kept. */
  readonly retain: number
}>({
  lua: `${luaNow}${luaInteger}
local function before(a, b)
  local ams, aseq = a:match('^(%d+)-(%d+)$')
  local bms, bseq = b:match('^(%d+)-(%d+)$')
  if ams ~= bms then
    if #ams ~= #bms then return #ams < #bms end
    return ams < bms
  end
  if #aseq ~= #bseq then return #aseq < #bseq end
  return aseq < bseq
end
local groups, lowest = {}, nil
for _, info in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local held = {}
  for i = 1, #info, 2 do held[info[i]] = info[i + 1] end
  local first = held['last-delivered-id']
  if held.pending > 0 then first = redis.call('XPENDING', KEYS[1], held.name)[2] end
  groups[#groups + 1] = held.name
  groups[#groups + 1] = held.pending
  groups[#groups + 1] = first
  if not lowest or before(first, lowest) then lowest = first end
end
if not lowest then return { 0, groups } end
local newest = integer(math.max(0, now() - tonumber(ARGV[2]))) .. '-0'
if before(newest, lowest) then lowest = newest end
return { redis.call('XTRIM', KEYS[1], 'MINID', '~', lowest, 'LIMIT', ARGV[1]), groups }
`,
  twin: (redis, [stream = ""], [limit = "0", retain = "0"]) => {
    const before = (a: string, b: string) => {
      const [ams = "", aseq = ""] = a.split("-")
      const [bms = "", bseq = ""] = b.split("-")
      if (ams !== bms) return ams.length === bms.length ? ams < bms : ams.length < bms.length
      return aseq.length === bseq.length ? aseq < bseq : aseq.length < bseq.length
    }
    const groups: Array<string | number> = []
    let lowest: string | undefined
    for (const info of rows(redis.call("XINFO", "GROUPS", stream)).map(rows)) {
      const value = (field: string) => info[info.indexOf(field) + 1] ?? null
      const pending = Number(value("pending"))
      const name = String(value("name"))
      const first = pending > 0
        ? String(rows(redis.call("XPENDING", stream, name))[1])
        : String(value("last-delivered-id"))
      groups.push(name, pending, first)
      if (lowest === undefined || before(first, lowest)) lowest = first
    }
    if (lowest === undefined) return [0, groups]
    const newest = `${Math.max(0, twinNow(redis) - Number(retain))}-0`
    if (before(newest, lowest)) lowest = newest
    return [redis.call("XTRIM", stream, "MINID", "~", lowest, "LIMIT", limit), groups]
  },
  keys: (params) => [params.stream],
  args: (params) => [String(params.limit), String(params.retain)]
})

/**
 * Counts U+FFFD in the `data` of entries as the server's bytes have it. A client that finds
 * more of them than the server has read bytes that are no UTF-8.
 */
export const countReplacements = define<{ readonly stream: string; readonly ids: ReadonlyArray<string> }>({
  lua: `local counts = {}
for i = 1, #ARGV do
  local count, entry = 0, redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i])[1]
  if entry then
    for f = 1, #entry[2], 2 do
      if entry[2][f] == 'data' then
        local _, found = entry[2][f + 1]:gsub('\\239\\191\\189', '')
        count = found
        break
      end
    end
  end
  counts[i] = count
end
return counts
`,
  twin: (redis, [stream = ""], ids) =>
    ids.map((id) => {
      const entry = rows(redis.call("XRANGE", stream, id, id))[0]
      const fields = entry === undefined ? [] : strings(rows(entry)[1])
      const at = fields.findIndex((field, index) => index % 2 === 0 && field === "data")
      return at === -1 ? 0 : (fields[at + 1] ?? "").split("\uFFFD").length - 1
    }),
  keys: (params) => [params.stream],
  args: (params) => params.ids
})
