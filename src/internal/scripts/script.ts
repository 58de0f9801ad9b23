/**
 * What a Lua script is: its text, and what turns typed parameters into keys and arguments.
 */
import * as Redis from "../../Redis.ts"

/** A script that the library runs. */
export interface LibraryScript<Params> {
  readonly lua: string
  readonly script: Redis.Script<{ params: [Params]; result: unknown }>
}

export const define = <Params>(options: {
  readonly lua: string
  /** Every key that the script touches: undeclared keys are refused by clustered and multi-threaded servers. */
  readonly keys: (params: Params) => ReadonlyArray<string>
  readonly args: (params: Params) => ReadonlyArray<string>
}): LibraryScript<Params> => ({
  lua: options.lua,
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

/** Whole numbers as Redis wants them: Lua 5.1 would print a large one with an exponent. */
export const luaInteger = `local function integer(value)
  return string.format('%.0f', value)
end
`
