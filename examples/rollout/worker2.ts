/** The service `user`, release 2: `npm run example examples/rollout/worker2.ts`, while release 1 still runs. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { ConfigProvider, Effect, Layer } from "effect"
import { makeWorker, QueueNamingLayer, RedisLayer, SettingsLayer, Worker } from "effect-redis-workers"
import { UserActions } from "./contracts2.ts"

const handlers = UserActions.handlers({
  "user.create": ({ plan }) =>
    Effect.as(Effect.sleep("50 millis"), plan === undefined ? { release: 2 } : { release: 2, plan }),
  "user.merge": () => Effect.as(Effect.sleep("50 millis"), { release: 2 })
})

const AppLayer = Layer.merge(RedisLayer, QueueNamingLayer).pipe(
  Layer.provideMerge(SettingsLayer),
  Layer.provide(ConfigProvider.layerAdd(ConfigProvider.fromUnknown({ SERVICE_NAME: "user" })))
)

NodeRuntime.runMain(makeWorker(handlers).pipe(Effect.provide(AppLayer)), { teardown: Worker.teardown })
