/**
 * The part of fengari's core that the bridge uses. Fengari has no types of its own.
 */

declare module "fengari/src/lua.js" {
  /** A Lua thread. */
  export interface State {
    readonly l_G: object
  }
  /** A C function, which returns how many of the values on top of the stack are its results. */
  export type CFunction = (L: State) => number
  export interface DebugInfo {
    readonly short_src: Uint8Array
    readonly currentline: number
  }
  interface Lua {
    readonly LUA_OK: number
    readonly LUA_MULTRET: number
    readonly LUA_REGISTRYINDEX: number
    readonly LUA_TNIL: number
    readonly LUA_TBOOLEAN: number
    readonly LUA_TLIGHTUSERDATA: number
    readonly LUA_TNUMBER: number
    readonly LUA_TSTRING: number
    readonly LUA_TTABLE: number
    readonly LUA_TFUNCTION: number
    readonly lua_Debug: new() => DebugInfo
    readonly lua_atnativeerror: (L: State, handler: CFunction) => CFunction | null
    readonly lua_call: (L: State, args: number, results: number) => void
    readonly lua_checkstack: (L: State, n: number) => boolean
    readonly lua_createtable: (L: State, array: number, record: number) => void
    readonly lua_error: (L: State) => never
    readonly lua_getfield: (L: State, index: number, key: Uint8Array) => number
    readonly lua_getglobal: (L: State, name: Uint8Array) => number
    readonly lua_getinfo: (L: State, what: Uint8Array, info: DebugInfo) => number
    readonly lua_getstack: (L: State, level: number, info: DebugInfo) => number
    readonly lua_gettop: (L: State) => number
    readonly lua_insert: (L: State, index: number) => void
    readonly lua_isnil: (L: State, index: number) => boolean
    readonly lua_next: (L: State, index: number) => number
    readonly lua_pcall: (L: State, args: number, results: number, handler: number) => number
    readonly lua_pop: (L: State, n: number) => void
    readonly lua_pushboolean: (L: State, value: boolean) => void
    readonly lua_pushcfunction: (L: State, fn: CFunction) => void
    readonly lua_pushglobaltable: (L: State) => void
    readonly lua_pushlightuserdata: (L: State, value: unknown) => void
    readonly lua_pushnil: (L: State) => void
    readonly lua_pushnumber: (L: State, value: number) => void
    readonly lua_pushstring: (L: State, bytes: Uint8Array) => void
    readonly lua_pushvalue: (L: State, index: number) => void
    readonly lua_rawget: (L: State, index: number) => number
    readonly lua_rawgeti: (L: State, index: number, n: number) => number
    readonly lua_rawlen: (L: State, index: number) => number
    readonly lua_rawset: (L: State, index: number) => void
    readonly lua_rawseti: (L: State, index: number, n: number) => void
    readonly lua_remove: (L: State, index: number) => void
    readonly lua_replace: (L: State, index: number) => void
    readonly lua_setmetatable: (L: State, index: number) => boolean
    readonly lua_settop: (L: State, index: number) => void
    readonly lua_toboolean: (L: State, index: number) => boolean
    readonly lua_tonumber: (L: State, index: number) => number
    readonly lua_topointer: (L: State, index: number) => unknown
    readonly lua_tostring: (L: State, index: number) => Uint8Array | null
    readonly lua_touserdata: (L: State, index: number) => unknown
    readonly lua_type: (L: State, index: number) => number
  }
  const lua: Lua
  export default lua
}

declare module "fengari/src/lauxlib.js" {
  import type { CFunction, State } from "fengari/src/lua.js"
  const lauxlib: {
    readonly luaL_argerror: (L: State, argument: number, message: Uint8Array) => never
    readonly luaL_checkany: (L: State, argument: number) => void
    readonly luaL_checknumber: (L: State, argument: number) => number
    readonly luaL_checkstring: (L: State, argument: number) => Uint8Array
    readonly luaL_checktype: (L: State, argument: number, type: number) => void
    readonly luaL_loadbufferx: (
      L: State,
      text: Uint8Array,
      size: number,
      name: Uint8Array,
      mode: Uint8Array
    ) => number
    readonly luaL_newstate: () => State
    readonly luaL_ref: (L: State, table: number) => number
    readonly luaL_requiref: (L: State, name: Uint8Array, open: CFunction, global: boolean) => void
    readonly luaL_tolstring: (L: State, index: number) => Uint8Array
    readonly luaL_typename: (L: State, index: number) => Uint8Array
    readonly luaL_where: (L: State, level: number) => void
  }
  export default lauxlib
}

declare module "fengari/src/lualib.js" {
  /** Loaded first, so that the libraries, which refer to it and it to them, find each other. */
  const nothing: object
  export default nothing
}

declare module "fengari/src/lbaselib.js" {
  import type { CFunction } from "fengari/src/lua.js"
  const library: { readonly luaopen_base: CFunction }
  export default library
}

declare module "fengari/src/lcorolib.js" {
  import type { CFunction } from "fengari/src/lua.js"
  const library: { readonly luaopen_coroutine: CFunction }
  export default library
}

declare module "fengari/src/lmathlib.js" {
  import type { CFunction } from "fengari/src/lua.js"
  const library: { readonly luaopen_math: CFunction }
  export default library
}

declare module "fengari/src/lstrlib.js" {
  import type { CFunction } from "fengari/src/lua.js"
  const library: { readonly luaopen_string: CFunction }
  export default library
}

declare module "fengari/src/ltablib.js" {
  import type { CFunction } from "fengari/src/lua.js"
  const library: { readonly luaopen_table: CFunction }
  export default library
}

declare module "fengari/src/ldebug.js" {
  import type { State } from "fengari/src/lua.js"
  const ldebug: { readonly luaG_runerror: (L: State, message: Uint8Array) => never }
  export default ldebug
}

declare module "fengari/src/lstring.js" {
  const lstring: {
    readonly luaS_bless: (L: unknown, bytes: Uint8Array) => unknown
    luaS_hash: (bytes: Uint8Array) => string
    luaS_hashlongstr: (string: { hash: string | null; readonly realstring: Uint8Array }) => string
  }
  export default lstring
}

declare module "fengari/src/lobject.js" {
  import type { State } from "fengari/src/lua.js"
  interface Value {
    readonly value: number
    readonly setfltvalue: (value: number) => void
    readonly setsvalue: (string: unknown) => void
  }
  const lobject: {
    luaO_str2num: (text: Uint8Array, result: Value) => number
    luaO_pushvfstring: (L: State, format: Uint8Array, values: ReadonlyArray<unknown>) => Uint8Array
    luaO_tostring: (L: State, value: Value) => void
  }
  export default lobject
}

declare module "fengari/src/ltable.js" {
  import type { State } from "fengari/src/lua.js"
  interface Table {
    readonly?: boolean
  }
  const ltable: {
    luaH_setfrom: (L: State, table: Table, key: unknown, value: unknown) => void
  }
  export default ltable
}
