/** Operations on everything that matches, in steps. */
import type * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as ActionGroup from "../../ActionGroup.ts"
import type * as Inspector from "../../Inspector.ts"
import { defaults } from "../../Settings.ts"
import { InvalidOption } from "../base/invalidOption.ts"
import { check, wholeMillis } from "../base/options.ts"
import * as deadLetters from "../deadLetter/operations.ts"
import { responseTimeToLive } from "../redis/responseTimeToLive.ts"
import { nowAt } from "../redis/serverClock.ts"
import { removeEntries } from "../scripts/steer.ts"
import type { Desk } from "./desk.ts"
import { permitting } from "./errorsOf.ts"
import { purgeRows } from "./options.ts"
import { removeParked, statesOf } from "./verbs.ts"

type Service = Inspector.Inspector["Service"]

const quiet = () => Effect.void

/** Entries that one step looks at. */
const step = 200

/** Letters that one step of an operation on many replays or removes. */
const lettersAtOnce = 1_000

export const make = (desk: Desk, list: Service["list"], context: Context.Context<never>) => {
  const { naming, redis } = desk

  const letters: Service["deadLetters"] = (service) =>
    desk.on(service, "read dead letters", (names) =>
      Effect.succeed(deadLetters.make({
        redis,
        naming,
        names,
        payloadLimit: defaults.payloadLimit,
        responseTimeToLive: wholeMillis(responseTimeToLive.fallback)
      })))

  const replay: Service["replay"] = (service, id, options) =>
    Effect.flatMap(
      letters(service),
      (letters) => permitting(service, "replay dead letters", "xadd")(letters.replay(id, options))
    )

  const discard: Service["discard"] = (service, id) =>
    Effect.flatMap(letters(service), (letters) => permitting(service, "discard dead letters")(letters.discard(id)))

  const replayMany: Service["replayMany"] = Effect.fnUntraced(function*(service, filter, options = {}) {
    const { limit = Infinity, onProgress = quiet, ...rest } = options
    const those = yield* letters(service)
    const first = yield* permitting(service, "replay dead letters", "xadd")(
      those.replayMany(filter, { ...rest, limit })
    )
    yield* onProgress({ looked: first.replayed + first.missing + first.refused, done: first.replayed })
    return first
  })

  const discardMany: Service["discardMany"] = Effect.fnUntraced(function*(service, filter, options = {}) {
    const { limit = Infinity, onProgress = quiet } = options
    const those = yield* letters(service)
    let removed = 0
    while (removed < limit) {
      const wanted = Math.min(lettersAtOnce, limit - removed)
      const some = yield* permitting(service, "discard dead letters")(those.discardMany(filter, { limit: wanted }))
      removed += some
      yield* onProgress({ looked: removed, done: removed })
      if (some < wanted) break
    }
    return removed
  })

  const dryRun: Service["dryRun"] = Effect.fnUntraced(function*(service, filter = {}) {
    if (desk.contracts.size === 0) {
      return yield* new InvalidOption({
        option: "contracts",
        found: "not given",
        expected: "the contracts to decode with"
      })
    }
    const those = yield* letters(service)
    const all = ActionGroup.make().merge(...desk.groups)
    // SAFETY: the layer demands the services of the contracts, and the context has them.
    const trial = Effect.provideContext(those.dryRun(all, filter), context) as ReturnType<Service["dryRun"]>
    return yield* permitting(service, "read dead letters")(trial)
  })

  const purge: Service["purge"] = Effect.fnUntraced(function*(service, filter, options = {}) {
    const state = yield* Effect.fromResult(check("state", purgeRows.state, filter.state))
    const limit = yield* Effect.fromResult(check("limit", purgeRows.limit, options.limit ?? Infinity))
    const age = filter.olderThan === undefined
      ? undefined
      : wholeMillis(yield* Effect.fromResult(check("olderThan", purgeRows.olderThan, filter.olderThan)))
    const types = filter.actionType === undefined
      ? undefined
      : new Set(typeof filter.actionType === "string" ? [filter.actionType] : filter.actionType)
    const onProgress = options.onProgress ?? quiet
    const youngest = age === undefined
      ? Infinity
      : yield* desk.on(
        service,
        "purge",
        (names) => Effect.map(nowAt(redis, names.stream), (now) => now - age)
      )
    const matches = (entry: Inspector.Entry): boolean =>
      (types === undefined || (entry.actionType !== undefined && types.has(entry.actionType))) &&
      timeOf(entry) <= youngest

    const remove = (entries: ReadonlyArray<Inspector.Entry>) =>
      desk.on(
        service,
        "purge",
        Effect.fnUntraced(function*(names) {
          const ids = entries.flatMap((entry) => "entryId" in entry ? [entry.entryId] : [])
          const states = ids.length === 0 ? [] : statesOf(yield* redis.eval(removeEntries.script)({ ...names, ids }))
          let removed = states.filter((state) => state === "waiting" || state === "retrying").length
          for (const entry of entries) {
            if (
              (entry.state === "scheduled" || entry.state === "queued") &&
              (yield* removeParked(desk, names, entry.parkingId))
            ) removed++
          }
          return removed
        })
      )

    let [looked, matched, removed, left] = [0, 0, 0, 0]
    let cursor: string | undefined
    do {
      const page: Inspector.Page = yield* list(service, state, { limit: step, cursor })
      const found = page.entries.filter(matches).slice(0, limit - matched)
      looked += page.entries.length
      matched += found.length
      if (options.dryRun !== true && found.length > 0) {
        const some = yield* remove(found)
        removed += some
        left += found.length - some
      }
      cursor = page.cursor
      yield* onProgress({ looked, done: options.dryRun === true ? matched : removed })
    } while (cursor !== undefined && matched < limit)
    return { looked, matched, removed, left, complete: cursor === undefined }
  })

  return { deadLetters: letters, replay, discard, replayMany, discardMany, dryRun, purge }
}

const timeOf = (entry: Inspector.Entry): number =>
  entry.state === "scheduled"
    ? DateTime.toEpochMillis(entry.dueAt)
    : entry.state === "queued"
    ? entry.since === undefined ? Infinity : DateTime.toEpochMillis(entry.since)
    : "addedAt" in entry
    ? DateTime.toEpochMillis(entry.addedAt)
    : Infinity
