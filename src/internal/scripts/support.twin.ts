/** Helpers of the twins: the server's clock, lengths and replies as in Lua. */
import type { ScriptRedis, ScriptReply } from "./script.ts"

export const now = (redis: ScriptRedis): number => {
  const time = rows(redis.call("TIME"))
  return Number(time[0]) * 1000 + Math.floor(Number(time[1]) / 1000)
}

const encoder = new TextEncoder()

/** The length of a string in Lua. */
export const byteLength = (text: string): number => encoder.encode(text).length

/** A reply that is known to be an array. */
export const rows = (reply: ScriptReply): ReadonlyArray<ScriptReply> => Array.isArray(reply) ? reply : []

/** A reply that is known to be an array of strings. */
export const strings = (reply: ScriptReply | undefined): ReadonlyArray<string> =>
  Array.isArray(reply) ? reply.map(String) : []

/** The twin of `luaLive`. */
export const live = (redis: ScriptRedis, key: string, extra: string, length: number): void => {
  if (!extra.startsWith("+")) {
    if (extra !== "0") redis.call("PEXPIRE", key, extra)
  } else if (length === 1) {
    redis.call("PEXPIRE", key, extra.slice(1))
  } else {
    redis.call("PEXPIRE", key, extra.slice(1), "GT")
  }
}
