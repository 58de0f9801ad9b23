/**
 * What the tests of the dashboard look at: a real server with a few thousand actions in every state, real workers, and
 * the dashboard as this machine sees it, read-only, and with a Redis user that may not do everything.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { HttpRouter } from "effect/http"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import { createServer } from "node:http"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as Dashboard from "../../src/Dashboard.ts"
import { Rejected, RetryLater } from "../../src/HandlerError.ts"
import * as Inspector from "../../src/Inspector.ts"
import { bucketOf } from "../../src/internal/base/histogram.ts"
import { keyAt, minute } from "../../src/internal/redis/statistics.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Schedules from "../../src/Schedules.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import * as Server from "./redisServer.ts"
import { until } from "./until.ts"

// -----------------------------------------------------------------------------
// hostile text
// -----------------------------------------------------------------------------

/** Markup that tells when a browser takes it for markup: it loads a picture of this name, or runs a script. */
export const markup = (where: string): string =>
  `<img src=/hacked-${where}.png onerror=window.hacked='${where}'><script>window.hacked='${where}'</script>'>{{${where}}}`

// -----------------------------------------------------------------------------
// contracts
// -----------------------------------------------------------------------------

class CardDeclined extends Schema.TaggedError<CardDeclined>()("CardDeclined", { reason: Schema.String }) {
  override get message(): string {
    return `the bank declined the card: ${this.reason}`
  }
}
class GatewayDown extends Schema.TaggedError<GatewayDown>()("GatewayDown", { gateway: Schema.String }) {
  override get message(): string {
    return `the gateway ${this.gateway} does not answer`
  }
}

export const card = "4242 4242 4242 4242"
const Card = Schema.Redacted(Schema.String)

const Charge = Action.make("payment.charge", {
  payload: { order: Schema.String, amount: Schema.Int, card: Card },
  error: CardDeclined
})
const Capture = Action.make("payment.capture", { payload: { order: Schema.String } })
const Refund = Action.make("payment.refund", { payload: { order: Schema.String }, maxAttempts: 1 })
const Settle = Action.make("payment.settle", { payload: { day: Schema.String } })
const Note = Action.make("sync.note", { payload: { text: Schema.String } })
const Send = Action.make("mail.send", { payload: { to: Schema.String, subject: Schema.String } })
const Digest = Action.make("mail.digest", { payload: { day: Schema.String } })
const Render = Action.make("report.render", { payload: { report: Schema.String, rows: Schema.Int } })
const Export = Action.make("report.export", { payload: { report: Schema.String } })
const Post = Action.make("ledger.post", { payload: { entry: Schema.Int } })

const byAccount = ({ account }: { readonly account: string }) => account
const lanePayload = { payload: { account: Schema.String, number: Schema.Int } }
const Push = Action.make("sync.push", lanePayload).pipe(
  Action.lane(byAccount, { concurrency: 1, total: { concurrency: 3 } })
)
const Apply = Action.make("sync.apply", lanePayload).pipe(Action.lane(byAccount, { onGiveUp: "halt" }))

const Syncs = ActionGroup.make(Push, Apply, Note)
const Payments = ActionGroup.make(Charge, Capture, Refund, Settle)
const Mails = ActionGroup.make(Send, Digest)
const Reports = ActionGroup.make(Render, Export)
const Ledger = ActionGroup.make(Post)
const contracts = [Payments, Mails, Reports, Ledger, Syncs]

// -----------------------------------------------------------------------------
// handlers
// -----------------------------------------------------------------------------

const payments = Payments.handlers({
  "payment.charge": ({ order }) =>
    order.startsWith("declined") ? new CardDeclined({ reason: "insufficient funds" }) : Effect.sleep("2 millis"),
  "payment.capture": () => new RetryLater({ cause: new GatewayDown({ gateway: "acme" }), after: "30 minutes" }),
  "payment.refund": () => Effect.die(new TypeError("Cannot read properties of undefined (reading 'iban')")),
  "payment.settle": () => Effect.never
})
const mails = Mails.handlers({ "mail.send": () => Effect.void, "mail.digest": () => Effect.sleep("20 millis") })
const reports = Reports.handlers({ "report.render": () => Effect.void, "report.export": () => Effect.void })

/** Actions of an account hold their lane for ever, except those of some. */
const syncs = Syncs.handlers({
  "sync.push": ({ account }) => account === "quick" ? Effect.void : Effect.never,
  "sync.apply": ({ account, number }) =>
    account === "broken" && number === 0 ? new Rejected({ message: "the balance does not add up" }) : Effect.void,
  "sync.note": ({ text }) => new Rejected({ message: markup("message"), errorType: text })
})

const schedules = [
  // Rarely due, so that no slot comes while the tests run.
  Schedules.cron("digest", { action: Digest, payload: { day: "today" }, cron: "30 3 1 1 *" }),
  Schedules.cron("newsletter", {
    action: Send,
    payload: { to: "all@example.com", subject: "News" },
    cron: "0 8 * * 1",
    timeZone: "Europe/Berlin"
  })
]

// -----------------------------------------------------------------------------
// the world
// -----------------------------------------------------------------------------

export class World extends Context.Service<World, {
  readonly url: string
  readonly readOnlyUrl: string
  /** The dashboard of a Redis user that lacks one command. */
  readonly watcherUrl: string
  readonly redisUrl: string
  readonly inspector: Inspector.Inspector["Service"]
  readonly cli: Server.Server["cli"]
  /** Sends payments whose cards are declined. */
  readonly decline: (count: number) => Effect.Effect<void>
  /** The key of a service. */
  readonly key: (service: string, ...parts: ReadonlyArray<string>) => string
}>()("effect-redis-workers/test/DashboardWorld") {}

const naming = QueueNaming.make({ prefix: "demo", environment: "production" })
const redisUser = { username: "watcher", password: "watch" }

const named = (serviceName: string, url: string) =>
  Layer.mergeAll(
    Settings.layerOf({
      serviceName,
      environment: "production",
      redis: { url },
      shutdownGrace: "500 millis",
      block: "500 millis"
    }),
    QueueNaming.layerOf(naming)
  )

const serving = (port: number, options: Dashboard.Options) =>
  HttpRouter.serve(Dashboard.layer(options), { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(NodeHttpServer.layer(createServer, { port, host: "127.0.0.1" }))
  )

/** An entry as no client of this library would write it. */
const foreign = (type: string, actionId: string, data: unknown, more: object = {}): string =>
  JSON.stringify({ action_id: actionId, action_type: type, timestamp: "2026-01-01T00:00:00.000000Z", data, ...more })

const many = <A>(count: number, make: (index: number) => A): ReadonlyArray<A> =>
  Array.from({ length: count }, (_, i) => make(i))

/** What workers would have counted in the hour before, in the words in which they count it. */
const seed = (cli: Server.Server["cli"]) =>
  Effect.gen(function*() {
    const [seconds] = (yield* cli("TIME")) as ReadonlyArray<string>
    const now = Number(seconds) * 1_000
    const put = Effect.fnUntraced(function*(
      type: string,
      time: number,
      counts: { readonly [name in "succeeded" | "retried" | "rejected" | "expired" | "deadLetters"]?: number },
      durations: ReadonlyArray<readonly [millis: number, count: number]>
    ) {
      const parts = [
        ...Object.entries(counts).filter(([, count]) => count > 0).map(([name, count]) => `${name}=${count}`),
        ...durations.map(([millis, count]) => `${bucketOf(millis)}=${count}`)
      ]
      yield* cli("HSET", keyAt(naming, type.split(".")[0]!, minute, time), type, parts.join(" "))
    })
    for (let back = 1; back <= 61; back++) {
      const time = now - back * 60_000
      const wave = Math.sin(back / 9) + Math.sin(back / 2.3) / 3
      const incident = back > 16 && back < 25
      const charges = Math.round(420 + 130 * wave - (incident ? 180 : 0))
      yield* put(
        "payment.charge",
        time,
        {
          succeeded: charges,
          deadLetters: incident ? 41 - back : Math.max(0, Math.round(wave * 2)),
          retried: incident ? 140 : 3
        },
        [[incident ? 90 : 22, charges * 0.6], [incident ? 420 : 48 + 8 * wave, charges * 0.36], [
          incident ? 1_900 : 130,
          charges * 0.04
        ]]
          .map(([millis, count]) => [millis!, Math.ceil(count!)] as const)
      )
      yield* put("payment.refund", time, { succeeded: Math.round(30 + 10 * wave) }, [[35, 30]])
      yield* put("mail.send", time, { succeeded: Math.round(900 + 300 * wave), expired: back % 20 === 0 ? 4 : 0 }, [[
        12,
        900
      ]])
      if (back >= 5 && back <= 50) {
        yield* put("report.render", time, { succeeded: 10, rejected: 1, deadLetters: 1 }, [[250, 8], [900, 4]])
      }
    }
  })

export const layer = Layer.effect(
  World,
  Effect.gen(function*() {
    const { cli, url } = yield* Server.RedisServer
    const [port, readOnlyPort, watcherPort] = [yield* Server.freePort, yield* Server.freePort, yield* Server.freePort]
    yield* cli("ACL", "SETUSER", redisUser.username, "on", `>${redisUser.password}`, "~*", "&*", "+@all", "-xdel")
    const place = named("shop", url)
    const inspected = Layer.provideMerge(Inspector.layerOptions({ contracts }), place)
    const traceUrl = "https://traces.example.com/trace/{traceId}"
    const context = yield* Layer.build(
      Layer.mergeAll(
        Layer.provide(ActionClient.layer, place),
        serving(port, { traceUrl }),
        serving(readOnlyPort, { readOnly: true })
      ).pipe(
        Layer.provideMerge(inspected),
        Layer.provide(IoRedis.layerOptions({ url })),
        Layer.provide(Layer.succeed(References.MinimumLogLevel, "Fatal"))
      )
    )
    yield* Layer.build(
      serving(watcherPort, {}).pipe(
        Layer.provide(inspected),
        Layer.provide(
          IoRedis.layerOptions({ url: url.replace("//", `//${redisUser.username}:${redisUser.password}@`) })
        ),
        Layer.provide(Layer.succeed(References.MinimumLogLevel, "Fatal"))
      )
    )
    const client = Context.get(context, ActionClient.ActionClient)
    const inspector = Context.get(context, Inspector.Inspector)
    const send = <A, E>(effect: Effect.Effect<A, E>) => Effect.orDie(Effect.asVoid(effect))

    yield* seed(cli)
    // What waits, and goes on waiting: a paused service, and one without a worker.
    yield* send(client.sendMany(Render, many(1_400, (i) => ({ report: `sales ${i}`, rows: i }))))
    yield* send(client.sendMany(Export, many(100, (i) => ({ report: `sales ${i}` }))))
    yield* Effect.orDie(inspector.pause("report", { reason: "the printer is on fire" }))
    yield* send(client.sendMany(Post, many(200, (entry) => ({ entry }))))
    const hostile = { correlation_id: markup("correlation"), trace_id: markup("trace") }
    for (const [part, type] of [["one", markup("type")], ["two", "ledger.post"]] as const) {
      yield* cli(
        "XADD",
        naming.key("ledger", "streams", "main"),
        "*",
        "data",
        foreign(type, markup(`id ${part}`), { text: markup("payload") }, hostile)
      )
    }
    const wrong = foreign("payment.charge", "00000000-0000-4000-8000-000000000001", { order: 5 })
    for (let i = 0; i < 4; i++) yield* cli("XADD", naming.key("payment", "streams", "main"), "*", "data", wrong)
    // What runs, fails, waits for its next attempt, and is parked.
    yield* send(
      client.sendMany(Charge, many(800, (i) => ({ order: `order ${i}`, amount: 100 + i, card: Redacted.make(card) })))
    )
    const decline = (count: number) =>
      send(
        client.sendMany(Charge, many(count, (i) => ({ order: `declined ${i}`, amount: i, card: Redacted.make(card) })))
      )
    yield* decline(240)
    yield* send(client.sendMany(Refund, many(60, (i) => ({ order: `order ${i}` }))))
    yield* send(client.sendMany(Note, [{ text: markup("error") }]))
    yield* send(client.sendMany(Capture, many(130, (i) => ({ order: `order ${i}` }))))
    yield* send(client.sendMany(Settle, many(3, (i) => ({ day: `2026-11-0${i}` }))))
    yield* Layer.build(
      Layer.mergeAll(
        Layer.provide(Worker.layer(payments, { concurrency: 16 }), named("payment", url)),
        Layer.provide(Worker.layer(mails, { concurrency: 4, schedules }), named("mail", url)),
        Layer.provide(Worker.layer(reports, { concurrency: 2 }), named("report", url)),
        Layer.provide(Worker.layer(syncs, { concurrency: 8 }), named("sync", url))
      ).pipe(
        Layer.provide(IoRedis.layerOptions({ url })),
        Layer.provide(Layer.succeed(References.MinimumLogLevel, "Fatal"))
      )
    )
    const hasWorkers = (service: string) =>
      inspector.overview(service).pipe(
        Effect.map(({ features }) => features.includes("parked") && features.includes("lanes")),
        Effect.orElseSucceed(() => false)
      )
    for (const service of ["mail", "sync"]) yield* until(`the workers of ${service} know it all`, hasWorkers(service))
    for (const [account, count] of [["acme", 12], ["globex", 3], [markup("key"), 2]] as const) {
      yield* send(client.sendMany(Push, many(count, (number) => ({ account, number }))))
    }
    yield* send(client.sendMany(Apply, many(4, (number) => ({ account: "broken", number }))))
    yield* Effect.forEach(
      many(220, (i) => i),
      (i) =>
        send(client.send(Send, { to: `${i}@example.com`, subject: "How was it?" }, { delay: `${30 + i} minutes` })),
      {
        concurrency: 20
      }
    )
    yield* send(client.send(Digest, { day: "tomorrow" }, { delay: "20 hours", expiresIn: "30 hours" }))
    const settled = Effect.all([
      inspector.overview("payment"),
      inspector.overview("mail"),
      inspector.overview("report"),
      inspector.overview("sync"),
      inspector.lanes("sync", { stopped: true })
    ]).pipe(
      Effect.orDie,
      Effect.map(([payment, mail, report, sync, stopped]) =>
        payment.lag === 0 && payment.deadLetters === 304 && payment.retrying === 130 && payment.running === 3 &&
        mail.schedules === 2 && report.lag === 1_500 &&
        sync.running === 3 && sync.deadLetters === 2 && stopped.lanes.length === 1
      )
    )
    yield* until("there are actions in every state", settled, 60_000)
    const at = (of: number) => `http://localhost:${of}`
    return World.of({
      url: at(port),
      readOnlyUrl: at(readOnlyPort),
      watcherUrl: at(watcherPort),
      redisUrl: url,
      inspector,
      cli,
      decline,
      key: naming.key
    })
  })
).pipe(Layer.provide(Server.layer()))
