/** Finds things that nothing reads or removes any more. */
import * as Effect from "effect/Effect"
import type * as Inspector from "../../Inspector.ts"
import { accepts, callbackList, type Names, responseList } from "../redis/names.ts"
import type { Desk } from "./desk.ts"
import { look } from "./reads.ts"
import { common, globbed, scanKeys } from "./scan.ts"

/** The number of lists of each kind that are returned. */
const maxLists = 400

/** The time between two looks at a callback list: a worker that reads it makes it shorter. */
const between = "1 second"

const listsLike = Effect.fnUntraced(function*(
  desk: Desk,
  [one, other]: readonly [string, string],
  kind: "callback" | "response"
) {
  const accepted = accepts(desk.naming)
  const { before } = common(one, other)
  const found: Array<string> = []
  const complete = yield* scanKeys(desk.redis, `${globbed(before)}*`, "list", (keys) =>
    Effect.sync(() => {
      for (const key of keys) if (found.length < maxLists && accepted(key, kind)) found.push(key)
    }))
  return { found, complete: complete && found.length < maxLists }
})

const lengthsOf = ({ redis }: Desk, lists: ReadonlyArray<string>) =>
  Effect.forEach(lists, (list) => Effect.map(redis.send("LLEN", list), (length) => ({ list, length: Number(length) })))

const callbackLists = Effect.fnUntraced(function*(desk: Desk, { service }: Names) {
  const examples = [
    callbackList(desk.naming, service, "a.a", "a"),
    callbackList(desk.naming, service, "b.b", "b")
  ] as const
  const { complete, found } = yield* listsLike(desk, examples, "callback")
  if (found.length === 0) return { lists: [], complete }
  const first = new Map((yield* lengthsOf(desk, found)).map(({ length, list }) => [list, length]))
  yield* Effect.sleep(between)
  const lists = (yield* lengthsOf(desk, found)).filter(({ length, list }) =>
    length > 0 && length >= (first.get(list) ?? 0)
  )
  return { lists, complete }
})

const responseLists = Effect.fnUntraced(function*(desk: Desk, { service }: Names) {
  const examples = [
    responseList(desk.naming, service, "a.a", "a"),
    responseList(desk.naming, service, "b.b", "b")
  ] as const
  const { complete, found } = yield* listsLike(desk, examples, "response")
  const lists: Array<Inspector.StaleList> = []
  for (const list of found) {
    if (Number(yield* desk.redis.send("PTTL", list)) !== -1) continue
    lists.push({ list, length: Number(yield* desk.redis.send("LLEN", list)) })
  }
  return { lists, complete }
})

export const make = (desk: Desk): Inspector.Inspector["Service"]["stale"] => (service, options = {}) =>
  desk.on(
    service,
    "look for stale things",
    Effect.fnUntraced(function*(names) {
      const { consumers, groups, lease } = yield* look(desk, names)
      const found = {
        consumers: consumers.filter(({ pending, stale }) => stale && pending > 0),
        // A worker that has started and not read yet has no consumer, and a lease.
        groups: groups.filter(({ consumers, own }) => !own || (consumers === 0 && lease === undefined))
      }
      if (!(options.scan ?? desk.scan)) {
        return { ...found, callbackLists: [], responseLists: [], complete: false }
      }
      const callbacks = yield* callbackLists(desk, names)
      const responses = yield* responseLists(desk, names)
      return {
        ...found,
        callbackLists: callbacks.lists,
        responseLists: responses.lists,
        complete: callbacks.complete && responses.complete
      }
    })
  )
