/**
 * The service `payment`: `npm run example examples/payment/worker.ts`, with `REDIS_URL` if Redis runs on another machine.
 *
 * An account is charged once for each action, however often the action runs: after a second request, after an error, and
 * after the process died between the commit and the answer. `DIE_AFTER_COMMIT=yes` makes the process die there.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Config, ConfigProvider, Effect, Layer, Schedule } from "effect"
import {
  ActionClient,
  makeWorker,
  QueueNamingLayer,
  RedisLayer,
  Settings,
  SettingsLayer,
  Worker
} from "effect-redis-workers"
import { SqlClient } from "effect/sql"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Charge, PaymentActions, SendReceipt, TooPoor } from "./contracts.ts"
import * as Inbox from "./Inbox.ts"
import * as Outbox from "./Outbox.ts"
import * as Sqlite from "./Sqlite.ts"

const migrate = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* Effect.all([Inbox.migrate, Outbox.migrate])
  yield* sql`CREATE TABLE IF NOT EXISTS accounts (account TEXT PRIMARY KEY, balance INTEGER NOT NULL)`
  yield* sql`INSERT INTO accounts VALUES ('ana', 100) ON CONFLICT DO NOTHING`
})

const powerCut = Effect.gen(function*() {
  if (!(yield* Config.Boolean("DIE_AFTER_COMMIT").pipe(Config.withDefault(false)))) return
  yield* Effect.log("charged, and the power goes out")
  process.kill(process.pid, "SIGKILL")
}).pipe(Effect.orDie)

const handlers = PaymentActions.handlers(Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const settings = yield* Settings.Settings

  const charge = Effect.fnUntraced(function*(account: string, amount: number) {
    const [row] = yield* sql<{ balance: number }>`SELECT balance FROM accounts WHERE account = ${account}`
    const balance = row?.balance ?? 0
    if (balance < amount) return yield* new TooPoor({ balance })
    yield* sql`UPDATE accounts SET balance = ${balance - amount} WHERE account = ${account}`
    yield* Outbox.enqueue(SendReceipt, { account, amount }, settings)
    yield* Effect.log(`charged ${account} ${amount}`)
    return { balance: balance - amount }
  })

  return PaymentActions.of({
    "payment.charge": ({ account, amount }, delivery) =>
      Effect.tap(Inbox.once(Charge, delivery, charge(account, amount)), powerCut),

    // If the relay dies before it deletes the row, this runs twice with the same id. Pass that id to the mail service.
    "payment.send_receipt": ({ account, amount }) => Effect.log(`receipt: ${account} paid ${amount}`)
  })
}))

// The next process sends the rows that are left when this one ends.
const relay = Outbox.relay.pipe(
  Effect.catchCause((cause) => Effect.logWarning("The outbox has to wait", cause)),
  Effect.repeat(Schedule.spaced("100 millis"))
)

const main = Effect.andThen(
  migrate,
  // Two programs side by side. If one fails, the process ends.
  Effect.all([makeWorker(handlers), relay], { concurrency: "unbounded", discard: true })
)

const Database = Layer.unwrap(
  Effect.map(
    Config.String("DATABASE").pipe(Config.withDefault(join(tmpdir(), "payments.sqlite"))),
    (filename) => Sqlite.layer(filename)
  )
)

const AppLayer = ActionClient.layer.pipe(
  Layer.provideMerge(Layer.mergeAll(RedisLayer, QueueNamingLayer, Database)),
  Layer.provideMerge(SettingsLayer),
  Layer.provide(ConfigProvider.layerAdd(ConfigProvider.fromUnknown({ SERVICE_NAME: "payment" })))
)

NodeRuntime.runMain(main.pipe(Effect.provide(AppLayer)), { teardown: Worker.teardown })
