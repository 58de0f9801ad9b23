/**
 * The twin of the rehearsal.
 */
import * as scripts from "./rehearse.ts"
import type { Definition } from "./script.ts"
import { ReplyError } from "./script.ts"
import { rows } from "./support.twin.ts"

export const rehearse: Definition = {
  lua: scripts.rehearse.lua,
  twin: (redis, [stream = "", due = "", records = "", dead = ""], [group = "", waiting = ""]) => {
    const nothing = "0-0"
    const held = redis.call("TYPE", dead)
    if (held !== "none" && held !== "stream") throw new ReplyError(`WRONGTYPE ${dead} holds a ${held}`)
    redis.call("XINFO", "GROUPS", stream)
    redis.call("XINFO", "CONSUMERS", stream, group)
    redis.call("XPENDING", stream, group, nothing, nothing, 1)
    redis.call("XRANGE", stream, nothing, nothing)
    redis.call("HGET", records, nothing)
    redis.call("EXISTS", records)
    redis.call("ZRANGE", due, 0, 0)
    redis.call("ZSCORE", due, nothing)
    redis.call("XCLAIM", stream, group, waiting, 0, nothing, "JUSTID")
    redis.call("XACK", stream, group, nothing)
    redis.call("XDEL", stream, nothing)
    redis.call("XTRIM", stream, "MINID", nothing)
    redis.call("HDEL", records, nothing)
    redis.call("ZREM", due, nothing)
    const info = redis.pcall("XINFO", "STREAM", stream)
    const fields = info instanceof ReplyError ? [] : rows(info)
    const at = fields.indexOf("last-generated-id")
    return at === -1 ? "" : fields[at + 1] ?? ""
  }
}
