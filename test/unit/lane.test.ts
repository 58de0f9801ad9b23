import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
export const Charge = Action.make("payment.charge", {
  payload: { customer: Schema.String, cents: Schema.Int }}).pipe(Action.lane(({ customer }) => customer, { concurrency: 1, rate: { limit: 10, per: "1 second" } })
)
