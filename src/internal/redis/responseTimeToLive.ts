/**
 * How long a list of answers lives after the last one: an option of workers and of `DeadLetter` alike.
 */
import * as Duration from "effect/Duration"
import { row, time } from "../base/options.ts"

/** It has an end, since answers that nobody takes would stay for good. */
export const responseTimeToLive = row(
  time("1 millis", "3650 days", { example: "1 hour" }),
  Duration.hours(1)
)
