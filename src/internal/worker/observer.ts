/** A hook for every settlement that is written. Only the testing kit uses it. */
import * as Context from "effect/Context"
import type { Decision, Written } from "./decision.ts"

export type SettlementObserver = (decision: Decision, written: Written) => void

export const SettlementObserver: Context.Reference<SettlementObserver | undefined> = Context.Reference<
  SettlementObserver | undefined
>("effect-redis-workers/internal/SettlementObserver", { defaultValue: () => undefined })
