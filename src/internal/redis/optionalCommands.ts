/**
 * Commands that the library sends and does not need. Managed servers and strict users refuse them. What is missing is noticed
 * once for each Redis layer.
 */
import * as Effect from "effect/Effect"
import type { Redis } from "../../Redis.ts"
import { failureOf } from "./failure.ts"

export type OptionalCommand = "CLIENT" | "COMMAND" | "CONFIG"

/** A form of each that changes nothing, and what does not work without it. */
const forms: Readonly<Record<OptionalCommand, { readonly args: ReadonlyArray<string>; readonly without: string }>> = {
  CLIENT: { args: ["ID"], without: "a read on a connection that broke unnoticed ends later" },
  COMMAND: { args: ["INFO", "BLMPOP"], without: "the server is taken to have BLMPOP" },
  CONFIG: {
    args: ["GET", "maxmemory-policy"],
    without: "workers cannot warn about a server that evicts keys or keeps nothing on disk"
  }
}

const looked = new WeakMap<Redis["Service"], Set<OptionalCommand>>()

const isRefused = (redis: Redis["Service"], command: OptionalCommand): Effect.Effect<boolean> =>
  redis.send(command, ...forms[command].args).pipe(
    Effect.as(false),
    Effect.catch((error) => {
      const kind = failureOf(error)
      return Effect.succeed(kind === "NoPermission" || kind === "Unsupported")
    })
  )

/** Logs, in one line, which of the commands the server refuses. A second call for the same layer looks at the others only. */
export const notice = (
  redis: Redis["Service"],
  commands: ReadonlyArray<OptionalCommand>
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const known = looked.get(redis) ?? new Set()
    looked.set(redis, known)
    const fresh = commands.filter((command) => !known.has(command))
    for (const command of fresh) known.add(command)
    return Effect.flatMap(Effect.filter(fresh, (command) => isRefused(redis, command)), (refused) =>
      refused.length === 0
        ? Effect.void
        : Effect.logInfo(
          `Redis refuses ${refused.join(" and ")} to this user, and everything works without: ` +
            refused.map((command) => `without ${command}, ${forms[command].without}`).join("; ")
        ))
  })
