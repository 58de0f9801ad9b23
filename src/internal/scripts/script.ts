/**
 * The definition of a script: its Lua, and the conversion of typed parameters to keys and arguments.
 */
import * as Redis from "../../Redis.ts"

/** A script that the library runs. */
export interface LibraryScript<Params> {
  readonly lua: string
  readonly script: Redis.Script<{ params: [Params]; result: unknown }>
}

export const define = <Params>(options: {
  readonly lua: string
  /** Every key that the script uses: clustered and multi-threaded servers reject undeclared keys. */
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

/** Formats whole numbers as Redis expects them: Lua 5.1 would print large ones with an exponent. */
export const luaInteger = `local function integer(value)
  return string.format('%.0f', value)
end
`

/** How long a list lives after a push, as an argument. A `+` in front only extends its expiry. */
export const liveArgument = (
  push: { readonly timeToLive: number; readonly atLeast?: boolean | undefined }
): string => push.atLeast === true ? `+${push.timeToLive}` : String(push.timeToLive)

/**
 * Sets the expiry of a list after a push, from an argument of {@link liveArgument}. "GT" treats a list without an
 * expiry as one that lives forever, and does not change it. A list that the push has just created has no expiry yet.
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

/** Orders entry ids by time, then by sequence. The numbers have no leading zeros, so the shorter one is smaller. */
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
