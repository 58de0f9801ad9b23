/** `schedules`: what recurs, when next, and steering it. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedules from "../../Schedules.ts"
import { connection, service } from "../connect.ts"
import { notDone } from "../failure.ts"
import * as Flags from "../flags.ts"
import { show } from "../screen.ts"
import type { Column } from "../table.ts"
import { count, number, relative, safe, text, time } from "../text.ts"

const name = Argument.String("name").pipe(Argument.withDescription("The name of the schedule"))

const layer = Layer.unwrap(Effect.map(service, (service) => Schedules.layerOptions({ service }))).pipe(
  Layer.provide(connection)
)

const columns = (now: DateTime.Utc): ReadonlyArray<Column<Schedules.ScheduleStatus>> => [
  { title: "name", cell: (schedule) => text(schedule.name), cut: true },
  { title: "type", cell: ({ actionType }) => text(actionType), cut: true },
  { title: "recurrence", cell: ({ recurrence }) => text(recurrence), cut: true },
  {
    title: "next",
    cell: ({ next, paused }) =>
      paused === undefined ? relative(next, now) : paused === "" ? "paused" : `paused: ${text(paused)}`,
    cut: true,
    paint: ({ paused }, text, style) => paused === undefined ? text : style.caution(text)
  },
  { title: "last", cell: ({ last }) => relative(last, now), rank: 2 },
  { title: "sent", cell: ({ fired }) => number(fired), align: "right", rank: 3 },
  { title: "skipped", cell: ({ skipped }) => number(skipped), align: "right", rank: 4 },
  {
    title: "origin",
    cell: ({ origin }) => origin,
    rank: 1,
    paint: ({ origin }, text, style) => origin === "orphaned" ? style.caution(text) : text
  }
]

const ls = Command.make("ls", {}, () =>
  Effect.gen(function*() {
    const schedules = yield* Schedules.Schedules.use(({ list }) => list)
    const now = yield* DateTime.now
    yield* show(
      { schedules },
      (_, screen) => schedules.length === 0 ? ["There are no schedules."] : screen.table(schedules, columns(now))
    )
  }).pipe(Effect.provide(layer))).pipe(
    Command.withDescription("List the schedules of a service"),
    Command.withExamples([{
      command: "redis-workers schedules ls -s report",
      description: "What recurs, and when next"
    }])
  )

const next = Command.make("next", {
  name,
  limit: Flags.limit(5, "How many slots, at most 1,000. Default: 5").pipe(
    Flag.filter((n) => n <= 1_000, (n) => `${n} is too many: expected at most 1000`)
  )
}, ({ limit, name }) =>
  Effect.gen(function*() {
    const slots = yield* Schedules.Schedules.use((schedules) => schedules.next(name, limit))
    const now = yield* DateTime.now
    yield* show({ schedule: name, slots }, () =>
      slots.length === 0
        ? ["There are no further slots, or the schedule is paused."]
        : slots.map((slot) => `${time(slot)}  ${relative(slot, now)}`))
  }).pipe(Effect.provide(layer))).pipe(
    Command.withDescription("Print the next slots of a schedule"),
    Command.withExamples([{ command: "redis-workers schedules next nightly -n 10 -s report" }])
  )

/** A schedule that exists, so that a dry run says what the verb would say. */
const existing = Effect.fnUntraced(function*(name: string) {
  const { list } = yield* Schedules.Schedules
  const found = (yield* list).find((schedule) => schedule.name === name)
  return found ?? (yield* new Schedules.ScheduleNotFound({ service: yield* service, schedule: name }))
})

const done = (schedule: string, verb: string, dryRun: boolean, actions: ReadonlyArray<string> = []) =>
  show({ dryRun, schedule, done: verb, actions }, () => [
    dryRun
      ? `The schedule ${safe(schedule)} would be ${verb}. Nothing was done.`
      : `The schedule ${safe(schedule)} is ${verb}.`,
    ...actions.map((id) => `  action ${safe(id)}`)
  ])

const pause = Command.make("pause", {
  name,
  reason: Flags.optionalText("reason", "text", "Why; shown by ls"),
  dryRun: Flags.dryRun
}, ({ dryRun, name, reason }) =>
  Effect.gen(function*() {
    const schedules = yield* Schedules.Schedules
    yield* dryRun ? existing(name) : schedules.pause(name, Option.getOrUndefined(reason))
    yield* done(name, "paused", dryRun)
  }).pipe(Effect.provide(layer))).pipe(
    Command.withDescription("Stop a schedule until it is resumed. Slots that pass meanwhile are not sent"),
    Command.withExamples([{ command: "redis-workers schedules pause nightly --reason \"provider is down\" -s report" }])
  )

const resume = Command.make("resume", { name, dryRun: Flags.dryRun }, ({ dryRun, name }) =>
  Effect.gen(function*() {
    const schedules = yield* Schedules.Schedules
    const { paused } = yield* existing(name)
    if (paused === undefined) return yield* notDone(`The schedule ${safe(name)} is not paused`)
    if (!dryRun) yield* schedules.resume(name)
    yield* done(name, "resumed", dryRun)
  }).pipe(Effect.provide(layer))).pipe(
    Command.withDescription("End the pause of a schedule"),
    Command.withExamples([{ command: "redis-workers schedules resume nightly -s report" }])
  )

const trigger = Command.make("trigger", { name, dryRun: Flags.dryRun }, ({ dryRun, name }) =>
  Effect.gen(function*() {
    const schedules = yield* Schedules.Schedules
    const actions = dryRun ? [] : [yield* schedules.trigger(name)]
    if (dryRun) yield* existing(name)
    yield* done(name, "triggered", dryRun, actions)
  }).pipe(Effect.provide(layer))).pipe(
    Command.withDescription("Send the action of a schedule once more, now"),
    Command.withExamples([{ command: "redis-workers schedules trigger nightly -s report" }])
  )

const backfill = Command.make("backfill", {
  name,
  from: Flags.moment("from", "The first time, included"),
  until: Flags.moment("until", "The last time, included"),
  dryRun: Flags.dryRun
}, ({ dryRun, from, name, until }) =>
  Effect.gen(function*() {
    const schedules = yield* Schedules.Schedules
    if (dryRun) {
      const { actionType } = yield* existing(name)
      return yield* show({ dryRun: true, schedule: name, done: "backfilled", actions: [] }, () => [
        `${safe(actionType)} would be sent for the slots from ${time(from)} until ${
          time(until)
        }, at most the latest 1,000.`
      ])
    }
    const actions = yield* schedules.backfill(name, { from, until })
    if (actions.length === 0) return yield* notDone(`The schedule ${safe(name)} has no slot in that time`)
    yield* show({ dryRun, schedule: name, done: "backfilled", actions }, () => [
      `${count(actions.length, "action")} sent:`,
      ...actions.map((id) => `  ${safe(id)}`)
    ])
  }).pipe(Effect.provide(layer))).pipe(
    Command.withDescription(
      "Send the actions of slots in the past. A slot that was sent before has the same action id"
    ),
    Command.withExamples([{
      command: "redis-workers schedules backfill nightly --from 2026-11-01 --until 2026-11-05 -s report"
    }])
  )

export const schedules = Command.make("schedules").pipe(
  Command.withDescription("Look at schedules and steer them"),
  Command.withSubcommands([ls, next, trigger, pause, resume, backfill])
)
