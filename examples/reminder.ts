/**
 * Reminders of unpaid orders. Each is scheduled with its order, and cancelled when the order is paid.
 *
 * `npm run example examples/reminder.ts` runs in memory, or on the server in `REDIS_URL`. A reminder is due after two seconds
 * here, and after two days in production.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Config, ConfigProvider, Console, Deferred, Effect, Layer, Option, References, Schema } from "effect"
import {
  Action,
  ActionClient,
  ActionGroup,
  type IoRedis,
  QueueNamingLayer,
  type Redis,
  RedisLayer,
  RedisMemoryLayer,
  type Settings,
  SettingsLayer,
  Worker
} from "effect-redis-workers"

// -----------------------------------------------------------------------------
// Contract
// -----------------------------------------------------------------------------

const Remind = Action.make("orders.remind", { payload: { order: Schema.String } })

// -----------------------------------------------------------------------------
// The shop: it needs no table of reminders, because the id of each follows from its order
// -----------------------------------------------------------------------------

const reminderOf = (order: string) => `reminder of ${order}`

const place = Effect.fnUntraced(function*(order: string) {
  const receipt = yield* ActionClient.send(Remind, { order }, {
    actionId: reminderOf(order),
    delay: "2 seconds",
    // After an outage of the workers, an old reminder is worse than none.
    expiresIn: "1 hour"
  })
  yield* Console.log(`${order} is placed, its reminder is ${receipt._tag}`)
  return receipt
})

const pay = Effect.fnUntraced(function*(reminder: ActionClient.Target, order: string) {
  const cancelled = yield* ActionClient.remove(reminder).pipe(
    Effect.as(true),
    Effect.catchTag("NotScheduled", () => Effect.succeed(false))
  )
  yield* Console.log(`${order} is paid, ${cancelled ? "its reminder is cancelled" : "after its reminder"}`)
})

const main = Effect.gen(function*() {
  const reminded = yield* Deferred.make<void>()
  const handlers = ActionGroup.make(Remind).handlers({
    "orders.remind": ({ order }) =>
      Console.log(`${order} is not paid yet`).pipe(
        Effect.andThen(order === "order 3" ? Deferred.succeed(reminded, void 0) : Effect.void)
      )
  })
  // Workers first: a delay is refused until the first of them has started.
  yield* Worker.start(handlers)

  const first = yield* place("order 1")
  const second = yield* place("order 2")
  const third = yield* place("order 3")
  // The same order once more: its reminder is scheduled already.
  yield* place("order 1")

  yield* pay(first, "order 1")
  yield* ActionClient.reschedule(third, { delay: "3 seconds" })
  yield* Console.log("order 3 has another second to pay")

  yield* Deferred.await(reminded)
  yield* pay(second, "order 2")
})

// -----------------------------------------------------------------------------
// Layers
// -----------------------------------------------------------------------------

const Server: Layer.Layer<Redis.Redis, IoRedis.RedisStartError, Settings.Settings> = RedisLayer

const Backend = Layer.unwrap(Effect.gen(function*() {
  const url = yield* Config.option(Config.String("REDIS_URL"))
  return Option.isSome(url) ? Server : RedisMemoryLayer
}))

const AppLayer = ActionClient.layer.pipe(
  Layer.provideMerge(Layer.merge(Backend, QueueNamingLayer)),
  Layer.provideMerge(
    Layer.provide(
      SettingsLayer,
      ConfigProvider.layerAdd(ConfigProvider.fromUnknown({ SERVICE_NAME: "orders", ENVIRONMENT: "reminders" }))
    )
  )
)

NodeRuntime.runMain(main.pipe(
  Effect.scoped,
  Effect.provide(AppLayer),
  // Without the lines in which workers log that they start and drain.
  Effect.provideService(References.MinimumLogLevel, "Warn")
))
