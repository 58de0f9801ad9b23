/** Access to the dashboard over HTTP: each sentence of docs/dashboard.md about security. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer, Redacted, References } from "effect"
import { HttpRouter } from "effect/http"
import { createServer, request as httpRequest } from "node:http"
import { begin, contracts, place } from "../../examples/demo/services.ts"
import { Dashboard, Inspector, IoRedis } from "../../src/index.ts"
import * as Server from "../support/redisServer.ts"

const started = 150_000
const token = "a token of this test"

interface Answer {
  readonly status: number
  readonly headers: { readonly [name: string]: string | ReadonlyArray<string> | undefined }
  readonly body: string
}

/** A request with any headers, also those that `fetch` forbids. */
const ask = (
  port: number,
  path: string,
  headers: { readonly [name: string]: string } = {},
  body?: string
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: "127.0.0.1", port, path, method: body === undefined ? "GET" : "POST", headers },
      (response) => {
        let text = ""
        response.setEncoding("utf8")
        response.on("data", (chunk: string) => {
          text += chunk
        })
        response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }))
      }
    )
    request.on("error", reject)
    request.end(body)
  })

class Ports extends Context.Service<Ports, {
  readonly open: number
  readonly guarded: number
  readonly withToken: number
  readonly mounted: number
  readonly redis: Server.Server
}>()("effect-redis-workers/test/browser/Ports") {}

const PortsLayer = Layer.effect(
  Ports,
  Effect.gen(function*() {
    const redis = yield* Server.RedisServer
    const { client, names, workers } = place("access", redis.url)
    const serve = (port: number, options: Dashboard.Options) =>
      HttpRouter.serve(Dashboard.layer(options), { disableLogger: true, disableListenLog: true }).pipe(
        Layer.provide(NodeHttpServer.layer(createServer, { port, host: "127.0.0.1" }))
      )
    const [open, guarded] = [yield* Server.freePort, yield* Server.freePort]
    const [withToken, mounted] = [yield* Server.freePort, yield* Server.freePort]
    const context = yield* Layer.build(
      Layer.mergeAll(
        client,
        workers,
        serve(open, {}),
        serve(guarded, {
          authorize: ({ headers }, { kind }) =>
            kind === "read" || headers["x-user"] === "ana"
              ? Effect.succeed(headers["x-user"] ?? "guest")
              : Effect.fail({ message: `guests may not ${kind}` })
        }),
        serve(mounted, { path: "/ops/queues" }),
        serve(withToken, { token: Redacted.make(token) })
      ).pipe(
        Layer.provide(Inspector.layerOptions({ contracts })),
        Layer.provide(names),
        Layer.provide(IoRedis.layerOptions({ url: redis.url })),
        Layer.provide(Layer.succeed(References.MinimumLogLevel, "Error"))
      )
    )
    yield* Effect.provideContext(begin(40), context)
    return Ports.of({ open, guarded, withToken, mounted, redis })
  })
).pipe(Layer.provide(Server.layer()))

const verb = JSON.stringify({ verb: "pause", actionType: "payment.refund", reason: "<script>alert(1)</script>" })
const verbs = "/api/services/payment/verbs"
const own = (port: number) => ({
  "content-type": "application/json",
  "x-redis-workers": "dashboard",
  origin: `http://127.0.0.1:${port}`
})

layer(PortsLayer, { excludeTestServices: true, timeout: started })("access to the dashboard", (it) => {
  const check = (name: string, body: (ports: Ports["Service"]) => Promise<void>) =>
    it.effect(name, () => Effect.flatMap(Ports, (ports) => Effect.promise(() => body(ports))), started)

  check(
    "is refused on the page, the API and the live stream if the request was forwarded or has a foreign Host",
    async ({ open }) => {
      for (
        const path of ["/", "/app.js", "/services/payment", "/audit", "/api/services", "/api/live", "/api/openapi.json"]
      ) {
        for (
          const headers of [
            { "x-forwarded-for": "127.0.0.1" },
            { "x-forwarded-host": "localhost" },
            { forwarded: "for=127.0.0.1" },
            { "x-real-ip": "127.0.0.1" },
            { via: "1.1 proxy" },
            { host: "evil.example.com" }
          ]
        ) {
          const { body, status } = await ask(open, path, headers)
          assert.strictEqual(status, 403, path + JSON.stringify(headers))
          assert.notInclude(body, "payment")
        }
      }
      assert.strictEqual((await ask(open, "/api/services")).status, 200)
    }
  )

  check("is had under the path of the option, and nowhere else", async ({ mounted }) => {
    const files = ["", "/", "/app.js", "/app.css", "/icon.svg"]
    for (const path of [...files, "/services/payment", "/audit", "/api/session", "/api/openapi.json"]) {
      assert.strictEqual((await ask(mounted, `/ops/queues${path}`)).status, 200, path)
    }
    assert.include((await ask(mounted, "/ops/queues")).body, "src=\"/ops/queues/app.js\"")
    assert.strictEqual((await ask(mounted, "/api/session")).status, 404)
  })

  check(
    "refuses a verb without JSON, without the own header, or from a foreign Origin, and does nothing",
    async ({ open, redis }) => {
      const good = own(open)
      for (
        const headers of [
          { ...good, "content-type": "text/plain" },
          { ...good, "x-redis-workers": "" },
          { ...good, origin: "https://evil.example.com" },
          { ...good, origin: "null" },
          { "content-type": good["content-type"], "x-redis-workers": good["x-redis-workers"] }
        ]
      ) {
        assert.strictEqual((await ask(open, verbs, headers, verb)).status, 403, JSON.stringify(headers))
      }
      const audit = await Effect.runPromise(redis.cli("EXISTS", "demo:access:payment:audit"))
      assert.strictEqual(String(audit), "0")
    }
  )

  check("sends the strict headers with every answer, also with errors", async ({ open }) => {
    for (const path of ["/", "/app.css", "/api/services", "/api/services/missing", "/api/audit"]) {
      const { headers } = await ask(open, path)
      assert.match(String(headers["content-security-policy"]), /default-src 'none'; script-src 'self'/, path)
      assert.strictEqual(headers["x-content-type-options"], "nosniff", path)
      assert.strictEqual(headers["cache-control"], "no-store", path)
    }
  })

  check("needs the token once in the URL and then in a cookie of its own", async ({ withToken }) => {
    assert.strictEqual((await ask(withToken, "/api/services")).status, 403)
    assert.strictEqual((await ask(withToken, "/")).status, 403)
    assert.strictEqual((await ask(withToken, "/?token=wrong")).status, 403)
    const admitted = await ask(withToken, `/?token=${encodeURIComponent(token)}`)
    assert.strictEqual(admitted.status, 303)
    assert.strictEqual(admitted.headers["location"], "/")
    const cookie = String(admitted.headers["set-cookie"])
    assert.match(cookie, /HttpOnly/)
    assert.match(cookie, /SameSite=Strict/)
    assert.strictEqual((await ask(withToken, "/api/services", { cookie: cookie.split(";")[0]! })).status, 200)
  })

  check("asks authorize for each kind of access, and says what it answered", async ({ guarded }) => {
    const action = "/api/services/payment/action?by=action&id=none&payload=yes"
    const refused = await ask(guarded, action)
    assert.strictEqual(refused.status, 403)
    assert.include(refused.body, "guests may not payload")
    assert.strictEqual((await ask(guarded, action, { "x-user": "ana" })).status, 200)
    assert.strictEqual((await ask(guarded, verbs, own(guarded), verb)).status, 403)
    assert.strictEqual((await ask(guarded, "/api/services", { "x-forwarded-for": "10.0.0.1" })).status, 200)
  })

  check(
    "writes a verb to the audit with the user's name, and hostile text arrives there as text",
    async ({ guarded }) => {
      assert.strictEqual((await ask(guarded, verbs, { ...own(guarded), "x-user": "ana" }, verb)).status, 200)
      const { body, headers } = await ask(guarded, "/api/audit")
      assert.match(String(headers["content-type"]), /^application\/json/)
      const [row] = JSON.parse(body) as ReadonlyArray<{ readonly [name: string]: string }>
      assert.strictEqual(row?.["user"], "ana")
      assert.strictEqual(row?.["verb"], "pause")
      assert.include(row?.["subject"], "<script>alert(1)</script>")
      assert.strictEqual(row?.["outcome"], "done: 1, left: 0")
    }
  )
})
