/**
 * A worker with health and metrics over HTTP, and its traces sent to a collector where `OTLP_URL` names one.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as OtlpSerialization from "effect/observability/OtlpSerialization"
import * as OtlpTracer from "effect/observability/OtlpTracer"
import { createServer } from "node:http"
import * as Health from "../../src/Health.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"

const collector = process.env["OTLP_URL"]

const tracing = collector === undefined ? Layer.empty : OtlpTracer.layer({
  url: collector,
  resource: { serviceName: "user" },
  exportInterval: "100 millis"
}).pipe(Layer.provide(OtlpSerialization.layerJson), Layer.provide(FetchHttpClient.layer))

const WorkerLayer = Worker.layer({
  "user.ping": () => Effect.succeed({ pong: true }),
  "user.slow": () => Effect.as(Effect.sleep("1500 millis"), {}),
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
