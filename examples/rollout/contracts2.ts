/**
 * The same a release later. What changed is what may change: a field that can be left out, a field more in the answer,
 * an action more. (docs/contracts.md has the whole list, and what to do about the rest.)
 */
import { Schema } from "effect"
import { Action, ActionGroup } from "../../src/index.ts"

export const CreateUser = Action.make("user.create", {
  payload: { email: Schema.String, plan: Schema.optionalKey(Schema.String) },
  success: { release: Schema.Int, plan: Schema.optionalKey(Schema.String) }
})

export const MergeUsers = Action.make("user.merge", {
  payload: { from: Schema.String, into: Schema.String },
  success: { release: Schema.Int }
})

export const UserActions = ActionGroup.make(CreateUser, MergeUsers)
