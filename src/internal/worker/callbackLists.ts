/**
 * Warns, once a worker has started, of callback lists that nothing reads: what is in them is handled by nobody, and nothing
 * else would tell.
 */
import * as Effect from "effect/Effect"
import type { Redis } from "../../Redis.ts"
import { strings } from "../redis/reply.ts"
import type { Host } from "./host.ts"

/** The callback lists that a worker reads. */
export const readLists = ({ naming, names, options, routes }: Host): ReadonlyArray<string> =>
  options.callbacks ? [...new Set(Array.from(routes.keys(), (type) => naming.callbackInbox(names.service, type)))] : []

/** Keys that one call looks at, which takes the server less than a millisecond; and calls, since there may be any number of keys. */
const keysAtOnce = 500
const maxCalls = 200

/** Lists that are named: more would make no line that is read. */
const maxNamed = 20

/** A list that is read is empty within a quarter of a second, or becomes shorter. */
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

/** Where to look, and which keys found there are lists that this worker or one of its service should read. */
const search = ({ naming, names: { service }, routes }: Host, read: ReadonlyArray<string>, type: string) => {
  const known = new Set(read)
  const own = commonPrefix(naming.callbackInbox(service, "a.a"), naming.callbackInbox(service, "b.a"))
  // A callback of one of these types in the list of another service, whose workers need not know the type.
  const endings = Array.from(
    routes.keys(),
    (type) => commonSuffix(naming.callbackInbox("a", type), naming.callbackInbox("b", type))
  )
  return {
    pattern: `${globbed(commonPrefix(naming.callbackInbox("a", type), naming.callbackInbox("b", type)))}*`,
    isOurs: (key: string): boolean =>
      !known.has(key) && naming.accepts(key, "callback") &&
      (key.startsWith(own) || endings.some((ending) => key.endsWith(ending)))
  }
}

const find = Effect.fnUntraced(function*(host: Host, read: ReadonlyArray<string>, type: string) {
  const { isOurs, pattern } = search(host, read, type)
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

/** Those that stay as they are or grow: another worker of the service may read a list that this one does not. */
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

/** A user who may not `SCAN` is told nothing, and a failure is none of the worker's: it is a hint, and no more. */
export const warnOfUnread = (host: Host): Effect.Effect<void> => {
  const [type] = host.routes.keys()
  const read = readLists(host)
  if (type === undefined || read.length === 0) return Effect.void
  return find(host, read, type).pipe(
    Effect.flatMap((lists) => unread(host.redis, lists)),
    Effect.flatMap((left) =>
      left.size === 0 ? Effect.void : Effect.logWarning(
        `Callback lists that no worker reads: ${
          [...left].map(([list, length]) => `${list} (${length} waiting)`).join(", ")
        }. Start a worker of the service in the name that handles the type, or ask with callback: { action, service }`
      )
    ),
    // A naming of the user's own may throw.
    Effect.ignoreCause
  )
}
