/**
 * What a worker says of its life: what it reads once it starts, when it drains, and when it has drained.
 */
import * as Effect from "effect/Effect"
import { timeText } from "../base/timeText.ts"
import type { Host } from "./host.ts"

/** Names in one line. */
const named = 5

/** A list for a log line, which is cut where it would be long. */
export const listed = (items: ReadonlyArray<string>): string =>
  items.length <= named + 1
    ? items.join(", ")
    : `${items.slice(0, named).join(", ")} and ${items.length - named} more`

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`

const say = ({ names }: Host, text: string): Effect.Effect<void> =>
  Effect.annotateLogs(Effect.logInfo(`${names.service} ${text}`), { service: names.service })

export const started = (host: Host): Effect.Effect<void> => {
  const { names, options: { concurrency, consumers }, routes } = host
  const types = routes.size === 0 ? "no types" : listed([...routes.keys()])
  return say(host, `reads ${names.stream}: ${types}, ${counted(consumers, "consumer")} × ${concurrency}`)
}

/** `grace` is in milliseconds. */
export const draining = (host: Host, running: number, grace: number): Effect.Effect<void> =>
  say(
    host,
    running === 0
      ? "drains: no action is running"
      : `drains: waits up to ${timeText(grace)} for ${counted(running, "running action")}`
  )

export const drained = (host: Host, givenBack: number): Effect.Effect<void> =>
  say(host, givenBack === 0 ? "has drained" : `has drained and gave back ${counted(givenBack, "action")}`)
