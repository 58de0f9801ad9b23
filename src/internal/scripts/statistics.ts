/** Statistics: workers add their counts to a minute and a quarter of an hour, and operators read them. */
import { define } from "./script.ts"

/**
 * Types that one call of {@link addStatistics} adds to. With durations in every bucket, it takes a millisecond of the server for
 * each; usually it takes a twentieth of that.
 */
export const maxTypes = 12

/** The number of fields after which {@link readStatistics} reads no further period. */
export const maxFields = 2_000

export interface AddStatistics {
  /** Holds the number of the last call of one worker. */
  readonly mark: string
  /** Grows with each call of a worker. */
  readonly sequence: number
  /** How long the mark lives, in milliseconds. */
  readonly markExpiry: number
  readonly minute: string
  readonly minuteExpiry: number
  readonly quarter: string
  readonly quarterExpiry: number
  /** Types, and what to add: `succeeded=12 31=9`. */
  readonly rows: ReadonlyArray<readonly [type: string, counts: string]>
}

/**
 * Adds counts to both periods, and replies with 1, or with 0 if an earlier call of the same number has done so: its reply was
 * lost. Names keep their order, and new ones come last.
 */
export const addStatistics = define<AddStatistics>({
  lua: `local mark, sequence = KEYS[1], ARGV[1]
if redis.call('GET', mark) == sequence then return 0 end
local function merged(held, added)
  if not held then return added end
  local order, counts = {}, {}
  for _, text in ipairs({ held, added }) do
    for name, count in text:gmatch('(%w+)=(%d+)') do
      if not counts[name] then order[#order + 1] = name end
      counts[name] = (counts[name] or 0) + tonumber(count)
    end
  end
  for i, name in ipairs(order) do order[i] = name .. '=' .. string.format('%.0f', counts[name]) end
  return table.concat(order, ' ')
end
local fields = { {}, {} }
for period, pairs in ipairs(fields) do
  for i = 5, #ARGV, 2 do
    pairs[#pairs + 1] = ARGV[i]
    pairs[#pairs + 1] = merged(redis.call('HGET', KEYS[period + 1], ARGV[i]), ARGV[i + 1])
  end
end
for period, pairs in ipairs(fields) do
  redis.call('HSET', KEYS[period + 1], unpack(pairs))
  redis.call('PEXPIRE', KEYS[period + 1], ARGV[period + 2])
end
redis.call('SET', mark, sequence, 'PX', ARGV[2])
return 1
`,
  keys: (params) => [params.mark, params.minute, params.quarter],
  args: (params) => [
    String(params.sequence),
    String(params.markExpiry),
    String(params.minuteExpiry),
    String(params.quarterExpiry),
    ...params.rows.flat()
  ]
})

/** The fields of periods, in their order: types, and what was counted. Later periods are left out of a reply that is full. */
export const readStatistics = define<{ readonly periods: ReadonlyArray<string> }>({
  lua: `local replies, fields = {}, 0
for i, key in ipairs(KEYS) do
  if fields >= ${maxFields} then break end
  replies[i] = redis.call('HGETALL', key)
  fields = fields + #replies[i] / 2
end
return replies
`,
  keys: (params) => params.periods,
  args: () => []
})
