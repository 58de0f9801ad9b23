/**
 * The twin of the script that records when entries were first read.
 */
import * as scripts from "./firstRead.ts"
import type { Definition } from "./script.ts"
import { now, rows } from "./support.twin.ts"

export const firstRead: Definition = {
  lua: scripts.firstRead.lua,
  twin: (redis, [stream = "", records = ""], [group = "", consumer = "", ...ids]) => {
    const time = now(redis)
    let written = false
    const times = ids.map((id) => {
      const record = String(redis.call("HGET", records, id) ?? "")
      const [, attempts = "0", outcomes = "0", since = "", first = "", read = ""] =
        /^(\d+) (\d+) ?(\d*) ?(\S*) ?(\d*)$/.exec(record) ?? []
      if (read !== "" || Number(/^\d+/.exec(id)?.[0]) <= time) return read
      const row = rows(rows(redis.call("XPENDING", stream, group, id, id, 1))[0] ?? null)
      if (row[1] !== consumer) return read
      if (!written) redis.call("XACK", stream, group, "0-0")
      written = true
      redis.call("HSET", records, id, `${attempts} ${outcomes} ${since || "0"} ${first} ${time}`)
      return String(time)
    })
    return [String(time), times]
  }
}
