/** Replays dead letters: one, or all that match, at a rate. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Filter, ReplayManyOptions, ReplayOptions } from "../../DeadLetter.ts"
import type { InvalidOption } from "../base/invalidOption.ts"
import { redisError } from "../redis/redisError.ts"
import { strings } from "../redis/reply.ts"
import { explainText } from "../redis/streamIds.ts"
import { maxBytes } from "../scripts/bounds.ts"
import { replayLetters } from "../scripts/deadLetterMoves.ts"
import { DeadLetterNotFound, NotReplayable, TooManyHops } from "./errors.ts"
import { isId, type Letters, notFound } from "./letters.ts"
import { checkGiven, manyRows, replayRows } from "./options.ts"
import * as reading from "./reading.ts"

/** Letters moved in one call. */
const batch = 100

/** The maximum number of refusals in a report. */
const maxRefusals = 100

/** The reasons whose handlers did not finish their work. `replayMany` selects them by default. */
const undone = ["malformed", "poison", "unknown", "invalid", "rejected", "exhausted"] as const

/** Fails when an option of a replay is invalid. */
const checkReplay = (options: ReplayOptions): Effect.Effect<void, InvalidOption> =>
  Effect.andThen(
    checkGiven("maxHops", replayRows.maxHops, options.maxHops),
    checkGiven("force", replayRows.force, options.force)
  )

/** The id of the new entry, or why a letter was not replayed. */
type Replayed = Result.Result<string, DeadLetterNotFound | TooManyHops | NotReplayable>

const replayedAs = (id: string, status: string | undefined, detail: string, maxHops: number): Replayed => {
  switch (status) {
    case "replayed":
      return Result.succeed(detail)
    case "hops":
      return Result.fail(new TooManyHops({ id, hops: Number(detail), maxHops }))
    case "foreign":
      return Result.fail(
        new NotReplayable({
          id,
          message: `${id} was not written by this library: it holds no entry. Inspect it, then discard it`
        })
      )
    case "wide":
      return Result.fail(
        new NotReplayable({
          id,
          message: `The entry in ${id} has ${detail} fields: more than a script can add. Inspect it, then discard it`
        })
      )
    default:
      return Result.fail(new DeadLetterNotFound({ id }))
  }
}

export const make = ({ names, redis, scanOf }: Letters) => {
  const replayIds = Effect.fnUntraced(function*(ids: ReadonlyArray<string>, options: ReplayOptions) {
    const maxHops = options.maxHops ?? replayRows.maxHops.fallback
    const reply = strings(
      yield* redis.eval(replayLetters.script)({
        ...names,
        maxHops: options.force === true || !Number.isFinite(maxHops) ? -1 : maxHops,
        budget: maxBytes,
        ids
      })
    )
    const results: Array<Replayed> = []
    for (let i = 0; i + 1 < reply.length; i += 2) {
      const detail = reply[i + 1] ?? ""
      if (reply[i] === "failed") {
        return yield* redisError(new Error(explainText(names.stream, detail)))
      }
      results.push(replayedAs(ids[i / 2] ?? "", reply[i], detail, maxHops))
    }
    return results
  })

  const replay = Effect.fn("DeadLetter.replay")(function*(id: string, options: ReplayOptions = {}) {
    yield* checkReplay(options)
    const result = isId(id) ? (yield* replayIds([id], options))[0] : undefined
    return yield* result === undefined ? notFound(id) : Effect.fromResult(result)
  })

  const replayMany = Effect.fn("DeadLetter.replayMany")(
    function*(filter: Filter, options: ReplayManyOptions = {}) {
      const rate = options.ratePerSecond
      const limit = options.limit ?? manyRows.limit.fallback
      yield* checkReplay(options)
      yield* checkGiven("ratePerSecond", manyRows.ratePerSecond, rate)
      yield* checkGiven("limit", manyRows.limit, limit)
      const report = { replayed: 0, missing: 0, refused: 0, refusals: Array<TooManyHops | NotReplayable>() }
      // A tenth of a second's worth at once: no burst, and few calls.
      const size = rate === undefined ? batch : Math.max(1, Math.min(batch, Math.floor(rate / 10)))
      let pause = 0

      const replaySome = Effect.fnUntraced(function*(rows: ReadonlyArray<reading.Row>) {
        let ids = rows.map((row) => row.letter.id)
        while (ids.length > 0 && report.replayed < limit) {
          if (pause > 0) yield* Effect.sleep(Duration.millis(pause))
          const results = yield* replayIds(ids.slice(0, Math.min(size, limit - report.replayed)), options)
          let replayed = 0
          for (const result of results) {
            if (Result.isSuccess(result)) {
              replayed++
            } else if (result.failure._tag === "DeadLetterNotFound") {
              report.missing++
            } else {
              report.refused++
              if (report.refusals.length < maxRefusals) report.refusals.push(result.failure)
            }
          }
          report.replayed += replayed
          pause = rate === undefined ? 0 : 1000 * replayed / rate
          ids = ids.slice(Math.max(1, results.length))
        }
        return report.replayed < limit
      })

      const params = yield* scanOf(filter.reason === undefined ? { ...filter, reason: undone } : filter, "oldest")
      if (params !== undefined && limit > 0) yield* reading.eachScan(redis, params, replaySome)
      return report
    }
  )

  return { replay, replayMany }
}
