/** Commands on keys of any kind. */
import * as Args from "./arguments.ts"
import type { Context, Handlers, Reply } from "./command.ts"
import { ReplyError } from "./replyError.ts"
import { ok, Status } from "./status.ts"
import * as Store from "./store.ts"

const removeAll = (context: Context, argv: ReadonlyArray<string>): Reply => {
  let removed = 0
  for (let i = 1; i < argv.length; i++) {
    const key = argv[i] ?? ""
    if (Store.lookup(context.store, key) !== undefined && Store.remove(context.store, key)) removed++
  }
  return removed
}

const countExisting = (context: Context, argv: ReadonlyArray<string>): Reply =>
  argv.slice(1).filter((key) => Store.lookup(context.store, key) !== undefined).length

const expire = (unit: number, absolute: boolean) => (context: Context, argv: ReadonlyArray<string>): Reply => {
  const [command = "", key = "", amount = "", ...options] = argv
  const flags = new Set<string>()
  for (const option of options) {
    const flag = option.toUpperCase()
    if (flag !== "NX" && flag !== "XX" && flag !== "GT" && flag !== "LT") {
      throw new ReplyError(`ERR Unsupported option ${option}`)
    }
    flags.add(flag)
  }
  if (flags.has("NX") && flags.size > 1) {
    throw new ReplyError("ERR NX and XX, GT or LT options at the same time are not compatible")
  }
  if (flags.has("GT") && flags.has("LT")) {
    throw new ReplyError("ERR GT and LT options at the same time are not compatible")
  }
  const value = Args.bigInteger(amount) * BigInt(unit)
  const when = value + (absolute ? 0n : BigInt(context.store.now))
  if (Args.overflows(value) || Args.overflows(when)) {
    throw new ReplyError(`ERR invalid expire time in '${command.toLowerCase()}' command`)
  }
  if (Store.lookup(context.store, key) === undefined) return 0
  const current = context.store.expires.get(key)
  const at = Number(when)
  if (flags.has("NX") && current !== undefined) return 0
  if (flags.has("XX") && current === undefined) return 0
  if (flags.has("GT") && (current === undefined || at <= current)) return 0
  if (flags.has("LT") && current !== undefined && at >= current) return 0
  if (at <= context.store.now) Store.remove(context.store, key)
  else Store.setExpiry(context.store, key, at)
  return 1
}

const ttl =
  (format: (at: number, now: number) => number) => (context: Context, [, key = ""]: ReadonlyArray<string>) => {
    if (Store.lookup(context.store, key) === undefined) return -2
    const at = context.store.expires.get(key)
    return at === undefined ? -1 : Math.max(format(at, context.store.now), 0)
  }

const rename = (context: Context, argv: ReadonlyArray<string>, onlyNew: boolean): boolean => {
  const [, from = "", to = ""] = argv
  const value = Store.lookup(context.store, from)
  if (value === undefined) throw Args.noSuchKey()
  if (from === to) return !onlyNew
  const at = context.store.expires.get(from)
  if (Store.lookup(context.store, to) !== undefined) {
    if (onlyNew) return false
    Store.remove(context.store, to)
  }
  Store.put(context.store, to, value)
  if (at !== undefined) Store.setExpiry(context.store, to, at)
  Store.remove(context.store, from)
  return true
}

/** SCAN: options as the server takes them; see {@link scanPage} for the cursor. */
const scan = (context: Context, argv: ReadonlyArray<string>): Reply => {
  const cursorText = argv[1] ?? ""
  if (!/^\d{1,20}$/.test(cursorText)) throw new ReplyError("ERR invalid cursor")
  let count = 10
  let pattern: RegExp | undefined
  let kind: string | undefined
  for (let i = 2; i < argv.length; i += 2) {
    const option = (argv[i] ?? "").toUpperCase()
    const value = argv[i + 1]
    if (value === undefined) throw Args.syntaxError()
    if (option === "COUNT") {
      count = Args.integer(value)
      if (count < 1) throw Args.syntaxError()
    } else if (option === "MATCH") pattern = Args.globRegExp(value)
    else if (option === "TYPE") kind = value.toLowerCase()
    else throw Args.syntaxError()
  }
  Store.sweep(context.store)
  return scanPage(context, Number(cursorText), count, pattern, kind)
}

const scanPage = (
  context: Context,
  cursor: number,
  count: number,
  pattern: RegExp | undefined,
  kind: string | undefined
): Reply => {
  // A key that goes away shifts those behind it, so the page is cut by hash: a
  // key that stays is then seen exactly once, whatever happens to the others.
  const buckets = Math.max(1, Math.ceil(context.store.values.size / count))
  const modulus = 2 ** Math.ceil(Math.log2(buckets))
  const found: Array<string> = []
  const [index, size] = cursor === 0 ? [0, modulus] : [cursor % 1048576, Math.floor(cursor / 1048576)]
  for (const [key, value] of context.store.values) {
    if (hash(key) % size !== index) continue
    if (pattern !== undefined && !pattern.test(key)) continue
    if (kind !== undefined && value.kind !== kind) continue
    found.push(key)
  }
  const next = index + 1 >= size ? 0 : size * 1048576 + index + 1
  return [String(next), found]
}

const hash = (text: string): number => {
  let h = 2166136261
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 16777619) >>> 0
  return (h ^ (h >>> 15)) >>> 0
}

const flush = (context: Context, argv: ReadonlyArray<string>): Reply => {
  const option = argv[1]?.toUpperCase()
  if (argv.length > 2 || (option !== undefined && option !== "SYNC" && option !== "ASYNC")) throw Args.syntaxError()
  Store.clear(context.store)
  return ok
}

export const keys: Handlers = {
  del: removeAll,
  unlink: removeAll,
  exists: countExisting,
  touch: countExisting,
  type: (context, [, key = ""]) => new Status(Store.lookup(context.store, key)?.kind ?? "none"),
  expire: expire(1000, false),
  pexpire: expire(1, false),
  expireat: expire(1000, true),
  pexpireat: expire(1, true),
  ttl: ttl((at, now) => Math.floor((at - now + 500) / 1000)),
  pttl: ttl((at, now) => at - now),
  expiretime: ttl((at) => Math.floor((at + 500) / 1000)),
  pexpiretime: ttl((at) => at),
  persist: (context, [, key = ""]) =>
    Store.lookup(context.store, key) !== undefined && context.store.expires.delete(key) ? 1 : 0,
  rename: (context, argv) => {
    rename(context, argv, false)
    return ok
  },
  renamenx: (context, argv) => rename(context, argv, true) ? 1 : 0,
  keys: (context, [, pattern = ""]) => {
    Store.sweep(context.store)
    const matches = Args.globRegExp(pattern)
    return [...context.store.values.keys()].filter((key) => matches.test(key))
  },
  scan,
  randomkey: (context) => {
    Store.sweep(context.store)
    return context.store.values.keys().next().value ?? null
  },
  dbsize: (context) => {
    Store.sweep(context.store)
    return context.store.values.size
  },
  flushall: flush,
  flushdb: flush
}
