/**
 * `string.format` of Lua 5.1: C's `printf` over bytes, with integers of 64 bits.
 */
import lauxlib from "fengari/src/lauxlib.js"
import lua, { type CFunction, type State } from "fengari/src/lua.js"
import * as Numbers from "./numbers.ts"
import { fromLua, toLua } from "./strings.ts"

const item = /^([-+ #0]*)(\d{0,2})(?:\.(\d{0,2}))?(.)/s

const padded = (text: string, flags: string, width: number, isNumber: boolean): string => {
  if (text.length >= width) return text
  if (flags.includes("-")) return text.padEnd(width)
  if (!isNumber || !flags.includes("0") || !/\d/.test(text)) return text.padStart(width)
  const sign = /^[-+ ]?(?:0[xX])?/.exec(text)![0]
  return sign + text.slice(sign.length).padStart(width - sign.length, "0")
}

const signed = (text: string, flags: string): string =>
  text.startsWith("-") ? text : flags.includes("+") ? `+${text}` : flags.includes(" ") ? ` ${text}` : text

const quoted = (bytes: string): string =>
  `"${bytes.replaceAll(/["\\\n\r\0]/g, (c) => c === "\r" ? "\\r" : c === "\0" ? "\\000" : `\\${c}`)}"`

const toInt64 = (value: number): bigint =>
  BigInt.asIntN(64, Number.isFinite(value) ? BigInt(Math.trunc(value)) : -(2n ** 63n))

const integer = (value: number, conversion: string, flags: string, precision: number | undefined): string => {
  const exact = toInt64(value)
  const number = conversion === "d" || conversion === "i" ? exact : BigInt.asUintN(64, exact)
  const radix = conversion === "o" ? 8 : conversion === "x" || conversion === "X" ? 16 : 10
  const negative = number < 0n
  let digits = (negative ? -number : number).toString(radix).padStart(precision ?? 1, "0")
  if (flags.includes("#") && radix === 16 && number !== 0n) digits = `0x${digits}`
  if (flags.includes("#") && radix === 8 && !digits.startsWith("0")) digits = `0${digits}`
  const text = negative ? `-${digits}` : digits
  return radix === 10 && conversion !== "u" ? signed(text, flags) : conversion === "X" ? text.toUpperCase() : text
}

const float = (value: number, conversion: string, flags: string, precision = 6): string => {
  const lower = conversion.toLowerCase()
  const text = lower === "f"
    ? Numbers.fixed(value, precision)
    : lower === "e"
    ? Numbers.exponential(value, precision)
    : Numbers.general(value, precision, flags.includes("#"))
  return signed(conversion === lower ? text : text.toUpperCase(), flags)
}

const one = (L: State, argument: number, [, flags = "", width = "", places, conversion = ""]: RegExpExecArray) => {
  const size = Number(width)
  const precision = places === undefined ? undefined : Number(places)
  switch (conversion) {
    case "c":
      return padded(String.fromCharCode(lauxlib.luaL_checknumber(L, argument) & 255), flags, size, false)
    case "d":
    case "i":
    case "o":
    case "u":
    case "x":
    case "X": {
      const text = integer(lauxlib.luaL_checknumber(L, argument), conversion, flags, precision)
      return padded(text, precision === undefined ? flags : flags.replaceAll("0", ""), size, true)
    }
    case "e":
    case "E":
    case "f":
    case "g":
    case "G":
      return padded(float(lauxlib.luaL_checknumber(L, argument), conversion, flags, precision), flags, size, true)
    case "q":
      return quoted(fromLua(lauxlib.luaL_checkstring(L, argument)))
    case "s": {
      const bytes = fromLua(lauxlib.luaL_checkstring(L, argument))
      if (precision === undefined && bytes.length >= 100) return bytes
      // C's strings end at NUL.
      return padded(bytes.split("\0", 1)[0]!.slice(0, precision), flags, size, false)
    }
    default:
      lauxlib.luaL_where(L, 1)
      lua.lua_pushstring(
        L,
        toLua(`${fromLua(lua.lua_tostring(L, -1)!)}invalid option '%${conversion}' to 'format'`)
      )
      return lua.lua_error(L)
  }
}

export const format: CFunction = (L) => {
  const template = fromLua(lauxlib.luaL_checkstring(L, 1))
  let argument = 1
  let text = ""
  for (let at = 0; at < template.length;) {
    const next = template.indexOf("%", at)
    if (next === -1) {
      text += template.slice(at)
      break
    }
    text += template.slice(at, next)
    if (template[next + 1] === "%") {
      text += "%"
      at = next + 2
      continue
    }
    const found = item.exec(template.slice(next + 1, next + 16))
    if (found === null) {
      lua.lua_pushstring(L, toLua("invalid format (width or precision too long)"))
      return lua.lua_error(L)
    }
    if (++argument > lua.lua_gettop(L)) lauxlib.luaL_argerror(L, argument, toLua("no value"))
    text += one(L, argument, found)
    at = next + 1 + found[0].length
  }
  lua.lua_pushstring(L, toLua(text))
  return 1
}
