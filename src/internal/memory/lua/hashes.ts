/**
 * How fengari finds strings in tables, and orders them.
 *
 * Its own hash joins the bytes in hexadecimal without padding, so that the bytes 1 23 and 12 3 are one key. This file is
 * loaded before the modules that keep a reference of their own to the two functions.
 */
import lstring from "fengari/src/lstring.js"
import { fromLua } from "./strings.ts"

lstring.luaS_hash = (bytes) => `|${fromLua(bytes)}`
lstring.luaS_hashlongstr = (string) => string.hash ??= lstring.luaS_hash(string.realstring)
