/** The dashboard in a browser, over a real server, with real workers and their failures. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, layer } from "@effect/vitest"
import axe from "axe-core"
import { Context, Effect, Layer, References } from "effect"
import { HttpRouter } from "effect/http"
import { mkdirSync } from "node:fs"
import { createServer } from "node:http"
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core"
import { begin, contracts, place } from "../../examples/demo/services.ts"
import { chromium as program } from "../../scripts/chromium-binary.ts"
import { Dashboard, Inspector, IoRedis } from "../../src/index.ts"
import * as Server from "../support/redisServer.ts"
import { until } from "../support/until.ts"

const started = 150_000
const actions = 2_000

const flags = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking " +
  "--disable-component-update --disable-sync"

class World extends Context.Service<World, {
  readonly url: string
  readonly readOnlyUrl: string
  readonly inspector: Inspector.Inspector["Service"]
  readonly browser: Browser
}>()("effect-redis-workers/test/browser/World") {}

const serving = (port: number, readOnly: boolean) =>
  HttpRouter.serve(Dashboard.layer({ readOnly }), { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(NodeHttpServer.layer(createServer, { port, host: "127.0.0.1" }))
  )

const WorldLayer = Layer.effect(
  World,
  Effect.gen(function*() {
    const { url } = yield* Server.RedisServer
    const port = yield* Server.freePort
    const readOnlyPort = yield* Server.freePort
    const { client, names, workers } = place("browser", url)
    const context = yield* Layer.build(
      Layer.mergeAll(client, workers, serving(port, false), serving(readOnlyPort, true)).pipe(
        Layer.provideMerge(Inspector.layerOptions({ contracts })),
        Layer.provide(names),
        Layer.provide(IoRedis.layerOptions({ url })),
        Layer.provide(Layer.succeed(References.MinimumLogLevel, "Error"))
      )
    )
    yield* Effect.provideContext(begin(actions), context)
    const inspector = Context.get(context, Inspector.Inspector)
    const failed = Effect.map(
      inspector.overview("payment"),
      ({ deadLetters, lag, retrying }) => lag === 0 && deadLetters >= 220 && retrying > 0
    )
    yield* until("the workers got through the load", failed, 60_000)
    const browser = yield* Effect.acquireRelease(
      Effect.promise(() => chromium.launch({ executablePath: program()!, args: flags.split(" ") })),
      (browser) => Effect.promise(() => browser.close())
    )
    return World.of({
      url: `http://localhost:${port}`,
      readOnlyUrl: `http://localhost:${readOnlyPort}`,
      inspector,
      browser
    })
  })
).pipe(Layer.provide(Server.layer()))

/** The images that the documentation shows are written by `UPDATE_DOCS=1`; all others are only for the eye. */
const inDocs = new Set(["overview-light", "dead-letters-dark", "letters-light"])
const images = "node_modules/.cache/dashboard"

const pathOf = (name: string): string =>
  `${process.env["UPDATE_DOCS"] === "1" && inDocs.has(name) ? "docs/images" : images}/dashboard-${name}.png`

/** Opens a page in a context of its own, and fails on any error of the page. */
const inPage = (
  path: string,
  use: (page: Page, errors: Array<string>) => Promise<void>,
  options: BrowserContextOptions & { readonly readOnly?: boolean } = {}
) =>
  Effect.flatMap(World, ({ browser, readOnlyUrl, url }) =>
    Effect.promise(async () => {
      const { readOnly, ...rest } = options
      const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...rest })
      const errors: Array<string> = []
      try {
        const page = await context.newPage()
        page.on("pageerror", (error) => errors.push(error.message))
        page.on("console", (message) => message.type() === "error" && errors.push(message.text()))
        await page.goto((readOnly === true ? readOnlyUrl : url) + path)
        await page.locator("main h1").waitFor()
        await use(page, errors)
        assert.deepStrictEqual(errors, [])
      } finally {
        await context.close()
      }
    }))

const seriousFindings = async (page: Page): Promise<unknown> => {
  await page.evaluate(axe.source)
  return page.evaluate(
    "axe.run().then(({ violations }) => violations" +
      ".filter(({ impact }) => impact === 'serious' || impact === 'critical')" +
      ".map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).slice(0, 3).join(' ')))"
  )
}

mkdirSync(images, { recursive: true })

layer(WorldLayer, { excludeTestServices: true, timeout: started })("the dashboard", (it) => {
  const look = [
    ["overview", "/", "table tbody tr"],
    ["service", "/services/payment?tab=retrying", ".tabs"],
    ["dead-letters", "/services/payment/dead", "table tbody tr"],
    ["letters", "/services/payment/dead/letters?reason=rejected", "table tbody tr"],
    ["schedules", "/services/mail?tab=schedules", "table tbody tr"],
    ["audit", "/audit", ".card"]
  ] as const
  for (const [name, path, part] of look) {
    for (
      const [kind, options] of [
        ["light", { colorScheme: "light" }],
        ["dark", { colorScheme: "dark" }],
        ["phone", { viewport: { width: 390, height: 780 }, colorScheme: "light" }]
      ] as const
    ) {
      it.effect(
        `shows ${name} (${kind}) without an error or a serious finding of axe-core`,
        () =>
          inPage(path, async (page) => {
            await page.locator(part).first().waitFor()
            assert.deepStrictEqual(await seriousFindings(page), [])
            const wide = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
            assert.isFalse(wide, "the page is wider than the window")
            await page.screenshot({ path: pathOf(`${name}-${kind}`) })
          }, options),
        started
      )
    }
  }

  it.effect(
    "shows a payload only when asked, and never a redacted field",
    () =>
      inPage("/services/payment/dead/letters?reason=rejected", async (page) => {
        const bodies: Array<string> = []
        page.on("response", (response) => {
          if (response.url().includes("/action?")) void response.text().then((text) => bodies.push(text))
        })
        await page.locator("tbody td.code a").first().click()
        await page.getByRole("button", { name: "Show the payload" }).waitFor()
        assert.notInclude(await page.locator("main").innerText(), "declined")
        await page.getByRole("button", { name: "Show the payload" }).click()
        await page.locator("pre").waitFor()
        assert.include(await page.locator("pre").innerText(), "declined")
        assert.isAtLeast(bodies.length, 1)
        for (const body of bodies) assert.notInclude(body, "4242")
      }),
    started
  )

  it.effect(
    "replays a selected letter after a question, and writes it to the audit",
    () =>
      inPage("/services/payment/dead/letters?reason=rejected", async (page) => {
        const box = page.locator("tbody input[type=checkbox]").first()
        const label = await box.getAttribute("aria-label")
        await box.check()
        await page.getByRole("button", { name: "Replay selected" }).click()
        await page.getByRole("dialog").getByRole("button", { name: "Replay selected" }).click()
        await page.getByRole("status").getByText("1 done").waitFor()
        await page.locator(`input[aria-label="${label}"]`).waitFor({ state: "detached" })
        await page.getByRole("link", { name: "Audit" }).click()
        const row = page.locator("tbody tr").first()
        await row.getByText("done: 1").waitFor()
        assert.match(await row.innerText(), /local\s+replay\s+payment/)
      }),
    started
  )

  it.effect("discards all letters that match, in steps", () =>
    Effect.gen(function*() {
      const { inspector } = yield* World
      yield* inPage("/services/payment/dead/letters?reason=exhausted&errorType=ProcessingError", async (page) => {
        await page.locator("tbody tr").first().waitFor()
        await page.getByRole("button", { name: "Discard all…" }).click()
        await page.getByRole("dialog").getByRole("button", { name: "Discard all" }).click()
        await page.getByRole("dialog").getByText(/Ended: \d+ done/).waitFor()
      })
      const letters = yield* inspector.deadLetters("payment")
      const before = yield* letters.count({ errorType: "ProcessingError", olderThan: "30 seconds" })
      assert.strictEqual(before, 0)
    }), started)

  it.effect(
    "pauses a service for a second browser too, and resumes it there",
    () =>
      inPage("/services/report", async (first) => {
        const second = await first.context().newPage()
        await second.goto(first.url())
        await first.getByRole("button", { name: "Pause", exact: true }).click()
        await first.getByRole("dialog").getByRole("button", { name: "Pause", exact: true }).click()
        await second.getByText("service paused: dashboard").waitFor()
        await second.getByRole("button", { name: "Resume", exact: true }).click()
        await first.getByText("service paused: dashboard").waitFor({ state: "detached" })
      }),
    started
  )

  it.effect("stops updates when they are paused, and goes on when they are resumed", () =>
    inPage("/", async (page) => {
      const asOf = () => page.locator(".asof").innerText()
      const first = await asOf()
      await page.locator(".asof").filter({ hasNotText: first }).waitFor()
      await page.getByRole("button", { name: "Pause updates" }).click()
      const requests: Array<string> = []
      page.on("request", (request) => requests.push(request.url()))
      const paused = await asOf()
      await page.getByRole("button", { name: "Resume updates" }).click()
      await page.locator(".asof").filter({ hasNotText: paused }).waitFor()
      assert.isTrue(requests.every((url) => url.endsWith("/api/live")), requests.join(" "))
    }), started)

  it.effect(
    "has no verbs where it is read-only, and refuses those that are sent all the same",
    () =>
      inPage("/services/payment/dead/letters", async (page, errors) => {
        await page.getByText("read-only").waitFor()
        assert.strictEqual(await page.getByRole("button", { name: /Replay|Discard/ }).count(), 0)
        const status = await page.evaluate(
          "fetch('/api/services/payment/verbs', { method: 'POST', body: '{\"verb\":\"pause\"}', " +
            "headers: { 'content-type': 'application/json', 'x-redis-workers': 'dashboard' } }).then((r) => r.status)"
        )
        assert.strictEqual(status, 403)
        errors.length = 0
      }, { readOnly: true }),
    started
  )
})
