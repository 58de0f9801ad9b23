/** Every page of the dashboard: sound, accessible and no wider than the window, in light, in dark and on a phone. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { mkdirSync } from "node:fs"
import type { Page } from "playwright-core"
import * as Browser from "../support/browser.ts"
import * as Dashboard from "../support/dashboardWorld.ts"

const started = 120_000

/** The images that the documentation shows are written by `UPDATE_DOCS=1`; all others are only for the eye. */
const inDocs = new Set(["overview-light", "service-light", "dead-letters-dark"])
const images = "node_modules/.cache/dashboard"

const pathOf = (name: string): string =>
  `${process.env["UPDATE_DOCS"] === "1" && inDocs.has(name) ? "docs/images" : images}/dashboard-${name}.png`

const rows = "tbody tr"

const pages: ReadonlyArray<readonly [name: string, path: string, wait: string, then?: (page: Page) => Promise<void>]> =
  [
    ["overview", "/", rows],
    ["service", "/services/payment?tab=retrying", rows],
    ["waiting", "/services/report", rows],
    ["running", "/services/payment?tab=running", rows],
    ["scheduled", "/services/mail?tab=scheduled", rows],
    ["schedules", "/services/mail?tab=schedules", rows],
    ["lanes", "/services/sync?tab=lanes", "[aria-label=Lanes] tbody tr"],
    ["queued", "/services/sync?tab=queued", rows],
    ["consumers", "/services/payment?tab=consumers", rows],
    ["empty", "/services/report?tab=retrying", ".card >> text=Nothing is retrying"],
    ["dead-letters", "/services/payment/dead", rows],
    ["no-dead-letters", "/services/mail/dead", "text=Nothing has failed for good"],
    ["letters", "/services/payment/dead/letters?reason=rejected&errorType=CardDeclined", rows],
    ["letter", "/services/payment/dead/letters?reason=rejected&errorType=CardDeclined", rows, async (page) => {
      await page.locator("tbody td.code a").first().click()
      await page.getByRole("button", { name: "Show the payload" }).click()
      await page.locator("pre").waitFor()
    }],
    ["action", "/services/payment?tab=retrying", rows, async (page) => {
      await page.locator("tbody td.code a").first().click()
      await page.locator(".way").waitFor()
    }],
    ["question", "/services/payment", ".tabs", async (page) => {
      await page.getByRole("button", { name: "Pause", exact: true }).click()
      await page.getByRole("dialog").waitFor()
    }],
    ["dry-run", "/services/payment/dead", rows, async (page) => {
      await page.getByRole("button", { name: "Dry run" }).click()
      await page.getByRole("dialog").waitFor()
    }],
    ["audit", "/audit", rows],
    ["no-service", "/services/paymnet?live=off", "[role=alert]"],
    ["no-page", "/services/payment/nothing", "text=There is no such page"]
  ]

const looks = [
  ["light", { width: 1280, height: 800 }, "light"],
  ["dark", { width: 1280, height: 800 }, "dark"],
  ["phone", { width: 390, height: 780 }, "light"]
] as const

mkdirSync(images, { recursive: true })

layer(Layer.merge(Dashboard.layer, Browser.layer), { excludeTestServices: true, timeout: started })(
  "the page",
  (it) => {
    it.effect("of the audit has something to show", () =>
      Effect.gen(function*() {
        const { url } = yield* Dashboard.World
        const { page } = yield* Browser.open(url)
        const verb = (service: string, body: unknown) =>
          Effect.promise(() =>
            page.evaluate<number, readonly [string, string]>(
              ([service, body]) =>
                fetch(`/api/services/${service}/verbs`, {
                  method: "POST",
                  body,
                  headers: { "content-type": "application/json", "x-redis-workers": "dashboard" }
                }).then(({ status }) => status),
              [service, JSON.stringify(body)]
            )
          )
        assert.strictEqual(
          yield* verb("mail", { verb: "pause", actionType: "mail.digest", reason: "the template is being fixed" }),
          200
        )
        assert.strictEqual(yield* verb("mail", { verb: "trigger", schedule: "newsletter" }), 200)
        assert.strictEqual(yield* verb("payment", { verb: "trigger", schedule: "nothing" }), 404)
      }), started)

    for (const [name, path, wait, then] of pages) {
      it.effect(
        `${name} is sound and no wider than the window, in light, in dark and on a phone`,
        () =>
          Effect.gen(function*() {
            const { url } = yield* Dashboard.World
            const opened = yield* Browser.open(url + path)
            const { page } = opened
            yield* Effect.promise(async () => {
              await page.locator("main h1").waitFor()
              await page.locator(wait).first().waitFor()
              await then?.(page)
            })
            for (const [look, viewport, colorScheme] of looks) {
              yield* Effect.promise(async () => {
                await page.setViewportSize(viewport)
                await page.emulateMedia({ colorScheme })
                await page.mouse.move(0, 0)
                await page.screenshot({ path: pathOf(`${name}-${look}`) })
                assert.isFalse(
                  await page.evaluate<boolean>("document.documentElement.scrollWidth > innerWidth"),
                  `${look}: the page is wider than the window`
                )
              })
              // The browser logs the answer that the page shows.
              if (name === "no-service") {
                opened.problems.length = 0
              }
              yield* Browser.assertSound(opened)
            }
          }),
        started
      )
    }
  }
)
