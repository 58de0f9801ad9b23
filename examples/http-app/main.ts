/**
 * An HTTP app with its workers inside. Run as many processes of it as the load needs.
 *
 * `npm run example examples/http-app/main.ts`, with `REDIS_URL` if Redis runs on another machine.
 *
 * The API accepts an order and answers at once. One of the internal workers carries it out, in this process or another.
 * The probes have a port of their own. They answer before the workers start and until the workers have drained.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Config, ConfigProvider, Context, Effect, Layer } from "effect"
import { ActionClient, Health, QueueNamingLayer, RedisLayer, SettingsLayer, Worker } from "effect-redis-workers"
import { HttpRouter } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { createServer } from "node:http"
import { Api } from "./Api.ts"
import { GetInvoice, type Invoice, InvoiceActions, NoSuchInvoice, RenderInvoice } from "./contracts.ts"

// -----------------------------------------------------------------------------
// the side of the messages
// -----------------------------------------------------------------------------

/** Kept in memory here; over a database it is what all processes share. */
class Invoices extends Context.Service<Invoices, Map<string, Invoice>>()("http-app/Invoices") {
  static readonly layer = Layer.sync(Invoices, () => new Map())
}

const handlers = InvoiceActions.handlers(Effect.gen(function*() {
  const invoices = yield* Invoices
  const renderTime = yield* Config.Duration("RENDER_TIME").pipe(Config.withDefault("300 millis"))
  return InvoiceActions.of({
    "invoice.render": ({ amount, customer, invoiceId }) =>
      Effect.gen(function*() {
        yield* Effect.log(`rendering the invoice of ${customer}`)
        yield* Effect.sleep(renderTime)
        invoices.set(invoiceId, { invoiceId, text: `${customer} owes ${amount}` })
      }),

    "invoice.get": ({ invoiceId }) => {
      const invoice = invoices.get(invoiceId)
      return invoice === undefined ? Effect.fail(new NoSuchInvoice({ invoiceId })) : Effect.succeed(invoice)
    }
  })
}))

/** Four internal workers, each with a consumer and 20 handlers at once. */
const WorkerLayer = Worker.layer(handlers, { consumers: 4, concurrency: 20 })

// -----------------------------------------------------------------------------
// the side of HTTP
// -----------------------------------------------------------------------------

const InvoicesHandlers = HttpApiBuilder.group(
  Api,
  "invoices",
  Effect.fn(function*(handlers) {
    const client = yield* ActionClient.ActionClient
    return handlers.handleAll({
      render: ({ params: { invoiceId }, payload }) =>
        client.send(RenderInvoice, { invoiceId, ...payload }, { actionId: invoiceId }).pipe(
          Effect.asVoid,
          Effect.orDie
        ),

      // `NoSuchInvoice` is an answer; whatever else goes wrong between here and the worker is status 500.
      get: ({ params: { invoiceId } }) =>
        client.request(GetInvoice, { invoiceId }, { timeout: "5 seconds" }).pipe(
          Effect.catchTags({
            EncodeError: Effect.die,
            InvalidOption: Effect.die,
            RedisError: Effect.die,
            RemoteFailure: Effect.die,
            RequestTimeout: Effect.die
          })
        )
    })
  })
)

const listen = (variable: string, byDefault: number) =>
  Layer.unwrap(
    Effect.map(
      Config.Int(variable).pipe(Config.withDefault(byDefault)),
      (port) => NodeHttpServer.layer(createServer, { port })
    )
  )

const ApiLayer = HttpRouter.serve(Layer.provide(HttpApiBuilder.layer(Api), InvoicesHandlers)).pipe(
  Layer.provide(listen("PORT", 3000))
)

const WorkerWithProbes = Health.layer(WorkerLayer).pipe(Layer.provide(listen("HEALTH_PORT", 9090)))

// -----------------------------------------------------------------------------
// both
// -----------------------------------------------------------------------------

// Layers end in the opposite order of their start. So the API starts when the workers are ready, and on SIGTERM it is the
// first to end: no new work comes in while the workers finish what they have.
const AppLayer = ApiLayer.pipe(
  Layer.provideMerge(WorkerWithProbes),
  Layer.provide(Layer.merge(ActionClient.layer, Invoices.layer)),
  Layer.provide(Layer.merge(RedisLayer, QueueNamingLayer)),
  Layer.provide(SettingsLayer),
  Layer.provide(ConfigProvider.layerAdd(ConfigProvider.fromUnknown({ SERVICE_NAME: "invoice" })))
)

NodeRuntime.runMain(Worker.launch(AppLayer), { teardown: Worker.teardown })
