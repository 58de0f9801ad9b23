/**
 * Follows the clock of the server.
 */
import * as Effect from "effect/Effect"
import type { MakePart } from "../part.ts"

/** The time between two looks at it. */
const interval = "30 seconds"

export const serverTime: MakePart = ({ server, trouble }) => ({
  keeps: Effect.forever(
    Effect.andThen(Effect.sleep(interval), trouble.around("asking for the time", server.sample))
  )
})
