import * as Action from "effect-redis-workers/Action"
import * as Schedules from "effect-redis-workers/Schedules"
import * as Schema from "effect/Schema"

export const Report = Action.make("reports.daily", { payload: { region: Schema.String } })

/**
 * At three each night in Berlin, in summer and in winter. If no worker ran over a weekend, the reports of its nights are
 * made when one runs again. `REPORT_CRON` is for trying it out: `* * * * * *` is every second.
 */
export const nightly = Schedules.cron("nightly", {
  action: Report,
  payload: { region: "north" },
  cron: process.env["REPORT_CRON"] ?? "0 3 * * *",
  timeZone: "Europe/Berlin",
  missed: { all: "3 days" }
})
