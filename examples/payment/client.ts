/**
 * The buyer: `npm run example examples/payment/client.ts`, while the worker of `payment` runs or before it starts.
 *
 * It pays. The network may have lost the answer, so it asks again with the same `actionId`.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { ConfigProvider, Console, Effect, Layer } from "effect"
import { ActionClient, QueueNamingLayer, RedisLayer, SettingsLayer } from "effect-redis-workers"
import { Charge } from "./contracts.ts"

const main = Effect.gen(function*() {
  const client = yield* ActionClient.ActionClient

  const pay = client.request(Charge, { account: "ana", amount: 30 }, {
    actionId: crypto.randomUUID(),
    timeout: "10 seconds"
  }).pipe(
    // The outcome is unknown: it may be paid or not. The same id makes it safe to ask again.
    Effect.retry({ times: 3, while: (error) => error._tag === "RequestTimeout" })
  )
  yield* Console.log(`paid 30, ${(yield* pay).balance} left`)
  yield* Console.log(`asked again, ${(yield* pay).balance} left`)

  yield* client.request(Charge, { account: "ana", amount: 1000 }).pipe(
    Effect.catchTag("TooPoor", ({ balance }) => Console.log(`1000 is too much for ${balance}`))
  )
})

const AppLayer = ActionClient.layer.pipe(
  Layer.provide(Layer.merge(RedisLayer, QueueNamingLayer)),
  Layer.provide(SettingsLayer),
  Layer.provide(ConfigProvider.layerAdd(ConfigProvider.fromUnknown({ SERVICE_NAME: "shop" })))
)

NodeRuntime.runMain(main.pipe(Effect.provide(AppLayer)))
