/**
 * What a metric has counted. Other tests of the same process count as well: compare with what it was before.
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

export const counted = (
  counter: Metric.Counter<number>,
  attributes: Readonly<Record<string, string>>
): Effect.Effect<number> => Effect.map(Metric.value(Metric.withAttributes(counter, attributes)), ({ count }) => count)
