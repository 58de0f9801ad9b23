/**
 * Chromium for tests: one for each file, its pages in scopes. A page that logs an error, throws one or cannot load
 * something fails its test.
 */
import axe from "axe-core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as assert from "node:assert/strict"
import * as Playwright from "playwright-core"
import { chromium, missingChromium } from "../../scripts/chromium-binary.ts"

/** `--disable-quic` and the others keep the browser from talking to anybody but the page's server. */
const flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking " +
  "--disable-component-update --disable-sync"

export class Browser extends Context.Service<Browser, Playwright.Browser>()(
  "effect-redis-workers/test/Browser"
) {}

/** A browser with a profile of its own, which is removed with it. */
export const layer = Layer.effect(
  Browser,
  Effect.acquireRelease(
    Effect.promise(() => {
      const executablePath = chromium()
      if (executablePath === undefined) throw new Error(missingChromium())
      return Playwright.chromium.launch({ executablePath, args: flags.split(" ") })
    }),
    (browser) => Effect.promise(() => browser.close())
  )
)

/** How a page is shown; each test may change parts of it. */
export const looks = {
  light: { viewport: { width: 1280, height: 800 }, colorScheme: "light" },
  dark: { viewport: { width: 1280, height: 800 }, colorScheme: "dark" },
  phone: { viewport: { width: 390, height: 780 }, colorScheme: "light", isMobile: true, hasTouch: true }
} as const satisfies { readonly [name: string]: Playwright.BrowserContextOptions }

export interface Opened {
  readonly page: Playwright.Page
  /** What went wrong in the page so far: console errors, exceptions, requests that failed. */
  readonly problems: Array<string>
}

/** Opens a page with cookies and storage of its own, for as long as the scope. */
export const open = (
  url: string,
  options: Playwright.BrowserContextOptions = looks.light
): Effect.Effect<Opened, never, Browser | Scope.Scope> =>
  Effect.gen(function*() {
    const browser = yield* Browser
    const context = yield* Effect.acquireRelease(
      Effect.promise(() => browser.newContext(options)),
      (context) => Effect.promise(() => context.close())
    )
    const page = yield* Effect.promise(() => context.newPage())
    const problems: Array<string> = []
    page.on("pageerror", (error) => problems.push(`exception: ${error.message}`))
    page.on("console", (message) => {
      if (message.type() === "error") problems.push(`console: ${message.text()}`)
    })
    page.on("requestfailed", (request) => {
      const why = request.failure()?.errorText
      // A request that the page itself gives up, as it does with its events when it is left.
      if (why !== "net::ERR_ABORTED") problems.push(`request: ${request.url()} ${why}`)
    })
    yield* Effect.promise(() => page.goto(url))
    return { page, problems }
  })

/** What axe-core finds serious or critical, with the first places of each. */
export const seriousFindings = (page: Playwright.Page): Effect.Effect<ReadonlyArray<string>> =>
  Effect.promise(async () => {
    await page.evaluate(axe.source)
    return page.evaluate<ReadonlyArray<string>>(
      "axe.run().then(({ violations }) => violations" +
        ".filter(({ impact }) => impact === 'serious' || impact === 'critical')" +
        ".map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).slice(0, 3).join(' ')))"
    )
  })

/** Fails on any problem of the page, and on any serious finding. */
export const assertSound = ({ page, problems }: Opened): Effect.Effect<void> =>
  Effect.map(seriousFindings(page), (findings) => {
    assert.deepEqual({ problems, findings }, { problems: [], findings: [] })
  })
