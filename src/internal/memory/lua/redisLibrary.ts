/**
 * `redis.call` and the rest of the table `redis`: replies become Lua values, and Lua values become replies.
 */
import lauxlib from "fengari/src/lauxlib.js"
import lua, { type CFunction, type State } from "fengari/src/lua.js"
import { createHash } from "node:crypto"
import { formatDouble } from "../arguments.ts"
import type { Reply } from "../command.ts"
import { ReplyError } from "../replyError.ts"
import { Status } from "../status.ts"
import { fromLua, toLua } from "./strings.ts"

/** Runs one command for the script; throws a {@link ReplyError}. */
export type Call = (argv: ReadonlyArray<string>) => Reply

const err = toLua("err")
const ok = toLua("ok")

const pushStringField = (L: State, name: Uint8Array, bytes: string): void => {
  lua.lua_createtable(L, 0, 1)
  lua.lua_pushstring(L, name)
  lua.lua_pushstring(L, toLua(bytes))
  lua.lua_rawset(L, -3)
}

/** Pushes a table with a field `err`. */
export const pushError = (L: State, message: string): void => pushStringField(L, err, message)

/** Pushes a reply as a script sees it: a nil reply is `false`, a status a table. */
export const pushReply = (L: State, reply: Reply): void => {
  if (typeof reply === "string") lua.lua_pushstring(L, toLua(reply))
  else if (typeof reply === "number") lua.lua_pushnumber(L, reply)
  else if (reply === null) lua.lua_pushboolean(L, false)
  else if (reply instanceof Status) pushStringField(L, ok, reply.text)
  else {
    lua.lua_checkstack(L, 2)
    lua.lua_createtable(L, reply.length, 0)
    for (let i = 0; i < reply.length; i++) {
      pushReply(L, reply[i]!)
      lua.lua_rawseti(L, -2, i + 1)
    }
  }
}

/** A number loses its fraction on the way out of Lua. Numbers that no 64-bit integer holds become the smallest one. */
const toInteger = (value: number): number => value >= -(2 ** 63) && value < 2 ** 63 ? Math.trunc(value) : -(2 ** 63)

/** Takes the value on top of the stack off it, as a reply. Throws a {@link ReplyError} for a table with `err`. */
export const popReply = (L: State): Reply => {
  const reply = replyOf(L)
  lua.lua_pop(L, 1)
  return reply
}

const replyOf = (L: State): Reply => {
  switch (lua.lua_type(L, -1)) {
    case lua.LUA_TSTRING:
      return fromLua(lua.lua_tostring(L, -1)!)
    case lua.LUA_TNUMBER:
      return toInteger(lua.lua_tonumber(L, -1))
    case lua.LUA_TBOOLEAN:
      return lua.lua_toboolean(L, -1) ? 1 : null
    case lua.LUA_TTABLE:
      return replyOfTable(L)
    default:
      return null
  }
}

const stringField = (L: State, name: Uint8Array): string | undefined => {
  lua.lua_pushstring(L, name)
  lua.lua_rawget(L, -2)
  const bytes = lua.lua_type(L, -1) === lua.LUA_TSTRING ? fromLua(lua.lua_tostring(L, -1)!) : undefined
  lua.lua_pop(L, 1)
  return bytes
}

const oneLine = (text: string): string => text.replaceAll(/[\r\n]/g, " ")

const replyOfTable = (L: State): Reply => {
  lua.lua_checkstack(L, 2)
  const error = stringField(L, err)
  if (error !== undefined) throw new ReplyError(oneLine(error))
  const status = stringField(L, ok)
  if (status !== undefined) return new Status(oneLine(status))
  const items: Array<Reply> = []
  for (let i = 1;; i++) {
    lua.lua_rawgeti(L, -1, i)
    if (lua.lua_isnil(L, -1)) {
      lua.lua_pop(L, 1)
      return items
    }
    items.push(popReply(L))
  }
}

const argumentsOf = (L: State): ReadonlyArray<string> | undefined => {
  const argv: Array<string> = []
  for (let i = 1; i <= lua.lua_gettop(L); i++) {
    const type = lua.lua_type(L, i)
    if (type === lua.LUA_TSTRING) argv.push(fromLua(lua.lua_tostring(L, i)!))
    else if (type === lua.LUA_TNUMBER) argv.push(formatDouble(lua.lua_tonumber(L, i)))
    else return undefined
  }
  return argv
}

const attempt = (argv: ReadonlyArray<string> | undefined, call: Call): Reply | ReplyError => {
  if (argv === undefined) return new ReplyError("ERR Lua redis lib command arguments must be strings or integers")
  if (argv.length === 0) return new ReplyError("ERR Please specify at least one argument for this redis lib call")
  try {
    return call(argv)
  } catch (error) {
    if (error instanceof ReplyError) return error
    throw error
  }
}

const sha1 = (bytes: string): string => createHash("sha1").update(bytes, "latin1").digest("hex")

const nothing: CFunction = () => 0

export const functions = (call: Call): Readonly<Record<string, CFunction>> => {
  const run = (raises: boolean): CFunction => (L) => {
    const outcome = attempt(argumentsOf(L), call)
    if (!(outcome instanceof ReplyError)) {
      pushReply(L, outcome)
      return 1
    }
    pushError(L, outcome.message)
    return raises ? lua.lua_error(L) : 1
  }
  return {
    call: run(true),
    pcall: run(false),
    error_reply: (L) => {
      const text = fromLua(lauxlib.luaL_checkstring(L, 1)).replace(/^-/, "")
      pushError(L, text.includes(" ") ? text : `ERR ${text}`)
      return 1
    },
    status_reply: (L) => {
      pushStringField(L, ok, fromLua(lauxlib.luaL_checkstring(L, 1)))
      return 1
    },
    sha1hex: (L) => {
      lua.lua_pushstring(L, toLua(sha1(fromLua(lauxlib.luaL_checkstring(L, 1)))))
      return 1
    },
    log: nothing,
    set_repl: nothing,
    setresp: nothing,
    breakpoint: nothing,
    debug: nothing,
    replicate_commands: (L) => {
      lua.lua_pushboolean(L, true)
      return 1
    }
  }
}

export const constants: Readonly<Record<string, number>> = {
  LOG_DEBUG: 0,
  LOG_VERBOSE: 1,
  LOG_NOTICE: 2,
  LOG_WARNING: 3,
  REPL_NONE: 0,
  REPL_AOF: 1,
  REPL_SLAVE: 2,
  REPL_REPLICA: 2,
  REPL_ALL: 3,
  REDIS_VERSION_NUM: 0x0007000f
}
