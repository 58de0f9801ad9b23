/** What packedWorker.ts and packedClient.ts share. */
import { Schema } from "effect"
import { Action, ActionGroup } from "../../src/index.ts"

export const Price = Action.make("shop.price", {
  payload: { item: Schema.String },
  success: { cents: Schema.Number }
})

export const Pack = Action.make("shop.pack", {
  payload: { item: Schema.String },
  success: { parcel: Schema.String }
})

export const ShopActions = ActionGroup.make(Price, Pack)
