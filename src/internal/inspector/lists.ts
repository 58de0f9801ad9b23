/** Lists by state, one page at a time. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Inspector from "../../Inspector.ts"
import type { RedisError } from "../../Redis.ts"
import { InvalidOption } from "../base/invalidOption.ts"
import { check } from "../base/options.ts"
import * as letters from "../deadLetter/reading.ts"
import type { Names } from "../redis/names.ts"
import { array } from "../redis/reply.ts"
import { maxLetters } from "../scripts/bounds.ts"
import { listEntries, listParked, listRetries, maxLookedBytes } from "../scripts/inspect.ts"
import type { Desk } from "./desk.ts"
import { queuedIn } from "./lanes.ts"
import { listRows } from "./options.ts"
import { headBytes, shownBytes } from "./payloads.ts"
import { deadFrom, type Reading, retryingFrom, runningFrom, scheduledFrom, waitingFrom } from "./rows.ts"

interface Asked {
  readonly limit: number
  readonly cursor: string
  readonly actionType: string | undefined
  readonly newest: boolean
  readonly head: number
  readonly reading: Reading
}

interface Read<E> {
  readonly entries: ReadonlyArray<E>
  /** Empty at the end. */
  readonly cursor: string
}

const idPattern = /^\d{1,20}-\d{1,20}$/

const badCursor = (cursor: string) =>
  new InvalidOption({
    option: "cursor",
    found: JSON.stringify(cursor),
    expected: "the cursor of a page of the same list"
  })

/** `id`, or `id consumer`. */
const entryCursor = (cursor: string): Effect.Effect<readonly [id: string, rest: string], InvalidOption> => {
  if (cursor === "") return Effect.succeed(["", ""])
  const space = cursor.indexOf(" ")
  const id = space < 0 ? cursor : cursor.slice(0, space)
  return idPattern.test(id) ? Effect.succeed([id, space < 0 ? "" : cursor.slice(space + 1)]) : badCursor(cursor)
}

/** `score member`. */
const dueCursor = (cursor: string): Effect.Effect<readonly [score: string, member: string], InvalidOption> => {
  if (cursor === "") return Effect.succeed(["", ""])
  const space = cursor.indexOf(" ")
  const score = cursor.slice(0, space)
  return space > 0 && /^-?\d+(\.\d+)?(e\+\d+)?$/.test(score)
    ? Effect.succeed([score, cursor.slice(space + 1)])
    : badCursor(cursor)
}

const entriesOf = <E>(
  state: "waiting" | "running",
  from: (reading: Reading, row: unknown) => Effect.Effect<E>
) =>
  Effect.fnUntraced(function*({ redis }: Desk, names: Names, asked: Asked) {
    const [cursor, holder] = yield* entryCursor(asked.cursor)
    const [rows, last, name] = array(
      yield* redis.eval(listEntries.script)({ ...names, ...asked, state, cursor, holder })
    )
    return {
      entries: yield* Effect.forEach(array(rows), (row) => from(asked.reading, row)),
      cursor: last === "" ? "" : name === undefined ? String(last) : `${last} ${name}`
    } satisfies Read<E>
  })

const waiting = entriesOf("waiting", waitingFrom)
const running = entriesOf("running", runningFrom)

const dueOf = Effect.fnUntraced(function*<E>(
  { reading }: Asked,
  reply: unknown,
  from: (reading: Reading, row: unknown) => Effect.Effect<E>
) {
  const [rows, score, member] = array(reply)
  return {
    entries: yield* Effect.forEach(array(rows), (row) => from(reading, row)),
    cursor: member === "" ? "" : `${score} ${member}`
  } satisfies Read<E>
})

const retrying = Effect.fnUntraced(function*({ redis }: Desk, names: Names, asked: Asked) {
  const [score, member] = yield* dueCursor(asked.cursor)
  const reply = yield* redis.eval(listRetries.script)({ ...names, ...asked, score, member })
  return yield* dueOf(asked, reply, retryingFrom)
})

const scheduled = Effect.fnUntraced(function*({ redis }: Desk, names: Names, asked: Asked) {
  const [score, member] = yield* dueCursor(asked.cursor)
  const reply = yield* redis.eval(listParked.script)({ ...names, ...asked, score, member })
  return yield* dueOf(asked, reply, scheduledFrom)
})

const queued = Effect.fnUntraced(function*(desk: Desk, names: Names, asked: Asked) {
  const cursor = Number(
    yield* Effect.fromResult(check("cursor", listRows.position, asked.cursor === "" ? "0" : asked.cursor))
  )
  return (yield* queuedIn(desk, names, { ...asked, lane: "", cursor })) satisfies Read<Inspector.QueuedEntry>
})

/** One step: at most 200 letters. The script filters by type. */
const dead = Effect.fnUntraced(function*({ redis }: Desk, names: Names, asked: Asked) {
  const [cursor] = yield* entryCursor(asked.cursor)
  const params = yield* letters.scanOf(
    redis,
    names.deadLetters,
    { actionType: asked.actionType },
    asked.newest ? "newest" : "oldest"
  )
  if (params === undefined) return { entries: [], cursor: "" }
  const { last, rows } = yield* letters.scanOnce(redis, {
    ...(cursor === "" ? params : letters.after(params, cursor)),
    limit: Math.min(asked.limit, maxLetters),
    budget: maxLookedBytes,
    dataLimit: asked.reading.payload ? shownBytes : -1
  })
  return { entries: yield* Effect.forEach(rows, (row) => deadFrom(asked.reading, row)), cursor: last }
})

const readers: {
  readonly [S in Inspector.State]: (
    desk: Desk,
    names: Names,
    asked: Asked
  ) => Effect.Effect<Read<Inspector.Entry>, InvalidOption | RedisError>
} = { waiting, running, retrying, scheduled, queued, dead }

export const make = (desk: Desk, context: Context.Context<never>): Inspector.Inspector["Service"]["list"] => {
  const list = Effect.fnUntraced(
    function*(service: string, state: Inspector.State, options: Inspector.ListOptions = {}) {
      const limit = yield* Effect.fromResult(check("limit", listRows.limit, options.limit ?? listRows.limit.fallback))
      yield* Effect.fromResult(check("state", listRows.state, state))
      const asked: Asked = {
        limit,
        cursor: options.cursor ?? "",
        actionType: options.actionType,
        newest: options.order === "newest",
        head: options.payload === true ? shownBytes : headBytes,
        reading: { contracts: desk.contracts, context, payload: options.payload === true }
      }
      return yield* desk.on(
        service,
        "list actions",
        (names) =>
          Effect.map(readers[state](desk, names, asked), ({ cursor, entries }) => ({
            entries: asked.actionType === undefined
              ? entries
              : entries.filter(({ actionType }) => actionType === asked.actionType),
            cursor: cursor === "" ? undefined : cursor
          }))
      )
    }
  )
  // SAFETY: the state decides which reader runs, and with it the type of the entries.
  return list as Inspector.Inspector["Service"]["list"]
}
