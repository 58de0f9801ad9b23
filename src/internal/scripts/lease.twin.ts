/**
 * Twins of the scripts about leases.
 */
import { isBefore } from "../wire/entry.ts"
import * as scripts from "./lease.ts"
import type { Definition } from "./script.ts"
import { now, rows, strings } from "./support.twin.ts"

export const holdLease: Definition = {
  lua: scripts.holdLease.lua,
  twin: (redis, [key = ""], [claimIdle = "0", timeToLive = "0"]) => {
    const current = Number(redis.call("GET", key) ?? 0)
    const wished = Number(claimIdle)
    if (wished >= current) redis.call("PEXPIRE", key, timeToLive)
    if (wished > current) redis.call("SET", key, claimIdle, "PX", timeToLive)
    return Math.max(current, wished)
  }
}

export const renew: Definition = {
  lua: scripts.renew.lua,
  twin: (redis, [stream = ""], [group = "", consumer = "", ...ids]) => {
    const held: Array<string> = []
    const lost: Array<string> = []
    const absent: Array<string> = []
    for (const id of ids) {
      const row = rows(redis.call("XPENDING", stream, group, id, id, 1))[0]
      if (row === undefined) absent.push(id)
      else if (rows(row)[1] === consumer) held.push(id)
      else lost.push(id)
    }
    const kept = new Set(
      held.length === 0 ? [] : strings(redis.call("XCLAIM", stream, group, consumer, 0, ...held, "JUSTID"))
    )
    const ended: Array<string> = []
    const dropped: Array<string> = []
    const ahead: Array<string> = []
    let several = 0
    if (absent.length > 0) {
      const groups = rows(redis.call("XINFO", "GROUPS", stream)).map(rows)
      if (groups.length > 1) several = 1
      const own = groups.find((info) => info[info.indexOf("name") + 1] === group) ?? []
      const read = String(own[own.indexOf("last-delivered-id") + 1] ?? "0-0")
      for (const id of absent) {
        if (rows(redis.call("XRANGE", stream, id, id)).length === 0) ended.push(id)
        else if (isBefore(read, id)) ahead.push(id)
        else dropped.push(id)
      }
    }
    return [lost, held.filter((id) => !kept.has(id)), ended, dropped, ahead, several]
  }
}

export const release: Definition = {
  lua: scripts.release.lua,
  twin: (redis, [stream = "", due = "", records = ""], [group = "", consumer = "", waiting = "", limit = "0"]) => {
    let released = 0
    for (const row of rows(redis.call("XPENDING", stream, group, "-", "+", limit, consumer)).map(strings)) {
      if (row[1] !== consumer) continue
      const id = row[0] ?? ""
      if (rows(redis.call("XCLAIM", stream, group, waiting, 0, id, "JUSTID")).length > 0) {
        const record = String(redis.call("HGET", records, id) ?? "0 0 0 ")
        const [, attempts = "0", outcomes = "0", since = "0 "] = /^(\d+) (\d+) (.*)$/.exec(record) ?? []
        redis.call("HSET", records, id, `${attempts} ${Number(outcomes) + 1} ${since}`)
        redis.call("ZADD", due, now(redis), id)
      }
      released++
    }
    if (released === 0) redis.call("XGROUP", "DELCONSUMER", stream, group, consumer)
    return released
  }
}
