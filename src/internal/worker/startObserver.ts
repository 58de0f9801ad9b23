/** A hook for a worker that starts, before its handle exists. The health server uses it. */
import * as Context from "effect/Context"
import type { Trouble } from "../redis/trouble.ts"

export type StartObserver = (trouble: Pick<Trouble, "current">) => void

export const StartObserver: Context.Reference<StartObserver | undefined> = Context.Reference<
  StartObserver | undefined
>("effect-redis-workers/internal/StartObserver", { defaultValue: () => undefined })
