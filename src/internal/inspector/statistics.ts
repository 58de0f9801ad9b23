/** Statistics, as workers count them. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Inspector from "../../Inspector.ts"
import type { RedisError } from "../../Redis.ts"
import { dateOf } from "../deadLetter/reading.ts"
import type { Names } from "../redis/names.ts"
import type { Desk } from "./desk.ts"

/** The settlements of the last whole minute. */
export const lastMinute = (_desk: Desk, _names: Names): Effect.Effect<Inspector.Rates | undefined, RedisError> =>
  Effect.undefined

export const make = (desk: Desk): Inspector.Inspector["Service"]["statistics"] => (service) =>
  desk.on(
    service,
    "read statistics",
    () => Effect.succeed({ service, asOf: dateOf(0), from: dateOf(0), interval: Duration.minutes(1), types: [] })
  )
