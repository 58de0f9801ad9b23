/** Asks packedWorker.ts for a price, then for a parcel, and says what it was answered. */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer } from "effect"
import { ActionClient, QueueNamingLayer, RedisLayer, Settings } from "../../src/index.ts"
import { Pack, Price } from "./packedContracts.ts"

const program = Effect.gen(function*() {
  const client = yield* ActionClient.ActionClient
  const { cents } = yield* client.request(Price, { item: "tea" })
  yield* Console.log(`price ${cents}`)
  const { parcel } = yield* client.request(Pack, { item: "tea" })
  yield* Console.log(`parcel ${parcel}`)
})

const AppLayer = ActionClient.layer.pipe(
  Layer.provide(Layer.merge(RedisLayer, QueueNamingLayer)),
  Layer.provide(Settings.layer)
)

NodeRuntime.runMain(program.pipe(Effect.provide(AppLayer)))
