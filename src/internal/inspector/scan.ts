/** Searches the keyspace, one short call at a time. Only on request: an ACL does not restrict what a scan returns. */
import * as Effect from "effect/Effect"
import type { QueueNamingShape } from "../../QueueNaming.ts"
import type { Redis, RedisError } from "../../Redis.ts"
import { strings } from "../redis/reply.ts"

/** Keys that one call scans, in less than a millisecond of the server, and calls of one search. */
const keysAtOnce = 500
const maxCalls = 4_000

export const globbed = (text: string): string => text.replace(/[*?[\]\\^]/g, "\\$&")

/** Where two names are the same, in front and at the end. A naming may put the service anywhere. */
export const common = (a: string, b: string): { readonly before: string; readonly after: string } => {
  let front = 0
  while (front < a.length && a[front] === b[front]) front++
  let back = 0
  while (back < a.length - front && back < b.length - front && a.at(-1 - back) === b.at(-1 - back)) back++
  return { before: a.slice(0, front), after: a.slice(a.length - back) }
}

/** Visits the keys that match a pattern. Returns whether all were seen. */
export const scanKeys = Effect.fnUntraced(function*<E>(
  redis: Redis["Service"],
  pattern: string,
  type: "stream" | "list" | "hash",
  visit: (keys: ReadonlyArray<string>) => Effect.Effect<void, E>
): Effect.fn.Return<boolean, E | RedisError> {
  let cursor = "0"
  for (let call = 0; call < maxCalls; call++) {
    const reply = yield* redis.send<readonly [string, ReadonlyArray<string>]>(
      ...["SCAN", cursor, "MATCH", pattern, "COUNT", String(keysAtOnce), "TYPE", type] as const
    )
    const keys = strings(reply[1])
    if (keys.length > 0) yield* visit(keys)
    cursor = reply[0]
    if (cursor === "0") return true
  }
  return false
})

/** The services that have a stream or started a worker. */
export const scanServices = Effect.fnUntraced(function*(redis: Redis["Service"], naming: QueueNamingShape) {
  const found = new Set<string>()
  let complete = true
  const kinds = [
    { parts: ["streams", "main"], type: "stream" },
    { parts: ["streams", "dead"], type: "stream" },
    { parts: ["features"], type: "hash" }
  ] as const
  for (const { parts, type } of kinds) {
    const { after, before } = common(naming.key("a", ...parts), naming.key("b", ...parts))
    const all = yield* scanKeys(redis, `${globbed(before)}*${globbed(after)}`, type, (keys) =>
      Effect.sync(() => {
        for (const key of keys) {
          const service = key.slice(before.length, key.length - after.length)
          if (/^[A-Za-z0-9_-]{1,128}$/.test(service) && naming.key(service, ...parts) === key) found.add(service)
        }
      }))
    complete &&= all
  }
  return { services: [...found].sort(), complete }
})
