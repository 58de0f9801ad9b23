/** The names of a service that a program gives as an option. */
import * as Effect from "effect/Effect"
import type { QueueNamingShape } from "../../QueueNaming.ts"
import { InvalidOption } from "../base/invalidOption.ts"
import { type Names, namesOf } from "./names.ts"

export const serviceNames = (naming: QueueNamingShape, service: string): Effect.Effect<Names, InvalidOption> =>
  Effect.try({
    try: () => namesOf(naming, service),
    catch: (cause) =>
      new InvalidOption({
        option: "service",
        found: JSON.stringify(service),
        expected: `a service whose names the naming can make (${cause instanceof Error ? cause.message : cause})`
      })
  })
