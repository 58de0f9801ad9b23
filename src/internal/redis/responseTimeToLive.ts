/**
 * How long a list of answers lives after the last one: an option of workers and of `DeadLetter` alike.
 */
import * as Duration from "effect/Duration"
import { row, time } from "../base/options.ts"

/** It is finite, since answers that are never read would stay forever. */
export const responseTimeToLive = row(
  time("1 millis", "3650 days", { example: "1 hour" }),
  Duration.hours(1)
)
