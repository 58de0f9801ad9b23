/** `tail`: new entries and new dead letters of a service, read from the ends of both streams. */
import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import { namesOf } from "../../internal/redis/names.ts"
import { QueueNaming } from "../../QueueNaming.ts"
import { Redis } from "../../Redis.ts"
import { connection, service } from "../connect.ts"
import { textPairs } from "../entries.ts"
import * as Flags from "../flags.ts"
import { note, type Screen, screen } from "../screen.ts"
import { cutTo } from "../table.ts"
import { json, safe, text } from "../text.ts"

interface Line {
  readonly kind: "entry" | "dead"
  readonly id: string
  readonly time: DateTime.Utc
  readonly actionId: string | undefined
  readonly actionType: string | undefined
  readonly reason: string | undefined
  readonly error: string | undefined
  readonly payload: string | undefined
}

const envelope = (data: string | undefined): { readonly action_id?: unknown; readonly action_type?: unknown } => {
  try {
    const parsed: unknown = JSON.parse(data ?? "")
    return typeof parsed === "object" && parsed !== null ? parsed : {}
  } catch {
    return {}
  }
}

const textOf = (value: unknown): string | undefined => typeof value === "string" ? value : undefined

const lineOf = (
  kind: Line["kind"],
  id: string,
  fields: ReadonlyMap<string, string>,
  withPayload: boolean
): Line => {
  const found = envelope(fields.get("data"))
  return {
    kind,
    id,
    time: DateTime.makeUnsafe(Math.min(Number(id.split("-")[0]), 8.64e15)),
    actionId: textOf(found.action_id),
    actionType: textOf(found.action_type),
    reason: kind === "dead" ? fields.get("reason") : undefined,
    error: kind === "dead" ? fields.get("message") ?? fields.get("error_message") : undefined,
    payload: withPayload ? fields.get("data") : undefined
  }
}

const rendered = (line: Line, { style, width }: Screen): string => {
  const clock = DateTime.formatIso(line.time).slice(11, 19)
  const what = line.kind === "dead" ? style.bad("dead ") : style.good("entry")
  const rest = [
    line.kind === "dead" ? `${text(line.reason)}: ${text(line.error)}` : "",
    line.payload === undefined ? "" : safe(line.payload)
  ].filter((part) => part !== "").join("  ")
  const head = `${text(line.actionType)}  ${text(line.actionId)}`
  const body = rest === "" ? head : `${head}  ${rest}`
  return `${style.dim(clock)}  ${what}  ${width === undefined ? body : cutTo(body, Math.max(20, width - 17))}`
}

export const tail = Command.make("tail", {
  type: Flags.optionalText("type", "type", "Only actions of this type"),
  payload: Flags.payload
}, ({ payload, type }) =>
  Effect.gen(function*() {
    const name = yield* service
    const redis = yield* Redis
    const names = namesOf(yield* QueueNaming, name)
    const out = yield* screen
    const wanted = Flags.given({ type }).type
    const last = Effect.fnUntraced(function*(stream: string) {
      const newest = yield* redis.send("XREVRANGE", stream, "+", "-", "COUNT", "1")
      return Array.isArray(newest) && Array.isArray(newest[0]) ? String(newest[0][0]) : "0-0"
    })
    const at = new Map([[names.stream, yield* last(names.stream)], [names.deadLetters, yield* last(names.deadLetters)]])
    yield* note(`Following ${safe(names.stream)} and its dead letters. Ctrl+C ends it.`)
    // Not a blocking read: four calls a second are cheap, and the shared connection stays free.
    const step = Effect.gen(function*() {
      const reply = yield* redis.send("XREAD", "COUNT", "100", "STREAMS", ...at.keys(), ...at.values())
      const lines: Array<Line> = []
      for (const [stream, entries] of Array.isArray(reply) ? reply as Array<[unknown, ReadonlyArray<unknown>]> : []) {
        for (const [id, fields] of entries as ReadonlyArray<readonly [unknown, ReadonlyArray<unknown> | null]>) {
          at.set(String(stream), String(id))
          const kind = String(stream) === names.deadLetters ? "dead" : "entry"
          lines.push(lineOf(kind, String(id), textPairs(fields ?? []), payload))
        }
      }
      for (const line of lines) {
        if (wanted !== undefined && line.actionType !== wanted) continue
        yield* Console.log(out.json ? json(line) : rendered(line, out))
      }
      if (lines.length === 0) yield* Effect.sleep("250 millis")
    })
    return yield* Effect.forever(step)
  }).pipe(Effect.provide(connection))).pipe(
    Command.withDescription("Follow new actions and new dead letters until Ctrl+C"),
    Command.withExamples([
      { command: "redis-workers tail -s payment", description: "What comes in, and what fails for good" },
      { command: "redis-workers tail -s payment --json | jq .actionType", description: "One JSON document a line" }
    ])
  )
