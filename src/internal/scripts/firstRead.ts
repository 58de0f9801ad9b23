/**
 * Records when entries were first read, for entries whose ids are ahead of the server's clock.
 *
 * An id is usually a time. One `XADD` with an explicit id, or a clock that was set back, puts it and all later ids
 * ahead of the clock. The time of the first read is then recorded with the entry's attempts, so that every consumer
 * that runs the entry later computes the same deadline.
 */
import { define, luaInteger, luaNow } from "./script.ts"

/**
 * Replies with the server's time and, for each id, when the entry was first read. If nothing is recorded, the id is
 * ahead of the clock and the entry belongs to this consumer, that is now. An empty text means that the id itself is the
 * time.
 */
export const firstRead = define<{
  readonly stream: string
  readonly retryRecords: string
  readonly group: string
  readonly consumer: string
  readonly ids: ReadonlyArray<string>
}>({
  lua: `${luaNow}${luaInteger}
local stream, records, group, consumer, time = KEYS[1], KEYS[2], ARGV[1], ARGV[2], now()
local times, written = {}, false
for i = 3, #ARGV do
  local id = ARGV[i]
  local record = redis.call('HGET', records, id) or ''
  local attempts, outcomes, since, first, read = record:match('^(%d+) (%d+) ?(%d*) ?(%S*) ?(%d*)$')
  if (read or '') == '' and tonumber(id:match('^%d+')) > time then
    local row = redis.call('XPENDING', stream, group, id, id, 1)[1]
    if row and row[2] == consumer then
      -- A full server refuses the first write of a script when it needs memory, which would keep all that was read.
      if not written then redis.call('XACK', stream, group, '0-0') end
      written = true
      read = integer(time)
      if (since or '') == '' then since = '0' end
      redis.call('HSET', records, id,
        (attempts or '0') .. ' ' .. (outcomes or '0') .. ' ' .. since .. ' ' .. (first or '') .. ' ' .. read)
    end
  end
  times[#times + 1] = read or ''
end
return { integer(time), times }
`,
  keys: (params) => [params.stream, params.retryRecords],
  args: (params) => [params.group, params.consumer, ...params.ids]
})

export const decodeFirstRead = (
  reply: unknown
): { readonly now: number; readonly times: ReadonlyArray<number | undefined> } => {
  const [now, times] = Array.isArray(reply) ? reply : []
  return {
    now: Number(now),
    times: Array.isArray(times) ? times.map((time) => Number(time) || undefined) : []
  }
}
