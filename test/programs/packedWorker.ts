/**
 * A worker as a user writes it, which `npm run test:node` runs from the packed package on each runtime: `shop.pack` takes
 * a second, so that a signal comes while it runs.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer } from "effect"
import { QueueNamingLayer, RedisLayer, SettingsLayer, Worker } from "../../src/index.ts"
import { ShopActions } from "./packedContracts.ts"

const handlers = ShopActions.handlers({
  "shop.price": ({ item }) => Effect.succeed({ cents: item.length * 100 }),
  "shop.pack": ({ item }) =>
    Console.log(`packing ${item}`).pipe(
      Effect.andThen(Effect.sleep("1 second")),
      Effect.as({ parcel: `box of ${item}` })
    )
})

const program = Worker.layer(handlers).pipe(
  Layer.tap(() => Console.log("worker is up")),
  Layer.provide(Layer.merge(RedisLayer, QueueNamingLayer)),
  Layer.provide(SettingsLayer),
  Worker.launch
)

NodeRuntime.runMain(program, { teardown: Worker.teardown })
