/** The operations on dead letters, as a sequence of bounded script calls. */
import * as Effect from "effect/Effect"
import type { DeadLetter, Filter } from "../../DeadLetter.ts"
import * as answers from "./answers.ts"
import * as counting from "./counting.ts"
import { dryRun } from "./dryRun.ts"
import { type DeadLettersOptions, isId, make as lettersOf, notFound } from "./letters.ts"
import * as looking from "./looking.ts"
import { checkGiven, manyRows } from "./options.ts"
import * as reading from "./reading.ts"
import * as replaying from "./replaying.ts"

export const make = (options: DeadLettersOptions): DeadLetter["Service"] => {
  const letters = lettersOf(options)
  const { key, redis, scanOf } = letters
  const { list, look, stream } = looking.make(letters)

  const discard = Effect.fn("DeadLetter.discard")(function*(id: string) {
    const removed = isId(id) ? Number(yield* redis.send("XDEL", key, id)) : 0
    if (removed === 0) return yield* notFound(id)
  })

  const discardMany = Effect.fn("DeadLetter.discardMany")(
    function*(filter: Filter, options: { readonly limit?: number | undefined } = {}) {
      const limit = options.limit ?? manyRows.limit.fallback
      yield* checkGiven("limit", manyRows.limit, limit)
      const params = yield* scanOf(filter, "oldest")
      let removed = 0
      if (params !== undefined && limit > 0) {
        yield* reading.eachScan(redis, params, (rows) => {
          const ids = rows.slice(0, limit - removed).map((row) => row.letter.id)
          return Effect.map(redis.send("XDEL", key, ...ids), (reply) => {
            removed += Number(reply)
            return removed < limit
          })
        })
      }
      return removed
    }
  )

  return {
    list,
    stream,
    inspect: Effect.fn("DeadLetter.inspect")((id: string) => Effect.map(look(id), ({ details }) => details)),
    ...counting.make(letters),
    ...replaying.make(letters),
    discard,
    discardMany,
    redeliver: answers.make(letters, look),
    dryRun: dryRun({ ...letters, scanOf: (filter) => scanOf(filter, "oldest") })
  }
}
