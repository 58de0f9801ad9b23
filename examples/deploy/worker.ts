/**
 * The worker that the image runs: probes and metrics on port 9090, logs as JSON, a drain on SIGTERM.
 *
 * Everything else comes from the environment, see compose.yaml.
 */
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Effect, Layer, Logger } from "effect"
import { Health, QueueNamingLayer, RedisLayer, SettingsLayer, Worker } from "effect-redis-workers"
import { createServer } from "node:http"

const handlers = { "user.ping": () => Effect.succeed({ pong: true }) }

const program = Health.layer(Worker.layer(handlers)).pipe(
  Layer.provide(NodeHttpServer.layer(createServer, { port: Number(process.env["PORT"] ?? 9090) })),
  Layer.provide(Layer.merge(RedisLayer, QueueNamingLayer)),
  Layer.provide(SettingsLayer),
  Layer.provide(Logger.layer([Logger.consoleJson])),
  Worker.launch
)

NodeRuntime.runMain(program, { teardown: Worker.teardown })
