/**
 * The contract of the message, for the systems that have contracts.
 */
import * as Schema from "effect/Schema"
import { Action, ActionGroup } from "../../src/index.ts"
import { actionType } from "../support/actions.ts"

export const payloadFields = {
  sequence: Schema.Int,
  email: Schema.String,
  name: Schema.String,
  plan: Schema.Literals(["free", "team"]),
  tags: Schema.Array(Schema.String),
  note: Schema.String
}

/** Nobody is answered. */
export const CreateUser = Action.make(actionType, { payload: payloadFields })

/** The caller is answered. */
export const AskUser = Action.make(actionType, { payload: payloadFields, success: { userId: Schema.String } })

export const Commands = ActionGroup.make(CreateUser)
export const Requests = ActionGroup.make(AskUser)
