/** The consumer group of a stream. If it is missing, it is created at the beginning of the stream. */
import * as Effect from "effect/Effect"
import type { Redis, RedisError } from "../../Redis.ts"
import { failureOf } from "./failure.ts"
import type { Names } from "./names.ts"

/**
 * Creates the group if it is missing. It starts at 0, never at `$`, so that entries added before the first worker
 * started, or while the group was missing, are delivered.
 */
export const ensureGroup = (redis: Redis["Service"], names: Names): Effect.Effect<"made" | "found", RedisError> =>
  redis.send("XGROUP", "CREATE", names.stream, names.group, "0", "MKSTREAM").pipe(
    Effect.as("made" as const),
    Effect.catchIf((error) => failureOf(error) === "GroupExists", () => Effect.succeed("found" as const)),
    // A full server refuses to create even an existing group, and only workers can free its memory.
    Effect.catchIf(
      (error) => failureOf(error) === "OutOfMemory",
      (error) =>
        redis.send("XPENDING", names.stream, names.group).pipe(
          Effect.as("found" as const),
          Effect.mapError(() => error)
        )
    )
  )
