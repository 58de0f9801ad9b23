/** What the service `invoice` can be asked by messages: by its own HTTP side, and by any other service. */
import { Schema } from "effect"
import { Action, ActionGroup } from "effect-redis-workers"

export const Invoice = Schema.Struct({ invoiceId: Schema.String, text: Schema.String })
export type Invoice = typeof Invoice.Type

export class NoSuchInvoice extends Schema.TaggedError<NoSuchInvoice>()("NoSuchInvoice", {
  invoiceId: Schema.String
}) {}

export const RenderInvoice = Action.make("invoice.render", {
  payload: { invoiceId: Schema.String, customer: Schema.String, amount: Schema.Int }
})

export const GetInvoice = Action.make("invoice.get", {
  payload: { invoiceId: Schema.String },
  success: Invoice,
  error: NoSuchInvoice
})

export const InvoiceActions = ActionGroup.make(RenderInvoice, GetInvoice)
