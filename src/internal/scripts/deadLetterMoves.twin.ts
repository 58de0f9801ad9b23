/**
 * Twins of the scripts that end a dead letter.
 */
import { replaysField } from "../wire/entry.ts"
import { notesOf, valuesOf } from "./deadLetter.twin.ts"
import * as scripts from "./deadLetterMoves.ts"
import { maxDigits, maxValues } from "./deadLetterMoves.ts"
import type { Definition, ScriptReply } from "./script.ts"
import { ReplyError } from "./script.ts"
import { byteLength, live, now, rows, strings } from "./support.twin.ts"

export const replayLetters: Definition = {
  lua: scripts.replayLetters.lua,
  twin: (redis, [dead = "", stream = ""], [maxHops = "0", budget = "0", ...ids]) => {
    const done: Array<ScriptReply> = []
    let bytes = 0
    redis.call("XDEL", dead, "0-0")
    for (const id of ids) {
      if (bytes >= Number(budget)) break
      const row = rows(redis.call("XRANGE", dead, id, id))[0]
      const fields = row === undefined ? [] : strings(rows(row)[1])
      const letter = notesOf(fields)
      const values = [...(letter === undefined ? [] : valuesOf(fields, letter) ?? [])]
      const hops = Number(letter?.notes.get("hops")) || 0
      if (row === undefined) {
        done.push("missing", "")
      } else if (values.length === 0) {
        done.push("foreign", "")
      } else if (Number(maxHops) >= 0 && hops >= Number(maxHops)) {
        done.push("hops", String(hops))
      } else if (values.length > maxValues) {
        done.push("wide", String(values.length / 2))
      } else {
        if (values.at(-2) !== replaysField) values.push(replaysField, "")
        values[values.length - 1] = String(hops + 1)
        for (const value of values) bytes += byteLength(value)
        const added = redis.pcall("XADD", stream, "*", ...values)
        if (added instanceof ReplyError) {
          done.push("failed", added.message)
          break
        }
        redis.call("XDEL", dead, id)
        done.push("replayed", added)
      }
    }
    return done
  }
}

export const redeliverAnswer: Definition = {
  lua: scripts.redeliverAnswer.lua,
  twin: (redis, [dead = "", target = ""], [id = "", kind = "", ttl = "0"]) => {
    if (!/^\+?\d+$/.test(ttl) || ttl.length > maxDigits) return ["refused", `ERR no time to live: ${ttl}`]
    const row = rows(redis.call("XRANGE", dead, id, id))[0]
    if (row === undefined) return ["missing", ""]
    const fields = strings(rows(row)[1])
    const letter = notesOf(fields)
    const answer = letter?.notes.get("answer")
    if (letter === undefined || answer === undefined) return ["unanswered", ""]
    const held = redis.call("TYPE", target)
    if (held !== "none" && held !== kind) return ["refused", `WRONGTYPE the answer ${kind} holds a ${held}`]
    redis.call("XDEL", dead, "0-0")
    const pushed = kind === "stream"
      ? redis.pcall("XADD", target, "*", "data", answer)
      : redis.pcall("LPUSH", target, answer)
    if (pushed instanceof ReplyError) return ["refused", pushed.message]
    let kept: ScriptReply = ""
    if (letter.notes.get("reason") !== "undeliverable") {
      const rest: Array<string> = []
      for (let i = 0; i < fields.length; i += 2) {
        const name = fields[i] ?? ""
        if (i < letter.first && (name === "answer" || name === "undeliverable")) continue
        rest.push(name, fields[i + 1] ?? "")
      }
      const added = redis.pcall("XADD", dead, "*", ...rest)
      if (added instanceof ReplyError) {
        if (kind === "stream") redis.call("XDEL", target, String(pushed))
        else redis.call("LPOP", target)
        return ["refused", added.message]
      }
      kept = added
    }
    redis.call("XDEL", dead, id)
    if (kind === "list") live(redis, target, ttl, Number(pushed))
    return ["delivered", kept]
  }
}

export const boundLetters: Definition = {
  lua: scripts.boundLetters.lua,
  twin: (redis, [key = ""], [maxCount = "-1", maxAge = "-1", limit = "0"]) => {
    const length = Number(redis.call("XLEN", key))
    let dropped = 0
    if (Number(maxCount) >= 0 && length > Number(maxCount)) {
      dropped = Number(redis.call("XTRIM", key, "MAXLEN", "=", Math.max(Number(maxCount), length - Number(limit))))
    }
    if (Number(maxAge) >= 0 && dropped === 0) {
      const oldest = Math.max(0, now(redis) - Number(maxAge))
      dropped = Number(redis.call("XTRIM", key, "MINID", "~", oldest, "LIMIT", limit))
      if (dropped === 0) dropped = Number(redis.call("XTRIM", key, "MINID", "=", oldest))
    }
    const first = rows(rows(redis.call("XRANGE", key, "-", "+", "COUNT", 1))[0] ?? null)[0]
    const age = first === undefined ? 0 : now(redis) - Number(String(first).split("-")[0])
    return [dropped, length - dropped, String(Math.max(0, age))]
  }
}
