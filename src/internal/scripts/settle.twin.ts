/**
 * The twin of the settle script.
 */
import { isBefore } from "../wire/entry.ts"
import type { Definition, ScriptRedis, ScriptReply, Twin } from "./script.ts"
import { ReplyError } from "./script.ts"
import * as scripts from "./settle.ts"
import { answerOnly, maxFields } from "./settle.ts"
import { byteLength, live, now, rows, strings } from "./support.twin.ts"

const failed = (reply: unknown): reply is ReplyError => reply instanceof ReplyError

interface Answer {
  readonly kind: string
  readonly key: string
  readonly payload: string
  /** The lifetime of a list, or the trace context in a stream; "0" is neither. */
  readonly extra: string
}

/** Returns nothing if the entry is no longer in the stream. */
const buryTwin = (
  redis: ScriptRedis,
  target: { readonly stream: string; readonly dead: string; readonly group: string; readonly consumer: string },
  id: string,
  letter: Array<string>
) => {
  const found = rows(redis.call("XRANGE", target.stream, id, id))[0]
  if (found === undefined) return undefined
  const fields = strings(rows(found)[1])
  letter.push("entry_id", id, "group", target.group, "consumer", target.consumer, "time", String(now(redis)))
  letter.push("fields", String(fields.length / 2))
  if (fields.length > maxFields) {
    letter.push("packed", fields.map((field) => `${byteLength(field)}:${field},`).join(""))
  } else {
    letter.push(...fields)
  }
  return redis.pcall("XADD", target.dead, "*", ...letter)
}

const at = (values: ReadonlyArray<string>, index: number): string => values[index] ?? ""

const twin: Twin = (redis, keys, args) => {
  const stream = at(keys, 0)
  const due = at(keys, 1)
  const records = at(keys, 2)
  const dead = at(keys, 3)
  const group = at(args, 0)
  const consumer = at(args, 1)
  const waiting = at(args, 2)
  const retain = args[3] === "1"
  const total = Number(args[6])
  const lifetime = at(args, 7)
  const statuses: Array<string | number> = []
  const acknowledged: Array<string> = []
  const report = (index: number, status: string): void => {
    statuses.push(index, status)
  }

  const limit = total * 2
  const pending = rows(redis.call("XPENDING", stream, group, at(args, 4), at(args, 5), limit, consumer)).map(rows)
  const owned = new Map(pending.filter((row) => row[1] === consumer).map((row) => [String(row[0]), row[3]] as const))
  const done = new Set<string>()
  const mine = (id: string, deliveries: number): boolean => {
    if (done.has(id)) return false
    if (owned.has(id)) return owned.get(id) === deliveries
    if (pending.length < limit) return false
    const row = rows(rows(redis.call("XPENDING", stream, group, id, id, 1))[0] ?? null)
    return row[1] === consumer && row[3] === deliveries
  }

  const refuse = (index: number, id: string): void => {
    if (done.has(id)) return report(index, "ended")
    if (rows(redis.call("XPENDING", stream, group, id, id, 1)).length > 0) return report(index, "lost")
    if (retain) return report(index, "ended")
    const groups = rows(redis.call("XINFO", "GROUPS", stream)).map(rows)
    const own = groups.find((info) => info[info.indexOf("name") + 1] === group) ?? []
    const read = String(own[own.indexOf("last-delivered-id") + 1] ?? "0-0")
    const isThere = groups.length === 1 && rows(redis.call("XRANGE", stream, id, id)).length > 0
    report(index, isThere && !isBefore(read, id) ? "dropped" : "ended")
  }

  redis.call("XACK", stream, group, "0-0")

  let plain: Array<string> = []
  const acknowledge = (): void => {
    if (plain.length === 0) return
    redis.call("XACK", stream, group, ...plain)
    acknowledged.push(...plain)
    plain = []
  }

  const renewed = new Map<string, string>()
  const push = ({ extra, key, kind, payload }: Answer): ScriptReply | ReplyError => {
    if (kind === "l" && renewed.get(key) === extra) return redis.pcall("LPUSH", key, payload)
    acknowledge()
    let pushed: ScriptReply | ReplyError
    if (kind === "l") {
      pushed = redis.pcall("LPUSH", key, payload)
      if (!failed(pushed)) {
        live(redis, key, extra, Number(pushed))
        renewed.set(key, extra)
      }
    } else if (extra !== "0") {
      pushed = redis.pcall("XADD", key, "*", "data", payload, "traceparent", extra)
    } else {
      pushed = redis.pcall("XADD", key, "*", "data", payload)
    }
    if (failed(pushed) && pushed.message.includes("WRONGTYPE")) {
      const wanted = kind === "l" ? "list" : "stream"
      return new ReplyError(`WRONGTYPE the answer ${wanted} holds a ${redis.call("TYPE", key)}`)
    }
    return pushed
  }

  const count = Number(args[8])
  for (let index = 0; index < count; index++) {
    const id = at(args, 9 + index)
    if (mine(id, 1)) {
      plain.push(id)
      done.add(id)
    } else {
      refuse(index, id)
    }
  }

  const wait = (index: number, id: string, delay: number, record: string, answer: Answer | undefined): void => {
    acknowledge()
    let written = redis.pcall("HSET", records, id, record)
    if (!failed(written)) written = redis.pcall("ZADD", due, now(redis) + delay, id)
    if (failed(written)) return report(index, written.message)
    done.add(id)
    if (rows(redis.call("XCLAIM", stream, group, waiting, 0, id, "JUSTID")).length === 0) {
      redis.call("ZREM", due, id)
      redis.call("HDEL", records, id)
      report(index, "gone")
    } else if (answer !== undefined && failed(push(answer))) {
      report(index, "undeliverable")
    }
  }

  const finish = (
    index: number,
    id: string,
    dies: boolean,
    letter: Array<string> | undefined,
    answer: Answer | undefined
  ): void => {
    let bad = dies
    let pushed: ScriptReply = null
    if (answer !== undefined) {
      const reply = push(answer)
      if (!failed(reply)) {
        pushed = reply
      } else {
        if (!/^(WRONGTYPE|NOPERM)|exhausted the last possible ID/.test(reply.message)) {
          return report(index, reply.message)
        }
        if (letter === undefined) return report(index, "incomplete")
        if (!bad) letter.push("reason", "undeliverable")
        letter.push("undeliverable", reply.message, "answer", answer.payload)
        bad = true
        report(index, "undeliverable")
      }
    }
    if (bad) {
      acknowledge()
      const buried = buryTwin(redis, { stream, dead, group, consumer }, id, letter ?? [])
      if (buried === undefined) {
        report(index, "gone")
      } else if (failed(buried)) {
        if (answer !== undefined && pushed !== null && answer.kind === "l") {
          redis.call("LPOP", answer.key)
          renewed.delete(answer.key)
        } else if (answer !== undefined && pushed !== null) {
          redis.call("XDEL", answer.key, String(pushed))
        }
        return report(index, buried.message)
      }
    }
    done.add(id)
    plain.push(id)
  }

  let index = count
  let cursor = 9 + count
  const take = () => at(args, cursor++)
  while (cursor < args.length) {
    const id = take()
    const operation = take()
    if (operation === answerOnly) {
      const key = at(keys, Number(take()) - 1)
      const payload = take()
      if (mine(id, 1)) finish(index, id, false, undefined, { kind: "l", key, payload, extra: lifetime })
      else refuse(index, id)
    } else {
      const deliveries = Number(take())
      const kind = operation.slice(0, 1)
      const outcome = operation.slice(1, 2)
      const answer = kind === "-"
        ? undefined
        : { kind, key: at(keys, Number(take()) - 1), payload: take(), extra: take() }
      const [delay, record] = outcome === "w" ? [Number(take()), take()] : [0, ""]
      const notes = Number(take())
      const letter: Array<string> | undefined = notes < 0 ? undefined : []
      for (let left = notes; left > 0; left--) letter?.push(take())
      if (!mine(id, deliveries)) refuse(index, id)
      else if (outcome === "w") wait(index, id, delay, record, answer)
      else finish(index, id, outcome === "d", letter, answer)
    }
    index++
  }

  acknowledge()
  if (acknowledged.length > 0) {
    if (redis.call("EXISTS", records) === 1) redis.call("HDEL", records, ...acknowledged)
    if (!retain && rows(redis.call("XINFO", "GROUPS", stream)).length === 1) redis.call("XDEL", stream, ...acknowledged)
  }
  return statuses
}

export const settle: Definition = { lua: scripts.settle.lua, twin }
