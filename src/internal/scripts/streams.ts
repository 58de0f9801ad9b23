/**
 * Scripts over whole streams. They append many messages, move callbacks, trim entries that every group has finished,
 * and count facts that only the server can see.
 */
import { largestBlock, maxBytes } from "./bounds.ts"
import { luaEnter, luaFields } from "./enter.ts"
import { define, luaBefore, luaInteger, luaNow } from "./script.ts"

/**
 * Appends the texts of actions in one call and replies with the entry ids. All have the same `traceparent`, or none. A
 * text is one argument; with its fields as separate arguments, client and server would need a fifth more time for each.
 */
export const append = define<{
  readonly stream: string
  readonly texts: ReadonlyArray<string>
  readonly traceparent?: string | undefined
}>({
  lua: `${luaEnter}local call, stream, traceparent, ids = redis.call, KEYS[1], ARGV[1], {}
for i = 2, #ARGV do
  if traceparent == '' then
    ids[i - 1] = enter(call, stream, ${luaFields({ data: "ARGV[i]" })})
  else
    ids[i - 1] = enter(call, stream, ${luaFields({ data: "ARGV[i]", traceparent: "traceparent" })})
  end
end
return ids
`,
  keys: (params) => [params.stream],
  args: (params) => [params.traceparent ?? "", ...params.texts]
})

/**
 * Moves callbacks from their lists to the action stream, oldest first. Each is added to the stream before it is removed
 * from the list. A call moves callbacks of at most {@link maxBytes} together, or one that is larger. Replies with how many
 * were moved, the keys that do not hold a list, and 1 if callbacks are left.
 */
export const moveCallbacks = define<{
  readonly stream: string
  readonly lists: ReadonlyArray<string>
  readonly limit: number
}>({
  lua: `${luaEnter}local moved, bytes, refused, full = 0, 0, {}, false
for i = 2, #KEYS do
  local held = redis.call('TYPE', KEYS[i]).ok
  if held == 'list' then
    -- A full server refuses the first write of a script when it needs memory. This one needs none, and what follows frees
    -- about as much as it takes.
    redis.call('XDEL', KEYS[1], '0-0')
    while not full do
      local message = redis.call('LINDEX', KEYS[i], -1)
      if not message then break end
      full = moved == tonumber(ARGV[1]) or (moved > 0 and bytes + #message > ${maxBytes})
      if full then break end
      enter(redis.call, KEYS[1], ${luaFields({ data: "message" })})
      redis.call('RPOP', KEYS[i])
      moved = moved + 1
      bytes = bytes + #message
    end
  elseif held ~= 'none' then
    refused[#refused + 1] = KEYS[i]
  end
end
return { moved, refused, full and 1 or 0 }
`,
  keys: (params) => [params.stream, ...params.lists],
  args: (params) => [String(params.limit)]
})

/**
 * Trims entries that every group has read and acknowledged, about `limit` in each call. Replies with the number trimmed
 * and, for each group, its name, its pending count and the id where it holds back the stream.
 */
export const trim = define<{
  readonly stream: string
  readonly limit: number
  /** How long an acknowledged entry is kept, in milliseconds. */
  readonly retain: number
}>({
  lua: `${luaNow}${luaInteger}${luaBefore}local groups, lowest = {}, nil
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
-- Ids may be ahead of the clock, after it jumped back: where nothing is to be kept they are trimmed all the same.
local retain = tonumber(ARGV[2])
if retain > 0 then
  local newest = integer(math.max(0, now() - retain)) .. '-0'
  if before(newest, lowest) then lowest = newest end
end
local trimmed = redis.call('XTRIM', KEYS[1], 'MINID', '~', lowest, 'LIMIT', ARGV[1])
-- Whole blocks are trimmed, and a server may be told to make blocks that are larger than the limit.
if trimmed == 0 then trimmed = redis.call('XTRIM', KEYS[1], 'MINID', '~', lowest, 'LIMIT', ${largestBlock}) end
return { trimmed, groups }
`,
  keys: (params) => [params.stream],
  args: (params) => [String(params.limit), String(params.retain)]
})

/**
 * Counts U+FFFD in the server's bytes of the `data` of entries. A client that finds more of them has read bytes that
 * are not UTF-8.
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
  keys: (params) => [params.stream],
  args: (params) => params.ids
})
