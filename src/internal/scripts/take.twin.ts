/** Twins of the scripts that take entries from the pending list. */
import { decodeRecord, replaysField } from "../wire/entry.ts"
import type { Definition, ScriptRedis, ScriptReply } from "./script.ts"
import { byteLength, now, rows, strings } from "./support.twin.ts"
import * as scripts from "./take.ts"
import { putOff } from "./take.ts"

/** Tracks the rest of a budget. */
const makeBudget = (bytes: string | undefined) => {
  let left = Number(bytes)
  return {
    isSpent: () => left <= 0,
    spend: (fields: ScriptReply | undefined): void => {
      for (const field of rows(fields ?? null)) left -= byteLength(String(field))
    }
  }
}

interface Claims {
  readonly taken: Array<ScriptReply>
  readonly lost: Array<string>
  readonly suspects: () => number
  readonly isSpent: () => boolean
  readonly claim: (row: ReadonlyArray<ScriptReply>, idle: number) => boolean
}

const claims = (redis: ScriptRedis, keys: ReadonlyArray<string>, args: ReadonlyArray<string>): Claims => {
  const [stream = "", due = "", records = ""] = keys
  const [group = "", consumer = ""] = args
  let alone = args[2] ?? ""
  let suspects = 0
  const suspectAfter = Number(args[3])
  const { isSpent, spend } = makeBudget(args[5])
  const taken: Array<ScriptReply> = []
  const lost: Array<string> = []
  return {
    taken,
    lost,
    suspects: () => suspects,
    isSpent,
    claim: (row, idle) => {
      const id = String(row[0])
      const deliveries = Number(row[3])
      const record = String(redis.call("HGET", records, id) ?? "")
      let target = consumer
      if (deliveries + 1 - decodeRecord(record).outcomes >= suspectAfter) {
        suspects++
        if (alone === "") return false
        target = alone
        alone = ""
      }
      const claimed = rows(redis.call("XCLAIM", stream, group, target, idle, id))[0]
      redis.call("ZREM", due, id)
      if (claimed !== undefined && claimed !== null) {
        spend(rows(claimed)[1])
        taken.push([id, rows(claimed)[1] ?? null, deliveries + 1, record, target])
      } else if (rows(redis.call("XPENDING", stream, group, id, id, 1)).length === 0) {
        redis.call("HDEL", records, id)
        lost.push(id)
      }
      return true
    }
  }
}

export const takeDue: Definition = {
  lua: scripts.takeDue.lua,
  twin: (redis, keys, args) => {
    const [stream = "", due = "", records = ""] = keys
    const group = args[0] ?? ""
    const waiting = args[6] ?? ""
    const { claim, isSpent, lost, suspects, taken } = claims(redis, keys, args)
    const time = now(redis)
    for (const id of strings(redis.call("ZRANGE", due, "-inf", time, "BYSCORE", "LIMIT", 0, args[4] ?? "0"))) {
      if (isSpent()) break
      const row = rows(redis.call("XPENDING", stream, group, id, id, 1))[0]
      if (row === undefined) {
        redis.call("ZREM", due, id)
        redis.call("HDEL", records, id)
      } else if (rows(row)[1] !== waiting) {
        redis.call("ZREM", due, id)
      } else if (!claim(rows(row), 0)) {
        redis.call("XACK", stream, group, "0-0")
        redis.call("ZADD", due, time + putOff, id)
      }
    }
    const first = strings(redis.call("ZRANGE", due, 0, 0, "WITHSCORES"))
    const wait = first[1] === undefined ? -1 : Math.max(0, Number(first[1]) - time)
    return [taken, lost, suspects(), wait]
  }
}

export const takeIdle: Definition = {
  lua: scripts.takeIdle.lua,
  twin: (redis, keys, args) => {
    const [stream = "", due = "", , leaseKey = ""] = keys
    const group = args[0] ?? ""
    const limit = Number(args[4])
    const waiting = args[6] ?? ""
    const removeAfter = Number(args[8])
    const { claim, isSpent, lost, suspects, taken } = claims(redis, keys, args)
    const lease = Math.max(Number(args[7]), Number(redis.call("GET", leaseKey) ?? 0))
    const own = new Set(args.slice(10))
    const removed: Array<string> = []
    for (const info of rows(redis.call("XINFO", "CONSUMERS", stream, group)).map(rows)) {
      const value = (field: string) => info[info.indexOf(field) + 1]
      const name = String(value("name"))
      if (name === waiting || own.has(name)) continue
      if (value("pending") === 0) {
        if (Number(value("idle")) >= removeAfter) {
          redis.call("XGROUP", "DELCONSUMER", stream, group, name)
          removed.push(name)
        }
      } else if (taken.length < limit && !isSpent()) {
        const left = limit - taken.length
        for (const row of rows(redis.call("XPENDING", stream, group, "IDLE", lease, "-", "+", left, name)).map(rows)) {
          if (!isSpent() && row[1] === name) claim(row, lease)
        }
      }
    }
    const parked = rows(redis.call("XPENDING", stream, group, "IDLE", lease, args[9] ?? "-", "+", limit, waiting))
    let cursor = "-"
    for (const row of parked.map(rows)) {
      const id = String(row[0])
      if (row[1] === waiting && redis.call("ZSCORE", due, id) === null) {
        redis.call("XACK", stream, group, "0-0")
        redis.call("ZADD", due, now(redis), id)
      }
      if (parked.length === limit) cursor = `(${id}`
    }
    return [taken, lost, suspects(), cursor, removed, isSpent() ? 1 : 0]
  }
}

export const takeOwn: Definition = {
  lua: scripts.takeOwn.lua,
  twin: (redis, [stream = "", records = ""], [group = "", consumer = "", bytes, ...ids]) => {
    const taken: Array<ScriptReply> = []
    const lost: Array<string> = []
    const { isSpent, spend } = makeBudget(bytes)
    for (const id of ids) {
      if (isSpent()) break
      const row = rows(rows(redis.call("XPENDING", stream, group, id, id, 1))[0] ?? null)
      if (row[1] !== consumer) continue
      const deliveries = Number(row[3])
      const claimed = rows(redis.call("XCLAIM", stream, group, consumer, 0, id, "RETRYCOUNT", deliveries))[0]
      if (claimed !== undefined && claimed !== null) {
        spend(rows(claimed)[1])
        taken.push([id, rows(claimed)[1] ?? null, deliveries, redis.call("HGET", records, id) ?? "", consumer])
      } else {
        redis.call("HDEL", records, id)
        lost.push(id)
      }
    }
    return [taken, lost, 0]
  }
}

export const passOver: Definition = {
  lua: scripts.passOver.lua,
  twin: (redis, [stream = "", due = "", records = ""], args) => {
    const [group = "", consumer = "", waiting = "", id = ""] = args
    const row = rows(rows(redis.call("XPENDING", stream, group, id, id, 1))[0] ?? null)
    if (row[1] !== consumer) return ["other"]
    const found = rows(redis.call("XRANGE", stream, id, id))[0]
    if (found === undefined || found === null) return ["other"]
    const fields = strings(rows(found)[1])
    const size = fields.reduce((sum, field) => sum + byteLength(field), 0)
    if (size < Number(args[6])) return ["small"]
    const record = String(redis.call("HGET", records, id) ?? "")
    const deliveries = Number(row[3]) + Number(args[4])
    const spent = deliveries - decodeRecord(record).outcomes > Number(args[5])
    redis.call("XCLAIM", stream, group, spent ? consumer : waiting, 0, id, "RETRYCOUNT", deliveries, "JUSTID")
    if (!spent) redis.call("ZADD", due, now(redis) + Number(args[7]), id)
    const replays = fields.at(-2) === replaysField ? fields.at(-1) ?? "" : ""
    return [spent ? "spent" : "passed", deliveries, record, size, replays]
  }
}
