/**
 * The consumer group of a stream: made when missing, from the beginning of the stream.
 */
import * as Effect from "effect/Effect"
import type { Redis, RedisError } from "../../Redis.ts"
import { failureOf } from "./failure.ts"
import type { Names } from "./names.ts"

/**
 * Makes the group unless it is there. It starts at 0, never at `$`: entries that were added before a worker came, or
 * while the group was missing, are delivered.
 */
export const ensureGroup = (redis: Redis["Service"], names: Names): Effect.Effect<"made" | "found", RedisError> =>
  redis.send("XGROUP", "CREATE", names.stream, names.group, "0", "MKSTREAM").pipe(
    Effect.as("made" as const),
    Effect.catchIf((error) => failureOf(error) === "GroupExists", () => Effect.succeed("found" as const)),
    // A full server refuses to make what is there already, and only workers can make it less full.
    Effect.catchIf(
      (error) => failureOf(error) === "OutOfMemory",
      (error) =>
        redis.send("XPENDING", names.stream, names.group).pipe(
          Effect.as("found" as const),
          Effect.mapError(() => error)
        )
    )
  )
