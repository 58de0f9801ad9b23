/**
 * `cjson.encode` and `cjson.decode` as Redis has them (lua-cjson 2.1 with its defaults), over bytes.
 */
import lauxlib from "fengari/src/lauxlib.js"
import lua, { type CFunction, type State } from "fengari/src/lua.js"
import * as Numbers from "./numbers.ts"
import { fromLua, toLua } from "./strings.ts"

const maxDepth = 1_000

/** `cjson.null`. */
export const jsonNull = { toString: () => "null" }

/** Raises a Lua error with the position of the script in front. */
export const raise = (L: State, message: string): never => {
  lua.lua_checkstack(L, 3)
  lauxlib.luaL_where(L, 1)
  const where = fromLua(lua.lua_tostring(L, -1)!)
  lua.lua_pushstring(L, toLua(where + message))
  return lua.lua_error(L)
}

// -----------------------------------------------------------------------------
// encode
// -----------------------------------------------------------------------------

const escapes: Readonly<Record<string, string>> = {
  "\"": "\\\"",
  "\\": "\\\\",
  "/": "\\/",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t"
}

const escape = (c: string): string => escapes[c] ?? `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`

const quote = (bytes: string): string => `"${bytes.replaceAll(/[\x00-\x1f"\\/\x7f]/g, escape)}"`

const number = (L: State, value: number): string =>
  Number.isFinite(value) ? Numbers.general(value, 14) : raise(L, "Cannot serialise number: must not be NaN or Inf")

/** The length of the array on top of the stack; -1 when it has other keys than positive whole numbers. */
const arrayLength = (L: State): number => {
  let length = 0
  let items = 0
  lua.lua_pushnil(L)
  while (lua.lua_next(L, -2) !== 0) {
    const key = lua.lua_type(L, -2) === lua.LUA_TNUMBER ? lua.lua_tonumber(L, -2) : 0
    if (key < 1 || Math.floor(key) !== key) {
      lua.lua_pop(L, 2)
      return -1
    }
    length = Math.max(length, key)
    items++
    lua.lua_pop(L, 1)
  }
  if (length > items * 2 && length > 10) return raise(L, "Cannot serialise table: excessively sparse array")
  return length
}

const encodeTable = (L: State, depth: number): string => {
  if (depth > maxDepth) return raise(L, `Cannot serialise, excessive nesting (${depth})`)
  lua.lua_checkstack(L, 3)
  const length = arrayLength(L)
  if (length > 0) {
    const items = Array.from({ length }, (_, index) => {
      lua.lua_rawgeti(L, -1, index + 1)
      const item = encodeValue(L, depth)
      lua.lua_pop(L, 1)
      return item
    })
    return `[${items.join(",")}]`
  }
  const members: Array<string> = []
  lua.lua_pushnil(L)
  while (lua.lua_next(L, -2) !== 0) {
    const type = lua.lua_type(L, -2)
    const key = type === lua.LUA_TNUMBER
      ? `"${number(L, lua.lua_tonumber(L, -2))}"`
      : type === lua.LUA_TSTRING
      ? quote(fromLua(lua.lua_tostring(L, -2)!))
      : raise(L, "Cannot serialise table: table key must be a number or string")
    members.push(`${key}:${encodeValue(L, depth)}`)
    lua.lua_pop(L, 1)
  }
  return `{${members.join(",")}}`
}

/** The value on top of the stack, which stays there. */
const encodeValue = (L: State, depth: number): string => {
  switch (lua.lua_type(L, -1)) {
    case lua.LUA_TSTRING:
      return quote(fromLua(lua.lua_tostring(L, -1)!))
    case lua.LUA_TNUMBER:
      return number(L, lua.lua_tonumber(L, -1))
    case lua.LUA_TBOOLEAN:
      return String(lua.lua_toboolean(L, -1))
    case lua.LUA_TTABLE:
      return encodeTable(L, depth + 1)
    case lua.LUA_TNIL:
      return "null"
    default:
      return lua.lua_touserdata(L, -1) === jsonNull
        ? "null"
        : raise(L, `Cannot serialise ${fromLua(lauxlib.luaL_typename(L, -1))}: type not supported`)
  }
}

export const encode: CFunction = (L) => {
  if (lua.lua_gettop(L) !== 1) lauxlib.luaL_argerror(L, 1, toLua("expected 1 argument"))
  lua.lua_pushstring(L, toLua(encodeValue(L, 0)))
  return 1
}

// -----------------------------------------------------------------------------
// decode
// -----------------------------------------------------------------------------

interface Token {
  readonly kind: string
  readonly at: number
  readonly text?: string
  readonly value?: number
}

const punctuation: Readonly<Record<string, string>> = {
  "{": "T_OBJ_BEGIN",
  "}": "T_OBJ_END",
  "[": "T_ARR_BEGIN",
  "]": "T_ARR_END",
  ",": "T_COMMA",
  ":": "T_COLON"
}

const words: ReadonlyArray<readonly [word: string, kind: string]> = [
  ["true", "T_BOOLEAN"],
  ["false", "T_BOOLEAN"],
  ["null", "T_NULL"]
]

const simpleEscapes: Readonly<Record<string, string>> = {
  "\"": "\"",
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t"
}

/** Numbers as lua-cjson takes them: those of C, hexadecimal and infinities included. */
const numeral = /[-+]?(?:0[xX][\da-fA-F]+|\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|inf(?:inity)?|nan)/iy

class Tokens {
  private at = 0
  private readonly text: string
  constructor(text: string) {
    this.text = text
  }

  next(): Token {
    while (/[ \t\r\n]/.test(this.text[this.at] ?? "")) this.at++
    const { at, text } = this
    const c = text[at]
    if (c === undefined) return { kind: "T_END", at }
    const mark = punctuation[c]
    if (mark !== undefined) {
      this.at++
      return { kind: mark, at }
    }
    if (c === "\"") return this.string(at)
    for (const [word, kind] of words) {
      if (text.startsWith(word, at)) {
        this.at += word.length
        return { kind, at, text: word }
      }
    }
    numeral.lastIndex = at
    const found = numeral.exec(text)?.[0]
    const value = found === undefined ? undefined : Numbers.parse(found)
    if (found === undefined || value === undefined) return { kind: "invalid token", at }
    this.at += found.length
    return { kind: "T_NUMBER", at, value }
  }

  private string(start: number): Token {
    let result = ""
    for (let i = start + 1; i < this.text.length; i++) {
      const c = this.text[i]!
      if (c === "\"") {
        this.at = i + 1
        return { kind: "T_STRING", at: start, text: result }
      }
      if (c !== "\\") {
        result += c
        continue
      }
      const name = this.text[++i] ?? ""
      const unit = /^[\da-fA-F]{4}$/.test(this.text.slice(i + 1, i + 5))
      if (name === "u" && unit) {
        const units = [Number.parseInt(this.text.slice(i + 1, i + 5), 16)]
        i += 4
        const low = /^\\u([dD][c-fC-F][\da-fA-F]{2})/.exec(this.text.slice(i + 1, i + 7))
        if (units[0]! >= 0xd800 && units[0]! < 0xdc00 && low !== null) {
          units.push(Number.parseInt(low[1]!, 16))
          i += 6
        }
        const character = String.fromCharCode(...units)
        if (!character.isWellFormed()) return { kind: "invalid unicode escape code", at: i }
        result += Buffer.from(character, "utf8").toString("latin1")
      } else if (simpleEscapes[name] !== undefined) result += simpleEscapes[name]
      else return { kind: "invalid escape code", at: i }
    }
    return { kind: "unexpected end of string", at: this.text.length }
  }
}

const unexpected = (L: State, expected: string, { at, kind }: Token): never =>
  raise(L, `Expected ${expected} but found ${kind} at character ${at + 1}`)

/** Pushes the value that begins with the token. */
const pushValue = (L: State, tokens: Tokens, token: Token, depth: number): void => {
  switch (token.kind) {
    case "T_STRING":
      return lua.lua_pushstring(L, toLua(token.text!))
    case "T_NUMBER":
      return lua.lua_pushnumber(L, token.value!)
    case "T_BOOLEAN":
      return lua.lua_pushboolean(L, token.text === "true")
    case "T_NULL":
      return lua.lua_pushlightuserdata(L, jsonNull)
    case "T_OBJ_BEGIN":
    case "T_ARR_BEGIN":
      if (depth >= maxDepth) raise(L, `Found too many nested data structures (${depth + 1})`)
      lua.lua_checkstack(L, 4)
      return token.kind === "T_OBJ_BEGIN" ? pushObject(L, tokens, depth + 1) : pushArray(L, tokens, depth + 1)
    default:
      return unexpected(L, "value", token)
  }
}

const pushObject = (L: State, tokens: Tokens, depth: number): void => {
  lua.lua_createtable(L, 0, 0)
  let token = tokens.next()
  if (token.kind === "T_OBJ_END") return
  for (;;) {
    if (token.kind !== "T_STRING") unexpected(L, "object key string", token)
    lua.lua_pushstring(L, toLua(token.text!))
    token = tokens.next()
    if (token.kind !== "T_COLON") unexpected(L, "colon", token)
    pushValue(L, tokens, tokens.next(), depth)
    lua.lua_rawset(L, -3)
    token = tokens.next()
    if (token.kind === "T_OBJ_END") return
    if (token.kind !== "T_COMMA") unexpected(L, "comma or object end", token)
    token = tokens.next()
  }
}

const pushArray = (L: State, tokens: Tokens, depth: number): void => {
  lua.lua_createtable(L, 0, 0)
  let token = tokens.next()
  if (token.kind === "T_ARR_END") return
  for (let index = 1;; index++) {
    pushValue(L, tokens, token, depth)
    lua.lua_rawseti(L, -2, index)
    token = tokens.next()
    if (token.kind === "T_ARR_END") return
    if (token.kind !== "T_COMMA") unexpected(L, "comma or array end", token)
    token = tokens.next()
  }
}

export const decode: CFunction = (L) => {
  if (lua.lua_gettop(L) !== 1) lauxlib.luaL_argerror(L, 1, toLua("expected 1 argument"))
  const tokens = new Tokens(fromLua(lauxlib.luaL_checkstring(L, 1)))
  pushValue(L, tokens, tokens.next(), 0)
  const last = tokens.next()
  if (last.kind !== "T_END") unexpected(L, "the end", last)
  return 1
}
