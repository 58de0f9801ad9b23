/**
 * `npm run demo`: a Redis server of its own, three services under load, and the dashboard. Nothing is kept when it ends.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Config, Console, Effect, Layer, References } from "effect"
import { Dashboard, Inspector, IoRedis, Worker } from "effect-redis-workers"
import { HttpRouter } from "effect/http"
import { createServer } from "node:http"
import { redisServer } from "./server.ts"
import { begin, contracts, flow, place } from "./services.ts"

const main = Effect.gen(function*() {
  const port = yield* Config.Port("PORT").pipe(Config.withDefault(4000))
  const url = yield* redisServer
  const { client, names, workers } = place("demo", url)
  const RedisLayer = IoRedis.layerOptions({ url })

  const DashboardLayer = HttpRouter.serve(Dashboard.layer(), { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provideMerge(Inspector.layerOptions({ contracts })),
    Layer.provide(NodeHttpServer.layer(createServer, { port, host: "127.0.0.1" })),
    Layer.provide(names)
  )
  const context = yield* Layer.build(
    Layer.mergeAll(client, workers, DashboardLayer).pipe(Layer.provide(RedisLayer))
  )
  yield* Console.log(`The dashboard is at http://localhost:${port}, the messages at ${url}. Ctrl-C ends both`)
  const show = Effect.gen(function*() {
    const inspector = yield* Inspector.Inspector
    yield* inspector.pause("mail", { actionType: "mail.digest", reason: "the template is being fixed" })
    yield* begin(2_000)
    yield* flow
  })
  yield* Effect.provideContext(show, context)
})

NodeRuntime.runMain(main.pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "Error")), {
  teardown: Worker.teardown
})
