/** Commands on hashes. */
import * as Args from "./arguments.ts"
import type { Context, Handlers, Reply } from "./command.ts"
import { ReplyError } from "./replyError.ts"
import { ok } from "./status.ts"
import * as Store from "./store.ts"

const fieldsOf = (context: Context, key: string): ReadonlyMap<string, string> | undefined =>
  Store.get(context.store, key, "hash")?.fields

const forWriting = (context: Context, key: string): Map<string, string> => {
  const there = Store.get(context.store, key, "hash")
  if (there !== undefined) return there.fields
  const fields = new Map<string, string>()
  Store.put(context.store, key, { kind: "hash", fields })
  return fields
}

const setAll = (context: Context, argv: ReadonlyArray<string>): number => {
  if (argv.length % 2 === 1) throw Args.wrongArity(argv[0] ?? "")
  const fields = forWriting(context, argv[1] ?? "")
  const before = fields.size
  for (let i = 2; i < argv.length; i += 2) fields.set(argv[i] ?? "", argv[i + 1] ?? "")
  return fields.size - before
}

export const hashes: Handlers = {
  hset: setAll,
  hmset: (context, argv) => {
    setAll(context, argv)
    return ok
  },
  hsetnx: (context, [, key = "", field = "", value = ""]) => {
    if (fieldsOf(context, key)?.has(field) === true) return 0
    forWriting(context, key).set(field, value)
    return 1
  },
  hget: (context, [, key = "", field = ""]) => fieldsOf(context, key)?.get(field) ?? null,
  hmget: (context, [, key = "", ...names]) => {
    const fields = fieldsOf(context, key)
    return names.map((name) => fields?.get(name) ?? null)
  },
  hgetall: (context, [, key = ""]) => [...fieldsOf(context, key) ?? []].flat(),
  hdel: (context, [, key = "", ...names]) => {
    const hash = Store.get(context.store, key, "hash")
    if (hash === undefined) return 0
    let deleted = 0
    for (const name of names) if (hash.fields.delete(name)) deleted++
    if (hash.fields.size === 0) Store.remove(context.store, key)
    return deleted
  },
  hlen: (context, [, key = ""]) => fieldsOf(context, key)?.size ?? 0,
  hexists: (context, [, key = "", field = ""]) => fieldsOf(context, key)?.has(field) === true ? 1 : 0,
  hkeys: (context, [, key = ""]) => [...fieldsOf(context, key)?.keys() ?? []],
  hvals: (context, [, key = ""]) => [...fieldsOf(context, key)?.values() ?? []],
  hstrlen: (context, [, key = "", field = ""]) => fieldsOf(context, key)?.get(field)?.length ?? 0,
  hincrby: (context, [, key = "", field = "", amount = ""]): Reply => {
    const delta = Args.bigInteger(amount)
    const old = fieldsOf(context, key)?.get(field)
    const value = Args.bigInteger(old ?? "0", "hash value is not an integer") + delta
    if (Args.overflows(value)) throw new ReplyError("ERR increment or decrement would overflow")
    forWriting(context, key).set(field, String(value))
    return Number(value)
  }
}
