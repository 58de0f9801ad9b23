/** Every verb of the dashboard, as a user does it, and what became of it in Redis. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Browser from "../support/browser.ts"
import { confirm, firstId, idsIn, rowOf, told, visit } from "../support/dashboardPage.ts"
import * as Dashboard from "../support/dashboardWorld.ts"
import { until } from "../support/until.ts"

const started = 120_000

const find = (service: string, actionId: string) =>
  Effect.gen(function*() {
    const { inspector } = yield* Dashboard.World
    return (yield* Effect.orDie(inspector.find({ service, actionId }))).entry
  })

const overview = (service: string) =>
  Effect.flatMap(Dashboard.World, ({ inspector }) => Effect.orDie(inspector.overview(service)))

const letters = (service: string, errorType: string) =>
  Effect.gen(function*() {
    const { inspector } = yield* Dashboard.World
    const dead = yield* Effect.orDie(inspector.deadLetters(service))
    return yield* Effect.orDie(dead.count({ errorType }))
  })

layer(Layer.merge(Dashboard.layer, Browser.layer), { excludeTestServices: true, timeout: started })("a user", (it) => {
  // ---------------------------------------------------------------------------
  // actions
  // ---------------------------------------------------------------------------

  for (
    const [state, path] of [
      ["waiting", "/services/report?tab=waiting&only=report.render"],
      ["retrying", "/services/payment?tab=retrying"],
      ["scheduled", "/services/mail?tab=scheduled&only=mail.send"]
    ] as const
  ) {
    const service = path.split("/")[2]!.split("?")[0]!
    it.effect(`cancels an action that is ${state}, and nothing is left of it`, () =>
      Effect.gen(function*() {
        const id = yield* visit(path, async (page) => {
          const id = await firstId(page)
          await confirm(page, "Cancel", rowOf(page, id))
          await told(page, "Cancel: 1 done")
          await rowOf(page, id).waitFor({ state: "detached" })
          return id
        })
        assert.isUndefined(yield* find(service, id))
      }), started)

    it.effect(`buries an action that is ${state}, and finds it among the dead letters`, () =>
      Effect.gen(function*() {
        const id = yield* visit(path, async (page) => {
          const id = await firstId(page)
          await confirm(page, "Bury", rowOf(page, id))
          await told(page, "Bury: 1 done")
          await page.goto(new URL(`/services/${service}/dead/letters?errorType=Buried`, page.url()).href)
          await rowOf(page, id).waitFor()
          return id
        })
        assert.strictEqual((yield* find(service, id))?.state, "dead")
      }), started)
  }

  it.effect(
    "runs an action now that waits for its next attempt, and its handler gets it again",
    () =>
      Effect.gen(function*() {
        const id = yield* visit("/services/payment?tab=retrying", async (page) => {
          const id = await firstId(page)
          await confirm(page, "Run now", rowOf(page, id))
          await told(page, "Run now: 1 done")
          return id
        })
        const again = Effect.map(find("payment", id), (entry) => entry?.state === "retrying" && entry.attempts === 2)
        yield* until("its second attempt has failed", again)
      }),
    started
  )

  it.effect("runs a scheduled action now, and it ends", () =>
    Effect.gen(function*() {
      const before = (yield* overview("mail")).scheduled
      const id = yield* visit("/services/mail?tab=scheduled&only=mail.send", async (page) => {
        const id = await firstId(page)
        await confirm(page, "Run now", rowOf(page, id))
        await told(page, "Run now: 1 done")
        return id
      })
      yield* until("it has ended", Effect.map(find("mail", id), (entry) => entry === undefined))
      assert.strictEqual((yield* overview("mail")).scheduled, before - 1)
    }), started)

  it.effect("cancels all actions of a type that wait, and those of other types stay", () =>
    Effect.gen(function*() {
      const before = (yield* overview("report")).length
      yield* visit("/services/report", async (page) => {
        await page.getByRole("textbox", { name: "Only this type" }).fill("report.export")
        await page.getByRole("button", { name: "Filter" }).click()
        await page.getByRole("link", { name: "All types" }).waitFor()
        await page.getByRole("button", { name: "Cancel all…" }).click()
        const dialog = page.getByRole("dialog")
        await dialog.getByText("Removes 100 actions of the type report.export of report").waitFor()
        await dialog.getByRole("button", { name: "Cancel all" }).click()
        await dialog.getByText("Ended: 100 done, 0 left").waitFor()
        await dialog.getByRole("button", { name: "Close" }).click()
        await page.getByText("Nothing is waiting of the type report.export").waitFor()
      })
      assert.strictEqual((yield* overview("report")).length, before - 100)
    }), started)

  // ---------------------------------------------------------------------------
  // pauses
  // ---------------------------------------------------------------------------

  it.effect("pauses a service, whose workers then take nothing until it is resumed", () =>
    Effect.gen(function*() {
      const { decline } = yield* Dashboard.World
      yield* visit("/services/payment", async (page) => {
        await page.getByRole("button", { name: "Pause", exact: true }).click()
        await page.getByLabel("Reason").fill("the bank is closed")
        await page.getByRole("dialog").getByRole("button", { name: "Pause" }).click()
        await page.getByText("service paused: the bank is closed").waitFor()
        // The workers honour it within a second; then what is sent waits.
        await Effect.runPromise(Effect.delay(decline(3), "1500 millis"))
        await page.locator(".numbers div").filter({ hasText: /^Waiting3/ }).waitFor()
        await confirm(page, "Resume")
        await page.getByText("service paused").waitFor({ state: "detached" })
        await page.locator(".numbers div").filter({ hasText: /^Waiting0/ }).waitFor()
      })
      assert.deepStrictEqual((yield* overview("payment")).pauses, [])
    }), started)

  it.effect("pauses a type for some seconds, and sees the pause end by itself", () =>
    Effect.gen(function*() {
      yield* visit("/services/mail", async (page) => {
        await page.getByRole("button", { name: "Pause", exact: true }).click()
        const dialog = page.getByRole("dialog")
        await dialog.getByLabel("Type").fill("mail.digest")
        await dialog.getByLabel("Ends after").fill("4")
        await dialog.getByLabel("Unit").selectOption("seconds")
        await dialog.getByRole("button", { name: "Pause" }).click()
        const badge = page.locator(".badge").filter({ hasText: "mail.digest paused: dashboard" })
        await badge.getByText(/in [\d.]+ s|now/).waitFor()
        await badge.waitFor({ state: "detached" })
      })
      assert.deepStrictEqual((yield* overview("mail")).pauses, [])
    }), started)

  // ---------------------------------------------------------------------------
  // schedules
  // ---------------------------------------------------------------------------

  it.effect("sends the action of a schedule now, and it runs", () =>
    Effect.gen(function*() {
      const id = yield* visit("/services/mail?tab=schedules", async (page) => {
        const row = page.locator("tbody tr").filter({ hasText: "newsletter" })
        await confirm(page, "Send now", row)
        const notice = page.getByRole("status").getByText(/^Sent the action /)
        await notice.waitFor()
        return (await notice.innerText()).split(" ").at(-1)!
      })
      assert.match(id, /^[0-9a-f-]{36}$/)
      yield* until("it has ended", Effect.map(find("mail", id), (entry) => entry === undefined))
    }), started)

  it.effect("pauses a schedule and resumes it", () =>
    Effect.gen(function*() {
      const { inspector } = yield* Dashboard.World
      const pausedOf = Effect.map(
        Effect.orDie(inspector.schedules("mail")),
        (found) => found.find(({ name }) => name === "newsletter")?.paused
      )
      yield* visit("/services/mail?tab=schedules", async (page) => {
        const row = page.locator("tbody tr").filter({ hasText: "newsletter" })
        await confirm(page, "Pause", row)
        await row.getByText("paused: dashboard").waitFor()
        assert.strictEqual(await Effect.runPromise(pausedOf), "dashboard")
        await confirm(page, "Resume", row)
        await row.getByText(/^in \d+/).waitFor()
      })
      assert.isUndefined(yield* pausedOf)
    }), started)

  // ---------------------------------------------------------------------------
  // dead letters
  // ---------------------------------------------------------------------------

  const declined = "/services/payment/dead/letters?reason=rejected&errorType=CardDeclined"

  it.effect("tries dead letters against their contracts, and no handler runs", () =>
    Effect.gen(function*() {
      const before = yield* overview("payment")
      yield* visit("/services/payment/dead", async (page) => {
        await page.getByRole("button", { name: "Dry run" }).click()
        const dialog = page.getByRole("dialog")
        await dialog.getByText(/^\d+ of \d+ letters would reach their handler/).waitFor()
        await dialog.getByRole("row", { name: /payment\.charge .*Payload does not fit.* 4$/ }).waitFor()
        await dialog.getByRole("button", { name: "Close" }).click()
        await page.getByRole("link", { name: "Payload does not fit" }).click()
        await page.locator("tbody td.code a").first().click()
        await page.getByRole("button", { name: "Dry run" }).click()
        await page.getByText("does not fit the contract", { exact: true }).waitFor()
        assert.strictEqual(await page.locator("pre").count(), 0)
      })
      assert.strictEqual((yield* overview("payment")).deadLetters, before.deadLetters)
    }), started)

  it.effect(
    "sees a payload only when it was asked for, and never a redacted field",
    () =>
      visit(declined, async (page) => {
        const bodies: Array<Promise<string>> = []
        page.on("response", (response) => {
          if (response.url().includes("/api/")) bodies.push(response.text().catch(() => ""))
        })
        await page.locator("tbody td.code a").first().click()
        await page.getByRole("button", { name: "Dry run" }).click()
        await page.getByText("fits the contract").waitFor()
        assert.notInclude((await Promise.all(bodies)).join(""), "declined 2")
        await page.getByRole("button", { name: "Show the payload" }).click()
        await page.locator("pre").getByText(/"order": "declined \d+"/).waitFor()
        await page.getByText("Some fields are hidden").waitFor()
        const all = (await Promise.all(bodies)).join("")
        assert.match(all, /declined \d+/)
        assert.notInclude(all, Dashboard.card.slice(0, 9))
      }),
    started
  )

  it.effect("discards one letter on the page of its action", () =>
    Effect.gen(function*() {
      const before = yield* letters("payment", "CardDeclined")
      yield* visit(declined, async (page) => {
        await page.locator("tbody td.code a").first().click()
        await confirm(page, "Discard")
        await told(page, "Discard: 1 done")
        await page.getByText("It ended, or it never existed").waitFor()
      })
      assert.strictEqual(yield* letters("payment", "CardDeclined"), before - 1)
    }), started)

  it.effect("replays one letter on the page of its action, and is told the new entry", () =>
    Effect.gen(function*() {
      const entry = yield* visit(declined, async (page) => {
        await page.locator("tbody td.code a").first().click()
        await confirm(page, "Replay")
        const notice = page.getByRole("status").getByText(/^Replayed as /)
        await notice.waitFor()
        return (await notice.innerText()).split(" ").at(-1)!
      })
      const { inspector } = yield* Dashboard.World
      const failed = Effect.map(
        Effect.orDie(inspector.find({ service: "payment", entryId: entry })),
        ({ entry }) => entry?.state === "dead" && entry.letter.hops === 1
      )
      yield* until("it has failed once more", failed)
    }), started)

  for (const verb of ["Discard", "Replay"] as const) {
    it.effect(`${verb.toLowerCase()}s selected letters, and no other`, () =>
      Effect.gen(function*() {
        const ids = yield* visit(declined, async (page) => {
          await firstId(page)
          const ids = (await idsIn(page)).slice(0, 3)
          for (const id of ids) await rowOf(page, id).getByRole("checkbox").check()
          await page.getByRole("heading", { name: "3 selected" }).waitFor()
          await confirm(page, `${verb} selected`)
          await told(page, `${verb} selected: 3 done`)
          await page.getByRole("heading", { name: "Letters, newest first" }).waitFor()
          return ids
        })
        for (const id of ids) {
          const { inspector } = yield* Dashboard.World
          const hops = Effect.map(
            Effect.orDie(inspector.find({ service: "payment", actionId: id })),
            ({ entry }) => entry?.state === "dead" ? entry.letter.hops : undefined
          )
          if (verb === "Discard") assert.isUndefined(yield* hops)
          else yield* until("it was replayed, and has failed again", Effect.map(hops, (hops) => hops === 1))
        }
      }), started)
  }

  it.effect("selects all letters of a page, and turns to the next", () =>
    visit(declined, async (page) => {
      await page.getByRole("checkbox", { name: "All 50 on this page" }).check()
      await page.getByRole("heading", { name: "50 selected" }).waitFor()
      const first = await idsIn(page)
      await page.getByRole("link", { name: "Next page" }).click()
      await page.getByRole("link", { name: "First page" }).waitFor()
      await firstId(page)
      const second = await idsIn(page)
      assert.deepStrictEqual(first.filter((id) => second.includes(id)), [])
      await page.getByRole("heading", { name: "Letters, newest first" }).waitFor()
    }), started)

  it.effect(
    "replays all letters that match at a rate, in steps, and those that fail again are left",
    () =>
      Effect.gen(function*() {
        const before = yield* letters("payment", "CardDeclined")
        yield* visit(declined, async (page) => {
          await page.getByRole("button", { name: "Replay all…" }).click()
          const dialog = page.getByRole("dialog")
          await dialog.getByLabel("Letters a second").fill("1000")
          await dialog.getByRole("button", { name: "Replay all" }).click()
          await dialog.getByText(`Ended: ${before} done, 0 left`).waitFor()
        })
        yield* until("all have failed again", Effect.map(letters("payment", "CardDeclined"), (now) => now === before))
      }),
    started
  )

  it.effect("discards all letters that match, and the others stay", () =>
    Effect.gen(function*() {
      const before = (yield* overview("payment")).deadLetters
      const matching = yield* letters("payment", "ProcessingError")
      assert.isAbove(matching, 0)
      yield* visit("/services/payment/dead", async (page) => {
        await page.getByRole("link", { name: "Attempts used up" }).click()
        await page.getByRole("button", { name: "Discard all…" }).click()
        const dialog = page.getByRole("dialog")
        await dialog.getByRole("button", { name: "Discard all" }).click()
        await dialog.getByText(`Ended: ${matching} done, 0 left`).waitFor()
        await dialog.getByRole("button", { name: "Close" }).click()
        await page.getByText("No letter matches").waitFor()
        await page.getByRole("link", { name: "dead letters" }).click()
        await page.getByRole("heading", { name: `${before - matching} letters as of` }).waitFor()
      })
      assert.strictEqual((yield* overview("payment")).deadLetters, before - matching)
    }), started)

  // ---------------------------------------------------------------------------
  // finding, and the audit
  // ---------------------------------------------------------------------------

  it.effect("finds an action by its action id and by its entry id, with its way so far", () =>
    Effect.gen(function*() {
      const { inspector } = yield* Dashboard.World
      const [entry] = (yield* Effect.orDie(inspector.list("payment", "retrying", { limit: 1 }))).entries
      for (const id of [entry!.actionId!, entry!.entryId]) {
        yield* visit("/services/payment", async (page) => {
          await page.getByRole("textbox", { name: "Action id or entry id" }).fill(id)
          await page.keyboard.press("Enter")
          await page.getByRole("heading", { name: "payment.capture" }).waitFor()
          const way = await page.locator(".way").innerText()
          assert.match(way, /Added to the stream.*UTC[^]*Delivered[^]*GatewayDown: the gateway acme[^]*Next attempt/)
          assert.include(await page.locator(".facts").innerText(), entry!.actionId!)
        })
      }
    }), started)

  it.effect(
    "finds every verb in the audit, with the user's name, what it was done to and its outcome",
    () =>
      visit("/audit", async (page) => {
        await page.locator("tbody tr").first().waitFor()
        const rows = await page.evaluate<ReadonlyArray<ReadonlyArray<string>>>(
          "[...document.querySelectorAll('tbody tr')].map(({ cells }) => [...cells].map((cell) => cell.innerText.trim()))"
        )
        const verbs = ["pause", "resume", "cancel", "retryNow", "bury", "replay", "discard", "replayMatching"]
        for (const verb of [...verbs, "discardMatching", "purge", "trigger", "pauseSchedule", "resumeSchedule"]) {
          const row = rows.find(([, , name]) => name === verb)
          assert.isDefined(row, verb)
          assert.match(row[0]!, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/)
          assert.strictEqual(row[1], "local")
          assert.match(row.at(-1)!, /^done: \d+, left: \d+$/)
        }
        assert.notInclude(rows.flat().join(" "), "declined")
      }),
    started
  )
})
