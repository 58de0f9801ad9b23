/** `dashboard`: serves the dashboard to this machine, behind a token of its own, until it is interrupted. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Dashboard from "../../Dashboard.ts"
import * as Inspector from "../../Inspector.ts"
import type { QueueNaming } from "../../QueueNaming.ts"
import type { Redis } from "../../Redis.ts"
import { connection } from "../connect.ts"
import { contracts } from "../contracts.ts"
import { Service } from "../globals.ts"

const serve = Effect.fnUntraced(function*(port: number, readOnly: boolean) {
  const { randomBytes } = yield* Effect.promise(() => import("node:crypto"))
  const { createServer } = yield* Effect.promise(() => import("node:http"))
  const NodeHttpServer = yield* Effect.promise(() => import("@effect/platform-node/NodeHttpServer"))
  const token = randomBytes(24).toString("base64url")
  const group = yield* contracts
  const services = Option.match(yield* Service, { onNone: () => [], onSome: (service) => [service] })
  // SAFETY: contracts of a file need no services that this tool could give.
  const inspector = (group === undefined
    ? Inspector.layerOptions({ services, scan: true })
    : Inspector.layerOptions({ services, scan: true, contracts: group })) as Layer.Layer<
      Inspector.Inspector,
      Dashboard.InvalidOption,
      Redis | QueueNaming
    >
  const server = HttpRouter.serve(Dashboard.layer({ token: Redacted.make(token), readOnly }), {
    disableLogger: true,
    disableListenLog: true
  }).pipe(
    Layer.provide(inspector),
    Layer.provide(NodeHttpServer.layer(createServer, { port, host: "127.0.0.1" })),
    Layer.provide(connection)
  )
  yield* Layer.build(server)
  yield* Effect.sync(() => {
    process.stdout.write(`http://localhost:${port}/?token=${token}\n`)
  })
  return yield* Effect.never
})

export const dashboard = Command.make("dashboard", {
  port: Flag.Int("port").pipe(
    Flag.withDescription("The port, on this machine alone. Default: 4400"),
    Flag.withDefault(4400)
  ),
  readOnly: Flag.Boolean("read-only").pipe(
    Flag.withDescription("Refuse everything that changes something"),
    Flag.withDefault(false)
  )
}, ({ port, readOnly }) => Effect.scoped(serve(port, readOnly))).pipe(
  Command.withDescription("Serve the dashboard to this machine, and print its URL with a token"),
  Command.withExamples([{
    command: "redis-workers dashboard --contracts ./contracts.ts",
    description: "With verdicts, dry runs and hidden fields"
  }])
)
