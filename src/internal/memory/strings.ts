/** Commands on strings. */
import * as Args from "./arguments.ts"
import type { Context, Handlers, Reply } from "./command.ts"
import { ReplyError } from "./replyError.ts"
import { ok } from "./status.ts"
import * as Store from "./store.ts"

const getString = (context: Context, key: string): string | null =>
  Store.get(context.store, key, "string")?.value ?? null

const putString = (context: Context, key: string, value: string, keepTtl = false): void =>
  Store.put(context.store, key, { kind: "string", value }, keepTtl)

type Unit = "EX" | "PX" | "EXAT" | "PXAT"

const expiryOf = (context: Context, command: string, unit: Unit, text: string): number => {
  const value = Args.integer(text)
  const at = unit === "EX"
    ? context.store.now + value * 1000
    : unit === "PX"
    ? context.store.now + value
    : unit === "EXAT"
    ? value * 1000
    : value
  if (value <= 0 || at >= 2 ** 63) throw new ReplyError(`ERR invalid expire time in '${command.toLowerCase()}' command`)
  return at
}

const set = (context: Context, argv: ReadonlyArray<string>): Reply => {
  const [command = "", key = "", value = ""] = argv
  let nx = false
  let xx = false
  let returnOld = false
  let keepTtl = false
  let unit: Unit | undefined
  let amount = ""
  for (let i = 3; i < argv.length; i++) {
    const option = (argv[i] ?? "").toUpperCase()
    const next = argv[i + 1]
    if (option === "NX" && !xx) nx = true
    else if (option === "XX" && !nx) xx = true
    else if (option === "GET") returnOld = true
    else if (option === "KEEPTTL" && unit === undefined) keepTtl = true
    else if (
      (option === "EX" || option === "PX" || option === "EXAT" || option === "PXAT") &&
      !keepTtl && (unit === undefined || unit === option) && next !== undefined
    ) {
      unit = option
      amount = next
      i++
    } else throw Args.syntaxError()
  }
  const at = unit === undefined ? undefined : expiryOf(context, command, unit, amount)
  const old = returnOld ? getString(context, key) : null
  const found = Store.lookup(context.store, key) !== undefined
  if ((nx && found) || (xx && !found)) return old
  putString(context, key, value, keepTtl)
  if (at !== undefined) Store.setExpiry(context.store, key, at)
  return returnOld ? old : ok
}

const setWithExpiry = (unit: Unit) => (context: Context, argv: ReadonlyArray<string>): Reply => {
  const [command = "", key = "", amount = "", value = ""] = argv
  const at = expiryOf(context, command, unit, amount)
  putString(context, key, value)
  Store.setExpiry(context.store, key, at)
  return ok
}

const incrementBy = (context: Context, key: string, delta: bigint): Reply => {
  const old = Args.bigInteger(getString(context, key) ?? "0")
  const value = old + delta
  if (Args.overflows(value)) throw new ReplyError("ERR increment or decrement would overflow")
  putString(context, key, String(value), true)
  return Number(value)
}

const getex = (context: Context, argv: ReadonlyArray<string>): Reply => {
  const [command = "", key = ""] = argv
  let unit: Unit | undefined
  let amount = ""
  let persist = false
  for (let i = 2; i < argv.length; i++) {
    const option = (argv[i] ?? "").toUpperCase()
    const next = argv[i + 1]
    if (option === "PERSIST" && unit === undefined) persist = true
    else if (
      (option === "EX" || option === "PX" || option === "EXAT" || option === "PXAT") &&
      !persist && (unit === undefined || unit === option) && next !== undefined
    ) {
      unit = option
      amount = next
      i++
    } else throw Args.syntaxError()
  }
  const value = getString(context, key)
  if (value === null) return null
  if (unit !== undefined) {
    const at = expiryOf(context, command, unit, amount)
    if ((unit === "EXAT" || unit === "PXAT") && at <= context.store.now) Store.remove(context.store, key)
    else Store.setExpiry(context.store, key, at)
  } else if (persist) context.store.expires.delete(key)
  return value
}

const pairs = (argv: ReadonlyArray<string>): void => {
  if (argv.length % 2 === 0) throw Args.wrongArity(argv[0] ?? "")
}

const setPairs = (context: Context, argv: ReadonlyArray<string>): void => {
  for (let i = 1; i < argv.length; i += 2) putString(context, argv[i] ?? "", argv[i + 1] ?? "")
}

export const strings: Handlers = {
  set,
  setnx: (context, [, key = "", value = ""]) => {
    if (Store.lookup(context.store, key) !== undefined) return 0
    putString(context, key, value)
    return 1
  },
  setex: setWithExpiry("EX"),
  psetex: setWithExpiry("PX"),
  get: (context, [, key = ""]) => getString(context, key),
  getdel: (context, [, key = ""]) => {
    const value = getString(context, key)
    if (value !== null) Store.remove(context.store, key)
    return value
  },
  getset: (context, [, key = "", value = ""]) => {
    const old = getString(context, key)
    putString(context, key, value)
    return old
  },
  getex,
  mget: (context, argv) =>
    argv.slice(1).map((key) => {
      const value = Store.lookup(context.store, key)
      return value?.kind === "string" ? value.value : null
    }),
  mset: (context, argv) => {
    pairs(argv)
    setPairs(context, argv)
    return ok
  },
  msetnx: (context, argv) => {
    pairs(argv)
    for (let i = 1; i < argv.length; i += 2) if (Store.lookup(context.store, argv[i] ?? "") !== undefined) return 0
    setPairs(context, argv)
    return 1
  },
  append: (context, [, key = "", text = ""]) => {
    const value = (getString(context, key) ?? "") + text
    putString(context, key, value, true)
    return value.length
  },
  strlen: (context, [, key = ""]) => getString(context, key)?.length ?? 0,
  incr: (context, [, key = ""]) => incrementBy(context, key, 1n),
  decr: (context, [, key = ""]) => incrementBy(context, key, -1n),
  incrby: (context, [, key = "", amount = ""]) => incrementBy(context, key, Args.bigInteger(amount)),
  decrby: (context, [, key = "", amount = ""]) => {
    const delta = -Args.bigInteger(amount)
    if (Args.overflows(delta)) throw new ReplyError("ERR decrement would overflow")
    return incrementBy(context, key, delta)
  }
}
