/**
 * Warns about a server that may lose data, because it evicts keys or does not persist to disk, and about a stream that
 * accepts no more entries.
 */
import * as Effect from "effect/Effect"
import type { Redis } from "../../Redis.ts"
import { notice } from "../redis/optionalCommands.ts"
import { record } from "../redis/reply.ts"
import { type IdSupply, problemOf, supplyOf } from "../redis/streamIds.ts"

const setting = (redis: Redis["Service"], name: string): Effect.Effect<string | undefined> =>
  redis.send("CONFIG", "GET", name).pipe(
    Effect.map((reply) => {
      const value = record(reply).get(name)
      return value === undefined ? undefined : String(value)
    }),
    // Managed servers and strict ACLs forbid CONFIG, which `notice` says.
    Effect.catch(() => Effect.succeed(undefined))
  )

export const warnings = (settings: {
  readonly policy: string | undefined
  readonly appendonly: string | undefined
  readonly save: string | undefined
}): ReadonlyArray<string> => {
  const found: Array<string> = []
  if (settings.policy?.startsWith("allkeys-")) {
    found.push(
      `Redis evicts any key when its memory is full (maxmemory-policy ${settings.policy}): streams and their groups can ` +
        "disappear. Set maxmemory-policy noeviction"
    )
  }
  if (settings.appendonly === "no" && settings.save === "") {
    found.push(
      "Redis keeps nothing on disk (appendonly no, save \"\"): a restart of the server loses every action. " +
        "Set appendonly yes"
    )
  }
  return found
}

export const check = Effect.fnUntraced(function*(redis: Redis["Service"]) {
  yield* notice(redis, ["CLIENT", "CONFIG"])
  const policy = yield* setting(redis, "maxmemory-policy")
  const appendonly = yield* setting(redis, "appendonly")
  const save = yield* setting(redis, "save")
  for (const warning of warnings({ policy, appendonly, save })) yield* Effect.logWarning(warning)
})

/** Logs what the newest id of a stream means for later ids. It logs when that gets worse, not at each look. */
export const watchIds = (stream: string) => {
  let told: IdSupply = "ample"
  return (newestId: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      const supply = supplyOf(newestId)
      const problem = problemOf(stream, newestId)
      if (problem === undefined || supply === told || told === "exhausted") return Effect.void
      told = supply
      return supply === "exhausted" ? Effect.logError(problem) : Effect.logWarning(problem)
    })
}
