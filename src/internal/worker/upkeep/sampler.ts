/**
 * Looks at the group from time to time: what waits, what is pending, how far the group lags.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Metrics from "../../../Metrics.ts"
import type { Redis } from "../../../Redis.ts"
import type { Names } from "../../redis/names.ts"
import { groupIn } from "../../redis/reply.ts"
import type { Telemetry } from "../telemetry.ts"

/** How often. */
const interval = Duration.seconds(15)

export const sampling = (
  redis: Redis["Service"],
  names: Names,
  telemetry: Pick<Telemetry, "measure">,
  watchIds: (newestId: string) => Effect.Effect<void>
): Effect.Effect<never> => {
  const sample = Effect.gen(function*() {
    telemetry.measure(Metrics.streamLength, Number(yield* redis.send("XLEN", names.stream)))
    telemetry.measure(Metrics.deadLetterLength, Number(yield* redis.send("XLEN", names.deadLetters)))
    telemetry.measure(Metrics.waiting, Number(yield* redis.send("ZCARD", names.retryDue)))
    const groups = yield* redis.send("XINFO", "GROUPS", names.stream)
    const own = groupIn(groups, names.group)
    if (own === undefined) return
    // An entry whose id leaves none for others is read at once, so that the group's last id tells of it.
    yield* watchIds(String(own.get("last-delivered-id")))
    telemetry.measure(Metrics.pending, Number(own.get("pending")))
    // The server says nothing where it cannot know: after deletions ahead of the group, and before 7.0.
    const lag = own.get("lag")
    if (lag !== null && lag !== undefined) telemetry.measure(Metrics.lag, Number(lag))
  })
  // A sample that fails is left out: trouble with the server is told by what reads and settles.
  return Effect.forever(Effect.andThen(Effect.ignore(sample), Effect.sleep(interval)))
}
