/** Finds an action: at once where there is an index, otherwise in steps. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Inspector from "../../Inspector.ts"
import type { RedisError } from "../../Redis.ts"
import { check } from "../base/options.ts"
import * as letters from "../deadLetter/reading.ts"
import { actionStream, type Names } from "../redis/names.ts"
import { array, strings } from "../redis/reply.ts"
import { maxEntries } from "../scripts/bounds.ts"
import { lookAt, lookAtParked, maxLookedBytes, searchPending, searchStream } from "../scripts/inspect.ts"
import { millisOf } from "../wire/entry.ts"
import type { Desk } from "./desk.ts"
import { OtherEnvironment } from "./errors.ts"
import { findRows } from "./options.ts"
import { headBytes, shownBytes } from "./payloads.ts"
import { deadFrom, queuedFrom, type Reading, retryingFrom, runningFrom, scheduledFrom, waitingFrom } from "./rows.ts"

/** What is looked for: an entry, or an action that may be anywhere. */
export type Wanted =
  | { readonly _tag: "Entry"; readonly id: string }
  | { readonly _tag: "Action"; readonly id: string }

export interface Search {
  readonly reading: Reading
  readonly limit: number
  readonly onProgress: NonNullable<Inspector.StepOptions["onProgress"]>
}

export const wantedOf = Effect.fnUntraced(
  function*(desk: Desk, target: Inspector.Target): Effect.fn.Return<Wanted, OtherEnvironment> {
    if ("stream" in target) {
      // A name that the naming refuses fails with the error of the service.
      const expected = yield* Effect.sync(() => {
        try {
          return actionStream(desk.naming, target.service)
        } catch {
          return target.stream
        }
      })
      if (target.stream !== expected) return yield* new OtherEnvironment({ stream: target.stream, expected })
      if (target._tag === "Sent") return { _tag: "Entry", id: target.entryId }
      if (target._tag === "Duplicate") {
        const { actionId, entryId } = target.first
        return entryId === undefined ? { _tag: "Action", id: actionId } : { _tag: "Entry", id: entryId }
      }
      return { _tag: "Action", id: target.actionId }
    }
    return "entryId" in target
      ? { _tag: "Entry", id: target.entryId }
      : { _tag: "Action", id: target.actionId.toLowerCase() }
  }
)

const idPattern = /^\d{1,20}-\d{1,20}$/

const quiet = () => Effect.void

/** The entry with an id, in whatever state; `undefined` if it is not in the stream any more. */
const entryAt = Effect.fnUntraced(function*({ redis }: Desk, names: Names, id: string, reading: Reading) {
  if (!idPattern.test(id)) return undefined
  const head = reading.payload ? shownBytes : headBytes
  const [state, row] = array(yield* redis.eval(lookAt.script)({ ...names, id, head }))
  switch (state) {
    case "waiting":
      return yield* waitingFrom(reading, row)
    case "running":
      return yield* runningFrom(reading, row)
    case "retrying":
      return yield* retryingFrom(reading, row)
    default:
      return undefined
  }
})

export const parkedAt = Effect.fnUntraced(
  function*({ redis }: Desk, names: Names, parkingId: string, reading: Reading) {
    const head = reading.payload ? shownBytes : headBytes
    const row = array(yield* redis.eval(lookAtParked.script)({ ...names, parkingId, head }))
    if (row.length === 0) return undefined
    return row.length > 6 ? yield* queuedFrom(reading, row) : yield* scheduledFrom(reading, row)
  }
)

/** A search through letters, newest first, until one is accepted. */
const letterWhere = Effect.fnUntraced(function*(
  { redis }: Desk,
  names: Names,
  { limit, onProgress, reading }: Search,
  lowest: number,
  accepts: (letter: letters.Row["letter"]) => boolean
): Effect.fn.Return<Inspector.Found, RedisError> {
  const scan = yield* Effect.orDie(letters.scanOf(redis, names.deadLetters, {}, "newest"))
  let looked = 0
  let rest = scan === undefined ? undefined : { ...scan, from: String(lowest), budget: maxLookedBytes }
  while (rest !== undefined && looked < limit) {
    const { last, rows } = yield* letters.scanOnce(redis, { ...rest, dataLimit: reading.payload ? shownBytes : -1 })
    const found = rows.find(({ letter }) => accepts(letter))
    looked += rows.length
    yield* onProgress({ looked, done: found === undefined ? 0 : 1 })
    if (found !== undefined) return { entry: yield* deadFrom(reading, found), looked, complete: true }
    rest = last === "" ? undefined : { ...letters.after(rest, last), now: rest.now, budget: maxLookedBytes }
  }
  return { entry: undefined, looked, complete: rest === undefined }
})

/** One of several entries that contain an action id: that whose id it is. */
const entryOf = Effect.fnUntraced(function*(
  desk: Desk,
  names: Names,
  ids: ReadonlyArray<string>,
  reading: Reading,
  actionId: string
) {
  for (const id of ids) {
    const entry = yield* entryAt(desk, names, id, reading)
    if (entry?.actionId?.toLowerCase() === actionId) return entry
  }
  return undefined
})

/** A search through entries that were delivered and are older than those that were looked at. */
const pendingWhere = Effect.fnUntraced(function*(
  desk: Desk,
  names: Names,
  { limit, onProgress, reading }: Search,
  actionId: string,
  before: string,
  already: number
): Effect.fn.Return<Inspector.Found, RedisError> {
  let looked = 0
  let cursor = ""
  let isRead = false
  do {
    const [ids, count, next, read] = array(
      yield* desk.redis.eval(searchPending.script)({
        ...names,
        text: actionId,
        before,
        cursor,
        limit: Math.min(maxEntries, limit - looked)
      })
    )
    looked += Number(count)
    cursor = String(next)
    isRead = Number(read) === 1
    const entry = yield* entryOf(desk, names, strings(ids), reading, actionId)
    yield* onProgress({ looked: already + looked, done: entry === undefined ? 0 : 1 })
    if (entry !== undefined) return { entry, looked, complete: true }
  } while (cursor !== "" && looked < limit)
  // All other entries were delivered and settled.
  return { entry: undefined, looked, complete: cursor === "" && isRead }
})

/** A search through the stream, newest first, for an action id. */
const streamWhere = Effect.fnUntraced(function*(
  desk: Desk,
  names: Names,
  search: Search,
  actionId: string
): Effect.fn.Return<Inspector.Found, RedisError> {
  const { limit, onProgress, reading } = search
  let looked = 0
  let cursor = ""
  do {
    const [ids, count, next] = array(
      yield* desk.redis.eval(searchStream.script)({
        stream: names.stream,
        text: actionId,
        from: "-",
        cursor,
        limit: Math.min(maxEntries, limit - looked)
      })
    )
    looked += Number(count)
    cursor = String(next)
    const entry = yield* entryOf(desk, names, strings(ids), reading, actionId)
    yield* onProgress({ looked, done: entry === undefined ? 0 : 1 })
    if (entry !== undefined) return { entry, looked, complete: true }
  } while (cursor !== "" && looked < limit)
  if (cursor === "") return { entry: undefined, looked, complete: true }
  const older = yield* pendingWhere(desk, names, search, actionId, cursor, looked)
  return { ...older, looked: looked + older.looked }
})

const byEntry = Effect.fnUntraced(function*(desk: Desk, names: Names, id: string, search: Search) {
  const entry = yield* entryAt(desk, names, id, search.reading)
  if (entry !== undefined) return { entry, looked: 1, complete: true } satisfies Inspector.Found
  return yield* letterWhere(desk, names, search, millisOf(id), ({ entryId }) => entryId === id)
})

const byAction = Effect.fnUntraced(function*(desk: Desk, names: Names, id: string, search: Search) {
  const parked = yield* parkedAt(desk, names, id, search.reading)
  if (parked !== undefined) return { entry: parked, looked: 1, complete: true } satisfies Inspector.Found
  const inStream = yield* streamWhere(desk, names, search, id)
  if (inStream.entry !== undefined) return inStream
  const letter = yield* letterWhere(desk, names, search, 0, ({ actionId }) => actionId?.toLowerCase() === id)
  return {
    entry: letter.entry,
    looked: inStream.looked + letter.looked,
    complete: letter.entry !== undefined || (inStream.complete && letter.complete)
  } satisfies Inspector.Found
})

/** Looks for an action in a service that exists. */
export const search = (desk: Desk, names: Names, wanted: Wanted, search: Search) =>
  wanted._tag === "Entry" ? byEntry(desk, names, wanted.id, search) : byAction(desk, names, wanted.id, search)

export const make = (desk: Desk, context: Context.Context<never>): Inspector.Inspector["Service"]["find"] =>
  Effect.fnUntraced(function*(target, options = {}) {
    const limit = yield* Effect.fromResult(check("limit", findRows.limit, options.limit ?? findRows.limit.fallback))
    const wanted = yield* wantedOf(desk, target)
    const reading = { contracts: desk.contracts, context, payload: options.payload === true }
    return yield* desk.on(
      target.service,
      "find actions",
      (names) => search(desk, names, wanted, { reading, limit, onProgress: options.onProgress ?? quiet })
    )
  })
