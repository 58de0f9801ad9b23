/** What the service `user` can be asked, as the first release knows it. */
import { Schema } from "effect"
import { Action, ActionGroup } from "effect-redis-workers"

export const CreateUser = Action.make("user.create", {
  payload: { email: Schema.String },
  success: { release: Schema.Int }
})

export const UserActions = ActionGroup.make(CreateUser)
