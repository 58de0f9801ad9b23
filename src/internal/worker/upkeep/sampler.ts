/**
 * Looks at the group from time to time: what waits, what is pending, how far the group lags.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Metrics from "../../../Metrics.ts"
import { groupIn } from "../../redis/reply.ts"
import type { MakePart } from "../part.ts"

/** How often. */
const interval = Duration.seconds(15)

export const sampler: MakePart = ({ names, redis, sawId, telemetry }) => {
  const sample = Effect.gen(function*() {
    telemetry.measure(Metrics.streamLength, Number(yield* redis.send("XLEN", names.stream)))
    telemetry.measure(Metrics.deadLetterLength, Number(yield* redis.send("XLEN", names.deadLetters)))
    telemetry.measure(Metrics.waiting, Number(yield* redis.send("ZCARD", names.retryDue)))
    const groups = yield* redis.send("XINFO", "GROUPS", names.stream)
    const own = groupIn(groups, names.group)
    if (own === undefined) return
    // An entry whose id leaves none for others is read at once, so that the group's last id tells of it.
    yield* sawId(String(own.get("last-delivered-id")))
    telemetry.measure(Metrics.pending, Number(own.get("pending")))
    // The server says nothing where it cannot know: after deletions ahead of the group, and before 7.0.
    const lag = own.get("lag")
    if (lag !== null && lag !== undefined) telemetry.measure(Metrics.lag, Number(lag))
  })
  // A sample that fails is left out: trouble with the server is told by what reads and settles.
  return { keeps: Effect.forever(Effect.andThen(Effect.ignore(sample), Effect.sleep(interval))) }
}
