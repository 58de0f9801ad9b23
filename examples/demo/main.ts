/**
 * `npm run demo`: a Redis server of its own, three services under load, and the dashboard. Nothing is kept when it ends.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Config, Console, Effect, Layer, References, Schedule } from "effect"
import { HttpRouter } from "effect/http"
import { spawn } from "node:child_process"
import { createServer } from "node:http"
import { connect } from "node:net"
import { Dashboard, Inspector, IoRedis } from "../../src/index.ts"
import { begin, contracts, flow, place } from "./services.ts"

const accepts = (port: number) =>
  Effect.callback<void, Error>((resume) => {
    const socket = connect(port, "127.0.0.1")
    socket.once("connect", () => resume(Effect.void))
    socket.once("error", (error) => resume(Effect.fail(error)))
    return Effect.sync(() => socket.destroy())
  }).pipe(Effect.retry({ times: 100, schedule: Schedule.spaced("50 millis") }))

/** A server without a file, which ends with this process. */
const redisServer = (port: number) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.env["REDIS_SERVER"] ?? "redis-server", [
        "--port",
        String(port),
        "--save",
        "",
        "--bind",
        "127.0.0.1"
      ], {
        stdio: "ignore"
      })
    ),
    (child) => Effect.sync(() => child.kill())
  ).pipe(Effect.andThen(accepts(port)))

const main = Effect.gen(function*() {
  const port = yield* Config.Port("PORT").pipe(Config.withDefault(4000))
  const redisPort = yield* Config.Port("REDIS_PORT").pipe(Config.withDefault(port + 1))
  yield* redisServer(redisPort)
  const url = `redis://127.0.0.1:${redisPort}`
  const { client, names, workers } = place("demo", url)
  const RedisLayer = IoRedis.layerOptions({ url })

  const DashboardLayer = HttpRouter.serve(Dashboard.layer(), { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(Inspector.layerOptions({ contracts })),
    Layer.provide(NodeHttpServer.layer(createServer, { port, host: "127.0.0.1" })),
    Layer.provide(names)
  )
  const context = yield* Layer.build(
    Layer.mergeAll(client, workers, DashboardLayer).pipe(Layer.provide(RedisLayer))
  )
  yield* Console.log(`The dashboard is at http://localhost:${port}. Ctrl-C ends it, and the server with it`)
  yield* Effect.provideContext(Effect.andThen(begin(2_000), flow), context)
})

NodeRuntime.runMain(main.pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "Error")))
