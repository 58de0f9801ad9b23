/** The interval of statistics. Workers of this version count nothing in Redis, so no type has any. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Inspector from "../../Inspector.ts"
import { dateOf } from "../base/dates.ts"
import { check } from "../base/options.ts"
import type { Desk } from "./desk.ts"
import { statisticsRows } from "./options.ts"
import { look } from "./reads.ts"

/** Up to here, intervals are minutes. */
const minutes = Duration.hours(3)

export const make = (desk: Desk): Inspector.Inspector["Service"]["statistics"] =>
  Effect.fnUntraced(function*(service, options = {}) {
    const last = yield* Effect.fromResult(check("last", statisticsRows.last, options.last ?? "1 hour"))
    const { asOf } = yield* desk.on(service, "read statistics", (names) => look(desk, names))
    return {
      service,
      asOf,
      from: dateOf(asOf.epochMilliseconds - Duration.toMillis(last)),
      interval: Duration.toMillis(last) > Duration.toMillis(minutes) ? Duration.minutes(15) : Duration.minutes(1),
      types: []
    }
  })
