/**
 * A worker with health checks and metrics over HTTP, and traces sent to a collector.
 *
 * `SERVICE_NAME=user PORT=9090 npm run example examples/observed/worker.ts`, then open `/health/live`, `/health/ready` and
 * `/metrics`. Set `OTLP_URL=http://localhost:4318/v1/traces` to send traces. `user.block` shows how a handler that does not
 * yield affects `/health/ready`.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Health from "effect-redis-workers/Health"
import * as IoRedis from "effect-redis-workers/IoRedis"
import * as QueueNaming from "effect-redis-workers/QueueNaming"
import * as Settings from "effect-redis-workers/Settings"
import * as Worker from "effect-redis-workers/Worker"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as OtlpSerialization from "effect/observability/OtlpSerialization"
import * as OtlpTracer from "effect/observability/OtlpTracer"
import { createServer } from "node:http"

const collector = process.env["OTLP_URL"]

const tracing = collector === undefined ? Layer.empty : OtlpTracer.layer({
  url: collector,
  resource: { serviceName: "user" },
  exportInterval: "100 millis"
}).pipe(Layer.provide(OtlpSerialization.layerJson), Layer.provide(FetchHttpClient.layer))

const WorkerLayer = Worker.layer({
  "user.ping": () => Effect.succeed({ pong: true }),

  // A drain waits for it: `/health/ready` says 503 meanwhile, and still answers.
  "user.slow": () =>
    Effect.log("A slow action starts").pipe(Effect.andThen(Effect.sleep("1500 millis")), Effect.as({})),

  // Nothing else runs in this process for a second and a half: no renewal of a lease, no probe.
  "user.block": () =>
    Effect.sync(() => {
      const end = performance.now() + 1_500
      while (performance.now() < end);
      return {}
    })
})

const program = Health.layer(WorkerLayer).pipe(
  Layer.provide(NodeHttpServer.layer(createServer, { port: Number(process.env["PORT"]) })),
  Layer.provide(Layer.mergeAll(IoRedis.layer, QueueNaming.layer)),
  Layer.provide(Settings.layer),
  Layer.provide(tracing),
  Worker.launch
)

NodeRuntime.runMain(program, { teardown: Worker.teardown })
