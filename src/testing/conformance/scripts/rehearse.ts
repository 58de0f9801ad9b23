import * as Effect from "effect/Effect"
import { rehearse } from "../../../internal/scripts/rehearse.ts"
import { type Case, cases, failing, Place, same, send } from "../case.ts"
import { deliver, evaluate, group, owners, stored } from "./setup.ts"

const rehearsed = Effect.gen(function*() {
  const { names } = yield* Place
  return yield* evaluate(rehearse, names)
})

export const rehearseCases: ReadonlyArray<Case> = cases("scripts: rehearse", (test) => {
  test("rehearse changes nothing", () =>
    Effect.gen(function*() {
      const names = yield* group
      const ids = yield* deliver("me", 3)
      same("reply", yield* rehearsed, ids.at(-1))
      same("pending", yield* owners, ids.map((id) => [id, "me", 1]))
      same("entries", yield* stored, ids)
      same("other keys", yield* send("EXISTS", names.retryDue, names.retryRecords, names.deadLetters), 0)
    }))

  test("rehearse fails without the group", () =>
    Effect.gen(function*() {
      const names = yield* group
      yield* failing("without the group", /^NOGROUP /, "NoGroup", evaluate(rehearse, { ...names, group: "missing" }))
    }))

  test("rehearse fails where a key holds another type", () =>
    Effect.gen(function*() {
      const names = yield* group
      for (
        const [name, command] of [["retryDue", "ZRANGE"], ["retryRecords", "HGET"], ["deadLetters", "XADD"]] as const
      ) {
        yield* send("SET", names[name], "1")
        yield* failing(`a text for ${command}`, /^WRONGTYPE /, "WrongType", rehearsed)
        yield* send("DEL", names[name])
      }
      same("reply", yield* rehearsed, "0-0")
    }))

  test("rehearse replies with the newest id although its entry is gone", () =>
    Effect.gen(function*() {
      const names = yield* group
      const ids = yield* deliver("me", 2)
      yield* send("XDEL", names.stream, ...ids)
      same("reply", yield* rehearsed, ids.at(-1))
    }))
})
