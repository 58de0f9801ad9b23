/**
 * Twins of the scripts over whole streams.
 */
import { replacementsIn } from "../wire/json.ts"
import type { Definition } from "./script.ts"
import * as scripts from "./streams.ts"
import { byteLength, now, rows, strings } from "./support.twin.ts"

export const append: Definition = {
  lua: scripts.append.lua,
  twin: (redis, [stream = ""], [traceparent = "", ...texts]) =>
    texts.map((text) =>
      String(
        traceparent === ""
          ? redis.call("XADD", stream, "*", "data", text)
          : redis.call("XADD", stream, "*", "data", text, "traceparent", traceparent)
      )
    )
}

export const moveCallbacks: Definition = {
  lua: scripts.moveCallbacks.lua,
  twin: (redis, [stream = "", ...lists], [limit = "0"]) => {
    let moved = 0
    let bytes = 0
    const refused: Array<string> = []
    for (const list of lists) {
      const held = redis.call("TYPE", list)
      if (held === "list") {
        redis.call("XDEL", stream, "0-0")
        while (moved < Number(limit) && bytes < scripts.moveBudget) {
          const message = redis.call("LINDEX", list, -1)
          if (message === null) break
          redis.call("XADD", stream, "*", "data", String(message))
          redis.call("RPOP", list)
          moved++
          bytes += byteLength(String(message))
        }
      } else if (held !== "none") {
        refused.push(list)
      }
    }
    return [moved, refused]
  }
}

export const trim: Definition = {
  lua: scripts.trim.lua,
  twin: (redis, [stream = ""], [limit = "0", retain = "0"]) => {
    const before = (a: string, b: string) => {
      const [ams = "", aseq = ""] = a.split("-")
      const [bms = "", bseq = ""] = b.split("-")
      if (ams !== bms) return ams.length === bms.length ? ams < bms : ams.length < bms.length
      return aseq.length === bseq.length ? aseq < bseq : aseq.length < bseq.length
    }
    const groups: Array<string | number> = []
    let lowest: string | undefined
    for (const info of rows(redis.call("XINFO", "GROUPS", stream)).map(rows)) {
      const value = (field: string) => info[info.indexOf(field) + 1] ?? null
      const pending = Number(value("pending"))
      const name = String(value("name"))
      const first = pending > 0
        ? String(rows(redis.call("XPENDING", stream, name))[1])
        : String(value("last-delivered-id"))
      groups.push(name, pending, first)
      if (lowest === undefined || before(first, lowest)) lowest = first
    }
    if (lowest === undefined) return [0, groups]
    if (Number(retain) > 0) {
      const newest = `${Math.max(0, now(redis) - Number(retain))}-0`
      if (before(newest, lowest)) lowest = newest
    }
    return [redis.call("XTRIM", stream, "MINID", "~", lowest, "LIMIT", limit), groups]
  }
}

export const countReplacements: Definition = {
  lua: scripts.countReplacements.lua,
  twin: (redis, [stream = ""], ids) =>
    ids.map((id) => {
      const entry = rows(redis.call("XRANGE", stream, id, id))[0]
      const fields = entry === undefined ? [] : strings(rows(entry)[1])
      const at = fields.findIndex((field, index) => index % 2 === 0 && field === "data")
      return at === -1 ? 0 : replacementsIn(fields[at + 1] ?? "")
    })
}
