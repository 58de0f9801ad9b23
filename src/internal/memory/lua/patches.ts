/**
 * Makes fengari's Lua 5.3 count and print as the Lua 5.1 of Redis does, and keeps scripts off read-only tables.
 *
 * Fengari's modules find these functions through each other's exports, so replacing them here reaches all of them. Only
 * this package's own copy changes: the build puts fengari into the file of the memory server.
 */
import ldebug from "fengari/src/ldebug.js"
import lobject from "fengari/src/lobject.js"
import lstring from "fengari/src/lstring.js"
import ltable from "fengari/src/ltable.js"
import * as Numbers from "./numbers.ts"
import { fromLua, toLua } from "./strings.ts"

// Fengari's integers have 32 bits, so that a time in milliseconds becomes negative. In 5.1 every number is a float.
lobject.luaO_str2num = (text, result) => {
  // The lexer's buffer ends with a NUL.
  const length = text.indexOf(0) === -1 ? text.length : text.indexOf(0)
  const value = Numbers.parse(fromLua(text.subarray(0, length)))
  if (value === undefined) return 0
  result.setfltvalue(value)
  return length + 1
}

lobject.luaO_tostring = (L, value) => {
  value.setsvalue(lstring.luaS_bless(L, toLua(Numbers.print(value.value))))
}

// 5.3 words it "attempt to index a nil value (local 't')", 5.1 "attempt to index local 't' (a nil value)".
const pushFormatted = lobject.luaO_pushvfstring
const typeError = "attempt to %s a %s value%s"
const typeErrorOfVariable = toLua("attempt to %s %s (a %s value)")
lobject.luaO_pushvfstring = (L, format, values) => {
  const [operation, type, variable] = values
  return variable instanceof Uint8Array && variable.length > 0 && fromLua(format) === typeError
    // " (local 't')"
    ? pushFormatted(L, typeErrorOfVariable, [operation, variable.subarray(2, -1), type])
    : pushFormatted(L, format, values)
}

export const notWritable = toLua("Attempt to modify a readonly table")

const setFrom = ltable.luaH_setfrom
ltable.luaH_setfrom = (L, table, key, value) => {
  if (table.readonly === true) ldebug.luaG_runerror(L, notWritable)
  setFrom(L, table, key, value)
}
