/** Lua as Redis runs it: replies and errors are those that were recorded of the server. */
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Redis } from "../../../src/Redis.ts"
import { type Case, cases, messageOf, same } from "../../../src/testing/conformance/case.ts"
import { luaScripts } from "../luaScripts.ts"

export interface Answer {
  readonly reply?: unknown
  readonly error?: string
}

export const repliesFile = join(import.meta.dirname, "../luaReplies.json")

/** Runs a script on the key `key`. */
export const evaluate = (
  redis: Pick<Redis["Service"], "send">,
  lua: string,
  args: ReadonlyArray<string>
): Effect.Effect<Answer> =>
  Effect.match(redis.send<unknown>("EVAL", lua, "1", "key", ...args), {
    onFailure: (error): Answer => ({ error: messageOf(error) }),
    onSuccess: (reply): Answer => ({ reply })
  })

export const luaCases: ReadonlyArray<Case> = cases("Lua", (test) => {
  for (const [name, scripts] of Object.entries(luaScripts)) {
    test(name, () =>
      Effect.gen(function*() {
        const recorded: Record<string, ReadonlyArray<Answer>> = JSON.parse(readFileSync(repliesFile, "utf8"))
        const redis = yield* Redis
        for (const [index, [lua, ...args]] of scripts.entries()) {
          yield* redis.send("DEL", "key")
          same(
            lua.slice(-300),
            JSON.stringify(yield* evaluate(redis, lua, args)),
            JSON.stringify(recorded[name]?.[index])
          )
        }
        yield* redis.send("DEL", "key")
      }))
  }
})
