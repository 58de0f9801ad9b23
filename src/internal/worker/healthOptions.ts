/**
 * The values that the limits of a worker's health take.
 */
import * as Duration from "effect/Duration"
import { row, time } from "../base/options.ts"

export const healthRows = {
  readGrace: row(time(0, undefined, { example: "10 seconds" }), Duration.seconds(10)),
  eventLoopDelay: row(time(0, undefined, { example: "1 second" }), Duration.seconds(1))
} as const
