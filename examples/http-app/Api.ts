/** What the app offers over HTTP. Errors of the contracts are errors of the API: only their status is added. */
import { Schema } from "effect"
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { Invoice, NoSuchInvoice } from "./contracts.ts"

const params = { invoiceId: Schema.String.check(Schema.isUUID()) }

export class InvoicesApi extends HttpApiGroup.make("invoices").add(
  // The caller names the invoice, so that it may ask again when it does not know what became of it.
  HttpApiEndpoint.put("render", "/invoices/:invoiceId", {
    params,
    payload: Schema.Struct({ customer: Schema.String, amount: Schema.Int }),
    success: HttpApiSchema.Accepted
  }),
  HttpApiEndpoint.get("get", "/invoices/:invoiceId", {
    params,
    success: Invoice,
    error: NoSuchInvoice.pipe(HttpApiSchema.status(404))
  })
) {}

export class Api extends HttpApi.make("invoice-api").add(InvoicesApi) {}
