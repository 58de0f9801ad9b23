/**
 * The actions of the chaos run, shared by its workers and its client.
 */
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"

export class Refused extends Schema.TaggedError<Refused>()("Refused", { index: Schema.Int }) {}

/** What the handler does, decided by the sender so that the end can be checked. */
export const Fate = Schema.Literals(["succeed", "slow", "retry-once", "refuse", "never"])

export const Work = Action.make("chaos.work", {
  payload: { index: Schema.Int, fate: Fate },
  success: { index: Schema.Int },
  error: Refused,
  maxAttempts: 3
})

export const Actions = ActionGroup.make(Work)
