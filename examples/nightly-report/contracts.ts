import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as Schedules from "../../src/Schedules.ts"

export const Report = Action.make("reports.daily", { payload: { region: Schema.String } })

/**
 * At three each night in Berlin, in summer and in winter. If no worker runs over a weekend, the nights that were missed are made up
 * for. `REPORT_CRON` is for trying it out: `* * * * * *` is every second.
 */
export const nightly = Schedules.cron("nightly", {
  action: Report,
  payload: { region: "north" },
  cron: process.env["REPORT_CRON"] ?? "0 3 * * *",
  timeZone: "Europe/Berlin",
  missed: { all: "3 days" }
})
