/** What the dashboard refuses, and what hostile text does in it: nothing. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Page } from "playwright-core"
import * as Browser from "../support/browser.ts"
import { confirm, firstId, rowOf, told, visit } from "../support/dashboardPage.ts"
import * as Dashboard from "../support/dashboardWorld.ts"

const started = 120_000

/** Sends a verb as the page does, whatever the page shows. */
const post = (
  page: Page,
  service: string,
  verb: object
): Promise<{ readonly status: number; readonly message: string }> =>
  page.evaluate<{ readonly status: number; readonly message: string }, readonly [string, string]>(
    async ([service, body]) => {
      const response = await fetch(`/api/services/${service}/verbs`, {
        method: "POST",
        body,
        headers: { "content-type": "application/json", "x-redis-workers": "dashboard" }
      })
      return { status: response.status, message: (await response.json() as { message: string }).message }
    },
    [service, JSON.stringify(verb)]
  )

const refuted = (problems: Array<string>, status: number) => {
  // The browser logs every answer with such a status.
  const others = problems.filter((problem) => !problem.includes(`status of ${status}`))
  problems.length = 0
  assert.deepStrictEqual(others, [])
}

layer(Layer.merge(Dashboard.layer, Browser.layer), { excludeTestServices: true, timeout: started })(
  "the dashboard",
  (it) => {
    // ---------------------------------------------------------------------------
    // read-only
    // ---------------------------------------------------------------------------

    const verbs =
      /^(Pause|Resume|Cancel|Bury|Run now|Send now|Replay|Discard|Cancel all…|Replay all…|Discard all…)( |$)/

    for (
      const path of [
        "/services/payment?tab=retrying",
        "/services/report",
        "/services/mail?tab=scheduled",
        "/services/mail?tab=schedules",
        "/services/payment/dead",
        "/services/payment/dead/letters"
      ]
    ) {
      it.effect(`shows no verb on ${path} where it is read-only`, () =>
        visit(path, async (page) => {
          await page.locator("tbody tr").first().waitFor()
          await page.getByText("read-only").waitFor()
          assert.deepStrictEqual(await page.locator("main").getByRole("button", { name: verbs }).allInnerTexts(), [])
        }, { which: "readOnlyUrl" }), started)
    }

    it.effect(
      "refuses every verb that is sent all the same where it is read-only",
      () =>
        visit("/services/payment", async (page, problems) => {
          const id = "1-1"
          const before = new Date().toISOString()
          for (
            const verb of [
              { verb: "pause" },
              { verb: "resume" },
              { verb: "cancel", id, state: "waiting" },
              { verb: "retryNow", id, state: "retrying" },
              { verb: "bury", id, state: "waiting" },
              { verb: "replay", ids: [id] },
              { verb: "discard", ids: [id] },
              { verb: "replayMatching", before, limit: 1 },
              { verb: "discardMatching", before, limit: 1 },
              { verb: "purge", state: "waiting", limit: 1 },
              { verb: "trigger", schedule: "digest" },
              { verb: "pauseSchedule", schedule: "digest" },
              { verb: "resumeSchedule", schedule: "digest" }
            ]
          ) {
            const refused = { status: 403, message: "This dashboard is read-only" }
            assert.deepStrictEqual(await post(page, "payment", verb), refused, verb.verb)
          }
          refuted(problems, 403)
        }, { which: "readOnlyUrl" }),
      started
    )

    // ---------------------------------------------------------------------------
    // refusals of Redis and of time
    // ---------------------------------------------------------------------------

    it.effect("says which command the Redis user lacks, and leaves the question open", () =>
      Effect.gen(function*() {
        const { inspector } = yield* Dashboard.World
        const before = (yield* Effect.orDie(inspector.overview("payment"))).deadLetters
        yield* visit("/services/payment/dead/letters?errorType=CardDeclined", async (page, problems) => {
          await page.locator("tbody").getByRole("checkbox").first().check()
          await confirm(page, "Discard selected")
          const dialog = page.getByRole("dialog")
          await dialog.getByRole("alert").getByText("It lacks the command xdel: add +xdel to its ACL").waitFor()
          await dialog.getByRole("button", { name: "Keep as it is" }).click()
          await dialog.waitFor({ state: "detached" })
          await page.getByRole("heading", { name: "1 selected" }).waitFor()
          refuted(problems, 503)
        }, { which: "watcherUrl" })
        assert.strictEqual((yield* Effect.orDie(inspector.overview("payment"))).deadLetters, before)
      }), started)

    it.effect(
      "says that an action has ended meanwhile, though its row is gone from the list",
      () =>
        Effect.gen(function*() {
          const { inspector } = yield* Dashboard.World
          yield* visit("/services/payment?tab=retrying", async (page, problems) => {
            const id = await firstId(page)
            const row = rowOf(page, id)
            await row.getByRole("button", { name: /^Cancel/ }).click()
            const dialog = page.getByRole("dialog")
            await dialog.getByText(/Removes payment\.capture [0-9a-f]{8}\./).waitFor()
            await Effect.runPromise(inspector.cancel({ service: "payment", actionId: id }))
            await row.waitFor({ state: "detached" })
            await dialog.getByRole("button", { name: "Cancel", exact: true }).click()
            await dialog.getByRole("alert").getByText(/There is no action .*: it ended before/).waitFor()
            refuted(problems, 404)
          })
        }),
      started
    )

    it.effect("says that an action runs, and does not cancel it", () =>
      Effect.gen(function*() {
        const { inspector } = yield* Dashboard.World
        const [running] = (yield* Effect.orDie(inspector.list("payment", "running"))).entries
        yield* visit("/services/payment?tab=running", async (page, problems) => {
          await page.locator("tbody tr").first().waitFor()
          assert.strictEqual(await page.getByRole("button", { name: /^Cancel/ }).count(), 0)
          const { message, status } = await post(page, "payment", {
            verb: "cancel",
            id: running!.entryId,
            state: "waiting"
          })
          assert.strictEqual(status, 409)
          assert.match(message, /is held by .* and runs, or is about to/)
          refuted(problems, 409)
        })
        assert.strictEqual((yield* Effect.orDie(inspector.overview("payment"))).running, 3)
      }), started)

    it.effect("says how many of the selected letters were gone", () =>
      Effect.gen(function*() {
        const { inspector } = yield* Dashboard.World
        yield* visit("/services/payment/dead/letters?errorType=CardDeclined&live=off", async (page) => {
          const boxes = page.locator("tbody").getByRole("checkbox")
          await boxes.first().waitFor()
          for (const at of [0, 1]) {
            await boxes.nth(at).check()
          }
          const [letter] = (await boxes.first().getAttribute("aria-label"))!.split(" ").slice(-1)
          await Effect.runPromise(inspector.discard("payment", letter!))
          await confirm(page, "Discard selected")
          await told(page, /^Discard selected: 1 done, 1 left as they were\. /)
        })
      }), started)

    it.effect("shows the sentence that refuses a bad option, and does nothing", () =>
      Effect.gen(function*() {
        const { inspector } = yield* Dashboard.World
        yield* visit("/services/mail", async (page, problems) => {
          await page.getByRole("button", { name: "Pause", exact: true }).click()
          const dialog = page.getByRole("dialog")
          await dialog.getByLabel("Ends after").fill("0.001")
          await dialog.getByLabel("Unit").selectOption("seconds")
          await dialog.getByRole("button", { name: "Pause" }).click()
          await dialog.getByRole("alert").getByText(/The option "for" is .*: expected/).waitFor()
          refuted(problems, 409)
        })
        assert.deepStrictEqual(yield* Effect.orDie(inspector.pauses("mail")), [])
      }), started)

    it.effect(
      "names services like the one that does not exist",
      () =>
        visit("/services/paymnet?live=off", async (page, problems) => {
          await page.getByRole("alert").getByText(/There is no service "paymnet".*Did you mean "payment"\?/).waitFor()
          refuted(problems, 404)
        }),
      started
    )

    // ---------------------------------------------------------------------------
    // hostile text
    // ---------------------------------------------------------------------------

    const harmless = async (page: Page, visible: ReadonlyArray<string>, requests: ReadonlyArray<string>) => {
      const text = await page.evaluate<string>(
        "document.body.innerText + [...document.querySelectorAll('[title]')].map(({ title }) => title).join(' ')"
      )
      for (const where of visible) {
        assert.include(text, Dashboard.markup(where))
      }
      assert.isUndefined(await page.evaluate("window.hacked"))
      assert.strictEqual(await page.locator("#app img, #app script, #app iframe").count(), 0)
      assert.deepStrictEqual(
        requests.filter((url) => url.includes("hacked-")),
        []
      )
    }

    const hostile = (
      name: string,
      path: string,
      visible: ReadonlyArray<string>,
      then: (page: Page) => Promise<void>
    ) =>
      it.effect(`shows markup in ${name} as text`, () =>
        visit(path, async (page) => {
          const requests: Array<string> = []
          // The path of a request, because ids are in queries.
          page.on("request", (request) => requests.push(new URL(request.url()).pathname))
          await then(page)
          await harmless(page, visible, requests)
        }), started)

    hostile("types and ids of a list", "/services/ledger", ["type", "id one", "id two"], async (page) => {
      await page.locator("tbody tr").first().waitFor()
    })

    hostile(
      "the id, type, trace and payload of an action",
      "/services/ledger",
      ["id one", "type", "payload"],
      async (page) => {
        await rowOf(page, Dashboard.markup("id one")).getByRole("link").click()
        await page.getByRole("heading", { level: 2 }).getByText(Dashboard.markup("type")).waitFor()
        await page.getByRole("button", { name: "Show the payload" }).click()
        await page.locator("pre").waitFor()
      }
    )

    hostile("the groups of dead letters", "/services/sync/dead", ["error"], async (page) => {
      await page.locator("tbody tr").first().waitFor()
    })

    hostile(
      "the message and error type of a dead letter",
      "/services/sync/dead",
      ["error", "message"],
      async (page) => {
        await page.locator("tbody tr").filter({ hasText: "sync.note" }).getByRole("link").first().click()
        await page.getByText("Letters, newest first").waitFor()
        await page.locator("tbody td.code a").first().waitFor()
      }
    )

    hostile(
      "the page of a dead letter",
      "/services/sync/dead/letters?reason=rejected",
      ["error", "message"],
      async (page) => {
        await page.locator("tbody tr").filter({ hasText: "sync.note" }).first().locator("td.code a").click()
        await page.locator(".way").waitFor()
      }
    )

    hostile("a question, the reason of a pause, and the audit", "/services/ledger", ["reason"], async (page) => {
      await rowOf(page, Dashboard.markup("id one")).getByRole("button", { name: /^Cancel/ }).click()
      await page.getByRole("dialog").getByText(Dashboard.markup("type")).waitFor()
      await page.keyboard.press("Escape")
      await page.getByRole("button", { name: "Pause", exact: true }).click()
      await page.getByRole("dialog").getByLabel("Type").fill("ledger.post")
      await page.getByLabel("Reason").fill(Dashboard.markup("reason"))
      await page.getByRole("dialog").getByRole("button", { name: "Pause" }).click()
      await page.locator(".badge").getByText(Dashboard.markup("reason")).waitFor()
      await page.getByRole("link", { name: "Audit", exact: true }).click()
      await page.locator("tbody tr").first().waitFor()
    })

    it.effect("reads a broken URL as a page that does not exist", () =>
      visit("/services/payment", async (page) => {
        await page.evaluate(
          "history.pushState(null, '', '/services/payment/%E0%A4%A'); dispatchEvent(new PopStateEvent('popstate'))"
        )
        await page.getByRole("heading", { name: "There is no such page" }).waitFor()
      }), started)
  }
)
