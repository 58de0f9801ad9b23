/** What the service `payment` can be asked. */
import { Schema } from "effect"
import { Action, ActionGroup } from "effect-redis-workers"

export class TooPoor extends Schema.TaggedError<TooPoor>()("TooPoor", { balance: Schema.Int }) {}

export const Charge = Action.make("payment.charge", {
  payload: { account: Schema.String, amount: Schema.Int },
  success: { balance: Schema.Int },
  error: TooPoor
})

/** What follows from a charge, sent through the outbox. */
export const SendReceipt = Action.make("payment.send_receipt", {
  payload: { account: Schema.String, amount: Schema.Int }
})

export const PaymentActions = ActionGroup.make(Charge, SendReceipt)
