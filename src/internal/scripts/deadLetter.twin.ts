/** Twins of the scripts that read dead letters. */
import { replacementsIn } from "../wire/json.ts"
import * as scripts from "./deadLetter.ts"
import { chunk, knownReasons } from "./deadLetter.ts"
import type { Definition, ScriptRedis, ScriptReply } from "./script.ts"
import { byteLength, now, rows, strings } from "./support.twin.ts"

export interface LetterNotes {
  readonly notes: ReadonlyMap<string, string>
  /** The index where the fields of the entry begin. */
  readonly first: number
  readonly packed: boolean
}

export const notesOf = (fields: ReadonlyArray<string>): LetterNotes | undefined => {
  const notes = new Map<string, string>()
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? ""
    const value = fields[i + 1] ?? ""
    if (!notes.has(name)) notes.set(name, value)
    if (name !== "fields") continue
    const left = fields.length - i - 2
    if (!notes.has("reason") || !notes.has("entry_id")) return undefined
    if (left === 2 * Number(value)) return { notes, first: i + 2, packed: false }
    if (left === 2 && fields[i + 2] === "packed") return { notes, first: i + 2, packed: true }
    return undefined
  }
  return undefined
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

const unpacked = (text: string): ReadonlyArray<string> | undefined => {
  const bytes = encoder.encode(text)
  const values: Array<string> = []
  for (let at = 0; at < bytes.length;) {
    const colon = bytes.indexOf(58, at)
    const digits = decoder.decode(bytes.subarray(at, Math.max(at, colon)))
    const size = Number(digits)
    if (!/^\d+$/.test(digits) || bytes[colon + size + 1] !== 44) return undefined
    values.push(decoder.decode(bytes.subarray(colon + 1, colon + 1 + size)))
    at = colon + size + 2
  }
  return values
}

export const valuesOf = (fields: ReadonlyArray<string>, letter: LetterNotes): ReadonlyArray<string> | undefined =>
  letter.packed ? unpacked(fields[letter.first + 1] ?? "") : fields.slice(letter.first)

const reasons: ReadonlySet<string> = new Set(knownReasons)

const reasonOf = (letter: LetterNotes | undefined): string => {
  const reason = letter?.notes.get("reason")
  return reason !== undefined && reasons.has(reason) ? reason : "other"
}

type Found = (id: string, fields: ReadonlyArray<string>, size: number, letter: LetterNotes | undefined) => void

const scan = (redis: ScriptRedis, key: string, args: ReadonlyArray<string>, found: Found): string => {
  const reverse = args[0] === "1"
  let [, from = "-", to = "+"] = args
  const scanLimit = Number(args[3])
  const limit = Number(args[4])
  const budget = Number(args[5])
  const wanted: Array<ReadonlySet<string> | undefined> = []
  for (let cursor = 7; wanted.length < 3;) {
    const end = cursor + 1 + Number(args[cursor])
    wanted.push(end > cursor + 1 ? new Set(args.slice(cursor + 1, end)) : undefined)
    cursor = end
  }
  const matches = (letter: LetterNotes | undefined): boolean =>
    wanted[0]?.has(reasonOf(letter)) !== false &&
    wanted[1]?.has(letter?.notes.get("action_type") ?? "") !== false &&
    wanted[2]?.has(letter?.notes.get("error_type") ?? "") !== false
  let scanned = 0
  let matched = 0
  let bytes = 0
  while (true) {
    const count = Math.min(chunk, scanLimit - scanned)
    const letters = rows(
      reverse
        ? redis.call("XREVRANGE", key, to, from, "COUNT", count)
        : redis.call("XRANGE", key, from, to, "COUNT", count)
    )
    for (const row of letters.map(rows)) {
      const id = String(row[0])
      const fields = strings(row[1])
      const size = fields.reduce((sum, field) => sum + byteLength(field), 0)
      scanned++
      bytes += size
      const letter = notesOf(fields)
      if (matches(letter)) {
        matched++
        found(id, fields, size, letter)
      }
      if (matched >= limit || bytes >= budget) return id
      if (reverse) to = `(${id}`
      else from = `(${id}`
      if (scanned >= scanLimit) return id
    }
    if (letters.length < count) return ""
  }
}

export const scanLetters: Definition = {
  lua: scripts.scanLetters.lua,
  twin: (redis, [key = ""], args) => {
    const dataLimit = Number(args[6])
    const letters: Array<ScriptReply> = []
    const dataOf = (fields: ReadonlyArray<string>, letter: LetterNotes | undefined): ScriptReply => {
      const values = letter === undefined ? [] : valuesOf(fields, letter) ?? []
      for (let i = 0; i + 1 < values.length; i += 2) {
        if (values[i] !== "data") continue
        const text = values[i + 1] ?? ""
        const size = byteLength(text)
        return size > dataLimit ? ["l", String(size), 0] : ["d", text, replacementsIn(text)]
      }
      return ["-", "", 0]
    }
    const last = scan(redis, key, args, (id, fields, size, letter) => {
      const told = fields.slice(0, letter?.first ?? 0).map((text, i) =>
        i % 2 === 1 && fields[i - 1] === "answer" ? "" : text
      )
      letters.push([id, size, told, dataLimit < 0 ? [] : dataOf(fields, letter)])
    })
    return [letters, last]
  }
}

export const countLetters: Definition = {
  lua: scripts.countLetters.lua,
  twin: (redis, [key = ""], args) => {
    const groups = new Map<string, [string, string, string, number, string, string]>()
    const last = scan(redis, key, args, (id, _fields, _size, letter) => {
      const reason = reasonOf(letter)
      const actionType = letter?.notes.get("action_type") ?? ""
      const errorType = letter?.notes.get("error_type") ?? ""
      const name = `${reason}\0${actionType}\0${errorType}`
      const group = groups.get(name) ?? [reason, actionType, errorType, 0, id, id]
      groups.set(name, group)
      group[3]++
      group[5] = id
    })
    return [[...groups.values()], last]
  }
}

export const surveyLetters: Definition = {
  lua: scripts.surveyLetters.lua,
  twin: (redis, [key = ""]) => {
    const first = rows(rows(redis.call("XRANGE", key, "-", "+", "COUNT", 1))[0] ?? null)
    const last = rows(rows(redis.call("XREVRANGE", key, "+", "-", "COUNT", 1))[0] ?? null)
    return [String(now(redis)), redis.call("XLEN", key), first[0] ?? "", last[0] ?? ""]
  }
}

export const readLetter: Definition = {
  lua: scripts.readLetter.lua,
  twin: (redis, [key = ""], [id = ""]) => {
    const row = rows(redis.call("XRANGE", key, id, id))[0]
    if (row === undefined) return []
    const fields = strings(rows(row)[1])
    const letter = notesOf(fields)
    const read = letter === undefined ? undefined : valuesOf(fields, letter)
    const values = read ?? fields
    const data = values.findIndex((name, i) => i % 2 === 0 && name === "data")
    return [
      fields.reduce((sum, field) => sum + byteLength(field), 0),
      fields.slice(0, read === undefined ? 0 : letter?.first ?? 0),
      values,
      values.reduce((sum, value) => sum + replacementsIn(value), 0),
      data < 0 ? 0 : replacementsIn(values[data + 1] ?? "")
    ]
  }
}
