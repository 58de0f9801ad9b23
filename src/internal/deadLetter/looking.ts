/** Reads dead letters: pages of them, all as a stream, or one with its entry. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { DeadLetter, Details, Letter, ListOptions, Page } from "../../DeadLetter.ts"
import * as DomainAction from "../../DomainAction.ts"
import type { RedisError } from "../../Redis.ts"
import type { InvalidOption } from "../base/invalidOption.ts"
import { array, strings } from "../redis/reply.ts"
import { readLetter, type ScanParams } from "../scripts/deadLetter.ts"
import * as entry from "../wire/entry.ts"
import { isId, type Letters, notFound } from "./letters.ts"
import { checkGiven, listRows } from "./options.ts"
import * as reading from "./reading.ts"

export const make = ({ key, payloadLimit, redis, scanOf }: Letters) => {
  const list = Effect.fn("DeadLetter.list")(function*(options: ListOptions = {}) {
    const limit = options.limit ?? listRows.limit.fallback
    yield* checkGiven("limit", listRows.limit, limit)
    yield* checkGiven("order", listRows.order, options.order)
    const letters: Array<Letter> = []
    const params = yield* scanOf(options, options.order)
    if (params === undefined) return { letters, cursor: undefined } satisfies Page
    let cursor = options.cursor
    do {
      const rest = cursor === undefined ? params : reading.after(params, cursor)
      const wanted = limit - letters.length
      const { last, rows } = yield* reading.scanOnce(redis, { ...rest, limit: Math.min(wanted, rest.scanLimit) })
      for (const row of rows) letters.push(row.letter)
      cursor = last === "" ? undefined : last
    } while (cursor !== undefined && letters.length < limit)
    return { letters, cursor } satisfies Page
  })

  const stream: DeadLetter["Service"]["stream"] = (options = {}) =>
    Stream.paginate<ScanParams | undefined, Letter, InvalidOption | RedisError>(
      undefined,
      Effect.fnUntraced(function*(rest) {
        const params = rest ?? (yield* scanOf(options, options.order))
        if (params === undefined) return [[], Option.none()] as const
        const { last, rows } = yield* reading.scanOnce(redis, { ...params, limit: listRows.limit.fallback })
        return [
          rows.map((row) => row.letter),
          last === "" ? Option.none() : Option.some(reading.after(params, last))
        ] as const
      })
    )

  const look = Effect.fnUntraced(function*(id: string) {
    const reply = isId(id) ? array(yield* redis.eval(readLetter.script)({ deadLetters: key, id })) : []
    const [size, flat, values, replaced, inData] = reply
    if (size === undefined) return yield* notFound(id)
    const notes = reading.notesFrom(flat)
    const fields = strings(values)
    const read = entry.make(id, fields)
    const broken = reading.isBroken(read.data ?? "", inData)
    const details = {
      ...reading.letterFrom(id, Number(size), notes),
      entry: Array.from({ length: fields.length / 2 }, (_, i) => [fields[2 * i] ?? "", fields[2 * i + 1] ?? ""]),
      binary: reading.isBroken(fields.join("\0"), replaced),
      data: read.data,
      action: entry.decode(entry.withBroken(read, broken), {
        maxBytes: payloadLimit,
        maxDepth: DomainAction.defaultLimits.maxDepth
      }),
      answer: notes.get("answer"),
      undeliverable: notes.get("undeliverable")
    } satisfies Details
    return { details, notes }
  })

  return { list, stream, look }
}
