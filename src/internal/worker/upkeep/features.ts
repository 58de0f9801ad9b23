/**
 * Declares what the workers of a service understand. Senders that need more than 0.1 had ask for it, so that nothing is accepted
 * that no worker would run.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { declareFeatures } from "../../scripts/park.ts"
import type { MakePart } from "../part.ts"

const supported = ["parked", "unique", "lanes"]

/** How often the declaration is made again, in case that the server lost its data. */
const again = Duration.seconds(20)

export const features: MakePart = ({ names, redis, trouble }) => {
  const declare = Effect.asVoid(redis.eval(declareFeatures.script)({ features: names.features, names: supported }))
  return {
    starts: declare,
    keeps: Effect.forever(
      Effect.andThen(Effect.sleep(again), trouble.around(`declaring the capabilities of ${names.service}`, declare))
    )
  }
}
