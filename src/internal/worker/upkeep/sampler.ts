/** Samples the group: the number of waiting and pending entries, and its lag. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Metrics from "../../../Metrics.ts"
import { groupIn } from "../../redis/reply.ts"
import type { MakePart } from "../part.ts"

/** The time between two samples. */
const interval = Duration.seconds(15)

export const sampler: MakePart = ({ names, pausing, redis, sawId, telemetry, vitals }) => {
  const sample = Effect.gen(function*() {
    telemetry.measure(Metrics.streamLength, Number(yield* redis.send("XLEN", names.stream)))
    telemetry.measure(Metrics.deadLetterLength, Number(yield* redis.send("XLEN", names.deadLetters)))
    telemetry.measure(Metrics.waiting, Number(yield* redis.send("ZCARD", names.retryDue)))
    vitals.parked = Number(yield* redis.send("ZCARD", names.parkedDue))
    telemetry.measure(Metrics.parked, vitals.parked)
    telemetry.measure(Metrics.paused, pausing.stored().length)
    const groups = yield* redis.send("XINFO", "GROUPS", names.stream)
    const own = groupIn(groups, names.group)
    if (own === undefined) return
    // An entry whose id leaves no higher ids is read at once, so the group's last id shows it.
    yield* sawId(String(own.get("last-delivered-id")))
    telemetry.measure(Metrics.pending, Number(own.get("pending")))
    // The server omits the value when it cannot compute it: after deletions ahead of the group, and before 7.0.
    const lag = own.get("lag")
    if (lag !== null && lag !== undefined) telemetry.measure(Metrics.lag, Number(lag))
  })
  // A failed sample is skipped: the reader and the settler report problems with the server.
  return { keeps: Effect.forever(Effect.andThen(Effect.ignore(sample), Effect.sleep(interval))) }
}
