/**
 * The contracts one release later. These changes are safe: an optional field in the payload, another field in the answer,
 * another action. docs/contracts.md lists all safe changes, and says what to do for others.
 */
import { Schema } from "effect"
import { Action, ActionGroup } from "effect-redis-workers"

export const CreateUser = Action.make("user.create", {
  payload: { email: Schema.String, plan: Schema.optionalKey(Schema.String) },
  success: { release: Schema.Int, plan: Schema.optionalKey(Schema.String) }
})

export const MergeUsers = Action.make("user.merge", {
  payload: { from: Schema.String, into: Schema.String },
  success: { release: Schema.Int }
})

export const UserActions = ActionGroup.make(CreateUser, MergeUsers)
