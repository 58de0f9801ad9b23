/**
 * The service `user`, release 1: `npm run example examples/rollout/worker1.ts`. Stop it with Ctrl-C or SIGTERM, as a
 * deployment does.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { ConfigProvider, Effect, Layer } from "effect"
import { makeWorker, QueueNamingLayer, RedisLayer, SettingsLayer, Worker } from "effect-redis-workers"
import { UserActions } from "./contracts1.ts"

const handlers = UserActions.handlers({
  "user.create": () => Effect.as(Effect.sleep("50 millis"), { release: 1 })
})

const AppLayer = Layer.merge(RedisLayer, QueueNamingLayer).pipe(
  Layer.provideMerge(SettingsLayer),
  Layer.provide(ConfigProvider.layerAdd(ConfigProvider.fromUnknown({ SERVICE_NAME: "user" })))
)

NodeRuntime.runMain(makeWorker(handlers).pipe(Effect.provide(AppLayer)), { teardown: Worker.teardown })
