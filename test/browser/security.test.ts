/** The sentences of docs/dashboard.md about security that need a real server: each is a test here or in access.test.ts. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { HttpRouter } from "effect/http"
import * as Layer from "effect/Layer"
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import { networkInterfaces } from "node:os"
import { gzipSync } from "node:zlib"
import * as DashboardModule from "../../src/Dashboard.ts"
import * as Inspector from "../../src/Inspector.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Browser from "../support/browser.ts"
import * as CommandLine from "../support/commandLine.ts"
import { visit } from "../support/dashboardPage.ts"
import * as Dashboard from "../support/dashboardWorld.ts"
import * as Server from "../support/redisServer.ts"

const started = 120_000

const read = (url: string, headers: Record<string, string> = {}) =>
  Effect.promise(async () => {
    const response = await fetch(url, { headers, redirect: "manual" })
    return { status: response.status, body: await response.text(), headers: response.headers }
  })

/** Everything that the API returns without being asked for payloads. */
const reads = [
  "/api/session",
  "/api/services",
  "/api/services/payment",
  "/api/services/payment/statistics",
  "/api/services/payment/schedules",
  "/api/services/payment/dead/groups",
  "/api/services/payment/dead/letters",
  "/api/services/payment/dead/dry-run",
  "/api/services/sync/lanes",
  "/api/services/sync/lanes/names",
  ...["waiting", "running", "retrying", "scheduled", "queued", "dead"].flatMap((state) =>
    ["payment", "mail", "report", "sync"].map((service) => `/api/services/${service}/actions/${state}`)
  ),
  "/api/audit"
]

/** Parts of payloads of every service. */
const secret = /order \d|declined \d|sales \d|@example\.com|acme"|globex|4242 4242/

layer(Layer.merge(Dashboard.layer, Browser.layer), { excludeTestServices: true, timeout: started })(
  "the dashboard",
  (it) => {
    it.effect("returns no payload and no key of a lane unless it is asked for one", () =>
      Effect.gen(function*() {
        const { url } = yield* Dashboard.World
        for (const path of reads) {
          const { body, status } = yield* read(url + path)
          assert.strictEqual(status, 200, path)
          assert.notMatch(body, secret, path)
        }
        const keys = yield* read(`${url}/api/services/sync/lanes?keys=yes`)
        assert.match(keys.body, /"key":"acme"/)
      }), started)

    it.effect("withholds a payload with a redacted field that does not fit its contract", () =>
      Effect.gen(function*() {
        const { cli, key, url } = yield* Dashboard.World
        const data = { order: 7, card: Dashboard.card }
        const id = "00000000-0000-4000-8000-00000000000a"
        const action = { action_id: id, action_type: "payment.charge", timestamp: "2026-01-01T00:00:00.000000Z", data }
        // Dead letters of payment, and an entry of a service without a worker.
        yield* cli("XADD", key("ledger", "streams", "main"), "*", "data", JSON.stringify(action))
        const { body } = yield* read(`${url}/api/services/ledger/action?by=action&id=${id}&payload=yes`)
        assert.include(body, "\"withheld\":\"")
        assert.notInclude(body, Dashboard.card)
      }), started)

    it.effect("does not do a verb that it cannot write to the audit", () =>
      Effect.gen(function*() {
        const { cli, inspector, key, url } = yield* Dashboard.World
        yield* cli("SET", key("report", "audit"), "not a stream")
        const response = yield* Effect.promise(() =>
          fetch(`${url}/api/services/report/verbs`, {
            method: "POST",
            body: "{\"verb\":\"resume\"}",
            headers: { "content-type": "application/json", "x-redis-workers": "dashboard", origin: url }
          })
        )
        assert.strictEqual(response.status, 503)
        assert.strictEqual((yield* Effect.orDie(inspector.pauses("report"))).length, 1)
        yield* cli("DEL", key("report", "audit"))
      }), started)

    it.effect("keeps about 10,000 entries in the audit of a service", () =>
      Effect.gen(function*() {
        const { cli, key } = yield* Dashboard.World
        const fill =
          "for i = 1, 11000 do redis.call('XADD', KEYS[1], '*', 'user', 'ana', 'verb', 'pause', 'subject', '{}') end"
        yield* cli("EVAL", fill, "1", key("mail", "audit"))
        yield* visit("/services/mail?tab=schedules", async (page) => {
          await page.getByRole("button", { name: "Send now newsletter" }).click()
          await page.getByRole("dialog").getByRole("button", { name: "Send now" }).click()
          await page.getByRole("status").getByText("Sent the action").waitFor()
        })
        const length = Number(yield* cli("XLEN", key("mail", "audit")))
        assert.isBelow(length, 10_200)
        assert.isAbove(length, 9_900)
      }), started)

    it.effect(
      "has a policy under which the browser runs no inline script and loads nothing from elsewhere",
      () =>
        visit("/", async (page, problems) => {
          await page.locator("tbody tr").first().waitFor()
          const found = await page.evaluate<
            { readonly violated: ReadonlyArray<string>; readonly ran: boolean; readonly thrown: number }
          >(
            `new Promise((resolve) => {
          const violated = []
          document.addEventListener("securitypolicyviolation", (event) => violated.push(event.effectiveDirective))
          let thrown = 0
          const attempt = (use) => { try { use() } catch { thrown++ } }
          const add = (name, set) => { const element = document.createElement(name); set(element); document.body.append(element) }
          // The tools of the browser may do what the page may not, so the page does it, a little later.
          setTimeout(() => {
            attempt(() => { document.body.insertAdjacentHTML("beforeend", "<b>x</b>") })
            attempt(() => add("script", (script) => { script.textContent = "window.hacked = 1" }))
            attempt(() => { new Function("window.hacked = 1")() })
            attempt(() => add("style", (style) => { style.textContent = "body { display: none }" }))
            attempt(() => add("img", (image) => { image.src = "http://127.0.0.1:9/x.png" }))
            attempt(() => { fetch("http://127.0.0.1:9/").catch(() => undefined) })
          })
          setTimeout(() => resolve({ violated, thrown, ran: window.hacked !== undefined }), 300)
        })`
          )
          assert.isFalse(found.ran)
          for (const directive of ["style-src-elem", "img-src", "connect-src"]) {
            assert.include(found.violated, directive)
          }
          // The markup, the script and the code.
          assert.strictEqual(found.thrown, 3)
          problems.length = 0
        }),
      started
    )

    const outside = Object.values(networkInterfaces()).flatMap((found) => found ?? [])
      .find(({ family, internal }) => family === "IPv4" && !internal)?.address

    it.effect.skipIf(outside === undefined)(
      "refuses a client that is not on this machine, whatever its Host says",
      () =>
        Effect.gen(function*() {
          const { inspector, redisUrl: url } = yield* Dashboard.World
          const port = yield* Server.freePort
          yield* Layer.build(
            HttpRouter.serve(DashboardModule.layer(), { disableLogger: true, disableListenLog: true }).pipe(
              Layer.provide(Layer.succeed(Inspector.Inspector, inspector)),
              Layer.provide(NodeHttpServer.layer(createServer, { port, host: "0.0.0.0" })),
              Layer.provide(QueueNaming.layerOf(QueueNaming.make({ prefix: "demo", environment: "production" }))),
              Layer.provide(IoRedis.layerOptions({ url }))
            )
          )
          assert.strictEqual((yield* read(`http://127.0.0.1:${port}/api/session`)).status, 200)
          for (const path of ["/", "/app.js", "/api/session", "/api/live", "/api/openapi.json"]) {
            const { body, status } = yield* read(`http://${outside}:${port}${path}`)
            assert.strictEqual(status, 403, path)
            assert.include(body, "The client is not on this machine")
          }
        }).pipe(Effect.scoped),
      started
    )

    it.effect(
      "that the command serves has another token each time, and lists the services that a scan finds",
      () =>
        Effect.gen(function*() {
          const { redisUrl } = yield* Dashboard.World
          const tokens: Array<string> = []
          for (let run = 0; run < 2; run++) {
            const port = yield* Server.freePort
            const announced = Promise.withResolvers<string>()
            const look = async (url: string) => {
              const { origin } = new URL(url)
              const refused = await fetch(`${origin}/api/services`)
              const admitted = await fetch(url, { redirect: "manual" })
              const cookie = admitted.headers.get("set-cookie")!.split(";")[0]!
              const services = await fetch(`${origin}/api/services`, { headers: { cookie } })
              return { refused: refused.status, services: await services.text() }
            }
            const running = CommandLine.redisWorkers(redisUrl, ["dashboard", "--port", String(port)], {
              env: { QUEUE_PREFIX: "demo", ENVIRONMENT: "production" },
              until: (output) => {
                const url = /http:\/\/localhost:\d+\/\?token=(\S+)\n/.exec(output)
                if (url !== null) announced.resolve(url[0].trim())
                return false
              }
            })
            yield* Effect.race(
              running,
              Effect.promise(async () => {
                const url = await announced.promise
                tokens.push(new URL(url).searchParams.get("token")!)
                const { refused, services } = await look(url)
                assert.strictEqual(refused, 403)
                for (const name of ["ledger", "mail", "payment", "report", "sync"]) {
                  assert.include(services, `"service":"${name}"`)
                }
              })
            )
          }
          assert.strictEqual(tokens.length, 2)
          assert.notStrictEqual(tokens[0], tokens[1])
          for (const token of tokens) assert.isAtLeast(token.length, 32)
        }),
      started
    )

    it.effect("has at most 80 kB in all its files, compressed", () =>
      Effect.sync(() => {
        const size = ["index.html", "app.js", "app.css"]
          .map((name) => gzipSync(readFileSync(`dist/dashboard/${name}`)).length)
          .reduce((sum, length) => sum + length)
        assert.isAtMost(size, 80_000)
      }))
  }
)
