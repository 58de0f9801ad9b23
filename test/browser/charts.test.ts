/** Charts: what workers counted, interval by interval. */
import { assert, layer } from "@effect/vitest"
import * as Layer from "effect/Layer"
import * as Browser from "../support/browser.ts"
import { visit } from "../support/dashboardPage.ts"
import * as Dashboard from "../support/dashboardWorld.ts"

const started = 120_000

layer(Layer.merge(Dashboard.layer, Browser.layer), { excludeTestServices: true, timeout: started })("a chart", (it) => {
  it.effect(
    "shows throughput, latency and outcomes as they are in Redis, in words and in lines",
    () =>
      visit("/services/report", async (page) => {
        // 46 minutes with 12 actions each.
        const throughput = page.getByRole("img", { name: "Throughput: 552 actions ended in this time" })
        await throughput.waitFor()
        await page.getByRole("img", { name: "Outcomes: 460 succeeded, 0 retries, 46 rejected or expired, 46 dead" })
          .waitFor()
        await page.getByRole("img", { name: /^Latency: the highest 99th percentile was (8|9)\d\d ms$/ }).waitFor()
        const row = page.getByRole("row", { name: /report\.render/ })
        assert.match(await row.innerText(), /460\s+0\s+46\s+0\s+46\s+2[2-7]\d ms\s+(8|9)\d\d ms\s+(8|9)\d\d ms/)
        const [line] = await throughput.locator("path.line").all()
        const path = await line!.getAttribute("d") ?? ""
        // 12 of at most 20, in a plot of 100: 40 from above.
        assert.strictEqual(path.split("L").filter((point) => point.endsWith(" 40")).length, 46)
        assert.isAtLeast(path.split("L").filter((point) => point.endsWith(" 100")).length, 10)
      }),
    started
  )

  it.effect(
    "tells the numbers of the interval under the pointer, with its time",
    () =>
      visit("/services/report", async (page) => {
        const chart = page.locator("figure").filter({ hasText: "Throughput" })
        const plot = chart.getByRole("img")
        await plot.waitFor()
        await plot.hover()
        await chart.getByText(/^ended 12$/).waitFor()
        await chart.getByText(/^\d\d:\d\d$/).first().waitFor()
        await page.getByRole("heading", { level: 1 }).hover()
        await chart.getByText(/^ended$/).waitFor()
      }),
    started
  )

  it.effect("is of one type if that is chosen, and its URL says so", () =>
    visit("/services/payment", async (page) => {
      await page.getByRole("link", { name: "Charts of payment.refund" }).click()
      await page.getByRole("heading", { name: "Activity of payment.refund" }).waitFor()
      await page.getByRole("img", {
        name: /^Outcomes: [\d,]+ succeeded, 0 retries, 0 rejected or expired, (0|60) dead$/
      }).waitFor()
      assert.match(page.url(), /type=payment\.refund/)
      await page.getByRole("link", { name: "Charts of all types instead of payment.refund" }).click()
      await page.getByRole("heading", { name: "Activity", exact: true }).waitFor()
    }), started)

  it.effect(
    "has other ranges, and its own words where nothing was counted",
    () =>
      visit("/services/report", async (page) => {
        await page.getByRole("link", { name: "3 h" }).click()
        await page.getByRole("img", { name: "Throughput: 552 actions ended in this time" }).waitFor()
        await page.getByRole("link", { name: "Services" }).click()
        await page.getByRole("img", { name: "552 ended in the last hour, 46 of them dead" }).waitFor()
        await page.getByRole("row", { name: /^report/ }).getByText("report.render").waitFor()
        await page.getByRole("link", { name: "ledger", exact: true }).click()
        await page.getByText("Nothing ended in this time").waitFor()
        assert.strictEqual(await page.locator("figure").count(), 0)
      }),
    started
  )
})
