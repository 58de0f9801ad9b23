/**
 * The commands that exist here, as the server describes them: name, number of arguments (a negative number is a minimum),
 * flags, and the positions of their keys.
 */
import type { Handler, Reply } from "./command.ts"
import { hashes } from "./hashes.ts"
import { hostCommands } from "./hostCommands.ts"
import { keys } from "./keys.ts"
import { lists } from "./lists.ts"
import { scripting } from "./scripting.ts"
import { sets } from "./sets.ts"
import { streamCommands } from "./streamCommands.ts"
import { streamGroups } from "./streamGroups.ts"
import { streamInfo } from "./streamInfo.ts"
import { strings } from "./strings.ts"
import { zsets } from "./zsets.ts"

type Row = readonly [name: string, arity: number, flags: string, firstKey: number, lastKey: number, step: number]

const rows: ReadonlyArray<Row> = [
  ["ping", -1, "fast", 0, 0, 0],
  ["echo", 2, "loading stale fast", 0, 0, 0],
  ["time", 1, "loading stale fast", 0, 0, 0],
  ["info", -1, "loading stale", 0, 0, 0],
  ["client", -2, "", 0, 0, 0],
  ["client|setname", 3, "noscript loading stale", 0, 0, 0],
  ["client|getname", 2, "noscript loading stale", 0, 0, 0],
  ["client|info", 2, "noscript loading stale", 0, 0, 0],
  ["client|unblock", -3, "admin noscript loading stale", 0, 0, 0],
  ["client|id", 2, "noscript loading stale", 0, 0, 0],
  ["client|kill", -3, "admin noscript loading stale", 0, 0, 0],
  ["client|no-evict", 3, "admin noscript loading stale", 0, 0, 0],
  ["client|list", -2, "admin noscript loading stale", 0, 0, 0],
  ["command", -1, "loading stale", 0, 0, 0],
  ["command|info", -2, "loading stale", 0, 0, 0],
  ["command|count", 2, "loading stale", 0, 0, 0],
  ["config", -2, "", 0, 0, 0],
  ["config|set", -4, "admin noscript loading stale", 0, 0, 0],
  ["config|get", -3, "admin noscript loading stale", 0, 0, 0],
  ["select", 2, "loading stale fast", 0, 0, 0],
  ["wait", 3, "noscript", 0, 0, 0],
  ["xadd", -5, "write denyoom fast", 1, 1, 1],
  ["xlen", 2, "readonly fast", 1, 1, 1],
  ["xrange", -4, "readonly", 1, 1, 1],
  ["xrevrange", -4, "readonly", 1, 1, 1],
  ["xdel", -3, "write fast", 1, 1, 1],
  ["xtrim", -4, "write", 1, 1, 1],
  ["xgroup", -2, "", 0, 0, 0],
  ["xgroup|delconsumer", 5, "write", 2, 2, 1],
  ["xgroup|create", -5, "write denyoom", 2, 2, 1],
  ["xgroup|setid", -5, "write", 2, 2, 1],
  ["xgroup|createconsumer", 5, "write denyoom", 2, 2, 1],
  ["xgroup|destroy", 4, "write", 2, 2, 1],
  ["xread", -4, "readonly blocking movablekeys", 0, 0, 0],
  ["xreadgroup", -7, "write blocking movablekeys", 0, 0, 0],
  ["xack", -4, "write fast", 1, 1, 1],
  ["xpending", -3, "readonly", 1, 1, 1],
  ["xclaim", -6, "write fast", 1, 1, 1],
  ["xautoclaim", -6, "write fast", 1, 1, 1],
  ["xinfo", -2, "", 0, 0, 0],
  ["xinfo|groups", 3, "readonly", 2, 2, 1],
  ["xinfo|stream", -3, "readonly", 2, 2, 1],
  ["xinfo|consumers", 4, "readonly", 2, 2, 1],
  ["xsetid", -3, "write denyoom fast", 1, 1, 1],
  ["lpush", -3, "write denyoom fast", 1, 1, 1],
  ["rpush", -3, "write denyoom fast", 1, 1, 1],
  ["lpushx", -3, "write denyoom fast", 1, 1, 1],
  ["rpushx", -3, "write denyoom fast", 1, 1, 1],
  ["lpop", -2, "write fast", 1, 1, 1],
  ["rpop", -2, "write fast", 1, 1, 1],
  ["llen", 2, "readonly fast", 1, 1, 1],
  ["lrange", 4, "readonly", 1, 1, 1],
  ["lindex", 3, "readonly", 1, 1, 1],
  ["lset", 4, "write denyoom", 1, 1, 1],
  ["ltrim", 4, "write", 1, 1, 1],
  ["lrem", 4, "write", 1, 1, 1],
  ["lpos", -3, "readonly", 1, 1, 1],
  ["linsert", 5, "write denyoom", 1, 1, 1],
  ["lmove", 5, "write denyoom", 1, 2, 1],
  ["rpoplpush", 3, "write denyoom", 1, 2, 1],
  ["lmpop", -4, "write movablekeys", 0, 0, 0],
  ["blpop", -3, "write noscript blocking", 1, -2, 1],
  ["brpop", -3, "write noscript blocking", 1, -2, 1],
  ["blmove", 6, "write denyoom noscript blocking", 1, 2, 1],
  ["brpoplpush", 4, "write denyoom noscript blocking", 1, 2, 1],
  ["blmpop", -5, "write blocking movablekeys", 0, 0, 0],
  ["zadd", -4, "write denyoom fast", 1, 1, 1],
  ["zrem", -3, "write fast", 1, 1, 1],
  ["zrange", -4, "readonly", 1, 1, 1],
  ["zrangebyscore", -4, "readonly", 1, 1, 1],
  ["zrevrangebyscore", -4, "readonly", 1, 1, 1],
  ["zrangebylex", -4, "readonly", 1, 1, 1],
  ["zrevrangebylex", -4, "readonly", 1, 1, 1],
  ["zrevrange", -4, "readonly", 1, 1, 1],
  ["zscore", 3, "readonly fast", 1, 1, 1],
  ["zmscore", -3, "readonly fast", 1, 1, 1],
  ["zcard", 2, "readonly fast", 1, 1, 1],
  ["zcount", 4, "readonly fast", 1, 1, 1],
  ["zlexcount", 4, "readonly fast", 1, 1, 1],
  ["zrank", 3, "readonly fast", 1, 1, 1],
  ["zrevrank", 3, "readonly fast", 1, 1, 1],
  ["zincrby", 4, "write denyoom fast", 1, 1, 1],
  ["zremrangebyscore", 4, "write", 1, 1, 1],
  ["zremrangebyrank", 4, "write", 1, 1, 1],
  ["zremrangebylex", 4, "write", 1, 1, 1],
  ["zpopmin", -2, "write fast", 1, 1, 1],
  ["zpopmax", -2, "write fast", 1, 1, 1],
  ["hset", -4, "write denyoom fast", 1, 1, 1],
  ["hmset", -4, "write denyoom fast", 1, 1, 1],
  ["hsetnx", 4, "write denyoom fast", 1, 1, 1],
  ["hget", 3, "readonly fast", 1, 1, 1],
  ["hmget", -3, "readonly fast", 1, 1, 1],
  ["hgetall", 2, "readonly", 1, 1, 1],
  ["hdel", -3, "write fast", 1, 1, 1],
  ["hlen", 2, "readonly fast", 1, 1, 1],
  ["hexists", 3, "readonly fast", 1, 1, 1],
  ["hkeys", 2, "readonly", 1, 1, 1],
  ["hvals", 2, "readonly", 1, 1, 1],
  ["hincrby", 4, "write denyoom fast", 1, 1, 1],
  ["hstrlen", 3, "readonly fast", 1, 1, 1],
  ["set", -3, "write denyoom", 1, 1, 1],
  ["setnx", 3, "write denyoom fast", 1, 1, 1],
  ["setex", 4, "write denyoom", 1, 1, 1],
  ["psetex", 4, "write denyoom", 1, 1, 1],
  ["get", 2, "readonly fast", 1, 1, 1],
  ["getdel", 2, "write fast", 1, 1, 1],
  ["getset", 3, "write denyoom fast", 1, 1, 1],
  ["getex", -2, "write fast", 1, 1, 1],
  ["mget", -2, "readonly fast", 1, -1, 1],
  ["mset", -3, "write denyoom", 1, -1, 2],
  ["msetnx", -3, "write denyoom", 1, -1, 2],
  ["append", 3, "write denyoom fast", 1, 1, 1],
  ["strlen", 2, "readonly fast", 1, 1, 1],
  ["incr", 2, "write denyoom fast", 1, 1, 1],
  ["incrby", 3, "write denyoom fast", 1, 1, 1],
  ["decr", 2, "write denyoom fast", 1, 1, 1],
  ["decrby", 3, "write denyoom fast", 1, 1, 1],
  ["sadd", -3, "write denyoom fast", 1, 1, 1],
  ["srem", -3, "write fast", 1, 1, 1],
  ["smembers", 2, "readonly", 1, 1, 1],
  ["sismember", 3, "readonly fast", 1, 1, 1],
  ["smismember", -3, "readonly fast", 1, 1, 1],
  ["scard", 2, "readonly fast", 1, 1, 1],
  ["del", -2, "write", 1, -1, 1],
  ["unlink", -2, "write fast", 1, -1, 1],
  ["exists", -2, "readonly fast", 1, -1, 1],
  ["type", 2, "readonly fast", 1, 1, 1],
  ["touch", -2, "readonly fast", 1, -1, 1],
  ["expire", -3, "write fast", 1, 1, 1],
  ["pexpire", -3, "write fast", 1, 1, 1],
  ["expireat", -3, "write fast", 1, 1, 1],
  ["pexpireat", -3, "write fast", 1, 1, 1],
  ["ttl", 2, "readonly fast", 1, 1, 1],
  ["pttl", 2, "readonly fast", 1, 1, 1],
  ["expiretime", 2, "readonly fast", 1, 1, 1],
  ["pexpiretime", 2, "readonly fast", 1, 1, 1],
  ["persist", 2, "write fast", 1, 1, 1],
  ["rename", 3, "write", 1, 2, 1],
  ["renamenx", 3, "write fast", 1, 2, 1],
  ["keys", 2, "readonly", 0, 0, 0],
  ["scan", -2, "readonly", 0, 0, 0],
  ["randomkey", 1, "readonly", 0, 0, 0],
  ["dbsize", 1, "readonly fast", 0, 0, 0],
  ["flushall", -1, "write", 0, 0, 0],
  ["flushdb", -1, "write", 0, 0, 0],
  ["script", -2, "", 0, 0, 0],
  ["script|exists", -3, "noscript", 0, 0, 0],
  ["script|flush", -2, "noscript", 0, 0, 0],
  ["script|load", 3, "noscript stale", 0, 0, 0],
  ["eval", -3, "noscript stale skip_monitor no_mandatory_keys movablekeys", 0, 0, 0],
  ["evalsha", -3, "noscript stale skip_monitor no_mandatory_keys movablekeys", 0, 0, 0],
  ["publish", 3, "pubsub loading stale fast", 0, 0, 0]
]

export interface Command {
  readonly name: string
  readonly arity: number
  readonly noScript: boolean
  readonly description: Reply
  readonly run: Handler | undefined
  readonly subcommands: Map<string, Command>
}

const describe = ([name, arity, flags, firstKey, lastKey, step]: Row, subcommands: ReadonlyArray<Reply>): Reply => [
  name,
  arity,
  flags === "" ? [] : flags.split(" "),
  firstKey,
  lastKey,
  step,
  [],
  [],
  [],
  subcommands
]

const commandInfo: Handler = (_, argv) =>
  (argv.length > 2 ? argv.slice(2) : [...table.keys()]).map((name) => {
    const [outer = "", inner] = name.toLowerCase().split("|")
    const command = table.get(outer)
    return (inner === undefined ? command : command?.subcommands.get(inner))?.description ?? null
  })

const handlers: Readonly<Record<string, Handler>> = {
  ...hostCommands,
  ...keys,
  ...strings,
  ...lists,
  ...hashes,
  ...sets,
  ...zsets,
  ...streamCommands,
  ...streamGroups,
  ...streamInfo,
  ...scripting,
  command: commandInfo,
  "command|info": commandInfo,
  "command|count": () => table.size
}

const build = (): ReadonlyMap<string, Command> => {
  const commands = new Map<string, Command>()
  for (const row of rows) {
    const [name, arity, flags] = row
    const [outer = "", inner] = name.split("|")
    const inside = rows.filter(([other]) => other.startsWith(`${name}|`)).map((row) => describe(row, []))
    const command: Command = {
      name,
      arity,
      noScript: flags.includes("noscript"),
      description: describe(row, inside),
      run: handlers[name],
      subcommands: new Map()
    }
    if (inner === undefined) commands.set(outer, command)
    else commands.get(outer)?.subcommands.set(inner, command)
  }
  return commands
}

/** Commands by their name in small letters. */
export const table: ReadonlyMap<string, Command> = build()
