/** An entry that is too large to be delivered: each delivery of it is lost. */
import { decodeRecord, replaysField, type RetryRecord } from "../wire/entry.ts"
import { define, luaInteger, luaNow } from "./script.ts"

/**
 * Postpones an entry whose delivery is lost each time because of its size: it waits, due after a pause, and none of its
 * fields are transferred. Replies with `passed`, or with `spent` if it was delivered too often and stays with the
 * consumer to become a dead letter; then the deliveries, the record, the size in bytes and the field `replays`. An
 * entry that is too small to be the reason, or that the consumer no longer owns, is not changed.
 */
export const passOver = define<{
  readonly stream: string
  readonly retryDue: string
  readonly retryRecords: string
  readonly group: string
  readonly consumer: string
  readonly waitingConsumer: string
  readonly id: string
  /** Whether to count a delivery, because the claims before did not. */
  readonly counts: boolean
  readonly maxDeliveries: number
  /** The number of bytes of fields below which the size is not the reason for a lost reply. */
  readonly smallest: number
  /** Milliseconds until it is due. */
  readonly delay: number
}>({
  lua: `${luaNow}${luaInteger}
local stream, due, records = KEYS[1], KEYS[2], KEYS[3]
local group, consumer, waiting, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local counted, maxDeliveries, smallest, delay = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local row = redis.call('XPENDING', stream, group, id, id, 1)[1]
if not row or row[2] ~= consumer then return { 'other' } end
local found = redis.call('XRANGE', stream, id, id)[1]
if not found then return { 'other' } end
local fields, size = found[2], 0
for i = 1, #fields do size = size + #fields[i] end
if size < smallest then return { 'small' } end
local record = redis.call('HGET', records, id) or ''
local deliveries = row[4] + counted
local spent = deliveries - tonumber(record:match('^%d+ (%d+)') or 0) > maxDeliveries
redis.call('XCLAIM', stream, group, spent and consumer or waiting, 0, id, 'RETRYCOUNT', integer(deliveries), 'JUSTID')
if not spent then redis.call('ZADD', due, integer(now() + delay), id) end
local replays = fields[#fields - 1] == '${replaysField}' and fields[#fields] or ''
return { spent and 'spent' or 'passed', deliveries, record, size, replays }
`,
  keys: (params) => [params.stream, params.retryDue, params.retryRecords],
  args: (params) => [
    params.group,
    params.consumer,
    params.waitingConsumer,
    params.id,
    params.counts ? "1" : "0",
    String(params.maxDeliveries),
    String(params.smallest),
    String(params.delay)
  ]
})

/** The result for an entry to be postponed; `undefined` if it was not changed. */
export interface PassedOver {
  /** Whether it was delivered too often and still belongs to the consumer. */
  readonly spent: boolean
  readonly deliveries: number
  readonly record: RetryRecord
  /** The size of its fields, in bytes. */
  readonly size: number
  readonly replays: string
}

export const decodePassedOver = (reply: unknown): PassedOver | undefined => {
  const [status, deliveries, record, size, replays] = Array.isArray(reply) ? reply : []
  return status === "spent" || status === "passed"
    ? {
      spent: status === "spent",
      deliveries: Number(deliveries),
      record: decodeRecord(String(record ?? "")),
      size: Number(size),
      replays: String(replays ?? "")
    }
    : undefined
}
