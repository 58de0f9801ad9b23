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

/** How long a list lives on after a push, as an argument: `+` in front of what may only put its expiry off. */
export const liveArgument = (
  push: { readonly timeToLive: number; readonly atLeast?: boolean | undefined }
): string => push.atLeast === true ? `+${push.timeToLive}` : String(push.timeToLive)

/**
 * Sets the expiry of a list after a push, from an argument of {@link liveArgument}. "GT" takes a list without an expiry for
 * one that lives for ever, and leaves it so; a list that the push has made has none yet.
 */
export const luaLive = `local function live(key, extra, length)
  if extra:sub(1, 1) ~= '+' then
    if extra ~= '0' then redis.call('PEXPIRE', key, extra) end
  elseif length == 1 then
    redis.call('PEXPIRE', key, extra:sub(2))
  else
    redis.call('PEXPIRE', key, extra:sub(2), 'GT')
  end
end
`

/** Orders entry ids by time, then by sequence. Numbers without leading zeros: the shorter one is the smaller. */
export const luaBefore = `local function before(a, b)
  local ams, aseq = a:match('^(%d+)-(%d+)$')
  local bms, bseq = b:match('^(%d+)-(%d+)$')
  if ams ~= bms then
    if #ams ~= #bms then return #ams < #bms end
    return ams < bms
  end
  if #aseq ~= #bseq then return #aseq < #bseq end
  return aseq < bseq
end
`
