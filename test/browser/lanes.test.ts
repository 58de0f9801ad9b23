/** The lanes of a service in the dashboard: who holds them, who waits, what is stopped, and its verbs. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Page } from "playwright-core"
import * as Browser from "../support/browser.ts"
import { confirm, told, visit } from "../support/dashboardPage.ts"
import * as Dashboard from "../support/dashboardWorld.ts"
import { until } from "../support/until.ts"

const started = 120_000

const lanes = "/services/sync?tab=lanes"

const table = (page: Page) => page.getByRole("region", { name: "Lanes", exact: true })
const queue = (page: Page) => page.getByRole("region", { name: "Actions that are queued" }).locator("tbody tr")
const limits = (page: Page) => page.getByRole("region", { name: "Limits of lanes" })
const showKeys = (page: Page) => page.getByRole("button", { name: "Show the keys" }).click()

layer(Layer.merge(Dashboard.layer, Browser.layer), { excludeTestServices: true, timeout: started })("a lane", (it) => {
  it.effect(
    "shows who holds it and who waits since when, and its key only when it is asked for",
    () =>
      visit(lanes, async (page) => {
        const bodies: Array<Promise<string>> = []
        page.on("response", (response) => {
          if (response.url().includes("/lanes")) bodies.push(response.text().catch(() => ""))
        })
        await table(page).getByRole("row").nth(4).waitFor()
        await page.reload()
        await table(page).getByRole("row").nth(4).waitFor()
        assert.notMatch((await Promise.all(bodies)).join(""), /acme|globex|broken/)
        await showKeys(page)
        const row = table(page).getByRole("row", { name: /sync\.push acme/ })
        await row.waitFor()
        assert.match(await row.innerText(), /sync\.push\s+acme\s+open\s+1\s+\d+-\d+ .*(ago|now)\s+11\s+.*(ago|now)/)
        await row.getByRole("link", { name: /^\d+-\d+$/ }).click()
        await page.getByRole("heading", { name: "sync.push" }).waitFor()
        await page.locator(".way").getByText("Runs").waitFor()
      }),
    started
  )

  it.effect("shows what waits in it in its order, and lets go of one that is cancelled", () =>
    Effect.gen(function*() {
      yield* visit(lanes, async (page) => {
        await showKeys(page)
        await table(page).getByRole("row", { name: /sync\.push acme/ }).getByRole("link", { name: "11", exact: false })
          .last().click()
        await page.getByText("What waits in the lane").waitFor()
        await queue(page).nth(10).waitFor()
        await confirm(page, "Cancel", queue(page).nth(10))
        await told(page, "Cancel: 1 done")
        await queue(page).nth(10).waitFor({ state: "detached" })
        assert.strictEqual(await queue(page).count(), 10)
      })
      const { inspector } = yield* Dashboard.World
      const found = (yield* Effect.orDie(inspector.lanes("sync", { keys: true }))).lanes.find(({ key }) =>
        key === "acme"
      )
      assert.strictEqual(found?.waiting, 10)
    }), started)

  it.effect(
    "that a dead letter halted is seen in the overview, leads to the letter, and goes on when it is resumed",
    () =>
      Effect.gen(function*() {
        yield* visit("/", async (page) => {
          await page.getByText(/a halted lane in sync/).waitFor()
          await page.getByRole("row", { name: /^sync .*halted lane/ }).getByRole("link", { name: "sync", exact: true })
            .click()
          await page.getByRole("link", { name: "lanes", exact: true }).click()
          await page.getByRole("link", { name: "Paused or halted (1 halted)" }).click()
          await table(page).getByRole("row").nth(1).waitFor()
          assert.strictEqual(await table(page).getByRole("row").count(), 2)
          const row = table(page).getByRole("row").nth(1)
          assert.match(await row.innerText(), /sync\.apply\s+\S+\s+halted\s+.*(ago|now)/)
          await row.getByRole("link", { name: "by a dead letter" }).click()
          await page.getByText("the balance does not add up").first().waitFor()
          await page.goBack()
          await confirm(page, "Resume", table(page).getByRole("row").nth(1))
          await told(page, "Resume: 1 done")
          await page.getByText("No lane is paused or halted").waitFor()
        })
        const { inspector } = yield* Dashboard.World
        const through = Effect.map(
          Effect.orDie(inspector.laneNames("sync")),
          (names) => names.find(({ type }) => type === "sync.apply")?.waiting === 0
        )
        yield* until("what waited behind the letter has run", through)
      }),
    started
  )

  it.effect("is paused for some seconds, and opens by itself", () =>
    visit(lanes, async (page) => {
      await showKeys(page)
      const row = table(page).getByRole("row", { name: /sync\.push globex/ })
      await row.getByRole("button", { name: /^Pause/ }).click()
      const dialog = page.getByRole("dialog")
      await dialog.getByLabel("Ends after").fill("4")
      await dialog.getByLabel("Unit").selectOption("seconds")
      await dialog.getByRole("button", { name: "Pause" }).click()
      await row.getByText("paused, ends").waitFor()
      await row.getByText("open").waitFor()
    }), started)

  it.effect("gets other limits, and those of its contract again", () =>
    Effect.gen(function*() {
      const { inspector } = yield* Dashboard.World
      const rules = Effect.map(
        Effect.orDie(inspector.laneNames("sync")),
        (names) => names.find(({ type }) => type === "sync.push")!.rules
      )
      yield* visit(lanes, async (page) => {
        const row = limits(page).getByRole("row", { name: /^sync\.push/ })
        await row.getByText("1 at once, all keys: 3 at once").waitFor()
        await row.getByRole("button", { name: /^Limit/ }).click()
        const dialog = page.getByRole("dialog")
        await dialog.getByLabel("At once, for each key").fill("2")
        await dialog.getByLabel("Starts, for each key").fill("5")
        await dialog.getByLabel("in how many seconds").fill("10")
        await dialog.getByRole("button", { name: "Limit" }).click()
        await row.getByText("2 at once, 5 per 10s, all keys: 3 at once").waitFor()
        await row.getByText("changed").waitFor()
        assert.strictEqual((await Effect.runPromise(rules)).concurrency, 2)
        await confirm(page, "Limit", row)
        await row.getByText("changed").waitFor({ state: "detached" })
      })
      assert.strictEqual((yield* rules).concurrency, 1)
    }), started)

  it.effect("shows markup in its key as text", () =>
    visit(lanes, async (page) => {
      await showKeys(page)
      await table(page).getByText(Dashboard.markup("key")).waitFor()
      assert.isUndefined(await page.evaluate("window.hacked"))
      assert.strictEqual(await page.locator("#app img, #app script").count(), 0)
    }), started)

  it.effect("has no verbs where the dashboard is read-only", () =>
    visit(lanes, async (page) => {
      await table(page).getByRole("row").nth(1).waitFor()
      await page.getByText("read-only").waitFor()
      assert.strictEqual(await page.locator("main").getByRole("button", { name: /^(Pause|Resume|Limit)/ }).count(), 0)
    }, { which: "readOnlyUrl" }), started)
})
