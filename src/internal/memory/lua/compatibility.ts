/**
 * What the Lua 5.1 of Redis has and fengari's 5.3 lacks, or has otherwise.
 */
import lauxlib from "fengari/src/lauxlib.js"
import lua, { type CFunction, type State } from "fengari/src/lua.js"
import { jsonNull, raise } from "./cjson.ts"
import * as Format from "./format.ts"
import * as Numbers from "./numbers.ts"
import { notWritable } from "./patches.ts"
import { fromLua, toLua } from "./strings.ts"

const number = (compute: (x: number, y: number) => number): CFunction => (L) => {
  const x = lauxlib.luaL_checknumber(L, 1)
  lua.lua_pushnumber(L, compute(x, lua.lua_gettop(L) > 1 ? lauxlib.luaL_checknumber(L, 2) : Number.NaN))
  return 1
}

/** `tonumber`: with a base whole numbers of that base, else whatever C's `strtod` takes. */
const tonumber: CFunction = (L) => {
  lauxlib.luaL_checkany(L, 1)
  const base = lua.lua_gettop(L) > 1 && !lua.lua_isnil(L, 2) ? lauxlib.luaL_checknumber(L, 2) : 10
  let value: number | undefined
  if (base !== 10) {
    const text = fromLua(lauxlib.luaL_checkstring(L, 1)).trim().toLowerCase()
    const bare = base === 16 ? text.replace(/^0x/, "") : text
    value = /^[\da-z]+$/.test(bare) && bare.split("").every((digit) => Number.parseInt(digit, 36) < base)
      ? Number.parseInt(bare, base)
      : undefined
  } else if (lua.lua_type(L, 1) === lua.LUA_TNUMBER) value = lua.lua_tonumber(L, 1)
  else if (lua.lua_type(L, 1) === lua.LUA_TSTRING) value = Numbers.parse(fromLua(lua.lua_tostring(L, 1)!))
  if (value === undefined) lua.lua_pushnil(L)
  else lua.lua_pushnumber(L, value)
  return 1
}

/** An error table with a text `err` reaches the caller of `pcall` as that text, as in Redis 7. */
const pcall: CFunction = (L) => {
  const status = lua.lua_pcall(L, lua.lua_gettop(L) - 1, lua.LUA_MULTRET, 0)
  const succeeded = status === lua.LUA_OK
  if (!succeeded && lua.lua_type(L, -1) === lua.LUA_TTABLE) {
    lua.lua_getfield(L, -1, toLua("err"))
    if (lua.lua_type(L, -1) === lua.LUA_TSTRING) lua.lua_replace(L, -2)
    else lua.lua_pop(L, 1)
  }
  lua.lua_pushboolean(L, succeeded)
  lua.lua_insert(L, 1)
  return lua.lua_gettop(L)
}

const tostring: CFunction = (L) => {
  lauxlib.luaL_checkany(L, 1)
  if (lua.lua_type(L, 1) !== lua.LUA_TNUMBER) {
    if (lua.lua_touserdata(L, 1) === jsonNull) lua.lua_pushstring(L, toLua("userdata: (nil)"))
    else lauxlib.luaL_tolstring(L, 1)
  } else lua.lua_pushstring(L, toLua(Numbers.print(lua.lua_tonumber(L, 1))))
  return 1
}

const loadstring: CFunction = (L) => {
  const text = lauxlib.luaL_checkstring(L, 1)
  const name = lua.lua_gettop(L) > 1 ? lauxlib.luaL_checkstring(L, 2) : text
  if (lauxlib.luaL_loadbufferx(L, text, text.length, name, toLua("t")) === lua.LUA_OK) return 1
  lua.lua_pushnil(L)
  lua.lua_insert(L, -2)
  return 2
}

/** More results than the C stack of 5.1 holds. */
const mostUnpacked = 8_000

const unpack: CFunction = (L) => {
  lauxlib.luaL_checktype(L, 1, lua.LUA_TTABLE)
  const top = lua.lua_gettop(L)
  const from = top > 1 && !lua.lua_isnil(L, 2) ? lauxlib.luaL_checknumber(L, 2) : 1
  const to = top > 2 && !lua.lua_isnil(L, 3) ? lauxlib.luaL_checknumber(L, 3) : lengthOf(L)
  if (from > to) return 0
  const count = to - from + 1
  if (top + count >= mostUnpacked || !lua.lua_checkstack(L, count)) raise(L, "too many results to unpack")
  for (let i = from; i <= to; i++) lua.lua_rawgeti(L, 1, i)
  return count
}

/** The length of the first argument. */
const lengthOf = (L: State): number => lua.lua_rawlen(L, 1)

const setmetatable: CFunction = (L) => {
  lauxlib.luaL_checktype(L, 1, lua.LUA_TTABLE)
  // SAFETY: the pointer of a table is fengari's table.
  if ((lua.lua_topointer(L, 1) as { readonly readonly?: boolean }).readonly === true) {
    lua.lua_pushstring(L, notWritable)
    return lua.lua_error(L)
  }
  lua.lua_settop(L, 2)
  lua.lua_setmetatable(L, 1)
  return 1
}

/** At any position: 5.3 refuses one beyond the end. */
const insert: CFunction = (L) => {
  lauxlib.luaL_checktype(L, 1, lua.LUA_TTABLE)
  const end = lengthOf(L) + 1
  const count = lua.lua_gettop(L)
  if (count !== 2 && count !== 3) raise(L, "wrong number of arguments to 'insert'")
  const position = count === 2 ? end : Math.trunc(lauxlib.luaL_checknumber(L, 2))
  for (let i = Math.max(position, end); i > position; i--) {
    lua.lua_rawgeti(L, 1, i - 1)
    lua.lua_rawseti(L, 1, i)
  }
  lua.lua_rawseti(L, 1, position)
  return 0
}

/** Nothing at a position where nothing is. */
const remove: CFunction = (L) => {
  lauxlib.luaL_checktype(L, 1, lua.LUA_TTABLE)
  const end = lengthOf(L)
  const position = lua.lua_gettop(L) > 1 && !lua.lua_isnil(L, 2) ? Math.trunc(lauxlib.luaL_checknumber(L, 2)) : end
  if (position < 1 || position > end) return 0
  lua.lua_rawgeti(L, 1, position)
  for (let i = position; i < end; i++) {
    lua.lua_rawgeti(L, 1, i + 1)
    lua.lua_rawseti(L, 1, i)
  }
  lua.lua_pushnil(L)
  lua.lua_rawseti(L, 1, end)
  return 1
}

export const functions: Readonly<Record<string, CFunction>> = {
  loadstring,
  pcall,
  setmetatable,
  tonumber,
  tostring,
  unpack
}

/** Functions in place of, or beside, those of 5.3's libraries. */
export const libraries: Readonly<Record<string, Readonly<Record<string, CFunction>>>> = {
  string: { format: Format.format },
  table: { insert, remove },
  math: {
    atan2: number((y, x) => Math.atan2(y, x)),
    ceil: number(Math.ceil),
    cosh: number(Math.cosh),
    floor: number(Math.floor),
    log10: number(Math.log10),
    mod: number((x, y) => x % y),
    pow: number((x, y) => x ** y),
    sinh: number(Math.sinh),
    tanh: number(Math.tanh)
  }
}

/** The rest, in Lua. `math.random` gives the same numbers in every run of a script, as a server's does. */
export const prelude = `
function table.getn(t) return #t end
function table.foreach(t, f)
  for k, v in pairs(t) do local r = f(k, v) if r ~= nil then return r end end
end
function table.foreachi(t, f)
  for i = 1, #t do local r = f(i, t[i]) if r ~= nil then return r end end
end
function table.maxn(t)
  local most = 0
  for k in pairs(t) do if type(k) == 'number' and k > most then most = k end end
  return most
end
string.gfind = string.gmatch
function gcinfo() return 0 end
`

/** Names of 5.3, or of the host, that a script of Redis does not find. */
export const absent: ReadonlyArray<readonly [library: string, names: ReadonlyArray<string>]> = [
  ["_G", ["dofile", "loadfile", "print", "rawlen"]],
  ["table", ["pack", "unpack", "move"]],
  ["string", ["pack", "packsize", "unpack"]],
  ["math", ["maxinteger", "mininteger", "tointeger", "type", "ult"]]
]
