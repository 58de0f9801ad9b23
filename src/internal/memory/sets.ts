/** Commands on sets. */
import type { Context, Handlers } from "./command.ts"
import * as Store from "./store.ts"

const membersOf = (context: Context, key: string): Set<string> | undefined =>
  Store.get(context.store, key, "set")?.members

export const sets: Handlers = {
  sadd: (context, [, key = "", ...names]) => {
    let members = membersOf(context, key)
    if (members === undefined) {
      members = new Set()
      Store.put(context.store, key, { kind: "set", members })
    }
    const before = members.size
    for (const name of names) members.add(name)
    return members.size - before
  },
  srem: (context, [, key = "", ...names]) => {
    const members = membersOf(context, key)
    if (members === undefined) return 0
    let removed = 0
    for (const name of names) if (members.delete(name)) removed++
    if (members.size === 0) Store.remove(context.store, key)
    return removed
  },
  smembers: (context, [, key = ""]) => [...membersOf(context, key) ?? []],
  sismember: (context, [, key = "", name = ""]) => membersOf(context, key)?.has(name) === true ? 1 : 0,
  smismember: (context, [, key = "", ...names]) => {
    const members = membersOf(context, key)
    return names.map((name) => members?.has(name) === true ? 1 : 0)
  },
  scard: (context, [, key = ""]) => membersOf(context, key)?.size ?? 0
}
