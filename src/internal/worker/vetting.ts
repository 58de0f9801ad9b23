/**
 * Facts about entries that are needed before they run and that only the server knows: whether their bytes are UTF-8,
 * and when they were first read.
 */
import * as Effect from "effect/Effect"
import type { RedisError } from "../../Redis.ts"
import { bytesOf, maxEntries, pages } from "../scripts/bounds.ts"
import { decodeFirstRead, firstRead } from "../scripts/firstRead.ts"
import { countReplacements } from "../scripts/streams.ts"
import * as entry from "../wire/entry.ts"
import { hasReplacements, replacementsIn } from "../wire/json.ts"
import type { Host } from "./host.ts"

type Entries = ReadonlyArray<entry.Entry>

export interface Vetting {
  /** Marks entries whose bytes are not UTF-8. */
  readonly marked: (entries: Entries) => Effect.Effect<Entries, RedisError>
  /** Whether the id is so far ahead of the server's clock that it does not show when the entry was added. */
  readonly isAhead: (entry: entry.Entry) => boolean
  /** Gives entries whose ids are ahead of the clock the time at which they were first read. */
  readonly dated: (entries: Entries) => Effect.Effect<Entries, RedisError>
}

/**
 * How far an id must be ahead of the local estimate of the server's clock before the server is asked when the entry was
 * first read, in milliseconds. The estimate is less exact than that, and a deadline within it does not matter.
 */
const aheadTolerance = 1_000

export const make = ({ names, options, redis, server }: Host, consumer: string): Vetting => {
  /**
   * Messages over the limit are rejected whatever their bytes are, so neither this process nor the server checks the
   * bytes.
   */
  const isDoubtful = ({ data }: entry.Entry): boolean =>
    data !== undefined && data.length <= options.payloadLimit && hasReplacements(data)

  /** U+FFFD may have been sent, or may replace bytes that are not UTF-8. Only the server's bytes tell the two apart. */
  const marked: Vetting["marked"] = (entries) =>
    entries.some(isDoubtful) ? compareWithServer(entries) : Effect.succeed(entries)

  const compareWithServer = Effect.fnUntraced(function*(entries: Entries) {
    const broken = new Set<string>()
    for (const some of pages(entries.filter(isDoubtful), maxEntries, ({ data = "" }) => bytesOf(data))) {
      const counts = yield* redis.eval(countReplacements.script)({ ...names, ids: some.map(({ id }) => id) })
      some.forEach((next, index) => {
        if (Array.isArray(counts) && replacementsIn(next.data ?? "") !== Number(counts[index])) broken.add(next.id)
      })
    }
    return entries.map((next) => broken.has(next.id) ? entry.withBroken(next, true) : next)
  })

  const isAhead = ({ id, record }: entry.Entry): boolean =>
    record.readAt === undefined && entry.millisOf(id) > server.now() + aheadTolerance

  /** Only a message with a timeout has a deadline. */
  const mayHaveDeadline = ({ data }: entry.Entry): boolean => data?.includes("timeout_ms") === true

  const dated = Effect.fnUntraced(function*(entries: Entries) {
    const ids = entries.filter((next) => isAhead(next) && mayHaveDeadline(next)).map((next) => next.id)
    const found = new Map<string, number>()
    for (const some of pages(ids, maxEntries)) {
      const { now, times } = decodeFirstRead(
        yield* redis.eval(firstRead.script)({ ...names, consumer, ids: some })
      )
      some.forEach((id, index) => {
        const time = times[index]
        if (time !== undefined) found.set(id, time)
      })
      // The server's clock was set; the ids are not ahead.
      if (Math.abs(now - server.now()) > aheadTolerance) yield* server.sample
    }
    return entries.map((next) => {
      const readAt = found.get(next.id)
      return readAt === undefined ? next : entry.withRecord(next, { ...next.record, readAt })
    })
  })

  return { marked, isAhead, dated }
}
