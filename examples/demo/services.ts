/** Three services with something of everything: load, failures, retries, delays, schedules. */
import { Effect, Layer, Random, Redacted, Schedule, Schema } from "effect"
import {
  Action,
  ActionClient,
  ActionGroup,
  QueueNaming,
  RetryLater,
  Schedules,
  Settings,
  Worker
} from "effect-redis-workers"

// -----------------------------------------------------------------------------
// contracts
// -----------------------------------------------------------------------------

export class CardDeclined extends Schema.TaggedError<CardDeclined>()("CardDeclined", { reason: Schema.String }) {}
export class GatewayDown extends Schema.TaggedError<GatewayDown>()("GatewayDown", { gateway: Schema.String }) {
  override get message(): string {
    return `the gateway ${this.gateway} does not answer`
  }
}

const Charge = Action.make("payment.charge", {
  payload: { order: Schema.String, amount: Schema.Int, card: Schema.Redacted(Schema.String) },
  error: Schema.Union([CardDeclined, GatewayDown])
})
const Refund = Action.make("payment.refund", { payload: { order: Schema.String } })
const Send = Action.make("mail.send", { payload: { to: Schema.String, subject: Schema.String } })
const Digest = Action.make("mail.digest", { payload: { day: Schema.String } })
const Render = Action.make("report.render", { payload: { report: Schema.String, rows: Schema.Int } })

export const Payments = ActionGroup.make(Charge, Refund)
export const Mails = ActionGroup.make(Send, Digest)
export const Reports = ActionGroup.make(Render)
export const contracts = [Payments, Mails, Reports]

const schedules = [Schedules.every("digest", { action: Digest, payload: { day: "today" }, every: "30 seconds" })]
const nightly = [
  Schedules.cron("nightly", { action: Render, payload: { report: "sales", rows: 1_000 }, cron: "0 3 * * *" })
]

// -----------------------------------------------------------------------------
// handlers
// -----------------------------------------------------------------------------

const busy = (from: number, to: number) => Effect.flatMap(Random.nextIntBetween(from, to), (ms) => Effect.sleep(ms))

const payments = Payments.handlers({
  "payment.charge": Effect.fnUntraced(function*({ order }) {
    yield* busy(5, 60)
    if (order.startsWith("declined")) return yield* new CardDeclined({ reason: "insufficient funds" })
    if (order.startsWith("down")) return yield* new RetryLater({ cause: new GatewayDown({ gateway: "acme" }) })
  }),
  "payment.refund": ({ order }) =>
    order.startsWith("bug") ? Effect.die(new TypeError("Cannot read properties of undefined")) : busy(10, 80)
})

const mails = Mails.handlers({
  "mail.send": ({ to }) => to.endsWith("@slow.example.com") ? Effect.sleep("10 minutes") : busy(2, 20),
  "mail.digest": () => busy(100, 300)
})

const reports = Reports.handlers({ "report.render": () => busy(50, 400) })

const named = (serviceName: string, environment: string, url: string) =>
  Layer.mergeAll(
    Settings.layerOf({ serviceName, environment, redis: { url }, shutdownGrace: "2 seconds" }),
    QueueNaming.layerOf(QueueNaming.make({ prefix: "demo", environment }))
  )

/** What all of them share: where their messages are. */
export const place = (environment: string, url: string) => {
  const on = (service: string) => named(service, environment, url)
  return {
    names: on("dashboard"),
    /** The workers of the three services. */
    workers: Layer.mergeAll(
      Layer.provide(Worker.layer(payments, { concurrency: 8 }), on("payment")),
      Layer.provide(Worker.layer(mails, { concurrency: 8, schedules }), on("mail")),
      Layer.provide(Worker.layer(reports, { concurrency: 2, schedules: nightly }), on("report"))
    ),
    client: Layer.provide(ActionClient.layer, on("shop"))
  }
}

// -----------------------------------------------------------------------------
// load
// -----------------------------------------------------------------------------

/** Starts with something in every state. */
export const begin = (count: number) =>
  Effect.gen(function*() {
    const client = yield* ActionClient.ActionClient
    const each = <A>(part: number, make: (index: number) => A) =>
      Array.from({ length: Math.ceil(count * part) }, (_, i) => make(i))
    const card = Redacted.make("4242 4242 4242 4242")
    yield* client.sendMany(Charge, each(0.4, (i) => ({ order: `order ${i}`, amount: 100 + i, card })))
    yield* client.sendMany(Charge, each(0.1, (i) => ({ order: `declined ${i}`, amount: 100 + i, card })))
    yield* client.sendMany(Charge, each(0.05, (i) => ({ order: `down ${i}`, amount: 100 + i, card })))
    yield* client.sendMany(Refund, each(0.05, (i) => ({ order: `bug ${i}` })))
    yield* client.sendMany(Send, each(0.3, (i) => ({ to: `${i}@example.com`, subject: "Your order" })))
    yield* Effect.forEach(each(0.05, (i) => i), (i) =>
      client.send(Send, { to: `${i}@example.com`, subject: "How was it?" }, { delay: `${10 + i} minutes` }))
    yield* client.send(Send, { to: "somebody@slow.example.com", subject: "<img src=x onerror=alert(1)>" })
    yield* client.sendMany(Render, each(0.05, (i) => ({ report: `report ${i}`, rows: i })))
  })

/** A little of everything, for ever. */
export const flow = Effect.gen(function*() {
  const client = yield* ActionClient.ActionClient
  const card = Redacted.make("4242 4242 4242 4242")
  const kind = yield* Random.nextIntBetween(0, 100)
  const order = `${kind < 4 ? "declined" : kind < 7 ? "down" : "order"} ${yield* Random.nextIntBetween(0, 1_000_000)}`
  yield* client.send(Charge, { order, amount: 4_200, card })
  yield* client.send(Send, { to: "you@example.com", subject: order })
  if (kind < 20) yield* client.send(Render, { report: order, rows: kind })
  if (kind < 2) yield* client.send(Refund, { order: `bug ${kind}` })
}).pipe(Effect.repeat(Schedule.spaced("40 millis")))
