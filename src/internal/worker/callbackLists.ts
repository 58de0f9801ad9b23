/**
 * Warns, after a worker has started, about callback lists that no worker reads. Their callbacks would never be handled,
 * and nothing else would report it.
 */
import * as Effect from "effect/Effect"
import type { Redis } from "../../Redis.ts"
import { accepts, callbackInbox, callbackList } from "../redis/names.ts"
import { strings } from "../redis/reply.ts"
import type { Host } from "./host.ts"

/** The callback lists that a worker reads. */
export const readLists = ({ naming, names, options, routes }: Host): ReadonlyArray<string> =>
  options.callbacks ? [...new Set(Array.from(routes.keys(), (type) => callbackInbox(naming, names.service, type)))] : []

/**
 * The number of keys that one call scans, which takes the server less than a millisecond, and the number of calls,
 * which limits the search in a large keyspace.
 */
const keysAtOnce = 500
const maxCalls = 200

/** The maximum number of lists named in the warning. A longer line would not be read. */
const maxNamed = 20

/** The number of looks. A list that is read is empty, or becomes shorter, within a quarter of a second. */
const looks = 5
const interval = "500 millis"

const commonPrefix = (a: string, b: string): string => {
  let length = 0
  while (length < a.length && a[length] === b[length]) length++
  return a.slice(0, length)
}

const commonSuffix = (a: string, b: string): string => {
  let length = 0
  while (length < a.length && a.at(-1 - length) === b.at(-1 - length)) length++
  return a.slice(a.length - length)
}

const globbed = (text: string): string => text.replace(/[*?[\]\\^]/g, "\\$&")

/** The common start and end of names. A naming may put the service anywhere. */
const common = (a: string, b: string) => ({ before: commonPrefix(a, b), after: commonSuffix(a, b) })

/** Where to search, and which of the keys found are lists that this service's workers should read. */
const search = ({ naming, names: { service }, routes }: Host, read: ReadonlyArray<string>) => {
  const known = new Set(read)
  const accepted = accepts(naming)
  const ours = [
    common(callbackList(naming, service, "a.a", "a"), callbackList(naming, service, "b.b", "b")),
    // A callback of one of these types in the list of another service, whose workers may not know the type.
    ...Array.from(routes.keys(), (type) => common(callbackInbox(naming, "a", type), callbackInbox(naming, "b", type)))
  ]
  return {
    pattern: `${globbed(ours.map(({ before }) => before).reduce(commonPrefix))}*`,
    isOurs: (key: string): boolean =>
      !known.has(key) && accepted(key, "callback") &&
      ours.some(({ after, before }) => key.startsWith(before) && key.endsWith(after))
  }
}

const find = Effect.fnUntraced(function*(host: Host, read: ReadonlyArray<string>) {
  const { isOurs, pattern } = search(host, read)
  const found = new Set<string>()
  let cursor = "0"
  for (let call = 0; call < maxCalls && found.size < maxNamed; call++) {
    const reply = yield* host.redis.send<readonly [string, ReadonlyArray<string>]>(
      ...["SCAN", cursor, "MATCH", pattern, "COUNT", String(keysAtOnce), "TYPE", "list"] as const
    )
    for (const key of strings(reply[1])) if (isOurs(key)) found.add(key)
    cursor = reply[0]
    if (cursor === "0") break
  }
  return [...found].slice(0, maxNamed)
})

/** The lists that stay the same or grow: another worker of the service may read a list that this one does not. */
const unread = Effect.fnUntraced(function*(redis: Redis["Service"], lists: ReadonlyArray<string>) {
  let left = new Map(lists.map((list) => [list, 1]))
  for (let look = 0; look < looks && left.size > 0; look++) {
    if (look > 0) yield* Effect.sleep(interval)
    const now = new Map<string, number>()
    for (const [list, before] of left) {
      const length = Number(yield* redis.send("LLEN", list))
      if (length >= before) now.set(list, length)
    }
    left = now
  }
  return left
})

/** A hint only: it ignores every failure, and says nothing to a user without permission for `SCAN`. */
export const warnOfUnread = (host: Host): Effect.Effect<void> => {
  const read = readLists(host)
  if (read.length === 0) return Effect.void
  return find(host, read).pipe(
    Effect.flatMap((lists) => unread(host.redis, lists)),
    Effect.flatMap((left) =>
      left.size === 0 ? Effect.void : Effect.logWarning(
        `Callback lists that no worker reads: ${
          [...left].map(([list, length]) => `${list} (${length} waiting)`).join(", ")
        }. Start a worker of the service in the name that handles the type, or send with callback: { action, service }`
      )
    ),
    // A custom naming may throw.
    Effect.ignoreCause
  )
}
