/**
 * Parses replies of stream reads from any client.
 *
 * ioredis and node-redis differ, and each differs between RESP2 and RESP3: a read may be nested, flat, an object or a
 * `Map`. Only this module distinguishes the shapes.
 */

/** An entry of a stream: its id, and its field and value pairs in one array. */
export type RawEntry = readonly [id: string, fields: ReadonlyArray<unknown>]

/** A reply that is an array. */
export const array = (value: unknown): ReadonlyArray<unknown> => Array.isArray(value) ? value : []

const fieldsOf = (value: unknown): ReadonlyArray<unknown> => {
  if (Array.isArray(value)) return value
  if (value instanceof Map) return [...value].flat()
  return typeof value === "object" && value !== null ? Object.entries(value).flat() : []
}

const isRawEntry = (row: unknown): row is RawEntry =>
  Array.isArray(row) && typeof row[0] === "string" && Array.isArray(row[1])

/** Entries in replies of `XRANGE` and `XCLAIM`; `null` for a deleted entry. */
export const entries = (reply: unknown): ReadonlyArray<RawEntry> => {
  const result: Array<RawEntry> = []
  for (const row of array(reply)) {
    if (isRawEntry(row)) result.push(row)
    else if (Array.isArray(row)) result.push([String(row[0]), fieldsOf(row[1])])
    else if (typeof row === "object" && row !== null && "id" in row && "message" in row) {
      result.push([String(row.id), fieldsOf(row.message)])
    }
  }
  return result
}

/** The entries of a read from one stream. */
export const streamEntries = (reply: unknown): ReadonlyArray<RawEntry> => {
  if (reply === null || reply === undefined) return []
  if (reply instanceof Map) return entries([...reply.values()][0])
  if (!Array.isArray(reply)) return typeof reply === "object" ? entries(Object.values(reply)[0]) : []
  const [first, second] = reply
  if (typeof first === "string") return entries(second)
  if (Array.isArray(first)) return entries(first[1])
  return typeof first === "object" && first !== null && "messages" in first ? entries(first.messages) : []
}

/** A reply that is an array of strings. */
export const strings = (reply: unknown): ReadonlyArray<string> => array(reply).map(String)

/** Rows of the extended form of `XPENDING`. */
export const pendingIds = (reply: unknown, consumer: string): ReadonlyArray<string> =>
  array(reply).flatMap((row) => {
    const [id, owner] = array(row)
    return owner === consumer ? [String(id)] : []
  })

/** The row of one group in a reply of `XINFO GROUPS`. */
export const groupIn = (reply: unknown, group: string): ReadonlyMap<string, unknown> | undefined =>
  array(reply).map(record).find((info) => info.get("name") === group)

/** A flat reply of names and values, a `Map` or an object, as a lookup. */
export const record = (reply: unknown): ReadonlyMap<string, unknown> => {
  if (reply instanceof Map) return new Map([...reply].map(([key, value]) => [String(key), value]))
  const flat = fieldsOf(reply)
  const result = new Map<string, unknown>()
  for (let i = 0; i + 1 < flat.length; i += 2) result.set(String(flat[i]), flat[i + 1])
  return result
}
