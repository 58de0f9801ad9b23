/** Contracts for `redis-workers --contracts`. */
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"

export const Pay = Action.make("orders.pay", {
  payload: { card: Schema.Redacted(Schema.String), cents: Schema.Int }
})

export const Orders = ActionGroup.make(
  Pay,
  Action.make("orders.ship", { payload: { to: Schema.String } })
)
