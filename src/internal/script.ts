/**
 * What a Lua script of the library and its TypeScript twin have in common.
 *
 * A twin is a line-by-line port of the Lua beside it. `RedisMemory` runs twins,
 * a real server runs the Lua; one conformance suite compares the two.
 */
import * as Redis from "../Redis.ts"

/** A reply as a script sees it: RESP2 values, with `null` for Lua's `false`. */
export type ScriptReply = string | number | null | ReadonlyArray<ScriptReply>

/** An error reply, its message as the server words it (`WRONGTYPE …`, `NOGROUP …`). */
export class ReplyError extends Error {
  override readonly name = "ReplyError"
}

/** The commands that a twin may run: synchronous, as `redis.call` and `redis.pcall` are. */
export interface ScriptRedis {
  /** Throws a {@link ReplyError}, which ends the script as in Lua: what was written stays written. */
  readonly call: (command: string, ...args: ReadonlyArray<string | number>) => ScriptReply
  /** Returns the error instead of throwing it. */
  readonly pcall: (command: string, ...args: ReadonlyArray<string | number>) => ScriptReply | ReplyError
}

/** The port of a script: same keys, same arguments, same reply. */
export type Twin = (
  redis: ScriptRedis,
  keys: ReadonlyArray<string>,
  args: ReadonlyArray<string>
) => ScriptReply

/** A Lua source together with its twin. */
export interface Definition {
  readonly lua: string
  readonly twin: Twin
}

/** A script that the library runs: the two sources, and what turns typed parameters into keys and arguments. */
export interface LibraryScript<Params> extends Definition {
  readonly script: Redis.Script<{ params: [Params]; result: unknown }>
}

export const define = <Params>(options: {
  readonly lua: string
  readonly twin: Twin
  /** Every key that the script touches: undeclared keys are refused by clustered and multi-threaded servers. */
  readonly keys: (params: Params) => ReadonlyArray<string>
  readonly args: (params: Params) => ReadonlyArray<string>
}): LibraryScript<Params> => ({
  lua: options.lua,
  twin: options.twin,
  script: Redis.script(
    (params: Params) => [...options.keys(params), ...options.args(params)],
    { lua: options.lua, numberOfKeys: (params: Params) => options.keys(params).length }
  ).withReturnType<unknown>()
})

/** The server's clock in milliseconds, for scripts. */
export const luaNow = `local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
`

export const twinNow = (redis: ScriptRedis): number => {
  const time = rows(redis.call("TIME"))
  return Number(time[0]) * 1000 + Math.floor(Number(time[1]) / 1000)
}

/** Whole numbers as Redis wants them: Lua 5.1 would print a large one with an exponent. */
export const luaInteger = `local function integer(value)
  return string.format('%.0f', value)
end
`

const encoder = new TextEncoder()

/** Lua's length of a string. */
export const byteLength = (text: string): number => encoder.encode(text).length

/** A reply that a twin knows to be an array. */
export const rows = (reply: ScriptReply): ReadonlyArray<ScriptReply> => Array.isArray(reply) ? reply : []

/** A reply that a twin knows to be an array of strings. */
export const strings = (reply: ScriptReply | undefined): ReadonlyArray<string> =>
  Array.isArray(reply) ? reply.map(String) : []
