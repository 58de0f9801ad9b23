/** Live updates, several browsers, the keyboard alone, and a phone. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Page } from "playwright-core"
import * as Browser from "../support/browser.ts"
import { confirm, firstId, rowOf, told, visit } from "../support/dashboardPage.ts"
import * as Dashboard from "../support/dashboardWorld.ts"

const started = 120_000

const deadIn = (page: Page) => page.locator("tbody tr").filter({ hasText: "payment" }).locator("td.number").first()

layer(Layer.merge(Dashboard.layer, Browser.layer), { excludeTestServices: true, timeout: started })("a page", (it) => {
  it.effect("follows what happens, and keeps still while its updates are paused", () =>
    Effect.gen(function*() {
      const { decline } = yield* Dashboard.World
      yield* visit("/", async (page) => {
        await deadIn(page).getByText("304", { exact: true }).waitFor()
        await Effect.runPromise(decline(5))
        await deadIn(page).getByText("309", { exact: true }).waitFor()

        await page.getByRole("button", { name: "Pause updates" }).click()
        const requests: Array<string> = []
        page.on("request", (request) => requests.push(request.url()))
        await Effect.runPromise(decline(5))
        await Effect.runPromise(Effect.flatMap(Effect.sync(() => undefined), () => Effect.sleep("3 seconds")))
        await deadIn(page).getByText("309", { exact: true }).waitFor()
        assert.deepStrictEqual(requests, [])

        await page.getByRole("button", { name: "Resume updates" }).click()
        await deadIn(page).getByText("314", { exact: true }).waitFor()
      })
    }), started)

  it.effect(
    "shows what its own verb did, though its updates are paused",
    () =>
      visit("/services/payment?tab=retrying&live=off", async (page) => {
        const id = await firstId(page)
        await confirm(page, "Cancel", rowOf(page, id))
        await told(page, "Cancel: 1 done")
        await rowOf(page, id).waitFor({ state: "detached" })
        await page.getByRole("button", { name: "Resume updates" }).waitFor()
      }),
    started
  )

  it.effect(
    "says that there are no updates while the server cannot be reached, and goes on by itself",
    () =>
      visit("/", async (page, problems) => {
        await deadIn(page).waitFor()
        await page.context().setOffline(true)
        await page.route("**/api/live", (route) => route.abort())
        await page.reload().catch(() => undefined)
        await page.context().setOffline(false)
        await page.reload()
        await page.getByRole("alert").getByText("No updates: the dashboard's server does not answer").waitFor()
        await page.unroute("**/api/live")
        await page.getByRole("alert").waitFor({ state: "detached" })
        problems.length = 0
      }),
    started
  )

  it.effect("shows in two browsers what one of them did", () =>
    Effect.gen(function*() {
      const { url } = yield* Dashboard.World
      const [first, second] = [
        yield* Browser.open(`${url}/services/mail`),
        yield* Browser.open(`${url}/services/mail`, Browser.looks.dark)
      ]
      yield* Effect.promise(async () => {
        await first.page.getByRole("button", { name: "Pause", exact: true }).click()
        await first.page.getByLabel("Reason").fill("seen by both")
        await first.page.getByRole("dialog").getByRole("button", { name: "Pause" }).click()
        await second.page.getByText("service paused: seen by both").waitFor()
        await confirm(second.page, "Resume")
        await first.page.getByText("service paused").waitFor({ state: "detached" })
        // Both may act on the same letter: the second is told that it was too late.
        for (const { page } of [first, second]) {
          await page.goto(`${url}/services/payment/dead/letters?errorType=CardDeclined&live=off`)
          await page.locator("tbody").getByRole("checkbox").first().check()
        }
        await confirm(first.page, "Discard selected")
        await told(first.page, "Discard selected: 1 done")
        await confirm(second.page, "Discard selected")
        await told(second.page, /^Discard selected: 0 done, 1 left as they were/)
      })
      for (const { problems } of [first, second]) assert.deepStrictEqual(problems, [])
    }), started)

  it.effect("is used with the keyboard alone, and the focus is always somewhere", () =>
    visit("/", async (page) => {
      await deadIn(page).waitFor()
      const focused = () =>
        page.evaluate<string>(
          "(document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText).trim()"
        )
      /** Presses Tab until the focus is on it, as a person would. */
      const reach = async (name: string | RegExp) => {
        for (let press = 0; press < 200; press++) {
          const found = await focused()
          if (typeof name === "string" ? found === name : name.test(found)) return
          await page.keyboard.press("Tab")
        }
        assert.fail(`no Tab reaches ${name}`)
      }
      await page.keyboard.press("Tab")
      assert.strictEqual(await focused(), "Skip to the content")
      await page.keyboard.press("Enter")
      await reach("payment")
      await page.keyboard.press("Enter")
      await page.getByRole("heading", { name: "payment", exact: true }).waitFor()
      assert.strictEqual(await page.evaluate("document.activeElement.id"), "main")
      await reach(/^retrying \d+$/)
      await page.keyboard.press("Enter")
      await page.locator("tbody tr").first().waitFor()
      await reach(/^Bury payment\.capture/)
      const button = await focused()
      await page.keyboard.press("Enter")
      await page.getByRole("dialog").waitFor()
      await page.keyboard.press("Escape")
      await page.getByRole("dialog").waitFor({ state: "detached" })
      assert.strictEqual(await focused(), button)
      await page.keyboard.press("Enter")
      await reach("Bury")
      await page.keyboard.press("Space")
      await told(page, "Bury: 1 done")
      await page.locator(":focus").waitFor({ state: "attached" })
    }), started)

  it.effect("is used on a phone, by touch, without scrolling sideways", () =>
    visit("/", async (page) => {
      const narrow = async () =>
        assert.isFalse(await page.evaluate<boolean>("document.documentElement.scrollWidth > innerWidth"), page.url())
      await deadIn(page).waitFor()
      await narrow()
      await page.getByRole("link", { name: "payment" }).tap()
      await page.getByRole("link", { name: /^retrying/ }).tap()
      const id = await firstId(page)
      await narrow()
      await rowOf(page, id).getByRole("link").tap()
      await page.locator(".way").waitFor()
      await narrow()
      await page.getByRole("button", { name: /^Cancel/ }).tap()
      await page.getByRole("dialog").getByRole("button", { name: "Cancel", exact: true }).tap()
      await page.getByText("It ended, or it never existed").waitFor()
      await narrow()
      await page.goBack()
      await firstId(page)
      const small = await page.evaluate<ReadonlyArray<string>>(
        "[...document.querySelectorAll('button, input, .tabs a')].filter((element) => {" +
          " const { width, height } = element.getBoundingClientRect(); return width > 0 && (width < 24 || height < 24) })" +
          ".map((element) => element.outerHTML.slice(0, 80))"
      )
      assert.deepStrictEqual(small.filter((html) => !html.includes("checkbox")), [])
    }, { look: Browser.looks.phone }), started)

  it.effect(
    "has a URL for every view, which shows the same when it is opened again",
    () =>
      visit("/services/payment", async (page) => {
        await page.getByRole("link", { name: "24 h" }).click()
        await page.getByRole("link", { name: /^retrying/ }).click()
        await page.getByRole("textbox", { name: "Only this type" }).fill("payment.capture")
        await page.getByRole("button", { name: "Filter" }).click()
        await page.getByRole("link", { name: "All types" }).waitFor()
        await page.reload()
        await page.getByRole("link", { name: "All types" }).waitFor()
        for (const name of [/^24 h$/, /^retrying/]) {
          assert.strictEqual(await page.getByRole("link", { name }).getAttribute("aria-current"), "page")
        }
        await firstId(page)
        await page.goBack()
        await page.getByRole("link", { name: "All types" }).waitFor({ state: "detached" })
      }),
    started
  )
})
