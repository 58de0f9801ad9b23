/**
 * The Lua VM of the memory server: compiles each script once and runs it as Redis 7.0 does, read-only globals included.
 *
 * One VM serves all memory servers of a process. That is safe because a script keeps nothing: its globals are read-only,
 * and its locals end with it.
 */
// A program that includes these sources alone does not find the declarations of fengari otherwise.
// oxlint-disable-next-line typescript/triple-slash-reference
/// <reference path="./fengari.d.ts" />
import "./hashes.ts"
import "./patches.ts"
import "fengari/src/lualib.js"
import lauxlib from "fengari/src/lauxlib.js"
import baseLibrary from "fengari/src/lbaselib.js"
import coroutineLibrary from "fengari/src/lcorolib.js"
import mathLibrary from "fengari/src/lmathlib.js"
import stringLibrary from "fengari/src/lstrlib.js"
import tableLibrary from "fengari/src/ltablib.js"
import lua, { type CFunction, type State } from "fengari/src/lua.js"
import type { Reply } from "../command.ts"
import { ReplyError } from "../replyError.ts"
import * as Cjson from "./cjson.ts"
import * as Compatibility from "./compatibility.ts"
import * as Library from "./redisLibrary.ts"
import { fromLua, toLua } from "./strings.ts"
import * as Syntax from "./syntax.ts"

/** Upvalues that a function of Lua 5.1 may have. */
const mostUpvalues = 60

/** What Redis has and this server lacks. */
const missing: ReadonlySet<string> = new Set(["bit", "cmsgpack", "struct"])

interface Table {
  readonly?: boolean
}

/** The table on top of the stack. */
const tableOnTop = (L: State): Table =>
  // SAFETY: the pointer of a table is fengari's table, which carries the mark that `patches.ts` looks at.
  lua.lua_topointer(L, -1) as Table

const setField = (L: State, name: string, push: () => void): void => {
  lua.lua_pushstring(L, toLua(name))
  push()
  lua.lua_rawset(L, -3)
}

const setFunctions = (L: State, functions: Readonly<Record<string, CFunction>>): void => {
  for (const [name, fn] of Object.entries(functions)) setField(L, name, () => lua.lua_pushcfunction(L, fn))
}

/** The calls of the running script to its server, and an error of the server itself, as opposed to an error reply. */
let call: Library.Call = () => null
let thrown: { readonly error: unknown } | undefined

/** Any other exception would end in a `pcall` of the script: it is kept, and thrown when the script is over. */
const guarded: Library.Call = (argv) => {
  try {
    return call(argv)
  } catch (error) {
    if (!(error instanceof ReplyError)) thrown ??= { error }
    throw error instanceof ReplyError ? error : new ReplyError("ERR the server failed")
  }
}

const globalMissing: CFunction = (L) => {
  const name = fromLua(lauxlib.luaL_tolstring(L, 2))
  return Cjson.raise(
    L,
    missing.has(name)
      ? `RedisMemory has no library '${name}'`
      : `Script attempted to access nonexistent global variable '${name}'`
  )
}

/** Adds where an error happened, which the server puts behind its message. */
const errorHandler: CFunction = (L) => {
  const info = new lua.lua_Debug()
  let line = -1
  for (let level = 1; line < 0 && lua.lua_getstack(L, level, info) !== 0; level++) {
    lua.lua_getinfo(L, toLua("Sl"), info)
    line = info.currentline
  }
  let message = "ERR nil"
  if (lua.lua_type(L, 1) === lua.LUA_TTABLE) {
    lua.lua_getfield(L, 1, toLua("err"))
    message = lua.lua_type(L, -1) === lua.LUA_TSTRING ? fromLua(lua.lua_tostring(L, -1)!) : "ERR unknown error"
  } else if (lua.lua_type(L, 1) === lua.LUA_TSTRING) message = `ERR ${fromLua(lua.lua_tostring(L, 1)!)}`
  lua.lua_settop(L, 0)
  Library.pushError(L, line < 0 ? message : `${message}\0${line}`)
  return 1
}

/** An exception of JavaScript under way through Lua. A script that calls itself without end is the script's own mistake. */
const nativeError: CFunction = (L) => {
  const error = lua.lua_touserdata(L, 1)
  if (!(error instanceof RangeError)) thrown ??= { error }
  lua.lua_pushstring(L, toLua(error instanceof RangeError ? "stack overflow" : "the server failed"))
  return 1
}

const openLibraries = (L: State): void => {
  for (
    const [name, open] of [
      ["_G", baseLibrary.luaopen_base],
      ["coroutine", coroutineLibrary.luaopen_coroutine],
      ["math", mathLibrary.luaopen_math],
      ["string", stringLibrary.luaopen_string],
      ["table", tableLibrary.luaopen_table]
    ] as const
  ) {
    lauxlib.luaL_requiref(L, toLua(name), open, true)
    lua.lua_pop(L, 1)
  }
}

const protect = (L: State): void => {
  for (const name of ["cjson", "coroutine", "math", "redis", "string", "table"]) {
    lua.lua_getglobal(L, toLua(name))
    tableOnTop(L).readonly = true
    lua.lua_pop(L, 1)
  }
  lua.lua_pushglobaltable(L)
  lua.lua_createtable(L, 0, 1)
  setFunctions(L, { __index: globalMissing })
  lua.lua_setmetatable(L, -2)
  tableOnTop(L).readonly = true
  lua.lua_pop(L, 1)
}

const make = (): State => {
  const L = lauxlib.luaL_newstate()
  openLibraries(L)
  lua.lua_pushglobaltable(L)
  setField(L, "_VERSION", () => lua.lua_pushstring(L, toLua("Lua 5.1")))
  setFunctions(L, Compatibility.functions)
  setField(L, "cjson", () => {
    lua.lua_createtable(L, 0, 3)
    setFunctions(L, { encode: Cjson.encode, decode: Cjson.decode })
    setField(L, "null", () => lua.lua_pushlightuserdata(L, Cjson.jsonNull))
  })
  setField(L, "redis", () => {
    lua.lua_createtable(L, 0, 24)
    setFunctions(L, Library.functions(guarded))
    for (const [name, value] of Object.entries(Library.constants)) setField(L, name, () => lua.lua_pushnumber(L, value))
    setField(L, "REDIS_VERSION", () => lua.lua_pushstring(L, toLua("7.0.15")))
  })
  lua.lua_pop(L, 1)
  for (const [library, functions] of Object.entries(Compatibility.libraries)) {
    lua.lua_getglobal(L, toLua(library))
    setFunctions(L, functions)
    lua.lua_pop(L, 1)
  }
  for (const [library, names] of Compatibility.absent) {
    lua.lua_getglobal(L, toLua(library))
    for (const name of names) setField(L, name, () => lua.lua_pushnil(L))
    lua.lua_pop(L, 1)
  }
  const prelude = toLua(Compatibility.prelude)
  lauxlib.luaL_loadbufferx(L, prelude, prelude.length, toLua("=prelude"), toLua("t"))
  lua.lua_call(L, 0, 0)
  protect(L)
  lua.lua_atnativeerror(L, nativeError)
  lua.lua_pushcfunction(L, errorHandler)
  return L
}

let state: State | undefined

/** Compiled scripts, by their text. */
const compiled = new Map<string, number>()

interface Prototype {
  readonly upvalues: ReadonlyArray<{ readonly name: { readonly getstr: () => Uint8Array } | null }>
  readonly linedefined: number
  readonly p: ReadonlyArray<Prototype>
}

/** The first function with more upvalues than 5.1 allows. The globals, which 5.3 may count among them, are not one. */
const tooWide = (prototype: Prototype): Prototype | undefined =>
  prototype.upvalues.filter(({ name }) => name === null || fromLua(name.getstr()) !== "_ENV").length > mostUpvalues
    ? prototype
    : prototype.p.map(tooWide).find((found) => found !== undefined)

const compilationFailed = (message: string): ReplyError =>
  new ReplyError(
    `ERR Error compiling script (new function): ${
      message.replaceAll(/[\r\n]/g, " ").replaceAll("near <eof>", "near '<eof>'")
        .replace(/too many (.*) \(limit is (\d+)\) in (.*) near '.*$/, "$3 has more than $2 $1")
    }`
  )

/** Compiles a script, unless it has been before. Throws a {@link ReplyError}. */
export const compile = (text: string): number => {
  const known = compiled.get(text)
  if (known !== undefined) return known
  const L = state ??= make()
  const source = Syntax.fromLua51(text)
  if (source.refusal !== undefined) throw compilationFailed(source.refusal)
  const bytes = toLua(source.text)
  if (lauxlib.luaL_loadbufferx(L, bytes, bytes.length, toLua("@user_script"), toLua("t")) !== lua.LUA_OK) {
    const message = fromLua(lua.lua_tostring(L, -1)!)
    lua.lua_pop(L, 1)
    throw compilationFailed(message)
  }
  // SAFETY: a compiled text is on the stack as fengari's closure of a Lua function.
  const wide = tooWide((lua.lua_topointer(L, -1) as { readonly p: Prototype }).p)
  if (wide !== undefined) {
    lua.lua_pop(L, 1)
    throw compilationFailed(
      `user_script:${wide.linedefined}: function at line ${wide.linedefined} has more than ${mostUpvalues} upvalues`
    )
  }
  const reference = lauxlib.luaL_ref(L, lua.LUA_REGISTRYINDEX)
  compiled.set(text, reference)
  return reference
}

const pushStrings = (L: State, values: ReadonlyArray<string>): void => {
  lua.lua_createtable(L, values.length, 0)
  for (let i = 0; i < values.length; i++) {
    lua.lua_pushstring(L, toLua(values[i]!))
    lua.lua_rawseti(L, -2, i + 1)
  }
}

const setArguments = (L: State, keys: ReadonlyArray<string>, args: ReadonlyArray<string>): void => {
  lua.lua_pushglobaltable(L)
  const globals = tableOnTop(L)
  globals.readonly = false
  setField(L, "KEYS", () => pushStrings(L, keys))
  setField(L, "ARGV", () => pushStrings(L, args))
  globals.readonly = true
  lua.lua_pop(L, 1)
}

/** Runs a compiled script. Throws a {@link ReplyError}, worded as the server does. */
export const run = (
  reference: number,
  digest: string,
  keys: ReadonlyArray<string>,
  args: ReadonlyArray<string>,
  commands: Library.Call
): Reply => {
  const L = state!
  call = commands
  thrown = undefined
  setArguments(L, keys, args)
  lua.lua_rawgeti(L, lua.LUA_REGISTRYINDEX, reference)
  const status = lua.lua_pcall(L, 0, 1, 1)
  // SAFETY: a call in `guarded` may have set it; the compiler does not see that.
  const failure = thrown as { readonly error: unknown } | undefined
  try {
    if (failure !== undefined) throw failure.error
    if (status === lua.LUA_OK) return Library.popReply(L)
    // Anything but a table with `err` comes from an exception that even `nativeError` could not take.
    if (lua.lua_type(L, -1) !== lua.LUA_TTABLE) {
      throw new Error(`the Lua VM of RedisMemory failed with status ${status}`)
    }
    throw scriptError(L, digest)
  } finally {
    // The error handler is the only thing that stays.
    lua.lua_settop(L, 1)
  }
}

const scriptError = (L: State, digest: string): ReplyError => {
  lua.lua_getfield(L, -1, toLua("err"))
  const [message = "", line] = fromLua(lua.lua_tostring(L, -1) ?? new Uint8Array()).split("\0")
  const where = line === undefined ? "" : ` script: ${digest}, on @user_script:${line}.`
  return new ReplyError(message.replaceAll(/[\r\n]/g, " ") + where)
}
