/** How the tests of the dashboard use its pages. */
import * as Effect from "effect/Effect"
import * as assert from "node:assert/strict"
import type { BrowserContextOptions, Page } from "playwright-core"
import * as Browser from "./browser.ts"
import { World } from "./dashboardWorld.ts"

/** Which of the dashboards of the world is opened. */
export type Which = "url" | "readOnlyUrl" | "watcherUrl"

/** Opens a page, uses it, and fails if anything went wrong in it. */
export const visit = <A>(
  path: string,
  use: (page: Page, problems: Array<string>) => Promise<A>,
  options: { readonly which?: Which; readonly look?: BrowserContextOptions } = {}
): Effect.Effect<A, never, World | Browser.Browser> =>
  Effect.scoped(Effect.gen(function*() {
    const world = yield* World
    const { page, problems } = yield* Browser.open(world[options.which ?? "url"] + path, options.look)
    const result = yield* Effect.promise(async () => {
      await page.locator("main h1").waitFor()
      return use(page, problems)
    })
    assert.deepEqual(problems, [])
    return result
  }))

/** Clicks a button and then the button of the same name in the question that follows. */
export const confirm = async (page: Page, name: string, from = page.locator("main")): Promise<void> => {
  await from.getByRole("button", { name: new RegExp(`^${name}(?: |$)`) }).first().click()
  await page.getByRole("dialog").getByRole("button", { name, exact: true }).click()
}

/** What the page says that came of a verb. */
export const told = (page: Page, text: string | RegExp): Promise<void> =>
  page.getByRole("status").getByText(text).first().waitFor()

/** The row of an action. */
export const rowOf = (page: Page, id: string) =>
  page.locator("tbody tr").filter({ has: page.getByTitle(id, { exact: true }) })

/** The ids of the actions in the list. */
export const idsIn = (page: Page): Promise<ReadonlyArray<string>> =>
  page.evaluate<ReadonlyArray<string>>(
    "[...document.querySelectorAll('tbody td.code a [title]')].map(({ title }) => title)"
  )

export const firstId = async (page: Page): Promise<string> => {
  await page.locator("tbody td.code a [title]").first().waitFor()
  return (await idsIn(page))[0]!
}
