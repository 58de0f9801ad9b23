/** `stats`: a service at one moment, and what became of its actions. */
import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import type * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Inspector from "../../Inspector.ts"
import { service } from "../connect.ts"
import * as Flags from "../flags.ts"
import { inspector } from "../inspecting.ts"
import { type Screen, screen } from "../screen.ts"
import { type Column, pairs } from "../table.ts"
import { duration, json, number, relative, text, time } from "../text.ts"

const typeColumns: ReadonlyArray<Column<Inspector.TypeStatistics>> = [
  { title: "type", cell: ({ actionType }) => text(actionType), cut: true },
  { title: "succeeded", cell: ({ total }) => number(total.outcomes.succeeded), align: "right" },
  { title: "retried", cell: ({ total }) => number(total.outcomes.retried), align: "right" },
  { title: "dead", cell: ({ total }) => number(total.outcomes.deadLetters), align: "right" },
  { title: "rejected", cell: ({ total }) => number(total.outcomes.rejected), align: "right", rank: 5 },
  { title: "expired", cell: ({ total }) => number(total.outcomes.expired), align: "right", rank: 4 },
  { title: "p50", cell: ({ total }) => latency(total.latency?.p50), align: "right", rank: 2 },
  { title: "p95", cell: ({ total }) => latency(total.latency?.p95), align: "right", rank: 3 },
  { title: "p99", cell: ({ total }) => latency(total.latency?.p99), align: "right", rank: 1 }
]

const latency = (value: Duration.Duration | undefined): string =>
  value === undefined ? "-" : Duration.toMillis(value) < 1 ? "<1 ms" : duration(value)

const pauseText = (pause: Inspector.Pause, now: DateTime.Utc): string =>
  [
    pause.actionType === undefined ? "the whole service" : text(pause.actionType),
    pause.until === undefined ? "until resumed" : `ends ${relative(pause.until, now)}`,
    pause.reason === "" ? "" : `(${text(pause.reason)})`
  ].filter((part) => part !== "").join(" ")

const lines = (
  overview: Inspector.Overview,
  statistics: Inspector.Statistics,
  screen: Screen
): ReadonlyArray<string> => {
  const { style } = screen
  const stale = overview.consumers.filter(({ stale }) => stale).length
  const now = overview.asOf
  const attention = (n: number, text: string) => n > 0 ? style.bad(text) : text
  return [
    ...pairs([
      ["service", text(overview.service)],
      [
        "waiting",
        `${number(overview.lag)}${
          overview.oldestWaiting === undefined ? "" : `, the oldest from ${relative(overview.oldestWaiting, now)}`
        }`
      ],
      [
        "running",
        `${number(overview.running)} held by ${number(overview.consumers.length)} consumers${
          stale === 0 ? "" : style.caution(`, ${stale} stale`)
        }`
      ],
      [
        "retrying",
        `${number(overview.retrying)}${
          overview.nextRetry === undefined ? "" : `, the next ${relative(overview.nextRetry, now)}`
        }`
      ],
      [
        "scheduled",
        `${number(overview.scheduled)}${
          overview.nextScheduled === undefined ? "" : `, the next ${relative(overview.nextScheduled, now)}`
        }`
      ],
      ["schedules", number(overview.schedules)],
      [
        "dead letters",
        attention(
          overview.deadLetters,
          `${number(overview.deadLetters)}${
            overview.newestDeadLetter === undefined ? "" : `, the newest ${relative(overview.newestDeadLetter, now)}`
          }`
        )
      ],
      [
        "paused",
        overview.pauses.length === 0
          ? "no"
          : style.caution(overview.pauses.map((pause) => pauseText(pause, now)).join("; "))
      ],
      ["entries", `${number(overview.length)} in the stream`],
      ...(overview.rates === undefined
        ? []
        : [
          [
            "last minute",
            `${number(overview.rates.ended)} ended, ${number(overview.rates.retried)} retried, ${
              number(overview.rates.deadLetters)
            } dead`
          ] as const
        ])
    ], style),
    ...(statistics.types.length === 0
      ? []
      : ["", style.dim(`since ${time(statistics.from)}`), ...screen.table(statistics.types, typeColumns)])
  ]
}

export const stats = Command.make("stats", {
  last: Flags.duration("last", "How far back the counts by type go, from 1m to 48h. Default: 1h"),
  watch: Flags.flag("watch", "Print again every 2 seconds, until Ctrl+C")
}, ({ last, watch }) =>
  Effect.gen(function*() {
    const name = yield* service
    const inspector = yield* Inspector.Inspector
    const out = yield* screen
    const once = Effect.gen(function*() {
      const overview = yield* inspector.overview(name)
      const statistics = yield* inspector.statistics(name, { last: Option.getOrElse(last, () => Duration.hours(1)) })
      if (out.json) return yield* Console.log(json({ overview, statistics }))
      const text = lines(overview, statistics, out).join("\n")
      if (!watch) return yield* Console.log(text)
      // Clears the screen of a terminal; in a pipe the looks follow each other.
      yield* Console.log(out.canAnimate ? `\u001b[2J\u001b[H${text}` : `${text}\n`)
    })
    if (!watch) return yield* once
    return yield* Effect.forever(Effect.andThen(once, Effect.sleep("2 seconds")))
  }).pipe(Effect.provide(inspector))).pipe(
    Command.withDescription(
      "Show the numbers of a service: waiting, running, retrying, scheduled, dead; outcomes and durations by type"
    ),
    Command.withExamples([
      { command: "redis-workers stats -s payment", description: "Once" },
      { command: "redis-workers stats -s payment --watch", description: "Every 2 seconds" },
      { command: "redis-workers stats -s payment --last 24h", description: "With the outcomes of a day by type" }
    ])
  )
